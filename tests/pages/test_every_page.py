"""Every page over a small planted cache: no exception, and each control changes what is drawn."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from engine.config.commands import to_json
from engine.runs import library
from pages.jobs import demo
from tests.pages.charts.test_charts import decode
from tests.planted import add_analysis, fill

ROOT = Path(__file__).parents[2]
PAGES = ("pages/commutativity.py", "pages/power_law.py")
DEMO = ("train", "--analyze", "last,all", "--every-sample", "last,0,20")


def opened(page="app.py", **params):
    """A page after its first run, as a deep link with these parameters opens it."""
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    if page != "app.py":
        at.switch_page(page)
    for name, value in params.items():
        at.query_params[name] = value
    at.run()
    fine(at)
    return at


def fine(at):
    assert not at.exception, at.exception
    assert not at.error, [e.value for e in at.error]
    for words in (*at.markdown, *at.caption):
        assert "Traceback" not in words.value


def url(at):
    """The parameters of the page's address."""
    return {k: v[0] if isinstance(v, list) else v for k, v in at.query_params.items()}


def charts(at):
    """The keys of all figures on the page."""
    return [c.proto.id.rsplit("-", 1)[1] for c in at.get("bidi_component")]


def sent(at, key):
    """What the browser gets for the figure under a key."""
    components = [c for c in at.get("bidi_component") if c.proto.id.endswith(f"-{key}")]
    assert len(components) == 1, charts(at)
    return json.loads(components[0].proto.bytes)


def chart(at, key):
    """The figure under a key, as the browser gets it."""
    return sent(at, key)["figure"]


def button(at, label):
    """The button with this label."""
    return next(b for b in at.button if b.label == label)


def heat(at, key):
    """The cells of a heatmap that are inside its axes."""
    figure = chart(at, key)
    ends = figure["layout"]["xaxis"]["range"]
    count = round(max(ends) - min(ends))
    return decode(figure["data"][0]["z"])[:count, :count]


def result(store, run, epoch):
    (made,) = [a for a in library.analyses(store, run) if a.request.epoch == epoch]
    return library.load_analysis(store, run, made.key)


# -- every page -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_results_says_what_to_press(store, page):
    at = opened(page)
    assert "Open the start page" in at.info[0].value
    assert not charts(at)


@pytest.mark.parametrize("page", ["app.py", *PAGES])
def test_a_page_shows_the_last_epoch_with_its_provenance(run, page):
    at = opened(page)
    assert charts(at)
    assert any(f"Run\u00a0{run[:8]}" in c.value and "epoch\u00a0100" in c.value for c in at.caption)


@pytest.mark.parametrize("page", ["app.py", *PAGES])
def test_a_deep_link_opens_what_it_names(run, page):
    at = opened(page, run=run, epoch="10", k="30", matrix="C_awd")
    assert any("epoch\u00a010" in c.value for c in at.caption)
    assert url(at)["epoch"] == "10"


@pytest.mark.parametrize(
    "params",
    [{"run": "../../etc"}, {"run": "0" * 16}, {"epoch": "-3"}, {"epoch": "7"}, {"k": "1e9"}, {"matrix": "<b>"}],
)
def test_a_link_to_what_is_not_there_opens_what_is(run, params):
    at = opened("pages/commutativity.py", **params)
    assert charts(at)


def test_what_a_link_names_and_is_not_here_is_said_kindly(run):
    at = opened("pages/commutativity.py", run="0" * 16, runs="1" * 16, layer="fc9")
    sentences = [i.value for i in at.info]
    assert any("run 00000000 and 11111111, which this machine does not have" in t for t in sentences)
    assert any("Layer fc9 is not analysed in this run; fc2 is shown." in t for t in sentences)
    assert charts(at)
    assert not [i for i in opened("pages/commutativity.py", run=run).info if "link" in i.value]


def test_the_nearest_epoch_is_shown_and_said_for_one_that_is_missing(run):
    at = opened(epoch="7")
    assert at.select_slider[0].value == 10
    assert any("Epoch 7 is not analysed here" in c.value for c in at.caption)


def test_an_error_becomes_a_sentence(run, monkeypatch):
    def broken(*_):
        raise ValueError("The knob is stuck. Turn another one.")

    monkeypatch.setattr("pages.data.results.view", broken)
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not at.exception
    assert at.warning[0].value == "The knob is stuck. Turn another one."


def test_a_fault_of_the_program_shows_no_internals(run, monkeypatch):
    def broken(*_):
        raise KeyError("secret_name")

    monkeypatch.setattr("pages.data.results.view", broken)
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not at.exception
    assert "our fault" in at.error[0].value
    assert "secret_name" not in at.error[0].value


# -- start ------------------------------------------------------------------------------------------------


def test_the_start_page_draws_the_arrays_of_the_last_epoch(store, run):
    at = opened()
    analysis = result(store, run, 100)
    np.testing.assert_allclose(heat(at, "K"), analysis.projected("C", 100), rtol=1e-6)
    np.testing.assert_allclose(heat(at, "R_real"), analysis.correlation("C", 100), atol=1e-6)
    np.testing.assert_allclose(heat(at, "R_rand"), analysis.random_correlation("C", 100, seed=0), atol=1e-6)
    values = {m.label: m.value for m in at.metric}
    assert values["Noise exponent γ"] == f"{analysis.fit('C').gamma:.2f}" == "1.20"
    assert values["Predicted exponent γ"] == f"{analysis.fit('C_awd').gamma:.2f}"
    assert values["Commutator error"] == f"{analysis.commutator('C'):.2f}"
    assert values["Alignment"] == f"{analysis.alignment('C'):.2f}"


def test_the_epoch_slider_moves_every_number_and_picture(store, run):
    at = opened()
    before = heat(at, "R_real")
    at.select_slider[0].set_value(0).run()
    fine(at)
    analysis = result(store, run, 0)
    np.testing.assert_allclose(heat(at, "R_real"), analysis.correlation("C", 100), atol=1e-6)
    assert np.abs(heat(at, "R_real") - before).max() > 0.01
    assert {m.label: m.value for m in at.metric}["Noise exponent γ"] == "1.00"
    assert url(at)["epoch"] == "0"


def test_the_top_k_slider_sets_the_size_of_all_three_heatmaps(run):
    at = opened()
    at.slider[0].set_value(37).run()
    fine(at)
    assert {heat(at, key).shape for key in ("K", "R_real", "R_rand")} == {(37, 37)}
    assert url(at)["k"] == "37"


def test_a_checkpoint_that_arrives_joins_the_slider_and_the_view_stays(store, run):
    at = opened()
    at.select_slider[0].set_value(10).run()
    add_analysis(store, run, 50)
    at.run()
    fine(at)
    assert [int(o) for o in at.select_slider[0].options] == [0, 10, 50, 100]
    assert at.select_slider[0].value == 10


def test_with_one_epoch_the_slider_waits(store):
    fill(store, epochs=(100,))
    at = opened()
    assert at.slider[0].disabled
    assert charts(at)


def test_a_second_run_can_be_chosen(store, run):
    other = fill(store, epochs=(0, 100), seed=1)
    at = opened()
    assert at.sidebar.selectbox[0].value == other
    at.sidebar.selectbox[0].set_value(run).run()
    fine(at)
    assert url(at)["run"] == run
    assert any(f"Run\u00a0{run[:8]}" in c.value for c in at.caption)
    assert len(at.select_slider[0].options) == 3


# -- the demo ---------------------------------------------------------------------------------------------


def test_an_empty_cache_starts_the_demo_once_as_the_command_a_person_can_type(tmp_path, monkeypatch):
    from cache.jobs import Jobs

    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path))
    original, started = Jobs.start, []

    def start(self, argv, title, **more):
        started.append(tuple(argv))
        quiet = Jobs(self.root, lambda argv, folder: [sys.executable, "-c", "import time; time.sleep(60)"])
        return original(quiet, argv, title, **more)

    monkeypatch.setattr(Jobs, "start", start)
    first = opened()
    second = opened()
    jobs = Jobs(tmp_path / "jobs")
    try:
        assert started == [DEMO]
        assert len(jobs.running()) == 1
        for at in (first, second):
            assert "Waking the engine" in " ".join(m.value for m in at.markdown)
            assert [b.label for b in at.button] == ["Stop"]
        first.button[0].click().run()
        fine(first)
        assert jobs.running() == () or jobs.running()[0].stopping
    finally:
        for job in jobs.running():
            jobs.kill(job)


def test_a_demo_that_died_leaves_a_sentence_its_log_and_a_button(tmp_path, monkeypatch):
    from cache.jobs import Jobs

    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path))
    dying = Jobs(tmp_path / "jobs", lambda argv, folder: [sys.executable, "-c", "print('no digits'); exit(3)"])
    job = dying.start(DEMO, "The demo", request=to_json(demo.DEMO))
    while dying.job(job.id).running:
        pass
    at = opened()
    assert "no digits" in at.warning[0].value
    assert "no digits" in at.code[0].value
    assert [b.label for b in at.button] == ["Start the demo again"]


# -- commutativity ----------------------------------------------------------------------------------------


def test_the_matrix_choice_changes_pictures_and_meters(store, run):
    at = opened("pages/commutativity.py")
    assert set(at.selectbox[0].options) >= {"C – covariance of the mini-batch gradient"}
    at.selectbox[0].set_value("C_awd").run()
    fine(at)
    analysis = result(store, run, 100)
    np.testing.assert_allclose(heat(at, "R_real"), analysis.correlation("C_awd", 100), atol=1e-6)
    bars = decode(chart(at, "commutator")["data"][0]["x"])
    expected = [analysis.commutator("C_awd"), *(analysis.commutator("C_awd", part, 100) for part in ("top", "bulk"))]
    np.testing.assert_allclose(bars, expected)
    assert url(at)["matrix"] == "C_awd"


def test_alignment_is_shown_for_every_matrix_beside_chance(store, run):
    at = opened("pages/commutativity.py")
    analysis = result(store, run, 100)
    bars, ticks = chart(at, "alignment")["data"]
    np.testing.assert_allclose(decode(bars["x"]), [analysis.alignment(n) for n in analysis.names])
    np.testing.assert_allclose(decode(ticks["x"]), [analysis.random_alignment(n) for n in analysis.names])


@pytest.mark.parametrize("page", ["app.py", *PAGES])
def test_keys_step_from_epoch_to_epoch(run, page):
    at = opened(page, epoch="10")
    button(at, "Previous epoch").click().run()
    fine(at)
    assert url(at)["epoch"] == "0"
    assert button(at, "Previous epoch").disabled
    for _ in range(2):
        button(at, "Next epoch").click().run()
    assert url(at)["epoch"] == "100"
    assert button(at, "Next epoch").disabled


def test_large_type_enlarges_figures_and_stays_in_the_link(run):
    at = opened()
    assert sent(at, "R_real")["scale"] == 1
    at.toggle(key="start.large").set_value(True).run()
    fine(at)
    assert sent(at, "R_real")["scale"] > 1.2
    assert url(at)["large"] == "yes"


def test_a_new_draw_changes_only_the_random_picture(run):
    at = opened("pages/commutativity.py")
    real, random = heat(at, "R_real"), heat(at, "R_rand")
    button(at, "New random draw").click().run()
    fine(at)
    np.testing.assert_array_equal(heat(at, "R_real"), real)
    assert np.abs(heat(at, "R_rand") - random).max() > 0.01
    assert url(at)["draw"] == "1"


def test_a_matrix_whose_spectrum_was_not_kept_is_shown_with_a_word(store, run):
    at = opened("pages/commutativity.py", matrix="C_hh")
    np.testing.assert_allclose(heat(at, "R_real"), result(store, run, 100).correlation("C_hh", 100), atol=1e-6)
    assert "no random twin of it yet" in at.info[0].value


# -- power law --------------------------------------------------------------------------------------------


def drawn(at):
    return {t["meta"] for t in chart(at, "power")["data"] if t.get("mode") == "markers"}


def test_the_covariances_pressed_are_the_ones_drawn(run):
    at = opened("pages/power_law.py")
    assert drawn(at) == {"C", "C_awd"}
    at.get("button_group")[0].set_value(["C", "E_h2"]).run()
    fine(at)
    assert drawn(at) == {"C", "E_h2"}
    assert url(at)["matrices"] == "C,E_h2"
    at.get("button_group")[0].set_value([]).run()
    fine(at)
    assert "Press at least one covariance" in at.info[0].value


def test_the_window_changes_the_fit(store, run):
    at = opened("pages/power_law.py")
    window = next(s for s in at.slider if s.label.startswith("Directions fitted"))
    window.set_value((11, 120)).run()
    fine(at)
    fit = result(store, run, 100).fit("C", 120, 10)
    table = next(m.value for m in at.markdown if m.value.startswith("| covariance"))
    assert f"**{fit.gamma:.3f}**" in table
    assert f"| {fit.n} |" in table
    points = next(t for t in chart(at, "power")["data"] if t.get("meta") == "C" and t["name"] == "C")
    index = decode(points["customdata"])[:, 0]
    assert (index.min(), index.max()) == (11, 120)
    assert url(at)["window"] == "11,120"


def test_a_window_too_small_for_a_slope_is_explained(run):
    at = opened("pages/power_law.py", window="1,2")
    assert "A slope needs at least 3 directions" in at.warning[0].value


def test_shifting_together_moves_the_clouds_onto_one_centre(run):
    at = opened("pages/power_law.py", centred="yes")
    for trace in chart(at, "power")["data"]:
        if trace.get("mode") == "markers" and trace["name"] != "not fitted":
            assert abs(np.log10(decode(trace["y"])).mean()) < 0.2


def test_the_start_page_has_four_doors(run):
    at = opened()
    links = {link.proto.label: link.proto.page for link in at.get("page_link")}
    assert {"**Take a tour**", "**Train a network**", "**Load a network**", "**Look closer**"} <= set(links)


@pytest.mark.parametrize(
    ("question", "title", "chosen"),
    [
        ("Was it so before training?", "share their directions", {"epoch": "0"}),
        ("Which curvatures make the exponent?", "Which curvatures", {"keep": "1", "homogenise": "no"}),
        ("What if all sharp samples were equally sharp?", "Which curvatures", {"keep": "1", "homogenise": "yes"}),
        ("Does the prediction share the directions too?", "share their directions", {"matrix": "C_awd"}),
    ],
)
def test_an_experiment_sets_its_selection_and_opens_its_page(run, question, title, chosen):
    at = opened()
    place = [m.value for m in at.markdown if m.value.startswith("**") and m.value.split("**")[1].endswith("?")]
    tried = next(i for i, text in enumerate(place) if question in text)
    at.button(key=f"start.try{tried}").click().run()
    fine(at)
    assert title in at.title[0].value
    assert chosen.items() <= url(at).items()
