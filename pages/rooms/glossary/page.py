"""Every term with its symbol, its formula and the present numbers, and where it is to be seen."""

import streamlit as st

from pages.data import results
from pages.rooms.glossary.terms import TERMS, Term
from pages.state import selection
from pages.text import numbers
from pages.ui.controls import provenance


def show() -> None:
    """A search, and the terms that it finds."""
    st.title("What does each word mean?")
    view = results.view()
    search = st.text_input(
        "Search",
        key="glossary.search",
        placeholder="a term, a symbol, a word of its definition",
        icon=":material/search:",
    )
    terms = matching(search or "")
    origin = "its numbers come with the first results." if view is None else f"numbers are those of {provenance(view)}."
    st.caption(f"{len(terms)} of {len(TERMS)} terms; {origin}")
    if not terms:
        st.info("No term holds all of these words. Try fewer, or a part of one.", icon=":material/search_off:")
    with st.grid(2, min_column_width=400, gap="small") as grid:
        for term in terms:
            with grid.cell(), st.container(border=True, height="stretch", gap="small"):
                st.markdown(f"#### {term.name}" + (f" $\\;{term.symbol}$" if term.symbol else ""))
                st.markdown(numbers.fill(term.text, view) or "It is told with its numbers, once there are some.")
                with st.container(horizontal=True, gap="small"):
                    for name in term.pages:
                        selection.page_link(name, width="content")


def matching(search: str) -> list[Term]:
    """The terms that hold every word; those with them in their name first."""
    asked = search.lower().split()

    def within(text: str) -> bool:
        return all(word in text.lower() for word in asked)

    hits = [t for t in TERMS if within(f"{t.name} {t.symbol} {t.also} {t.text}")]
    return sorted(hits, key=lambda t: not within(f"{t.name} {t.symbol} {t.also}"))
