"""The paper's figures for a sweep: which rows each is drawn from, and its panels by the app's own figure code."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import plotly.graph_objects as go

from cache.store import Store
from engine.runs import library
from pages.charts import power_law
from pages.data import results
from pages.data.results import View
from pages.plot.panel import Panel
from pages.publish import panels
from pages.publish.panels import Frame
from pages.publish.rows import Kind, Row, cell, last
from pages.publish.run_report import HEATMAP
from pages.rooms.power_law.panels import LAW, clouds
from pages.ui.controls import MEASURED

Draw = Callable[[Mapping[str, Frame]], Iterator[Panel]]
# Decades between the runs of Fig. 2.
APART = 1.5


@dataclass(frozen=True)
class Board:
    """One figure of the paper. columns: panels beside each other; width: of each, in pixels as it is shown; groups:
    rows that are drawn together; panels: a panel's key and its title there, for each group; draw: makes the panels of
    a group of frames, by the names of their rows."""

    name: str
    title: str
    about: str
    columns: int
    width: int
    groups: tuple[tuple[Row, ...], ...]
    panels: tuple[tuple[str, str], ...]
    draw: Draw

    def file(self, group: tuple[Row, ...], key: str) -> str:
        """The name of a panel's file."""
        prefix = f"{group[0].row}-" if len(group) == 1 else ""
        return f"{self.name}-{re.sub(r'[^a-z0-9]+', '-', f'{prefix}{key}'.lower())}.png"

    def files(self) -> list[str]:
        """The names of all its files."""
        return [self.file(group, key) for group in self.groups for key, _ in self.panels]


def boards(rows: Sequence[Row]) -> list[Board]:
    """Fig. 1 … 5, each for the rows it is about, as far as the sweep has them."""
    finals = last(rows)

    def best(*kinds: Kind) -> tuple[tuple[Row, ...], ...]:
        return tuple((row,) for kind in kinds if (row := kind.best(finals)) is not None)

    digits, same = Kind("mnist", "mlp", "ce"), Kind("mnist", "mlp", "mse")
    photos, convolved = Kind("cifar10", "mlp", "ce"), Kind("cifar10", "cnn", "ce")
    several = tuple(row for (row,) in best(digits, same, photos, Kind("cifar10", "mlp", "mse")))
    planned = [
        Board(
            "fig1",
            "Fig. 1: do noise and curvature share their directions?",
            f"The leading {HEATMAP} eigen-directions of $H$. (a) $C$ in the eigenbasis of $H$, symmetric-logarithmic "
            "colours; (b) its correlations; (c) those of the same spectrum in a random basis, on the same scale.",
            3,
            300,
            best(convolved if convolved.best(finals) is not None else photos, digits, same),
            (("K-C", "(a) $K$"), ("R_real-C", "(b) $R_\\mathrm{real}$"), ("R_rand-C", "(c) $R_\\mathrm{rand}$")),
            _directions,
        ),
        Board(
            "fig2",
            "Fig. 2: the power law",
            "Diagonals in the eigenbasis of $H$ on log-log axes at the end of training, each run divided by its mean "
            f"and drawn {APART:g} decades below the one before, with its fit; dotted and dashed: slopes 1 and 2.",
            2,
            640,
            (several,) if several else (),
            (("law-C", "(a) $C$, measured"), ("law-C_awd", "(b) $C_\\mathrm{AWD}$, predicted")),
            _laws,
        ),
        Board(
            "fig3",
            "Fig. 3: which curvatures make the noise and its exponent?",
            "Per-sample Hessians edited, then $\\mathrm{E}[h^2]_{ii}$ rebuilt, here over their spectra of a random "
            "part of the samples. (a) Dominant eigenvalues only: new against old. (b) The same, against curvature. (c) "
            "Dominant eigenvalues of the stiff samples replaced by their mean: new against old. (d) The same, against "
            "curvature.",
            2,
            440,
            best(photos, same),
            (
                ("suppressed-1", "(a) dominant only, new on old"),
                ("suppressed-law-1", "(b) dominant only, power law"),
                ("suppressed-2", "(c) made alike, new on old"),
                ("suppressed-law-2", "(d) made alike, power law"),
            ),
            _suppressed,
        ),
    ]
    for number, kind in ((4, digits), (5, same)):
        planned.append(
            Board(
                f"fig{number}",
                f"Fig. {number}: along training, {'cross-entropy' if kind is digits else 'softmax-MSE'}",
                "Every analysed checkpoint, the epoch on a logarithmic axis. Lines at 1 and 2: the bounds of γ; "
                "dash-dotted: the first epoch at which every training sample is right; dotted curves: turned at "
                "random.",
                2,
                440,
                best(kind),
                (
                    ("gammas", "(a) the exponent γ"),
                    ("commutators", "(b) commutator error"),
                    ("alignments", "(c) eigen-alignment"),
                    ("spearman", "(d) rank correlation"),
                    ("training", "(e) loss and accuracy"),
                    ("norms", "(f) Frobenius norms"),
                    ("parts", "(g) the parts of the prediction"),
                    ("approximations", "(h) its approximations"),
                ),
                lambda frames: panels.dynamics(*frames.values()),
            )
        )
    return [board for board in planned if board.groups]


def _directions(frames: Mapping[str, Frame]) -> Iterator[Panel]:
    (only,) = frames.values()
    for panel in panels.three(only, "C"):
        yield panel.called(f"{panel.head.key}-C", panel.head.title)


def _suppressed(frames: Mapping[str, Frame]) -> Iterator[Panel]:
    return panels.suppression(*frames.values())


def _laws(frames: Mapping[str, Frame]) -> Iterator[Panel]:
    """Several runs in one figure, each over its own window."""
    for name in MEASURED:
        drawn_clouds = [
            replace(cloud, run=place, label=label)
            for place, (label, frame) in enumerate(frames.items())
            for cloud in clouds({"": frame.view}, (name,), frame.first, frame.last)
        ]
        yield Panel(
            replace(LAW, key=f"law-{name}"),
            f"law-{name}",
            power_law.power_law(drawn_clouds, centred=True, apart=APART),
            "Log-log plot of the noise variance against curvature in several runs, each divided by its mean.",
        )


# -- from the cache -------------------------------------------------------------------------------------------


def frame(store: Store, row: Row) -> Frame | None:
    """A row's analysis as the app's figures take it; None where the cache lacks it."""
    run = library.run(store, row.run)
    made = () if run is None else tuple(a for a in results.analysed(run) if a.request.layer == row.layer)
    chosen = next((a for a in made if a.request.epoch == row.epoch), None)
    analysis = None if chosen is None else results.analysis(row.run, chosen)
    if run is None or chosen is None or analysis is None:
        return None
    return Frame(View(run, made, chosen, analysis), 0, min(row.window, analysis.k), min(HEATMAP, analysis.k))


def drawn(store: Store, board: Board) -> tuple[dict[str, go.Figure], list[str]]:
    """The panels of a board by the name of their file, and a sentence for what the cache has not got."""
    by_file: dict[str, go.Figure] = {}
    missing = []
    for group in board.groups:
        frames = {row.row: frame(store, row) for row in group}
        analysed = {name: one for name, one in frames.items() if one is not None}
        lost = [cell(row) for row in group if frames[row.row] is None]
        if lost:
            missing.append(f"{board.title} is left as it was: the cache has no analysis of {' and '.join(lost)}.")
            continue
        figures = {panel.head.key: panel.figure for panel in board.draw(analysed)}
        keys = [key for key, _ in board.panels]
        by_file |= {board.file(group, key): figures[key] for key in keys if key in figures}
        if absent := [key for key in keys if key not in figures]:
            missing.append(
                f"{board.title} lacks {', '.join(absent)} of {cell(group[0])}: analyse all its checkpoints and keep "
                "its spectra."
            )
    return by_file, missing
