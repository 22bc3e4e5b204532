"""The parts of the page of one sample, each with its numbers and its code."""

from functools import partial

import numpy as np
import streamlit as st
from numpy import ndarray

from engine.samples.hessian import One
from engine.samples.table import Samples
from pages.charts import thumbnails
from pages.data.results import View
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.sample import choice, figures, text
from pages.state import selection
from pages.ui import controls, marker

STIFFNESS = Head("stiffness", part="κ_1 against confidence")
PROBABILITIES = Head("probabilities", part="the network's answer")
M = Head("M", part="M")
INPUT = Head("aa", part="a aᵀ")
PRODUCT = Head("h", part="their Kronecker product")
KAPPA = Head("kappa", part="the spectrum")
ALIGNMENT = Head("alignment", part="the alignment")
OWN = Head("u", part="its own direction")
GLOBAL = Head("v", part="the global direction")


def why(page: str, view: View, samples: Samples, sample: int) -> None:
    """|κ_1| of all samples against the confidence of the network."""
    words, chosen = {False: "logarithmic", True: "plain"}, bool(selection.current().plain)
    plain = controls.either(page, "plain", "Axes", words, chosen, label_visibility="collapsed")
    kappa, name = samples.kappa[:, 0], partial(thumbnails.answer, samples)
    Panel(
        STIFFNESS,
        "stiffness-and-confidence",
        figures.stiffness(samples.chain.loss, samples.confidence, kappa, samples.correct, name, sample, plain),
        "The sharpest curvature of every sample against the network's confidence, with the curve of two classes.",
        arrays=lambda: (
            {"kappa_1": kappa}
            | {"confidence": samples.confidence, "target": samples.targets, "predicted": samples.predicted}
        ),
        code=lambda: reproduce.samples(view, "print(found.kappa[:, 0], found.confidence, found.correct)"),
        on_click=choice.choose,
    ).show()


def portrait(page: str, view: View, samples: Samples, pictures: ndarray | None, sample: int, one: One) -> None:
    """The chosen sample: how it looks, what the network answers, and why it is as stiff as it is."""
    choice.stepper(page, samples, sample)
    picture, answers = st.columns([2, 5], vertical_alignment="center")
    with picture:
        if pictures is not None:
            st.image(thumbnails.source(pictures[sample]), width="stretch", caption=thumbnails.answer(samples, sample))
        else:
            st.markdown(f"**{thumbnails.answer(samples, sample)}**")
    with answers:
        Panel(
            PROBABILITIES,
            f"answer-to-sample-{sample}",
            figures.probabilities(one, samples.class_names, int(samples.targets[sample])),
            "Probability of each class, the right one filled.",
            arrays=lambda: {"probability": one.probabilities},
            code=lambda: _code(view, sample, "print(one.probabilities)"),
        ).show()
    st.markdown(text.one_of_them(samples, sample, one))


def product(view: View, sample: int, one: One) -> None:
    """M, a aᵀ and their Kronecker product."""
    outputs, inputs = one.largest(figures.SIDE)
    left, right, whole = one.block(outputs, inputs)
    o, i = ([str(n + 1) for n in side] for side in (outputs, inputs))
    pairs = [f"{a}, {b}" for a in o for b in i]
    block = "(output, input) = (%{y}), (%{x})"
    parts = (
        (M, left, figures.square(left, o, "M of outputs %{y} and %{x}", "M")),
        (INPUT, right, figures.square(right, i, "a a of inputs %{y} and %{x}", "⊗   a a<sup>T</sup>")),
        (PRODUCT, whole, figures.square(whole, pairs, block, "=   h<sub>p</sub>", len(i))),
    )
    with st.grid(3, min_column_width=200, gap="small") as row:
        for head, matrix, figure in parts:
            with row.cell():
                Panel(
                    head,
                    f"{head.key}-of-sample-{sample}",
                    figure,
                    f"{head.key} of sample {sample}, blue negative and red positive.",
                    arrays=partial(dict, {head.key: matrix, "outputs": outputs, "inputs": inputs}),
                    code=lambda: _code(view, sample, f"M, aa, h = one.block(*one.largest({figures.SIDE}))"),
                ).show()
    st.markdown(text.picture(one, len(pairs), outputs.size, inputs.size, one.share(outputs, inputs)))


def spectrum(view: View, samples: Samples, sample: int, one: One, mode: int) -> None:
    """κ_m of the sample."""
    middle = np.median(np.abs(samples.kappa), axis=0)
    Panel(
        KAPPA,
        f"spectrum-of-sample-{sample}",
        figures.spectrum(one.kappa, middle, mode),
        "Eigenvalues of the sample's Hessian beside the median over all samples.",
        arrays=lambda: {"kappa": one.kappa, "median": middle},
        code=lambda: _code(view, sample, "print(one.kappa)"),
        on_click=_mode,
    ).show()
    st.markdown(text.spectrum(one))


def _mode(m: int) -> None:
    selection.choose(mode=m)


def mode_of(one: One) -> int:
    """The eigenvalue that is looked at, from 1."""
    return min(selection.current().mode or 1, max(one.rank, 1))


def direction_of(view: View, samples: Samples, own: ndarray) -> int:
    """The global direction that is looked at, from 1: the one pointed at, else the one most aligned."""
    pointed = marker.pointed(view)
    return pointed if pointed is not None and pointed <= len(samples.directions) else int(own.argmax()) + 1


def alignment(view: View, samples: Samples, sample: int, one: One, mode: int, own: ndarray, direction: int) -> None:
    """(u_m·v_i)² of the leading global directions."""
    usual = samples.alignment.mean(axis=0) if mode == 1 else None
    d = one.curvature.shape[0] * one.activity.size
    Panel(
        ALIGNMENT,
        f"alignment-of-sample-{sample}",
        figures.alignments(own, usual, 1 / d, mode, direction),
        "How far the sample's eigenvector lies along each leading eigenvector of H.",
        arrays=lambda: {"alignment": own} | ({} if usual is None else {"mean": usual}),
        code=lambda: _code(view, sample, f"print(one.alignment(found.directions)[{mode - 1}])"),
        on_click=marker.at,
    ).show()
    st.markdown(text.aligned(samples, one, own, mode, direction))


def own_direction(view: View, samples: Samples, sample: int, one: One, mode: int, direction: int) -> None:
    """u_m in the shape of the weights, on the side of v_i."""
    u = one.eigenvector(mode - 1)
    u = u if (u * samples.directions[direction - 1]).sum() >= 0 else -u
    Panel(
        OWN,
        f"eigenvector-of-sample-{sample}",
        figures.weights(u, f"u<sub>{mode}</sub> of this sample"),
        f"The sample's eigenvector {mode} as {u.shape[0]} × {u.shape[1]} weights.",
        arrays=lambda: {"u": u},
        code=lambda: _code(view, sample, f"u = one.eigenvector({mode - 1})"),
    ).show()


def global_direction(view: View, samples: Samples, direction: int) -> None:
    """v_i in the shape of the weights."""
    v = samples.directions[direction - 1]
    Panel(
        GLOBAL,
        f"eigenvector-{direction}",
        figures.weights(v, f"v<sub>{direction}</sub> of H, the mean over all samples"),
        f"Eigenvector {direction} of H as {v.shape[0]} × {v.shape[1]} weights.",
        arrays=lambda: {"v": v},
        code=lambda: reproduce.samples(view, f"v = found.directions[{direction - 1}]"),
    ).show()


def _code(view: View, sample: int, *lines: str) -> str:
    return reproduce.samples(view, f"one = hessian.of(found, {sample})", *lines)
