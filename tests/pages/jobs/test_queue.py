"""Jobs on the pages: at work, waiting, ended, and what can be done with each."""

import json
import os
import re
from dataclasses import replace

import pytest

from cache.store import Store
from engine.config.command_line import parse, words
from engine.config.commands import TrainCommand
from engine.config.presets import preset
from engine.config.requests import RunRequest, TrainingRequest
from engine.runs import library
from pages.jobs.watch import horizon
from tests.pages.conftest import charts, fine, opened, write_job
from tests.planted import fill

pytestmark = pytest.mark.usefixtures("prepared")

PAGE = "pages/train.py"
TINY = tuple(words(TrainCommand(preset("tiny, 5 seconds").request, ("last",))))


def test_the_axis_of_a_long_training_grows_with_it():
    long = RunRequest(training=TrainingRequest(epochs=3000))
    assert [horizon(e, long) for e in (0, 100, 101, 499, 1999, 2001, 3000)] == [100, 100, 200, 500, 2000, 3000, 3000]
    assert horizon(0, RunRequest(training=TrainingRequest(epochs=30))) == 30


def test_the_job_at_work_and_the_queue_are_shown(started):
    root = Store().root / "jobs"
    work = {"stage": "training", "done": 12, "total": 30, "seconds_left": 18.4}
    write_job(root, "first", TINY, "Tiny one", os.getpid(), created=1.0, **work)
    write_job(root, "second", ("train",), "Demo two", os.getpid(), created=2.0, stage="waiting", total=1)
    write_job(root, "third", ("train", "--seed", "3"), "Three", os.getpid(), created=3.0, stage="waiting", total=2)
    at = opened(PAGE)
    texts = " ".join(m.value for m in at.markdown)
    assert "Training: epoch 12 of 30" in texts
    assert "**1.** Demo two" in texts
    assert "Waiting for 1 job before it" in texts
    assert "**2.** Three" in texts
    assert "live" in charts(at)
    at.button(key="cancel-second").click().run()
    assert (root / "second" / "CANCEL").exists()
    at.button(key="stop-first").click().run()
    assert (root / "first" / "CANCEL").exists()


def test_other_pages_tell_it_in_one_line(started):
    root = Store().root / "jobs"
    fill(Store())
    at = opened("pages/power_law.py")
    assert not [link for link in at.sidebar.get("page_link") if "…" in link.proto.label]
    work = {"stage": "training", "done": 129, "total": 300, "seconds_left": 20.0}
    write_job(root, "first", TINY, "Tiny one", os.getpid(), created=1.0, **work)
    write_job(root, "second", ("train",), "two", os.getpid(), created=2.0, stage="waiting", total=1)
    at = opened("pages/power_law.py")
    (line,) = [link.proto.label for link in at.sidebar.get("page_link") if "…" in link.proto.label]
    assert line == "Training … 43%, 20 s left"
    assert "1 more in the queue" in [c.value for c in at.sidebar.caption]
    # What one step of one analysis still takes says nothing of all ten.
    work = {"stage": "analysing epoch 50 (3 of 10): moments", "done": 1, "total": 2, "seconds_left": 1.0}
    (root / "first" / "progress.json").write_text(json.dumps(work))
    at = opened("pages/power_law.py")
    (line,) = [link.proto.label for link in at.sidebar.get("page_link") if "…" in link.proto.label]
    assert re.fullmatch(r"At work … 2\d%", line)


def test_ended_jobs_say_how_and_offer_what_can_be_done(started):
    root = Store().root / "jobs"
    run = fill(Store())
    write_job(root, "good", ("train",), "A good one", 0, created=3.0, state="done", message="Done: 3 analyses.")
    crash = write_job(root, "crash", TINY, "A bad one", 2**22 + 1, created=2.0, stage="training", done=3, total=30)
    (crash.folder / "log.txt").write_text("the wrong kind of snow")
    at = opened(PAGE)
    texts = " ".join(m.value for m in at.markdown) + " ".join(c.value for c in at.caption)
    assert "A good one" in texts
    assert "The worker was killed" in texts.replace("\\", "")
    assert "wrong kind of snow" in at.code[-1].value
    labels = {b.key: b.label for b in at.button}
    assert labels["look-good"] == "Look at it"
    assert "go-good" not in labels
    assert "look-crash" not in labels

    at.button(key="go-crash").click().run()
    assert started[-1] == (TINY, True)
    assert not crash.folder.exists()
    at.button(key="again-good").click().run()
    fresh = parse(started[-1][0])
    assert fresh.request == replace(RunRequest(), seed=1)
    at.button(key="forget-good").click().run()
    assert not (root / "good").exists()
    assert run in [r.key for r in library.runs(Store())]


def test_what_ended_while_it_was_watched_is_shown_on_top(started):
    root = Store().root / "jobs"
    work = {"stage": "training", "done": 12, "total": 30}
    write_job(root, "old", TINY, "An old one", 0, created=9.0, state="done", message="Done.")
    job = write_job(root, "first", TINY, "Tiny one", os.getpid(), created=1.0, **work)
    at = opened(PAGE)
    assert "1 at work or in the queue" in " ".join(c.value for c in at.caption)
    (job.folder / "progress.json").write_text(json.dumps({"state": "failed", "message": "It broke. Go on with: x y"}))
    fine(at.run())
    texts = [m.value for m in at.markdown]
    (place,) = [i for i, words in enumerate(texts) if "Tiny one" in words]
    (earlier,) = [i for i, words in enumerate(texts) if "An old one" in words]
    assert place < texts.index("**Data**") < earlier
    assert "It broke" in texts[place]
    assert "Go on with" not in texts[place]


def test_older_jobs_are_a_press_away(started):
    root = Store().root / "jobs"
    for i in range(9):
        write_job(root, f"j{i}", TINY, f"Number {i}", 0, created=1.0 + i, state="done", message="Done.")
    at = opened(PAGE)
    shown = [m.value for m in at.markdown if "Number" in m.value]
    assert ["Number 8" in shown[0], "Number 3" in shown[-1], len(shown)] == [True, True, 6]
    at.toggle(key="train.older").set_value(True).run()
    assert len([m for m in at.markdown if "Number" in m.value]) == 9


def test_look_at_it_selects_the_run(started):
    store = Store()
    first, second = fill(store), fill(store, seed=1)
    argv = ("train", "--seed", "1")
    write_job(store.root / "jobs", "good", argv, "t", 0, created=3.0, state="done", message="Done.")
    at = opened(PAGE, run=first)
    fine(at.button(key="look-good").click().run())
    assert at.session_state["selection"].run == second
