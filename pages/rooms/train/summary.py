"""The live side of the Train page: the data as pictures, the network drawn, and what it all will cost."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import streamlit as st
from numpy import ndarray

from cache.jobs import Job
from cache.store import Store
from engine.config.commands import CalibrateCommand, PreviewCommand
from engine.config.requests import DATASETS, DataRequest, RunRequest
from engine.data import subset
from engine.models import architectures
from engine.runs import estimate, library, preview
from engine.runs.estimate import Calibration, Cost, Subject
from engine.runs.preview import Preview
from engine.units import duration, rounded
from pages.charts import network
from pages.data import results
from pages.jobs import commands, watch
from pages.plot.panel import Head, Panel
from pages.rooms.train import text
from pages.rooms.train.form import FORM, Form, current, put
from pages.text import run_names
from pages.text.run_names import escaped
from pages.ui.heading import heading

SHOWN_CLASSES, SHOWN_EACH, PIXELS = 20, 3, 4


# -- the data ---------------------------------------------------------------------------------------------


@st.cache_resource(max_entries=16, show_spinner=False)
def _preview(root: Path, name: str, version: str) -> Preview | None:
    return preview.read(Store(root), name)


def known(name: str) -> Preview | None:
    """The preview of a data set; None while there is none."""
    here = results.store()
    return _preview(here.root, name, here.version(*preview.place(name)))


def look(name: str, instead: Callable[[], None] | None = None) -> None:
    """Where there is no preview yet: have it made, or say why it cannot be and what to do. instead: takes the digits
    that need no download."""
    job = _newest(name)
    if job is None:
        job = _ask(name)
    if job.running:
        watch.expect((job.id,))
        return
    if job.state == "cancelled":
        st.info("The download was stopped.", icon=":material/info:")
    else:
        st.warning(escaped(_sentence(job)), icon=":material/folder_off:")
    with st.container(horizontal=True):
        if name in DATASETS and st.button("Download", type="primary", icon=":material/download:", key="train.download"):
            _ask(name, download=True)
            st.rerun()
        if st.button("Look again", icon=":material/refresh:", key="train.look"):
            _ask(name)
            st.rerun()
        if name in DATASETS and instead is not None:
            st.button("Use the 5,000 digits", icon=":material/inventory_2:", key="train.digits", on_click=instead)
    watch.log(job)


def use_digits() -> None:
    """What is set, on the data that need no download."""
    form = FORM.changed(current(), data=DataRequest().name, per_class=None)
    put(form.fitted(known(form.data)))


def _newest(name: str) -> Job | None:
    looks = (PreviewCommand(name), PreviewCommand(name, download=True))
    return next((job for job in commands.jobs().jobs() if commands.command_of(job) in looks), None)


def _ask(name: str, download: bool = False) -> Job:
    label = run_names.DATA.get(name, "your file")
    title = f"{'Fetching' if download else 'Looking at'} {label} …"
    return commands.start(PreviewCommand(name, download=download), title, queue=False)


def _sentence(job: Job) -> str:
    """What the worker said, kindly where the network is missing."""
    if "could not be downloaded" in job.message:
        return (
            "The download did not work: this machine seems to have no way to the internet. Connect it and press "
            "Download again, or choose the 5,000 MNIST digits, which came with the program."
        )
    return job.message


def samples(data: Preview, form: Form) -> None:
    """Some images of every class that is kept, with its name and how many there are."""
    request = form.request.data
    total, unseen, _ = data.chosen(request)
    noise = f", {request.label_noise:.0%} of the labels made wrong" if request.label_noise else ""
    tested = f"{unseen:,} unseen ones to test on" if unseen else "none to test on"
    st.caption(f"{total:,} samples to train with{noise}, {tested}; each {' × '.join(map(str, data.shape))} numbers.")
    if data.numbers:
        st.markdown(
            f"Each {data.targets}, as they stand in the file: nothing is scaled. Where they are far from 1, divide "
            "them there by their deviation."
        )
        return
    classes = subset.chosen_classes(request, data.train)
    counted = [f"{escaped(data.class_names[c])} · {request.per_class or data.train[c]:,}" for c in classes]
    if data.images is None:
        st.markdown("  \n".join(counted[:SHOWN_CLASSES]))
    else:
        with st.container(key="train-samples"), st.grid(5, min_column_width=72, gap="xsmall") as grid:
            for c, words_ in list(zip(classes, counted, strict=True))[:SHOWN_CLASSES]:
                with grid.cell():
                    st.image(_strip(data.images[c]), caption=words_, width="stretch", alt=f"Samples of class {words_}")
    if len(classes) > SHOWN_CLASSES:
        st.caption(f"The first {SHOWN_CLASSES} of {len(classes)} classes.")


def _strip(images: ndarray) -> ndarray:
    """A few images side by side, each pixel a square of PIXELS."""
    row = np.concatenate(list(images[:SHOWN_EACH]), axis=1)
    return row.repeat(PIXELS, axis=0).repeat(PIXELS, axis=1)


# -- the network ------------------------------------------------------------------------------------------


def drawn(request: RunRequest, data: Preview) -> None:
    """The network with its widths, and the layer that will be studied."""
    studied = architectures.studied_layer(request.model)
    subject = estimate.subject(request.model, studied, data.image)
    Panel(
        Head("network"),
        "network",
        network.network(request.model, studied, data.image),
        f"The network as bars from input to classes; the studied layer {studied} has {subject.dimension:,} weights.",
        arrays=lambda: {"widths": np.array(request.model.widths)},
    ).show()


# -- what it will cost ------------------------------------------------------------------------------------


def calibration() -> Calibration | None:
    """The speeds of this machine; where there are none they are measured, once, while nothing else runs."""
    speeds = estimate.calibration(results.store())
    if speeds is not None:
        return speeds
    job = commands.newest(CalibrateCommand())
    if job is None and watch.working() is None:
        job = calibrate()
    if job is not None and job.running:
        watch.expect((job.id,))
    elif job is None:
        st.caption("How long it will take is measured as soon as the present job has ended.")
    else:
        st.caption("How long it will take is not known: the measurement of this machine did not end.")
        _measure_again()
    return None


def calibrate() -> Job:
    """Have the speeds of this machine measured."""
    return commands.start(CalibrateCommand(), "Measuring this machine, once, for some seconds …", queue=False)


def _measure_again() -> None:
    if st.button("Measure again", icon=":material/speed:", type="tertiary", key="train.measure"):
        calibrate()
        st.rerun()


def costs(request: RunRequest, data: Preview, analyses: int) -> None:
    """Parameters, D, memory and time, before anything is started."""
    heading("What it costs", text.COST, "How it is known", level=3)
    speeds = calibration()
    subject, train, one = _estimates(request, data, speeds)
    memory = max(train.bytes, one.bytes if analyses else 0)
    with st.container(key="train-costs"), st.grid(3, min_column_width=110, gap="small") as grid:
        for label, value, help_ in (
            ("Parameters", f"{architectures.parameter_count(request.model):,}", "All that is trained."),
            ("D", f"{subject.dimension:,}", f"Weights of the studied layer, {subject.d_out} × {subject.d_in}."),
            ("Memory", _size(memory), "Of the worker at its peak, about."),
            ("Training", _time(train), f"At most {request.training.epochs} epochs; it ends sooner if it converges."),
            ("One analysis", _time(one), "Of one checkpoint with all that is kept of it."),
            ("All", _total(train, one, analyses, speeds), f"Waking the worker, training, {analyses} analyses."),
        ):
            with grid.cell():
                st.metric(label, value, help=help_)
    free = psutil.virtual_memory().available
    if memory > free:
        st.warning(
            f"That is more memory than the {_size(free)} that are free now. Take fewer samples, or a smaller network.",
            icon=":material/memory:",
        )
    if speeds is not None:
        basis = f"Estimated for {speeds.host}"
        known = [work for work, cost in (("training", train), ("analysis", one)) if cost.measured]
        if known:
            same = " and ".join(known).capitalize()
            basis = f"{same} as in earlier runs of the same shape, the rest estimated for {speeds.host}"
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{basis}; expect a factor of two.", width="stretch")
            _measure_again()


def total(request: RunRequest, data: Preview) -> str:
    """The time of a training with one analysis, as far as it is known."""
    speeds = calibration()
    _, train, one = _estimates(request, data, speeds)
    return _total(train, one, 1, speeds)


def _estimates(request: RunRequest, data: Preview, speeds: Calibration | None) -> tuple[Subject, Cost, Cost]:
    """The studied layer, and what the training and one analysis cost."""
    count, unseen, _ = data.chosen(request.data)
    subject = estimate.subject(request.model, architectures.studied_layer(request.model), data.image)
    earlier = results.earlier_work()
    train = estimate.training(request, count, image=data.image, unseen=unseen, calibration=speeds, earlier=earlier)
    top_k = library.usual_directions(request.model.kind, subject.dimension)
    one = estimate.analysis(subject, count, top_k=top_k, calibration=speeds, earlier=earlier)
    return subject, train, one


def _size(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _time(cost: Cost) -> str:
    return "—" if cost.seconds is None else f"≈ {duration(rounded(cost.seconds))}"


def _total(train: Cost, one: Cost, analyses: int, speeds: Calibration | None) -> str:
    if train.seconds is None or one.seconds is None or speeds is None:
        return "—"
    return f"≈ {duration(rounded(speeds.start + train.seconds + analyses * one.seconds))}"
