"""One training run, as it is on record."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from cache.jobs import process
from engine.config.requests import RunRequest

BROUGHT = ("model", "data", "loss")  # what a command may have to be given for a recorded run
PLACES = {name: f"your_{name}.py:{name}" for name in BROUGHT}  # shown where its script did not say


@dataclass(frozen=True)
class History:
    """Training epoch by epoch, as columns: mean loss, share of right answers (0 … 1), both NaN where there are
    no test samples, learning rate, seconds the epoch took. Empty while nothing is recorded."""

    epoch: Int[ndarray, " e"]
    train_loss: Float[ndarray, " e"]
    train_accuracy: Float[ndarray, " e"]
    test_loss: Float[ndarray, " e"]
    test_accuracy: Float[ndarray, " e"]
    learning_rate: Float[ndarray, " e"]
    seconds: Float[ndarray, " e"]

    def __len__(self) -> int:
        return self.epoch.size

    @classmethod
    def of(cls, records: list[Mapping[str, Any]]) -> "History":
        """From the records of a manifest."""
        # None, where there are no test samples, becomes NaN.
        columns = {f.name: np.array([r[f.name] for r in records], float) for f in dataclasses.fields(cls)}
        return cls(**(columns | {"epoch": columns["epoch"].astype(np.int64)}))


@dataclass(frozen=True)
class Trial:
    """What else the weights of a file might be: in words, what that scores, its kind of network, and the settings of a
    load that take it."""

    words: str
    accuracy: float
    loss: float
    kind: str
    change: Mapping[str, Any]


@dataclass(frozen=True)
class Recorded:
    """What is known of a run that a script of its user's trained, see engine.recorder. optimizer: in words, empty where
    it was not told; plain: whether its steps are the gradient's, as in the paper; bring: what a command must be given
    to have network, data or loss again (model, data, loss: file.py:name each, empty where the script did not say);
    process, began: of the script."""

    optimizer: str
    plain: bool
    bring: Mapping[str, str]
    process: int
    began: float

    @property
    def alive(self) -> bool:
        """Whether the script is still at work."""
        return process(self.process, self.began) is not None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What has to be known of the numbers."""
        if self.plain or not self.optimizer:
            return ()
        return (
            f"Trained with {self.optimizer}: C is the noise of the mini-batch's gradient, not of the step that "
            f"{self.optimizer} makes of it.",
        )


@dataclass(frozen=True)
class Run:
    """One training run. finished: whether it reached its end, which `end` tells in a sentence; an unfinished
    one is at work or was interrupted. checkpoints: epochs whose weights are kept. fingerprint: of the data.
    label: the name its user gave it, empty without one. layers: (d_out, d_in) of the layers that can be studied, by
    name, in the order of their use; places: at how many places of a sample each is used, one where it is not told;
    kinds: linear or convolution, linear where it is not told; studied: the layer that is studied unless another one is
    named; recorded: of a run that a script of its user's trained, of others None; trials: what else a file's weights
    might be; left_out: why others of its layers cannot be studied, by name; variance: of the numbers to predict, NaN
    where targets are others."""

    key: str
    request: RunRequest
    fingerprint: str
    data_name: str
    class_names: tuple[str, ...]
    samples: int
    device: str
    created: float
    finished: bool
    end: str
    history: History
    checkpoints: tuple[int, ...]
    label: str = ""
    layers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    studied: str = ""
    recorded: Recorded | None = None
    trials: tuple[Trial, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    variance: float = math.nan

    @property
    def last_epoch(self) -> int:
        """The newest checkpoint's epoch; −1 while there is none."""
        return self.checkpoints[-1] if self.checkpoints else -1

    def ranked_trials(self) -> list[Trial]:
        """What else its weights might be, the best first: by accuracy, of numbers to predict by loss."""
        return sorted(self.trials, key=lambda trial: (-np.nan_to_num(trial.accuracy), trial.loss))

    @property
    def explained(self) -> float:
        """R² = 1 − Σ(f − y)²/Σ(y − ȳ)² over the training samples at the last epoch on record, where targets are numbers
        to predict; NaN elsewhere."""
        return (
            1 - float(self.history.train_loss[-1]) / self.variance if len(self.history) and self.variance else math.nan
        )

    @property
    def by_hand(self) -> bool:
        """Whether nothing of it is kept but an analysis."""
        return self.recorded is not None and not self.fingerprint

    @property
    def growing(self) -> bool:
        """Whether a script is at work that records it."""
        return self.recorded is not None and self.recorded.alive and not self.finished

    @property
    def bring(self) -> dict[str, Any]:
        """What a command on it must be given: file.py:name each, that of PLACES where its script did not say."""
        bring = {} if self.recorded is None else self.recorded.bring
        return {name: bring[name] or PLACES[name] for name in BROUGHT if name in bring}
