"""A proof in steps, one at a time, each with the numbers of what is on the screen."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pages.state import selection
from pages.state.selection import bound
from pages.text.numbers import tex


@dataclass(frozen=True)
class Step:
    """One step: what it says, and the numbers that it speaks of, each under its symbol in TeX. equality: when the
    statement holds with an equals sign."""

    title: str
    text: str
    numbers: tuple[tuple[str, float], ...]
    equality: str = ""


def chosen(page: str, field: str, titles: Sequence[str]) -> int:
    """Which step is looked at, from 1, as this field of the selection has it."""
    return st.segmented_control(
        "Step",
        list(range(1, len(titles) + 1)),
        format_func=lambda n: f"{n}. {titles[n - 1]}",
        required=True,
        label_visibility="collapsed",
        **bound(page, field, getattr(selection.current(), field) or 1),
    )


def explain(number: int, step: Step) -> None:
    """A step, with its numbers as a table."""
    st.markdown(f"#### {number}. {step.title}")
    st.markdown(step.text)
    rows = "\n".join(f"| ${symbol}$ | ${tex(value, 4)}$ |" for symbol, value in step.numbers)
    st.markdown(f"| | value |\n|:--|--:|\n{rows}")
    if step.equality:
        st.markdown(step.equality)
