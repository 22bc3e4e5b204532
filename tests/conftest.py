"""One thread per test process, and per process a test starts: the matrices here are small, and threads of
tests that run side by side would mostly wait for each other."""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from cache.jobs import Jobs
from cache.store import Store
from tests.planted import fill

# A busy machine must not fail a property; time is the benchmarks' business. The gate tries the same examples
# every time, so that what it says is about the change; elsewhere new ones are tried at every run.
settings.register_profile("gammascope", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("gammascope")

# AppTest leaves the page it ran as the main program, which a spawned process would then run again.
MAIN = sys.modules["__main__"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test reads, fills or starts a worker in the cache of whoever runs the tests."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(folder))
    monkeypatch.setitem(sys.modules, "__main__", MAIN)
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # the power stays on, and thousands of small files are written
    yield
    if (folder / "jobs").is_dir():
        jobs = Jobs(folder / "jobs")
        started = jobs.running()
        for job in started:
            jobs.kill(job)
        assert not started, "a test started a worker in a cache that it did not make"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty cache that the pages take for theirs; nothing may be started in it."""
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path))
    monkeypatch.setattr("cache.jobs.Jobs.start", lambda *_, **__: pytest.fail("a test started a job"))
    return Store(tmp_path)


@pytest.fixture
def run(store):
    """The key of a planted run in it."""
    return fill(store)
