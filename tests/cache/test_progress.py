"""Progress: monotone, seldom written, never torn."""

import shutil
import threading
from pathlib import Path

import pytest

from cache.progress import Pace, Progress, Reporter, read_progress


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def test_time_left_follows_the_speed_of_the_stage() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.update("a", 0, 10).seconds_left is None
    clock.time = 2.0
    assert pace.update("a", 4, 10).seconds_left == pytest.approx(3.0)
    # Resumed at 50 of 100: only what was done since counts.
    assert pace.update("b", 50, 100).seconds_left is None
    clock.time = 3.0
    assert pace.update("b", 60, 100).seconds_left == pytest.approx(4.0)


def test_progress_never_goes_back_within_a_stage() -> None:
    pace = Pace(Clock())
    assert [pace.update("a", done, 10).done for done in (1, 5, 3, 7)] == [1, 5, 5, 7]
    assert pace.update("b", 0, 10).done == 0


def test_the_reporter_writes_seldom_but_never_misses_an_end(tmp_path: Path) -> None:
    clock = Clock()
    reporter = Reporter(tmp_path, clock)

    def written() -> Progress:
        progress = read_progress(tmp_path)
        assert progress is not None
        return progress

    writes = set()
    for i in range(1000):
        clock.time = i / 1000
        reporter.progress("a", i, 1000)
        writes.add(written().done)
    assert 4 <= len(writes) <= 6
    reporter.progress("a", 1000, 1000)
    assert written().done == 1000
    reporter.progress("b", 0, 7)
    assert written().stage == "b"
    assert written().fraction == 0
    reporter.finish("failed", "A sentence.")
    assert (written().state, written().message, written().stage) == ("failed", "A sentence.", "b")
    with pytest.raises(ValueError, match="ends as one of done, failed, cancelled, not 'running'"):
        reporter.finish("running")


def test_progress_is_never_torn(tmp_path: Path) -> None:
    reporter, stop = Reporter(tmp_path), threading.Event()
    reporter.progress("a", 0, 10**9)

    def write() -> None:
        i = 0
        while not stop.is_set():
            i += 1
            reporter.progress("a" * (i % 500), i, i)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(500):
            assert read_progress(tmp_path) is not None
    finally:
        stop.set()
        thread.join()


def test_a_lost_folder_does_not_end_the_work(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path / "job")
    reporter.progress("a", 0, 2)
    shutil.rmtree(tmp_path / "job")
    reporter.progress("a", 2, 2)
    reporter.finish("done")
    assert not reporter.cancelled()
    assert read_progress(tmp_path / "job") is None
