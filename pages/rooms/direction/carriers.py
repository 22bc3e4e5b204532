"""The samples that carry a direction, in pictures where there are any."""

import streamlit as st

from engine.results.effective_samples import Carriers
from pages.charts import thumbnails
from pages.data import samples
from pages.data.results import View
from pages.plot.panel import Head, Panel
from pages.state import selection
from pages.state.palette import LOOKS


def show(view: View, name: str, direction: int, of: Carriers, suffix: str = "") -> None:
    """How many samples carry M_ii of a matrix, and those with the largest shares. suffix: tells several on a page
    apart."""
    st.markdown(
        f"**{of.effective:,.1f}** effective samples carry direction {direction:,} of ${LOOKS[name].tex}$; the "
        f"{len(of.index)} with the largest shares have {of.shares.sum():.0%} of it."
    )
    table = samples.stored(view) if view.chosen.request.samples is None else None
    shares = list(zip(of.index.tolist(), of.shares.tolist(), strict=True))
    if table is None:
        st.markdown("\n".join(f"- sample {sample:,}: {share:.1%}" for sample, share in shares))
        return
    notes = [f"{share:.1%}" for _, share in shares]
    words = [f"{note} of this direction" for note in notes]
    Panel(
        Head("carriers"),
        f"carriers-{view.epoch}",
        thumbnails.strip(table, samples.pictures(view), of.index.tolist(), words=words, columns=6, notes=notes),
        "The samples with the largest shares in this direction: " + ", ".join(f"{p} with {x:.1%}" for p, x in shares),
        arrays=lambda: {"sample": of.index, "share": of.shares},
        on_click=_choose,
    ).show(suffix)


def _choose(sample: int) -> None:
    selection.choose(sample=sample)
