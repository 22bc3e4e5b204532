"""The sandbox on the page: a sentence, four pictures, and the five steps of the proof."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import streamlit as st
from numpy import ndarray

from engine.results.synthetic import SAMPLES
from pages.data import results
from pages.data.results import View
from pages.jobs import analyse
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.mechanism import figures, proof, spectra, text
from pages.rooms.mechanism.controls import Setting
from pages.rooms.mechanism.spectra import Source
from pages.rooms.suppression import panels
from pages.state import selection
from pages.state.selection import bound
from pages.text import confidence, definitions
from pages.ui import heading, marker, steps

CORRELATION = Head("sandbox.correlation", part="the slider over the correlation")
PROOF = Head("sandbox.proof", part="the steps of the proof")
LAW = Head("law", "The power law", "the power law", text.LAW + definitions.GAMMA)
MAP = Head("map", "The map of γ", "the map of γ", text.MAP)
SEEN = Head("seen", "What a direction sees", "what a direction sees", text.SEEN)
SPECTRA = Head("spectra", "Spectra of κ, H and E[h²]", "the spectra", text.SPECTRA)
WEDGE = Head("wedge", "The bound, and its proof in five steps", "the bounds", definitions.BOUNDS)
SANDBOX, RUN = "sandbox", "run"


def beside(page: str, view: View | None) -> Source | None:
    """The switch that puts the present run into every picture; None where it is off, or there is nothing to put."""
    if view is None:
        st.caption("Once a network is analysed, its own curvatures can be put beside these: open the start page.")
        return None
    try:
        source = spectra.measured(view)
    except ValueError as error:
        st.caption(str(error))
        return None
    if source is None:
        _missing(view)
        return None
    shown = st.toggle(
        "Show the present run",
        help="Its largest curvature κ₁ of each sample, and where that points: the real (κ₁, α).",
        **bound(page, "measured", selection.current().measured is not False),
    )
    return source if shown else None


def _missing(view: View) -> None:
    """Why the run cannot be put beside the sandbox, and what to do."""
    if len(view.chosen.request.layers) > 1:
        st.caption("Curvatures of single samples are defined layer by layer: choose a single layer in the menu.")
        return
    analyse.ask_for_spectra(
        "sandbox.spectra",
        view,
        f"The analysis of epoch {view.epoch} keeps no curvatures of single samples, so this run cannot be put beside "
        "the sandbox.",
    )


def sentence(setting: Setting, made: Source, run: Source | None) -> str:
    """What the present setting shows."""
    r, gamma = made.place.correlation, made.place.gamma
    if r < 0.005:
        statement = "Sharp samples point anywhere: **γ = 1**."
    elif r > 0.995:
        owned = "an equal share of the samples: **γ = 2**"
        if setting.rarity:
            owned = f"sharp samples are rarer: **γ = (2 − β) / (1 − β) = {gamma:.2f}**"
        statement = f"Every direction owns one curvature, and {owned}."
    else:
        statement = f"Sandbox: r = {figures.signed(r)}, **γ = {gamma:.2f}**."
    if run is not None:
        statement += f" This run: r = {figures.signed(run.place.correlation)}, **γ = {run.place.gamma:.2f}**."
    return statement


def pictures_of(setting: Setting, made: Source, run: Source | None, view: View | None) -> None:
    """The law, the map, what a direction sees, and the spectra."""
    with st.grid(2, min_column_width=400, gap="medium") as grid:
        for panel in _pictures(setting, made, run, view):
            with grid.cell():
                heading.titled(panel)
    if run is not None and view is not None:
        _whence(view)


def _pictures(setting: Setting, made: Source, run: Source | None, view: View | None) -> Iterator[Panel]:
    sources = {SANDBOX: made} | ({} if run is None else {RUN: run})

    def arrays(of: Callable[[Source], Mapping[str, ndarray]]) -> Callable[[], Mapping[str, ndarray]]:
        return lambda: {f"{name}_{key}": array for name, one in sources.items() for key, array in of(one).items()}

    def code(*lines: str) -> Callable[[], str]:
        return lambda: _code(setting, run, view, *lines)

    yield Panel(
        LAW,
        "sandbox-law",
        figures.law(sources),
        "Log-log plot of noise against curvature: "
        + ", ".join(f"exponent {s.place.gamma:.2f} in the {name}" for name, s in sources.items())
        + ".",
        arrays=arrays(lambda s: {"H": s.bounds.hessian, "E_h2": s.bounds.noise}),
        code=code("H, E_h2 = (found.first.sum(axis=0), found.second.sum(axis=0))"),
    )
    curve = spectra.curve(setting)
    places = {} if run is None or view is None else spectra.along(view)
    points = {SANDBOX: made.place} | {f"run, epoch {e}": p for e, p in places.items()}
    yield Panel(
        MAP,
        "sandbox-map",
        figures.chart(curve, made.place, made.look, places, -1 if view is None else view.epoch, spectra.THIS_RUN),
        "The exponent against the correlation of curvature and alignment: "
        + "; ".join(f"{name} at {p.correlation:.2f} and {p.gamma:.2f}" for name, p in points.items())
        + ".",
        arrays=lambda: {
            "curve_r": curve[0],
            "curve_gamma": curve[1],
            **{name: np.array([p.correlation, p.gamma]) for name, p in points.items()},
        },
        code=code("r, gamma = place.correlation, place.gamma"),
        on_click=_look_at,
    )
    yield Panel(
        SEEN,
        "sandbox-seen",
        figures.seen(sources),
        "The curvatures that each direction's mean curvature is made of, against that mean.",
        arrays=arrays(lambda s: {"H": s.bounds.hessian[s.shown], "kappa": s.seen.T}),
        code=code(f"kappa_seen = sandbox.seen(found, {spectra.LEVELS}, np.arange(found.alignment.shape[1]))"),
    )
    yield Panel(
        SPECTRA,
        "sandbox-spectra",
        figures.spectra(sources),
        "Curvatures of the samples, of the directions, and their mean squares, sorted, on a logarithmic scale.",
        arrays=arrays(lambda s: {"kappa": s.kappa, "H": s.bounds.hessian, "E_h2": s.bounds.noise}),
        code=code("kappa = found.kappa[:, 0]"),
    )


def _code(setting: Setting, run: Source | None, view: View | None, *lines: str) -> str:
    """The engine calls for the sandbox and, where it is shown, for the run."""
    calls = ["import numpy as np", *setting.code, "place = sandbox.place(found)", *lines]
    if run is not None and view is not None:
        rows = run.directions
        calls += [
            "",
            *reproduce.one(view, "", "found = result.sample_spectra()").splitlines(),
            f"data = np.isin(np.arange(found.alignment.shape[1]), np.arange({rows[0]}, {rows[-1] + 1}))",
            "data &= result.eigenvalues > result.noise_floor",
            "place = sandbox.place(found, data)",
            *lines,
        ]
    return "\n".join(calls)


def _look_at(epoch: int) -> None:
    selection.choose(epoch=epoch)


def _whence(view: View) -> None:
    """Where the run's points come from, and how sure its exponent is."""
    stored = results.spectra(view)
    if stored is not None:
        first, last = spectra.window(view)
        confidence.button(view, ("E_h2",), last, first)
        st.caption(
            "Small rings on the map are other epochs of the run: click one to look at it. "
            f"Of the run: directions {first + 1} … {last:,} above the noise floor. {panels.source(view, stored)} "
            f"{panels.where(view, stored)}"
        )


# -- the proof --------------------------------------------------------------------------------------------


def the_proof(page: str, source: Source, whose: str) -> None:
    """Five steps, one at a time, with the numbers of one direction."""
    heading.over(WEDGE, level=2)
    st.markdown(f"$${proof.statement(source)}$$")
    chosen = steps.chosen(page, "proof", proof.TITLES)
    direction = _direction(page, source)
    step = proof.steps(source, direction)[chosen - 1]
    with st.grid(2, min_column_width=400, gap="large") as pair:
        explained, drawn = pair.cell(), pair.cell()
    with explained:
        steps.explain(chosen, step)
    with drawn:
        Panel(
            WEDGE,
            "sandbox-bound",
            figures.wedge(source, chosen, direction),
            "Log-log plot of the mean square curvature against the mean, between its bounds of slope 2 and slope 1.",
            arrays=lambda: {
                "H": source.bounds.hessian,
                "E_h2": source.bounds.noise,
                "lower": source.bounds.lower,
                "upper": source.bounds.upper,
                "fitted": source.data,
            },
            on_click=marker.at,
        ).show()
        st.caption(f"Numbers of {whose}, direction {direction}. Click a point for those of another.")


def _direction(page: str, source: Source) -> int:
    """The direction pointed at, if it is one of those fitted; else the tenth."""
    rows = source.directions + 1
    selected = selection.current().direction
    return int(selected) if selected is not None and selected in rows else int(rows[min(9, rows.size - 1)])


def how_it_is_made() -> None:
    """The construction, in words and formula."""
    st.subheader("How the sandbox is made")
    st.markdown(text.MADE.replace("⟦n⟧", str(SAMPLES)))
