"""The sanity check of a loaded network: does it score what its owner knows?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from engine.config.commands import LoadCommand
from engine.config.kinds import has_activation, title
from engine.config.requests import RunRequest
from engine.data import subset
from engine.losses import SQUARES
from engine.models import architectures
from engine.models.inspection import Inspection
from engine.runs import library
from engine.runs.run import Run
from pages.charts import curves
from pages.data import results
from pages.jobs import commands, watch
from pages.plot.panel import Head, Panel
from pages.rooms.load import contents, text
from pages.rooms.load.form import bound, change, current
from pages.rooms.train import summary
from pages.text import run_facts, run_names
from pages.text.run_names import SCALINGS, escaped
from pages.ui.heading import heading

NEAR_CHANCE = 0.05
SHORT = 0.01  # of an accuracy that is known: less is rounding
TRIALS = 12  # shown


def checked(inspected: Inspection) -> Run | None:
    """The network, the data, and what it scores on them. The run once that is measured."""
    left, right = st.columns(2, gap="large")
    with left:
        model = contents.confirmed(inspected, _measured(inspected))
    if model is None:
        return None
    preview = summary.known(current().data)
    with right:
        contents.training(model, preview)
    if preview is None:
        summary.look(current().data)
        return None
    form = current()
    name, numbers = run_names.DATA.get(form.data, "your file"), bool(preview.numbers)
    try:
        architectures.check_fit(model, preview.shape, preview.chosen(form.request.data)[2], name, numbers, loaded=True)
    except ValueError as error:
        st.warning(escaped(str(error)), icon=":material/rule:")
        contents.by_hand(inspected)
        return None
    if numbers and form.request.loss != SQUARES.name:  # the one that takes them
        change(loss=SQUARES.name)
        st.rerun()
    request, files = form.run_request(inspected)
    heading("Is it what you trained?", text.SANITY, "What is checked, and why")
    known()
    run = library.loaded(results.runs(), request, form.kind)
    if st.session_state.pop("loading.go", False) and run is None:
        start(request, files)
        st.rerun()
    if run is None or not run.finished:
        _check(request, files)
        return None
    guessing = 0.0
    if not numbers:
        shares = np.array([preview.train[c] for c in subset.chosen_classes(form.request.data, preview.train)], float)
        guessing = float(shares.max() / shares.sum())
    _score(run, inspected, guessing)
    _tries(run)
    return run


def _measured(inspected: Inspection) -> Run | None:
    """The run that these files were measured in, with the data as they are chosen now."""
    try:
        request, _ = current().run_request(inspected)
    except ValueError:  # no network, or no list of epochs yet
        return None
    run = library.loaded(results.runs(), request, current().kind)
    return run if run is not None and run.finished else None


def known() -> None:
    """The accuracy that the owner remembers, to compare with."""
    st.number_input(
        "Accuracy you know it to reach, in percent",
        min_value=0.0,
        max_value=100.0,
        step=0.1,
        placeholder="of the training samples, if you remember",
        help="Compared with what is measured here: a network read in a wrong way may still score well.",
        width=420,
        **bound("known"),
    )


# -- the sanity check -------------------------------------------------------------------------------------


def _check(request: RunRequest, files: Sequence[str]) -> None:
    """The button that measures, the worker at it, or why it ended."""
    job = commands.newest(_command(request, files))
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
    commands.start(_command(request, files), f"Measuring the accuracy of {current().title} …", queue=False)


def _command(request: RunRequest, files: Sequence[str]) -> LoadCommand:
    form = current()
    return LoadCommand.of(request, files, request.training.checkpoints, form.part, form.reading)


def verdict(accuracy: float, guessing: float, known: float | None = None) -> tuple[str, str]:
    """What an accuracy says, as ("success" | "info" | "warning", sentence); guessing: the share that always naming the
    most frequent class would get right; known: what the owner remembers."""
    if known is not None and accuracy < known - SHORT:
        return "warning", (
            f"{accuracy:.1%} is less than the {known:.1%} that you know: something is read in another way than it was "
            "trained."
        )
    if accuracy < guessing + NEAR_CHANCE:
        return "warning", (
            f"{accuracy:.1%} is what guessing gives ({guessing:.1%}). Unless the network is untrained: is the scaling "
            "of the pixels another one, the activation, or the order of the classes?"
        )
    if known is None and accuracy < 0.8:
        return "info", (
            f"{accuracy:.1%} is above guessing ({guessing:.1%}). If you remember more, try another scaling or "
            "activation."
        )
    return "success", f"{accuracy:.1%}: " + (
        "the network recognises these samples." if known is None else f"as you know it ({known:.1%})."
    )


def verdict_of_numbers(explained: float) -> tuple[str, str]:
    """The same of numbers to predict, by R²."""
    if explained < NEAR_CHANCE:
        return "warning", (
            f"R² is {explained:.2f}: always answering with the mean of the targets gives 0. Unless the network is "
            "untrained: are inputs or targets scaled in another way, or is the activation another one?"
        )
    if explained < 0.8:
        return (
            "info",
            f"R² is {explained:.2f}, above that of always answering with the mean (0). If you remember more, "
            "try another scaling or activation.",
        )
    return "success", f"R² is {explained:.2f}: the network predicts these targets."


def _score(run: Run, inspected: Inspection, guessing: float) -> None:
    """The accuracy of the last checkpoint in words, and the series as a curve."""
    history = run.history
    epoch, accuracy = int(history.epoch[-1]), float(history.train_accuracy[-1])
    remembered = current().known
    kind, sentence = verdict(accuracy, guessing, None if remembered is None else remembered / 100)
    if not np.isnan(run.variance):
        kind, sentence = verdict_of_numbers(run.explained)
    with st.grid(4, min_column_width=150, gap="small") as grid:
        for label, value in (
            ("Accuracy", run_facts.share(accuracy)) if np.isnan(run.variance) else ("R²", f"{run.explained:.3f}"),
            ("on unseen samples", run_facts.share(float(history.test_accuracy[-1]))),
            ("Loss", f"{history.train_loss[-1]:.3g}"),
            ("on unseen samples ", f"{history.test_loss[-1]:.3g}" if np.isfinite(history.test_loss[-1]) else "—"),
        ):
            with grid.cell():
                st.metric(label, value)
    {"success": st.success, "info": st.info, "warning": st.warning}[kind](
        sentence, icon=":material/check_circle:" if kind == "success" else ":material/help:"
    )
    st.caption(escaped(run.end))
    _remedies(run, inspected, accuracy, expanded=kind != "success")
    if len(history) > 1:
        columns = {name: getattr(history, name) for name in curves.RECORDS}
        Panel(
            Head("loaded"),
            "loaded",
            curves.training(columns, epoch, height=250),
            f"Loss and accuracy of {len(history)} checkpoints up to epoch {epoch}.",
            arrays=lambda: columns,
        ).show()


def _remedies(run: Run, inspected: Inspection, accuracy: float, expanded: bool) -> None:
    """What else the weights might be, with its accuracy, the best first; a press takes it."""
    trials = run.ranked_trials()
    if not trials:
        return
    loss = float(run.history.train_loss[-1])
    of_numbers = not np.isnan(run.variance)
    better = sum(
        trial.loss < loss * (1 - SHORT) if of_numbers else trial.accuracy > accuracy + SHORT for trial in trials
    )
    count = f"{better or 'none'} {'score' if better > 1 else 'scores'} more"
    label = f"What commonly differs, tried on these samples: {count}"
    with st.expander(label, icon=":material/replay:", expanded=expanded), st.container(gap="xxsmall"):
        for i, trial in enumerate(trials[:TRIALS]):
            words = _WORDS.get(trial.words, trial.words)
            st.button(
                f"**{run_facts.share(trial.accuracy)}**, loss {trial.loss:.3g}: {escaped(words)}",
                key=f"loading.try-{i}",
                type="tertiary",
                on_click=_try,
                args=(dict(trial.change), trial.kind),
                help="Take this instead.",
            )
        st.caption("On at most 1,000 training samples, one thing changed at a time.")
    if expanded and not better:
        with st.expander("None of them? Bring it with the class it was made by", icon=":material/code:"):
            contents.by_hand(inspected)


_WORDS = {f"pixels {name}": f"pixels {words}" for name, words in SCALINGS.items()}


def _try(values: dict[str, Any], kind: str) -> None:
    form = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    change(**({"reading": None, "kind": None} | form | ({"kind": kind} if "reading" in values else {})))
    st.session_state["loading.go"] = True


def _tries(run: Run) -> None:
    """What the same weights scored with other settings."""
    others = [
        r for r in results.runs() if r.request.weights == run.request.weights and r.key != run.key and len(r.history)
    ]
    if not others:
        return
    rows = ["| also measured | accuracy |", "|:--|--:|"]
    for other in others:
        rows.append(f"| {escaped(_settings(other))} | {run_facts.share(other.history.train_accuracy[-1])} |")
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
    activation = f", {model.activation}" if has_activation(model.kind) else ""
    kind = f", {title(model.kind)}" if model.kind != "mlp" else ""
    return (
        f"{run_names.DATA.get(run.data_name, 'own data')}, pixels {run_names.scaling(data.scaling)}{activation}{kind}"
    )
