"""The queue: jobs work one at a time and in order, with real processes."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cache.jobs import Job, Jobs, birth, wait_for_turn
from cache.progress import Stopped
from tests.cache.test_jobs import at_work, ended, now, until

# A worker without the engine that takes its turn, notes when it worked, and then does argv[0].
WORKER = """
import signal, sys, time
from pathlib import Path
from cache.jobs import wait_for_turn
from cache.progress import Reporter, Stopped
folder = Path(sys.argv[2])
reporter = Reporter(folder)
def stop(*_): raise KeyboardInterrupt
signal.signal(signal.SIGTERM, stop)
def note(word):
    with open(folder.parent.parent / "diary.txt", "a") as diary: diary.write(f"{word} {sys.argv[3]}\\n")
try:
    wait_for_turn(folder, reporter.progress, reporter.cancelled, 0.05)
    note("begins")
    reporter.progress("work", 1, 9)
    exec(sys.argv[1])
    note("ends")
    reporter.finish("done")
except (Stopped, KeyboardInterrupt):
    reporter.finish("cancelled", "Stopped.")
"""
SHORT = "time.sleep(0.2)"
LONG = "while not reporter.cancelled(): time.sleep(0.02)\nraise Stopped"


def worker(argv, folder: Path) -> list[str]:
    return [sys.executable, "-c", WORKER, argv[0], str(folder), argv[1]]


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    jobs = Jobs(tmp_path / "jobs", worker)
    yield jobs
    for job in jobs.running():
        jobs.kill(job)


def diary(jobs: Jobs) -> list[str]:
    return (jobs.root.parent / "diary.txt").read_text().splitlines()


def waits(jobs: Jobs, job: Job, for_: int) -> None:
    until(lambda: now(jobs, job).waiting and now(jobs, job).progress.total == for_)


def test_jobs_work_one_at_a_time_in_the_order_they_were_started(jobs: Jobs) -> None:
    held = "while not (folder.parent.parent / 'go {name}').exists(): time.sleep(0.02)"
    started = [jobs.start([held.replace("{name}", name), name], name) for name in "abc"]
    waits(jobs, started[2], for_=2)
    assert [j.title for j in jobs.ahead(now(jobs, started[2]))] == ["a", "b"]
    (jobs.root.parent / "go a").touch()
    waits(jobs, started[2], for_=1)
    for name in "bc":
        (jobs.root.parent / f"go {name}").touch()
    for job in started:
        assert ended(jobs, job).state == "done"
    assert diary(jobs) == [f"{word} {name}" for name in "abc" for word in ("begins", "ends")]
    assert jobs.ahead(now(jobs, started[2])) == ()


def test_cancelling_a_waiting_job_takes_hold_within_two_seconds(jobs: Jobs) -> None:
    first, second, third = (jobs.start([LONG, name], name) for name in "abc")
    at_work(jobs, first)
    waits(jobs, second, for_=1)
    began = time.monotonic()
    jobs.cancel(second)
    assert ended(jobs, second).state == "cancelled"
    assert time.monotonic() - began < 2
    assert now(jobs, first).running
    assert not now(jobs, first).waiting
    waits(jobs, third, for_=1)
    os.kill(now(jobs, third).pid, signal.SIGTERM)
    assert ended(jobs, third, 2).state == "cancelled"
    assert diary(jobs) == ["begins a"]


def test_a_killed_predecessor_frees_the_queue(jobs: Jobs) -> None:
    first, second = jobs.start([LONG, "a"], "a"), jobs.start([SHORT, "b"], "b")
    at_work(jobs, first)
    waits(jobs, second, for_=1)
    os.kill(first.pid, signal.SIGKILL)
    assert ended(jobs, second).state == "done"
    assert now(jobs, first).state == "failed"


def test_help_that_does_not_queue_neither_waits_nor_is_waited_for(jobs: Jobs) -> None:
    first = jobs.start([LONG, "a"], "a")
    at_work(jobs, first)
    helper = jobs.start([LONG, "help"], "help", queue=False)
    at_work(jobs, helper)
    jobs.cancel(first)
    ended(jobs, first)
    second = jobs.start([SHORT, "b"], "b")
    assert ended(jobs, second).state == "done"
    assert now(jobs, helper).running


def test_the_queue_survives_the_server(jobs: Jobs, tmp_path: Path) -> None:
    first, second = jobs.start([LONG, "a"], "a"), jobs.start([SHORT, "b"], "b")
    waits(jobs, second, for_=1)
    restarted = Jobs(tmp_path / "jobs", worker)
    assert [j.title for j in restarted.running()] == ["b", "a"]
    restarted.cancel(now(restarted, first))
    assert ended(restarted, second).state == "done"


def test_a_waiting_job_whose_record_is_gone_ends(jobs: Jobs) -> None:
    first, second = jobs.start([LONG, "a"], "a"), jobs.start([SHORT, "b"], "b")
    waits(jobs, second, for_=1)
    (second.folder / "job.json").write_text("{")
    until(lambda: not psutil.pid_exists(second.pid))
    assert now(jobs, first).running


def record(folder: Path, created: float, pid: int, started: float) -> Path:
    folder.mkdir(parents=True)
    values = {"argv": ["x"], "title": folder.name, "created": created, "run": "", "queue": True}
    (folder / "job.json").write_text(json.dumps(values | {"pid": pid, "started": started}))
    return folder


def test_one_whose_process_is_not_yet_on_record_is_waited_for_but_not_for_ever(jobs: Jobs) -> None:
    me = psutil.Process()
    own = record(jobs.root / "own", time.time(), me.pid, birth(me))
    half = record(jobs.root / "half", time.time() - 1, 0, 0.0)
    messages = []

    def give_up() -> bool:
        if len(messages) == 1:
            values = json.loads((half / "job.json").read_text())
            (half / "job.json").write_text(json.dumps(values | {"created": time.time() - 60}))
        return False

    wait_for_turn(own, lambda *words: messages.append(words), give_up, 0.01)
    assert messages == [("waiting", 0, 1)]
    assert now(jobs, jobs.jobs()[1]).state == "failed"


def test_a_folder_that_is_no_job_does_not_wait_and_a_wish_to_stop_is_heard_first(jobs: Jobs, tmp_path: Path) -> None:
    wait_for_turn(tmp_path, lambda *_: pytest.fail("it waited"), lambda: False)
    me = psutil.Process()
    own = record(jobs.root / "own", 2.0, me.pid, me.create_time())
    with pytest.raises(Stopped):
        wait_for_turn(own, lambda *_: None, lambda: True)


def test_only_the_newest_helpers_are_remembered(jobs: Jobs) -> None:
    for i in range(12):
        folder = record(jobs.root / f"old-{i}", float(i), 0, 0.0)
        values = json.loads((folder / "job.json").read_text())
        (folder / "job.json").write_text(json.dumps(values | {"queue": False}))
    jobs.start([SHORT, "a"], "a", queue=False)
    assert len(jobs.jobs()) == 10
    assert jobs.job("old-2") is None
    assert jobs.job("old-11") is not None
