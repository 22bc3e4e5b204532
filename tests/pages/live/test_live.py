"""The page Live over a planted film: every knob becomes a wish, and every picture is the frame's own."""

import os
import signal
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from cache.jobs import Jobs
from engine.config.command_line import words
from engine.config.commands import FilmCommand, to_json
from engine.runs import recording
from engine.runs.recording import Change, Control
from pages.plot import reproduce
from pages.rooms.live import controls, figures
from pages.text import confidence
from tests.pages.conftest import button, chart, charts, decode, fine, heat, opened, press, url, widget
from tests.planted import TINY, add_film, fill, filmed, interval

PAGE = "pages/film.py"
KEY = recording.film_key(TINY)
PICTURES = {"law", "R_real", "gammas", "learning", "commutators", "settings"}


def picture(epoch):
    result = filmed(epoch)
    diagonals = {name: result.diagonal(name) for name in recording.MATRICES}
    return recording.Picture(result.eigenvalues, diagonals, result.correlation("C", 100), result.noise_floor)


@pytest.fixture
def film(store):
    return add_film(store)


@pytest.fixture
def at(film):
    """The page over it."""
    return opened(PAGE)


@pytest.fixture
def started(store, monkeypatch):
    """Arguments of the workers that the page would have started."""
    commands = []

    def start(self, argv, title, run="", queue=True, request=None):
        commands.append((tuple(argv), queue))

    monkeypatch.setattr("cache.jobs.Jobs.start", start)
    return commands


@pytest.fixture
def worker(store, monkeypatch):
    """A process that stands for the worker of the film."""
    monkeypatch.undo()
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(store.root))
    quiet = Jobs(store.root / "jobs", lambda argv, folder: [sys.executable, "-c", "import time; time.sleep(60)"])
    film = FilmCommand(TINY)
    job = quiet.start(words(film), "Live", queue=False, request=to_json(film))
    yield job
    quiet.kill(job)


def ours(queue=False):
    return (tuple(words(FilmCommand(TINY))), queue)


# -- before, and what is shown ----------------------------------------------------------------------------


def test_without_a_film_a_finished_example_stands_there_and_start_shoots_it(store, started):
    at = opened(PAGE)
    assert any("An example, shot before. **Start** shoots it here." in c.value for c in at.caption)
    assert len(charts(at)) == 6
    assert any("**Epoch 30** · **γ = 1.18**" in m.value for m in at.markdown)
    assert recording.films(store) == ()
    assert button(at, "Reset").disabled
    fine(button(at, "Start").click().run())
    assert started == [ours()]
    assert recording.control(store, KEY) == Control(playing=True)


def test_while_the_engine_wakes_the_page_says_so(store, worker):
    at = opened(PAGE)
    assert any("Waking the engine" in c.value for c in at.caption)
    assert button(at, "Pause")


def test_the_newest_frame_is_shown_with_the_engines_numbers(at):
    assert set(charts(at)) == PICTURES
    result = filmed(3)
    np.testing.assert_allclose(heat(at, "R_real"), result.correlation("C", 100), atol=1e-6)
    points = [t for t in chart(at, "law")["data"] if t.get("mode") == "markers" and t["name"] != "not fitted"]
    for points_, name in zip(points, ("C", "C_awd"), strict=True):
        index = decode(points_["customdata"])[:, 0].astype(int) - 1
        np.testing.assert_allclose(decode(points_["y"]), result.diagonal(name)[index])
    numbers = next(m.value for m in at.markdown if m.value.startswith("**Epoch 3**"))
    assert f"γ = {result.fit('C').gamma:.2f}" in numbers
    assert "6.0% right" in numbers
    lines = {t["name"]: decode(t["y"]) for t in chart(at, "gammas")["data"]}
    for bars in (t["error_y"] for t in chart(at, "gammas")["data"]):
        np.testing.assert_allclose([*decode(bars["arrayminus"]), *decode(bars["array"])], [0.02] * 4 + [0.03] * 4)
    for name in recording.MATRICES:
        law = picture(3).exponent(name, interval(result, name))
        assert confidence.of_frame(name, law, 1000, 0) in [m.value for m in at.markdown]
    np.testing.assert_allclose(lines["γ of C"], [filmed(e).fit("C").gamma for e in range(4)])


def test_axes_of_the_law_hold_the_whole_film(film):
    ranges = []
    for epoch in (0, 3):
        at = opened(PAGE)
        if epoch != 3:
            at.select_slider[0].set_value(epoch).run()
        layout = chart(at, "law")["layout"]
        ranges.append((layout["xaxis"]["range"], layout["yaxis"]["range"]))
    assert ranges[0] == ranges[1]
    low, high, bottom, top = np.log10(film.extent)
    (left, right), (down, up) = ranges[0]
    assert left < low < high < right
    assert down < bottom < top < up


def test_the_slider_goes_back_and_stays_there_while_the_film_grows(at, store):
    fine(at.select_slider[0].set_value(1).run())
    np.testing.assert_allclose(heat(at, "R_real"), filmed(1).correlation("C", 100), atol=1e-6)
    add_film(store, range(5))
    at.run()
    assert at.select_slider[0].value == 1
    button(at, "Newest").click().run()
    np.testing.assert_allclose(heat(at, "R_real"), filmed(4).correlation("C", 100), atol=1e-6)
    add_film(store, range(6))
    at.run()
    np.testing.assert_allclose(heat(at, "R_real"), filmed(5).correlation("C", 100), atol=1e-6)


def test_a_frame_that_is_held_and_leaves_gives_way_to_the_newest(at, store):
    at.select_slider[0].set_value(0).run()
    add_film(store, range(2, 6))
    fine(at.run())
    np.testing.assert_allclose(heat(at, "R_real"), filmed(5).correlation("C", 100), atol=1e-6)


def test_a_frame_that_has_left_is_told(film, store):
    store.delete("films", KEY, "frames", recording.frame_name(3))
    at = opened(PAGE)
    fine(at)
    assert any("This frame has left" in c.value for c in at.caption)


def test_changes_are_marked_with_their_words_in_every_curve(store):
    add_film(store, changes=(Change(1, "learning_rate", 0.1, 0.5), Change(1, "batch_size", 50.0, 10.0)))
    at = opened(PAGE)
    for key in PICTURES - {"law", "R_real"}:
        layout = chart(at, key)["layout"]
        words = [n["text"] for n in layout["annotations"]]
        assert words == ["η 0.1 → 0.5, B 50 → 10"] * (2 if key == "learning" else 1)
        assert any(s["x0"] == 1 for s in layout["shapes"])
    assert any("1/B" in c.value for c in at.caption)


def test_the_code_beside_the_figures_gives_what_they_show(film):
    names = {}
    exec(reproduce.film_frame(film, film.frames[2], "R_real = picture.correlation"), names)
    np.testing.assert_allclose(names["R_real"], filmed(2).correlation("C", 100), atol=1e-6)
    exec(reproduce.film_columns(film, ("epoch", "gamma")), names)
    np.testing.assert_array_equal(names["epoch"], [0, 1, 2, 3])
    np.testing.assert_array_equal(names["gamma"], film.column("gamma"))


# -- the knobs --------------------------------------------------------------------------------------------


def test_labels_of_changes_stand_beside_each_other():
    shifts = figures.aside((5, 6, 7, 25), (0, 30))
    places = [figures.NARROW * epoch / 30 + shift for epoch, shift in shifts.items()]
    assert (np.diff(places) >= figures.LABEL - 1e-9).all()
    assert shifts[5] == shifts[25] == 0


def test_a_pause_explains_itself(film, store, worker):
    recording.ask(store, KEY, playing=False)
    at = opened(PAGE)
    fine(at)
    assert any("Paused after epoch 3" in c.value for c in at.caption)
    recording.ask(store, KEY, playing=True)
    assert "at once" in button(opened(PAGE), "Pause").help


def test_pause_and_go_on(film, store, worker):
    at = opened(PAGE)
    fine(button(at, "Pause").click().run())
    assert not recording.control(store, KEY).playing
    fine(button(at, "Go on").click().run())
    assert recording.control(store, KEY).playing
    assert [job.id for job in Jobs(store.root / "jobs").running()] == [worker.id]


def test_one_step_pauses_and_asks_for_one_frame(at, store, started):
    for steps in (1, 2):
        fine(button(at, "One step").click().run())
        assert recording.control(store, KEY) == Control(playing=False, steps=steps)
    assert started == [ours()] * 2


@pytest.mark.parametrize(
    ("name", "knob", "value"), [("learning_rate", "Learning rate η", 0.5), ("batch_size", "Batch size B", 10)]
)
def test_a_setting_that_is_changed_is_wished_and_stays_on_the_page(at, store, name, knob, value):
    press(at, "number_input", knob, value)
    assert recording.control(store, KEY) == replace(Control(), **{name: value})
    assert widget(at, "number_input", knob).value == value
    # Another tab sees the same knobs.
    assert widget(opened(PAGE), "number_input", knob).value == value


def test_what_is_turned_in_another_tab_is_shown(at, store):
    widget(at, "number_input", "Batch size B").set_value(20).run()
    recording.ask(store, KEY, batch_size=5, stride=10, learning_rate=0.3)
    fine(at.run())
    assert widget(at, "number_input", "Batch size B").value == 5
    assert widget(at, "number_input", "Learning rate η").value == 0.3
    assert widget(at, "selectbox", "Epochs a step").value == 10
    widget(at, "number_input", "Batch size B").set_value(7).run()
    assert recording.control(store, KEY).batch_size == 7


def test_a_frame_comes_every_so_many_epochs(at, store):
    press(at, "selectbox", "Epochs a step", 5)
    assert recording.control(store, KEY).stride == 5


def test_a_setting_that_makes_no_sense_is_refused_in_a_sentence(at, store):
    press(at, "number_input", "Learning rate η", 0.0)
    assert at.warning[0].value == "The learning rate is a number above 0; 0.0 was given."
    assert widget(at, "number_input", "Learning rate η").value == TINY.training.learning_rate
    assert recording.control(store, KEY) == Control()


def test_reset_begins_a_new_take_at_rest(film, store, started):
    recording.ask(store, KEY, learning_rate=0.5, batch_size=9, stride=2, steps=4)
    at = opened(PAGE)
    fine(button(at, "Reset").click().run())
    assert recording.control(store, KEY) == Control(take=1, playing=False, stride=2)
    assert widget(at, "number_input", "Learning rate η").value == TINY.training.learning_rate
    assert started == [ours()]


def test_stop_ends_the_worker_and_leaves_the_film(film, worker):
    at = opened(PAGE)
    fine(button(at, "Stop").click().run())
    assert (worker.folder / "CANCEL").exists()
    assert charts(at)


def test_forget_deletes_the_film(at, store):
    fine(button(at, "Forget").click().run())
    assert recording.films(store) == ()
    assert any("An example, shot before." in c.value for c in at.caption)


def test_another_run_has_no_example_and_says_what_to_press(store, started):
    at = opened(PAGE, film=recording.film_key(controls.DIGITS))
    assert "Press **Start**" in at.info[0].value
    assert not charts(at)


# -- what may happen --------------------------------------------------------------------------------------


def test_a_killed_worker_leaves_a_sentence_and_a_way_on(film, store, worker):
    os.kill(worker.pid, signal.SIGKILL)
    jobs = Jobs(store.root / "jobs")
    while jobs.job(worker.id).running or not (worker.folder / "exit.json").exists():
        time.sleep(0.02)
    at = opened(PAGE)
    assert any("The worker was killed by SIGKILL" in c.value for c in at.caption)
    assert not button(at, "Go on").disabled
    assert set(charts(at)) == PICTURES


def test_why_a_film_rests_is_told(store):
    add_film(store, message="All 30 epochs of this run are done.")
    assert any("All 30 epochs of this run are done." in c.value for c in opened(PAGE).caption)


def test_a_look_is_told_to_the_worker(film, store):
    opened(PAGE)
    assert time.time() - recording.looked(store, KEY) < 60


# -- which film -------------------------------------------------------------------------------------------


def test_another_seed_is_another_film_in_the_link(at, store, started):
    press(at, "number_input", "Seed", 7)
    other = recording.film_key(replace(TINY, seed=7))
    assert url(at)["film"] == other
    button(at, "Start").click().run()
    assert started == [(tuple(words(FilmCommand(replace(TINY, seed=7)))), False)]
    # Once there are frames, a link finds it.
    add_film(store, request=replace(TINY, seed=7))
    assert widget(opened(PAGE, film=other), "number_input", "Seed").value == 7


def test_the_run_in_view_and_the_demo_can_be_shot_too(store):
    fill(store, seed=3)
    at = opened(PAGE)
    box = widget(at, "selectbox", "Film of")
    assert len(box.options) == 3
    fine(box.set_value(KEY).run())
    assert "seed 3" in box.options[2]
    assert "784‑50‑50‑10" in box.options[1]


def test_a_slow_frame_says_how_far_the_next_one_is(film, store, worker):
    assert not any("Waking" in c.value for c in opened(PAGE).caption)
    recording.keep(store, replace(film, frames=tuple(replace(f, seconds=9.0) for f in film.frames)))
    assert any("Waking the engine" in c.value for c in opened(PAGE).caption)


def test_the_take_before_is_drawn_faintly_behind_this_one(film, store):
    recording.keep(store, replace(film, frames=film.frames[:2], before=film.frames))
    at = opened(PAGE)
    traces = chart(at, "gammas")["data"]
    old = [t for t in traces if t.get("meta") == "before"]
    np.testing.assert_allclose(decode(old[0]["y"]), film.column("gamma"))
    assert all(t["opacity"] < 0.5 for t in old)
    new = next(t for t in traces if t["name"] == "γ of C" and t not in old)
    np.testing.assert_allclose(decode(new["y"]), film.column("gamma")[:2])
    assert sum(t.get("meta") == "before" for t in chart(at, "learning")["data"]) == 2
    assert any("take before the last reset" in c.value for c in at.caption)
