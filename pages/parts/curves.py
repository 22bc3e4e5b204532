"""Arrays in, figures out: lines over epochs, windows and directions, and meters against chance."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray
from plotly.subplots import make_subplots

from pages.parts import palette
from pages.parts.figures import spread
from pages.parts.palette import CURVATURE, LOOKS, SLOPES, axis, faded, layout, log_axis


def training(records: Mapping[str, ndarray], epochs: int, height: int = 300, marked: int | None = None) -> go.Figure:
    """Loss (log scale) and accuracy over epochs 0 … epochs, on training and test samples.

    records: arrays epoch, train_loss, train_accuracy and, where there is a test set, test_loss, test_accuracy.
    """
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.12)
    parts = (("train", palette.TRAIN, "solid"), ("test", palette.TEST, "dash"))
    for column, quantity in enumerate(("loss", "accuracy"), start=1):
        for part, colour, dash in parts:
            values = records.get(f"{part}_{quantity}")
            # Without test samples there is no line; before the first epoch there is one without points.
            if values is None or (values.size and not np.isfinite(values).any()):
                continue
            figure.add_scatter(
                x=records["epoch"],
                y=values,
                row=1,
                col=column,
                mode="lines",
                name="training digits" if part == "train" else "test digits",
                legendgroup=part,
                showlegend=column == 1,
                line={"color": colour, "width": 2.2, "dash": dash},
                hovertemplate=f"epoch %{{x}}<br>{quantity} = %{{y:.4g}}<extra></extra>",
                meta=f"{part}_{quantity}",
            )
    if marked is not None:
        figure.add_vline(x=marked, line={"color": palette.QUIET, "width": 1})
    figure.update_layout(layout(height))
    figure.update_xaxes(axis("epoch", range=[0, max(epochs, 1)]))
    losses = np.concatenate([np.asarray(v, float) for name, v in records.items() if name.endswith("loss")])
    losses = np.log10(losses[losses > 0])
    # At least these three decades, so that the axis rests while the curve grows.
    span = [min(-2.6, losses.min(initial=0.0)) - 0.1, max(0.5, losses.max(initial=0.0)) + 0.1]
    figure.update_yaxes(log_axis("loss", 4, range=span), col=1)
    figure.update_yaxes(axis("accuracy", tickformat=".0%", range=[0, 1.03]), col=2)
    return figure


def over_epochs(
    epochs: Sequence[int], series: Mapping[str, ndarray], marked: int | None = None, height: int = 300
) -> go.Figure:
    """γ of each matrix at each analysed epoch, with the bounds 1 and 2 of the theory."""
    figure = go.Figure(layout=layout(height))
    place = np.log10(1 + np.asarray(epochs, dtype=float))
    for name, values in series.items():
        look = LOOKS[name]
        figure.add_scatter(
            x=place,
            y=values,
            mode="lines+markers",
            name=look.html,
            meta=name,
            customdata=list(epochs),
            line={"color": look.colour, "width": 2.2},
            marker={"symbol": look.marker, "size": 8},
            hovertemplate=f"<b>{look.html}</b>, epoch %{{customdata}}<br>γ = %{{y:.3f}}<extra></extra>",
        )
    for slope, dash in SLOPES.items():
        figure.add_hline(y=slope, line={"color": palette.QUIET, "width": 1.6, "dash": dash})
    if marked is not None:
        figure.add_vline(x=float(np.log10(1 + marked)), line={"color": palette.QUIET, "width": 1})
    ticks = _apart(sorted(epochs))
    figure.update_xaxes(
        axis("epoch (log scale)", tickvals=[np.log10(1 + e) for e in ticks], ticktext=[str(e) for e in ticks])
    )
    figure.update_yaxes(_gamma_axis(series.values()))
    return figure


def _apart(epochs: Sequence[int], gap: float = 0.2) -> list[int]:
    """Epochs whose labels do not touch on a log axis; the last one is always among them."""
    kept: list[int] = []
    for epoch in sorted(epochs, reverse=True):
        if not kept or np.log10((1 + kept[-1]) / (1 + epoch)) >= gap:
            kept.append(epoch)
    return kept[::-1]


def _gamma_axis(values: Iterable[ndarray]) -> dict[str, Any]:
    """Both bounds of the theory are in view, and the data as far as a slope means anything."""
    seen = np.concatenate([np.array([0.9, 2.1]), *(np.asarray(v, dtype=float) for v in values)])
    seen = seen[np.isfinite(seen)]
    return axis("exponent γ", range=[max(float(seen.min()), -1) - 0.05, min(float(seen.max()), 4) + 0.05])


def meter(
    rows: Mapping[str, float], chance: float, chance_label: str, title: str, colour: str, top: float, height: int = 190
) -> go.Figure:
    """Bars of one measure beside the value that chance alone would give."""
    figure = go.Figure(layout=layout(height, showlegend=False, margin={"l": 8, "r": 16, "t": 28, "b": 8}))
    labels, values = list(rows), list(rows.values())
    figure.add_bar(
        x=values,
        y=labels,
        orientation="h",
        width=0.56,
        marker={"color": faded(colour, 0.85), "line": {"width": 0}},
        text=[f"{v:.2f}" for v in values],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.4f}<extra></extra>",
    )
    figure.add_vline(x=chance, line={"color": palette.QUIET, "width": 2, "dash": "dot"})
    figure.add_annotation(
        x=chance,
        y=1,
        yref="paper",
        yanchor="bottom",
        text=chance_label,
        showarrow=False,
        xanchor="right" if chance > top / 2 else "left",
        font={"size": 12, "color": palette.QUIET},
    )
    figure.update_xaxes(axis(title, range=[0, top]))
    figure.update_yaxes(automargin=True, autorange="reversed", showgrid=False, ticksuffix="  ")
    return figure


def alignments(values: Mapping[str, tuple[float, float]], height: int = 300) -> go.Figure:
    """Alignment of each matrix as a bar in its colour, and its own value at random as a tick."""
    figure = go.Figure(layout=layout(height, barmode="overlay", margin={"l": 8, "r": 16, "t": 28, "b": 8}))
    labels = [LOOKS[name].html for name in values]
    measured, chance = (list(v) for v in zip(*values.values(), strict=True))
    figure.add_bar(
        x=measured,
        y=labels,
        orientation="h",
        width=0.6,
        name="measured",
        showlegend=False,
        marker={"color": [faded(LOOKS[name].colour, 0.85) for name in values], "line": {"width": 0}},
        text=[f"{v:.2f}" for v in measured],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.4f}<extra></extra>",
    )
    figure.add_scatter(
        x=chance,
        y=labels,
        mode="markers",
        name="turned at random",
        marker={"symbol": "line-ns", "size": 16, "line": {"width": 2.5, "color": palette.QUIET}},
        hovertemplate="%{y} at random: %{x:.4f}<extra></extra>",
    )
    figure.update_xaxes(axis("alignment with the eigenbasis of H", range=[0, 1.12], tickvals=[0, 0.25, 0.5, 0.75, 1]))
    figure.update_yaxes(automargin=True, autorange="reversed", showgrid=False, ticksuffix="  ")
    return figure


def off_diagonal(real: ndarray, random: ndarray | None, colour: str, height: int = 230) -> go.Figure:
    """How often a correlation |R_ij| between different directions has which size: measured, and by chance."""
    figure = go.Figure(layout=layout(height, barmode="overlay", bargap=0))
    parts = [("by chance", random, palette.QUIET, 0.35), ("measured", real, colour, 0.75)]
    sizes = {label: off_diagonal_sizes(block) for label, block, _, _ in parts if block is not None}
    edge = max((float(np.quantile(v, 0.999)) for v in sizes.values() if v.size), default=1.0) or 1.0
    edges = np.linspace(0, min(1.0, edge), 41)
    for label, _, shade, opacity in parts:
        if label not in sizes or not sizes[label].size:
            continue
        counts, _ = np.histogram(np.clip(sizes[label], 0, edges[-1]), edges)
        figure.add_bar(
            x=(edges[1:] + edges[:-1]) / 2,
            y=counts / sizes[label].size,
            width=edges[1],
            name=label,
            marker={"color": shade, "opacity": opacity, "line": {"width": 0}},
            hovertemplate=f"{label}: %{{y:.1%}} of pairs near |R| = %{{x:.3f}}<extra></extra>",
        )
    figure.update_xaxes(axis("size of the correlation |R<sub>ij</sub>|, i ≠ j", range=[0, edges[-1]]))
    figure.update_yaxes(axis("share of pairs", tickformat=".0%"))
    return figure


def off_diagonal_sizes(block: ndarray) -> ndarray:
    """|R_ij| of the pairs i < j that are defined."""
    upper = np.abs(block[np.triu_indices(block.shape[0], 1)])
    return upper[np.isfinite(upper)]


def gamma_by_window(curves: Mapping[str, ndarray], first: int, last: int, height: int = 300) -> go.Figure:
    """γ fitted over the first 𝒩 directions, for every 𝒩; the present window is shaded."""
    figure = go.Figure(layout=layout(height))
    for name, gamma in curves.items():
        count = np.arange(1, gamma.size + 1)
        # Fits over a handful of points swing wildly and would hide the rest.
        usable = np.isfinite(gamma) & (count >= min(20, gamma.size))
        keep = spread(np.where(usable, count, 0.0))
        look = LOOKS[name]
        figure.add_scatter(
            x=count[keep],
            y=gamma[keep],
            mode="lines",
            name=look.html,
            meta=name,
            line={"color": look.colour, "width": 2.2},
            hovertemplate=f"<b>{look.html}</b>, first %{{x}} directions<br>γ = %{{y:.3f}}<extra></extra>",
        )
    for slope, dash in SLOPES.items():
        figure.add_hline(y=slope, line={"color": palette.QUIET, "width": 1.6, "dash": dash})
    figure.add_vrect(x0=max(first, 1), x1=max(last, 2), fillcolor=palette.SHADE, line_width=0, layer="below")
    figure.update_xaxes(log_axis("number 𝒩 of leading directions fitted", 4))
    figure.update_yaxes(_gamma_axis(curves.values()))
    return figure


def effective_curvature(eigenvalues: ndarray, curvature: ndarray, height: int = 300) -> go.Figure:
    """κ_eff = E[h²]_ii / H_ii against H_ii; it cannot lie below the line κ_eff = H_ii."""
    figure = go.Figure(layout=layout(height))
    both = np.isfinite(curvature) & (eigenvalues > 0) & (np.nan_to_num(curvature) > 0)
    keep = spread(np.where(both, eigenvalues, 0.0))
    x, look = eigenvalues[keep], LOOKS["E_h2"]
    figure.add_scatter(
        x=x,
        y=curvature[keep],
        mode="markers",
        name="κ<sub>eff</sub>",
        meta="E_h2",
        marker={"color": look.colour, "symbol": look.marker, "size": 6, "opacity": 0.75},
        customdata=keep + 1,
        hovertemplate="direction %{customdata}<br>H<sub>ii</sub> = %{x:.3e}<br>"
        "κ<sub>eff</sub> = %{y:.3e}<extra></extra>",
    )
    if x.size:
        edge = [float(x.min()), float(x.max())]
        figure.add_scatter(
            x=edge,
            y=edge,
            mode="lines",
            name="lower bound H<sub>ii</sub>",
            hoverinfo="skip",
            meta="bound",
            line={"color": palette.QUIET, "width": 1.6, "dash": SLOPES[2]},
        )
    figure.update_xaxes(log_axis(CURVATURE, 6))
    figure.update_yaxes(log_axis("effective curvature κ<sub>eff</sub>", 6))
    return figure
