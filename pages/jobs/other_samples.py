"""What stands in place of the page while nobody has looked: what is done, how long it takes, and one button."""

from dataclasses import replace
from functools import partial

from engine.config.commands import AnalyzeCommand
from engine.runs import depth, estimate
from engine.units import duration, rounded
from pages.data import results
from pages.data.results import View
from pages.jobs import banner, commands, elsewhere, watch
from pages.text import run_names

# What it takes, in units of the analysis with all that is kept of it: at D = 2,500 5.4 of 5,000 samples and 5.8 of
# 20,000, of which the permutations of the structural null make 1.2.
TIMES = 5.6

HALVES = (
    "The samples are cut in halves, the weights fixed: directions from one half, noise and curvature from the other."
)


def offer(page: str, view: View, what: str = HALVES) -> None:
    """The job while it is at work, or the button that starts it; of layers studied jointly why there is none. what: it
    does, in a sentence."""
    if banner.several(view, "Halves of the samples are compared"):
        return
    if elsewhere.explain(view.run, command(view), f'cross_fit({view.epoch}, "{view.chosen.request.layer}")'):
        return
    needed = seconds(view)
    time = "" if needed is None else f" That takes about {duration(rounded(needed))}, and is kept."
    where = f"at epoch {view.epoch}, layer {view.chosen.request.layer}"
    watch.ask(
        commands.newest(command(view)),
        f"Halving the samples again and again, {where} …",
        f"Nobody has looked yet {where}. {what}{time}",
        "Look at other samples",
        f"{page}.look",
        ":material/call_split:",
        partial(_start, view),
    )


def command(view: View) -> AnalyzeCommand:
    """What looks at other samples for the analysis in view."""
    return replace(AnalyzeCommand.of(view.chosen.request), cross_fit=True)


def _start(view: View) -> None:
    title = f"Other samples of {run_names.describe(view.run)}, epoch {view.epoch}"
    commands.start(command(view), title, view.run.key, queue=False)


def seconds(view: View) -> float | None:
    """What it will take, from what the analysis took; None where nobody knows."""
    own = view.chosen.seconds
    if own is None:
        speeds = estimate.calibration(results.store()), results.earlier_work()
        own = depth.cost(view.run, view.chosen.request, *speeds).seconds
    return None if own is None else TIMES * own
