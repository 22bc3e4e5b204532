"""What stands in place of the page while nobody has looked: what is done, how long it takes, and one button."""

from dataclasses import replace

import streamlit as st

from cache.jobs import Job
from engine.config.commands import AnalyzeCommand
from engine.runs import depth, estimate
from engine.units import duration, rounded
from pages.data import results
from pages.data.results import View
from pages.jobs import commands, elsewhere, watch
from pages.jobs.describe import sentence
from pages.text import run_names
from pages.text.run_names import escaped

# What it takes, in units of the analysis with all that is kept of it, as measured on MNIST at D = 2,500.
TIMES = 4.0


HALVES = (
    "The samples are cut in halves, the weights fixed: directions from one half, noise and curvature from the other."
)


def offer(page: str, view: View, what: str = HALVES) -> None:
    """The job while it is at work, or the button that starts it; of layers studied jointly why there is none. what: it
    does, in a sentence."""
    layers = view.chosen.request.layers
    if len(layers) > 1:
        st.info(
            f"Halves of the samples are compared before one layer, and this is an analysis of {len(layers)} jointly. "
            "Choose a single layer in the menu, or analyse one on the Train page.",
            icon=":material/layers:",
        )
        return
    if elsewhere.explain(view.run, command(view), f'cross_fit({view.epoch}, "{view.chosen.request.layer}")'):
        return
    job = _job(view)
    if job is not None and job.running:
        st.info(
            f"Halving the samples again and again, at epoch {view.epoch}, layer {view.chosen.request.layer} …",
            icon=":material/call_split:",
        )
        watch.expect((job.id,))
        return
    if job is not None and job.state in ("failed", "cancelled"):
        st.warning(escaped(sentence(job)), icon=":material/info:")
    else:
        seconds = _seconds(view)
        time = "" if seconds is None else f" That takes about {duration(rounded(seconds))}, and is kept."
        st.info(
            f"Nobody has looked yet at epoch {view.epoch}, layer {view.chosen.request.layer}. {what}{time}",
            icon=":material/call_split:",
        )
    st.button(
        "Look at other samples" if job is None or job.state == "done" else "Try again",
        key=f"{page}.look",
        icon=":material/call_split:",
        type="primary",
        on_click=_start,
        args=(view,),
    )


def command(view: View) -> AnalyzeCommand:
    """What looks at other samples for the analysis in view."""
    return replace(AnalyzeCommand.of(view.chosen.request), cross_fit=True)


def _start(view: View) -> None:
    title = f"Other samples of {run_names.describe(view.run)}, epoch {view.epoch}"
    commands.start(command(view), title, view.run.key, queue=False)


def _job(view: View) -> Job | None:
    """The newest job that looks at other samples for this analysis."""
    asked = command(view)
    return next((job for job in commands.jobs().jobs() if commands.command_of(job) == asked), None)


def _seconds(view: View) -> float | None:
    """What it will take, from what the analysis took; None where nobody knows."""
    own = view.chosen.seconds
    if own is None:
        speeds = estimate.calibration(results.store()), results.earlier_work()
        own = depth.cost(view.run, view.chosen.request, *speeds).seconds
    return None if own is None else TIMES * own
