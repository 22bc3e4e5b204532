"""`python -m engine.runs.matrices FOLDER`: makes the matrices of analyses whose factors a recorder hands over there,
one after the other, and keeps them. A line of its input is the number of one; an empty line, or the end, ends it.

It needs nothing of the script that is recorded, and finishes what was handed over if that is killed.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch

from cache.store import Store
from engine.config.requests import AnalysisRequest, analysis_request, to_json
from engine.curvature.analyze import Surveyed, matrices
from engine.curvature.factors import LayerFactors, Survey
from engine.curvature.memory import Plan
from engine.runs import library
from engine.runs.pipeline import Pipeline

_HELD = (Surveyed, Survey, LayerFactors, Plan, AnalysisRequest)  # and tensors
_ROOT = Path(__file__).resolve().parents[2]


def make(folder: Path, number: str) -> None:
    """The analysis whose factors have this number, kept, or why there is none."""
    store, path = Store(), folder / f"{number}.pt"
    with torch.serialization.safe_globals(list(_HELD)):
        request, about = torch.load(path, weights_only=True)
    path.unlink()  # at work: an end without a word is told by its request
    try:
        Pipeline(store).keep(library.find(store, request.run), request, matrices(about))
    except Exception as error:  # of one analysis: the others are made
        _refuse(store, request, str(error) or type(error).__name__)
    path.with_suffix(".json").unlink(missing_ok=True)


def _refuse(store: Store, request: AnalysisRequest, sentence: str) -> None:
    """Keep why there is none, unless the run was deleted."""
    if store.read("runs", request.run) is not None:
        library.refuse(store, request, sentence)


@dataclass
class Maker:
    """The recorder's end: hands factors over. folder: where they lie until they are taken."""

    folder: Path
    process: subprocess.Popen[str] | None = None
    _count: int = field(default=0)

    @property
    def waiting(self) -> list[str]:
        """Numbers of those that are not yet taken."""
        return sorted(path.stem for path in self.folder.glob("*.pt"))

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def hand(self, request: AnalysisRequest, about: Surveyed) -> None:
        """Have the matrices made. What a process that was killed has left is handed over again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._count += 1
        path = self.folder / f"{self._count:06d}.part"
        path.with_suffix(".json").write_text(json.dumps(to_json(request)))
        torch.save((request, about), path)
        os.replace(path, path.with_suffix(".pt"))
        if self.alive:
            with contextlib.suppress(BrokenPipeError):
                return self._say(path.stem)
        self._mourn()
        self._start()
        for number in self.waiting:
            self._say(number)

    def finish(self) -> None:
        """Wait for all that was handed over."""
        if self.alive and self.process is not None:
            with contextlib.suppress(BrokenPipeError):
                self._say("")
            self.process.wait()
        self._mourn()

    def _mourn(self) -> None:
        """Tell which analysis an earlier process has died of."""
        for path in {path for path in self.folder.glob("*.json") if path.stem not in self.waiting}:
            request = analysis_request(json.loads(path.read_text()))
            _refuse(Store(self.folder.parents[1]), request, "The process that made its matrices was killed.")
            path.unlink()

    def _say(self, line: str) -> None:
        assert self.process is not None, "it was started"
        assert self.process.stdin is not None, "a pipe"
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def _start(self) -> None:
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        with open(self.folder / "log.txt", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "engine.runs.matrices", str(self.folder)],
                cwd=_ROOT,
                env=os.environ
                | {"GAMMASCOPE_CACHE": str(self.folder.parents[1]), "PYTHONPATH": os.pathsep.join(paths)}
                | {"OMP_WAIT_POLICY": "PASSIVE"},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                # Ctrl-C in the script's terminal does not reach it.
                start_new_session=True,
            )


def main(folder: Path) -> None:
    with contextlib.suppress(AttributeError, OSError):
        os.nice(10)
    for line in sys.stdin:
        if not line.strip():
            break
        make(folder, line.strip())
    if not list(folder.glob("*.pt")):
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
