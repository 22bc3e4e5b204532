"""Predict, then reveal: how much noisier a direction is that is ten times as sharp. The answer is hidden until somebody
guesses, alone or with a class; it is computed from the analysis in view."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from engine.results.power_law import Fit
from pages.charts.guesses import guesses
from pages.data import results
from pages.data.results import View
from pages.plot.panel import Head, Panel
from pages.state import selection
from pages.state.palette import LOOKS
from pages.text import guesses as words

HEAD = Head("predict", "Ten times sharper: how much noisier?", "the question before its answer")
DOTS = Head("predict-dots")
LONGEST = 4_000  # letters of a class's guesses
# By question, in the session: widgets forget when the page is left.
_GIVEN = "guesses given"


@dataclass(frozen=True)
class Given:
    """What was guessed; others: as typed."""

    own: float | None = None
    others: str = ""
    revealed: bool = False


def choice(page: str) -> None:
    """Whether the answer is asked for before it is told."""
    st.toggle(
        "Guess first",
        help="Hides the answer of this page until somebody has guessed it: “ten times sharper: how much noisier?”",
        **selection.bound(page, "guess", bool(selection.current().guess)),
    )


def hidden(view: View) -> bool:
    """Whether the answer is asked for and nobody has guessed yet."""
    return bool(selection.current().guess) and not _given(view).revealed


def asked(page: str, view: View, first: int, last: int) -> bool:
    """The question where it is asked, then its answer with all guesses. True as long as the answer is hidden."""
    law = results.fit(view.key, "C", last, first) if "C" in view.analysis.names else None
    if not selection.current().guess or law is None:
        return False
    with st.container(key=HEAD.key, border=True):
        st.markdown(f"## {HEAD.title}")
        given = _given(view)
        if not given.revealed:
            st.markdown(
                "The loss bends ten times as sharply along one direction as along another. How many times as large is "
                "$C_{ii}$, the variance of SGD’s gradient, along the sharper one?"
            )
        else:
            _answer(view, law, given)
        _form(page, view, given)
    return not given.revealed


def _answer(view: View, law: Fit, given: Given) -> None:
    others, bad = words.read(given.others)
    measured = 10**law.gamma
    interval = None if law.interval is None else (10 ** law.interval[0], 10 ** law.interval[1])
    st.markdown(words.outcome(measured, interval, given.own, others))
    Panel(
        DOTS,
        f"guesses-{view.epoch}",
        guesses(measured, interval, LOOKS["C"], given.own, others, "times as noisy, where it is ten times sharper"),
        "Guesses as dots on one logarithmic axis, with their median, beside the measured factor. "
        + words.outcome(measured, interval, given.own, others).replace("*", ""),
        arrays=lambda: {
            "measured": np.array([measured]),
            "own": np.array([] if given.own is None else [given.own]),
            "guesses": np.array(others),
        },
    ).show()
    if bad:
        st.caption(f":material/rule: {words.left_out(bad)}")


def _form(page: str, view: View, given: Given) -> None:
    own, others = f"{page}.guess.own", f"{page}.guess.others"
    question = _question(view)
    # Another question has other guesses.
    if st.session_state.get(f"{page}.guess.of") != question or own not in st.session_state:
        st.session_state.update({f"{page}.guess.of": question, own: given.own, others: given.others})

    def reveal() -> None:
        typed = Given(st.session_state[own], st.session_state[others], revealed=True)
        st.session_state[_GIVEN] = st.session_state.get(_GIVEN, {}) | {question: typed}

    def again() -> None:
        st.session_state[_GIVEN] = st.session_state.get(_GIVEN, {}) | {question: Given()}
        del st.session_state[f"{page}.guess.of"]

    with (
        st.form(f"{page}.guess.form", border=False),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        st.number_input(
            "Your guess", words.LOWEST, words.HIGHEST, None, format="%g", placeholder="times", key=own, width=140
        )
        st.text_input(
            "Guesses of a class", key=others, max_chars=LONGEST, placeholder="such as 5, 10, 20 100", width="stretch"
        )
        label, icon = ("Show", ":material/refresh:") if given.revealed else ("Reveal", ":material/visibility:")
        st.form_submit_button(label, icon=icon, type="primary", on_click=reveal)
        if given.revealed:
            st.form_submit_button("Ask again", icon=":material/replay:", on_click=again)


def _question(view: View) -> tuple[str, int, str]:
    return view.run.key, view.epoch, view.chosen.request.layer


def _given(view: View) -> Given:
    answers: dict[tuple[str, int, str], Given] = st.session_state.get(_GIVEN, {})
    return answers.get(_question(view), Given())
