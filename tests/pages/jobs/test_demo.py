"""The demo of an empty cache."""

import sys

from cache.jobs import Jobs
from engine.config.commands import to_json
from pages.jobs import demo
from tests.pages.conftest import fine, opened

DEMO = ("train", "--analyze", "last,all", "--every-sample", "last,0,20", "--planes")


def test_an_empty_cache_starts_the_demo_once_as_the_command_a_person_can_type(tmp_path, monkeypatch):
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
        fine(first.button[0].click().run())
        assert jobs.running() == () or jobs.running()[0].stopping
    finally:
        for job in jobs.running():
            jobs.kill(job)


def test_a_demo_that_died_leaves_a_sentence_its_log_and_a_button(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path))
    dying = Jobs(tmp_path / "jobs", lambda argv, folder: [sys.executable, "-c", "print('no digits'); exit(3)"])
    job = dying.start(DEMO, "The demo", request=to_json(demo.DEMO))
    while dying.job(job.id).running:
        pass
    at = opened()
    assert "no digits" in at.warning[0].value
    assert "no digits" in at.code[0].value
    assert [b.label for b in at.button] == ["Start the demo again"]
