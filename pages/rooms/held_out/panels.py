"""The law in-sample and on other samples, γ over the number of samples, and the samples that carry a direction."""

from dataclasses import replace

import numpy as np
import streamlit as st

from engine.results.cross_fit import CrossFit, Gammas, HeldOut, Reading
from pages.charts import power_law
from pages.charts.power_law import Cloud
from pages.data import samples
from pages.data.results import View
from pages.jobs import fetch
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.direction import carriers
from pages.rooms.held_out import figures
from pages.state.palette import LOOKS
from pages.text import held_out as text
from pages.ui import marker
from pages.ui.cards import card

CROSSED = Head("crossed", "Read on other samples", "the law on other samples", text.CROSSED)
GROWING = Head("growing", "Does γ fall with more samples?", "γ against the number of samples", text.GROWING)
EFFECTIVE = Head("effective_samples", "How many samples carry a direction?", "effective samples", text.EFFECTIVE)
HALF = Head("card-half", "The half that gave the directions", "γ in-sample", text.CROSSED)
OTHER = Head("card-other", "The other half", "γ on the other half", text.CROSSED)
TEST = Head("card-unseen", "Unseen test samples", "γ on test samples", text.CROSSED)

IN_SAMPLE, ELSEWHERE = "its own half", "the other half"
HEIGHT = 345  # both figures above the fold of 720 pixels


def crossed(view: View, result: HeldOut, name: str, first: int, last: int, marked: int | None) -> Panel:
    """Both halves along the directions of one of them."""
    split = result.halves[0]
    clouds = [
        _cloud(reading, name, first, last, place, label)
        for place, (reading, label) in enumerate(((split.own, IN_SAMPLE), (split.elsewhere, ELSEWHERE)))
        if reading is not None
    ]
    drawn = "" if result.splits == 1 else f" Drawn: one of {2 * result.splits} readings."
    spoken = "; ".join(f"{c.look.html}: exponent {c.fit.gamma:.2f}" for c in clouds if c.fit is not None)
    return Panel(
        CROSSED,
        f"crossed-{name}-{view.epoch}",
        power_law.power_law(clouds, height=HEIGHT, marked=marked),
        f"Log-log plot of noise against curvature along the same directions. {spoken}.",
        f"Along the same directions: filled, the half that gave them; open, the other half; {split.own.samples:,} "
        f"samples each.{drawn}",
        arrays=lambda: {f"{key}_{c.run}": z for c in clouds for key, z in (("H", c.x), (name, c.y))},
        code=lambda: _code(view, result, name, first, last),
        on_click=marker.at,
    )


def _cloud(reading: Reading, name: str, first: int, last: int, place: int, label: str) -> Cloud:
    x, y = (reading.diagonals[key].astype(float) for key in ("H", name))
    try:
        fit = reading.fit(name, last, first)
    except ValueError:
        fit = None
    look = replace(LOOKS[name], html=label)
    return Cloud(name, x, y, fit, first, min(last, x.size), reading.noise_floor, place, style=look)


def growing(view: View, result: HeldOut, fit: CrossFit, name: str, first: int, last: int) -> Panel:
    """γ over nested subsets."""
    known = {"samples": [own.samples for own, _ in fit.growing], "gamma": [own.gamma for own, _ in fit.growing]}
    known["gamma_crossed"] = [np.nan if other is None else other.gamma for _, other in fit.growing]
    return Panel(
        GROWING,
        f"growing-{name}-{view.epoch}",
        figures.growing(fit.growing, name, HEIGHT),
        "The exponent over nested subsets of the samples, in-sample and on as many others.",
        "The same weights throughout; nothing is extrapolated.",
        arrays=lambda: {key: np.array(values) for key, values in known.items()},
        code=lambda: _code(view, result, name, first, last),
    )


def columns(fit: CrossFit) -> None:
    """Three γ side by side."""
    with st.grid(3, min_column_width=230, gap="small"):
        for head, gammas in ((HALF, fit.half), (OTHER, fit.crossed), (TEST, fit.test)):
            card(head, _two(gammas), "This run has no test samples here." if gammas is None else text.column(gammas))


def _two(gammas: Gammas | None) -> str:
    return "—" if gammas is None else f"{gammas.gamma:.2f}"


def effective(view: View, result: HeldOut, name: str, marked: int | None) -> Panel:
    """N_eff by direction of H and the matrix chosen, above the noise floor: below it shares are of rounding."""
    data = slice(0, view.analysis.rank)
    sizes = {key: result.effective[key].by_direction[data] for key in ("H", name) if key in result.effective}
    listed = ", ".join(f"{result.effective[key].whole:,.0f} carry $\\mathrm{{tr}}\\,{LOOKS[key].tex}$" for key in sizes)
    return Panel(
        EFFECTIVE,
        f"effective-samples-{name}-{view.epoch}",
        figures.effective(sizes, view.analysis.provenance.samples, marked),
        "Log-log plot of the effective number of samples of each direction.",
        f"Of {view.analysis.provenance.samples:,} samples, {listed}.",
        arrays=lambda: sizes,
        code=lambda: reproduce.one(view, f'sizes = result.effective_samples("{name}").by_direction'),
        on_click=marker.at,
    )


def carried(page: str, view: View, result: HeldOut, name: str) -> None:
    """The samples that carry one direction, in pictures where there are any."""
    known = result.effective[name]
    most = max(min(len(known.carriers), view.analysis.rank), 1)
    i = min(marker.pointed(view) or 1, most) - 1
    carriers.show(view, name, i + 1, known.of(i))
    if view.chosen.request.samples is None and samples.stored(view) is None and len(view.chosen.request.layers) == 1:
        fetch.of(page, view)


def _code(view: View, result: HeldOut, name: str, first: int, last: int) -> str:
    seed = f", seed={result.seed}" if result.seed else ""
    more = f", first={first}" if first else ""
    return reproduce.one(
        view,
        f'there = result.cross_fit("{name}", {last}, splits={result.splits}{seed}{more})',
        "print(there.whole.gamma, there.half.gamma, there.crossed.gamma, there.crossed.interval)",
        "print([(own.samples, own.gamma, crossed and crossed.gamma) for own, crossed in there.growing])",
    )
