"""How a loaded network is measured: which layer, on what, at what cost; the same commands that a person can type."""

from dataclasses import replace
from typing import Literal

import streamlit as st

from engine.config.command_line import line
from engine.config.commands import AnalyzeCommand
from engine.config.requests import AnalysisRequest, joined
from engine.runs import estimate
from engine.runs.run import Run
from engine.units import counted, duration, rounded
from pages.data import results
from pages.jobs import commands, elsewhere, queue
from pages.rooms.load import text
from pages.rooms.load.form import bound, change, current, widget
from pages.rooms.train import summary
from pages.text import run_names
from pages.ui.heading import heading

# Beyond so many weights the whole eigenbasis takes minutes to hours.
WHOLE, LEADING = 4096, 300
_WHICH = {"last": "the last checkpoint", "all": "every checkpoint"}


def measure(run: Run) -> None:
    """The settings of the analysis with their cost, the start, and the way to the figures."""
    heading("Measure curvature and noise", text.MEASURE, "What is computed")
    if current().layer not in run.layers:
        change(layer=run.studied)
    left, right = st.columns([11, 9], gap="large")
    with left, st.container(border=True):
        _settings(run)
    request, epochs = _request(run)
    with right:
        _costs(run, request, epochs)
        command = AnalyzeCommand.of(request, epochs)
        if elsewhere.explain(run, command, f'analyze({request.epoch}, "{request.layer}")'):
            return
        job = commands.newest(command)
        with st.container(horizontal=True, vertical_alignment="center"):
            done = bool(results.analysed(run))
            kind: Literal["primary", "secondary"] = "secondary" if done else "primary"
            if st.button(
                "Measure",
                type=kind,
                icon=":material/play_arrow:",
                key="loading.measure",
                disabled=job is not None and job.running,
            ):
                commands.start(command, f"Analysing {run_names.describe(run)}", run.key)
                st.rerun()
            if results.analysed(run):
                queue.look_at(run, "loading.look")
        with st.expander("The command that does the same", icon=":material/terminal:"):
            st.code(line(command), language="bash", wrap_lines=True)


def _settings(run: Run) -> None:
    form = current()
    first, second = st.columns(2)
    first.selectbox(
        **widget("layer", options=list(run.layers)),
        format_func=lambda name: _layer(run, name),
        help="Layers with weights, each as outputs × inputs. The paper studies the linear one before the last.",
    )
    single = [name for name in run.layers if run.places.get(name, 1) == 1]
    others = [name for name in single if name != form.layer] if form.layer in single else []
    if not others:
        change(jointly=())
    else:
        change(jointly=tuple(name for name in form.jointly if name in others))
        second.multiselect(
            "Jointly with",
            others,
            placeholder="no other layer",
            help="Layers whose weights are studied together with it: H and C then have their cross blocks too. "
            "Activity–weight duality is defined layer by layer, so there is no C_AWD then, and no suppression.",
            **bound("jointly"),
        )
    third, fourth = st.columns(2)
    third.number_input(
        **widget("batch_size"),
        help="Of the SGD whose noise is studied: C is the covariance of the gradient of B samples.",
    )
    fourth.number_input(
        **widget("samples", min_value=2, max_value=run.samples, placeholder=f"all {run.samples:,}"),
        help="Training samples that H and C are averaged over, drawn at random. Empty: all.",
    )
    d = dimension(run, studied(run))
    fifth, sixth = st.columns(2)
    fifth.number_input(
        **widget("top_k", min_value=2, max_value=d, placeholder=f"all {d:,}" if d <= WHOLE else f"{LEADING}"),
        help=f"Eigenvectors of H that are kept, sharpest first. Empty: all where D is at most {WHOLE:,}, else "
        f"{LEADING}: the whole basis takes time as D³.",
    )
    sixth.number_input(
        **widget("bootstrap"),
        help="How often the samples are redrawn for the intervals of γ. 0: no intervals.",
    )
    st.segmented_control(**widget("dtype"), required=True, help="float32 is quicker, float64 exact to many digits.")
    if len(run.checkpoints) > 1:
        st.segmented_control(
            "Checkpoints",
            list(_WHICH),
            format_func=_WHICH.__getitem__,
            required=True,
            help="Every checkpoint becomes a place on the epoch slider; the last is measured first.",
            **bound("which"),
        )


def _layer(run: Run, name: str) -> str:
    places = run.places.get(name, 1)
    return f"{name} ({run.layers[name][0]} × {run.layers[name][1]}{f', at {places:,} places' if places > 1 else ''})"


def studied(run: Run) -> str:
    """The layer chosen and those studied jointly with it, in the order of the network, joined by "+"."""
    form = current()
    return "+".join(name for name in run.layers if name == form.layer or name in form.jointly)


def dimension(run: Run, layer: str) -> int:
    """D, the weights of a layer, or of several joined by "+"."""
    return sum(width * inputs for width, inputs in (run.layers[name] for name in joined(layer)))


def _request(run: Run) -> tuple[AnalysisRequest, tuple[str, ...]]:
    """The analysis asked for, and at which epochs."""
    form = current()
    layer, asked = studied(run), form.analysis
    d = dimension(run, layer)
    request = replace(
        asked,
        run=run.key,
        epoch=run.last_epoch,
        layer=layer,
        top_k=min(asked.top_k, d) if asked.top_k else None if d <= WHOLE else LEADING,
        samples=asked.samples if asked.samples and asked.samples < run.samples else None,
    )
    several = form.which == "all" and len(run.checkpoints) > 1
    return request, ("last", "all") if several else ("last",)


def _costs(run: Run, request: AnalysisRequest, epochs: tuple[str, ...]) -> None:
    """Memory and time, before anything is started."""
    cost = estimate.analysis(
        estimate.subject_of(run, request.layer),
        request.samples or run.samples,
        top_k=request.top_k,
        bootstrap=request.bootstrap,
        dtype=request.dtype,
        calibration=summary.calibration(),
        earlier=results.earlier_work(),
    )
    count = len(run.checkpoints) if "all" in epochs else 1
    with st.grid(3, min_column_width=110, gap="small") as grid:
        for label, value, help_ in (
            ("D", f"{dimension(run, request.layer):,}", "Weights studied: H and C are D × D."),
            ("Memory", f"{cost.bytes / 2**30:.1f} GiB", "Of the worker at its peak, about."),
            ("Time", _time(cost.seconds, count), f"For {counted(count, 'checkpoint')}."),
        ):
            with grid.cell():
                st.metric(label, value, help=help_)


def _time(seconds: float | None, count: int) -> str:
    return "—" if seconds is None else f"≈ {duration(rounded(seconds * count))}"
