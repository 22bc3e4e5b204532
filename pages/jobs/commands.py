"""Commands at work: started as jobs, and read from the records of jobs. Light to import: the demo is started before the
page is drawn."""

import atexit
import sys
from functools import cache
from pathlib import Path

from cache.jobs import Job, Jobs
from engine.config import commands
from engine.config.command_line import words
from engine.config.commands import Command
from engine.config.manual import PROGRAM
from pages.data.snapshot import PageJobs, PageStore


def jobs() -> Jobs:
    """The jobs of this cache, as this rerun sees them."""
    root = PageStore().root / "jobs"
    _farewell(root)
    return PageJobs(root)


@cache
def _farewell(root: Path) -> None:
    """When the server ends: a line in its terminal for each job that goes on without it."""

    def farewell() -> None:
        for job in Jobs(root).running():
            print(f"{job.title} goes on without the dashboard. Stop it: {PROGRAM} stop {job.id}", file=sys.stderr)

    atexit.register(farewell)


def start(command: Command, title: str, run: str = "", queue: bool = True) -> Job:
    """Start a command; if it is already at work, that job."""
    return jobs().start(words(command), title, run=run, queue=queue, request=commands.to_json(command))


def command_of(job: Job) -> Command | None:
    """The command a job was started with; None where another version started it, and its record tells less."""
    try:
        return commands.from_json(job.request)
    except (ValueError, TypeError):
        return None


def newest(command: Command) -> Job | None:
    """The newest job of this command, at work or ended; found again after a restart of the server."""
    argv = tuple(words(command))  # older versions kept nothing else of it
    return next((job for job in jobs().jobs() if job.argv == argv), None)
