"""The frame of every page: title, menu, what is selected, and a sentence in place of a traceback."""

import functools
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import streamlit as st

from pages.state import selection

if TYPE_CHECKING:
    from engine.runs.library import Run

LOGO = str(Path(__file__).with_name("logo.svg"))
# Pixels: three heatmaps fit beside it on a screen of 1000.
WIDTH = 240
STYLE = Path(__file__).with_name("style.css")
_NAMES = "names of runs"
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Entry:
    """One page of the menu: its name in the code, its file, its label and icon."""

    name: str
    file: str
    label: str
    icon: str


MENU: dict[str, tuple[Entry, ...]] = {
    "Begin": (
        Entry("start", "app.py", "Start", ":material/play_circle:"),
        Entry("train", "pages/train.py", "Train", ":material/model_training:"),
        Entry("load", "pages/load.py", "Load", ":material/upload_file:"),
    ),
    "Look": (
        Entry("commutativity", "pages/commutativity.py", "Commutativity", ":material/grid_on:"),
        Entry("power_law", "pages/power_law.py", "Power law", ":material/trending_up:"),
        Entry("table", "pages/table.py", "Table 1", ":material/table_chart:"),
    ),
    "Explain": (
        Entry("dynamics", "pages/dynamics.py", "Dynamics", ":material/timeline:"),
        Entry("suppression", "pages/suppression.py", "Suppression", ":material/filter_alt:"),
    ),
    "Understand": (
        Entry("duality", "pages/duality.py", "Duality lab", ":material/swap_horiz:"),
        Entry("sample", "pages/sample.py", "One sample", ":material/center_focus_strong:"),
        Entry("sandbox", "pages/sandbox.py", "What sets γ", ":material/tune:"),
        Entry("fisher", "pages/fisher.py", "Is C = H/B?", ":material/balance:"),
        Entry("film", "pages/film.py", "Live", ":material/movie:"),
        Entry("tours", "pages/tours.py", "Tours", ":material/signpost:"),
        Entry("glossary", "pages/glossary.py", "Glossary", ":material/dictionary:"),
    ),
    "Keep": (Entry("runs", "pages/runs.py", "Runs", ":material/folder_open:"),),
}


def entry(name: str) -> Entry:
    """The page of this name."""
    return next(e for group in MENU.values() for e in group if e.name == name)


@contextmanager
def page(name: str) -> Iterator[None]:
    """Set the page up, draw the menu, and show whatever goes wrong inside as a sentence.

    Nothing heavy is imported before the menu and the page's first words are on the screen.
    """
    title = "Gammascope" if name == "start" else f"{entry(name).label} · Gammascope"
    st.set_page_config(page_title=title, page_icon=LOGO, layout="wide", initial_sidebar_state=WIDTH)
    st.html(STYLE)
    if selection.scale() != 1:
        st.html(f"<style>html {{ font-size: {selection.scale():.0%} !important; }}</style>")
    with st.sidebar:
        _brand()
        _menu()
        here = st.container()
    with sentences():
        _guide(name)
        selection.publish()
        _missing()
        yield
        _questions(name)
        with here:
            _at_work(name)
            _selected(name)
            _projector(name)
            _check(name)


def _brand() -> None:
    with st.container(key="brand", horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        st.image(LOGO, width=40)
        st.markdown("### Gammascope", width="content")


def _menu() -> None:
    for title, entries in MENU.items():
        st.caption(title)
        for one in entries:
            st.page_link(one.file, label=one.label, icon=one.icon, width="stretch")


def _missing() -> None:
    """What a copied link names that this cache does not hold."""
    wanted = selection.current()
    if wanted.run is None and wanted.runs is None and wanted.layer is None:
        return
    from pages.data import results

    for sentence in results.missing(wanted):
        st.info(sentence, icon=":material/link_off:")


def _at_work(name: str) -> None:
    """What is being trained or analysed, in a line; the Train page tells it at length."""
    from pages.data import results
    from pages.jobs import watch

    # Some pages tell it at length: Train, the start page until it has results, and Table 1 its own sweeps.
    told = name == "train" or (name == "start" and results.present() is None)
    watch.in_short(queue=not told, sweeps=name != "table")


def _selected(name: str) -> None:
    """The run that every page shows, and a choice where there are several."""
    from pages.data import results

    runs = results.runs()
    run = results.chosen_run()
    if run is None:
        return
    st.divider()
    if len(runs) > 1:
        told = names(runs)
        if st.session_state.get(_NAMES) != told:
            # A choice made in other words would go on being shown in them.
            st.session_state[_NAMES] = told
            st.session_state.pop(f"{name}.run", None)
        st.selectbox("Run", list(told), format_func=told.__getitem__, **selection.bound(name, "run", run.key))
    else:
        st.caption("Run")
        st.markdown(f"**{escaped(describe(run))}**")
    layers = results.layers(run)
    if len(layers) > 1:
        st.selectbox(
            "Layer",
            layers,
            format_func=selection.layer_name,
            help="The fully connected layer whose weights are studied, or several of them jointly. This run has more "
            "than one that is analysed.",
            **selection.bound(name, "layer", results.chosen_layer(run)),
        )
    what = f"{makeup(run)}. " if run.label or len(runs) > 1 else ""
    st.caption(escaped(what + settings(run)))


def _check(name: str) -> None:
    from pages.shell import verify_dialog

    verify_dialog.button(name)


def _projector(name: str) -> None:
    with st.container(horizontal=True, gap="small"):
        st.toggle(
            "Large type",
            help="For a projector: letters of pages and figures grow.",
            **selection.bound(name, "large", bool(selection.current().large)),
        )
        st.toggle(
            "Present",
            help="Figures, headlines and the tour alone, in large type. Esc leads back.",
            **selection.bound(name, "present", bool(selection.current().present)),
        )


def _guide(name: str) -> None:
    """The guided tour that is on, and the way back from presenting."""
    here = selection.current()
    if here.tour is not None or here.present:
        from pages.rooms.tours import bar

        bar.show(name)


def _questions(name: str) -> None:
    """What a class may be asked about the page."""
    from pages.shell import questions

    questions.show(name)


def describe(run: "Run") -> str:
    """A run by the name its user gave it, else in a few words."""
    return run.label or makeup(run)


def names(runs: "Sequence[Run]") -> dict[str, str]:
    """What to call each of several runs, by key: as described, and where two are called the same also by what
    tells them apart: the seed, then when they were made, then the key."""
    found = {run.key: describe(run) for run in runs}
    for more in (
        lambda run: f"seed {run.request.seed}",
        lambda run: time.strftime("%d %b %H:%M", time.localtime(run.created)),
        lambda run: run.key[:8],
    ):
        count = Counter(found.values())
        found = {r.key: f"{found[r.key]}, {more(r)}" if count[found[r.key]] > 1 else found[r.key] for r in runs}
    return found


def escaped(text: str) -> str:
    """Text of a user's as Markdown that shows it letter by letter."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def makeup(run: "Run") -> str:
    """A run in a few words: data, network, loss."""
    return ", ".join(
        (DATA.get(run.data_name, run.data_name), network(run), LOSSES.get(run.request.loss, run.request.loss))
    )


def network(run: "Run") -> str:
    """The network of a run by kind and widths."""
    widths = "‑".join(map(str, run.request.model.widths))
    kind = {"mlp": "", "cnn": "CNN "}.get(run.request.model.kind, f"{run.request.model.kind} ")
    return kind + widths


DATA = {"mnist5k": "MNIST (5,000 digits)", "mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
LOSSES = {"ce": "cross‑entropy", "mse": "softmax MSE", "linear_mse": "linear MSE"}


def settings(run: "Run") -> str:
    """How a run was trained, in one sentence."""
    training = run.request.training
    if run.request.weights:
        count = len(run.request.weights)
        kept = f"{count} checkpoints" if count > 1 else "1 checkpoint"
        return f"{run.samples:,} samples; {kept} that came from files, trained elsewhere. Key {run.key[:8]}."
    device = run.device.upper() if run.device == "cpu" else run.device
    reached = int(run.history.epoch[-1]) if len(run.history) else 0
    return (
        f"{run.samples:,} samples, {reached} of {training.epochs} epochs, batches of {training.batch_size}, "
        f"learning rate {training.learning_rate:g}, seed {run.request.seed}, on {device}. Key {run.key[:8]}."
    )


@contextmanager
def sentences() -> Iterator[None]:
    """Show an exception as a sentence: the engine's ValueErrors explain themselves, the rest is logged."""
    try:
        yield
    except ValueError as error:
        st.warning(str(error), icon=":material/info:")
    except OSError as error:
        st.error(
            f"The cache could not be read or written ({error.strerror or error}). Check that its folder exists "
            "and that the disk is not full, then reload the page.",
            icon=":material/folder_off:",
        )
    except Exception:
        # Streamlit's own control flow is no Exception and passes.
        logging.getLogger("gammascope").exception("A page failed")
        st.error(
            "Something on this page failed; that is our fault, not yours. Results in the cache are untouched. "
            "Reload the page; the terminal that runs the dashboard shows the details.",
            icon=":material/error:",
        )


def guarded(function: Callable[P, R]) -> Callable[P, R | None]:
    """The same for a fragment, which runs again without the page around it; the URL follows what was chosen."""

    @functools.wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R | None:
        with sentences():
            selection.publish()
            return function(*args, **kwargs)
        return None

    return inner
