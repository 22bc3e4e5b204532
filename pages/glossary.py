"""Every term with its symbol, its formula and the present numbers, and where it is to be seen."""

import streamlit as st

from pages.shell.frame import page

PAGE = "glossary"


def main() -> None:
    """A search, and the terms that it finds."""
    from pages.rooms.glossary import listing

    st.title("Glossary")
    listing.show()


with page(PAGE):
    main()
