"""The report and the zip of a run: whole, self-contained, safe, and with the engine's numbers in them."""

import csv
import dataclasses
import io
import json
import re
import zipfile
from html.parser import HTMLParser

import numpy as np
import pytest
from safetensors.numpy import load

from engine.config.requests import run_request
from engine.results.plane import ANGLES
from engine.results.suppression import Spectra, suppress
from engine.runs import library
from engine.runs.library import checkpoint_name
from pages.data import plane, results
from pages.publish import run_report
from pages.rooms.runs import archive
from pages.text import definitions, markdown, numbers
from tests.pages.conftest import decode
from tests.planted import fill
from tests.planted_plane import add_planes

EPOCHS = (0, 10, 100)
VOID = {"meta"}
NAME = "<script>alert('&')</script> *mine* {{ 1 + 1 }} {% raw %}"


@pytest.fixture
def run(store):
    """A planted run with weights and, at its last epoch, spectra; its name wants to be markup, or a template."""
    key = fill(store, EPOCHS)
    for epoch in EPOCHS:
        weights = {"fc2.weight": np.full((3, 4), epoch, np.float32)}
        store.write(("runs", key, "checkpoints", checkpoint_name(epoch)), {"epoch": epoch}, {"main": weights})
    add_spectra(store, key, 100)
    add_planes(store, key, 100, pairs=((1, 10),))
    library.rename(store, key, NAME)
    return key


def add_spectra(store, key, epoch):
    (made,) = [a for a in library.analyses(store, key) if a.request.epoch == epoch]
    entry = store.read("runs", key, "analyses", made.key)
    rng = np.random.default_rng(0)
    k = library.load_analysis(store, key, made.key).k
    share = 10 ** np.linspace(0, -5, k)
    kappa = -np.sort(-rng.exponential(size=(50, 4)).astype(np.float32), axis=1)
    second = np.outer([1, 0.1, 0.01, 0.001], share).astype(np.float32)
    alignment = np.outer(rng.random(50), share).astype(np.float32)
    spectra = {"kappa": kappa, "alignment": alignment, "first": second, "second": second}
    arrays = {"main": entry.arrays(), "spectra": {f"spectra/{name}": a for name, a in spectra.items()}}
    store.write(("runs", key, "analyses", made.key), entry.meta, arrays)


@pytest.fixture
def view(store, run):
    return results.view_of(library.find(store, run))


@pytest.fixture
def page(view):
    return run_report.html(view)


class Reader(HTMLParser):
    """Tags that open must close; figures' data by their key; every address; all text outside scripts."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.figures, self.addresses, self.text, self.ids = [], {}, [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append((tag, attrs))
        self.addresses += [value for name, value in attrs.items() if name in ("src", "href", "data", "action")]
        self.ids += [attrs["id"]] if "id" in attrs else []

    def handle_startendtag(self, tag, attrs):
        """Spaces inside formulas: nothing to close."""

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        tag, attrs = self.open[-1] if self.open else ("", {})
        if tag == "script" and "data-for" in attrs:
            self.figures[attrs["data-for"]] = json.loads(data)
        elif tag not in ("script", "style") and not data.isspace():
            self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def result(store, run, epoch):
    (made,) = [a for a in library.analyses(store, run) if a.request.epoch == epoch]
    return library.load_analysis(store, run, made.key, spectra=True)


def by_name(figure):
    return {trace["meta"]: trace for trace in figure["data"] if "meta" in trace}


# -- the report -------------------------------------------------------------------------------------------


def test_it_is_one_whole_page_with_every_figure(page):
    reader = read(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert set(reader.figures) <= set(reader.ids)
    assert set(reader.figures) == {
        *(
            f"{part}-{name}"
            for name in ("C", "C_awd")
            for part in ("play", "K", "R_real", "R_rand", "off_diagonal", "commutator")
        ),
        *("play-power", "idea-1-10"),
        *("alignment", "power", "power-approximations", "residuals", "gamma_by_window", "effective"),
        *("gammas", "commutators", "alignments", "spearman", "norms", "training", "parts", "approximations"),
        *("suppressed-1", "suppressed-law-1", "suppressed-2", "suppressed-law-2", "samples", "cumulative"),
    }
    assert page.count("<math") > 100
    assert "\\" not in "".join(reader.text)
    assert "⟦" not in page
    assert "$" not in "".join(reader.text)


def test_it_needs_nothing_from_outside(page):
    assert all(address.startswith("#") for address in read(page).addresses)
    ours = re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert "http://" not in ours
    assert "https://" not in ours
    assert "default-src 'none'" in ours
    assert page.count("plotly.js v") == 1


def test_a_name_stays_a_name(page):
    assert "<script>alert" not in page
    title, *text = read(page).text
    assert title.startswith(f"{NAME}, epoch 100")
    assert NAME in text


def test_what_could_not_be_fitted_is_a_dash(view, monkeypatch):
    monkeypatch.setattr(run_report, "fit_or_none", lambda *_: None)
    monkeypatch.setattr(run_report, "_course", lambda frame: [("C", [(np.nan, np.nan, np.nan), (1.5, 1.25, 1.75)])])
    fits, course = re.findall(r"<tbody>(.*?)</tbody>", run_report.html(view), re.S)
    assert fits.count('<td class="right">—</td>') == 7 * len(view.analysis.names)
    assert re.findall(r'<td class="right">(.*?)</td>', course) == ["—", "1.500<small>1.250 … 1.750</small>"]


def test_heatmaps_and_meters_hold_the_engines_arrays(store, run, page):
    figures, a = read(page).figures, result(store, run, 100)
    for name in ("C", "C_awd"):
        trace = figures[f"K-{name}"]["data"][0]
        np.testing.assert_allclose(decode(trace["z"]), a.projected(name, 100), rtol=1e-6)
        (trace,) = figures[f"R_real-{name}"]["data"]
        np.testing.assert_allclose(decode(trace["z"]), a.correlation(name, 100), atol=1e-6)
        (trace,) = figures[f"R_rand-{name}"]["data"]
        np.testing.assert_allclose(decode(trace["z"]), a.random_correlation(name, 100, 0), atol=1e-6)
        (bars,) = figures[f"commutator-{name}"]["data"]
        commutators = [a.commutator(name), a.commutator(name, "top", 100), a.commutator(name, "bulk", 100)]
        np.testing.assert_allclose(decode(bars["x"]), commutators)
    bars, ticks = figures["alignment"]["data"]
    np.testing.assert_allclose(decode(bars["x"]), [a.alignment(n) for n in a.names])
    np.testing.assert_allclose(decode(ticks["x"]), [a.random_alignment(n) for n in a.names])


def test_frames_hold_each_epochs_arrays(store, run, page):
    figures, each = read(page).figures, {str(epoch): result(store, run, epoch) for epoch in EPOCHS}
    for name in ("C", "C_awd"):
        assert [frame["name"] for frame in figures[f"play-{name}"]["frames"]] == list(each)
        for frame in figures[f"play-{name}"]["frames"]:
            block, correlation = (decode(trace["z"]) for trace in frame["data"])
            np.testing.assert_allclose(block, each[frame["name"]].projected(name, 100), rtol=1e-6)
            np.testing.assert_allclose(correlation / 100, each[frame["name"]].correlation(name, 100), atol=0.00501)
        leading = figures[f"play-{name}"]["layout"]["sliders"][1]
        assert [step["label"] for step in leading["steps"]] == ["10", "20", "50", "100"]
    for frame in figures["play-power"]["frames"]:
        a, seen = each[frame["name"]], set()
        for trace in frame["data"]:
            if trace["uid"].split()[0] in ("in", "out") and trace["x"] != [None]:
                index = decode(trace["customdata"])[:, 0].astype(int) - 1
                np.testing.assert_array_equal(decode(trace["x"]), a.eigenvalues[index])
                np.testing.assert_array_equal(decode(trace["y"]), a.diagonal(trace["meta"])[index])
            elif trace["uid"].startswith("legend"):
                assert trace["name"].endswith(f"γ = {a.fit(trace['meta']).gamma:.2f}")
                seen.add(trace["meta"])
        assert seen == {"C", "C_awd"}


def test_the_plane_turns_through_the_losses_that_were_measured(view, page):
    there, frames = plane.stored(view, (1, 10)), read(page).figures["idea-1-10"]["frames"]
    for degrees, loss, frame in zip(ANGLES, there.loss, frames, strict=True):
        assert frame["name"] == str(degrees)
        np.testing.assert_allclose(decode(frame["data"][0]["z"]), loss, rtol=1e-6)


def test_the_command_writes_what_the_button_gives(store, run, tmp_path, capsys):
    path = tmp_path / "run.html"
    assert run_report.main([run[:6], "--epoch", "10", "--to", str(path)]) == 0
    assert "epoch 10" in capsys.readouterr().out
    assert read(path.read_text(encoding="utf-8")).text[0].startswith(f"{NAME}, epoch 10")
    assert run_report.main([run, "--epoch", "11", "--to", str(path)]) == 1
    assert "Epoch 11 is not analysed; 0, 10, 100 are." in capsys.readouterr().err


def test_the_command_says_what_is_missing(store, tmp_path, capsys):
    assert run_report.main(["--to", str(tmp_path / "run.html")]) == 1
    assert "First: python -m engine train." in capsys.readouterr().err


def test_the_power_laws_hold_the_diagonals_and_the_table_their_fits(store, run, page):
    reader, a = read(page), result(store, run, 100)
    for key, names in (
        ("power", ("C", "C_awd")),
        ("power-approximations", ("C_hh", "C_hh_sd", "C_hh_sd_wd", "C_hh_sd_wd_li", "E_h2")),
    ):
        for name in names:
            points = [t for t in reader.figures[key]["data"] if t.get("meta") == name and t["mode"] == "markers"]
            assert points
            for trace in points:
                index = decode(trace["customdata"])[:, 0].astype(int) - 1
                np.testing.assert_array_equal(decode(trace["x"]), a.eigenvalues[index])
                np.testing.assert_array_equal(decode(trace["y"]), a.diagonal(name)[index])
    text = "|".join(reader.text)
    for name in a.names:
        assert f"{a.fit(name).gamma:.3f}|± {a.fit(name).stderr:.3f}" in text
    window = by_name(reader.figures["gamma_by_window"])["C"]
    count = decode(window["x"]).astype(int)
    np.testing.assert_allclose(decode(window["y"]), a.gamma_by_window("C")[count - 1])
    points = by_name(reader.figures["effective"])["kappa_eff"]
    index = decode(points["customdata"]) - 1
    np.testing.assert_allclose(decode(points["y"]), a.effective_curvature()[index])


def test_the_dynamics_hold_each_epochs_numbers(store, run, page):
    figures = read(page).figures
    each = [result(store, run, epoch) for epoch in EPOCHS]
    for key, measure in (
        ("gammas", lambda a, n: a.fit(n).gamma),
        ("commutators", lambda a, n: a.commutator(n)),
        ("alignments", lambda a, n: a.alignment(n)),
        ("spearman", lambda a, n: a.spearman(n)),
        ("norms", lambda a, n: a.frobenius(n)),
    ):
        for name in ("C", "C_awd"):
            trace = by_name(figures[key])[name]
            np.testing.assert_allclose(decode(trace["y"]), [measure(a, name) for a in each], err_msg=key)
    history = library.find(store, run).history
    np.testing.assert_allclose(decode(by_name(figures["training"])["train_loss"]["y"]), history.train_loss)
    for key, name in (("parts", "C_hg"), ("approximations", "C_hh_sd_wd_li")):
        trace = by_name(figures[key])[name]
        np.testing.assert_allclose(decode(trace["y"]), np.abs(each[-1].diagonal(name)[decode(trace["x"]) - 1]))


def test_suppression_holds_the_edited_diagonals(store, run, page):
    figures, a = read(page).figures, result(store, run, 100)
    assert isinstance(a.spectra, Spectra)
    old, new = suppress(a.spectra, keep=None), suppress(a.spectra)
    points = by_name(figures["suppressed-1"])["new"]
    index = decode(points["customdata"]).astype(int) - 1
    np.testing.assert_allclose(decode(points["x"]), old.noise_diagonal[index])
    np.testing.assert_allclose(decode(points["y"]), new.noise_diagonal[index])
    shares = np.cumsum(a.spectra.second.sum(axis=1)) / a.spectra.second.sum()
    np.testing.assert_allclose(decode(by_name(figures["cumulative"])["share"]["y"]), shares, rtol=1e-6)


def test_one_epoch_without_spectra_gives_a_shorter_report(store):
    key = fill(store, epochs=(10,))
    reader = read(run_report.html(results.view_of(library.find(store, key))))
    assert "gammas" not in reader.figures
    assert "samples" not in reader.figures
    assert {"training", "parts", "power"} <= set(reader.figures)
    assert not [address for address in reader.addresses if address.removeprefix("#") not in reader.ids]


def test_the_commands_it_gives_are_those_of_this_run(view, page):
    from engine.config.command_line import parse

    lines = re.search(r"<pre>(.*?)</pre>", page, re.S)[1].splitlines()
    train, analyze = (parse(line.split()[3:]) for line in lines)
    assert train.request == view.run.request
    assert analyze.run == view.run.key
    assert analyze.epochs == ("100",)


# -- its prose --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in dir(definitions) if n.isupper()])
def test_every_definition_becomes_html_with_mathml(name):
    text = numbers.fill(getattr(definitions, name), None)
    markup = markdown.blocks(text)
    read(markup)
    assert markup.count("<math") == len(re.findall(r"\$\$.+?\$\$|\$.+?\$", text, re.S))
    assert "\\" not in markup
    assert "**" not in markup


def test_prose_escapes_what_it_does_not_know():
    assert markdown.inline("a < b & `x*y*z` **c** *d* 2*3*4") == (
        "a &lt; b &amp; <code>x*y*z</code> <strong>c</strong> <em>d</em> 2*3*4"
    )
    assert markdown.blocks("one\n\n- two\n- three") == "<p>one</p>\n<ul><li>two</li><li>three</li></ul>"


# -- the zip ----------------------------------------------------------------------------------------------


def test_a_zip_holds_the_run_in_open_formats(store, run):
    file = io.BytesIO()
    archive.write(store, library.find(store, run), file)
    with zipfile.ZipFile(file) as packed:
        assert packed.testzip() is None
        files = {name.split("/", 1)[1]: packed.read(name) for name in packed.namelist()}
        assert {name.split("/")[0] for name in packed.namelist()} == {f"gammascope-{run[:8]}"}
    one = library.find(store, run)
    assert run_request(json.loads(files["settings.json"])) == one.request
    assert json.loads(files["manifest.json"])["records"] == store.read("runs", run).meta["records"]
    rows = list(csv.DictReader(io.StringIO(files["history.csv"].decode())))
    for field in dataclasses.fields(one.history):
        np.testing.assert_array_equal([float(r[field.name]) for r in rows], getattr(one.history, field.name))
    tables = sorted(name for name in files if name.endswith(".csv") and name.startswith("diagonals/"))
    assert [name.split("-")[1] for name in tables] == [checkpoint_name(e) for e in EPOCHS]
    for name, epoch in zip(tables, EPOCHS, strict=True):
        a = result(store, run, epoch)
        rows = list(csv.DictReader(io.StringIO(files[name].decode())))
        assert [int(r["direction"]) for r in rows] == list(range(1, a.k + 1))
        with np.load(io.BytesIO(files[name.replace(".csv", ".npz")]), allow_pickle=False) as arrays:
            np.testing.assert_array_equal(arrays["H"], a.eigenvalues)
            for matrix in a.names:
                np.testing.assert_array_equal(arrays[matrix], a.diagonal(matrix))
                np.testing.assert_array_equal([float(r[matrix]) for r in rows], a.diagonal(matrix))
    for epoch in EPOCHS:
        weights = load(files[f"checkpoints/epoch-{checkpoint_name(epoch)}.safetensors"])
        np.testing.assert_array_equal(weights["fc2.weight"], np.full((3, 4), epoch, np.float32))
    assert b"load_file" in files["README.txt"]


# -- a run from files -------------------------------------------------------------------------------------


@pytest.fixture
def loaded(store):
    """A planted run whose weights were trained elsewhere: no history, no training."""
    key = fill(store, (100,))
    meta = dict(store.read("runs", key).meta)
    request = dict(meta["request"]) | {"weights": ["0" * 64]}
    store.write(("runs", key), meta | {"request": request, "records": []})
    return library.find(store, key)


def test_a_run_from_files_is_not_told_to_be_trained(loaded):
    page = run_report.html(results.view_of(loaded))
    text = "|".join(read(page).text)
    assert "Loading the same files brings it back" in text
    assert "engine train" not in text
    assert "100 of 100" not in text
