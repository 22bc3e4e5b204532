"""The parts of the page of one sample, each with its numbers and its code."""

from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
import streamlit as st
from numpy import ndarray

from engine.samples.close_up import CloseUp
from engine.samples.hessian import One
from engine.samples.table import AtPlaces, Samples, Table
from pages.charts import places, thumbnails
from pages.data.results import View
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.sample import choice, figures, text
from pages.state import selection
from pages.ui import controls, marker

if TYPE_CHECKING:
    import plotly.graph_objects as go

InHand = One | CloseUp

STIFFNESS = Head("stiffness", part="κ_1 against confidence")
PROBABILITIES = Head("probabilities", part="the network's answer")
M = Head("M", part="M")
INPUT = Head("aa", part="a aᵀ")
PRODUCT = Head("h", part="their Kronecker product")
KAPPA = Head("kappa", part="the spectrum")
ALIGNMENT = Head("alignment", part="the alignment")
WHERE = Head("places")
NOISE = Head("places_of_g")
FILTERS = Head("filters")
FILTER = Head("filter")
OWN = Head("u", part="its own direction")
GLOBAL = Head("v", part="the global direction")


def why(page: str, view: View, samples: Table, sample: int) -> None:
    """|κ_1| of all samples against the confidence of the network."""
    words, chosen = {False: "logarithmic", True: "plain"}, bool(selection.current().plain)
    plain = controls.either(page, "plain", "Axes", words, chosen, label_visibility="collapsed")
    kappa, name = samples.kappa[:, 0], partial(thumbnails.answer, samples)
    Panel(
        STIFFNESS,
        "stiffness-and-confidence",
        figures.stiffness(samples.objective, samples.confidence, kappa, samples.correct, name, sample, plain),
        "The sharpest curvature of every sample against the network's confidence, with the curve of two classes.",
        arrays=lambda: (
            {"kappa_1": kappa}
            | {"confidence": samples.confidence, "target": samples.targets, "predicted": samples.predicted}
        ),
        code=lambda: reproduce.samples(view, "print(found.kappa[:, 0], found.confidence, found.correct)"),
        on_click=choice.choose,
    ).show()


def portrait(page: str, view: View, samples: Table, pictures: ndarray | None, sample: int, one: InHand) -> None:
    """The chosen sample: how it looks, what the network answers, and why it is as stiff as it is."""
    choice.stepper(page, samples, sample)
    picture, answers = st.columns([2, 5], vertical_alignment="center")
    with picture:
        if pictures is not None:
            st.image(
                thumbnails.source(pictures[sample]),
                width="stretch",
                caption=thumbnails.answer(samples, sample),
                alt=f"Sample {sample}",
            )
        else:
            st.markdown(f"**{thumbnails.answer(samples, sample)}**")
    with answers:
        Panel(
            PROBABILITIES,
            f"answer-to-sample-{sample}",
            figures.probabilities(one, samples.class_names, int(samples.targets[sample])),
            "Probability of each class, the right one filled.",
            arrays=lambda: {"probability": one.probabilities},
            code=lambda: _code(view, samples, sample, "print(one.probabilities)"),
        ).show()
    st.markdown(text.one_of_them(samples, sample))


def product(view: View, samples: Samples, sample: int, one: One) -> None:
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
                    code=lambda: _code(view, samples, sample, f"M, aa, h = one.block(*one.largest({figures.SIDE}))"),
                ).show()
    st.markdown(text.picture(one, len(pairs), outputs.size, inputs.size, one.share(outputs, inputs)))


def spectrum(view: View, samples: Table, sample: int, one: InHand, mode: int) -> None:
    """κ_m of the sample."""
    middle = np.median(np.abs(samples.kappa), axis=0)
    Panel(
        KAPPA,
        f"spectrum-of-sample-{sample}",
        figures.spectrum(one.kappa, middle, mode),
        "Eigenvalues of the sample's Hessian beside the median over all samples.",
        arrays=lambda: {"kappa": one.kappa, "median": middle},
        code=lambda: _code(view, samples, sample, "print(one.kappa)"),
        on_click=_mode,
    ).show()
    st.markdown(text.spectrum(one))


def _mode(m: int) -> None:
    selection.choose(mode=m)


def mode_of(one: InHand) -> int:
    """The eigenvalue that is looked at, from 1."""
    return min(selection.current().mode or 1, max(one.rank, 1))


def direction_of(view: View, samples: Table, own: ndarray) -> int:
    """The global direction that is looked at, from 1: the one pointed at, else the one most aligned."""
    pointed = marker.pointed(view)
    return pointed if pointed is not None and pointed <= len(samples.directions) else int(own.argmax()) + 1


def alignment(view: View, samples: Table, sample: int, one: InHand, mode: int, own: ndarray, direction: int) -> None:
    """(u_m·v_i)² of the leading global directions."""
    usual = samples.alignment.mean(axis=0) if mode == 1 else None
    d = one.dimension
    Panel(
        ALIGNMENT,
        f"alignment-of-sample-{sample}",
        figures.alignments(own, usual, 1 / d, mode, direction),
        "How far the sample's eigenvector lies along each leading eigenvector of H.",
        arrays=lambda: {"alignment": own} | ({} if usual is None else {"mean": usual}),
        code=lambda: _code(view, samples, sample, f"print(one.alignment(found.directions)[{mode - 1}])"),
        on_click=marker.at,
    ).show()
    st.markdown(text.aligned(samples, one, own, mode, direction))


def own_direction(view: View, samples: Table, sample: int, one: InHand, mode: int, direction: int) -> None:
    """u_m in the shape of the weights, on the side of v_i."""
    u = one.eigenvector(mode - 1)
    u = u if (u * samples.directions[direction - 1]).sum() >= 0 else -u
    Panel(
        OWN,
        f"eigenvector-of-sample-{sample}",
        _weights(samples, u, f"u<sub>{mode}</sub> of this sample"),
        f"The sample's eigenvector {mode} as {u.shape[0]} × {u.shape[1]} weights.",
        arrays=lambda: {"u": u},
        code=lambda: _code(view, samples, sample, f"u = one.eigenvector({mode - 1})"),
    ).show()


def global_direction(view: View, samples: Table, direction: int) -> None:
    """v_i in the shape of the weights."""
    v = samples.directions[direction - 1]
    Panel(
        GLOBAL,
        f"eigenvector-{direction}",
        _weights(samples, v, f"v<sub>{direction}</sub> of H, the mean over all samples"),
        f"Eigenvector {direction} of H as {v.shape[0]} × {v.shape[1]} weights.",
        arrays=lambda: {"v": v},
        code=lambda: reproduce.samples(view, f"v = found.directions[{direction - 1}]"),
    ).show()


def _weights(samples: Table, w: ndarray, title: str) -> "go.Figure":
    """A direction as filters where the layer has them."""
    kernel = samples.kernel if isinstance(samples, AtPlaces) else ()
    return places.filters(w, kernel, title) if kernel else figures.weights(w, title)


def carried(view: View, samples: AtPlaces, pictures: ndarray | None, sample: int, one: CloseUp, mode: int) -> None:
    """The sample, and beside it which places carry its curvature and its gradient."""
    maps = (
        (WHERE, one.shares[mode - 1], f"of κ<sub>{mode}</sub>", f"shares[{mode - 1}]"),
        (NOISE, one.gradient, "of the gradient ‖g‖²", "gradient"),
    )
    beside = pictures is not None and len(samples.shape) > 1
    align: Literal["bottom", "center"] = "bottom" if beside else "center"
    left, *rest = st.columns([1, 1, 1] if beside else [1, 3, 3], gap="medium", vertical_alignment=align)
    with left:
        if pictures is None:
            st.markdown(f"**{thumbnails.answer(samples, sample)}**")
        else:
            st.image(thumbnails.source(pictures[sample]), width="stretch", alt=f"Sample {sample}")
    for column, (head, shares, what, name) in zip(rest, maps, strict=True):
        with column:
            Panel(
                head,
                f"{head.key}-of-sample-{sample}",
                places.where(shares, samples.shape, f"share {what}", "share"),
                f"The share of every place {what}: red carries, blue works against.",
                arrays=partial(dict, {"share": shares.reshape(samples.shape)}),
                code=partial(_code, view, samples, sample, f"share = one.{name}"),
            ).show()
    st.markdown(text.carried(samples, one, mode))


def filter_of(view: View, samples: AtPlaces, sample: int, one: CloseUp) -> int:
    """The output whose filter is looked at, from 0: the one chosen, else the one that weighs most; and what each
    weighs."""
    weights = np.array([one.weight_of(o) for o in range(one.vectors.shape[1])])
    selected = selection.current().filter
    o = selected - 1 if selected is not None and selected <= weights.size else int(np.abs(weights).argmax())
    name = "output channel" if samples.kernel else "output"
    Panel(
        FILTERS,
        f"filters-of-sample-{sample}",
        figures.filters(weights, o + 1, name),
        f"The share of each {name} in the trace of the sample's Hessian.",
        arrays=lambda: {"share": weights},
        code=lambda: _code(view, samples, sample, f"share = [one.weight_of(o) for o in range({weights.size})]"),
        on_click=_filter,
    ).show()
    return o


def _filter(o: int) -> None:
    selection.choose(filter=o)


def filter_hessian(view: View, samples: AtPlaces, sample: int, one: CloseUp, o: int) -> None:
    """The block of h_p between the weights of one output."""
    whole = one.filter_hessian(o)
    channels, size = samples.kernel[:1] or whole.shape[:1], int(np.prod(samples.kernel[1:]))
    grid = np.abs(np.diag(whole)).reshape(*channels, size) ** 0.5  # of an indefinite h_p some are negative
    shown = places.heaviest(grid, (1,), max(1, figures.SIDE // size))
    rows = (shown[:, None] * size + np.arange(size)).ravel()
    block = whole[np.ix_(rows, rows)]
    inside = [f"{n}" if size == 1 else f"{n}, {i}" for n in shown + 1 for i in range(1, size + 1)]
    words = "weights %{y} and %{x}" if size == 1 else "(input channel, entry) = (%{y}), (%{x})"
    Panel(
        FILTER,
        f"filter-{o + 1}-of-sample-{sample}",
        figures.square(block, inside, words, f"h<sub>p</sub> between the weights of output {o + 1}", size * (size > 1)),
        f"The Hessian of sample {sample} between the weights of output {o + 1}, blue negative and red positive.",
        arrays=lambda: {"filter": whole},
        code=lambda: _code(view, samples, sample, f"block = one.filter_hessian({o})"),
    ).show()
    st.markdown(text.of_filter(samples, one, o, len(rows), float((block**2).sum() / ((whole**2).sum() or 1.0))))


def _code(view: View, samples: Table, sample: int, *lines: str) -> str:
    if isinstance(samples, AtPlaces):
        return reproduce.close_up(view, sample, int(samples.partner[sample]), *lines)
    return reproduce.samples(view, f"one = hessian.of(found, {sample})", *lines)
