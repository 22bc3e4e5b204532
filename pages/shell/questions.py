"""Questions at the foot of a page, their answers hidden until they are asked for."""

from functools import partial

import streamlit as st

from pages.data import results
from pages.data.results import View
from pages.rooms.glossary.questions import QUESTIONS
from pages.text import numbers
from pages.ui.guard import guarded

# Their questions are about what the page itself makes.
WITHOUT_RUN = ("table", "sandbox", "film")


def show(page: str) -> None:
    """The questions of a page, where there is something to answer them from."""
    view = results.present()
    if any(question.page == page for question in QUESTIONS) and (view is not None or page in WITHOUT_RUN):
        _asked(page, view)


@st.fragment
@guarded
def _asked(page: str, view: View | None) -> None:
    with st.expander("Questions", icon=":material/quiz:", key=f"{page}-questions"):
        for place, question in enumerate((q for q in QUESTIONS if q.page == page), 1):
            st.markdown(f"**{place}.** {question.text}")
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                with st.popover("Hint", icon=":material/lightbulb:", type="tertiary"):
                    st.markdown(question.hint)
                asked = st.toggle("Show the answer", key=f"{page}.answer{place}")
            if asked:
                st.markdown(answer(question.answer, view))


def answer(text: str, view: View | None) -> str:
    """An answer with the numbers of what is on the screen."""
    # They load scipy, which takes half a second: for those who open an answer.
    from pages.rooms.glossary.answers import ANSWERS, OF_NO_RUN

    more = {name: partial(number, view) for name, number in ANSWERS.items()} if view is not None else {}
    return numbers.fill(text, view, {**more, **OF_NO_RUN}) or (
        "What is on the screen does not tell it: something that it needs was not measured here."
    )
