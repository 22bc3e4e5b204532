"""What the cache knows of a sweep's cells: measured, failed, or how far their training is. No data are read and no
torch is imported: a page asks here while the sweep is at work."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cache.store import Store
from engine.runs import library
from engine.runs.run import Run
from engine.sweeps.grid import Cell, Sweep
from engine.sweeps.rows import FOLLOWED, Law, Row


def begin(store: Store, cell: Cell, run: str, sweep: str) -> None:
    """Keep that the run of a cell is a sweep's; one that was there before is its user's."""
    mine = store.read("runs", run) is None or run in trained(store)
    store.write(("cells", cell.key), _meta(store, cell) | {"run": run if mine else "", "sweep": sweep})


def keep(store: Store, cell: Cell, row: Row) -> None:
    """Keep what was measured of a cell."""
    _keep(store, cell, {"row": dataclasses.asdict(row)})


def keep_failure(store: Store, cell: Cell, sentence: str) -> None:
    """Keep why a cell could not be measured; it is tried again the next time."""
    _keep(store, cell, {"failure": sentence})


def forget_failure(store: Store, cell: Cell) -> None:
    """Take back what keep_failure kept: the cell is being tried again."""
    if state(store, cell).failure:
        _keep(store, cell, {})


def _keep(store: Store, cell: Cell, what: Mapping[str, Any]) -> None:
    begun = {name: value for name, value in _meta(store, cell).items() if name in ("run", "sweep")}
    store.write(("cells", cell.key), {**begun, **what})


def _meta(store: Store, cell: Cell) -> dict[str, Any]:
    entry = store.read("cells", cell.key)
    return {} if entry is None else dict(entry.meta)


def trained(store: Store) -> dict[str, str]:
    """The name of the sweep that trained a run, by the run's key; empty where an earlier version kept no name."""
    entries = (store.read("cells", key) for key in store.list("cells"))
    metas = [entry.meta for entry in entries if entry is not None]
    runs = {str(meta.get("run", meta.get("row", {}).get("run", ""))): str(meta.get("sweep", "")) for meta in metas}
    return {run: sweep for run, sweep in runs.items() if run}


@dataclass(frozen=True)
class State:
    """A cell as it is now. row: what was measured, once it was; failure: why it was not; epoch of epochs: how far
    the training is (−1: not begun)."""

    cell: Cell
    row: Row | None = None
    failure: str = ""
    epoch: int = -1
    trained: bool = False

    @property
    def epochs(self) -> int:
        return self.cell.run.training.epochs


def measured(states: Iterable[State]) -> list[Row]:
    """The rows of the cells that are measured."""
    return [state.row for state in states if state.row is not None]


def states(store: Store, sweep: Sweep, runs: Sequence[Run] | None = None) -> tuple[State, ...]:
    """Every cell as it is in the cache, in the sweep's order; no data are read. runs: those of the cache, newest
    first, where they are at hand."""
    known = {run.request: run for run in reversed(library.runs(store) if runs is None else runs)}
    return tuple(_state(store, cell, known.get(cell.run)) for cell in sweep.cells)


def state(store: Store, cell: Cell) -> State:
    """One cell as it is in the cache, without a look at its run."""
    return _state(store, cell, None)


def _state(store: Store, cell: Cell, run: Run | None) -> State:
    entry = store.read("cells", cell.key)
    meta: Mapping[str, Any] = {} if entry is None else entry.meta
    epoch = int(run.history.epoch[-1]) if run is not None and len(run.history) else -1
    row = None
    if "row" in meta:
        try:
            # What it is called may have changed since it was measured.
            row = dataclasses.replace(_row(meta["row"]), row=cell.row, departures="; ".join(cell.departures))
        except (KeyError, TypeError, ValueError):
            row = None
    return State(cell, row, str(meta.get("failure", "")), epoch, run is not None and run.finished)


def _row(values: Mapping[str, Any]) -> Row:
    laws = {name: Law(**law) for name, law in values["laws"].items()}
    return Row(**{**values, "laws": dict.fromkeys(FOLLOWED, Law()) | laws})  # an earlier version followed fewer
