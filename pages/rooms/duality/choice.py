"""Which pair is looked at: a sample and its partner, chosen with a click or by number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from jaxtyping import Int
from numpy import ndarray

from engine.samples.pair import Pair, pair
from engine.samples.table import Samples, Table
from pages.charts import thumbnails
from pages.plot.panel import Head, Panel
from pages.state import palette, selection
from pages.text.run_names import escaped

SAMPLE = Head("sample", part="the samples in a row")
PARTNER = Head("partner", part="the partners in a row")
# Tiles of a strip; of the partners' so many are the nearest, the others spread over the class to the farthest.
OFFERED, NEAREST = 7, 4


@dataclass(frozen=True)
class Chosen:
    """A sample and its partner among all samples of a checkpoint; ranked: the partner's class from the nearest to
    the farthest."""

    samples: Samples
    sample: int
    partner: int
    ranked: Int[ndarray, " m"]

    @property
    def pair(self) -> Pair:
        """Their numbers; ValueError where the sample's activity is zero."""
        return pair(self.samples, self.sample, self.partner)

    @property
    def possible(self) -> bool:
        """Whether anything of the sample reaches the layer."""
        return bool(self.samples.activity[self.sample].any())

    def name(self, sample: int) -> str:
        """The class of a sample."""
        return self.samples.class_names[self.samples.targets[sample]]

    @property
    def same_class(self) -> bool:
        return bool(self.samples.targets[self.sample] == self.samples.targets[self.partner])

    @property
    def rank(self) -> int:
        """How many of the class are nearer than the partner."""
        return int(np.flatnonzero(self.ranked == self.partner)[0])

    def landmarks(self) -> dict[str, int]:
        """The nearest, median and farthest partner of the class."""
        last = self.ranked.size - 1
        places = {"nearest": 0, "median": last // 2, "farthest": last}
        return {name: int(self.ranked[place]) for name, place in places.items()}


def chosen(samples: Samples) -> Chosen:
    """What is selected, as far as it is there; else the sample that is hardest among those classified correctly, with
    the nearest of its class."""
    selected = selection.current()
    sample = selected.sample if selected.sample is not None and selected.sample < len(samples) else samples.hardest()
    partner = selected.partner
    if partner is None or partner >= len(samples) or partner == sample:
        own = int(samples.partner[sample])
        partner = own if own >= 0 else int(samples.neighbours(sample, None, 1)[0])
    return Chosen(samples, sample, partner, samples.neighbours(sample, int(samples.targets[partner]), len(samples)))


def still(known: Chosen) -> Chosen:
    """The pair that the whole page was drawn for; where another one was chosen since, the page is drawn anew."""
    now = chosen(known.samples)
    if (now.sample, now.partner) != (known.sample, known.partner):
        st.rerun()
    return known


def offered(samples: Table, of_class: int) -> Int[ndarray, " m"]:
    """Samples of a class from the largest loss down, ever farther apart in rank."""
    pool = np.flatnonzero(samples.targets == of_class)
    pool = pool[np.argsort(-samples.loss[pool], kind="stable")]
    return pool[_spread(pool.size, OFFERED)]


def partners(chosen: Chosen) -> Int[ndarray, " m"]:
    """The nearest of the partner's class, and others on to the farthest."""
    near, rest = chosen.ranked[:NEAREST], chosen.ranked[NEAREST:]
    places = np.linspace(0, max(rest.size - 1, 0), OFFERED - NEAREST + 1)[1:].round().astype(int)
    return np.concatenate([near, rest[np.unique(places)] if rest.size else rest])


def _spread(count: int, tiles: int) -> Int[ndarray, " m"]:
    """Places 0, 1, … count − 1, at most so many, evenly spread in their logarithm."""
    if count <= tiles:
        return np.arange(count)
    return np.unique(np.maximum(np.geomspace(1, count, tiles).round().astype(int), np.arange(1, tiles + 1))) - 1


# -- on the page ------------------------------------------------------------------------------------------


def choose_sample(sample: int) -> None:
    """Look at this sample, with the nearest of its class."""
    selection.choose(sample=sample, partner=None)


def choose_partner(partner: int) -> None:
    """Hold the sample against this one."""
    selection.choose(partner=partner)


def strips(page: str, chosen: Chosen, pictures: ndarray | None) -> None:
    """Both strips, and above each its number and class."""
    samples = chosen.samples
    with st.container(key=f"{page}-pair", gap="xxsmall"):
        _knobs(page, "sample", "Sample p", chosen, chosen.sample)
        shown = offered(samples, int(samples.targets[chosen.sample]))
        shown = shown if chosen.sample in shown else np.append(shown[:-1], chosen.sample)
        strip(SAMPLE, samples, pictures, shown, chosen.sample, "hardest first", choose_sample)
        _knobs(page, "partner", "Partner p′", chosen, chosen.partner)
        near = partners(chosen)
        near = near if chosen.partner in near else np.append(near[:-1], chosen.partner)
        order = {int(p): place for place, p in enumerate(chosen.ranked)}
        places = [f"number {order[p] + 1:,} of {len(order):,} by distance<br>" for p in near]
        strip(PARTNER, samples, pictures, near, chosen.partner, "nearest first", choose_partner, places)


def strip(
    head: Head,
    samples: Table,
    pictures: ndarray | None,
    shown: ndarray,
    framed: int,
    order: str,
    choose: Callable[[int], None],
    places: Sequence[str] = (),
) -> None:
    """These samples, one framed, each with its answer and its place among others; a click chooses one."""
    words = [f"{at}{_answer(samples, p)}" for at, p in zip(places or [""] * len(shown), shown, strict=True)]
    name = samples.class_names[samples.targets[framed]]
    Panel(
        head,
        f"duality-{head.key}s",
        thumbnails.strip(samples, pictures, shown.tolist(), [framed], words, OFFERED),
        f"Samples of class {name}, {order}.",
        arrays=lambda: {"sample": shown},
        on_click=choose,
    ).show()


def _answer(samples: Table, p: int) -> str:
    answer = thumbnails.answer(samples, p)
    return f"class {answer}, loss {palette.number(float(samples.loss[p]))}"


def _knobs(page: str, field: str, label: str, chosen: Chosen, now: int) -> None:
    """Class and number of one of the two."""
    samples = chosen.samples
    classes, number = f"{page}.{field}.class", f"{page}.{field}"

    def of_class() -> None:
        chosen_class = st.session_state[classes]
        if field == "sample":
            choose_sample(int(offered(samples, chosen_class)[0]))
        else:
            choose_partner(int(samples.neighbours(chosen.sample, chosen_class, 1)[0]))

    def numbered() -> None:
        (choose_sample if field == "sample" else choose_partner)(st.session_state[number])

    labels = [int(c) for c in np.unique(samples.targets) if field == "sample" or _other_than(samples, c, chosen.sample)]
    st.session_state[classes], st.session_state[number] = int(samples.targets[now]), now
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", wrap=False):
        st.number_input(
            label, 0, len(samples) - 1, key=number, on_change=numbered, help="Its number among the training samples."
        )
        st.selectbox(
            "Class" if field == "sample" else "from class",
            labels,
            format_func=lambda c: escaped(samples.class_names[c]),
            key=classes,
            on_change=of_class,
            help="Its samples from the largest loss down."
            if field == "sample"
            else "The nearest of this class, then others on to the farthest. Of another class than p’s, duality of the "
            "loss fails: try it.",
        )


def _other_than(samples: Samples, of_class: int, sample: int) -> bool:
    return bool(((samples.targets == of_class) & (np.arange(len(samples)) != sample)).any())
