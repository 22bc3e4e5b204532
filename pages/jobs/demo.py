"""The demo's job: started once, found again later. Light to import, so that it is at work before the page is drawn."""

from dataclasses import replace

from cache.jobs import Job
from engine.config.commands import TrainCommand
from engine.config.requests import RunRequest
from pages.data.snapshot import PageStore
from pages.jobs import commands

_RUN = RunRequest()
_EPOCHS = _RUN.training.checkpoints
# Train, analyse the last checkpoint, then all the others; look at the last one sample by sample, then at the first and
# at the one in the middle, so that no page about single samples has to ask for them.
DEMO = TrainCommand(_RUN, ("last", "all"), ("last", str(_EPOCHS[0]), str(_EPOCHS[len(_EPOCHS) // 2])), planes=True)


def job() -> Job | None:
    """The newest job of the demo, at work or ended."""
    return commands.newest(DEMO) or commands.newest(replace(DEMO, planes=False))  # older versions drew no planes


def start() -> Job:
    """Start the demo; if it is already at work, that job."""
    return commands.start(DEMO, "The demo: digits, 784-50-50-10, cross-entropy")


def start_on_an_empty_cache() -> None:
    """The demo starts by itself, once, where there is nothing to show."""
    if not PageStore().list("runs") and job() is None and not commands.jobs().running():
        start()
