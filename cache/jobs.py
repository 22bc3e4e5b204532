"""Jobs: the command line run in processes of their own, and what became of them.

A job is a folder jobs/<id>/ with job.json (command, process), progress.json (written by the worker), log.txt
(its output) and CANCEL (the wish to stop). Nothing about a job lives in this process: it survives a closed
tab, a rerun and a restart of the server, and any process that reads the folder sees the same.

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from cache.progress import Progress, Stopped, read_progress
from cache.store import replace_file

# A process id whose process began at another time than recorded belongs to another process. The slack covers
# the clock's adjustments.
START_SLACK_SECONDS = 2.0
# A folder without job.json this long after it was made was left by a server that died just then.
LAUNCH_SECONDS = 10.0
STOP_SECONDS = 1.5  # then the process is ended, and the wish has taken hold within two seconds
WAITING = "waiting"
LOOK_SECONDS = 0.3
LOG_TAIL_BYTES = 4000
KEPT_JOBS, KEPT_HELPERS = 50, 10
_ID = re.compile(r"[a-z0-9-]{1,100}")


@dataclass(frozen=True)
class Job:
    """One job as it is now. argv: arguments after `python -m engine`; created: seconds since the epoch;
    run: key of the run it works on, if known; queue: whether it waits for older jobs, and younger ones for it;
    state and message as in progress: "running", "done", "failed" or "cancelled", with a sentence for what went
    wrong; log: the end of its output."""

    id: str
    folder: Path
    argv: tuple[str, ...]
    title: str
    created: float
    run: str
    pid: int
    started: float
    progress: Progress
    queue: bool = True

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

    def log(self, size: int = LOG_TAIL_BYTES) -> str:
        """The last `size` bytes of its output."""
        try:
            with open(self.folder / "log.txt", "rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - size))
                return file.read().decode("utf-8", errors="replace")
        except FileNotFoundError:
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

    def start(self, argv: Sequence[str], title: str, run: str = "", queue: bool = True) -> Job:
        """Start `python -m engine argv` at low priority, detached from this process. queue: let older jobs end
        first; False is for short help that someone waits for, and for sweeps, which nobody should wait for.

        If the same command is already running, that job is returned: making the folder is atomic, so two
        tabs that press at once start one process. OSError if no process can be started."""
        argv = tuple(argv)
        name = hashlib.sha256(json.dumps(argv).encode()).hexdigest()[:12]
        self.root.mkdir(parents=True, exist_ok=True)
        while True:
            earlier = sorted(int(f.name[-4:]) for f in self.root.glob(f"{name}-[0-9][0-9][0-9][0-9]"))
            if earlier:
                last = self.job(f"{name}-{earlier[-1]:04d}")
                if last is not None and last.running:
                    return last
            folder = self.root / f"{name}-{earlier[-1] + 1 if earlier else 1:04d}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            self._forget()
            return self._launch(folder, argv, title, run, queue)

    def cancel(self, job: Job, grace: float = STOP_SECONDS) -> None:
        """Ask a job to stop; after `grace` seconds it is killed with all its children. What it had finished
        stays. Returns at once."""
        current = self.job(job.id)
        if current is None or not current.running:
            return
        (job.folder / "CANCEL").touch()
        killer = threading.Timer(grace, self.kill, [current])
        killer.daemon = True
        killer.start()

    def kill(self, job: Job) -> None:
        """End a job's processes now, if they are still its own; never the process that asks."""
        current = self.job(job.id) or job
        process = _process(current.pid, current.started)
        if process is not None and process.pid != os.getpid():
            _end_tree(process)

    def delete(self, job: Job) -> None:
        """Forget a job that has ended; ValueError while it runs."""
        current = self.job(job.id)
        if current is not None and current.running:
            raise ValueError(f"Job {job.title!r} is still running: stop it first.")
        shutil.rmtree(job.folder, ignore_errors=True)

    # -- looking --------------------------------------------------------------------------------------

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, newest first."""
        if not self.root.is_dir():
            return ()
        entries = (self.job(folder.name) for folder in self.root.iterdir() if folder.is_dir())
        return tuple(sorted((job for job in entries if job is not None), key=lambda j: j.created, reverse=True))

    def running(self) -> tuple[Job, ...]:
        """The jobs that have not ended, newest first. Cheap where there is none: an end is told by one file."""
        if not self.root.is_dir():
            return ()
        reports = ((folder, read_progress(folder)) for folder in self.root.iterdir() if folder.is_dir())
        open_ = (self.job(folder.name) for folder, last in reports if last is None or last.state == "running")
        running = (job for job in open_ if job is not None and job.running)
        return tuple(sorted(running, key=lambda j: j.created, reverse=True))

    def ahead(self, job: Job) -> tuple[Job, ...]:
        """The queued jobs that have not ended and are older than this one, oldest first."""
        older = (j for j in self.running() if j.queue and j.id != job.id and _place(j) < _place(job))
        return tuple(sorted(older, key=_place))

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
            record = json.loads((folder / "job.json").read_bytes())
            job = Job(
                id=folder.name,
                folder=folder,
                argv=tuple(record["argv"]),
                title=str(record["title"]),
                created=float(record["created"]),
                run=str(record["run"]),
                pid=int(record["pid"]),
                started=float(record["started"]),
                progress=Progress(),
                queue=bool(record.get("queue", True)),
            )
        except FileNotFoundError:
            job = Job(folder.name, folder, (), "Starting", 0.0, "", 0, created, Progress())
        except (OSError, ValueError, KeyError, TypeError):
            state = Progress(state="failed", message="Its record is damaged. Start it again.")
            return Job(folder.name, folder, (), "Unreadable job", created, "", 0, 0.0, state, queue=False)
        return replace(job, progress=self._state(job))

    # -- inside ---------------------------------------------------------------------------------------

    def _forget(self) -> None:
        """Make room for one more."""
        jobs = self.jobs()
        queued, helpers = [j for j in jobs if j.queue], [j for j in jobs if not j.queue]
        for old in (*queued[KEPT_JOBS - 1 :], *helpers[KEPT_HELPERS - 1 :]):
            if not old.running:
                self.delete(old)

    def _launch(self, folder: Path, argv: tuple[str, ...], title: str, run: str, queue: bool) -> Job:
        # Idle threads sleep: spinning ones take the cores that the other threads and the browser wait for.
        environment = os.environ | {
            "PYTHONUNBUFFERED": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            "OPENBLAS_THREAD_TIMEOUT": "4",
            "GAMMASCOPE_CACHE": str(self.root.parent),
        }
        now = time.time()
        record = {"argv": argv, "title": title, "created": now, "run": run, "queue": queue, "pid": 0, "started": now}
        try:
            # Before the process: it finds its place in the queue by this record.
            replace_file(folder / "job.json", json.dumps(record).encode())
            with open(folder / "log.txt", "wb") as log:
                process = subprocess.Popen(
                    _nice(self.command(argv, folder)),
                    cwd=Path(__file__).resolve().parent.parent,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C in the dashboard's terminal does not reach it, on POSIX and on Windows.
                    start_new_session=True,
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                )
            record |= {"pid": process.pid, "started": psutil.Process(process.pid).create_time()}
            replace_file(folder / "job.json", json.dumps(record).encode())
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        # Waiting in a thread leaves no zombie, and the exit code tells how it ended.
        threading.Thread(target=_reap, args=(process, folder), daemon=True).start()
        job = self.job(folder.name)
        assert job is not None
        return job

    def _state(self, job: Job) -> Progress:
        # Looked at first: a worker that ends in between has written its last word by then.
        alive = _process(job.pid, job.started) is not None
        progress = read_progress(job.folder) or Progress()
        if progress.state != "running" or alive:
            return progress
        if job.pid == 0:  # its process is not yet on record
            if time.time() - job.started < LAUNCH_SECONDS:
                return progress
            return Progress(state="failed", message="It was never started. Start it again.")
        if (job.folder / "CANCEL").exists():
            return replace(
                progress, state="cancelled", seconds_left=None, message="Stopped. What was finished is kept."
            )
        return replace(progress, state="failed", seconds_left=None, message=_obituary(job))


def wait_for_turn(
    folder: Path, tell: Callable[[str, int, int], None], should_stop: Callable[[], bool], look: float = LOOK_SECONDS
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
        if own.pid and not own.queue:
            return
        before = len(jobs.ahead(own))
        if own.pid and not before:
            return
        if before and before != last_report:
            last_report = before
            tell(WAITING, 0, before)
        time.sleep(look)


def _place(job: Job) -> tuple[float, str]:
    """Where a job stands in the queue."""
    return job.created, job.id


def _nice(command: list[str]) -> list[str]:
    """The command at low priority, so that the dashboard's sliders stay quick."""
    nice = shutil.which("nice")
    return [nice, "-n", "10", *command] if nice else command


def _process(pid: int, started: float) -> psutil.Process | None:
    """The process of that id that began then; None if it has ended, or if its id belongs to another by now."""
    if pid <= 0:
        return None
    try:
        process = psutil.Process(pid)
        own = abs(process.create_time() - started) < START_SLACK_SECONDS and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return None
    return process if own else None


def _end_tree(process: psutil.Process) -> None:
    """End a process and all that it started, on any system. Some may end meanwhile: psutil knows a process by its id
    and the time it began, and kills no other that has got the id."""
    family = [process]
    with contextlib.suppress(psutil.Error):
        process.suspend()  # it starts no more while its children are listed
        family += process.children(recursive=True)
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.kill()


def _reap(process: subprocess.Popen, folder: Path) -> None:
    code = process.wait()
    if folder.is_dir():
        replace_file(folder / "exit.json", json.dumps(code).encode())


def _obituary(job: Job) -> str:
    """Why a worker is gone that left no last word."""
    try:
        code = json.loads((job.folder / "exit.json").read_bytes())
    except (OSError, ValueError):
        code = None
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        cause = " (out of memory?)" if name == "SIGKILL" else ""
        return f"The worker was killed by {name}{cause}. What was finished is kept; start it again to go on."
    ending = f"ended with code {code}" if code is not None else "was killed (out of memory, or a restart?)"
    lines = [line for line in job.log().splitlines() if line.strip()]
    last = f" Its last words: {lines[-1].strip()[:300]}" if lines else ""
    return f"The worker {ending}. What was finished is kept; start it again to go on.{last}"
