"""A tour of one's own: its text changed by hand or taken from a file, checked at every change, and kept."""

import streamlit as st

from pages.rooms.tours import library
from pages.rooms.tours.format import SELECTABLE, Tour
from pages.rooms.tours.places import PLACES
from pages.state.menu import MENU
from pages.text import numbers
from pages.text.run_names import escaped

# The text that is being written: a widget forgets its own when the page is left.
_DRAFT, _TEXT, _FILE = "tours.draft", "tours.text", "tours.file"
EXAMPLE = r"""id = "before-and-after"
title = "Before and after training"
about = "The same picture twice."

[[stop]]
title = "Before training"
page = "commutativity"
select = { epoch = "first", matrix = "C", k = 60 }
highlight = "R_real"
text = '''
Is it near 0 off the diagonal already?

The commutator error is $⟦commutator⟧$; by chance it would be $⟦commutator_random⟧$.
'''

[[stop]]
title = "After training"
page = "commutativity"
select = { epoch = "last", matrix = "C", k = 60 }
highlight = "R_real"
text = '''
And now? The commutator error is $⟦commutator⟧$.
'''
"""


def show() -> None:
    """What a tour's file holds, and a place to write one."""
    with st.expander("Write a tour of your own", icon=":material/edit_note:", key="tours-writing"):
        _format()
        _editor()


def _format() -> None:
    st.markdown(
        "A tour is a text file in TOML, like the example below. **page** opens a page; **select** sets what is chosen "
        "there, and leaves all else as on a page opened afresh; **highlight** outlines one part of it; **text** is "
        "Markdown with formulas. ⟦name⟧ becomes a present number, and a paragraph whose number does not exist in a "
        "run is left out. In place of a number, **epoch** may be *first*, *middle* or *last*."
    )
    left, middle, right = st.columns(3, gap="small")
    with left.popover("Pages and their parts", icon=":material/web:", width="stretch"):
        for entry in (entry for group in MENU.values() for entry in group):
            st.markdown(f"`{entry.name}` – {entry.label}")
            for key, words in PLACES.get(entry.name, {}).items():
                st.caption(f"`{key}` – {words}")
    with middle.popover("What can be selected", icon=":material/tune:", width="stretch"):
        st.markdown(", ".join(f"`{name}`" for name in SELECTABLE))
        st.caption("Set everything as you want it on a page, and look at the address: it holds these names and values.")
    with right.popover("Numbers for a text", icon=":material/pin:", width="stretch"):
        st.markdown(", ".join(f"`⟦{name}⟧`" for name in numbers.NUMBERS))


def _editor() -> None:
    draft = st.session_state.get(_DRAFT, EXAMPLE)
    if st.session_state.get(_TEXT) != draft:
        st.session_state[_TEXT] = draft
    st.text_area("The tour in TOML", key=_TEXT, height=420, on_change=_typed)
    found, wrong = _checked(draft)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button("Check", key="tours.check-text", icon=":material/rule:", help="Or press Ctrl and Enter in the text.")
        st.button(
            "Keep this tour",
            key="tours.keep",
            type="primary",
            icon=":material/check:",
            disabled=found is None,
            on_click=library.keep,
            args=(found,),
        )
        st.button(
            "Back to the example",
            key="tours.example",
            type="tertiary",
            icon=":material/undo:",
            disabled=draft == EXAMPLE,
            on_click=_undo,
        )
    if found is None:
        st.warning(escaped(wrong), icon=":material/rule:")
    else:
        again = " It replaces the one of this id that you keep." if found.id in library.own()[0] else ""
        count = f"{len(found.stops)} stop{'s' if len(found.stops) > 1 else ''}"
        st.caption(f":material/check_circle: {escaped(found.title)}, {count}.{again}")
    st.file_uploader("Or open a file of yours", type=["toml"], key=_FILE, on_change=_opened, max_upload_size=1)
    st.caption(f"Kept tours lie in the folder `{library.folder()}`; a file copied there joins them.")


def _checked(draft: str) -> tuple[Tour | None, str]:
    try:
        return library.checked(draft), ""
    except ValueError as error:
        return None, str(error)


def _typed() -> None:
    st.session_state[_DRAFT] = st.session_state[_TEXT]


def _opened() -> None:
    file = st.session_state[_FILE]
    if file is not None:
        st.session_state[_DRAFT] = file.getvalue().decode("utf-8", errors="replace")


def _undo() -> None:
    st.session_state.pop(_DRAFT, None)
