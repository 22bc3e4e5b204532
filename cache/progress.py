"""Progress of a job: how far, how long still, and the file through which a worker tells it."""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cache.foreign import finite, parsing, read_json, text
from cache.store import replace_file

STATES = ("running", "done", "failed", "cancelled")
WRITE_SECONDS = 0.2


def _state(value: Any) -> str:
    return STATES[STATES.index(value)]


def _left(value: Any) -> float | None:
    return None if value is None else finite(value)


_WRITTEN: Mapping[str, Callable[[Any], Any]] = {
    "stage": text, "done": int, "total": int, "seconds_left": _left, "state": _state, "message": text,
}  # fmt: skip


class Stopped(Exception):
    """The user asked the work to stop; what was finished is kept."""


@dataclass(frozen=True)
class Progress:
    """stage: what is being done, in words; done of total steps of it; seconds_left of this stage (None while
    unknown); state: one of STATES; message: a sentence once it has ended."""

    stage: str = "starting"
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    state: str = "running"
    message: str = ""

    @property
    def fraction(self) -> float:
        """Done share of the stage, 0 … 1."""
        return min(self.done / self.total, 1.0) if self.total > 0 else 0.0


@dataclass
class Pace:
    """Turns counts into Progress: never backwards within a stage, time left from the stage's own speed."""

    clock: Callable[[], float] = time.monotonic
    current: Progress = field(default_factory=Progress)
    _first: tuple[float, int] = (0.0, 0)

    def update(self, stage: str, done: int, total: int) -> Progress:
        """Progress at this moment. Work that was resumed counts its speed from where it went on."""
        now = self.clock()
        if stage != self.current.stage or total != self.current.total:
            self._first = (now, done)
        else:
            done = max(done, self.current.done)
        start, begun = self._first
        left = (now - start) * (total - done) / (done - begun) if done > begun else None
        self.current = Progress(stage, done, total, left)
        return self.current


class Reporter:
    """The worker's end: writes progress.json of its job folder at most five times a second."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._pace = Pace(clock)
        self._written = -WRITE_SECONDS
        self._stage = ("", 0)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Tell how far a stage is."""
        now = self._pace.update(stage, done, total)
        fresh = (stage, total) != self._stage
        if fresh or done >= total or self._clock() - self._written >= WRITE_SECONDS:
            self._stage = stage, total
            self._write(now)

    def cancelled(self) -> bool:
        """Whether the user asked the job to stop."""
        return (self.folder / "CANCEL").exists()

    def finish(self, state: str, message: str = "") -> None:
        """The last word: "done", "failed" or "cancelled", and a sentence."""
        if state not in STATES[1:]:
            raise ValueError(f"A job ends as one of {', '.join(STATES[1:])}, not {state!r}.")
        last = self._pace.current
        self._write(Progress(last.stage, last.done, last.total, None, state, message))

    def _write(self, progress: Progress) -> None:
        self._written = self._clock()
        # Telling is not worth failing for: the folder may be gone, or the disk full for a moment.
        with contextlib.suppress(OSError):
            replace_file(self.folder / "progress.json", json.dumps(asdict(progress)).encode())


def read_progress(folder: Path) -> Progress | None:
    """What the worker wrote last; None if nothing readable."""
    try:
        values = read_json((folder / "progress.json").read_bytes())
        with parsing("It is no progress"):
            return Progress(**{name: _WRITTEN[name](value) for name, value in values.items()})
    except (OSError, ValueError):
        return None
