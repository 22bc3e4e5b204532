"""The page that compares layers: its figures against the analyses, the work it starts, and what it says."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from engine.config.command_line import parse
from engine.config.commands import AnalyzeCommand
from engine.config.requests import AnalysisRequest, ModelRequest, RunRequest, key, to_json
from engine.runs import depth, estimate, library
from pages.data import depth as kept
from pages.plot import reproduce
from pages.rooms.layers import choice, figures, page, text
from pages.rooms.layers.figures import Depth, Line
from tests.pages.conftest import button, chart, charts, decode, fine, opened, texts, url
from tests.pages.test_joint_layers import add_joint
from tests.planted import CALIBRATION, add_analysis, analysis, fill

PAGE = "pages/layers.py"
ALONG = ["network", "depth", "depth_commutator", "depth_alignment", "depth_traces", "depth_distance"]
OTHERS = {"fc1": 1.05, "fc3": 1.35}


def plant(store, run, epoch, layer, gamma, **origin):
    """One more analysis with this exponent of C."""
    request = AnalysisRequest(run, epoch, layer)
    planted = analysis(gamma=gamma, seed=epoch)
    planted = dataclasses.replace(planted, provenance=dataclasses.replace(planted.provenance, layer=layer, **origin))
    arrays, meta = planted.to_arrays()
    record = {"request": to_json(request), "created": float(epoch), "result": meta}
    store.write(("runs", run, "analyses", key(request)), record, {"main": arrays})


@pytest.fixture
def three(store, run):
    """A planted run of which all three layers are analysed at the last of its three epochs, fc2 at the others too."""
    for layer, gamma in OTHERS.items():
        plant(store, run, 100, layer, gamma)
    return run


def results_of(store, run, epoch=100):
    """Every analysis of an epoch by its layer."""
    made = {a.request.layer: a.key for a in library.analyses(store, run) if a.request.epoch == epoch}
    return {layer: library.load_analysis(store, run, name) for layer, name in sorted(made.items())}


def trace(at, figure, meta):
    (one,) = (t for t in chart(at, figure)["data"] if t.get("meta") == meta)
    return one


# -- numbers ----------------------------------------------------------------------------------------------


def test_the_numbers_on_the_page_are_those_of_the_analyses(store, three):
    at = opened(PAGE)
    assert charts(at) == [*ALONG, "depth_training"]
    by_layer = results_of(store, three)
    assert list(by_layer) == ["fc1", "fc2", "fc3"]
    for figure, name, number in (
        ("depth", "C", lambda a: a.fit("C", 400).gamma),
        ("depth", "E_h2", lambda a: a.fit("E_h2", 400).gamma),
        ("depth_commutator", "C", lambda a: a.commutator("C")),
        ("depth_commutator", "by chance", lambda a: a.random_commutator("C")),
        ("depth_alignment", "C", lambda a: a.alignment("C")),
        ("depth_alignment", "by chance", lambda a: a.random_alignment("C")),
        ("depth_traces", "C", lambda a: a.traces["C"] / a.traces["H"]),
        ("depth_distance", "C", lambda a: a.distance("C", "E_h2").scaled),
    ):
        drawn = decode(trace(at, figure, name)["y"])
        np.testing.assert_allclose(drawn, [number(a) for a in by_layer.values()], rtol=1e-9, err_msg=figure)
    assert "γ of $C$ lies between **1.05** (fc1) and **1.35** (fc3)" in texts(at)


def test_intervals_are_those_of_the_jackknife_and_tell_layers_apart(store, tmp_path, monkeypatch):
    from engine.results.jackknife import Jackknife, stretches

    run = fill(store, epochs=())
    store.write(("runs", run, "checkpoints", "00100"), {"epoch": 100})
    rng = np.random.default_rng(0)
    for layer, gamma in OTHERS.items():
        request, planted = AnalysisRequest(run, 100, layer), analysis(gamma=gamma)
        edges = stretches(planted.k)
        middle = (edges[:-1] + edges[1:] - 1) // 2
        shaken = {
            name: planted.diagonal(name)[middle] * np.exp(1e-3 * rng.standard_normal((20, middle.size)))
            for name in ("H", "C", "E_h2")
        }
        arrays, meta = dataclasses.replace(planted, jackknife=Jackknife(edges, shaken)).to_arrays()
        record = {"request": to_json(request), "created": 1.0, "result": meta}
        store.write(("runs", run, "analyses", key(request)), record, {"main": arrays})
    at = opened(PAGE)
    drawn, (first, last) = trace(at, "depth", "C"), results_of(store, run).values()
    low, high = last.fit("C", 400).interval
    values = decode(drawn["y"])
    assert values[2] - decode(drawn["error_y"]["arrayminus"])[2] == pytest.approx(low)
    assert values[2] + decode(drawn["error_y"]["array"])[2] == pytest.approx(high)
    most = first.fit("C", 400).interval[1]
    assert f"fc3 is at least {low:.3f}, fc1 at most {most:.3f}, so the exponent depends on the layer." in texts(at)


def columns(gamma, low, high):
    nothing = [np.full(len(gamma), np.nan)] * (len(dataclasses.fields(kept.Columns)) - 3)
    return kept.Columns(*(np.array(z, float) for z in (gamma, low, high)), *nothing)


def test_the_answer_follows_the_numbers():
    nan = np.nan
    assert text.answer(3, ["a"], columns([nan], [nan], [nan])) == "No layer has an exponent at epoch 3 yet."
    alone = text.answer(3, ["a", "b"], columns([nan, -1.2], [nan, 1], [nan, 2]))
    assert alone.startswith("At epoch 3 γ of $C$ is **−1.20** in b, and no other layer")
    overlapping = text.answer(3, ["a", "b"], columns([1.1, 1.2], [1.0, 1.1], [1.2, 1.3]))
    assert "between **1.10** (a) and **1.20** (b). All 95 % intervals overlap" in overlapping
    apart = text.answer(3, ["a", "b", "c"], columns([1.1, 1.4, 1.2], [1.0, 1.3, 1.0], [1.2, 1.5, 1.4]))
    assert "do not all overlap: b is at least 1.300, a at most 1.200" in apart
    assert "Each interval speaks for its own layer: none is widened for there being 3." in apart
    bare = text.answer(3, ["a", "b"], columns([1.1, 1.4], [nan, nan], [nan, nan]))
    assert "No intervals over samples are kept" in bare


def test_the_code_of_a_figure_gives_its_numbers(store, three, tmp_path):
    at = opened(PAGE)
    script = reproduce.layers(three, 100, 'print(made.request.layer, result.fit("C", min(400, result.k), 0).gamma)')
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120).stdout
    read = dict(line.split() for line in out.splitlines())
    assert [float(read[layer]) for layer in ("fc1", "fc2", "fc3")] == list(decode(trace(at, "depth", "C")["y"]))
    listed = subprocess.run(
        [sys.executable, "-c", reproduce.network(three)], capture_output=True, text=True, check=True
    )
    assert listed.stdout.splitlines()[1] == "fc2 50 50 1"


# -- what is analysed, and what is not --------------------------------------------------------------------


def test_a_layer_that_is_not_analysed_stands_hollow(store, run):
    at = opened(PAGE)
    hollow = trace(at, "depth", "missing")
    assert (hollow["name"], list(hollow["x"])) == ("not analysed", [0, 2])
    assert hollow["marker"]["symbol"] == "circle-open"
    assert np.isnan(decode(trace(at, "depth", "C")["y"])[[0, 2]]).all()
    (blocks,) = (t for t in chart(at, "network")["data"] if t["meta"] == "missing")
    assert list(blocks["x"]) == [0, 2]
    assert "1 of 3 layers are analysed at epoch 100." in texts(at)
    assert "no other layer has one to compare it with" in texts(at)


def test_at_a_checkpoint_without_any_analysis_every_mark_is_hollow(store):
    run = fill(store, epochs=(0,))
    store.write(("runs", run, "checkpoints", "00050"), {"epoch": 50})
    at = opened(PAGE, epoch="50")
    assert list(trace(at, "depth", "missing")["x"]) == [0, 1, 2]
    assert "No layer has an exponent at epoch 50 yet." in texts(at)
    bare = fill(store, epochs=(), seed=1)
    store.write(("runs", bare, "checkpoints", "00010"), {"epoch": 10})
    at = opened(PAGE, run=bare)
    assert "0 of 3 layers are analysed at epoch 10." in texts(at)
    assert button(at, "Analyse 3 layers at epoch 10")
    assert charts(at) == ["network", "depth"], "no empty axes"


def test_without_a_run_the_page_says_what_to_press(store):
    at = opened(PAGE)
    assert "Open the start page" in at.info[0].value
    assert not charts(at)


def test_layers_studied_jointly_are_left_out(store, three):
    add_joint(store, three, 100)
    at = opened(PAGE)
    assert len(decode(trace(at, "depth", "C")["y"])) == 3
    assert "fc1+fc2" not in {layer for _, layer in kept.analysed(library.find(store, three))}
    assert url(opened(PAGE, layer="fc1+fc2"))["layer"] == "fc1+fc2", "the address stays"


def test_gauss_newton_is_said_by_the_mark_and_the_caption(store, run):
    plant(store, run, 100, "fc1", 1.1, exact=False, places=64)
    at = opened(PAGE)
    assert trace(at, "depth", "C")["marker"]["symbol"] == ["circle-open-dot", "circle", "circle"]
    assert chart(at, "depth")["layout"]["xaxis"]["ticktext"] == ["fc1<br>(GN)", "fc2", "fc3"]
    assert trace(at, "depth", "gauss-newton")["name"] == "Gauss–Newton"
    sentence = "**(GN)** in fc1: the Gauss–Newton matrix, which is not the Hessian"
    notes = [c.value for c in at.caption if sentence in c.value]
    assert len(notes) == 1, "once a page; the figures have the mark"
    assert any("Gauss–Newton" in note["text"] for note in chart(at, "network")["layout"]["annotations"])
    assert not [c for c in opened(PAGE, layers="fc2,fc3").caption if "Gauss" in c.value]


@pytest.mark.parametrize("count", [1, 12, 20])
def test_any_number_of_layers_is_drawn(store, count):
    run = fill(store, epochs=())
    store.write(("runs", run, "checkpoints", "00010"), {"epoch": 10})
    request = RunRequest(model=ModelRequest(widths=(20,) * count + (10,)))
    store.write(("runs", run), dict(store.read("runs", run).meta) | {"request": to_json(request)})
    names = [f"fc{i}" for i in range(1, count + 1)]
    for name in names[::2]:
        add_analysis(store, run, 10, name)
    at = opened(PAGE)
    assert charts(at)[:6] == ALONG
    layout = chart(at, "network")["layout"]
    assert len(layout["annotations"]) == count
    assert layout["xaxis"]["range"][1] <= figures.ROW
    assert chart(at, "depth")["layout"]["xaxis"]["ticktext"] == names, "in the order of use"


# -- along training ---------------------------------------------------------------------------------------


def test_each_layer_has_a_line_along_training(store, three):
    plant(store, three, 0, "fc1", 1.0)
    at = opened(PAGE)
    lines = {t["name"]: decode(t["y"]) for t in chart(at, "depth_training")["data"]}
    assert list(lines) == ["fc1", "fc2", "fc3"]
    expected = [results_of(store, three, epoch).get("fc1") for epoch in (0, 10, 100)]
    np.testing.assert_allclose(lines["fc1"], [np.nan if a is None else a.fit("C", 400).gamma for a in expected])
    at = opened(PAGE, quantity="distance", layers="fc2")
    (line,) = chart(at, "depth_training")["data"]
    expected = [results_of(store, three, e)["fc2"].distance("C", "E_h2").scaled for e in (0, 10, 100)]
    np.testing.assert_allclose(decode(line["y"]), expected)
    assert url(at)["quantity"] == "distance"
    assert charts(opened(PAGE, layers="fc3")) == ALONG, "one epoch makes no curve"


# -- what is chosen ---------------------------------------------------------------------------------------


def test_layers_epoch_and_window_are_chosen(store, three):
    at = opened(PAGE)
    (pills,) = (p for p in at.button_group if p.label == "Layers")
    pills.set_value(["fc1", "fc3"]).run()
    fine(at)
    assert url(at)["layers"] == "fc1,fc3"
    assert list(chart(at, "depth")["layout"]["xaxis"]["ticktext"]) == ["fc1", "fc3"]
    assert len(chart(at, "network")["layout"]["annotations"]) == 3, "the network stays whole"
    at.slider(key="layers.window").set_value((1, 100)).run()
    fine(at)
    expected = [results_of(store, three)[layer].fit("C", 100).gamma for layer in ("fc1", "fc3")]
    np.testing.assert_allclose(decode(trace(at, "depth", "C")["y"]), expected)
    (pills,) = (p for p in at.button_group if p.label == "Layers")
    pills.set_value([]).run()
    fine(at)
    assert charts(at) == ["network"]
    assert "Press at least one layer" in texts(at)


def test_a_press_on_a_point_opens_the_power_law_of_its_layer(store, three, monkeypatch):
    at = opened(PAGE, layers="fc2,fc3")
    assert [label[0] for label in trace(at, "depth", "C")["customdata"]] == [1, 2]
    session = {}
    monkeypatch.setattr(page.st, "session_state", session)
    monkeypatch.setattr(page.selection, "choose", lambda **chosen: session.update(chosen))
    kept_run = library.find(store, three)
    for epoch, place in ((100, 3), (10, 2)):
        page._pressed(kept_run, epoch, ["fc2", "fc3"])(place)
        assert session == {}, "there is no such place, or no analysis there"
    page._pressed(kept_run, 100, ["fc2", "fc3"])(2)
    assert session == {"run": three, "epoch": 100, "layer": "fc3", page._OPEN: True}


def test_what_was_pressed_is_gone_to(store, three):
    at = opened(PAGE, layer="fc3")
    at.session_state[page._OPEN] = True
    at.run()
    fine(at)
    assert "power" in charts(at)
    assert url(at)["layer"] == "fc3"


# -- the work ---------------------------------------------------------------------------------------------


def test_nothing_is_started_unasked(store, run, started):
    opened(PAGE)
    assert started == []


def test_the_button_analyses_what_is_missing(store, run, started):
    estimate.keep_calibration(store, CALIBRATION)
    at = opened(PAGE)
    assert "Not analysed yet: fc1, fc3. About " in texts(at)
    button(at, "Analyse 2 layers at epoch 100").click().run()
    fine(at)
    ((argv, queued),) = started
    assert queued
    command = parse(argv)
    assert isinstance(command, AnalyzeCommand)
    assert (command.run, command.epochs, command.layer) == (run, ("100",), "fc1,fc3")
    assert "Analyse 2 layers at epoch 100" not in [b.label for b in at.button], "it is at work now"


def test_one_layer_is_analysed_at_every_checkpoint(store, run, started):
    at = opened(PAGE, layers="fc1")
    at.segmented_control(key="layers.which").set_value("all").run()
    button(at, "Analyse 1 layer at 3 checkpoints").click().run()
    command = parse(started[-1][0])
    assert command.epochs == ("100", "10", "0")
    kept_run = library.find(store, run)
    (request,) = (command.request(usual) for usual in depth.requests(kept_run, 10, command.layer))
    assert request == depth.usual_analysis(kept_run, 10, "fc1"), "alone a wide layer has its leading directions too"
    assert request.top_k == library.LEADING


def test_what_is_all_there_is_not_offered(store, run, started):
    at = opened(PAGE, layers="fc2")
    assert "The layers chosen are analysed at every checkpoint." in texts(at)
    assert not [b for b in at.button if b.label.startswith("Analyse")]


def test_seconds_left_are_those_of_what_is_missing(store, run):
    kept_run = library.find(store, run)
    assert choice._seconds(kept_run, [(100, "fc1")]) is None
    estimate.keep_calibration(store, CALIBRATION)
    one, other = choice._seconds(kept_run, [(100, "fc1")]), choice._seconds(kept_run, [(0, "fc3")])
    assert choice._seconds(kept_run, [(100, "fc1"), (0, "fc3")]) == pytest.approx(one + other)


# -- figures ----------------------------------------------------------------------------------------------


def test_numbers_outside_the_usual_are_inside_the_axes():
    studied = [depth.StudiedLayer(f"fc{i}", "linear", 5, 4, 1, depth.EXACT) for i in range(3)]
    along = Depth(studied, [True, True, False], [depth.EXACT] * 3)
    line = Line("C", np.array([-0.4, 2.0, np.nan]), chance=np.array([0.1, 3.0, np.nan]))
    up = figures.along_depth(along, [line], "number", "number of {}", 300).layout.yaxis
    low, high = up.range
    assert up.exponentformat == "power", "1.5×10⁻⁴, not 150μ"
    assert low < -0.4 < 3.0 < high
    hollow = figures.along_depth(along, [line], "number", "number of {}", 300).data[-1]
    assert low < hollow.y[0] < -0.4, "no number is read off a hollow mark"
    nothing = Line("C", np.full(3, np.nan))
    low, high = figures.along_depth(along, [nothing], "number", "number of {}", 300).layout.yaxis.range
    assert low < high


def test_names_at_the_ends_of_lines_do_not_touch():
    values = {"a": 1.0, "b": 1.01, "c": 1.99, "d": 2.0, "e": 5.0}
    places = figures._spread(values, 0.9, 2.1, 0.05)
    assert sorted(places, key=places.get) == list(values)
    assert np.diff(sorted(places.values())).min() >= 0.05 * 1.2 - 1e-9
    assert max(places.values()) <= 2.1 + 1e-9
