"""Guided tours: those there are, and how to write one."""

import streamlit as st

from pages.shell.frame import page

PAGE = "tours"


def main() -> None:
    """Every tour with a way in, one's own among them, and the format with an example to change."""
    from pages.rooms.tours import listing, writing

    st.title("Guided tours")
    st.markdown(
        "A tour leads from page to page, sets everything on them, and says at each stop what there is to see. Its "
        "numbers are those of the run on the screen. *Present* hides the controls; then the arrow keys, the space bar "
        "or a presenter’s remote lead on."
    )
    listing.show()
    writing.show()


with page(PAGE):
    main()
