"""Jobs: the command line run in processes of their own, and what became of them.

A job is a folder jobs/<id>/ with job.json (command, process), progress.json (written by the worker), log.txt
(its output), CANCEL (the wish to stop) and exit.json (its exit code). A job survives a closed tab, a rerun and a
restart of the server, and any process that reads the folder sees the same.

Jobs queue: every worker is launched at once, and waits until all queued jobs that are older have ended
(wait_for_turn). So the queue needs no daemon and no lock, and a job that is killed frees it.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import psutil

from cache.foreign import finite, parsing, read_json, text
from cache.progress import Progress, Stopped, read_progress
from cache.store import discard, replace_file

# A process that was born at another time than recorded is another one with the same id. Older versions recorded the
# time of day, which is set now and then: numbers as large as these are such times.
BIRTH_SLACK_SECONDS, TIME_OF_DAY = 2.0, 1e9
# A folder without job.json this long after it was made was left by a server that died just then.
LAUNCH_SECONDS = 10.0
STOP_SECONDS = 1.5  # then the process is ended, and the wish has taken hold within two seconds
WAITING = "waiting"
KEPT_JOBS, KEPT_HELPERS = 50, 10
_PLACE = attrgetter("created", "id")  # in the queue
_ID = re.compile(r"[a-z0-9-]{1,100}")


def _id(value: Any) -> int:
    return int.from_bytes(int(value).to_bytes(4))  # what no system gives is refused


_RECORD: Mapping[str, Callable[[Any], Any]] = {
    "argv": lambda words: tuple(map(text, words)), "request": dict, "title": text, "created": finite, "run": text,
    "queue": bool, "pid": _id, "started": finite,
}  # fmt: skip
# Folders of workers that this process waits for: how they ended is not yet on record.
_UNREAPED: set[Path] = set()


@dataclass(frozen=True)
class Job:
    """One job as it is now. argv: arguments after `python -m engine`; request: the same as JSON, {} where an older
    version started it; created: seconds since the epoch; started: birth of its process; run: key of the run it works
    on, if known; queue: whether it waits for older jobs, and younger ones for it; state and message: of its progress;
    log: the end of its output."""

    id: str
    folder: Path
    argv: tuple[str, ...] = ()
    title: str = "Starting"
    created: float = 0.0
    run: str = ""
    pid: int = 0
    started: float = 0.0
    progress: Progress = field(default_factory=Progress)
    queue: bool = True
    request: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def state(self) -> str:
        return self.progress.state

    @property
    def running(self) -> bool:
        return self.progress.state == "running"

    @property
    def waiting(self) -> bool:
        """Whether older jobs are worked on first; progress.total says how many."""
        return self.running and self.progress.stage == WAITING

    @property
    def message(self) -> str:
        return self.progress.message

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop and has not yet."""
        return self.running and (self.folder / "CANCEL").exists()

    def log(self, size: int = 4000) -> str:
        """The last `size` bytes of its output."""
        with contextlib.suppress(FileNotFoundError), open(self.folder / "log.txt", "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read().decode("utf-8", errors="replace")
        return ""


def _engine(argv: Sequence[str], folder: Path) -> list[str]:
    return [sys.executable, "-m", "engine", *argv, "--job", str(folder)]


@dataclass(frozen=True)
class Jobs:
    """The jobs whose records lie under `root`, the folder jobs of a store's root: its parent is the cache that
    workers write to. The newest 50 are remembered, and the newest 10 that did not queue. command: what is
    executed for argv in a job's folder."""

    root: Path
    command: Callable[[Sequence[str], Path], list[str]] = _engine

    # -- starting and stopping ------------------------------------------------------------------------

    def start(
        self, argv: Sequence[str], title: str, run: str = "", queue: bool = True, request: Mapping | None = None
    ) -> Job:
        """Start `python -m engine argv` at low priority, detached from this process. queue: let older jobs end
        first; False is for short help that someone waits for, and for sweeps, which nobody should wait for. request:
        what argv asks for as JSON, kept for those who read the record.

        If the same command is already running, that job is returned: making the folder is atomic, so two
        tabs that press at once start one process. OSError if no process can be started."""
        record = {"argv": tuple(argv), "title": title, "run": run, "queue": queue, "request": dict(request or {})}
        name = hashlib.sha256(json.dumps(record["argv"]).encode()).hexdigest()[:12]
        self.root.mkdir(parents=True, exist_ok=True)
        self._forget()
        while True:
            last = max((int(f.name[-4:]) for f in self.root.glob(f"{name}-[0-9][0-9][0-9][0-9]")), default=0)
            earlier = self.job(f"{name}-{last:04d}")
            if earlier is not None and earlier.running:
                return earlier
            folder = self.root / f"{name}-{last + 1:04d}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return self._launch(folder, record)

    def cancel(self, job: Job, grace: float = STOP_SECONDS) -> None:
        """Ask a job to stop; after `grace` seconds it is killed with all its children. What it had finished
        stays. Returns at once."""
        if (current := self.job(job.id)) is None or not current.running:
            return
        (job.folder / "CANCEL").touch()
        killer = threading.Timer(grace, self.kill, [current])
        killer.daemon = True
        killer.start()

    def kill(self, job: Job) -> None:
        """End a job's process now and all that it started, on any system, if it is still its own; never the process
        that asks. Some may end meanwhile: psutil kills no other that has got their id."""
        job = self.job(job.id) or job
        own = process(job.pid, job.started)
        if own is None or own.pid == os.getpid():
            return
        family = [own]
        with contextlib.suppress(psutil.Error):
            own.suspend()  # it starts no more while its children are listed
            family += own.children(recursive=True)
        for member in family:
            with contextlib.suppress(psutil.Error):
                member.kill()

    def delete(self, job: Job) -> None:
        """Forget a job that has ended; ValueError while it runs."""
        if (current := self.job(job.id)) is not None and current.running:
            raise ValueError(f"Job {job.title!r} is still running: stop it first.")
        with contextlib.suppress(OSError):  # a cache that can only be read
            discard(job.folder, self.root)

    # -- looking --------------------------------------------------------------------------------------

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, newest first."""
        return self._of(self.root.glob("*/"))

    def running(self) -> tuple[Job, ...]:
        """The jobs that have not ended, newest first. Cheap where there is none: an end is told by one file."""
        reports = ((folder, read_progress(folder)) for folder in self.root.glob("*/"))
        open_ = (folder for folder, last in reports if last is None or last.state == "running")
        return tuple(job for job in self._of(open_) if job.running)

    def ahead(self, job: Job) -> tuple[Job, ...]:
        """The queued jobs that have not ended and are older than this one, oldest first."""
        return tuple(j for j in reversed(self.running()) if j.queue and _PLACE(j) < _PLACE(job))

    def job(self, id: str) -> Job | None:
        """One job as it is now; None if there is none of that id."""
        if not _ID.fullmatch(id):
            return None
        folder = self.root / id
        try:
            created = folder.stat().st_mtime
        except FileNotFoundError:
            return None
        try:
            # Older versions knew no queue, or kept no request.
            record = {"queue": True, "request": {}, **read_json((folder / "job.json").read_bytes())}
            with parsing("It is no record of a job"):
                job = Job(id, folder, **{name: kind(record[name]) for name, kind in _RECORD.items()})
        except FileNotFoundError:
            job = Job(id, folder, created=created)
        except (OSError, ValueError):
            state = Progress(state="failed", message="Its record is damaged. Start it again.")
            return Job(id, folder, title="Unreadable job", created=created, progress=state, queue=False)
        return replace(job, progress=_state(job))

    # -- inside ---------------------------------------------------------------------------------------

    def _of(self, folders: Iterable[Path]) -> tuple[Job, ...]:
        """The jobs in these folders, newest first."""
        jobs = (self.job(folder.name) for folder in folders)
        return tuple(sorted((job for job in jobs if job is not None), key=_PLACE, reverse=True))

    def _forget(self) -> None:
        """Make room for one more."""
        jobs = self.jobs()
        queued, helpers = [j for j in jobs if j.queue], [j for j in jobs if not j.queue]
        for old in (*queued[KEPT_JOBS - 1 :], *helpers[KEPT_HELPERS - 1 :]):
            if not old.running:
                self.delete(old)

    def _launch(self, folder: Path, record: dict[str, Any]) -> Job:
        # At low priority, so that the dashboard's sliders stay quick.
        nice = ["nice", "-n", "10"] if shutil.which("nice") else []
        # Behind all that are at work, also where the clock was set back meanwhile.
        created = max([time.time(), *(job.created + 1e-3 for job in self.running())])
        record |= {"created": created, "started": 0.0, "pid": 0}
        try:
            # Before the process: it finds its place in the queue by this record.
            replace_file(folder / "job.json", json.dumps(record).encode())
            with open(folder / "log.txt", "wb") as log:
                process = subprocess.Popen(
                    [*nice, *self.command(record["argv"], folder)],
                    cwd=Path(__file__).resolve().parent.parent,
                    # Idle threads sleep: spinning ones take the cores that the others and the browser wait for.
                    env=os.environ
                    | {"GAMMASCOPE_CACHE": str(self.root.parent), "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
                    | {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_THREAD_TIMEOUT": "4"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C in the dashboard's terminal does not reach it, on POSIX and on Windows.
                    start_new_session=True,
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                )
            record |= {"pid": process.pid, "started": birth(psutil.Process(process.pid))}
            # Waiting in a thread leaves no zombie, and the exit code tells how it ended.
            _UNREAPED.add(folder)
            threading.Thread(target=_reap, args=(process, folder), daemon=True).start()
            replace_file(folder / "job.json", json.dumps(record).encode())
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        job = self.job(folder.name)
        assert job is not None
        return job


def wait_for_turn(
    folder: Path, tell: Callable[[str, int, int], None], should_stop: Callable[[], bool], look: float = 0.3
) -> None:
    """In a worker, before it does anything: sleep while older jobs of the queue have not ended.

    tell(stage, done, total) hears "waiting", 0 and how many they are whenever that changes; Stopped is raised
    when should_stop() says so, or when the job's record is gone or was given up. A folder without a record is
    nobody's job and does not wait."""
    if not (folder / "job.json").exists():
        return
    jobs, last_report = Jobs(folder.parent), 0
    while True:
        own = jobs.job(folder.name)
        if should_stop() or own is None or not own.running:
            raise Stopped
        before = len(jobs.ahead(own)) if own.queue else 0
        if own.pid and not before:
            return
        if before != last_report:
            tell(WAITING, 0, last_report := before)
        time.sleep(look)


def _state(job: Job) -> Progress:
    # Looked at first: a worker that ends in between has written its last word by then.
    alive = job.folder in _UNREAPED or process(job.pid, job.started) is not None
    progress = read_progress(job.folder) or Progress()
    if progress.state != "running" or alive:
        return progress
    if job.pid == 0:  # its process is not yet on record
        late = abs(time.time() - job.created) >= LAUNCH_SECONDS
        return Progress(state="failed", message="It was never started. Start it again.") if late else progress
    stopped = (job.folder / "CANCEL").exists()
    state, message = ("cancelled", "Stopped. What was finished is kept.") if stopped else ("failed", _obituary(job))
    return replace(progress, state=state, seconds_left=None, message=message)


def birth(one: psutil.Process) -> float:
    """When a process began, on a clock that nobody sets: seconds since boot on Linux, which adds the time of day of the
    boot itself; elsewhere as the system wrote it down then."""
    return one.create_time() - (psutil.boot_time() if psutil.LINUX else 0.0)


def process(pid: int, born: float) -> psutil.Process | None:
    """A process by its id and its birth; None if it has ended, or if its id belongs to another by now."""
    with contextlib.suppress(psutil.Error, ValueError):
        one = psutil.Process(pid)
        own = abs((one.create_time() if born > TIME_OF_DAY else birth(one)) - born) < BIRTH_SLACK_SECONDS
        return one if own and one.status() != psutil.STATUS_ZOMBIE else None
    return None


def _reap(process: subprocess.Popen, folder: Path) -> None:
    try:
        code = process.wait()
        with contextlib.suppress(FileNotFoundError):  # forgotten meanwhile
            replace_file(folder / "exit.json", json.dumps(code).encode())
    finally:
        _UNREAPED.discard(folder)


def _obituary(job: Job) -> str:
    """Why a worker is gone that left no last word."""
    try:
        with parsing("It is no exit code"):
            code = int(json.loads((job.folder / "exit.json").read_bytes()))
        ending = f"ended with code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
    except (OSError, ValueError):
        code, ending = 0, "was killed (out of memory, or a restart?)"
    cause = " (out of memory?)" if ending.endswith("SIGKILL") else ""
    lines = job.log().strip().splitlines() if code >= 0 else []
    last = f" Its last words: {lines[-1].strip()[:300]}" if lines else ""
    return f"The worker {ending}{cause}. What was finished is kept; start it again to go on.{last}"
