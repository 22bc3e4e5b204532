"""Faults, one after the other, on a small cache: what was finished stays, nothing damaged is shown, nobody is left.

    python -m tests.chaos --seed 0 --rounds 3

A fault strikes a run that is trained and analysed. Before the work is taken up again every checkpoint and analysis that
was there must still be there, and be the undisturbed run's, bit for bit; afterwards the run must end as that one did,
with no process and no token left. Prints a table; exit code 1 where something did not hold.
"""

import argparse
import errno
import io
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np
import psutil

import cache.store
from cache.jobs import Jobs
from cache.store import Store
from engine.__main__ import main
from engine.runs import library
from tests.small import write_data

ROOT = Path(__file__).resolve().parents[1]
EPOCHS = 60
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@dataclass
class World:
    """A cache to be harmed, and the words of the work on it. twin: the same work in a cache that nothing happens to."""

    folder: Path
    rng: random.Random
    words: list[str] = field(init=False)

    def __post_init__(self) -> None:
        os.chmod(self.folder, 0o755)
        data = write_data(self.folder / "three.npz")
        checkpoints = ",".join(map(str, range(0, EPOCHS + 1, 10)))
        self.words = ["train", "--data", data, "--model", "6-5-4-3", "--device", "cpu", "--batch-size", "8"]
        self.words += ["--epochs", str(EPOCHS), "--checkpoints", checkpoints, "--stop-loss", "off", "--analyze", "all"]
        self.store, self.twin = Store(self.folder / "cache"), Store(self.folder / "twin")
        subprocess.run(self.command(self.words), env=self.environment(self.twin), cwd=ROOT, check=True, **QUIET)

    def command(self, words: list[str]) -> list[str]:
        return [sys.executable, "-m", "engine", *words]

    def environment(self, store: Store) -> dict[str, str]:
        return os.environ | {"GAMMASCOPE_CACHE": str(store.root), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}

    def start(self, words: list[str] | None = None, **more: object) -> subprocess.Popen:
        """The work in a process of its own."""
        return subprocess.Popen(
            self.command(words or self.words), env=self.environment(self.store), cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **more,
        )  # fmt: skip

    def finish(self, words: list[str] | None = None) -> None:
        """The work to its end."""
        process = self.start(words)
        _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told

    def wait(self, condition: Callable[[], bool], seconds: float = 120.0) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "what was waited for did not come"
            time.sleep(0.01)

    def finished(self, store: Store | None = None) -> dict[tuple[str, ...], dict[str, np.ndarray]]:
        """Every checkpoint and analysis that is there, by what it is; reading sets aside what is damaged."""
        store, there = store or self.store, {}
        for run in library.runs(store):
            for epoch in run.checkpoints:
                entry = store.read("runs", run.key, "checkpoints", library.checkpoint_name(epoch))
                there["weights", str(epoch)] = entry.arrays() if entry else None
            for made in library.analyses(store, run.key):
                result = library.load_analysis(store, run.key, made.key)
                arrays = result and {"H": result.eigenvalues, "C": result.diagonal("C")}
                there["analysis", str(made.request.epoch)] = arrays
        return {what: arrays for what, arrays in there.items() if arrays is not None}

    def judge(self, before: dict[tuple[str, ...], dict[str, np.ndarray]]) -> None:
        """What was there is there, and all of it is the undisturbed run's."""
        now, right = self.finished(), self.finished(self.twin)
        assert before.keys() <= now.keys(), f"lost: {sorted(before.keys() - now.keys())}"
        for what, arrays in now.items():
            assert what in right, f"nobody asked for {what}"
            for name, array in arrays.items():
                np.testing.assert_array_equal(array, right[what][name], err_msg=f"{what} {name}")

    def left(self) -> None:
        """No process of this cache, no token and no unfinished file."""
        mine = str(self.store.root)
        self.wait(lambda: not [one for one in psutil.process_iter() if _works_on(one, mine)], 10)
        names = [str(p.relative_to(self.store.root)) for p in self.store.root.rglob(".*") if p.name[:2] != ".."]
        assert not [n for n in names if n.startswith((".sweep-", ".trash-"))], names


def _works_on(one: psutil.Process, folder: str) -> bool:
    try:
        return one.pid != os.getpid() and one.environ().get("GAMMASCOPE_CACHE") == folder
    except (psutil.Error, OSError):
        return False


@contextmanager
def here(store: Store) -> Iterator[None]:
    """This process works on a cache."""
    with mock.patch.dict(os.environ, {"GAMMASCOPE_CACHE": str(store.root)}):
        yield


@contextmanager
def quiet() -> Iterator[io.StringIO]:
    """What is said on a terminal meanwhile."""
    told = io.StringIO()
    with redirect_stdout(told), redirect_stderr(told):
        yield told


# -- faults: each leaves the cache as it is right after it ---------------------


def killed_worker(world: World) -> None:
    """The process that trains and analyses is killed, three times over."""
    for _ in range(3):
        process = world.start()
        time.sleep(world.rng.uniform(1.5, 6.0))
        process.kill()
        process.communicate()
        before = world.finished()
        world.judge(before)


def killed_server(world: World) -> None:
    """The dashboard's process is killed; its job goes on, and another dashboard finds it."""
    code = (
        "import sys, time; from pathlib import Path; from cache.jobs import Jobs\n"
        "print(Jobs(Path(sys.argv[1])).start(sys.argv[2:], 't').id, flush=True); time.sleep(600)"
    )
    jobs = Jobs(world.store.root / "jobs")
    argv = [sys.executable, "-c", code, str(jobs.root), *world.words]
    with subprocess.Popen(argv, cwd=ROOT, env=world.environment(world.store), stdout=-1, text=True) as server:
        assert server.stdout is not None
        id = server.stdout.readline().strip()
        server.kill()
    job = jobs.job(id)
    assert job is not None
    assert job.running
    world.wait(lambda: not jobs.running(), 300)
    assert jobs.job(id).state == "done"


def killed_sweep(world: World) -> None:
    """A sweep of two workers is killed; both end, and the next one leaves no token of the first."""
    sweep = world.folder / "two.toml"
    plan = f'data = "{world.words[2]}", widths = [6, 5, 4, 3], batch_size = 8, stop_loss = "off", window = 15'
    sweep.write_text(f'name = "Two"\n[[grid]]\nset = {{ {plan}, epochs = 30 }}\nvary = {{ seed = [1, 2] }}\n')
    process = world.start(["sweep", str(sweep), "--workers", "2", "--device", "cpu"])
    world.wait(lambda: len(world.store.list("runs")) > 0)
    time.sleep(world.rng.uniform(0.0, 2.0))
    process.kill()
    process.communicate()
    world.wait(lambda: not [p for p in psutil.process_iter() if _works_on(p, str(world.store.root))], 30)
    world.finish(["sweep", str(sweep), "--workers", "2", "--device", "cpu"])
    for run in library.runs(world.store):
        world.store.delete("runs", run.key)


def full_disk(world: World) -> None:
    """The disk has room for so many bytes more, from none to all that are needed: a sentence, and nothing is lost."""
    budget, spent, plain = 0, 0, cache.store.replace_file

    def write(path: Path, content: bytes, durable: bool = False) -> None:
        nonlocal spent
        spent += len(content)
        if spent > budget:
            path.with_name(f".{path.name}.torn").write_bytes(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        plain(path, content, durable)

    while True:
        spent, before = 0, world.finished()
        with here(world.store), mock.patch.object(cache.store, "replace_file", write), quiet() as told:
            code = main(world.words)
        assert code == 0 or "The disk has no room left" in told.getvalue(), told.getvalue()
        world.judge(before)
        if code == 0:
            return
        budget = int(budget * world.rng.uniform(1.5, 2.5)) + 500


def locked_cache(world: World) -> None:
    """The cache can only be read, and an entry is damaged: what is sound is shown, work says what is locked."""
    world.finish()
    run = library.find(world.store)
    analysis = library.analyses(world.store, run.key)[0].key
    manifest = world.store.root / "runs" / run.key / "analyses" / analysis / "manifest.json"
    sound = manifest.read_bytes()
    manifest.write_bytes(b"{")

    def refused(path: object, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    locked = [mock.patch.object(cache.store, "replace_file", refused), mock.patch.object(os, "replace", refused)]
    for words, code, sentence in ((["runs"], 0, "1 run in"), ([*world.words, "--seed", "9"], 1, "may not be written")):
        with ExitStack() as stack:
            for one in (here(world.store), *locked):
                stack.enter_context(one)
            told = stack.enter_context(quiet())
            assert main(words) == code, told.getvalue()
            assert sentence in told.getvalue(), told.getvalue()
    manifest.write_bytes(sound)


def set_clock(world: World) -> None:
    """The clock is set by an hour, forth and back: a job at work stays known, and is not started twice."""
    jobs, day, boot = Jobs(world.store.root / "jobs"), time.time, psutil._pslinux.boot_time if psutil.LINUX else None
    if boot is None:
        return
    job = jobs.start(world.words, "t")
    for step in (3600.0, -3600.0):
        with (
            mock.patch.object(time, "time", lambda step=step: day() + step),
            mock.patch.object(psutil._pslinux, "boot_time", lambda step=step: boot() + step),
        ):
            assert jobs.start(world.words, "t").pid == job.pid
    world.wait(lambda: not jobs.running(), 300)


def deleted_run(world: World) -> None:
    """The run is deleted while its worker trains it."""
    process = world.start()
    world.wait(lambda: bool(library.runs(world.store)) and len(library.find(world.store).checkpoints) > 1)
    time.sleep(world.rng.uniform(0.0, 1.0))
    world.store.delete("runs", library.find(world.store).key)
    process.communicate(timeout=300)
    world.judge({})


def two_terminals(world: World) -> None:
    """Two terminals and a dashboard ask for the same at the same time."""
    jobs = Jobs(world.store.root / "jobs")
    processes = [world.start(), world.start()]
    jobs.start(world.words, "t")
    for process in processes:
        _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told
    world.wait(lambda: not jobs.running(), 300)


FAULTS = (killed_worker, killed_server, killed_sweep, full_disk, locked_cache, set_clock, deleted_run, two_terminals)


def trial(fault: Callable[[World], None], seed: int) -> str:
    """One fault and what follows; an empty string, or what did not hold."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), random.Random(seed))
        try:
            fault(world)
            before = world.finished()
            world.judge(before)
            world.finish()
            world.judge(before)
            assert world.finished().keys() == world.finished(world.twin).keys()
            world.left()
        except Exception as error:
            return f"{type(error).__name__}: {str(error)[:300]}"
        finally:
            for one in psutil.process_iter():
                if _works_on(one, str(world.store.root)):
                    one.send_signal(signal.SIGTERM)
        return ""


def run(rounds: int, seed: int, faults: tuple[Callable[[World], None], ...] = FAULTS) -> int:
    """All faults, so many times each; the number that did not hold."""
    wrong = 0
    for fault in faults:
        ends = [trial(fault, 1000 * seed + i) for i in range(rounds)]
        bad = [end for end in ends if end]
        wrong += len(bad)
        held = f"{rounds - len(bad)} of {rounds} held" + (f"; {bad[0]}" if bad else "")
        print(f"{fault.__name__.replace('_', ' '):14}  {held}  {(fault.__doc__ or '').splitlines()[0]}", flush=True)
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=[fault.__name__ for fault in FAULTS], default=None)
    typed = parser.parse_args()
    chosen = tuple(fault for fault in FAULTS if typed.only in (None, fault.__name__))
    sys.exit(bool(run(typed.rounds, typed.seed, chosen)))
