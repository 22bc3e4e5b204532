"""What the command line shows: progress in place, and the results as a table."""

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from cache.jobs import Job
from cache.progress import Pace, Progress
from engine.errors import of_disk
from engine.losses import SQUARES
from engine.results.analysis import Analysis
from engine.results.names import NAMES, USUAL_WINDOW
from engine.results.noise import COMPARED, ENOUGH, LAST, Descents
from engine.results.power_law import Fit
from engine.results.record import Check
from engine.runs.depth import StudiedLayer
from engine.runs.estimate import Cost
from engine.runs.run import Run
from engine.sweeps.means import groups, mean
from engine.sweeps.rows import Row, learned
from engine.units import counted, duration, rounded, words

REDRAW_SECONDS = 0.1
LINE_SECONDS = 10.0
NEAR_CHANCE = 0.05  # of accuracy above guessing, or of R²: less is nothing learned

if TYPE_CHECKING:
    from engine.curvature.selftest import Verdict
    from engine.data.datasets import Dataset


@runtime_checkable
class Stream(Protocol):
    """Where to write: sys.stderr, or what stands in for it."""

    def write(self, text: str, /) -> int: ...

    def flush(self) -> None: ...

    def isatty(self) -> bool: ...


@dataclass
class Ticker:
    """Progress on a terminal, one line rewritten in place; elsewhere (a log, a pipe) a line now and then."""

    out: Stream
    clock: Callable[[], float] = time.monotonic
    width: Callable[[], int] = lambda: shutil.get_terminal_size().columns
    _pace: Pace = field(init=False)
    _shown: float = -LINE_SECONDS
    _stage: str = ""
    _open: bool = False

    def __post_init__(self) -> None:
        self._pace = Pace(self.clock)
        self._tty = self.out.isatty()

    def progress(self, stage: str, done: int, total: int) -> None:
        """Hear how far a stage is, and show it when it is time."""
        now = self._pace.update(stage, done, total)
        wait = REDRAW_SECONDS if self._tty else LINE_SECONDS
        fresh = stage != self._stage
        if not fresh and self.clock() - self._shown < wait and not (self._tty and done >= total):
            return
        self._shown, self._stage = self.clock(), stage
        text = _line(now)
        if self._tty:
            # One column stays free: a full line would wrap, and the next one could not be rewritten.
            self.out.write("\r" + text[: max(10, self.width() - 1)] + "\x1b[K")
            self._open = True
        else:
            self.out.write(text + "\n")
        self.out.flush()

    def say(self, sentence: str) -> None:
        """A line that stays."""
        self.close()
        self.out.write(sentence + "\n")
        self.out.flush()

    def close(self) -> None:
        """Clear the line in place."""
        if self._open:
            self.out.write("\r\x1b[K")
            self.out.flush()
            self._open = False


def _line(progress: Progress) -> str:
    counts = f"  {progress.done}/{progress.total}" if progress.total > 1 else " …"
    left = progress.seconds_left
    return progress.stage + counts + (f"  {duration(left)} left" if left is not None and left >= 1 else "")


def expected(error: Exception) -> str | None:
    """The sentence for what can happen to anyone; None for a fault of the program."""
    if isinstance(error, OSError):
        return of_disk(error)
    if isinstance(error, ValueError | TypeError):
        return str(error) or type(error).__name__
    # Both allocators of torch raise a RuntimeError of their own.
    if isinstance(error, MemoryError) or "memory" in str(error).lower():
        return (
            f"There is not enough memory ({str(error).splitlines()[0] if str(error) else 'no more said'}). "
            "Use fewer samples (--samples, --per-class) or directions (--top-k)."
        )
    return None


def layers(costs: Sequence[tuple[StudiedLayer, int | None, Cost]]) -> str:
    """The layers of a network, a line each, with the leading directions an analysis finds, None for all, and its
    cost."""
    rows = [("layer", "kind", "d_out × d_in", "T", "D", "Hessian of a sample", "directions", "time", "memory")]
    for one, top_k, cost in costs:
        sizes = f"{one.d_out:,} × {one.d_in:,}", f"{one.places:,}", f"{one.dimension:,}"
        seconds = "–" if cost.seconds is None else duration(rounded(cost.seconds))
        directions = "all" if top_k is None else f"{top_k:,}"
        method = one.method or "the analysis tells"
        rows.append((one.name, one.kind, *sizes, method, directions, seconds, words(cost.bytes)))
    return "\n".join(_aligned(rows))


def table(result: Analysis, window: int | None = None) -> str:
    """The numbers of one analysis, a matrix a line: γ ± its standard error, R², n, the interval over samples
    if there is one; the commutator error and the alignment, each beside its value for random directions.
    window: the leading directions fitted, None for the usual ones."""
    origin, fitted = result.provenance, min(window or USUAL_WINDOW, result.k)
    sizes = " + ".join(f"{d_out} × {d_in}" for d_out, d_in in origin.sizes)
    right = f"accuracy {percent(origin.accuracy)}"
    if math.isnan(origin.accuracy) and origin.loss == SQUARES.name:
        right = f"rms error {math.sqrt(origin.mean_loss):.4g}"
    head = (
        f"{'layers' if origin.shapes else 'layer'} {origin.layer} ({sizes}, D = {origin.dimension:,}), "
        f"{origin.samples:,} samples, B = {origin.batch_size}, loss {origin.mean_loss:.4g}, "
        f"{right}, {origin.dtype} on {origin.device}, {duration(origin.seconds)}"
    )
    head = "; ".join([head, *result.nearness])
    titles = ("matrix", "gamma", "stderr", "R2", "n", "commutator", "random", "alignment", "random")
    rows = [titles, *(_row(result, name, fitted) for name in result.names)]
    lines = _aligned(rows)
    intervals = [
        f"gamma of {NAMES[name][0]}: 95 % interval over samples {fit.interval[0]:.3f} … {fit.interval[1]:.3f}"
        for name in result.names
        if (fit := _fit(result, name, fitted)) is not None and fit.interval is not None
    ]
    law = f"gamma: slope of log C_ii on log H_ii over the leading {fitted:,} directions"
    return "\n".join([head, law, *lines, *intervals, *_other_samples(result, fitted), *origin.notes])


def _other_samples(result: Analysis, window: int) -> list[str]:
    """γ on the samples that gave the directions and on others, as far as that is kept."""
    there = result.held_out
    if there is None:
        return []
    rows: list[tuple[str, ...]] = [("gamma", "all samples", "a half", "its other half", "deviation", "test samples")]
    for name in there.names:
        try:
            fit = result.cross_fit(name, window, seed=there.seed)
        except ValueError:
            continue
        spread = "–" if fit.crossed.spread is None else f"{fit.crossed.spread:.3f}"
        three = (f"{gammas.gamma:.3f}" for gammas in (fit.whole, fit.half, fit.crossed))
        rows.append((NAMES[name][0], *three, spread, "–" if fit.test is None else f"{fit.test.gamma:.3f}"))
    count = f"{there.splits} random halvings" if there.splits > 1 else "one random halving"
    head = f"directions of one half, H and C of it and of the other, mean of {count} both ways:"
    return [head, *_aligned(rows), *_growing(result, window, there.seed), *_permuted(result, window)]


def _growing(result: Analysis, window: int, seed: int) -> list[str]:
    """γ of C over nested subsets of the samples, and on as many others."""
    try:
        growing = result.cross_fit("C", window, seed=seed).growing
    except ValueError:
        return []
    rows: list[tuple[str, ...]] = [("samples", "gamma of C", "on as many others")]
    rows += [
        (f"{own.samples:,}", f"{own.gamma:.3f}", "–" if other is None else f"{other.gamma:.3f}")
        for own, other in growing
    ]
    return _aligned(rows)


def _permuted(result: Analysis, window: int) -> list[str]:
    """C beside its permutations, as far as they are kept."""
    try:
        null = result.structural_null("C", window, seed=result.held_out.seed if result.held_out else 0)
    except ValueError:
        return []
    rows: list[tuple[str, ...]] = [("gradients permuted in their class", "measured", "permuted", "p")]
    for name, one in (("commutator", null.commutator), ("alignment", null.alignment), ("gamma of C", null.gamma)):
        spread = f"{one.permuted.min():.3f} … {one.permuted.max():.3f}" if one.permuted.size else "–"
        rows.append((name, f"{one.measured:.3f}", spread, f"{one.p_value:.2f}"))
    return _aligned(rows)


def grid(rows: Sequence[Row]) -> str:
    """The table of a sweep: γ of C and of C_AWD by number of classes, mean ± deviation over seeds (their number), and
    how many networks that have not learned are left out of it."""
    table = groups(rows)
    classes = sorted({count for cells in table.values() for count in cells})
    titles = ["", *(f"{name}, {count} classes" for count in classes for name in ("C", "C_AWD"))]
    lines = [
        [name, *(_mean(cells.get(count, []), matrix) for count in classes for matrix in ("C", "C_awd"))]
        for name, cells in table.items()
    ]
    out = sum(not learned(row) for row in rows)
    left_out = [f"{counted(out, 'network')} left out: training accuracy near guessing. --csv has all."] if out else []
    return "\n".join([*_aligned([tuple(titles), *map(tuple, lines)]), *left_out])


def _mean(rows: Sequence[Row], matrix: str) -> str:
    summary = mean(rows, matrix)
    if summary is None:
        return "–"
    return f"{summary.mean:.3f}{summary.spread()} ({summary.seeds})"


def runs(listed: Sequence[tuple[Run, Sequence[int]]]) -> str:
    """Runs, a line each, with the epochs of each that are analysed."""
    rows = [("run", "data", "network", "loss", "epochs", "how good", "analysed at", "name")]
    for run, epochs in listed:
        request, model = run.request, run.request.model
        network = ("" if model.kind == "mlp" else f"{model.kind}:") + "-".join(map(str, model.widths))
        reached = f"{run.history.epoch[-1]}{'' if run.finished else ', unfinished'}" if len(run.history) else "–"
        analysed = ",".join(map(str, epochs)) or "–"
        good = score(run) if len(run.history) else "–"
        rows.append((run.key, run.data_name, network, request.loss, reached, good, analysed, run.label))
    return "\n".join(line.rstrip() for line in _left(rows))


def jobs(listed: Sequence[Job]) -> str:
    """Jobs, a line each: how far those at work are, and how the others ended."""
    rows = [("job", "state", "what", "how far")]
    for job in listed:
        state = "waiting" if job.waiting else "stopping" if job.stopping else job.state
        rows.append((job.id, state, job.title, _line(job.progress) if job.running else job.message))
    return "\n".join(line.rstrip() for line in _left(rows))


def trials(run: Run) -> str:
    """What else the weights of a loaded run might be, the best first, with the flags that take it."""
    rows = [("also tried", "accuracy", "loss", "flag")]
    for trial in run.ranked_trials():
        name, value = next(iter(trial.change.items()))
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        rows.append((trial.words, percent(trial.accuracy), f"{trial.loss:.3g}", f"--{name} {text}"))
    return "\n".join(_aligned(rows))


def percent(share: float) -> str:
    """A share, – where it has no meaning."""
    return "–" if math.isnan(share) else f"{share:.2%}"


def chance(run: Run, data: "Dataset") -> str:
    """A warning where a loaded network is hardly better than one that has learned nothing; empty elsewhere."""
    nothing = "always answering with the mean (R² 0)"
    better = run.explained
    if not data.numbers:
        guessing = float(data.train_y.bincount().max()) / len(data.train_y)
        nothing, better = f"guessing ({guessing:.1%})", float(run.history.train_accuracy[-1]) - guessing
    if not better < NEAR_CHANCE:
        return ""
    return (
        f"That barely beats {nothing}, if at all: unless it is untrained, the data, their scaling, the activation or "
        "the order of the classes are others than in its training. What else was tried stands above."
    )


def score(run: Run, tested: bool = True) -> str:
    """How good a run's last epoch is: its accuracy, of numbers to predict what its errors are. tested: on the test
    samples too."""
    last = run.history
    test = "no test samples"
    if not math.isnan(run.variance):
        error, test_loss = math.sqrt(last.train_loss[-1]), last.test_loss[-1]
        test = test if math.isnan(test_loss) else f"test {math.sqrt(test_loss):.3g}"
        return f"rms error {error:.3g}{f' ({test})' * tested}, R² {run.explained:.3f}"
    if not math.isnan(last.test_accuracy[-1]):
        test = f"test {last.test_accuracy[-1]:.2%}"
    return f"accuracy {percent(last.train_accuracy[-1])}{f' ({test})' * tested}"


def checked(checks: Sequence[Check]) -> str:
    """The outcome of a check, a number a line."""
    rows = [("number", "as analysed", "by brute force", "relative error")]
    rows += [
        (
            c.words,
            f"{c.kept:.6e}",
            f"{c.anew:.6e}",
            f"{c.error:.1e}",
        )
        for c in checks
    ]
    return "\n".join(_aligned(rows))


def selftested(verdicts: "Sequence[Verdict]", tolerances: Mapping[str, float]) -> str:
    """Each small network of the self-test, a line each, with its worst number."""
    rows: list[tuple[str, ...]] = [("layer", "loss", "precision", "numbers", "largest error", "tolerance", "of", "")]
    rows += [
        (
            *(one.kind, one.loss, one.dtype, str(len(one.checks)), f"{one.worst.error:.1e}"),
            *(f"{tolerances[one.dtype]:.0e}", one.worst.words, "holds" if one.holds else "WRONG"),
        )
        for one in verdicts
    ]
    return "\n".join(_aligned(rows))


def ends(descents: Descents) -> str:
    """Where each noise has led, a line each: means over seeds, with their standard deviation from three on."""

    def cell(measure: str, name: str) -> str:
        end = descents.end(measure, name)
        spread = f" ± {end.std(ddof=1):.2g}" if end.size >= ENOUGH else ""
        return f"{end.mean():.4g}{spread}" if np.isfinite(end).all() else "–"

    head = ("noise", "loss", "tr H", "lambda_1", "test accuracy", "tr C there")
    rows = [(name, *(cell(m, name) for m in (*COMPARED, "noise"))) for name in descents.names]
    about = (
        f"mean over the last {LAST:.0%} of {descents.steps} steps at learning rate {descents.rate:.4g}, over "
        f"{descents.seeds} seeds; every noise as large as C at the start: tr C = {descents.trace:.4g}, "
        f"B = {descents.batch_size}"
    )
    return "\n".join([*_aligned([head, *rows]), about, *descents.notes])


def _left(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Words, each column as wide as its widest."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Numbers to the right of their names."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _fit(result: Analysis, name: str, window: int) -> Fit | None:
    try:
        return result.fit(name, window)
    except ValueError:
        return None


def _row(result: Analysis, name: str, window: int) -> tuple[str, ...]:
    fit = _fit(result, name, window)
    law = ("–",) * 4 if fit is None else (f"{fit.gamma:.3f}", f"{fit.stderr:.3f}", f"{fit.r2:.3f}", str(fit.n))
    # Kept only for some matrices: the commutator of each costs as much as the analysis.
    commutator = f"{result.commutator(name):.3f}" if name in result.wholes else "–"
    return (
        NAMES[name][0],
        *law,
        commutator,
        f"{result.random_commutator(name):.3f}",
        f"{result.alignment(name):.3f}",
        f"{result.random_alignment(name):.3f}",
    )
