"""The tours there are, each with its stops and its link."""

from urllib.parse import urlencode

import streamlit as st

from pages.rooms.tours import bar, library
from pages.rooms.tours.format import Tour
from pages.state.menu import entry
from pages.text.run_names import escaped

PAGE = "tours"


def show() -> None:
    """Those of the project, then one's own, then the files that are none."""
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
                bar.go(tour, 1)
            with st.popover(f"{len(tour.stops)} stops", icon=":material/list:", type="tertiary"):
                for number, stop in enumerate(tour.stops, 1):
                    label = f"{number}. {bar.plain(stop.title)}"
                    if st.button(
                        label,
                        key=f"tours.stop-{tour.id}-{number}",
                        type="tertiary",
                        help=f"On the page {entry(stop.page).label}",
                    ):
                        bar.go(tour, number)
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
