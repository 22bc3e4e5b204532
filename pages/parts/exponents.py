"""What an exponent hangs on, as the power-law page shows it: its numbers, its window, its cause."""

from collections.abc import Sequence

import streamlit as st

from pages.parts import curves
from pages.parts.controls import draw, provenance
from pages.parts.palette import LOOKS
from pages.parts.results import View


def fits(view: View, names: Sequence[str], first: int, last: int) -> None:
    """The numbers of each fit."""
    a = view.analysis
    rows = []
    for name in names:
        try:
            fit = a.fit(name, last, first)
        except ValueError as error:
            st.warning(f"{LOOKS[name].tex}: {error}")
            continue
        interval = "—" if fit.interval is None else f"{fit.interval[0]:.3f} … {fit.interval[1]:.3f}"
        rows.append(
            f"| ${LOOKS[name].tex}$ | **{fit.gamma:.3f}** | ± {fit.stderr:.3f} | {interval} | {fit.r2:.4f} | "
            f"{fit.n:,} | {fit.discarded:,} | {a.spearman(name, last):.4f} |"
        )
    if not rows:
        return
    head = (
        "| covariance | γ | standard error | 95 % interval | R² | directions fitted, n | left out | rank correlation |"
    )
    st.markdown("\n".join([head, "|:--|--:|--:|--:|--:|--:|--:|--:|", *rows]))
    if all(a.replicates.get(name) is None for name in names):
        st.caption(
            "The standard error assumes independent residuals. A 95 % interval over training samples appears when "
            "the analysis was made with a bootstrap: `python -m engine analyze --bootstrap 200`."
        )


def gamma_by_window(view: View, names: Sequence[str], first: int, last: int) -> None:
    """γ over the first 𝒩 directions, for every 𝒩."""
    series = {name: view.analysis.gamma_by_window(name) for name in names}
    draw(
        curves.gamma_by_window(series, first, last),
        "gamma_by_window",
        "gamma-by-window",
        "The exponent as a function of the number of leading directions fitted.",
    )
    st.caption(f"Shaded: the present window. {provenance(view)}")


def effective_curvature(view: View) -> None:
    """κ_eff against H_ii, and what its slope says."""
    a = view.analysis
    draw(
        curves.effective_curvature(a.eigenvalues, a.effective_curvature()),
        "effective",
        f"effective-{view.epoch}",
        "Log-log plot of effective curvature against curvature, above its lower bound.",
    )
    st.caption(f"Flat would mean γ = 1; parallel to the dashed line, γ = 2. {provenance(view)}")
