"""Single samples on the pages: what is kept of a checkpoint's, and the one button that fetches what is not."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from numpy import ndarray

from cache.jobs import Job
from cache.store import Store
from engine.config.command_line import SamplesCommand
from engine.config.requests import SamplesRequest
from engine.runs.library import Run
from engine.samples import table
from engine.samples.table import Samples
from pages.data import results
from pages.data.results import View
from pages.jobs import watch
from pages.jobs.describe import command, sentence
from pages.ui.controls import what_will_be_seen

# A few MB each: three epochs side by side for several runs.
ENTRIES = 12


def found(view: View, epoch: int | None = None) -> Samples | None:
    """The samples of a checkpoint of the run and layer in view, at its epoch for None; None while none are kept."""
    request = SamplesRequest(view.run.key, view.epoch if epoch is None else epoch, view.chosen.request.layer)
    here = results.store()
    version = here.version(*table.place(request, view.run.fingerprint))
    return _read(here.root, view.run.key, request.epoch, request.layer, version, view.run)


def pictures(view: View) -> ndarray | None:
    """The run's training samples as small pictures (n, h, w) or (n, h, w, 3), bytes; None where they are no images."""
    here = results.store()
    return _pictures(here.root, view.run.key, here.version("runs", view.run.key, "pictures"), view.run)


def of(page: str, view: View, epochs: Sequence[int] = (), about: Sequence[str] = ()) -> tuple[Samples, ...]:
    """The samples of these checkpoints, of the one in view for (). While any is missing nothing is returned: the page
    then says what is missing and offers to fetch it, shows how far that is, or why it failed; and about: the
    definitions of what it will show."""
    layers = view.chosen.request.layers
    if len(layers) > 1:
        st.info(
            f"Single samples are looked at before one layer, and this is an analysis of {len(layers)} jointly. Choose "
            "a single layer in the menu, or analyse one on the Train page.",
            icon=":material/layers:",
        )
        return ()
    wanted = tuple(epochs) or (view.epoch,)
    kept = {epoch: found(view, epoch) for epoch in wanted}
    missing = tuple(epoch for epoch, there in kept.items() if there is None)
    if missing:
        _fetch(page, view, missing)
        if about:
            what_will_be_seen(about, view)
    return tuple(there for there in kept.values() if there is not None) if not missing else ()


def _fetch(page: str, view: View, missing: tuple[int, ...]) -> None:
    layer, named = view.chosen.request.layer, _listed(missing)
    job = _job(view, missing)
    if job is not None and job.running:
        st.info(f"Looking at every training sample at {named}, before layer {layer} …", icon=":material/search:")
        watch.expect((job.id,))
        return
    if job is not None and job.state in ("failed", "cancelled"):
        st.warning(sentence(job), icon=":material/info:")
    else:
        st.info(
            f"The training samples have not been looked at one by one yet at {named}, before layer {layer}. That takes "
            "seconds for a small layer, a minute or so for a large one, and is kept.",
            icon=":material/search:",
        )
    st.button(
        "Look at every sample" if job is None or job.state == "done" else "Try again",
        key=f"{page}.samples",
        icon=":material/search:",
        type="primary",
        on_click=_start,
        args=(view, missing),
    )


def _start(view: View, epochs: tuple[int, ...]) -> None:
    layer = view.chosen.request.layer
    argv = ("samples", "--run", view.run.key, "--epoch", ",".join(map(str, epochs)), "--layer", layer)
    watch.jobs().start(argv, f"Every sample at {_listed(epochs)}, layer {layer}", run=view.run.key, queue=False)


def _job(view: View, epochs: tuple[int, ...]) -> Job | None:
    """The newest job that looks at these checkpoints, maybe at others too."""
    for job in watch.jobs().jobs():
        asked = command(job.argv)
        if (
            isinstance(asked, SamplesCommand)
            and (asked.run, asked.layer) == (view.run.key, view.chosen.request.layer)
            and {*map(str, epochs)} <= {*asked.epochs}
        ):
            return job
    return None


def _listed(epochs: tuple[int, ...]) -> str:
    """Epochs in words."""
    *others, last = map(str, epochs)
    return f"epochs {', '.join(others)} and {last}" if others else f"epoch {last}"


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _read(root: Path, run: str, epoch: int, layer: str, version: str, _run: Run) -> Samples | None:
    return table.read(Store(root), _run, epoch, layer)


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _pictures(root: Path, run: str, version: str, _run: Run) -> ndarray | None:
    return table.pictures(Store(root), _run)
