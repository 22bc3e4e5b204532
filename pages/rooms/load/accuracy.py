"""The sanity check of a loaded network: does it score what its owner knows?"""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from engine.config.commands import LoadCommand
from engine.config.kinds import KINDS
from engine.config.requests import ACTIVATIONS, RunRequest
from engine.data import subset
from engine.models import architectures
from engine.models.inspection import Inspection
from engine.runs import library
from engine.runs.library import Run
from pages.charts import curves
from pages.data import results
from pages.jobs import commands, watch
from pages.plot.panel import Head, Panel
from pages.rooms.load import contents
from pages.rooms.load.form import change, current
from pages.rooms.train import summary
from pages.text import definitions, run_names
from pages.text.run_names import SCALINGS, escaped
from pages.ui.heading import heading

NEAR_CHANCE = 0.05


def checked(inspected: Inspection) -> Run | None:
    """The network, the data, and what it scores on them. The run once that is measured."""
    left, right = st.columns(2, gap="large")
    with left:
        model = contents.confirmed(inspected)
    if model is None:
        return None
    preview = summary.known(current().data)
    with right:
        contents.training(model, preview)
    if preview is None:
        summary.look(current().data)
        return None
    form = current()
    counted = subset.chosen_classes(form.request.data, preview.train)
    name = run_names.DATA.get(form.data, "your file")
    architectures.check_fit(model, preview.shape, len(counted), name)
    request, files = form.run_request(inspected)
    heading("Is it what you trained?", definitions.SANITY, "What is checked, and why")
    run = library.asked(results.runs(), request)
    if run is None or not run.finished:
        _check(request, files)
        return None
    shares = np.array([preview.train[c] for c in counted], float)
    _score(run, float(shares.max() / shares.sum()), inspected)
    _tries(run)
    return run


# -- the sanity check -------------------------------------------------------------------------------------


def _check(request: RunRequest, files: Sequence[str]) -> None:
    """The button that measures, the worker at it, or why it ended."""
    job = commands.newest(LoadCommand.of(request, files, request.training.checkpoints))
    if job is not None and job.running:
        watch.expect((job.id,))
        return
    if job is not None and job.state != "done":
        st.warning(escaped(job.message), icon=":material/info:")
        watch.log(job)
    if st.button("Measure its accuracy", type="primary", icon=":material/fact_check:", key="loading.check"):
        start(request, files)
        st.rerun()
    st.caption("A worker runs every sample through it once, for each checkpoint.")


def start(request: RunRequest, files: Sequence[str]) -> None:
    """Have loss and accuracy measured."""
    command = LoadCommand.of(request, files, request.training.checkpoints)
    commands.start(command, f"Measuring the accuracy of {current().title} …", queue=False)


def verdict(accuracy: float, guessing: float) -> tuple[str, str]:
    """What an accuracy says, as ("success" | "info" | "warning", sentence); guessing: the share that always naming the
    most frequent class would get right."""
    if accuracy < guessing + NEAR_CHANCE:
        return "warning", (
            f"{accuracy:.1%} is what guessing gives ({guessing:.1%}). Unless the network is untrained: is the scaling "
            "of the pixels another one, the activation, or the order of the classes?"
        )
    if accuracy < 0.8:
        return "info", (
            f"{accuracy:.1%} is above guessing ({guessing:.1%}). If you remember more, try another scaling or "
            "activation."
        )
    return "success", f"{accuracy:.1%}: the network recognises these samples."


def _score(run: Run, guessing: float, inspected: Inspection) -> None:
    """The accuracy of the last checkpoint in words, and the series as a curve."""
    history = run.history
    epoch, accuracy = int(history.epoch[-1]), float(history.train_accuracy[-1])
    kind, sentence = verdict(accuracy, guessing)
    with st.grid(4, min_column_width=150, gap="small") as grid:
        for label, value in (
            ("Accuracy", f"{accuracy:.1%}"),
            ("on unseen samples", _percent(float(history.test_accuracy[-1]))),
            ("Loss", f"{history.train_loss[-1]:.3g}"),
            ("on unseen samples ", f"{history.test_loss[-1]:.3g}" if np.isfinite(history.test_loss[-1]) else "—"),
        ):
            with grid.cell():
                st.metric(label, value)
    {"success": st.success, "info": st.info, "warning": st.warning}[kind](
        sentence, icon=":material/check_circle:" if kind == "success" else ":material/help:"
    )
    if kind != "success":
        _remedies(run, inspected)
    if len(history) > 1:
        columns = {name: getattr(history, name) for name in curves.RECORDS}
        Panel(
            Head("loaded"),
            "loaded",
            curves.training(columns, epoch, height=250),
            f"Loss and accuracy of {len(history)} checkpoints up to epoch {epoch}.",
            arrays=lambda: columns,
        ).show()


def _percent(value: float) -> str:
    return f"{value:.1%}" if np.isfinite(value) else "—"


def _remedies(run: Run, inspected: Inspection) -> None:
    """Other settings, one press each: the check runs again at once."""
    now = current().request
    others: list[tuple[str, dict[str, str]]] = [
        (f"Pixels {SCALINGS[scaling]}", {"scaling": scaling}) for scaling in SCALINGS if scaling != now.data.scaling
    ]
    if run.request.model.kind in KINDS:
        others += [(f"Activation {a}", {"activation": a}) for a in ACTIVATIONS if a != now.model.activation]
    with st.container(horizontal=True, vertical_alignment="center", key="load-remedies"):
        st.markdown("Try", width="content")
        for label, values in others:
            st.button(
                label,
                key=f"loading.try-{label}",
                icon=":material/replay:",
                on_click=_try,
                args=(values, inspected),
            )


def _try(values: dict[str, str], inspected: Inspection) -> None:
    change(**values)
    request, files = current().run_request(inspected)
    if library.asked(results.runs(), request) is None:
        start(request, files)


def _tries(run: Run) -> None:
    """What the same weights scored with other settings."""
    others = [
        r for r in results.runs() if r.request.weights == run.request.weights and r.key != run.key and len(r.history)
    ]
    if not others:
        return
    rows = ["| also measured | accuracy |", "|:--|--:|"]
    for other in others:
        rows.append(f"| {escaped(_settings(other))} | {other.history.train_accuracy[-1]:.1%} |")
    st.markdown("\n".join(rows))
    bare = [other.key for other in others if not results.analysed(other)]
    if bare:
        st.button(
            "Forget the others", icon=":material/delete:", type="tertiary", key="loading.forget",
            on_click=_forget,
            args=(bare,),
        )  # fmt: skip


def _forget(keys: list[str]) -> None:
    for key in keys:
        results.store().delete("runs", key)


def _settings(run: Run) -> str:
    data, model = run.request.data, run.request.model
    activation = f", {model.activation}" if model.kind in KINDS else ""
    return f"{run_names.DATA.get(run.data_name, 'own data')}, pixels {run_names.scaling(data.scaling)}{activation}"
