"""engine.sweeps.workers: an interrupted sweep goes on, a known cell costs nothing, no cell is lost or doubled."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Thread

import numpy as np
import psutil
import pytest

from cache.progress import Stopped
from cache.store import Store
from engine.runs import library
from engine.runs.pipeline import Pipeline
from engine.sweeps import status, workers
from engine.sweeps.grid import Sweep, read
from engine.sweeps.means import groups, mean
from engine.sweeps.rows import Law, identity, row_identity
from tests.engine.runs.test_pipeline import assert_same_run
from tests.small import write_data

ROOT = Path(__file__).resolve().parents[3]
GRID = """
name = "Small"
[[grid]]
vary = {{ loss = ["ce", "mse"], seed = [0, 1] }}
[grid.set]
data = "{data}"
widths = [6, 5, 4, 3]
epochs = {epochs}
batch_size = 8
checkpoints = [0, 2]
stop_loss = "off"
window = 15
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "contents")


@pytest.fixture
def grid(tmp_path: Path) -> Callable[[int], Sweep]:
    data = write_data(tmp_path / "three.npz")
    return lambda epochs: read(GRID.format(data=data, epochs=epochs))


class Inline(Executor):
    """Does the work at once, in this process."""

    def __init__(self) -> None:
        self.given = 0

    def submit(self, fn, /, *args, **kwargs):
        self.given += 1
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def fill(store: Store, sweep: Sweep, pool: Callable[[], Executor] = Inline, **more) -> tuple[status.State, ...]:
    return workers.fill(store, sweep, pool, "cpu", **more)


def numbers(states: tuple[status.State, ...]) -> list[Law]:
    assert all(state.row is not None for state in states)
    return [state.row.laws["C"] for state in states if state.row is not None]


def test_every_cell_is_trained_analysed_and_measured(store: Store, grid) -> None:
    sweep, heard = grid(3), []
    states = fill(store, sweep, progress=lambda *progress: heard.append(progress))
    assert heard == [("cells", done, 4) for done in range(5)]
    assert states == status.states(store, sweep)
    for state in states:
        run = library.asked(library.runs(store), state.cell.run)
        assert run is not None
        assert run.finished
        (made,) = library.analyses(store, run.key)
        result = library.load_analysis(store, run.key, made.key)
        assert result is not None
        row = state.row
        assert row is not None
        assert (row.run, row.epoch, row.seed, row.samples) == (run.key, 3, state.cell.run.seed, 120)
        fit = result.fit("C", 15)
        law = row.laws["C"]
        assert (law.gamma, law.n) == (fit.gamma, fit.n)
        assert law.commutator == result.commutator("C")
        assert row.train_accuracy == run.history.train_accuracy[-1]
        assert "--seed 1" in row.command or row.seed == 0
        assert row_identity(row) == identity(state.cell)


def test_what_is_known_costs_nothing(store: Store, grid) -> None:
    sweep = grid(3)
    first = fill(store, sweep)
    pool = Inline()
    assert fill(store, sweep, lambda: pool) == first
    assert pool.given == 0
    # A longer sweep does only what is new: here nothing is trained again.
    before = store.version("runs")
    wider = read(sweep.text.replace("window = 15", "window = 10"))
    again = fill(store, wider)
    assert store.version("runs") == before
    assert [law.n for law in numbers(again)] == [10] * 4


def test_a_stopped_sweep_goes_on_where_it_was(store: Store, grid, tmp_path: Path) -> None:
    sweep, heard = grid(6), []

    def stop() -> bool:
        return len(heard) > 2

    with pytest.raises(Stopped):
        fill(store, sweep, progress=lambda *progress: heard.append(progress), should_stop=stop)
    kept = [state for state in status.states(store, sweep) if state.row is not None]
    assert 0 < len(kept) < 4 or len(heard) == 5
    states = fill(store, sweep)
    whole = fill(Store(tmp_path / "other"), sweep)
    assert [law.gamma for law in numbers(states)] == [law.gamma for law in numbers(whole)]
    assert not list(store.root.glob(".sweep-*"))


def test_workers_stop_between_epochs_when_the_sweep_is_gone(store: Store, grid) -> None:
    """So that a killed or stopped sweep leaves nobody at work; what they had reached is kept."""
    sweep = grid(100_000)

    def stop() -> bool:
        states = status.states(store, sweep)
        return any(state.epoch >= 2 for state in states)

    began = time.monotonic()
    with pytest.raises(Stopped), ThreadPoolExecutor(1) as pool:
        fill(store, sweep, lambda: pool, should_stop=stop)
    assert time.monotonic() - began < 60
    reached = [state for state in status.states(store, sweep) if state.epoch >= 2]
    assert reached
    assert not any(state.trained for state in reached)


def test_workers_of_a_killed_sweep_stop_too(store: Store, grid, tmp_path: Path) -> None:
    """Killed, it takes no token away."""
    sweep = grid(100_000)
    file = tmp_path / "long.toml"
    file.write_text(sweep.text)
    killed = subprocess.Popen(
        [sys.executable, "-m", "engine", "sweep", str(file), "--workers", "1"],
        cwd=ROOT,
        env=os.environ | {"GAMMASCOPE_CACHE": str(store.root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(lambda: any(state.epoch >= 2 for state in status.states(store, sweep)))
        children = psutil.Process(killed.pid).children(recursive=True)
        assert children
    finally:
        killed.kill()
        killed.wait()
    assert not psutil.wait_procs(children, timeout=30)[1]


def test_cells_of_one_run_are_one_piece_of_work(store: Store, grid) -> None:
    text = grid(3).text.replace("seed = [0, 1] }", 'layer = ["fc1", "fc2"] }')
    pool = Inline()
    states = fill(store, read(text), lambda: pool)
    assert pool.given == 2
    assert len(store.list("runs")) == 2
    assert [state.row.layer for state in states if state.row] == ["fc1", "fc2"] * 2


def test_every_checkpoint_is_analysed_where_it_is_asked(store: Store, grid) -> None:
    text = grid(3).text.replace("window = 15", 'window = 15\nanalyze = ["last", "all"]')
    for state in fill(store, read(text)):
        assert state.row is not None
        made = library.analyses(store, state.row.run)
        assert [a.request.epoch for a in made] == [0, 2, 3]
        assert state.row.epoch == 3


def test_a_cell_that_fails_says_why_and_the_others_go_on(store: Store, grid, tmp_path: Path) -> None:
    good = grid(2)
    text = good.text + f"[[grid]]\nset = {{ data = '{tmp_path / 'three.npz'}', widths = [7, 5, 3] }}\n"
    sweep = read(text)
    *fine, wrong = fill(store, sweep)
    assert all(state.row is not None for state in fine)
    assert wrong.row is None
    assert "The network takes 7 inputs" in wrong.failure
    # It is tried again; and one that works then has no failure left.
    write_data(tmp_path / "three.npz", seed=1)
    assert "The network takes 7 inputs" in fill(store, sweep)[-1].failure


def test_new_data_of_the_same_name_are_measured_anew(store: Store, grid, tmp_path: Path) -> None:
    sweep = grid(2)
    old = numbers(fill(store, sweep))
    write_data(tmp_path / "three.npz", seed=1)
    assert [state.row for state in status.states(store, sweep)] == [None] * 4
    assert all(a.gamma != b.gamma for a, b in zip(numbers(fill(store, sweep)), old, strict=True))


def test_processes_share_the_work_and_a_killed_one_is_replaced(store: Store, grid) -> None:
    sweep, pools = grid(150), []

    def pool() -> Executor:
        pools.append(workers.local(2))
        return pools[-1]

    def kill() -> None:
        _wait(lambda: any(state.epoch >= 5 for state in status.states(store, sweep)))
        assert isinstance(pools[0], ProcessPoolExecutor)
        os.kill(next(iter(pools[0]._processes)), signal.SIGKILL)

    killer = Thread(target=kill)
    killer.start()
    states = fill(store, sweep, pool)
    killer.join()
    assert len(pools) == 2
    numbers(states)
    assert len(store.list("runs")) == 4


def test_a_pool_that_always_breaks_ends_in_a_sentence(store: Store, grid) -> None:
    states = fill(store, grid(2), partial(ProcessPoolExecutor, 1, initializer=os._exit, initargs=(1,)))
    assert all("A worker was killed again and again" in state.failure for state in states)


@pytest.fixture
def cluster(tmp_path: Path):
    """Starts a Dask cluster of two workers as a person does, from a terminal; gives its address and its
    workers."""
    from distributed import Client

    dask = str(Path(sys.executable).with_name("dask"))
    # What a test process has on its path must not help.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    started: list[subprocess.Popen] = []

    def begin(*words: str, folder: Path = ROOT) -> subprocess.Popen:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen([dask, *words], cwd=folder, env=env, **quiet))
        return started[-1]

    def start(folder: Path = ROOT) -> tuple[str, list[subprocess.Popen]]:
        scheduler = tmp_path / "scheduler.json"
        begin(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(scheduler),
            folder=tmp_path,
        )  # fmt: skip
        _wait(lambda: scheduler.is_file() and scheduler.stat().st_size > 0)
        address = json.loads(scheduler.read_text())["address"]
        worker = ("worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory")
        processes = [begin(*worker, str(tmp_path / f"worker{n}"), folder=folder) for n in range(2)]
        with Client(address) as client:
            client.wait_for_workers(len(processes), timeout=60)
        return address, processes

    yield start
    for process in started[::-1]:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_dask_cluster_loses_and_doubles_nothing_when_a_worker_is_killed(
    store: Store, grid, tmp_path: Path, cluster
) -> None:
    sweep = grid(300)
    finished: list[dict[str, str]] = []
    address, processes = cluster()

    def kill() -> None:
        _wait(lambda: any(5 <= state.epoch < 290 for state in status.states(store, sweep)))
        finished.append(_written(store, sweep))
        processes[0].send_signal(signal.SIGKILL)

    killer = Thread(target=kill)
    killer.start()
    with workers.dask(address) as pool:
        states = fill(store, sweep, pool)
    killer.join()
    numbers(states)
    # Not lost: each run went on to the weights it would have had. Not doubled: one run, one analysis a cell, and
    # none that was done before is done again.
    alone = Store(tmp_path / "alone")
    for state in states:
        run = Pipeline(alone, "cpu").train(state.cell.run)
        assert_same_run(store, alone, run)
        assert len(library.analyses(store, run)) == 1
    assert len(store.list("runs")) == len(states) == 4
    assert finished[0].items() <= _written(store, sweep).items()


def test_workers_that_are_no_checkout_say_where_they_are(store: Store, grid, tmp_path: Path, cluster) -> None:
    if not subprocess.run(
        [sys.executable, "-c", "import engine"], cwd=tmp_path, check=False, capture_output=True
    ).returncode:
        pytest.skip("The program is installed: its workers find it from any folder.")
    address, _ = cluster(folder=tmp_path)
    with workers.dask(address) as pool:
        states = fill(store, grid(2), pool)
    assert all(f"started in {tmp_path}, which is no checkout" in state.failure for state in states)


def test_a_cluster_that_is_not_there_is_told() -> None:
    with (
        pytest.raises(ValueError, match="No Dask scheduler answers at tcp"),
        workers.dask("tcp://127.0.0.1:9"),
    ):
        pass


def _written(store: Store, sweep: Sweep) -> dict[str, str]:
    """A token of every measured cell's run, which changes when anything of it is written again."""
    return {s.row.run: store.version("runs", s.row.run) for s in status.states(store, sweep) if s.row is not None}


def _wait(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end, "nothing was trained in a minute"
        time.sleep(0.02)


def test_the_table_of_means(store: Store, grid) -> None:
    rows = [state.row for state in fill(store, grid(3)) if state.row is not None]
    (name,) = {row.row for row in rows if row.row.endswith("CE")}
    average = mean(groups(rows)[name][3], "C", unlearned=True)  # three epochs teach little
    assert average is not None
    gammas = [row.laws["C"].gamma for row in rows if row.row == name]
    assert average.seeds == 2
    assert average.mean == pytest.approx(np.mean(gammas))
    assert average.deviation == pytest.approx(abs(gammas[0] - gammas[1]) / np.sqrt(2))
