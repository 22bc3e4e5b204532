"""The network and its numbers along depth and along training, each as a figure with its words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy import ndarray

from engine.results.record import Provenance
from engine.runs import depth as engine_depth
from engine.runs.depth import GAUSS_NEWTON, StudiedLayer
from engine.runs.library import Analysed
from engine.runs.run import Run
from pages.charts.over_epochs import Times
from pages.data import depth as kept
from pages.data.depth import Columns
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.layers import figures, text
from pages.rooms.layers.figures import Depth, Line
from pages.text import definitions

LISTED = 3  # layers that a caption names

NETWORK = Head("network", "The network", "the network, block by block", text.NETWORK)
GAMMAS = Head("depth", "The exponent along depth", "γ along depth", text.DEPTH)
COMMUTATORS = Head(
    "depth_commutator", "Do noise and curvature commute?", "the commutator error along depth", definitions.COMMUTATOR
)
ALIGNMENTS = Head("depth_alignment", "Do they share directions?", "the alignment along depth", definitions.ALIGNMENT)
TRACES = Head("depth_traces", "How much noise?", "tr C / tr H along depth", text.TRACES)
DISTANCES = Head("depth_distance", "Is C proportional to E[h²]?", "the distance along depth", text.DISTANCE)
TRAINING = Head("depth_training", "Layer by layer along training", "every layer along training", definitions.GAMMA)


@dataclass(frozen=True)
class Quantity:
    """A number that each layer has. column: its name in Columns; label: in a menu; title: of its axis; matrix: whose
    colour it has; call: the engine's question."""

    column: str
    label: str
    title: str
    matrix: str
    call: str


QUANTITIES: Mapping[str, Quantity] = {
    quantity.column: quantity
    for quantity in (
        Quantity("gamma", "γ of C", "exponent γ", "C", 'fit("C", {last}, {first}).gamma'),
        Quantity("gamma_E_h2", "γ of E[h²]", "exponent γ", "E_h2", 'fit("E_h2", {last}, {first}).gamma'),
        Quantity("commutator", "commutator error", "commutator error", "C", 'commutator("C")'),
        Quantity("alignment", "alignment", "alignment with the eigenbasis of H", "C", 'alignment("C")'),
        Quantity("traces", "tr C / tr H", "tr C / tr H", "C", 'traces["C"] / result.traces["H"]'),
        Quantity("distance", "distance of C from E[h²]", "relative distance", "C", 'distance("C", "E_h2").scaled'),
    )
}


@dataclass(frozen=True)
class Layers:
    """The layers of a run that are looked at, at one checkpoint. made: the analysis of each, None where there is none;
    first, last: the directions fitted, counted from 0, the last left out."""

    run: Run
    epoch: int
    studied: tuple[StudiedLayer, ...]
    made: tuple[Analysed | None, ...]
    first: int
    last: int

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.studied]

    @property
    def columns(self) -> Columns:
        """The numbers of each layer, in their order."""
        return kept.columns(self.run, self.made, self.last, self.first)

    @property
    def origins(self) -> list[Provenance | None]:
        """Where the numbers of each layer come from."""
        return [None if one is None else kept.origin(self.run, one) for one in self.made]

    @property
    def depth(self) -> Depth:
        """The layers along an axis."""
        return drawn(self.run, self.studied, self.made)

    def provenance(self) -> str:
        """The line under a figure."""
        origins = [origin for origin in self.origins if origin is not None]
        parts = [f"Run {self.run.key[:8]}", f"epoch {self.epoch}"]
        for word, values in (
            ("N = {:,} samples", {o.samples for o in origins}),
            ("B = {}", {o.batch_size for o in origins}),
            ("{}", {f"{o.device}, {o.dtype}" for o in origins}),
        ):
            parts += [word.format(value) for value in sorted(values)]
        line = " · ".join(part.replace(" ", "\u00a0") for part in parts)
        named = [
            one.name for one, method in zip(self.studied, self.depth.methods, strict=True) if method == GAUSS_NEWTON
        ]
        if named:
            where = ", ".join(named) if len(named) <= LISTED else f"{len(named)} of {len(self.studied)} layers"
            line += f" **(GN)** in {where}: the Gauss–Newton matrix, which is not the Hessian."
        return line


def drawn(run: Run, studied: Sequence[StudiedLayer], made: Sequence[Analysed | None]) -> Depth:
    """Layers as figures draw them; an analysis tells its method, else the network does."""
    origins = [None if one is None else kept.origin(run, one) for one in made]
    methods = [
        one.method if origin is None else engine_depth.method_of(origin)
        for one, origin in zip(studied, origins, strict=True)
    ]
    return Depth(studied, [origin is not None for origin in origins], methods)


def network(layers: Layers, every: Depth, on_click: Callable[[int], None]) -> Panel:
    """All layers as blocks, those that are looked at stronger."""
    chosen = [one.name in layers.names for one in every.studied]
    count = sum(every.analysed)
    listed = "; ".join(
        f"{one.name}, {one.kind}, {one.d_out} × {one.d_in}, T = {one.places}, {'' if analysed else 'not '}analysed"
        for one, analysed in zip(every.studied, every.analysed, strict=True)
    )
    numbers = ("d_out", "d_in", "places")
    return Panel(
        NETWORK,
        f"network-{layers.run.key[:8]}",
        figures.network(every, chosen),
        f"The layers of the network from input to output: {listed}.",
        f"{count} of {len(every.studied)} layers are analysed at epoch {layers.epoch}. Wide by the number of weights, "
        "high by that of outputs, both by their logarithm. Press a filled block to see its power law.",
        arrays=lambda: {
            "layer": np.array([one.name for one in every.studied]),
            **{name: np.array([getattr(one, name) for one in every.studied]) for name in numbers},
        },
        code=lambda: reproduce.network(layers.run.key),
        on_click=on_click,
    )


def gammas(layers: Layers, on_click: Callable[[int], None]) -> Panel:
    """γ of C and of E[h²] along depth, under the answer."""
    c = layers.columns
    lines = [
        Line("C", c.gamma, c.low, c.high, c.n),
        Line("E_h2", c.gamma_E_h2, c.low_E_h2, c.high_E_h2, c.n_E_h2),
    ]
    fitted = c.n[np.isfinite(c.n)].astype(int)
    span = "no" if not fitted.size else f"{fitted.min():,}" + (f" … {fitted.max():,}" if np.ptp(fitted) else "")
    return Panel(
        GAMMAS,
        f"depth-{layers.epoch}",
        figures.gammas(layers.depth, lines),
        f"Exponents of C and of E[h²] layer by layer, with intervals, and lines at 1 and 2. {_spoken(layers, c)}",
        f"Bars: 95 % intervals over training samples. Fitted: {span} directions of each, of the window "
        f"{layers.first + 1} … {layers.last:,}. Press a point to see that layer's power law.",
        arrays=lambda: _arrays(layers, *(f"{n}{end}" for end in ("", "_E_h2") for n in ("gamma", "low", "high", "n"))),
        code=lambda: _code(layers, 'fit("C", {last}, {first})', 'fit("E_h2", {last}, {first})'),
        on_click=on_click,
    )


def smaller(layers: Layers, on_click: Callable[[int], None]) -> list[Panel]:
    """The other numbers along depth."""
    c, depth = layers.columns, layers.depth

    def panel(head: Head, column: str, line: Line, symbol: str, caption: str, *more: str) -> Panel:
        quantity = QUANTITIES[column]
        return Panel(
            head,
            f"{head.key.replace('_', '-')}-{layers.epoch}",
            # Many names stand upright and take their room.
            figures.along_depth(depth, [line], quantity.title, symbol, 260 if len(c.gamma) <= figures.LEVEL else 340),
            f"{quantity.label} layer by layer.",
            f"{caption}",
            arrays=lambda: _arrays(layers, column, *more),
            code=lambda: _code(layers, quantity.call),
            on_click=on_click,
        )

    return [
        panel(
            COMMUTATORS,
            "commutator",
            Line("C", c.commutator, chance=c.commutator_random),
            "commutator error of {}",
            "0: the same eigenvectors; dotted: the same spectrum turned at random.",
            "commutator_random",
        ),
        panel(
            ALIGNMENTS,
            "alignment",
            Line("C", c.alignment, chance=c.alignment_random),
            "alignment of {}",
            "1: the same directions as the curvature; dotted: turned at random.",
            "alignment_random",
        ),
        panel(TRACES, "traces", Line("C", c.traces), "tr {} / tr H", "Over the directions kept of each layer."),
        panel(
            DISTANCES,
            "distance",
            Line("C", c.distance),
            "distance of {} from E[h²]",
            "0: proportional; 1: nothing in common. Over the directions kept of each layer.",
        ),
    ]


def training(layers: Layers, quantity: Quantity, epochs: Sequence[int], learned: int | None) -> Panel:
    """One number of every layer at each checkpoint that is analysed."""
    made = kept.analysed(layers.run)
    series: dict[str, ndarray] = {}
    for one in layers.studied:
        along = [made.get((epoch, one.name)) for epoch in epochs]
        values = getattr(kept.columns(layers.run, along, layers.last, layers.first), quantity.column)
        if np.isfinite(values).any():
            series[one.name] = values
    figure = figures.along_training(
        Times(epochs, layers.epoch, learned), series, quantity.matrix, quantity.title, "gamma" in quantity.column
    )
    return Panel(
        TRAINING,
        f"depth-{quantity.column}-along-training",
        figure,
        f"{quantity.label} of {', '.join(series)} over the epochs {epochs[0]} to {epochs[-1]}.",
        f"{quantity.label}, one line a layer; the deeper a layer, the stronger its line.",
        arrays=lambda: {"epoch": np.array(epochs)} | series,
        code=lambda: _code(layers, quantity.call, every=True),
    )


def _spoken(layers: Layers, columns: Columns) -> str:
    known = zip(layers.names, columns.gamma, columns.gamma_E_h2, strict=True)
    return "; ".join(
        f"{name}: {c:.2f} and {e:.2f}" if np.isfinite(c) else f"{name}: not analysed" for name, c, e in known
    )


def _arrays(layers: Layers, *names: str) -> dict[str, ndarray]:
    assert {*names} <= {f.name for f in fields(Columns)}
    columns = layers.columns
    return {"layer": np.array(layers.names), **{name: getattr(columns, name) for name in names}}


def _code(layers: Layers, *calls: str, every: bool = False) -> str:
    """The same questions to every layer."""
    where = {"last": f"min({layers.last}, result.k)", "first": layers.first}
    asked = ", ".join(f"result.{call.format(**where)}" for call in calls)
    print_ = f"print(made.request.epoch, made.request.layer, {asked})"
    return reproduce.layers(layers.run.key, None if every else layers.epoch, print_)
