"""The exponent, as the power-law page shows it: the law, its numbers, its residuals, its window, its cause."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import streamlit as st
from numpy import ndarray

from engine.results.bend import ENOUGH, Bend, swept
from engine.results.exponent import Exponent
from pages.charts import power_law, slopes
from pages.charts import residuals as residual_charts
from pages.charts.power_law import RUNS, Cloud
from pages.charts.residuals import residuals_of
from pages.data import results
from pages.data.results import View
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.plot.plot import Window
from pages.state import selection
from pages.state.palette import LOOKS
from pages.text import confidence, definitions
from pages.text.run_names import escaped, names
from pages.ui import marker
from pages.ui.cards import fit_or_none

FITS = Head("heading-the-fits-in-numbers", "The fits in numbers", "the fits in numbers", definitions.FITS)
AXES = definitions.H + definitions.C + definitions.GAMMA + definitions.FLOOR + definitions.BEND
LAW = Head("power", "The law", "the power law", AXES)
RESIDUALS = Head("residuals", "Is it one power?", "the residuals", definitions.RESIDUALS)
BY_HAND = Head("by_hand", "Your slope", "the slope by hand", definitions.BY_HAND)
LOCAL = Head("local_slope", "The slope along the cloud", "the local slope", definitions.LOCAL)
BY_WINDOW = Head("gamma_by_window", "How many directions?", "γ against 𝒩", definitions.WINDOW)
EFFECTIVE = Head("effective", "What lifts γ above 1?", "the effective curvature", definitions.EFFECTIVE)


def views(page: str, view: View) -> dict[str, View]:
    """The view given, and those of other runs that are chosen, each by the name of its run."""
    runs = {run.key: run for run in results.runs()}
    labels = names(tuple(runs.values()))
    drawn = {view.run.key: view}
    others = {key: name for key, name in labels.items() if key != view.run.key}
    if not others:
        return {labels[view.run.key]: view}
    chosen = tuple(key for key in selection.current().runs or () if key in others)[: len(RUNS) - 1]
    pressed = st.multiselect(
        "Other runs in the same figure",
        list(others),
        format_func=others.__getitem__,
        max_selections=len(RUNS) - 1,
        placeholder="none",
        help="The same covariances of other runs, at the same epoch or the nearest that is analysed.",
        **selection.bound(page, "runs", chosen),
    )
    for key in pressed:
        other = results.view_of(runs[key])
        if other is None:
            st.caption(f"Nothing of {escaped(others[key])} is analysed yet.")
        else:
            drawn[key] = other
    short = apart([labels[key] for key in drawn])
    return dict(zip(short, drawn.values(), strict=True))


def apart(names: Sequence[str]) -> list[str]:
    """Names of several runs without the parts that all of them share, as long as something is left of each."""
    parts = [name.split(", ") for name in names]
    shared = set(parts[0]).intersection(*parts)
    short = [", ".join(p for p in part if p not in shared) for part in parts]
    return short if all(short) and len(set(short)) == len(names) else list(names)


def clouds(
    by_run: Mapping[str, View],
    matrices: Sequence[str],
    first: int,
    last: int,
    bend: bool = False,
    verdict: bool = False,
) -> list[Cloud]:
    """Diagonals and fits of some matrices of one or more runs, ready to be drawn; second-order fits, and what they say,
    on demand."""
    return [
        Cloud(
            name,
            view.analysis.eigenvalues,
            view.analysis.diagonal(name),
            fit_or_none(view.analysis, name, last, first),
            first,
            last,
            view.analysis.noise_floor,
            place,
            run if len(by_run) > 1 else "",
            bend=_bend(view, name, last, first) if bend else None,
            verdict=_verdict(view, name, last, first) if verdict else "",
        )
        for place, (run, view) in enumerate(by_run.items())
        for name in matrices
        if name in view.analysis.names
    ]


def _law(view: View, name: str, last: int, first: int) -> Exponent | None:
    try:
        return confidence.exponent(view, name, last, first)
    except ValueError:
        return None


def _bend(view: View, name: str, last: int, first: int) -> Bend | None:
    law = _law(view, name, last, first)
    return None if law is None else law.bend


def _verdict(view: View, name: str, last: int, first: int) -> str:
    bent = _bend(view, name, last, first)
    return "" if bent is None else bent.verdict


def arrays_of(drawn: Sequence[Cloud]) -> dict[str, ndarray]:
    """The diagonals behind a figure, those of other runs numbered."""
    arrays: dict[str, ndarray] = {}
    for cloud in drawn:
        end = _end(cloud.run)
        arrays |= {f"H{end}": cloud.x, f"{cloud.name}{end}": cloud.y}
    return arrays


def code_of(by_run: Mapping[str, View], drawn: Sequence[Cloud], *lines: str) -> str:
    """The same questions to each run: {name} stands for a matrix, {end} for the run's number, {window} for the
    arguments of a fit."""
    texts = []
    for place, view in enumerate(by_run.values()):
        end = _end(place)
        commands = [f"H{end} = result.eigenvalues"]
        for cloud in (c for c in drawn if c.run == place):
            window = f'"{cloud.name}", {cloud.last}, {cloud.first}'
            asked = (line.format(name=cloud.name, end=end, window=window) for line in lines)
            commands += [line for line in asked if line not in commands]
        texts.append(reproduce.one(view, *commands))
    return "\n\n".join(texts)


def _end(run: int) -> str:
    return f"_run{run + 1}" if run else ""


def _boxed(view: View, scale: float, low: float, high: float) -> None:
    """Fit the directions whose curvature lies in a box that was drawn."""
    inside = np.flatnonzero((view.analysis.eigenvalues >= low * scale) & (view.analysis.eigenvalues <= high * scale))
    if inside.size:
        selection.choose(window=(int(inside[0]) + 1, int(inside[-1]) + 1))


def law(
    by_run: Mapping[str, View],
    drawn: Sequence[Cloud],
    centred: bool = False,
    boxes: bool = False,
    marked: int | None = None,
    slider: str = "",
) -> Panel:
    """Log-log C_ii on H_ii with fits and slopes; a box drawn in it becomes the window if `boxes`; its fits follow the
    window's slider while it moves."""
    view = next(iter(by_run.values()))
    spoken = "; ".join(
        f"{c.name}{f' of {c.label}' if c.label else ''} has exponent {c.fit.gamma:.2f}"
        for c in drawn
        if c.fit is not None
    )
    shown = next((c for c in drawn if c.fitted.any()), None)
    scale = float(shown.centre[0]) if centred and shown is not None else 1.0
    counts = " and ".join(f"{c.fit.n:,} of ${c.look.tex}$" for c in drawn if c.fit is not None and c.run == 0)
    first, last = (drawn[0].first, drawn[0].last or drawn[0].x.size) if drawn else (0, 0)
    figure = power_law.power_law(drawn, centred, marked=marked)
    box = " Draw a box in the figure to fit what is in it." if boxes else ""
    return Panel(
        LAW,
        f"power-law-{view.epoch}",
        figure if shown is None else power_law.over(figure, first, last),
        f"Log-log plot of the noise variance against curvature. {spoken}. Lines of slope 1 and 2 for comparison.",
        f"Fitted: {counts or 'none'} among directions {first + 1} … {last:,}, above the noise floor.{box} "
        f"At most {power_law.LIMIT} points of each are drawn; fits use all.",
        arrays=lambda: arrays_of(drawn),
        code=lambda: code_of(
            by_run, drawn, '{name}{end} = result.diagonal("{name}")', "fit_{name}{end} = result.fit({window})"
        ),
        on_click=marker.at,
        on_box=partial(_boxed, view, scale) if boxes else None,
        follows=Window(slider, (first + 1, last), power_law.movable(drawn, centred), not centred) if slider else None,
    )


def by_hand(view: View, cloud: Cloud) -> Panel:
    """A line to be dragged over the cloud."""
    fitted = "" if cloud.fit is None else f" The fitted line, of slope {cloud.fit.gamma:.2f}, is the nearest of all."
    return Panel(
        BY_HAND,
        f"slope-by-hand-{view.epoch}",
        slopes.by_hand(cloud),
        f"Log-log plot of the noise variance against curvature, with a line whose slope a slider changes.{fitted}",
        "Off: root mean square distance of the directions fitted, in powers of ten.",
        arrays=lambda: (
            arrays_of([cloud])
            | {"slope": slopes.SLOPES, "off": np.array([slopes.off(cloud, slope) for slope in slopes.SLOPES])}
        ),
        code=lambda: code_of({"": view}, [cloud], '{name} = result.diagonal("{name}")', "fit = result.fit({window})"),
        on_click=marker.at,
    )


def local(view: View, cloud: Cloud) -> Panel | None:
    """A window to be swept along the cloud; None where no window of it holds enough directions."""
    there = swept(cloud.x[cloud.fitted], cloud.y[cloud.fitted], cloud.floor)
    if not np.isfinite(there.gamma).any():
        return None
    return Panel(
        LOCAL,
        f"local-slope-{view.epoch}",
        slopes.swept(cloud, there),
        "Log-log plot of the noise variance against curvature, with a window that a slider sweeps along it, above the "
        "exponent inside the window.",
        f"The window is {there.width:g} decade of $H_{{ii}}$ wide; places with fewer than {ENOUGH} directions are left "
        "out. Lines: 1 and 2.",
        arrays=lambda: {"H": 10**there.u, "gamma": there.gamma, "directions": there.n},
        code=lambda: code_of(
            {"": view},
            [cloud],
            "from engine.results.bend import swept",
            f"h, c = result.eigenvalues[{cloud.first}:{cloud.last}], "
            f'result.diagonal("{cloud.name}")[{cloud.first}:{cloud.last}]',
            "gamma = swept(h, c, result.noise_floor).gamma",
        ),
        on_click=marker.at,
    )


def fits(page: str, by_run: Mapping[str, View], matrices: Sequence[str], first: int, last: int) -> None:
    """The numbers of each fit."""
    robust = st.session_state.get(f"{page}.robust", False)
    rows = []
    for run, view in by_run.items():
        a = view.analysis
        for name in matrices:
            if name not in a.names:
                continue
            try:
                fit = a.fit(name, last, first)
            except ValueError as error:
                st.warning(f"{LOOKS[name].tex}: {error}")
                continue
            law = _law(view, name, last, first)
            local, decades = (
                ("—", "—") if law is None else (confidence.slopes(law.bend, sure=False), f"{law.by_decade.gamma:.3f}")
            )
            row = f"| {escaped(run)} " if len(by_run) > 1 else ""
            row += f"| ${LOOKS[name].tex}$ | **{fit.gamma:.3f}** ± {fit.stderr:.3f} | {confidence.between(fit)} "
            row += f"| {decades} | {local} "
            if robust:
                slope, low, high = results.theil_sen(view.key, name, last, first)
                row += f"| {slope:.3f}" + (f" ({low:.3f} … {high:.3f}) " if low == low else " ")
            rows.append(row + f"| {fit.r2:.4f} | {fit.n:,} | {fit.discarded:,} | {a.spearman(name, last):.4f} |")
    if not rows:
        return
    columns = ["covariance", "γ ± standard error", "95 % interval", "γ, decades alike", "γ in bins of H"]
    columns = ["run"] * (len(by_run) > 1) + columns + ["γ by Theil–Sen"] * robust
    columns += ["R²", "directions, n", "left out", "rank correlation"]
    left = 1 + (len(by_run) > 1)
    rule = "|:--" * left + "|--:" * (len(columns) - left) + "|"
    st.markdown("\n".join([f"| {' | '.join(columns)} |", rule, *rows]))
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.toggle(
            "Second opinion: Theil–Sen",
            key=f"{page}.robust",
            help="The median of the slopes of all pairs of directions and its 95 % interval over samples: γ without "
            "trust in outliers.",
        )
        confidence.button(next(iter(by_run.values())), matrices, last, first)


def residuals(by_run: Mapping[str, View], drawn: Sequence[Cloud], marked: int | None = None) -> Panel:
    """Distances from the fitted lines, and their running median."""
    view = next(iter(by_run.values()))
    return Panel(
        RESIDUALS,
        f"residuals-{view.epoch}",
        residual_charts.residuals(drawn, marked),
        "Distances of the directions from the fitted line in decades, against curvature, with their running median.",
        "Flat along zero: one power holds over the whole window.",
        arrays=lambda: arrays_of(drawn) | {f"residual_{c.name}{_end(c.run)}": residuals_of(c) for c in drawn},
        code=lambda: code_of(
            by_run,
            drawn,
            "import numpy as np",
            '{name}{end} = result.diagonal("{name}")',
            "residual_{name}{end} = np.log10({name}{end} / result.fit({window}).line(H{end}))",
        ),
        on_click=marker.at,
        on_box=partial(_boxed, view, 1.0),
    )


def gamma_by_window(
    by_run: Mapping[str, View],
    drawn: Sequence[Cloud],
    first: int,
    last: int,
    marked: int | None = None,
    slider: str = "",
) -> Panel:
    """γ over the first 𝒩 directions, for every 𝒩; the shade follows the window's slider while it moves."""
    return Panel(
        BY_WINDOW,
        "gamma-by-window",
        residual_charts.gamma_by_window(drawn, first, last, marked),
        "The exponent as a function of the number of leading directions fitted.",
        "Shaded: the present window.",
        arrays=lambda: {f"gamma_{c.name}{_end(c.run)}": residual_charts.by_window(c.x, c.y, c.floor) for c in drawn},
        code=lambda: code_of(by_run, drawn, 'gamma_{name}{end} = result.gamma_by_window("{name}")'),
        on_click=marker.at,
        follows=Window(slider, (first + 1, last), band=residual_charts.BAND) if slider else None,
    )


def effective_curvature(view: View, marked: int | None = None) -> Panel:
    """κ_eff against H_ii, and what its slope says."""
    a = view.analysis
    curvature = a.effective_curvature()
    return Panel(
        EFFECTIVE,
        f"effective-{view.epoch}",
        residual_charts.effective_curvature(a.eigenvalues, curvature, marked),
        "Log-log plot of effective curvature against curvature, above its lower bound.",
        "Flat would mean γ = 1; parallel to the dashed line, γ = 2.",
        arrays=lambda: {"H": a.eigenvalues, "kappa_eff": curvature},
        code=lambda: reproduce.one(view, "H, kappa_eff = result.eigenvalues, result.effective_curvature()"),
        on_click=marker.at,
    )
