"""The button that has a run analysed further: at every checkpoint, or with what an analysis lacks."""

from dataclasses import replace
from functools import partial

import streamlit as st

from engine.config.commands import AnalyzeCommand, Command, TrainCommand
from engine.config.requests import RunRequest
from pages.data.results import View
from pages.jobs import commands, elsewhere, watch
from pages.text import run_names

SPECTRA = 2000  # samples whose curvatures are kept
COURSE = (0, 1, 10, 30, 100)


def every_epoch(view: View) -> AnalyzeCommand:
    """What analyses every checkpoint of a run as the one in view is."""
    return AnalyzeCommand.of(view.chosen.request, ("all",))


def with_spectra(view: View) -> AnalyzeCommand:
    """What analyses the checkpoint in view with the curvatures of single samples."""
    request = view.chosen.request
    return AnalyzeCommand.of(replace(request, spectra=request.spectra or SPECTRA))


def again_with_checkpoints(request: RunRequest) -> TrainCommand:
    """What trains a run of one checkpoint anew, with several."""
    last = request.training.epochs
    epochs = (*(epoch for epoch in COURSE if epoch < last), last)
    return TrainCommand(replace(request, training=replace(request.training, checkpoints=epochs)), ("all",))


def start(command: Command, title: str, run: str = "") -> None:
    """Start it; what takes several checkpoints waits for its turn in the queue."""
    commands.start(
        command, title, run, queue=isinstance(command, TrainCommand) or getattr(command, "epochs", ()) == ("all",)
    )


def ask(key: str, view: View, command: AnalyzeCommand, what: str, label: str, call: str) -> None:
    """The job while it is at work, or the button that starts it under what it will do; of a run recorded elsewhere how
    it is made there. call: of the recorder."""
    if view.run.recorded is not None:
        st.caption(what)
        elsewhere.explain(view.run, command, call)
        return
    watch.ask(
        commands.newest(command),
        "Analysing … The page shows it as soon as it is there.",
        what,
        label,
        key,
        ":material/analytics:",
        partial(start, command, f"Analysing {run_names.describe(view.run)}", view.run.key),
    )


def ask_for_spectra(key: str, view: View, what: str) -> None:
    """The curvatures of single samples at the checkpoint in view."""
    command = with_spectra(view)
    call = f'analyze({view.epoch}, "{view.chosen.request.layer}", spectra={command.settings.spectra})'
    ask(key, view, command, what, "Analyse with spectra", call)


def ask_for_every_epoch(key: str, view: View, what: str) -> None:
    """Every checkpoint, or a new training of a run that kept one alone."""
    run = view.run
    if len(run.checkpoints) > 1:
        call = f'analyze(epoch, "{view.chosen.request.layer}") of every recorded epoch'
        ask(key, view, every_epoch(view), what, "Analyse all epochs", call)
    elif run.recorded is None and not run.request.weights:
        again = again_with_checkpoints(run.request)
        epochs = ", ".join(map(str, again.request.training.checkpoints))
        watch.ask(
            commands.newest(again),
            "Training again, with more checkpoints …",
            f"{what} This run kept only one checkpoint; training again with the same settings keeps more.",
            f"Train again, keeping epochs {epochs}",
            key,
            ":material/exercise:",
            partial(start, again, f"{run_names.describe(run)}, with checkpoints"),
        )
    else:
        st.info(f"{what} This run has only one checkpoint, and none can be added here.", icon=":material/timeline:")
