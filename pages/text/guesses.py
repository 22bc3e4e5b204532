"""Guesses as they are typed, and what is said of them once the answer is known."""

import math
import re
from collections.abc import Sequence

import numpy as np

from pages.state.palette import number
from pages.text.run_names import escaped

LOWEST, HIGHEST = 0.001, 1e6
LETTERS, NAMED = 12, 5  # of an entry that is none, and how many of them are named


def read(typed: str) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """The guesses in what was typed, with commas or blanks between them, and the entries that are none."""
    words = [word for word in re.split(r"[\s,;]+", typed) if word]
    by_word = [(word, _guess(word)) for word in words]
    return tuple(g for _, g in by_word if not math.isnan(g)), tuple(word for word, g in by_word if math.isnan(g))


def _guess(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        return math.nan
    return value if LOWEST <= value <= HIGHEST else math.nan


def left_out(entries: Sequence[str]) -> str:
    """The sentence that names entries which are no guesses."""
    named = ", ".join(f"“{escaped(word[:LETTERS])}{'…' if len(word) > LETTERS else ''}”" for word in entries[:NAMED])
    more = f" and {len(entries) - NAMED} more" if len(entries) > NAMED else ""
    return (
        f"Left out: {named}{more}. A guess is a number from {LOWEST:g} to {HIGHEST:,.0f}, written like 12.5, with "
        "blanks or commas between two."
    )


def outcome(measured: float, interval: tuple[float, float] | None, own: float | None, others: Sequence[float]) -> str:
    """What was measured, and how far off the guesses are."""
    sure = "" if interval is None else f" (95 %: {number(interval[0])} … {number(interval[1])})"
    parts = [f"**{number(measured, 2)} times** as noisy{sure}."]
    if own is not None:
        parts.append(f"You said {number(own)}: {_off(own, measured)}.")
    if len(others) > 1:
        middle = float(np.median(others))
        parts.append(f"The median of {len(others):,} guesses is {number(middle)}: {_off(middle, measured)}.")
    return " ".join(parts)


def _off(guess: float, measured: float) -> str:
    """By which factor a guess misses, of the two numbers that are shown."""
    ratio = float(f"{guess:.3g}") / float(f"{measured:.2g}")
    factor = number(max(ratio, 1 / ratio), 2)
    return "right" if factor == "1" else f"too {'much' if ratio > 1 else 'little'} by a factor of {factor}"
