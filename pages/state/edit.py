"""The knobs of suppression: one edit of the per-sample spectra, chosen, named and shared through the URL."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.state import selection
from pages.state.selection import bound

FACTORS = (0.0, *(float(f"1e-{n}") for n in range(8, 0, -1)), 1.0)


@dataclass(frozen=True)
class Edit:
    """One edit of the spectra, as engine.results.suppression.suppress takes it; Fig. 3 a, b unless told otherwise."""

    keep: int = 1
    tail: float = 1e-5
    stiff: float = 1e-3
    damp: float = 1e-3
    homogenise: bool = False


def presets(rank: int) -> Mapping[str, tuple[Edit, str]]:
    """The settings of Fig. 3 by name, each with what it does."""
    return MappingProxyType(
        {
            "As measured": (Edit(keep=rank), "Keep every curvature as it is."),
            "Fig. 3 a, b: dominant only": (Edit(), "Keep the largest curvature of every sample, suppress the rest."),
            "Fig. 3 c, d: replaced by their mean": (
                Edit(homogenise=True),
                "Keep the largest curvature only, and give all stiff samples the same one.",
            ),
        }
    )


def factor_label(value: float, html: bool = False) -> str:
    """0, 1 or a power of ten."""
    if value in (0, 1):
        return f"{value:g}"
    power = str(round(np.log10(value)))
    if html:
        return f"10<sup>{power.replace('-', '−')}</sup>"
    return "10" + power.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def chosen(rank: int) -> Edit:
    """The edit that is selected, as far as it can be had here."""
    edit = selection.selected(Edit())
    tail, stiff, damp = (_nearest(value) for value in (edit.tail, edit.stiff, edit.damp))
    return Edit(min(edit.keep, rank), tail, stiff, damp, edit.homogenise)


def _nearest(value: float) -> float:
    return min(FACTORS, key=lambda factor: abs(factor - value))


def preset_buttons(page: str, rank: int) -> None:
    """The settings of Fig. 3, one press each; the present one is filled."""
    now = chosen(rank)
    with st.container(horizontal=True, gap="small", key=f"{page}-presets"):
        for place, (label, (edit, help_)) in enumerate(presets(rank).items()):
            st.button(
                label,
                key=f"{page}.preset{place}",
                type="primary" if edit == now else "secondary",
                help=help_,
                on_click=_choose,
                args=(edit,),
            )


def _choose(edit: Edit) -> None:
    selection.choose(**asdict(edit))


def knobs(page: str, rank: int, first: DeltaGenerator) -> Edit:
    """Everything that can be turned: a switch at the place given, and a row of sliders."""
    now = chosen(rank)
    homogenise = first.toggle(
        "Homogenise: replace κ₁ of the stiff samples by their mean", **bound(page, "homogenise", now.homogenise)
    )
    with st.grid(2, min_column_width=120, gap="medium", vertical_alignment="bottom") as grid:
        with grid.cell():
            keep = st.slider(
                "Eigenvalues kept, m",
                1,
                max(rank, 2),
                disabled=rank < 2,
                help="Of every sample, largest first; those beyond are multiplied by the tail factor.",
                **bound(page, "keep", now.keep),
            )
        values = {}
        for name, label, help_ in (
            ("tail", "Tail factor", "Multiplies the eigenvalues that are not kept. The paper uses 10⁻⁵."),
            ("stiff", "Stiff ratio", "A sample is stiff if its κ₁ reaches this share of the largest. The paper: 10⁻³."),
            ("damp", "Damping", "Multiplies κ₁ of the samples that are not stiff. The paper uses 10⁻³."),
        ):
            with grid.cell():
                values[name] = st.select_slider(
                    label, FACTORS, format_func=factor_label, help=help_, **bound(page, name, getattr(now, name))
                )
    return Edit(min(int(keep), rank), homogenise=bool(homogenise), **values)
