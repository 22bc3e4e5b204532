"""The tables of a results page: rows in, Markdown out."""

from collections.abc import Sequence

import numpy as np

from engine.sweeps.means import groups, mean
from engine.sweeps.rows import FOLLOWED
from pages.publish.rows import CLOSE, Kind, Row, courses, finite, last, number, span, symbol, table

LAWS = ("C", "C_awd", "E_h2")  # of which the paper tells the exponent
MARKS = "¹²³⁴⁵⁶⁷⁸⁹"
# What arXiv 2602.05600 tells of γ of C, from … to.
PAPER: Sequence[tuple[str, Kind, float, float]] = (
    ("MNIST, MLP, cross-entropy", Kind("mnist", "mlp", "ce"), 1.1, 1.1),
    ("CIFAR-10, MLP, cross-entropy", Kind("cifar10", "mlp", "ce"), 1.4, 1.5),
    ("MNIST, MLP, softmax-MSE", Kind("mnist", "mlp", "mse"), 1.0, 1.0),
    ("CIFAR-10, MLP, softmax-MSE", Kind("cifar10", "mlp", "mse"), 1.0, 1.0),
)


def exponents(rows: Sequence[Row]) -> str:
    """Table 1: γ of C and of C_AWD by number of classes, mean ± deviation over seeds above the hull of the intervals
    over samples; below it what departs from the paper's settings."""
    by_name = groups(last(rows))
    classes = sorted({count for cells in by_name.values() for count in cells})
    notes: dict[str, str] = {}
    body = []
    for name, cells in by_name.items():
        departures = _departures(cells)
        mark = notes.setdefault(departures, _mark(len(notes) + 1)) if departures else ""
        means = [_mean(cells.get(count, []), matrix) for count in classes for matrix in ("C", "C_awd")]
        body.append([f"{name} {mark}".strip(), *means])
    head = ["", *(f"γ of {symbol(m)}, {count} classes" for count in classes for m in ("C", "C_awd"))]
    below = [f"{mark} {departures}." for departures, mark in notes.items()]
    return "\n\n".join([table(head, body), "  \n".join(below)]).strip()


def _mark(count: int) -> str:
    return "".join(MARKS[int(digit) - 1] if digit != "0" else "⁰" for digit in str(count))


def _departures(cells: dict[int, list[Row]]) -> str:
    """What departs from the settings of the preset, told once where it is the same for all numbers of classes."""
    departures = {count: some[0].departures for count, some in cells.items() if some[0].departures}
    if len(departures) == len(cells) and len(set(departures.values())) == 1:
        return next(iter(departures.values()))
    return "; ".join(f"{count} classes: {departure}" for count, departure in departures.items())


def _mean(rows: Sequence[Row], name: str) -> str:
    average = mean(rows, name) if rows else None
    if average is None:
        return "–"
    interval = f"<br><sub>{span((average.low, average.high), 3)}</sub>" if np.isfinite(average.low) else ""
    return f"{number(average.mean, 3)}{average.spread()}{interval}"


def against_paper(rows: Sequence[Row]) -> str:
    """What the paper tells of γ beside what is measured here, for the most classes."""
    finals, body = last(rows), []
    for name, kind, low, high in PAPER:
        row = kind.best(finals)
        some = [] if row is None else [r for r in finals if (r.row, r.classes) == (row.row, row.classes)]
        average = mean(some, "C") if some else None
        if row is None or average is None:
            continue
        gap = average.mean - min(max(average.mean, low), high)
        verdict = f"within {CLOSE}" if abs(gap) < CLOSE else f"{'higher' if gap > 0 else 'lower'} by {number(abs(gap))}"
        if average.low > high or average.high < low:
            verdict += f"; the interval excludes {span((low, high), 1)}"
        body.append([name, f"about {span((low, high), 1)}", *(_mean(some, matrix) for matrix in LAWS), verdict])
    if not body:
        return ""
    head = ["", "paper", *(f"here, {symbol(name)}" for name in LAWS), "γ of $C$"]
    return table(head, body)


def over_epochs(rows: Sequence[Row]) -> str:
    """γ of C at every analysed checkpoint above the training accuracy there, means over seeds; empty where only last
    checkpoints are analysed."""
    tracks = [course for course in courses(rows) if len(course) > 1]
    epochs = sorted({row.epoch for course in tracks for row in course})
    by_name: dict[tuple[str, int], list[Row]] = {}
    for course in tracks:
        by_name.setdefault((course[0].row, course[0].classes), []).extend(course)
    body = [
        [f"{name}, {classes} classes", *(_at([row for row in some if row.epoch == epoch]) for epoch in epochs)]
        for (name, classes), some in by_name.items()
    ]
    return table(["epoch", *map(str, epochs)], body) if body else ""


def _at(rows: Sequence[Row]) -> str:
    gammas = finite(row.laws["C"].gamma for row in rows)
    if not gammas:
        return ""
    return f"{number(float(np.mean(gammas)))}<br><sub>{np.mean([row.train_accuracy for row in rows]):.1%}</sub>"


def settings(rows: Sequence[Row]) -> str:
    """Every run with its numbers, a line each."""
    head = ["", "classes", "seed", "layer", "N", "B", "𝒩", "epoch", "loss", "train", "test", "training", "analysis"]
    body = [
        [
            row.row,
            str(row.classes),
            str(row.seed),
            row.layer.replace("+", " + "),
            f"{row.samples:,}",
            str(row.batch_size),
            f"{row.window:,}",
            str(row.epoch),
            f"{row.train_loss:.2g}",
            f"{row.train_accuracy:.2%}",
            f"{row.test_accuracy:.2%}" if np.isfinite(row.test_accuracy) else "–",
            f"{row.training_seconds:,.0f} s",
            f"{row.analysis_seconds:,.0f} s",
        ]
        for row in last(rows)
    ]
    return table(head, body)


def details(rows: Sequence[Row]) -> str:
    """What qualifies every γ, a line a run and matrix."""
    body = []
    for row in last(rows):
        for name in FOLLOWED:
            law = row.laws[name]
            if not np.isfinite(law.gamma):
                continue
            body.append(
                [
                    f"{row.row}, {row.classes}, {row.seed}",
                    symbol(name),
                    number(law.gamma, 3),
                    span((law.low, law.high), 3),
                    number(law.r2, 4),
                    f"{law.n:,}",
                    f"{law.discarded:.0%}",
                    *(number(value) for value in (law.half, law.double, law.top, law.end)),
                    *(number(value) for value in (law.commutator, law.alignment)),
                ]
            )
    head = ["run: classes, seed", "", "γ", "95 % interval", "R²", "n", "left out", "γ, 𝒩/2", "γ, 2𝒩", "sharp end"]
    return table([*head, "flat end", "commutator", "alignment"], body, left=2)
