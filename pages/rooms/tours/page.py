"""Guided tours: those there are, and how to write one."""

from urllib.parse import urlencode

import streamlit as st

from engine.units import counted
from pages.rooms.tours import bar, library
from pages.rooms.tours.format import SELECTABLE, Tour
from pages.rooms.tours.needs import NEEDS
from pages.rooms.tours.places import PLACES
from pages.state.menu import MENU, entry
from pages.text import numbers
from pages.text.run_names import escaped
from pages.ui.draft import Draft

DRAFT = Draft("tours")
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
    """Every tour with a way in, one's own among them, and the format with an example to change."""
    closing = bar.closing()
    if closing is not None:
        bar.slide(closing)
        return
    st.title("Who leads the way?")
    st.markdown(
        "A tour leads from page to page, sets everything on them, and says at each stop what there is to see. Its "
        "numbers are those of the run on the screen. *Present* hides the controls; then the arrow keys, the space bar "
        "or a presenter’s remote lead on."
    )
    listing()
    writing()


def listing() -> None:
    """The tours of the project, then one's own, then the files that are none."""
    with st.grid(3, min_column_width=260, gap="small") as grid:
        for tour in library.shipped().values():
            with grid.cell():
                _card(tour)
    own, broken = library.own()
    if own or broken:
        st.subheader("Your own")
    if own:
        with st.grid(3, min_column_width=260, gap="small") as grid:
            for tour in own.values():
                with grid.cell():
                    _card(tour, own=True)
    for file in broken:
        st.warning(escaped(file.why), icon=":material/rule:")


def _card(tour: Tour, own: bool = False) -> None:
    with st.container(border=True, height="stretch", key=f"tour-card-{tour.id}"):
        st.markdown(f"#### {bar.plain(tour.title)}")
        st.markdown(bar.plain(tour.about))
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            if st.button("Begin", key=f"tours.begin-{tour.id}", type="primary", icon=":material/play_arrow:"):
                bar.begin(tour, 1, "tours")
            with st.popover(f"{len(tour.stops)} stops", icon=":material/list:", type="tertiary"):
                for number, stop in enumerate(tour.stops, 1):
                    label = f"{number}. {bar.plain(stop.title)}"
                    if st.button(
                        label,
                        key=f"tours.stop-{tour.id}-{number}",
                        type="tertiary",
                        help=f"On the page {entry(stop.page).label}",
                    ):
                        bar.begin(tour, number, "tours")
            with st.popover("Link", icon=":material/link:", type="tertiary"):
                st.markdown("Opens it at its first stop. Change the number for another one.")
                st.code(link(tour), language=None)
                if own:
                    st.caption("It works on every machine that has the tour’s file.")
            if own:
                st.download_button(
                    "File",
                    data=tour.source,
                    file_name=f"{tour.id}.toml",
                    mime="application/toml",
                    key=f"tours.file-{tour.id}",
                    icon=":material/download:",
                    type="tertiary",
                    on_click="ignore",
                )
                st.button(
                    "Forget",
                    key=f"tours.forget-{tour.id}",
                    icon=":material/delete:",
                    type="tertiary",
                    on_click=library.forget,
                    args=(tour.id,),
                )


def link(tour: Tour) -> str:
    """The address that opens a tour at its first stop."""
    here = (st.context.url or "").split("?")[0].removesuffix("/tours")
    return f"{here.rstrip('/')}/?{urlencode({'tour': tour.id, 'stop': 1})}"


def writing() -> None:
    """What a tour's file holds, and a place to write one."""
    with st.expander("Write a tour of your own", icon=":material/edit_note:", key="tours-writing"):
        _format()
        _editor()


def _format() -> None:
    st.markdown(
        "A tour is a text file in TOML, like the example below. **page** opens a page; **select** sets what is chosen "
        "there, and leaves all else as on a page opened afresh; **highlight** outlines one part of it; **text** is "
        "Markdown with formulas. ⟦name⟧ becomes a present number, and a paragraph whose number does not exist in a "
        "run is left out. In place of a number, **epoch** may be *first*, *middle* or *last*.\n\n"
        "**run** names the run a tour is of, **needs** what must have been measured, **controls** what stays in sight "
        f"while presenting, **learned** the closing slide. A stop may need {', '.join(f'*{name}*' for name in NEEDS)}. "
        "A paragraph that begins with ⟦when gamma\\_first + 0.05 < gamma\\_last⟧ is shown only where that is so, and "
        "one behind it that begins with ⟦else⟧ where it is not."
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
    draft = EXAMPLE if DRAFT.text is None else DRAFT.text
    DRAFT.field("The tour in TOML", draft, height=420)
    tour, wrong = _checked(draft)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button("Check", key="tours.check-text", icon=":material/rule:", help="Or press Ctrl and Enter in the text.")
        st.button(
            "Keep this tour",
            key="tours.keep",
            type="primary",
            icon=":material/check:",
            disabled=tour is None,
            on_click=library.keep,
            args=(tour,),
        )
        st.button(
            "Back to the example",
            key="tours.example",
            type="tertiary",
            icon=":material/undo:",
            disabled=draft == EXAMPLE,
            on_click=DRAFT.undo,
        )
    if tour is None:
        st.warning(escaped(wrong), icon=":material/rule:")
    else:
        again = " It replaces the one of this id that you keep." if tour.id in library.own()[0] else ""
        st.caption(f":material/check_circle: {escaped(tour.title)}, {counted(len(tour.stops), 'stop')}.{again}")
    DRAFT.file()
    st.caption(f"Kept tours lie in the folder `{library.folder()}`; a file copied there joins them.")


def _checked(draft: str) -> tuple[Tour | None, str]:
    try:
        return library.checked(draft), ""
    except ValueError as error:
        return None, str(error)
