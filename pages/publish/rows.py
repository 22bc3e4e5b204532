"""The rows a results page is made of, how sentences and figures look at them, and numbers in Markdown sentences.

A row of an earlier checkpoint has the same columns as that of the last one, so one table holds a sweep and its course.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cache.store import Store
from engine.config.requests import RunRequest
from engine.errors import require
from engine.runs import library
from engine.sweeps import rows as sweeps
from engine.sweeps import status
from engine.sweeps.grid import Cell, Sweep
from engine.sweeps.rows import Law, identity, measure, reading, row_identity
from pages.state.palette import LOOKS

# Two exponents this near to each other are called the same where they come from different matrices, windows or epochs.
CLOSE = 0.05


@dataclass(frozen=True, kw_only=True)
class Row(sweeps.Row):
    """A row of the table that has found its cell of the sweep; request: the run it was measured on."""

    request: RunRequest


def of_cell(row: sweeps.Row, cell: Cell) -> Row:
    """The row with the run of its cell, and the command that reads its γ, which tables of earlier versions lack."""
    return Row(**vars(row) | {"reading": reading(cell, row.run, row.epoch)}, request=cell.run)


def cell(row: sweeps.Row) -> str:
    """A row's cell in words."""
    return f"{row.row}, {row.classes} classes, seed {row.seed}"


def courses(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of each cell, by epoch; cells in their order."""
    cells: dict[tuple[str, int, int], list[Row]] = {}
    for row in rows:
        cells.setdefault((row.row, row.classes, row.seed), []).append(row)
    return [sorted(some, key=lambda row: row.epoch) for some in cells.values()]


def last(rows: Iterable[Row]) -> list[Row]:
    """Of each cell the row of its last epoch."""
    return [course[-1] for course in courses(rows)]


def pairs(rows: Iterable[Row]) -> list[tuple[Row, Row]]:
    """Cross-entropy and softmax-MSE on the same data, network, layer, classes and seed."""
    by_loss: dict[str, dict[tuple[object, ...], Row]] = {"ce": {}, "mse": {}}
    for row in rows:
        run = row.request
        alike = (run.data.name, run.data.classes, run.model, row.layer, row.seed)
        by_loss.get(run.loss, {}).setdefault(alike, row)
    return [(row, by_loss["mse"][alike]) for alike, row in by_loss["ce"].items() if alike in by_loss["mse"]]


@dataclass(frozen=True)
class Kind:
    """Which rows a figure or a number of the paper is about."""

    data: str
    network: str
    loss: str

    def fits(self, row: Row) -> bool:
        """A subset of a data set, in a file of its own, counts as that data set."""
        run = row.request
        data = Path(run.data.name).name
        return data.startswith(self.data) and (run.model.kind, run.loss) == (self.network, self.loss)

    def best(self, rows: Sequence[Row]) -> Row | None:
        """The row with the most classes, of the first seed, of the first name that fits; None without any."""
        fitting = [row for row in rows if self.fits(row)]
        same = [row for row in fitting if row.row == fitting[0].row]
        return min(same, key=lambda row: (-row.classes, row.seed), default=None)


@dataclass(frozen=True)
class Claim:
    """A statement as the rows have it: whether it holds in every one of them, its headline and its numbers, both
    in Markdown."""

    holds: bool
    title: str
    text: str


def lawful(rows: Iterable[Row], name: str) -> list[tuple[Row, Law]]:
    """Rows in which a matrix has an exponent, and what is measured of it."""
    return [(row, row.laws[name]) for row in rows if np.isfinite(row.laws[name].gamma)]


def grouped(rows: Sequence[Row], text: Callable[[Row], str]) -> str:
    """Rows by name and number of classes, and what is told of each seed."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.row, row.classes), []).append(row)
    return "; ".join(
        f"{name}, {classes} classes ({listed([text(row) for row in some])})" for (name, classes), some in groups.items()
    )


def finite(values: Iterable[float]) -> list[float]:
    """The numbers among them."""
    return [value for value in values if np.isfinite(value)]


Say = Callable[[Sequence[Row]], Claim | None]


# -- numbers in sentences ------------------------------------------------------------------------------------


def symbol(name: str) -> str:
    """A matrix as a formula."""
    return f"${LOOKS[name].tex}$"


def number(value: float, digits: int = 2) -> str:
    """A number with so many decimals; a dash where there is none."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:,.{digits}f}"
    # −0.00 is 0.00.
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def signed(value: float, digits: int = 2) -> str:
    """A difference with its sign."""
    text = number(value, digits)
    return text if text[0] in "−–" or not text.strip("0.") else f"+{text}"


def span(values: Iterable[float], digits: int = 2) -> str:
    """From the smallest to the largest number; one number where both read the same."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return "–"
    low, high = number(min(known), digits), number(max(known), digits)
    return low if low == high else f"{low} … {high}"


def signed_span(values: Iterable[float], digits: int = 2) -> str:
    """A span of differences."""
    known = [value for value in values if math.isfinite(value)]
    low, high = (signed(value, digits) for value in (min(known, default=math.nan), max(known, default=math.nan)))
    return low if low == high else f"{low} … {high}"


def times(values: Iterable[float]) -> str:
    """A span of ratios, two digits each."""
    known = sorted(value for value in values if math.isfinite(value))
    texts = [number(value, max(0, 1 - math.floor(math.log10(value)))) if value > 0 else "0" for value in known]
    return " … ".join(dict.fromkeys((texts[0], texts[-1]))) if texts else "–"


def share(count: int, total: int, what: str) -> str:
    """How many of how many."""
    if count == total:
        return {1: f"the only {what[:-1]}", 2: f"both {what}"}.get(total, f"all {total} {what}")
    return f"{count or 'none'} of {total} {what}"


def listed(parts: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table, the first columns flush left."""
    rule = [":--" if place < left else "--:" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


# -- from the cache, and from a table -------------------------------------------------------------------------


def measured(store: Store, sweep: Sweep) -> tuple[Row, ...]:
    """The rows of a sweep's measured cells, each with those of its earlier checkpoints that are analysed alike."""
    states = ((state.cell, state.row) for state in status.states(store, sweep))
    return tuple(of_cell(row, one) for one, final in states if final for row in (*_earlier(store, one, final), final))


def in_sweep(sweep: Sweep, rows: Sequence[sweeps.Row]) -> tuple[Row, ...]:
    """The rows of a table with the runs of their cells. ValueError names the rows that are no cells of the sweep."""
    cells = {identity(one): one for one in sweep.cells}
    strange = dict.fromkeys(cell(row) for row in rows if row_identity(row) not in cells)
    require(
        not strange,
        f"No cell of “{sweep.name}” has the settings of {listed(list(strange))}. Write the table anew with --measure, "
        "or name the sweep that it belongs to.",
    )
    return tuple(of_cell(row, cells[row_identity(row)]) for row in rows)


def renewed(sweep: Sweep, rows: Iterable[Row], anew: Iterable[Row]) -> tuple[Row, ...]:
    """The rows of a table, those of a cell and epoch replaced that were measured anew, in the order of the sweep."""
    places = {identity(one): place for place, one in enumerate(sweep.cells)}
    known = {(row_identity(row), row.epoch): row for row in (*rows, *anew)}
    return tuple(sorted(known.values(), key=lambda row: (places[row_identity(row)], row.epoch)))


def unmeasured(store: Store, sweep: Sweep, rows: Iterable[Row]) -> tuple[str, ...]:
    """A sentence for every cell of a sweep that has no row."""
    known = {(row.row, row.classes, row.seed) for row in rows}
    lost = (one for one in sweep.cells if (one.row, one.classes, one.run.seed) not in known)
    return tuple(
        f"{one.row}, {one.classes} classes, seed {one.run.seed}: "
        f"{(status.state(store, one).failure or 'it is not measured yet').rstrip('.')}."
        for one in lost
    )


def _earlier(store: Store, cell: Cell, final: sweeps.Row) -> list[sweeps.Row]:
    run = library.run(store, final.run)
    by_epoch: dict[int, sweeps.Row] = {}
    for made in library.analyses(store, final.run) if run is not None else ():
        alike = replace(made.request, run="", epoch=-1) == cell.analysis
        if not alike or made.request.epoch >= final.epoch:
            continue
        analysis = library.load_analysis(store, final.run, made.key, blocks=False)
        if analysis is not None and run is not None:
            epoch = made.request.epoch
            by_epoch[epoch] = measure(analysis, run, cell, epoch, final.machine, final.version)
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]
