"""Commutativity and Power law in full: every knob beyond the first look, and one direction marked everywhere."""

import dataclasses

import numpy as np
import pytest

from cache.store import Store
from engine.config.requests import AnalysisRequest, key, to_json
from engine.results import commutation
from engine.results.record import MatrixSummary
from engine.runs import library
from pages.data import random_draws, results, suppression
from pages.rooms.commutativity import chance
from pages.rooms.commutativity import panels as commutativity_panels
from pages.rooms.power_law import panels as power_law_panels
from pages.rooms.suppression import panels as suppression_panels
from pages.state import selection
from pages.state.edit import Edit
from pages.ui import cards, marker
from tests.pages.charts.test_charts import decode
from tests.pages.test_every_page import chart, charts, fine, heat, opened, result, sent, url
from tests.planted import add_spectra, analysis, fill

COMMUTATIVITY, POWER_LAW = "pages/commutativity.py", "pages/power_law.py"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path))
    return Store(tmp_path)


@pytest.fixture
def wide(store):
    """A run whose matrices keep 700 directions of C and the spectrum of C_hh too."""
    run = fill(store, epochs=(100,))
    a, k = analysis(gamma=1 + 0.1 * np.log10(101), seed=100), 700
    h = 10 ** np.linspace(0.3, -6, k)
    rng = np.random.default_rng(3)
    turned = np.eye(k) + 0.1 * rng.standard_normal((k, k)) / np.sqrt(k)
    root = h**0.6
    block = root[:, None] * (turned @ turned.T) * root
    spectrum = np.linalg.eigvalsh(block)[::-1].copy()
    curves = commutation.commutator_curves(h, block)
    kept = dataclasses.replace(
        a,
        eigenvalues=h,
        diagonals={name: np.diag(block).copy() for name in a.names},
        blocks={name: block[:300, :300].astype(np.float32) for name in a.names} | {"C": block.astype(np.float32)},
        wholes={name: MatrixSummary(spectrum, curves.top, curves.bulk) for name in ("C", "C_awd", "C_hh")},
        provenance=dataclasses.replace(a.provenance, d_out=20, d_in=35),
    )
    request = AnalysisRequest(run=run, epoch=100)
    arrays, meta = kept.to_arrays()
    record = {"request": to_json(request), "created": 200.0, "result": meta}
    store.write(("runs", run, "analyses", key(request)), record, {"main": arrays})
    return run


def widget(at, kind, label):
    return next(w for w in getattr(at, kind) if w.label.startswith(label))


def press(at, kind, label, value):
    widget(at, kind, label).set_value(value).run()
    fine(at)


def shows(at, words):
    return [c.value for c in (*at.caption, *at.markdown) if words in c.value]


# -- commutativity ----------------------------------------------------------------------------------------


def test_the_sizes_are_tested_against_99_draws_of_the_law(store, run):
    at = opened(COMMUTATIVITY, k="40")
    a = result(store, run, 100)
    sizes = [
        commutation.off_diagonal(commutation.random_correlation(a.whole("C").spectrum, 100, s)).rms[39]
        for s in range(99)
    ]
    real = commutation.off_diagonal(a.correlation("C", 40)).rms[-1]
    assert real < min(sizes)
    assert shows(at, "**None of 99 random rotations was as close to diagonal: p ≤ 0.01.**")
    assert shows(at, f"Root mean square {real:.3f}, by chance {np.median(sizes):.3f} ({min(sizes):.3f}")
    bars, band, middle = chart(at, "off_diagonal")["data"]
    assert (bars["meta"], band["meta"], middle["meta"]) == ("measured", "band", "by chance")
    assert "99 draws" in band["name"]


def test_moving_k_looks_at_more_of_the_same_draws(run):
    at = opened(COMMUTATIVITY, k="40")
    small = heat(at, "R_rand")
    view_of_100 = random_draws.chance(results.view_of(results.runs()[0]), "C", 40)
    press(at, "slider", "Leading directions", 80)
    np.testing.assert_array_equal(heat(at, "R_rand")[:40, :40], small)
    assert random_draws.chance(results.view_of(results.runs()[0]), "C", 80) is view_of_100
    assert view_of_100.complete


def test_a_verdict_tells_its_p_value():
    draws = np.linspace(0.1, 1, 99)
    assert chance.verdict(0.05, draws) == "None of 99 random rotations was as close to diagonal: p ≤ 0.01."
    assert chance.verdict(0.1, draws) == "1 of 99 random rotations were at least as close to diagonal: p = 0.02."
    assert "p = 1" in chance.verdict(2.0, draws)


def test_playing_replaces_the_pictures_by_frames_of_every_epoch(store, run):
    at = opened(COMMUTATIVITY, k="30", epoch="10")
    press(at, "toggle", "Play through the epochs", True)
    assert "play" in charts(at)
    assert not {"K", "R_real", "R_rand"} & set(charts(at))
    figure = chart(at, "play")
    assert [f["name"] for f in figure["frames"]] == ["0", "10", "100"]
    for frame in figure["frames"]:
        a = result(store, run, int(frame["name"]))
        np.testing.assert_allclose(decode(frame["data"][0]["z"]), a.projected("C", 30), rtol=1e-6)
        np.testing.assert_array_equal(decode(frame["data"][1]["z"]), np.rint(100 * a.correlation("C", 30)))
        title = frame["layout"]["title"]["text"]
        assert f"γ = {a.fit('C').gamma:.2f}" in title
        assert f"commutator error {a.commutator('C'):.2f}" in title
    assert figure["layout"]["title"]["text"].startswith("<b>Epoch 10</b>")
    press(at, "slider", "Leading directions", 200)
    assert decode(chart(at, "play")["frames"][0]["data"][0]["z"]).shape == (100, 100)
    press(at, "toggle", "Play through the epochs", False)
    assert heat(at, "K").shape == (200, 200)


def test_beyond_300_directions_on_demand_in_percent_then_as_means_then_cell_by_cell(store, wide):
    at = opened(COMMUTATIVITY)
    assert widget(at, "slider", "Leading directions").max == 300
    press(at, "toggle", "Up to 700 directions", True)
    a = result(store, wide, 100)
    press(at, "slider", "Leading directions", 500)
    np.testing.assert_array_equal(heat(at, "R_real"), np.rint(100 * a.correlation("C", 500)))
    np.testing.assert_allclose(heat(at, "K"), a.projected("C", 500), rtol=1e-6)
    assert not shows(at, "shown as means")
    press(at, "slider", "Leading directions", 700)
    assert heat(at, "K").shape == (350, 350)
    assert heat(at, "K")[3, 7] == pytest.approx(a.projected("C", 700)[6:8, 14:16].mean(), rel=1e-6)
    assert shows(at, "700 × 700 entries are shown as means over 2 × 2 of them")
    press(at, "toggle", "Cell by cell", True)
    press(at, "slider", "First direction", 101)
    np.testing.assert_allclose(heat(at, "R_real"), a.correlation("C", 700)[100:400, 100:400], atol=1e-6)
    assert not shows(at, "shown as means")
    assert shows(at, "over the leading 300 directions")
    press(at, "toggle", "Up to 700 directions", False)
    assert heat(at, "K").shape == (300, 300)
    assert url(at)["k"] == "300"


def test_a_link_to_many_directions_opens_them_and_a_matrix_with_fewer_shows_fewer(wide):
    at = opened(COMMUTATIVITY, k="600")
    assert heat(at, "K").shape == (600, 600)
    at.selectbox[0].set_value("C_hh").run()
    fine(at)
    assert heat(at, "K").shape == (300, 300)
    assert heat(at, "R_rand").shape == (300, 300)
    assert chart(at, "commutator")


def test_a_matrix_without_a_spectrum_still_shows_what_there_is(run):
    at = opened(COMMUTATIVITY, matrix="C_gg")
    assert [t["meta"] for t in chart(at, "off_diagonal")["data"]] == ["measured"]
    assert len([i for i in at.info if "no random twin" in i.value]) == 1
    assert shows(at, "there is no random twin to compare it with")
    assert shows(at, "kept with its spectrum")
    assert "commutator" not in charts(at)
    assert "alignment" in charts(at)


# -- power law --------------------------------------------------------------------------------------------


def test_other_runs_join_in_their_own_markers_and_rows(store, run):
    other = fill(store, epochs=(0, 100), seed=1)
    at = opened(POWER_LAW, run=run, epoch="10")
    assert not shows(at, "| run |")
    press(at, "multiselect", "Other runs", [other])
    assert url(at)["runs"] == other
    points = [
        t for t in chart(at, "power")["data"] if t.get("mode") == "markers" and t["name"] not in ("not fitted", "")
    ]
    assert [(t["meta"], t["marker"]["symbol"]) for t in points] == [
        ("C", "circle"),
        ("C_awd", "diamond"),
        ("C", "circle-open"),
        ("C_awd", "diamond-open"),
    ]
    # The other run has no epoch 10: the nearest is shown.
    second = next(a for a in library.analyses(store, other) if a.request.epoch == 0)
    loaded = library.load_analysis(store, other, second.key)
    index = decode(points[2]["customdata"])[:, 0].astype(int) - 1
    np.testing.assert_allclose(decode(points[2]["y"]), loaded.diagonal("C")[index])
    (table,) = shows(at, "| run |")
    assert table.count("seed 1") == 2
    assert f"**{loaded.fit('C', 400).gamma:.3f}**" in table
    assert len([t for t in chart(at, "gamma_by_window")["data"] if t["meta"] == "C"]) == 2
    again = opened(POWER_LAW, **url(at))
    assert shows(again, "| run |") == [table]
    press(at, "multiselect", "Other runs", [])
    assert not shows(at, "| run |")


def test_another_run_without_results_is_said(store, run):
    other = fill(store, epochs=(), seed=1)
    at = opened(POWER_LAW, run=run, runs=other)
    assert shows(at, "is analysed yet")
    assert chart(at, "power")


def test_theil_sen_joins_the_table_on_demand(store, run):
    at = opened(POWER_LAW, window="3,90")
    assert not shows(at, "Theil–Sen |")
    press(at, "toggle", "Second opinion", True)
    slope, low, high = result(store, run, 100).theil_sen("C", 90, 2)
    a = result(store, run, 100)
    x, y = np.log10(a.eigenvalues[2:90]), np.log10(a.diagonal("C")[2:90])
    i, j = np.triu_indices(88, 1)
    assert slope == pytest.approx(np.median((y[j] - y[i]) / (x[j] - x[i])))
    assert shows(at, f"{slope:.3f} ({low:.3f} … {high:.3f})")


def test_residuals_belong_to_the_window(run, store):
    at = opened(POWER_LAW, window="11,120", matrices="C")
    points = next(t for t in chart(at, "residuals")["data"] if t["meta"] == "C")
    index = decode(points["customdata"]).astype(int) - 1
    assert (index.min(), index.max()) == (10, 119)
    a = result(store, run, 100)
    fit = a.fit("C", 120, 10)
    expected = np.log10(a.diagonal("C") / fit.line(a.eigenvalues))[index]
    np.testing.assert_allclose(decode(points["y"]), expected, atol=1e-12)


# -- boxes and clicks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("centred", [False, True])
def test_a_box_becomes_the_window_of_the_directions_in_it(run, monkeypatch, centred):
    chosen = {}
    monkeypatch.setattr(selection, "choose", lambda **changes: chosen.update(changes))
    view = results.view_of(results.runs()[0])
    drawn = power_law_panels.clouds({"": view}, ("C",), 0, 200)
    law = power_law_panels.law({"": view}, drawn, centred, boxes=True)
    h = view.analysis.eigenvalues
    # In the axis's own numbers: where directions 31 and 90 are drawn.
    points = next(t for t in law.figure.data if t.meta == "C" and t.name == "C")
    place = dict(zip(points.customdata[:, 0].astype(int), points.x, strict=True))
    law.on_box(place[90] * 0.9999, place[31] * 1.0001)
    assert chosen == {"window": (31, 90)}
    chosen.clear()
    law.on_box(place[1] * 2, place[1] * 3)
    assert chosen == {}, "an empty box changes nothing"
    assert law.on_click is marker.at
    assert set(law.arrays()) == {"H", "C"}
    np.testing.assert_array_equal(law.arrays()["H"], h)


def marked(at, chart_key):
    return [t for t in chart(at, chart_key)["data"] if t.get("meta") == "marked"]


def test_one_direction_is_marked_in_every_figure_of_both_pages_until_it_is_cleared(store, run):
    a = result(store, run, 100)
    at = opened(POWER_LAW, direction="17")
    for name in ("power", "residuals", "effective"):
        (ring,) = marked(at, name)
        assert decode(ring["x"])[0] == a.eigenvalues[16]
    np.testing.assert_allclose(decode(marked(at, "power")[0]["y"]), [a.diagonal(n)[16] for n in ("C", "C_awd")])
    assert [s["x0"] for s in chart(at, "gamma_by_window")["layout"]["shapes"] if s["line"].get("color") == "#e6178f"]
    (line,) = shows(at, "**Direction 17**")
    assert "the 17th sharpest and 17th noisiest of 400 directions" in line
    at.switch_page(COMMUTATIVITY).run()
    fine(at)
    for name in ("K", "R_real", "R_rand"):
        assert sorted(s["x0"] for s in chart(at, name)["layout"]["shapes"]) == [-0.5, 15.5]
    assert shows(at, "**Direction 17**")
    next(b for b in at.button if b.label == "Clear").click().run()
    fine(at)
    assert "shapes" not in chart(at, "K")["layout"] or not chart(at, "K")["layout"]["shapes"]
    assert "direction" not in url(at)
    assert shows(at, "Click a point or a cell")


def test_a_direction_beyond_the_pictures_is_said(run):
    assert shows(opened(COMMUTATIVITY, direction="51", k="50"), "It is beyond the 50 shown.")
    assert not shows(opened(COMMUTATIVITY, direction="50", k="50"), "It is beyond")


def test_a_direction_this_analysis_does_not_have_is_not_marked(run):
    at = opened(POWER_LAW, direction="5000")
    assert not marked(at, "power")
    assert shows(at, "Click a point or a cell")


def test_runs_are_called_by_what_tells_them_apart():
    assert power_law_panels.apart(["digits, 4-5, CE", "digits, 4-5, MSE"]) == ["CE", "MSE"]
    assert power_law_panels.apart(["digits, CE, seed 0", "digits, CE, seed 1"]) == ["seed 0", "seed 1"]
    assert power_law_panels.apart(["digits, CE", "digits, CE, seed 1"]) == ["digits, CE", "digits, CE, seed 1"]
    assert power_law_panels.apart(["mine", "digits, CE"]) == ["mine", "digits, CE"]
    assert power_law_panels.apart(["alone"]) == ["alone"]


def test_ordinals():
    assert [marker.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 101, 112, 1023)] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "101st", "112th", "1,023rd"]
    )


# -- what one takes away ----------------------------------------------------------------------------------


def test_the_code_of_every_figure_gives_the_numbers_of_its_download(tmp_path, monkeypatch, capsys):
    """All but the analysis itself, which tests/pages/plot/test_reproduce.py runs: here it is the planted one."""
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path))
    store = Store(tmp_path)
    add_spectra(store, fill(store), 100)
    view = results.view_of(results.runs()[0])
    kept = results.spectra(view)
    there = {"": view}
    drawn = power_law_panels.clouds(there, ("C", "C_awd"), 2, 200)
    rank = kept.kappa.shape[1]
    outcome = suppression.outcome(view, Edit(keep=2, tail=0.1, homogenise=True), rank, 0, 400)
    real = commutation.off_diagonal(view.analysis.correlation("C", 40))
    draws = random_draws.chance(view, "C", 40)
    while not draws.complete:
        draws.draw()
    panels = (
        *commutativity_panels.heatmaps_of(view, "C", 40, 3),
        commutativity_panels.play(view, "C", 40, 3),
        chance.off_diagonal_of(view, "C", 40, real, draws.drawn),
        commutativity_panels.commutator(view, "C", 40),
        commutativity_panels.alignment(view),
        power_law_panels.law(there, drawn),
        power_law_panels.residuals(there, drawn),
        power_law_panels.gamma_by_window(there, drawn, 2, 200),
        power_law_panels.effective_curvature(view),
        cards.gamma_over_epochs(view, ("C",), 2, 200),
        cards.training(view),
        *(panel(view, outcome, kept) for panel in (suppression_panels.new_on_old, suppression_panels.both)),
        *(panel(view, outcome, kept) for panel in (suppression_panels.single_samples, suppression_panels.cumulative)),
    )
    assert len({panel.head.key for panel in panels}) == len(panels)

    whole = dataclasses.replace(view.analysis, spectra=kept)
    monkeypatch.setattr("engine.analyze", lambda *_, **__: whole)
    monkeypatch.setattr("engine.runs.pipeline.Pipeline.restore", lambda *_, **__: (None, None, None))
    compared = 0
    for panel in panels:
        key_, arrays, text, names = panel.head.key, panel.arrays(), panel.code(), {}
        exec(text, names)
        for name, expected in arrays.items():
            if name in names and expected.dtype.kind != "U":
                # A course along training leaves its last epoch; below the noise floor there is no residual.
                got, expected = np.atleast_1d(names[name]), expected[-1] if key_ == "play" else expected
                defined = np.isfinite(expected)
                np.testing.assert_allclose(
                    got[defined], expected[defined], rtol=1e-5, atol=1e-6, err_msg=f"{key_} {name}"
                )
                compared += 1
        assert "print" in text or set(names) & set(arrays), key_
    assert compared > 30
    assert f"100 C {view.analysis.fit('C', 200, 2).gamma}" in capsys.readouterr().out


def test_a_picture_holds_more_than_it_shows_for_a_slider_that_moves(store, run):
    at = opened(COMMUTATIVITY, k="40")
    at_end = result(store, run, 100)
    for name in ("K", "R_real", "R_rand"):
        picture = sent(at, name)
        assert picture["follows"] == {"slider": "commutativity-k", "k": 40, "cells": 100}
        assert picture["figure"]["layout"]["xaxis"]["range"] == [-0.5, 39.5]
        assert decode(picture["figure"]["data"][0]["z"]).shape == (100, 100)
    # Colours are those of what is shown, not of what is held.
    limit = chart(at, "K")["data"][0]["zmax"]
    assert limit == pytest.approx(np.abs(at_end.projected("C", 40)).max())
    np.testing.assert_allclose(heat(at, "R_real"), at_end.correlation("C", 40), atol=1e-6)
    assert sent(opened(COMMUTATIVITY, k="150"), "K")["follows"] is None
