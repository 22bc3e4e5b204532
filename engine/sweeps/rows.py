"""What a sweep measures, cell by cell, and its CSV table.

A measured cell is one flat Row, so that a row of the CSV holds everything that qualifies its γ, and the command
that repeats it. Nothing here imports torch.
"""

import contextlib
import csv
import dataclasses
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from engine.config.command_line import line
from engine.config.commands import AnalyzeCommand, TrainCommand
from engine.errors import require
from engine.results.analysis import Analysis
from engine.results.cross_fit import HeldOut
from engine.results.power_law import power_law
from engine.runs.run import Run
from engine.sweeps.grid import Cell

# The matrices a table follows: what is measured, what duality predicts, what the theorem says it goes with, and what
# bounds it or comes near it with its size.
FOLLOWED = ("C", "C_awd", "E_h2", "C_odds", "C_loss")
_NAN = math.nan


@dataclass(frozen=True)
class Law:
    """γ of one matrix over the leading 𝒩 directions, and what qualifies it: its standard error; low, high: its
    95 % interval over samples; r2; n directions fitted of the window, the rest discarded; top, end: slopes of the
    second-order fit at the largest and the smallest H_ii; half, double: γ over 𝒩/2 and 2𝒩 directions; trace:
    tr M; commutator and alignment, and the same for a matrix turned at random; spearman: rank correlation with
    H_ii; decade: γ with equal weight for every decade of H_ii; crossed: γ on other samples than gave the directions,
    mean over both halves; effective: N_eff of tr M; absolute, scaled, scale: ‖C − M‖_F / ‖C‖_F, and at the best scale.
    NaN where there is none."""

    gamma: float = _NAN
    stderr: float = _NAN
    low: float = _NAN
    high: float = _NAN
    r2: float = _NAN
    n: int = 0
    discarded: float = _NAN
    top: float = _NAN
    end: float = _NAN
    half: float = _NAN
    double: float = _NAN
    trace: float = _NAN
    commutator: float = _NAN
    random_commutator: float = _NAN
    alignment: float = _NAN
    random_alignment: float = _NAN
    spearman: float = _NAN
    decade: float = _NAN
    crossed: float = _NAN
    effective: float = _NAN
    absolute: float = _NAN
    scaled: float = _NAN
    scale: float = _NAN


@dataclass(frozen=True)
class Row:
    """One measured cell. samples: trained on and analysed; epoch: analysed; floor: the noise floor, and largest:
    H_11; kept_slope, kept_r2: new C_ii on old ones where only the dominant eigenvalue of each sample is kept;
    homogenised: γ of E[h²] where the stiff ones are then replaced by their mean, and unedited before; seconds: of
    training and of the analysis; machine: the device; command: trains the run again, and reading then reads its γ;
    laws: by matrix; effective: N_eff of tr H."""

    row: str
    classes: int
    seed: int
    layer: str
    run: str
    samples: int
    batch_size: int
    epoch: int
    train_loss: float
    train_accuracy: float
    test_accuracy: float
    window: int
    floor: float
    largest: float
    kept_slope: float
    kept_r2: float
    unedited: float
    homogenised: float
    departures: str
    training_seconds: float
    analysis_seconds: float
    machine: str
    version: str
    command: str
    laws: Mapping[str, Law]
    reading: str = ""
    effective: float = _NAN


SomeRow = TypeVar("SomeRow", bound=Row)
# A network has learned whose training accuracy is above guessing by more than this share and three standard errors.
MARGIN = 0.1


def learned(row: Row) -> bool:
    """Whether the training accuracy is above 1 / classes, that of guessing where all classes are as many, by more than
    MARGIN and three standard errors of guessing. True where nothing is known of it, as of numbers to predict."""
    return above_guessing(row.train_accuracy, row.classes, row.samples)


def above_guessing(accuracy: float, classes: int, samples: int) -> bool:
    """Whether so many samples are told apart better than by guessing, as `learned` means it."""
    chance = 1 / max(classes, 1)
    error = math.sqrt(chance * (1 - chance) / max(samples, 1))
    return not accuracy <= chance + MARGIN + 3 * error


def law(result: Analysis, name: str, window: int, held: HeldOut | None = None) -> Law:
    """What the table says of one matrix. held: how the analysis holds on other samples, where that was computed."""
    if name not in result.names:
        return Law()
    window = min(window, result.k)
    try:
        exponent = result.exponent(name, window)
    except ValueError:
        return Law(trace=result.traces[name])
    windows = dict(exponent.windows)
    low, high = exponent.fit.interval or (_NAN, _NAN)
    return Law(
        gamma=exponent.fit.gamma,
        stderr=exponent.fit.stderr,
        low=low,
        high=high,
        r2=exponent.fit.r2,
        n=exponent.fit.n,
        discarded=exponent.discarded,
        top=exponent.bend.slope_top,
        end=exponent.bend.slope_end,
        half=windows.get(window // 2, _NAN),
        double=windows.get(2 * window, _NAN),
        trace=result.traces[name],
        commutator=result.commutator(name) if result.source is not None or name in result.wholes else _NAN,
        random_commutator=result.random_commutator(name),
        alignment=result.alignment(name),
        random_alignment=result.random_alignment(name),
        spearman=result.spearman(name, window),
        decade=exponent.by_decade.gamma,
        **_beyond(result, name, window, held),
    )


def _beyond(result: Analysis, name: str, window: int, held: HeldOut | None) -> dict[str, float]:
    """What is asked beyond the paper, as far as it is known."""
    numbers: dict[str, float] = {}
    if name != "C":
        with contextlib.suppress(ValueError):  # an older analysis
            numbers |= vars(result.distance("C", name))
    if held is not None and name in held.names:
        with contextlib.suppress(ValueError):  # too few directions on a half
            fit = replace(result, held_out=held).cross_fit(name, window, splits=1, seed=held.seed)
            numbers["crossed"] = fit.crossed.gamma
    if held is not None and name in held.effective:
        numbers["effective"] = held.effective[name].whole
    return numbers


def measure(
    result: Analysis, run: Run, cell: Cell, epoch: int, machine: str, version: str, held: HeldOut | None = None
) -> Row:
    """The row of a cell whose analysis, with its spectra where it has them, is at hand. held: how it holds on other
    samples, where that was computed."""
    history, at = run.history, list(run.history.epoch).index(epoch)
    slope, r2, unedited, homogenised = _suppression(result, min(cell.window, result.k))
    return Row(
        row=cell.row,
        classes=cell.classes,
        seed=cell.run.seed,
        layer=cell.analysis.layer,
        run=run.key,
        samples=result.provenance.samples,
        batch_size=result.provenance.batch_size,
        epoch=epoch,
        train_loss=float(history.train_loss[at]),
        train_accuracy=float(history.train_accuracy[at]),
        test_accuracy=float(history.test_accuracy[at]),
        window=cell.window,
        floor=result.noise_floor,
        largest=float(result.eigenvalues[0]),
        kept_slope=slope,
        kept_r2=r2,
        unedited=unedited,
        homogenised=homogenised,
        departures="; ".join(cell.departures),
        training_seconds=float(history.seconds.sum()),
        analysis_seconds=result.provenance.seconds,
        machine=machine,
        version=version,
        command=_command(cell),
        reading=reading(cell, run.key, epoch),
        effective=held.effective["H"].whole if held is not None and "H" in held.effective else _NAN,
        laws={name: law(result, name, cell.window, held) for name in FOLLOWED},
    )


def reading(cell: Cell, run: str, epoch: int) -> str:
    """The command that prints the γ of a cell's row, once its run is trained."""
    request = replace(cell.analysis, run=run, epoch=epoch)
    return line(replace(AnalyzeCommand.of(request), window=cell.window))


def identity(cell: Cell) -> tuple[object, ...]:
    """What a cell and its measured row have in common, on any computer."""
    return _command(cell), cell.analysis.layer, cell.analysis.batch_size, cell.window


def row_identity(row: Row) -> tuple[object, ...]:
    """The same of a row."""
    return row.command, row.layer, row.batch_size, row.window


def _command(cell: Cell) -> str:
    """Trains the cell's run again."""
    return line(TrainCommand(cell.run))


def _suppression(result: Analysis, window: int) -> tuple[float, float, float, float]:
    """Slope and R² of the new on the old diagonal of E[h²] where only the dominant eigenvalues are kept; γ of E[h²]
    unedited, and with the stiff dominant eigenvalues replaced by their mean."""
    if result.spectra is None:
        return (_NAN,) * 4
    rank = result.spectra.kappa.shape[1]
    old, dominant, even = (result.suppress(**e) for e in ({"keep": rank}, {"keep": 1}, {"keep": 1, "homogenise": True}))
    try:
        between = power_law(old.noise_diagonal[:window], dominant.noise_diagonal[:window])
        before, after = (
            power_law(s.hessian_diagonal[:window], s.noise_diagonal[:window], result.noise_floor) for s in (old, even)
        )
    except ValueError:
        return (_NAN,) * 4
    return between.gamma, between.r2, before.gamma, after.gamma


# -- files ------------------------------------------------------------------------------------------------

_COLUMNS = [f.name for f in dataclasses.fields(Row) if f.name != "laws"]
_LAW_COLUMNS = [f.name for f in dataclasses.fields(Law)]
# Columns and matrices that tables of earlier versions do not have.
LATER = {"reading", "effective", "decade", "crossed", "absolute", "scaled", "scale", "C_odds", "C_loss"}


def to_csv(rows: Iterable[Row]) -> str:
    """One line a measured cell; the columns of a matrix are named as in `C.gamma`. Empty where there is no number."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow([*_COLUMNS, *(f"{name}.{column}" for name in FOLLOWED for column in _LAW_COLUMNS)])
    for row in rows:
        law_values = [getattr(row.laws[name], column) for name in FOLLOWED for column in _LAW_COLUMNS]
        table.writerow([_text(value) for value in (*(getattr(row, column) for column in _COLUMNS), *law_values)])
    return out.getvalue()


def from_csv(text: str) -> tuple[Row, ...]:
    """The rows of to_csv; what a table of an earlier version did not have is NaN. ValueError names the column that is
    missing or unreadable."""
    lines = csv.DictReader(io.StringIO(text))
    return tuple(_read(values) for values in lines)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)


def _read(values: Mapping[str, str]) -> Row:
    def cast(cls: type, column: str, name: str) -> Any:
        kind, text = cls.__annotations__[column], values.get(name)
        if text is None and (name in LATER or name.partition(".")[0] in LATER or column in LATER):
            return kind() if kind is not float else _NAN
        require(text is not None, f"The table has no column {name}. Write it again with the sweep's --csv.")
        assert text is not None, "there is such a column"
        try:
            return (float(text) if text else _NAN) if kind is float else kind(text)
        except ValueError:
            raise ValueError(f"The table's column {name} holds {values[name]!r}, which is no number.") from None

    laws = {name: Law(**{c: cast(Law, c, f"{name}.{c}") for c in _LAW_COLUMNS}) for name in FOLLOWED}
    return Row(**{c: cast(Row, c, c) for c in _COLUMNS}, laws=laws)
