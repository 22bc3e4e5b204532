"""The figures of a film: two of the frame that is shown, and four with every number over the epochs."""

from collections.abc import Callable, Iterator
from functools import partial

import plotly.graph_objects as go

from engine.runs.recording import Film, Frame, Picture
from pages.charts import heatmaps
from pages.charts.curves import RECORDS
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.live import figures

LAW = Head("law", part="the power law of the frame")
R_REAL = Head("R_real", part="the heatmap of R_real")
GAMMAS = Head("gammas", "The exponents at every frame", "γ from frame to frame")
LEARNING = Head("learning", "Loss and accuracy at every frame", "loss and accuracy")
COMMUTATORS = Head("commutators", "The commutator error at every frame beside chance", "the commutator error")
SETTINGS = Head("settings", "Learning rate and batch size at every frame", "learning rate and batch size")
CURVES: tuple[tuple[Head, Callable[[Film, int], go.Figure], tuple[str, ...]], ...] = (
    (GAMMAS, figures.exponents, ("gamma", "gamma_awd")),
    (LEARNING, figures.learning, RECORDS[1:]),
    (COMMUTATORS, figures.commutator, ("commutator", "commutator_random")),
    (SETTINGS, figures.settings, ()),
)


def law(shot: Film, frame: Frame, picture: Picture) -> Panel:
    """The power law at one epoch."""
    return Panel(
        LAW,
        f"film-power-law-{frame.epoch}",
        figures.law(shot, picture),
        f"Noise variance over curvature at epoch {frame.epoch}, log-log: γ = {plain(frame.gamma)} for C and "
        f"{plain(frame.gamma_awd)} for C_AWD.",
        arrays=lambda: {"H": picture.eigenvalues, **picture.diagonals},
        code=lambda: reproduce.film_frame(shot, frame, "H, diagonals = picture.eigenvalues, picture.diagonals"),
    )


def correlation(shot: Film, frame: Frame, picture: Picture) -> Panel:
    """R_real at one epoch."""
    k = len(picture.correlation)
    return Panel(
        R_REAL,
        f"film-R-{frame.epoch}",
        heatmaps.correlation(picture.correlation, picture.eigenvalues, "R<sub>real</sub>"),
        f"Heatmap of the correlation of C between the {k} sharpest directions at epoch {frame.epoch}.",
        arrays=lambda: {"R_real": picture.correlation, "H": picture.eigenvalues[:k]},
        code=lambda: reproduce.film_frame(shot, frame, "R_real, H = picture.correlation, picture.eigenvalues"),
    )


def curves(shot: Film, shown: int) -> Iterator[Panel]:
    """Every number over the epochs, each change with its words."""
    changes = "; ".join(f"after epoch {change.epoch} {change.words}" for change in shot.changes)
    span = f"from epoch {shot.frames[0].epoch} to {shot.last.epoch}" + (f"; {changes}." if changes else ".")
    for head, picture, columns in CURVES:
        names = ("epoch", "learning_rate", "batch_size", *columns)
        yield Panel(
            head,
            f"film-{head.key}",
            picture(shot, shown),
            f"{head.title}, {span}",
            arrays=partial(lambda names: {name: shot.column(name) for name in names}, names),
            code=partial(reproduce.film_columns, shot, names),
        )


def plain(value: float | None) -> str:
    """An exponent or an error in digits."""
    return "—" if value is None else f"{value:.2f}"
