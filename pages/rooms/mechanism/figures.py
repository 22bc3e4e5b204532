"""Figures of the sandbox: arrays in, go.Figure out. What is made up is teal, what was measured is grey."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from engine.results.synthetic import Place
from pages.charts import marks, power_law
from pages.charts.marks import Trace
from pages.charts.power_law import Cloud
from pages.rooms.mechanism.spectra import Source
from pages.state import palette
from pages.state.palette import LOOKS, SLOPES, Look, axis, faded, layout, log_axis

NOISE = "noise C<sub>ii</sub> ∝ E[h²]<sub>ii</sub>"
HESSIAN = "curvature H<sub>ii</sub>"


def law(sources: Mapping[str, Source], height: int = 330) -> go.Figure:
    """C_ii on H_ii of each source, shifted onto one centre: only slopes differ."""
    clouds = []
    for name, source in sources.items():
        rows = source.directions
        clouds.append(
            Cloud(
                name,
                np.where(source.data, source.bounds.hessian, 0.0),
                source.bounds.noise,
                source.fit,
                int(rows[0]),
                int(rows[-1]) + 1,
                style=source.look,
            )
        )
    figure = power_law.power_law(clouds, centred=True, height=height)
    figure.update_xaxes(title_text=f"{HESSIAN} ÷ its mean")
    figure.update_yaxes(title_text=f"{NOISE}, ÷ its mean")
    return figure


def seen(sources: Mapping[str, Source], height: int = 330) -> go.Figure:
    """The curvatures that each direction's H_ii is made of: median and middle two thirds."""
    traces: list[Trace] = []
    for name, source in sources.items():
        x = source.bounds.hessian[source.shown]
        order = np.argsort(x)
        x = x[order] / _centre(x)
        low, middle, high = source.seen[:, order] / _centre(source.seen[1])
        colour = source.look.colour
        hover = "direction %{customdata}<br>half of H<sub>ii</sub> is from κ below %{y:.3g} of the middle"
        more: Trace = {"key": f"{name} median", "hover": hover, "customdata": source.shown[order] + 1}
        legend = f"{source.look.html}: r = {signed(source.place.correlation)}"
        traces += [
            marks.band(x, low, high, faded(colour, 0.2), f"{name} band"),
            marks.line(x, middle, legend, colour, 2.5, **more),
        ]
    wide, tall = (decades(traces, coordinate) for coordinate in "xy")
    low, high = (end([end(t["x"]) for t in traces]) for end in (min, max))
    bottom, top = (end([end(t["y"]) for t in traces]) for end in (min, max))
    for gamma, dash in SLOPES.items():
        reach = (low, high) if gamma == 1 else (max(low, bottom), min(high, top))
        name = f"flat: γ = {gamma}" if gamma == 1 else f"slope {gamma - 1}: γ = {gamma}"
        y = [x ** (gamma - 1) for x in reach]
        traces.append(marks.line(reach, y, name, palette.QUIET, 1.6, dash, key=f"γ = {gamma}"))
    return palette.figure(
        traces,
        layout(
            height,
            xaxis=log_axis(f"{HESSIAN} ÷ its mean", wide),
            yaxis=log_axis("curvatures κ in it, ÷ their middle", tall),
        ),
    )


def spectra(sources: Mapping[str, Source], height: int = 330) -> go.Figure:
    """κ of the samples, H_ii and E[h²]_ii, each sorted, in units of the mean κ; one box a source."""
    traces: list[Trace] = []
    boxes: dict[str, Any] = {}
    for place, source in enumerate(sources.values(), 1):
        unit = float(source.kappa.mean())
        rows = source.shown
        count = int(source.data.sum())
        samples = np.unique(np.linspace(0, source.kappa.size - 1, power_law.LIMIT).astype(int))
        kappa = source.kappa[samples]
        series: tuple[tuple[str, str, str, str, ndarray, ndarray], ...] = (
            ("kappa", "κ of the samples", palette.QUIET, SLOPES[1], samples / source.kappa.size, kappa / unit),
            ("hessian", "H<sub>ii</sub>", LOOKS["H"].colour, "solid", rows / count, source.bounds.hessian[rows] / unit),
            (
                "noise",
                "E[h²]<sub>ii</sub>",
                LOOKS["E_h2"].colour,
                "solid",
                rows / count,
                np.sort(source.bounds.noise[rows])[::-1] / unit**2,
            ),
        )
        for meta, name, colour, dash, x, y in series:
            more: Trace = {"key": f"{meta} {place}", "legendgroup": meta, "showlegend": place == 1}
            more |= {"xaxis": "x" if place == 1 else f"x{place}", "yaxis": "y"}
            hover = "%{x:.1%} of them are larger than %{y:.3e}<extra>" + name + "</extra>"
            y = np.where(y > 0, y, np.nan)
            traces.append(marks.line(x, y, name, colour, 2.5, dash, hovertemplate=hover, **more))
        width = 1 / len(sources)
        end = place * width - (0.03 if place < len(sources) else 0)
        boxes["xaxis" if place == 1 else f"xaxis{place}"] = axis(
            f"{source.look.html}, sorted",
            domain=[(place - 1) * width, end],
            tickformat=".0%",
            range=[0, 1],
            tickvals=[0, 0.25, 0.5, 0.75],
        )
    shown = np.concatenate([t["y"] for t in traces])
    top = float(np.nanmax(shown))
    bottom = max(float(np.nanmin(shown)), top * 1e-12)
    span = [np.log10(bottom) - 0.3, np.log10(top) + 0.3]
    return palette.figure(
        traces,
        layout(
            height,
            yaxis=log_axis("in units of the mean κ, and of its square", span[1] - span[0], range=span),
            **boxes,
        ),
    )


def chart(
    curve: ndarray,
    here: Place,
    look: Look,
    run: Mapping[int, Place],
    epoch: int,
    style: Look,
    height: int = 330,
) -> go.Figure:
    """The map: γ against the correlation of κ with its alignment; the sandbox's curve and point, and the run's points
    by epoch, the one looked at large."""
    traces = [marks.line(curve[0], curve[1], "", look.colour, 2.5, key="curve", showlegend=False)]
    if run:
        size, width = zip(*((17, 3) if e == epoch else (8, 1.5) for e in run), strict=True)
        x, y = zip(*((p.correlation, p.gamma) for p in run.values()), strict=True)
        name = f"{style.html}  γ = {run[epoch].gamma:.2f}" if epoch in run else style.html
        marker = {"color": style.colour, "symbol": style.marker, "size": size, "line": {"width": width}}
        more: Trace = {
            "hover": "this run, epoch %{customdata}<br>r = %{x:.2f}<br>γ = %{y:.3f}",
            "customdata": list(run),
        }
        traces.append(marks.line(x, y, name, faded(style.colour, 0.6), 1.2, key="run", marker=marker, **more))
    own, name = (look.colour, look.marker, 17), f"{look.html}  γ = {here.gamma:.2f}"
    hover = "sandbox<br>r = %{x:.2f}<br>γ = %{y:.3f}"
    traces.append(marks.points([here.correlation], [here.gamma], name, *own, key="sandbox", hover=hover))
    low = min([0.85, *(p.gamma - 0.1 for p in run.values())])
    left = min([-0.05, *(p.correlation - 0.07 for p in run.values())])
    top = max([2.15, *(curve[1] + 0.1)])
    notes = [
        palette.note(f"{text}: γ = {gamma}", x, gamma, palette.QUIET, 12, xanchor=xanchor, yanchor=yanchor)
        for gamma, x, text, xanchor, yanchor in (
            (2, 0.0, "each direction owns one κ and an equal share", "left", "bottom"),
            (1, 1.0, "all directions see the same κ", "right", "top"),
        )
    ]
    return palette.figure(
        traces,
        layout(
            height,
            xaxis=axis("r, correlation of κ with its alignment", range=[left, 1.05], dtick=0.25, tick0=0),
            yaxis=axis("exponent γ", range=[low, top], dtick=0.25 if top < 3 else 1, tick0=1),
            shapes=palette.bounds(),
            annotations=notes,
        ),
    )


def wedge(source: Source, step: int, direction: int, height: int = 420) -> go.Figure:
    """E[h²]_ii between H_ii² (slope 2) and max |κ| E[|h|]_ii (slope 1 where no κ is negative); what the step of the
    proof speaks of is drawn strong. direction: the one whose numbers are told, from 1."""
    b, rows = source.bounds, source.shown
    x = b.hessian[rows]
    order = np.argsort(x)
    x, rows = x[order], rows[order]
    lower, noise, upper = (z[rows] for z in (b.lower, b.noise, b.upper))
    strong = {2: ("lower",), 3: ("upper",), 4: ("lower", "upper"), 5: ("law",)}.get(step, ())

    def line(key: str, y: ndarray, name: str, dash: str, colour: str = palette.QUIET) -> Trace:
        return marks.line(x, y, name, colour, 4 if key in strong else 1.6, dash, key=key)

    right = "max |κ| · E[|h|]<sub>ii</sub>" if b.negative else "κ<sub>max</sub> H<sub>ii</sub>"
    i = direction - 1
    hover = "direction %{customdata}<br>H<sub>ii</sub> = %{x:.3e}<br>E[h²]<sub>ii</sub> = %{y:.3e}"
    own = (source.look.colour, source.look.marker, 6, 0.75)
    more: Trace = {"hover": hover, "customdata": rows + 1}
    at, values = [b.hessian[i]] * 3, [b.lower[i], b.noise[i], b.upper[i]]
    ends = {"color": palette.MARK, "symbol": ["line-ew-open", "circle-open", "line-ew-open"], "size": 14}
    pointed: Trace = {"key": "marked", "marker": ends, "hover": "%{y:.3e}"}
    traces = [
        marks.band(x, lower, upper, palette.SHADE, "between", "every point lies here"),
        line("upper", upper, f"{right}, slope 1", SLOPES[1]),
        line("lower", lower, "H<sub>ii</sub>², slope 2", SLOPES[2]),
        marks.points(x, noise, "E[h²]<sub>ii</sub>", *own, key="noise", **more),
        line("law", source.fit.line(x), f"γ = {source.fit.gamma:.2f}", "solid", source.look.colour),
        marks.line(at, values, f"direction {direction}", palette.MARK, 2, **pointed),
    ]
    wide, tall = (decades(traces, coordinate) for coordinate in "xy")
    return palette.figure(
        traces,
        layout(height, xaxis=log_axis(HESSIAN, wide), yaxis=log_axis("E[h²]<sub>ii</sub> and its bounds", tall)),
    )


def _centre(values: ndarray) -> float:
    return float(10 ** np.log10(values[values > 0]).mean())


def decades(traces: Sequence[Mapping[str, Any]], coordinate: str) -> float:
    """How many powers of ten the positive values of all series span."""
    values = np.concatenate([np.asarray(t[coordinate], float) for t in traces])
    values = values[values > 0]
    return float(np.log10(values.max() / values.min()))


def signed(value: float) -> str:
    """Two digits, with a minus as it is printed."""
    return f"{value:.2f}".replace("-", "−")
