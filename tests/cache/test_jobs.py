"""Jobs: what the record says is what the process does, however either of them ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cache.jobs import Job, Jobs
from cache.store import replace_file

# A worker without the engine: argv[0] is Python to run; `reporter` is at hand.
WORKER = """
import sys, time, os, subprocess
from pathlib import Path
from cache.progress import Reporter
reporter = Reporter(Path(sys.argv[2]))
exec(sys.argv[1])
"""
WAIT = "reporter.progress('work', 1, 9)\nwhile not reporter.cancelled(): time.sleep(0.02)\n"
OBEY = WAIT + "reporter.finish('cancelled', 'Stopped.')"
DEAF = "reporter.progress('work', 1, 9)\ntime.sleep(60)"


def worker(argv, folder: Path) -> list[str]:
    return [sys.executable, "-c", WORKER, argv[0], str(folder)]


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    jobs = Jobs(tmp_path / "jobs", worker)
    yield jobs
    for job in jobs.running():
        jobs.kill(job)


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"still not so after {seconds} s"
        time.sleep(0.02)


def now(jobs: Jobs, job: Job) -> Job:
    job_now = jobs.job(job.id)
    assert job_now is not None
    return job_now


def ended(jobs: Jobs, job: Job, seconds: float = 20.0) -> Job:
    until(lambda: not now(jobs, job).running, seconds)
    return now(jobs, job)


def at_work(jobs: Jobs, job: Job) -> None:
    until(lambda: now(jobs, job).progress.stage == "work")


# -- lives and deaths -----------------------------------------------------------------------------------


def test_a_job_tells_its_progress_and_its_end(jobs: Jobs) -> None:
    code = "print('hello'); reporter.progress('work', 3, 9)\nreporter.finish('done', 'All right.')"
    job = jobs.start([code], "a title", run="r1", request={"command": "train", "seeds": [1, 2]})
    assert job.running
    job = ended(jobs, job)
    assert (job.state, job.message, job.title, job.run) == ("done", "All right.", "a title", "r1")
    assert job.request == {"command": "train", "seeds": [1, 2]}
    assert (job.progress.stage, job.progress.done, job.progress.total) == ("work", 3, 9)
    assert job.log() == "hello\n"
    assert jobs.jobs() == (job,)
    assert jobs.running() == ()


def test_a_worker_runs_in_a_session_of_its_own_and_politely(jobs: Jobs) -> None:
    job = jobs.start([DEAF], "t")
    at_work(jobs, job)
    assert os.getsid(job.pid) == job.pid != os.getsid(0)
    assert psutil.Process(job.pid).nice() >= min(10, psutil.Process().nice() + 10)


def test_cancelling_asks_first(jobs: Jobs) -> None:
    job = jobs.start([OBEY], "t")
    at_work(jobs, job)
    jobs.cancel(job, grace=30)
    assert (ended(jobs, job).state, now(jobs, job).message) == ("cancelled", "Stopped.")


def test_a_deaf_worker_and_its_children_are_gone_two_seconds_after_cancelling(jobs: Jobs, tmp_path: Path) -> None:
    child = f"p = subprocess.Popen(['sleep', '60']); Path({str(tmp_path / 'child')!r}).write_text(str(p.pid))\n"
    job = jobs.start([child + DEAF], "t")
    at_work(jobs, job)
    began = time.monotonic()
    jobs.cancel(job)
    assert now(jobs, job).stopping
    job = ended(jobs, job)
    assert time.monotonic() - began < 3.5
    assert job.state == "cancelled"
    assert "What was finished is kept" in job.message
    pid = int((tmp_path / "child").read_text())
    until(lambda: gone(pid))


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_grandchildren_end_too_even_in_sessions_of_their_own(jobs: Jobs, tmp_path: Path) -> None:
    """As a sweep's workers start processes: no signal to a group of processes reaches these."""
    grandchild = (
        "import subprocess, sys, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
    )
    code = (
        "how = {'stdout': subprocess.PIPE, 'start_new_session': True}\n"
        f"p = subprocess.Popen([sys.executable, '-c', {grandchild!r}], **how)\n"
        f"Path({str(tmp_path / 'pids')!r}).write_text(f'{{p.pid}} {{int(p.stdout.readline())}}')\n"
    )
    job = jobs.start([code + DEAF], "t")
    at_work(jobs, job)
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    assert not any(gone(pid) for pid in pids)
    jobs.kill(job)
    until(lambda: all(gone(pid) for pid in (job.pid, *pids)))


def test_a_process_that_ends_while_it_is_killed_is_no_error(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the rest of its family is killed all the same."""
    code = "child = subprocess.Popen(['sleep', '60'])\n"
    job = jobs.start([code + DEAF], "t")
    at_work(jobs, job)
    (child,) = psutil.Process(job.pid).children()
    kill = psutil.Process.kill

    def late(process: psutil.Process) -> None:
        kill(process)
        if process.pid == job.pid:
            raise psutil.NoSuchProcess(process.pid)

    monkeypatch.setattr("psutil.Process.kill", late)
    jobs.kill(job)
    until(lambda: gone(job.pid) and gone(child.pid))
    jobs.kill(job)


def test_a_killed_worker_is_a_failure_with_its_cause(jobs: Jobs) -> None:
    job = jobs.start([DEAF], "t")
    at_work(jobs, job)
    os.kill(job.pid, signal.SIGKILL)
    job = ended(jobs, job)
    assert job.state == "failed"
    assert "killed by SIGKILL (out of memory?)" in job.message
    assert job.progress.done == 1


def test_a_crash_quotes_the_last_words(jobs: Jobs) -> None:
    job = ended(jobs, jobs.start(["raise SystemError('the wrong kind of snow')"], "t"))
    assert job.state == "failed"
    assert "ended with code 1" in job.message
    assert "SystemError: the wrong kind of snow" in job.message
    assert "Traceback" in job.log()


def test_an_end_is_told_no_sooner_than_its_exit_code_is_on_record(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that looks in between would call it killed, and look no more."""
    looked = threading.Event()

    def write(path: Path, content: bytes) -> None:
        if path.name == "exit.json":
            looked.wait(20)
        replace_file(path, content)

    monkeypatch.setattr("cache.jobs.replace_file", write)
    job = jobs.start(["exit(3)"], "t")
    until(lambda: not psutil.pid_exists(job.pid))
    assert now(jobs, job).running
    assert [j.id for j in jobs.running()] == [job.id]
    looked.set()
    assert "ended with code 3" in ended(jobs, job).message


def test_no_zombie_stays(jobs: Jobs) -> None:
    job = jobs.start(["reporter.finish('done')"], "t")
    ended(jobs, job)
    until(lambda: not psutil.pid_exists(job.pid))


def test_a_zombie_counts_as_dead(jobs: Jobs) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    started = psutil.Process(process.pid).create_time()
    until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    write_record(jobs, "zombie", process.pid, started)
    assert now_id(jobs, "zombie").state == "failed"
    process.wait()


def write_record(jobs: Jobs, id: str, pid: int, started: float, created: float = 1.0) -> Path:
    folder = jobs.root / id
    folder.mkdir(parents=True)
    record = {"argv": ["x"], "title": "t", "created": created, "run": "", "pid": pid, "started": started}
    (folder / "job.json").write_text(json.dumps(record))
    return folder


def now_id(jobs: Jobs, id: str) -> Job:
    job = jobs.job(id)
    assert job is not None
    return job


@pytest.mark.skipif(not psutil.LINUX, reason="elsewhere the system writes the birth of a process down")
def test_a_worker_is_known_after_the_clock_was_set(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    job = jobs.start(["time.sleep(60)"], "t")
    boot, day = psutil._pslinux.boot_time, time.time
    for step in (3600.0, -3600.0):
        monkeypatch.setattr(psutil._pslinux, "boot_time", lambda step=step: boot() + step)
        monkeypatch.setattr(time, "time", lambda step=step: day() + step)
        assert Jobs(jobs.root, jobs.command).start(["time.sleep(60)"], "t").pid == job.pid
        later = jobs.start([f"time.sleep({60 + step})"], "later")
        assert job in [replace(one, progress=job.progress) for one in jobs.ahead(later)]
        jobs.kill(later)
    jobs.kill(job)


def test_a_record_of_an_older_version_has_the_time_of_day(jobs: Jobs) -> None:
    me = psutil.Process()
    write_record(jobs, "old", me.pid, me.create_time())
    assert now_id(jobs, "old").running
    write_record(jobs, "gone", me.pid, me.create_time() - 60)
    assert not now_id(jobs, "gone").running


def test_another_process_with_the_same_id_is_not_taken_for_the_worker(jobs: Jobs) -> None:
    sleeper = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        started = psutil.Process(sleeper.pid).create_time()
        write_record(jobs, "own", sleeper.pid, started)
        assert now_id(jobs, "own").running
        write_record(jobs, "recycled", sleeper.pid, started - 60)
        stranger = now_id(jobs, "recycled")
        assert stranger.state == "failed"
        assert "was killed (out of memory, or a restart?)" in stranger.message
        jobs.cancel(stranger, grace=0)
        jobs.kill(stranger)
        time.sleep(0.2)
        assert sleeper.poll() is None, "a stranger was killed"
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_job_outlives_the_server_and_is_found_again(tmp_path: Path) -> None:
    server = (
        "import os\nfrom pathlib import Path\nfrom tests.cache.test_jobs import *\n"
        f"jobs = Jobs(Path({str(tmp_path)!r}) / 'jobs', worker)\n"
        "print(jobs.start([OBEY], 'long work').id, flush=True)\nos.kill(os.getpid(), 9)"
    )
    root = Path(__file__).resolve().parents[2]
    out = subprocess.run([sys.executable, "-c", server], cwd=root, capture_output=True, text=True, check=False)
    assert out.returncode == -9, out.stderr
    jobs = Jobs(tmp_path / "jobs", worker)
    (job,) = jobs.running()
    assert (job.id, job.title) == (out.stdout.strip(), "long work")
    at_work(jobs, job)
    jobs.cancel(job)
    assert ended(jobs, job).state == "cancelled"


# -- starting twice -------------------------------------------------------------------------------------


def test_the_same_command_runs_once_at_a_time(jobs: Jobs) -> None:
    barrier, jobs_begun = threading.Barrier(8), []

    def press() -> None:
        barrier.wait()
        jobs_begun.append(jobs.start([OBEY], "t").id)

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(jobs_begun)) == 1
    (job,) = jobs.jobs()
    other = jobs.start([DEAF], "t")
    assert other.id != job.id
    at_work(jobs, job)
    jobs.cancel(job)
    ended(jobs, job)
    again = jobs.start([OBEY], "t")
    assert again.id != job.id
    assert again.running


def test_a_command_that_cannot_start_leaves_nothing(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "jobs", lambda argv, folder: ["/nowhere/python"])
    jobs_without_nice = pytest.MonkeyPatch()
    jobs_without_nice.setattr("cache.jobs.shutil.which", lambda name: None)
    try:
        with pytest.raises(OSError, match="nowhere"):
            jobs.start(["x"], "t")
    finally:
        jobs_without_nice.undo()
    assert jobs.jobs() == ()


def test_ended_jobs_can_be_forgotten_and_running_ones_not(jobs: Jobs) -> None:
    job = jobs.start([OBEY], "t")
    at_work(jobs, job)
    with pytest.raises(ValueError, match="still running: stop it first"):
        jobs.delete(job)
    jobs.cancel(job)
    jobs.delete(ended(jobs, job))
    assert jobs.job(job.id) is None


def test_a_job_is_forgotten_while_others_still_write_into_its_folder(jobs: Jobs) -> None:
    for i in range(10):
        folder, over = write_record(jobs, f"busy-{i}", 0, 0.0), threading.Event()
        writer = threading.Thread(target=keep_writing, args=(folder, over))
        writer.start()
        try:
            jobs.delete(now_id(jobs, folder.name))
            assert jobs.job(folder.name) is None
        finally:
            over.set()
            writer.join()


def keep_writing(folder: Path, over: threading.Event) -> None:
    while not over.is_set():
        with contextlib.suppress(FileNotFoundError):
            replace_file(folder / "exit.json", b"0")


def test_only_the_newest_jobs_are_remembered(jobs: Jobs) -> None:
    for i in range(60):
        write_record(jobs, f"old-{i}", 0, 0.0, created=float(i))
    job = jobs.start([OBEY], "t")
    assert len(jobs.jobs()) == 50
    assert jobs.jobs()[0].id == job.id
    assert jobs.job("old-0") is None
    assert jobs.job("old-59") is not None
    jobs.kill(job)


# -- broken records -------------------------------------------------------------------------------------


def test_broken_records_are_failures_and_never_fatal(jobs: Jobs) -> None:
    for i, content in enumerate([b"", b"{", b"[]", b'{"argv": 1}', os.urandom(50)]):
        folder = jobs.root / f"broken-{i}"
        folder.mkdir(parents=True)
        (folder / "job.json").write_bytes(content)
    (jobs.root / "a file").write_text("")
    assert [job.state for job in jobs.jobs()] == ["failed"] * 5
    folder = write_record(jobs, "torn", 0, 0.0)
    assert now_id(jobs, "torn").request == {}, "as older versions wrote it"
    for content in (b"", b"[]", b"null", b'"x"'):
        (folder / "exit.json").write_bytes(content)
        assert now_id(jobs, "torn").state == "failed"
    for content in (b"", b"{", b'{"stage": 1, "surprise": 2}', b'{"state": "odd"}'):
        (folder / "progress.json").write_bytes(content)
        assert now_id(jobs, "torn").state == "failed"


def test_a_folder_whose_server_died_while_starting_is_not_running_for_ever(jobs: Jobs) -> None:
    folder = jobs.root / "half"
    folder.mkdir(parents=True)
    assert now_id(jobs, "half").running
    os.utime(folder, (time.time() - 60,) * 2)
    assert now_id(jobs, "half").state == "failed"


def test_ids_stay_in_the_folder(jobs: Jobs) -> None:
    write_record(jobs, "inside", 0, 0.0)
    assert jobs.job("nothing") is None
    for id in ("..", "../..", "/etc", "a/b", ""):
        assert jobs.job(id) is None
