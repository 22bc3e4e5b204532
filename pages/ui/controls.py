"""The knobs that several pages have, and the way a figure is put on a page."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from pages.data.results import View
from pages.state import palette, selection
from pages.state.palette import matrix_label, plain_label
from pages.state.selection import bound

MEASURED = ("C", "C_awd")
# Steps from the prediction to the theorem: not for beginners.
APPROXIMATIONS = ("C_hh_sd", "C_hh_sd_wd", "C_hh_sd_wd_li")
# Seconds an epoch stays while all of them are played, and where the session keeps which page's are.
HOLD = 1.2
_PLAYING = "playing"
SMALLEST_K, USUAL_K, LARGEST_K = 2, 100, 300
# What a tour calls these knobs, by what their keys add to the page's name.
PARTS: Mapping[str, str] = {
    "-epochs": "the slider over epochs",
    ".matrix": "the choice of a covariance",
    ".k": "the slider over k",
    ".matrices": "the choice of covariances",
    ".window": "the slider over directions fitted",
}


def stepped(page: str, epochs: Sequence[int], shown: int) -> int:
    """Slider over epochs, with a step back and forth that keys reach too."""
    if len(epochs) < 2:
        st.slider("Epoch", 0, max(shown, 1), shown, disabled=True, help="More epochs arrive as they are analysed.")
        return shown
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", wrap=False, key=f"{page}-epochs"):
        chosen = st.select_slider(
            "Epoch",
            options=epochs,
            help="A checkpoint of training. 0 is the network before its first step. Keys: P previous, N next.",
            **bound(page, "epoch", shown),
        )
        place = epochs.index(shown)
        for name, icon, key, to in (
            ("Previous epoch", ":material/chevron_left:", "P", place - 1),
            ("Next epoch", ":material/chevron_right:", "N", place + 1),
        ):
            possible = 0 <= to < len(epochs)
            st.button(
                name,
                icon=icon,
                key=f"{page}.{key}",
                shortcut=key,
                type="tertiary",
                disabled=not possible,
                on_click=_step,
                args=(epochs[to] if possible else shown,),
            )
        _player(page, epochs, place)
    return int(chosen)


def playing(page: str) -> bool:
    """Whether the epochs of this page are played."""
    return bool(st.session_state.get(_PLAYING) == page)


def _player(page: str, epochs: Sequence[int], place: int) -> None:
    """Play through the epochs where they stand: slider and figures are the page's own, one epoch after the other."""
    last = place == len(epochs) - 1
    if last and playing(page):
        del st.session_state[_PLAYING]
    on = playing(page)

    def turn() -> None:
        if on:
            del st.session_state[_PLAYING]
            return
        st.session_state[_PLAYING] = page
        if last:
            selection.choose(epoch=epochs[0])

    label, icon = ("Pause", "pause") if on else ("Play through the epochs", "play_arrow")
    more: dict[str, Any] = {"key": f"{page}.play", "type": "tertiary", "help": label, "on_click": turn}
    st.button(label, icon=f":material/{icon}:", **more)
    if on:
        _next(page, epochs[place + 1], time.monotonic())


@st.fragment(run_every=HOLD)
def _next(page: str, epoch: int, since: float) -> None:
    """Go on to an epoch, unless the one before was drawn but now."""
    if time.monotonic() - since >= HOLD / 2 and playing(page):
        selection.choose(epoch=epoch)
        st.rerun()


def _step(epoch: int) -> None:
    selection.choose(epoch=epoch)


def reach(page: str, available: int) -> int:
    """How far the slider over directions goes: to LARGEST_K, or on demand to all that are kept."""
    if available <= LARGEST_K:
        return LARGEST_K
    selected = selection.current().k or USUAL_K

    def nearer() -> None:
        selection.choose(k=min(selected, LARGEST_K))

    far = st.toggle(f"Up to {available:,} directions", value=selected > LARGEST_K, key=f"{page}.far", on_change=nearer)
    return available if far else LARGEST_K


def top_k(page: str, view: View, largest: int = LARGEST_K, label: str = "k") -> int:
    """Slider over the number of leading directions shown."""
    most = min(largest, view.analysis.k)
    selected = selection.current().k or USUAL_K
    return st.slider(
        label,
        SMALLEST_K,
        max(most, SMALLEST_K + 1),
        help="Leading directions shown: those of weight space in which the loss curves most, eigenvectors of H, "
        "sharpest first.",
        **bound(page, "k", min(max(selected, SMALLEST_K), most)),
    )


def shows_all() -> bool:
    """Whether approximations are offered: where that is chosen, else where what is selected names one."""
    here = selection.current()
    named = {here.matrix, here.predictor, *(here.matrices or ())}
    return here.approximations if here.approximations is not None else not named.isdisjoint(APPROXIMATIONS)


def offered(names: Iterable[str]) -> tuple[str, ...]:
    """These covariances, for a beginner without approximations."""
    return tuple(name for name in names if shows_all() or name not in APPROXIMATIONS)


def everything(page: str) -> None:
    """The switch that offers approximations, too."""
    st.toggle(
        "With the approximations sd, wd, li",
        help="Samples independent, weight changes diagonal, and as large in every direction: on the way from the "
        "prediction to the theorem.",
        **bound(page, "approximations", shows_all()),
    )


def matrix(page: str, view: View, label: str = "Matrix", names: Sequence[str] = ()) -> str:
    """Choice of one covariance, of all there are unless some are named."""
    names = offered(names or view.analysis.names)
    selected = selection.current().matrix
    chosen = st.selectbox(
        label,
        names,
        format_func=plain_label,
        help="Every covariance of the theory, in the same eigenbasis of H.",
        **bound(page, "matrix", selected if selected in names else names[0]),
    )
    everything(page)
    return chosen


def usual_matrices(view: View) -> tuple[str, str]:
    """The measured covariance and what it is held against: duality's where there is one, else E[h²]."""
    return MEASURED if "C_awd" in view.analysis.names else ("C", "E_h2")


def matrices(page: str, view: View) -> tuple[str, ...]:
    """Choice of several covariances."""
    names = offered(view.analysis.names)
    chosen = selection.current().matrices
    # None pressed is a choice too.
    shown = tuple(n for n in (usual_matrices(view) if chosen is None else chosen) if n in names)
    pressed = st.pills(
        "Covariances",
        names,
        selection_mode="multi",
        format_func=palette.spoken,
        help="  \n".join(map(matrix_label, names)),
        **bound(page, "matrices", shown),
    )
    everything(page)
    return tuple(n for n in names if n in (pressed or ()))


def window(page: str, view: View, usual: int) -> tuple[int, int]:
    """Slider over the directions that are fitted: the first left out, and the last one in."""
    most = view.analysis.k
    low, high = selection.current().window or (1, usual)
    value = (min(low, most), min(max(high, low), most))
    first, last = st.slider(
        "Directions fitted, from … to",
        1,
        most,
        help="Direction 1 is the sharpest. The paper fits the leading 𝒩; the outliers at the top can be left out.",
        **bound(page, "window", value),
    )
    return first - 1, last


def either(page: str, field: str, label: str, words: Mapping[bool, str], value: bool, **more: Any) -> bool:
    """Choice between two ways of drawing."""
    more |= bound(page, field, value)
    return bool(st.segmented_control(label, list(words), format_func=words.__getitem__, required=True, **more))


def centred(page: str) -> bool:
    """Whether clouds are drawn at their own height or shifted onto each other."""
    words = {False: "as measured", True: "shifted together"}
    return either(page, "centred", "Heights", words, bool(selection.current().centred))


def bend(page: str) -> bool:
    """Whether the second-order fits are drawn."""
    return st.toggle(
        "Second-order fit",
        help="A parabola on log axes, beside each straight line: where one power holds, both are the same.",
        **bound(page, "bend", bool(selection.current().bend)),
    )


# -- figures ----------------------------------------------------------------------------------------------


def provenance(view: View, epochs: Sequence[int] = ()) -> str:
    """Where the numbers come from, for the line under a figure. epochs: those shown, if other than the one in view."""
    p = view.analysis.provenance
    layers = view.chosen.request.layers
    parts = (
        f"Run {view.run.key[:8]}",
        f"epochs {', '.join(map(str, epochs))}" if len(epochs) > 1 else f"epoch {view.epoch}",
        f"layers {' + '.join(layers)} jointly"
        if p.shapes
        else f"layer {p.layer} ({p.d_out} × {p.d_in}{f' at {p.places:,} places' if p.places > 1 else ''})",
        *(() if p.exact else ("Gauss–Newton, not the Hessian",)),
        *view.analysis.nearness,
        f"N = {p.samples:,} samples",
        f"B = {p.batch_size}",
        f"{p.device}, {p.dtype}",
    )
    # A part is never broken over two lines.
    return " · ".join(part.replace(" ", "\u00a0") for part in parts)
