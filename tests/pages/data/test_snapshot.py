"""The disk is looked at once a rerun: counted on every page, and what a page writes is seen at once."""

from collections import Counter
from threading import Thread

import pytest

from cache.jobs import Jobs
from cache.store import Store
from engine.runs import library
from pages.data import results
from pages.data.snapshot import PageJobs, snapshot
from pages.state.menu import MENU
from pages.ui.guard import guarded
from tests.pages.conftest import opened
from tests.planted import fill
from tests.planted_samples import add_samples

FILES = [entry.file for group in MENU.values() for entry in group]


@pytest.fixture
def looks(monkeypatch):
    """How often the disk was asked each question."""
    asked: Counter[tuple[str, ...]] = Counter()

    def counting(owner, name):
        original = getattr(owner, name)

        def inner(self, *parts):
            asked[name, *parts] += 1
            return original(self, *parts)

        monkeypatch.setattr(owner, name, inner)

    counting(Store, "version")
    counting(Store, "list")
    counting(Jobs, "jobs")
    counting(Jobs, "running")
    return asked


@pytest.mark.parametrize("page", FILES)
def test_a_page_looks_at_the_disk_once_for_each_question(store, prepared, looks, page):
    run, _ = fill(store), fill(store, epochs=(), seed=1)
    add_samples(store, run, 0, 10, 100)
    at = opened(page)  # what is kept between reruns is there now
    looks.clear()
    at.run()
    assert looks["list", "runs"] == 1, "the sidebar at least names the run"
    assert not {question: count for question, count in looks.items() if count > 1}


def test_a_fragment_looks_anew_each_time_it_runs(store, looks):
    seen = []

    @guarded
    def fragment():
        seen.append([run.key for run in (*results.runs(), *results.runs())])

    fragment()
    run = fill(store)
    looks.clear()
    fragment()
    assert seen == [[], [run, run]]
    assert looks["list", "runs"] == looks["version", "runs", run] == 1


def test_a_snapshot_holds_until_its_end_but_for_what_is_written_in_it(store):
    with snapshot():
        assert results.runs() == ()
        run = fill(store)  # another process
        with snapshot():
            assert results.runs() == ()
        library.rename(results.store(), run, "mine")
        assert [r.label for r in results.runs()] == ["mine"]
        results.store().delete("runs", run)
        assert results.runs() == ()
    run = fill(store)
    assert [r.key for r in results.runs()] == [run], "outside of any, as in a callback, the disk is looked at"
    store.delete("runs", run)
    assert results.runs() == ()


def test_a_job_that_a_page_starts_stops_or_deletes_is_seen_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(Jobs, "_launch", lambda self, folder, *_: self.job(folder.name))
    jobs = PageJobs(tmp_path / "jobs")
    with snapshot():
        assert jobs.jobs() == jobs.running() == ()
        job = jobs.start(("train",), "A run")
        assert [j.id for j in jobs.jobs()] == [j.id for j in jobs.running()] == [job.id]
        jobs.cancel(job, grace=600)
        assert jobs.running()[0].stopping
        (job.folder / "job.json").write_text("damaged")
        jobs.delete(job)
        assert jobs.jobs() == ()


def test_two_threads_do_not_share_a_snapshot(store):
    """A session's script runs in a thread of its own."""
    with snapshot():
        assert results.runs() == ()
        run, seen = fill(store), []
        thread = Thread(target=lambda: seen.extend(r.key for r in results.runs()))
        thread.start()
        thread.join()
        assert seen == [run]
