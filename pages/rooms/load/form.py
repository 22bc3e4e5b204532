"""What the Load page holds, and how it becomes a request."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.config.kinds import has_activation
from engine.config.requests import AnalysisRequest, ModelRequest, RunRequest
from engine.models import files, inspection
from engine.models.inspection import Inspection
from pages.state.form import FormState, numbers

WAYS = {"upload": "Upload files", "folder": "A folder on this machine", "run": "A run that is here already"}


@dataclass(frozen=True)
class Form:
    """Every widget's value. way: a key of WAYS; files: their paths; names: what their user calls them; part: which of
    several sets of weights in them; reading and kind: the network chosen among several that the weights allow, None for
    the best; known: the accuracy that its owner remembers, in percent; folder and epochs: as typed; run: the key of one
    that is here; request: how the files' run was trained; layer: None for the one the paper would study; jointly:
    layers studied together with it; which: at which checkpoints; analysis: how, but for its run, epoch and layer."""

    way: str = "upload"
    files: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    part: str | None = None
    reading: int | None = None
    kind: str | None = None
    known: float | None = None
    folder: str = ""
    run: str | None = None
    epochs: str = ""
    request: RunRequest = field(default_factory=RunRequest)
    layer: str | None = None
    jointly: tuple[str, ...] = ()
    which: str = "all"
    analysis: AnalysisRequest = field(default_factory=lambda: AnalysisRequest("", 0))

    @property
    def data(self) -> str:
        """The data set's name or path."""
        return self.request.data.name

    @property
    def title(self) -> str:
        """The files in a few words."""
        first = Path(self.names[0]).name if self.names else ""
        return first if len(self.names) == 1 else f"{first} and {len(self.names) - 1} more"

    def model(self, inspected: Inspection) -> ModelRequest | None:
        """The network found, with the activation chosen where shapes leave it open."""
        if inspected.model is None or not has_activation(inspected.model.kind):
            return inspected.model
        return replace(inspected.model, activation=self.request.model.activation)

    def run_request(self, inspected: Inspection) -> tuple[RunRequest, tuple[str, ...]]:
        """The run that the files are, and the files by epoch. ValueError where they make none."""
        refusal = (
            f"“{self.epochs}” is no list of epochs. Give a whole number from 0 on for each file, such as 0, 10, 20."
        )
        epochs = numbers(self.epochs, refusal)
        run, order = inspection.asked(self.request, replace(inspected, model=self.model(inspected)), epochs)
        return run, tuple(self.files[i] for i in order)


# Told in every run: the browser may never see a run that another one overtakes.
FORM = FormState("loading", Form(), every_run=True)
current, change, bound, widget = FORM.current, FORM.change, FORM.bound, FORM.widget


# What is chosen of files that are not read yet.
UNREAD: dict[str, Any] = {"layer": None, "part": None, "reading": None, "kind": None}


def choose(pairs: list[tuple[str, str]]) -> None:
    """Take files, (path, name) each, in the natural order of their names, with the epochs these tell."""
    pairs = sorted(pairs, key=lambda pair: files.natural(pair[1]))
    names = tuple(name for _, name in pairs)
    epochs = ", ".join(map(str, files.epochs(names)))
    change(files=tuple(path for path, _ in pairs), names=names, epochs=epochs, **UNREAD)
