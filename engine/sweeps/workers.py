"""The work of a sweep: every cell trained, analysed and measured, on any `concurrent.futures.Executor`.

    fill(store, sweep, partial(local, workers=2))          # processes of this computer
    with dask("tcp://localhost:8786") as pool:             # of a Dask cluster
        fill(store, sweep, pool)

All that is finished lies in the cache under its own key, so that whatever ends the sweep (a stop, a killed worker,
a power cut) loses no finished epoch, and the same call goes on. Workers share nothing but the folder of the cache.
"""

import contextlib
import multiprocessing
import os
import pickle
import platform
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from dataclasses import replace
from importlib.metadata import version
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import torch

from cache.jobs import birth, process
from cache.progress import Stopped
from cache.store import Store
from engine.config.requests import key
from engine.device import device_name, resolve
from engine.progress import Progress, silent
from engine.runs import library
from engine.runs.pipeline import Pipeline
from engine.sweeps import rows, status
from engine.sweeps.grid import Cell, Sweep
from engine.units import cores, host

LOOK_SECONDS = 0.3
# Pools that break one after another before any cell is done: then it is not bad luck.
BROKEN_POOLS = 3


def fill(
    store: Store,
    sweep: Sweep,
    pool: Callable[[], Executor],
    device: str = "auto",
    progress: Progress = silent,
    should_stop: Callable[[], bool] = lambda: False,
    download: bool = False,
) -> tuple[status.State, ...]:
    """Do what is not yet done, and return every cell as it then is. A cell that fails keeps its sentence and the
    others go on. progress hears ("cells", measured, all of them); Stopped is raised when should_stop() says so.

    Cells of one run are one piece of work: no run is trained by two workers."""
    open_ = [c for c in sweep.cells if status.state(store, c).row is None]
    work: dict[str, list[Cell]] = {}
    for cell in open_:
        work.setdefault(key(cell.run), []).append(cell)
    for cell in open_:
        status.forget_failure(store, cell)
    done, waiting, broken = len(sweep.cells) - len(open_), list(work.values()), 0
    progress("cells", done, len(sweep.cells))
    with _token(store) as token:
        while waiting:
            before = len(waiting)
            with contextlib.closing(_Handed(pool(), store, sweep.name, waiting, device, download, token)) as handed:
                for some in handed.ended(should_stop):
                    waiting.remove(some)
                    done += len(some)
                    progress("cells", done, len(sweep.cells))
            broken = broken + 1 if len(waiting) == before else 0
            if broken == BROKEN_POOLS:
                sentence = (
                    "A worker was killed again and again, perhaps for want of memory. Use fewer workers or samples; "
                    "what was finished is kept."
                )
                for some in waiting:
                    _fail(store, some, sentence)
                break
    return status.states(store, sweep)


def local(workers: int) -> Executor:
    """Processes of this computer, its cores shared out among them."""
    # Spawned: a forked child inherits torch's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    share = max(1, cores() // workers)
    return ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(share,))


@contextlib.contextmanager
def dask(address: str) -> Iterator[Callable[[], Executor]]:
    """Executors on the Dask cluster whose scheduler is at `address`. Its workers are started in a checkout of this
    project and see the same cache folder. ValueError where there is none, or the package is missing."""
    try:
        from distributed import Client  # an extra: only a cluster needs it
    except ImportError as error:
        raise ValueError("A cluster needs the package distributed: pip install distributed.") from error
    try:
        client = Client(address, timeout="5s")
    except (OSError, ValueError) as error:
        raise ValueError(
            f"No Dask scheduler answers at {address} ({error}). Start one with dask scheduler, and workers with "
            "dask worker, or leave --scheduler out."
        ) from error
    try:
        yield lambda: _Checkouts(client.get_executor(pure=False))
    finally:
        client.close()


class _Checkouts(Executor):
    """An executor whose workers were started in checkouts of this project, which is not on their path: neither is the
    folder a process is started in, nor is the project installed."""

    def __init__(self, inner: Executor) -> None:
        self.inner = inner

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The work as bytes: the scheduler passes them on without importing what they speak of. Returns nothing."""
        return self.inner.submit(exec, _IN_A_CHECKOUT, {"packed": pickle.dumps((fn, args, kwargs))})

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Dask's own gives up what is still pending unless it is waited for."""
        self.inner.shutdown(wait=wait and not cancel_futures)


# A text and no function: a function of this module would be looked for by its name, before it can be found.
_IN_A_CHECKOUT = """
import importlib.util, os, pickle, sys

if importlib.util.find_spec("engine") is None:
    sys.path.insert(0, os.getcwd())
if importlib.util.find_spec("engine") is None:
    raise ModuleNotFoundError(
        f"A worker was started in {os.getcwd()}, which is no checkout of this project. Start it in one."
    )
fn, args, kwargs = pickle.loads(packed)
fn(*args, **kwargs)
"""


def _begin(share: int) -> None:
    # Ctrl-C reaches every process of a terminal; the sweep itself tells its workers to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(share)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed sweep takes no token away, and a pool's process waits for more work forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # of a pool
    wait_for([parent.sentinel])
    os._exit(1)


@contextlib.contextmanager
def _token(store: Store) -> Iterator[Path]:
    """A file that is there as long as this sweep goes on: workers anywhere stop when it is gone. Those of sweeps that
    were killed on this machine go first."""
    store.root.mkdir(parents=True, exist_ok=True)
    for left in store.root.glob(".sweep-*"):
        with contextlib.suppress(OSError, ValueError):
            machine, pid, born = left.read_text(encoding="utf-8").split("\n")
            if machine == platform.node() and process(int(pid), float(born)) is None:
                left.unlink()
    token = store.root / f".sweep-{secrets.token_hex(8)}"
    token.write_text(f"{platform.node()}\n{os.getpid()}\n{birth(psutil.Process())}", encoding="utf-8")
    try:
        yield token
    finally:
        token.unlink(missing_ok=True)


class _Handed:
    """Work given to one executor."""

    def __init__(
        self,
        executor: Executor,
        store: Store,
        sweep: str,
        work: Sequence[list[Cell]],
        device: str,
        download: bool,
        token: Path,
    ) -> None:
        self.executor, self.store, self.token = executor, store, token
        given = (tuple(some) for some in work)
        self.futures: dict[Future[None], list[Cell]] = {
            executor.submit(_work, cells_, sweep, str(store.root), device, download, str(token)): list(cells_)
            for cells_ in given
        }

    def ended(self, should_stop: Callable[[], bool]) -> Iterator[list[Cell]]:
        """The cells that are done with, measured or failed, as they end; not those whose worker died under them."""
        pending = set(self.futures)
        while pending:
            ended, pending = wait(pending, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
            for future in ended:
                error = CancelledError() if future.cancelled() else future.exception()
                if isinstance(error, BrokenExecutor | CancelledError):
                    continue
                if error is not None:
                    _fail(self.store, self.futures[future], f"{type(error).__name__}: {error}")
                yield self.futures[future]
            if should_stop():
                raise Stopped

    def close(self) -> None:
        """What waits is given up; what is at work sees that its token is gone."""
        for future in self.futures:
            future.cancel()
        self.executor.shutdown(wait=False)


def _fail(store: Store, some: Sequence[Cell], sentence: str) -> None:
    for cell in some:
        if status.state(store, cell).row is None:
            status.keep_failure(store, cell, " ".join(sentence.split()))


def _work(some: Sequence[Cell], sweep: str, root: str, device: str, download: bool, token: str) -> None:
    """In a worker: train the run of these cells, analyse it as each asks, measure."""
    store = Store(Path(root))
    pipeline = Pipeline(store, device, should_stop=lambda: not Path(token).exists(), download=download)
    for cell in some:
        try:
            _measure(pipeline, cell, sweep)
        except Stopped:
            return
        except (ValueError, TypeError, OSError, MemoryError) as error:
            status.keep_failure(store, cell, str(error) or type(error).__name__)


def _measure(pipeline: Pipeline, cell: Cell, sweep: str) -> None:
    status.begin(pipeline.store, cell, key(cell.run, pipeline.fitting(cell.run).fingerprint), sweep)
    run = library.find(pipeline.store, pipeline.train(cell.run))
    request = replace(cell.analysis, run=run.key, epoch=run.last_epoch)
    last = pipeline.analyze(request)
    for epoch in library.chosen_epochs(cell.analyze, run):
        if epoch != run.last_epoch:
            pipeline.analyze(replace(cell.analysis, run=run.key, epoch=epoch))
    where = resolve(pipeline.device)
    machine = host() if where.type == "cpu" else device_name(where)
    held = None if len(request.layers) > 1 else pipeline.cross_fit(request, splits=1)
    status.keep(pipeline.store, cell, rows.measure(last, run, cell, run.last_epoch, machine, _version(), held))


def _version() -> str:
    """Of this program and of torch: its commit, where it runs from a checkout."""
    here = Path(__file__).parent
    try:
        asked = ["git", "-C", str(here), "rev-parse", "--short=10", "HEAD"]
        commit = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        commit = "unknown"
    return f"commit {commit}, torch {version('torch')}"
