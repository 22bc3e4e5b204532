"""Stochastic gradient descent as an iterator of epochs.

    for step in train(model, data, "ce", TrainingRequest(), seed=0):
        print(step.record.epoch, step.record.train_loss)

Epoch e draws its order from (seed, e) alone, so a run continued from the checkpoint of any epoch ends in the
same bits as one that was never interrupted (same device, same number of threads). Source: paper.md, Settings.
"""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from engine.config.kinds import flat
from engine.config.requests import TrainingRequest
from engine.data.datasets import Dataset
from engine.device import resolve, threads
from engine.errors import require
from engine.losses import LOSSES, lookup
from engine.training.schedule import EVALUATED_AT_ONCE, check, learning_rate
from engine.units import counted

MOMENTUM = "momentum/"


@dataclass(frozen=True)
class EpochRecord:
    """What is known at the end of an epoch; epoch 0 is the state before training.

    Losses are means over samples, accuracies fractions, None of numbers to predict, all evaluated with the epoch's
    final weights; those of the test part are None without one. learning_rate: the rate the epoch was trained with
    (epoch 0: the rate epoch 1 will have), None where it was trained elsewhere. seconds: wall time of the epoch,
    evaluation included.
    """

    epoch: int
    train_loss: float
    train_accuracy: float | None
    test_loss: float | None
    test_accuracy: float | None
    learning_rate: float | None
    seconds: float


@dataclass(frozen=True)
class Step:
    """One epoch. checkpoint: at the chosen epochs and at the last, the model's state under its names and,
    with momentum, its buffers under "momentum/<name>", on the CPU. end: on the last step only, a sentence
    saying why it is the last."""

    record: EpochRecord
    checkpoint: dict[str, Tensor] | None
    end: str | None


def train(
    model: nn.Module,
    data: Dataset,
    loss: str,
    request: TrainingRequest,
    seed: int,
    device: str = "auto",
    start: tuple[int, dict[str, Tensor]] | None = None,
) -> Iterator[Step]:
    """Train `model` in place on `device` and yield one Step per epoch.

    The first step is the state before training: epoch 0, or start = (epoch, its checkpoint). The gradient is
    that of the mean loss of the mini-batch, clipped to clip_norm as a whole; then, as in torch.optim.SGD, weight
    decay is added, momentum taken and the step made. The last mini-batch of an epoch may be smaller.

    It ends after `epochs`, on convergence (every class of a training sample right, mean loss below stop_loss), or when
    the loss is no longer finite: then the last step repeats the last finite epoch, whose weights the model
    keeps, and no checkpoint ever holds others.

    ValueError: settings, loss, device, or a model that does not fit the data.
    """
    check(request, len(data.train_y))
    lonely = len(data.train_y) % request.batch_size == 1 or request.batch_size == 1
    require(
        not lonely or not any(isinstance(part, nn.BatchNorm1d) for part in model.modules()),
        f"BatchNorm cannot normalise a mini-batch of 1 sample, and batches of {request.batch_size} leave one of the "
        f"{len(data.train_y):,} training samples alone. Choose another batch size.",
    )
    require(seed >= 0, f"The seed is a whole number from 0 on; {seed} was given.")
    run = _Run(model, data, loss, request, seed, resolve(device))
    first = 0
    if start is not None:
        first, checkpoint = start
        run.restore(checkpoint)
    return _steps(run, request, first)


def evaluate(model: nn.Module, data: Dataset, loss: str, epoch: int, device: str = "auto") -> EpochRecord:
    """Loss and accuracy of a model as it is, moved to `device`. ValueError: loss, device, or a model that does not
    fit the data."""
    run = _Run(model, data, loss, TrainingRequest(), 0, resolve(device))
    return run.evaluate(epoch, None, time.perf_counter())


def check_targets(data: Dataset, loss: str) -> None:
    """ValueError unless the loss takes these targets."""
    losses = [name for name, one in LOSSES.items() if "vectors" in one.takes]
    require(
        not data.numbers or loss in losses,
        f"The targets of {data.name} are numbers to predict, and the loss {lookup(loss).name} takes classes. Choose "
        f"the loss {' or '.join(losses)}, or take the targets for classes by :classes behind the name of the data.",
    )


def steadily(kind: str) -> AbstractContextManager[None]:
    """A block with as many threads on the CPU as a network of this kind is trained with. Products of small matrices
    gain nothing from more, and the same number of them everywhere keeps a run's sums, and so its weights, the same."""
    return threads(1 if flat(kind) else torch.get_num_threads())


def order(samples: int, seed: int, epoch: int) -> Int[Tensor, " n"]:
    """The order in which an epoch goes through the samples; drawn on the CPU, so that every device sees the same."""
    word = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0]
    return torch.randperm(samples, generator=torch.Generator().manual_seed(int(word) >> 1))


def _steps(run: "_Run", request: TrainingRequest, first: int) -> Iterator[Step]:
    record = run.evaluate(first, learning_rate(request, max(first - 1, 0)), time.perf_counter())
    state = run.state()
    while (end := _end(record, request)) is None:
        yield Step(record, state if record.epoch in request.checkpoints else None, None)
        began, epoch = time.perf_counter(), record.epoch + 1
        rate = learning_rate(request, record.epoch)
        run.epoch(epoch, rate)
        reached = run.evaluate(epoch, rate, began)
        if not math.isfinite(reached.train_loss):
            run.restore(state)
            end = (
                f"The loss became {'NaN' if math.isnan(reached.train_loss) else 'infinite'} in epoch {epoch}: "
                f"the learning rate {rate:.3g} is too high for this run. Lower it"
                + (" or clip the gradient." if request.clip_norm is None else ".")
            )
            break
        record, state = reached, run.state()
    yield Step(record, state, end)


def _end(record: EpochRecord, request: TrainingRequest) -> str | None:
    """Why this epoch is the last, if it is."""
    if not math.isfinite(record.train_loss):
        return "The loss is not finite before any training: start from other weights."
    if record.train_accuracy in (1, None) and request.stop_loss is not None and record.train_loss < request.stop_loss:
        right = "" if record.train_accuracy is None else "100 % train accuracy, "
        return f"Stopped at epoch {record.epoch}: converged ({right}loss below {request.stop_loss:g})."
    return f"All {request.epochs} epochs done." if record.epoch >= request.epochs else None


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


class _Run:
    """The model, the data and the momentum on one device."""

    def __init__(
        self, model: nn.Module, data: Dataset, loss: str, request: TrainingRequest, seed: int, device: torch.device
    ) -> None:
        self.model = model.to(device)
        self.loss, self.request, self.seed, self.device = lookup(loss), request, seed, device
        self.train = data.train_x.to(device), data.train_y.to(device)
        self.test = data.test_x.to(device), data.test_y.to(device)
        self.parameters: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
        self.momentum = [torch.zeros_like(p) for p in self.parameters] if request.momentum else []
        check_targets(data, loss)
        self._check_fit(data)

    def _check_fit(self, data: Dataset) -> None:
        try:
            with torch.no_grad():
                logits = self.model.eval()(self.train[0][:2])
        except RuntimeError as error:
            raise ValueError(
                f"The model cannot take samples of shape {data.shape} ({data.inputs} numbers each): {_line(error)}. "
                "Choose an architecture whose input fits the data."
            ) from error
        expected = (min(2, len(data.train_y)), data.outputs)
        asked = f"{counted(data.outputs, 'number')} to predict" if data.numbers else f"{data.outputs} classes"
        require(
            tuple(logits.shape) == expected,
            f"The model's output for two samples is {tuple(logits.shape)}, but these data have "
            f"{asked}: its last layer must have as many outputs.",
        )

    def state(self) -> dict[str, Tensor]:
        """A copy of all that the next epoch starts from, on the CPU."""
        names = [name for name, p in self.model.named_parameters() if p.requires_grad]
        buffers = {MOMENTUM + name: v for name, v in zip(names, self.momentum, strict=False)}
        both = {**self.model.state_dict(), **buffers}
        return {name: v.detach().to("cpu", copy=True) for name, v in both.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned. ValueError where it is not this model's."""
        weights = {name: v for name, v in state.items() if not name.startswith(MOMENTUM)}
        try:
            self.model.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"The checkpoint belongs to another model: {_line(error)}") from error
        names = [name for name, p in self.model.named_parameters() if p.requires_grad]
        for name, buffer in zip(names, self.momentum, strict=False):
            require(
                MOMENTUM + name in state,
                f"The checkpoint holds no momentum of {name}: it was trained without. Set momentum to 0.",
            )
            buffer.copy_(state[MOMENTUM + name])

    def epoch(self, epoch: int, rate: float) -> None:
        """One pass over the training samples."""
        x, y = self.train
        rows = order(len(y), self.seed, epoch).to(self.device)
        size = self.request.batch_size
        self.model.train()
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            for batch, targets in zip(rows.split(size), y.index_select(0, rows).split(size), strict=True):
                value = self.loss.value(self.model(x.index_select(0, batch)), targets).mean()
                self._descend(torch.autograd.grad(value, self.parameters), rate)

    @torch.no_grad()
    def _descend(self, gradients: tuple[Tensor, ...], rate: float) -> None:
        """One step of SGD. The foreach operations cost half of torch.optim's bookkeeping on a small net, and
        nothing here waits for the device."""
        r = self.request
        step = list(gradients)
        if r.clip_norm is not None:
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(step)))
            torch._foreach_mul_(step, norm.reciprocal_().mul_(r.clip_norm).clamp_(max=1.0))
        if r.weight_decay:
            torch._foreach_add_(step, self.parameters, alpha=r.weight_decay)
        if r.momentum:
            torch._foreach_mul_(self.momentum, r.momentum)
            torch._foreach_add_(self.momentum, step)
            step = self.momentum
        torch._foreach_add_(self.parameters, step, alpha=-rate)

    def evaluate(self, epoch: int, rate: float | None, began: float) -> EpochRecord:
        """Loss and accuracy of the weights as they are."""
        train_loss, train_accuracy = self._mean(*self.train)
        test_loss, test_accuracy = self._mean(*self.test) if len(self.test[1]) else (None, None)
        seconds = time.perf_counter() - began
        return EpochRecord(epoch, train_loss, train_accuracy, test_loss, test_accuracy, rate, seconds)

    @torch.no_grad()
    def _mean(self, x: Float[Tensor, "n *sample"], y: Shaped[Tensor, "n *outputs"]) -> tuple[float, float | None]:
        """Mean loss and accuracy, summed in float64."""
        self.model.eval()
        total = torch.zeros(2, dtype=torch.float64, device=self.device)
        for inputs, targets in zip(x.split(EVALUATED_AT_ONCE), y.split(EVALUATED_AT_ONCE), strict=True):
            logits = self.model(inputs)
            total[0] += self.loss.value(logits, targets).double().sum()
            if not y.is_floating_point():
                total[1] += (logits.argmax(dim=1) == targets).sum()
        loss, accuracy = (total / len(y)).tolist()
        return loss, None if y.is_floating_point() else accuracy
