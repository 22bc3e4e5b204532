"""The parts of the page on the Fisher argument, each with its numbers and its code."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from engine.samples.fisher import MATRICES, Argument
from pages.data.results import View
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.fisher import figures, text
from pages.rooms.fisher.figures import LOOK
from pages.state import selection
from pages.state.selection import bound
from pages.ui import controls, heading, marker

MEANINGS = {
    "fisher": "true Fisher matrix",
    "empirical": "empirical Fisher matrix",
    "BC": "covariance of the gradient noise, times B",
    "E_h2": "mean of the squared Hessians",
}


def epochs(page: str, view: View) -> tuple[int, ...]:
    """The first checkpoint, one between, and the last; the one between is chosen."""
    # Checkpoints may have been deleted since; what was looked at is kept.
    checkpoints = view.run.checkpoints or (view.epoch,)
    between = checkpoints[1:-1]
    if not between:
        return tuple(dict.fromkeys((checkpoints[0], checkpoints[-1])))
    selected = selection.current().middle
    middle = selected if selected in between else between[len(between) // 2]
    if len(between) > 1:
        middle = st.select_slider(
            "Epoch in the middle",
            options=between,
            help=f"Beside the first checkpoint, epoch {checkpoints[0]}, and the last, epoch {checkpoints[-1]}.",
            **bound(page, "middle", middle),
        )
    return checkpoints[0], int(middle), checkpoints[-1]


def matrices(page: str) -> tuple[str, ...]:
    """Choice of what is drawn beside H."""
    names = MATRICES[1:]
    chosen = selection.current().beside
    shown = names if chosen is None else tuple(n for n in names if n in chosen)
    pressed = st.pills(
        "Beside H",
        names,
        selection_mode="multi",
        format_func=lambda name: LOOK[name].html,
        help=". ".join(f"${LOOK[name].tex}$: {MEANINGS[name]}" for name in names) + ".",
        **bound(page, "beside", shown),
    )
    return tuple(n for n in names if n in (pressed or ()))


STAGES = (
    Head("argument0", part="the matrices at the first epoch"),
    Head("argument1"),
    Head("argument2", part="the matrices at the last epoch"),
)
SLOPES = Head("slopes", "Slopes", "their slopes", text.SLOPES)
SIZES = Head("sizes", "Sizes", "their sizes", text.SIZES)


def relative(page: str) -> bool:
    """Whether diagonals are divided by H's."""
    chosen = selection.current().relative
    words = {True: "÷ H", False: "measured"}
    return controls.either(page, "relative", "Heights", words, True if chosen is None else chosen)


def side_by_side(
    view: View, stages: Sequence[Argument], names: tuple[str, ...], first: int, last: int, divided: bool
) -> None:
    """All matrices in the eigenbasis of H, one figure for each epoch, on one vertical scale."""
    ends = figures.reach(stages, names, divided)
    with st.grid(3, min_column_width=285, gap="small") as row:
        for place, a in enumerate(stages):
            with row.cell():
                name = title(a, place, len(stages))
                st.markdown(f"##### {name}")
                Panel(
                    replace(STAGES[place], title=name),
                    f"fisher-epoch-{a.epoch}",
                    figures.compare(a, names, first, last, divided, ends, marker.pointed(view)),
                    f"Diagonals of H, both Fisher matrices, B·C and E[h²] at epoch {a.epoch}.",
                    arrays=partial(dict, a.diagonals),
                    code=partial(_code, view, a, "print(argument.diagonals)"),
                    on_click=marker.at,
                ).show()
                st.caption(text.stage(a))


def title(a: Argument, place: int, count: int) -> str:
    """Which of the epochs this is."""
    if a.epoch == 0:
        return "Epoch 0: at initialisation"
    where = "at the end" if place == count - 1 else "at the beginning" if place == 0 else "in the middle"
    return f"Epoch {a.epoch}: {where}"


def slopes_and_sizes(view: View, stages: Sequence[Argument], first: int, last: int) -> None:
    """γ and the sums of the matrices from epoch to epoch."""
    names = MATRICES[1:]
    fits = {name: [a.fit(name, last, first) for a in stages] for name in names}
    slopes = {name: [np.nan if f is None else f.gamma for f in laws] for name, laws in fits.items()}
    sizes = {name: [a.size(name) for a in stages] for name in names if name != "E_h2"}
    at = np.array([a.epoch for a in stages])
    with st.grid(2, min_column_width=400, gap="medium") as pair:
        for head, values, axis, log in (
            (SLOPES, slopes, "γ", False),
            (SIZES, sizes, "sum of M<sub>ii</sub> ÷ sum of H<sub>ii</sub>", True),
        ):
            with pair.cell():
                heading.over(head)
                Panel(
                    head,
                    f"fisher-{head.key}",
                    figures.along(stages, values, axis, log),
                    f"{head.title} of each matrix at the epochs {', '.join(map(str, at))}.",
                    arrays=partial(dict, {"epoch": at} | {n: np.array(v) for n, v in values.items()}),
                    code=lambda: _code(
                        view,
                        stages[-1],
                        f"for name in {names}:",
                        f"    print(name, argument.fit(name, {last}, {first}), argument.size(name))",
                    ),
                ).show()


def table(stages: Sequence[Argument], first: int, last: int) -> None:
    """The same in numbers."""
    head = [f"γ, epoch {a.epoch} | ÷ H" for a in stages]
    lines = [f"| matrix | {' | '.join(head)} |", "|---" * (1 + 2 * len(stages)) + "|"]
    lines += [f"| {' | '.join(cells)} |" for cells in figures.rows(stages, first, last)]
    st.markdown("\n".join(lines))
    st.caption(
        f"γ over directions {first + 1} … {last} above the noise floor, with its standard error; ÷ H: the sum over the "
        f"{stages[0].diagonals['H'].size:,} directions kept beside that of H."
    )


def links(stages: Sequence[Argument], first: int, last: int) -> None:
    """The three links of the argument, and what C goes with instead, each with the numbers of this run."""
    shown = (
        ("1", "H is the true Fisher matrix", text.FIRST, text.first_link(stages)),
        ("2", "The true Fisher matrix is the empirical one", text.SECOND, text.second_link(stages)),
        ("3", "The empirical Fisher matrix is B·C", text.THIRD, text.third_link(stages)),
    )
    with st.grid(3, min_column_width=285, gap="small", border=True) as row:
        for number, title, about, sentence in shown:
            with row.cell():
                heading.heading(f"{number}. {title}?", about, "Why", level=4)
                st.markdown(sentence)
    st.markdown(text.instead(stages, first, last))


def _code(view: View, a: Argument, *lines: str) -> str:
    return reproduce.samples(view, "argument = fisher.of(found)", *lines, epoch=a.epoch, using="fisher")
