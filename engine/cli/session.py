"""One command at work."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cache.progress import Reporter, Stopped
from cache.store import Store
from engine.cli.console import Ticker
from engine.config import commands

if TYPE_CHECKING:
    from engine.runs.pipeline import Pipeline


@dataclass
class Session:
    """One command at work: where it tells how far it is, and what it has finished."""

    ticker: Ticker
    reporter: Reporter | None
    stage: str = ""
    finished: str = ""

    def progress(self, stage: str, done: int, total: int) -> None:
        stage = self.stage + stage
        self.ticker.progress(stage, done, total)
        if self.reporter is not None:
            self.reporter.progress(stage, done, total)

    def should_stop(self) -> bool:
        return self.reporter is not None and self.reporter.cancelled()

    def progress_or_stop(self, stage: str, done: int, total: int) -> None:
        self.progress(stage, done, total)
        if self.should_stop():
            raise Stopped

    def end(self, state: str, sentence: str) -> None:
        self.ticker.say(sentence)
        if self.reporter is not None:
            self.reporter.finish(state, sentence)

    def pipeline(self, command: commands.Command) -> "Pipeline":
        """What does the command's long jobs, and tells here how far they are."""
        from engine.runs.brought import Brought  # loads torch
        from engine.runs.pipeline import Pipeline

        brought = Brought()
        if isinstance(command, commands.BringingCommand):
            brought = Brought.of(command.model, command.data, command.loss)
        return Pipeline(Store(), command.device, self.progress, self.should_stop, command.download, brought)
