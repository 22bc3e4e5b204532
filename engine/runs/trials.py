"""Which network the weights of a file belong to, where shapes leave it open: what each scores on the data."""

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from engine.config.kinds import has_activation
from engine.config.requests import ACTIVATIONS, SCALINGS, DataRequest, RunRequest
from engine.data.datasets import Dataset
from engine.device import resolve
from engine.losses import lookup
from engine.models.networks import restore
from engine.models.recognition import SOFTMAX, Reading, readings
from engine.progress import Progress
from engine.runs.run import Trial

SAMPLES, SECONDS = 1000, 60
CHANCE = 0.05  # of accuracy above guessing, or of R² above 0: less tells no network from another
NEAR = 0.01  # accuracies this near are told apart by the loss


@dataclass(frozen=True)
class Chosen:
    """index: of the reading taken, in the order of engine.models.recognition.readings; trials: what else was tried, and
    what it scored; guess: a sentence on how it was chosen, empty where there was no choice."""

    index: int
    reading: Reading
    trials: tuple[Trial, ...]
    guess: str


@dataclass(frozen=True)
class Trials:
    """What one file may be, tried on data. data: by their request, for the scaling of a trial."""

    tensors: Mapping[str, Tensor]
    hints: Sequence[str]
    request: RunRequest
    data: Callable[[DataRequest], Dataset]
    device: str
    progress: Progress

    def choose(self, index: int | None) -> Chosen:
        """The reading asked for, else the best by accuracy and loss; beside it what commonly differs. ValueError where
        none takes these data."""
        here = self._samples(self.request.data.scaling)
        activation = self.request.model.activation
        every = readings(self.tensors, activation, here.image if len(here.shape) == 3 else None, self.hints)
        plain = [reading for reading in every if reading.words != SOFTMAX]
        began, scores = time.monotonic(), dict[int, tuple[float, float]]()
        for i, reading in enumerate(plain):
            self.progress("trying what the shapes allow", i, len(plain))
            if len(plain) > 1 and (time.monotonic() < began + SECONDS or not scores):
                score = self._score(reading, here)
                scores |= {} if score is None else {i: score}
        best = (_nearest if here.numbers else _best)(plain, scores, _chance(here)) if index is None else index
        if not 0 <= best < len(every):
            raise ValueError(f"The shapes allow {len(every)} networks; there is no number {index}.")
        chosen = every[best]
        trials = [
            Trial(_words(plain[i]), *score, plain[i].model.kind, {"reading": i})
            for i, score in scores.items()
            if i != best
        ]
        by = "loss" if here.numbers else "accuracy and loss"
        guess = f"The network is a guess, the best by {by} of {len(scores)} that the shapes allow: {_words(chosen)}."
        others = self._others(chosen, every, here)
        return Chosen(best, chosen, (*trials, *others), guess if index is None and len(scores) > 1 else "")

    def _others(self, chosen: Reading, every: Sequence[Reading], here: Dataset) -> list[Trial]:
        """The same network with other settings, one at a time."""
        data, now = self.request.data, self.request.model.activation
        others: list[tuple[str, dict[str, Any], Reading, Dataset, int]] = []
        soft = next((i for i, r in enumerate(every) if r.line == f"{chosen.line} softmax"), None)
        if soft is not None:
            others.append((SOFTMAX, {"reading": soft}, every[soft], here, 0))
        if has_activation(chosen.model.kind):
            models = {a: replace(chosen.model, activation=a) for a in ACTIVATIONS if a != now}
            others += [
                (f"activation {a}", {"activation": a}, replace(chosen, model=model), here, 0)
                for a, model in models.items()
            ]
        for scaling in SCALINGS:
            with contextlib.suppress(ValueError):  # of another number of channels
                other = self._samples(scaling)
                if other.fingerprint != here.fingerprint:
                    others.append((f"pixels {scaling}", {"scaling": scaling}, chosen, other, 0))
        count = len(here.class_names)
        labels = data.classes or tuple(range(count))
        for step in () if here.numbers else (1, -1) if count > 2 else (1,):
            turned = tuple(labels[(i + step) % count] for i in range(count))
            words = "labels counted from 1" if step > 0 else "labels one lower"
            others.append((words, {"classes": list(turned)}, chosen, here, step))
        tried = []
        for words, change, reading, samples, step in others:
            score = self._score(reading, samples, step)
            if score is not None:
                tried.append(Trial(words, *score, reading.model.kind, change))
        return tried

    def _samples(self, scaling: str) -> Dataset:
        """Some of the training samples, as many of each class; of numbers to predict all."""
        whole = self.data(self.request.data)
        if whole.numbers:
            return self.data(replace(self.request.data, scaling=scaling))
        fewest = int(torch.bincount(whole.train_y, minlength=len(whole.class_names)).min())
        some = max(1, min(fewest, SAMPLES // len(whole.class_names)))
        return self.data(replace(self.request.data, scaling=scaling, per_class=some))

    def _score(self, reading: Reading, data: Dataset, step: int = 0) -> tuple[float, float] | None:
        """Accuracy, NaN of numbers to predict, and loss on some training samples; None where the network cannot take
        them. step: what to subtract from the labels."""
        device, stride = resolve(self.device), (len(data.train_x) // SAMPLES or 1) if data.numbers else 1
        x, y = data.train_x[::stride].to(device), data.train_y[::stride].to(device)
        y = y if data.numbers else (y - step) % len(data.class_names)
        try:
            with torch.no_grad():
                model = restore(reading).to(device)
                logits = torch.cat([model(some) for some in x.split(100)])
            loss = float(lookup(self.request.loss).value(logits, y).mean())
        except (RuntimeError, IndexError, ValueError):
            return None
        accuracy = math.nan if data.numbers else float((logits.argmax(1) == y).double().mean())
        return accuracy, loss


def _chance(data: Dataset) -> float:
    """The accuracy of guessing a class; of numbers to predict the loss of always answering with their mean."""
    return float(data.train_y.double().var(dim=0, correction=0).mean()) if data.numbers else 1 / len(data.class_names)


def _nearest(plain: Sequence[Reading], scores: Mapping[int, tuple[float, float]], guessing: float) -> int:
    """As `_best`, by the loss alone."""
    losses = {i: loss for i, (_, loss) in scores.items() if math.isfinite(loss)}
    if min(losses.values(), default=math.inf) > guessing * (1 - CHANCE):
        losses = {i: loss for i, loss in losses.items() if plain[i].words == plain[0].words}
    return min(losses, key=lambda i: (losses[i], i), default=0)


def _best(plain: Sequence[Reading], scores: Mapping[int, tuple[float, float]], guessing: float) -> int:
    """Among those of nearly the best accuracy the one of the lowest loss; where none does better than guessing, of the
    likeliest kind alone, and the first where nothing was measured."""
    top = max((accuracy for accuracy, _ in scores.values()), default=0.0)
    untrained = top < guessing + CHANCE
    near = [
        i
        for i, (accuracy, loss) in scores.items()
        if (plain[i].words == plain[0].words if untrained else accuracy >= top - NEAR) and math.isfinite(loss)
    ]
    return min(near, key=lambda i: (scores[i][1], i), default=0)


def _words(reading: Reading) -> str:
    return ", ".join(word for word in (reading.words, reading.order) if word)
