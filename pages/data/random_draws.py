"""Random twins of a matrix: the same spectrum in a random basis, drawn once and kept at hand."""

import threading
from dataclasses import dataclass, field

import numpy as np
import streamlit as st
from numpy import ndarray
from threadpoolctl import threadpool_limits

from engine.results import commutation
from engine.results.analysis import Analysis
from engine.results.commutation import OffDiagonal, off_diagonal
from pages.data.results import Key, View

# Up to 4 MB each, and 12 MB.
DRAWN_ENTRIES, CHANCE_ENTRIES = 24, 8
# Random draws: how many directions they have, how many are made for a test, and of how many directions at most.
SIZES, DRAWS, TESTED = (100, 300), 99, 300


def random_correlation(here: View, name: str, k: int, seed: int) -> ndarray:
    """R_rand of one draw, the leading k directions; ValueError where the matrix's spectrum was not kept."""
    # A draw is made a few sizes long, and moving k looks at more or less of the same one.
    return _random_correlation(here.key, name, drawn_size(here, k), seed, here.analysis)[:k, :k]


@st.cache_resource(max_entries=DRAWN_ENTRIES, show_spinner=False)
def _random_correlation(key: Key, name: str, k: int, seed: int, _analysis: Analysis) -> ndarray:
    one_thread()
    return _analysis.random_correlation(name, k, seed).astype(np.float32)


def drawn_size(here: View, k: int) -> int:
    """How many directions a random draw has of which k are looked at."""
    return min(next((size for size in SIZES if k <= size), k), here.analysis.k)


@st.cache_resource(show_spinner=False)
def one_thread() -> None:
    """Hold this process's matrix products to one thread: several spin while they wait for each other, and take the
    cores that the browser needs. Beside other work on two cores a draw then costs a fifth of the processor's time."""
    threadpool_limits(limits=1, user_api="blas")


@dataclass(frozen=True)
class Chance:
    """What is off the diagonal of DRAWS random twins of one matrix, made one after the other, and then kept."""

    spectrum: ndarray
    k: int
    drawn: list[OffDiagonal] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def complete(self) -> bool:
        return len(self.drawn) >= DRAWS

    def draw(self) -> None:
        """One more."""
        one_thread()
        with self.lock:
            if not self.complete:
                made = off_diagonal(commutation.random_correlation(self.spectrum, self.k, len(self.drawn)))
                self.drawn.append(OffDiagonal(made.rms, made.counts.astype(np.uint16)))


def chance(here: View, name: str, k: int) -> Chance:
    """Random twins of a matrix that have at least k leading directions, at most TESTED; ValueError where its
    spectrum was not kept."""
    size = drawn_size(here, min(k, TESTED))
    return _chance(here.key, name, size, here.analysis.whole(name).spectrum)


@st.cache_resource(max_entries=CHANCE_ENTRIES, show_spinner=False)
def _chance(key: Key, name: str, k: int, _spectrum: ndarray) -> Chance:
    return Chance(_spectrum, k)
