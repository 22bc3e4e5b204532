"""Samples of small networks that are trained in an instant, beside a planted run: real numbers to look at closely."""

from functools import cache
from typing import Any

import numpy as np
from numpy import ndarray

from cache.store import Store
from engine.config.requests import ModelRequest, SamplesRequest
from engine.runs import library
from engine.samples import close_up as close_ups
from engine.samples import table
from engine.samples.close_up import CloseUp
from engine.samples.table import AtPlaces, Samples
from tests.planted import LOOKED, SIDE, add_analysis

PIXELS, STEPS = 8, 3  # of a picture's side, and of gradient descent an epoch


@cache
def pictures(seed: int = 0) -> ndarray:
    """Ten kinds of blurred picture (n, PIXELS, PIXELS), bytes; sample p is of class p mod 10."""
    rng = np.random.default_rng(seed)
    kinds = rng.uniform(0, 1, (10, PIXELS, PIXELS))
    noisy = kinds[np.arange(LOOKED) % 10] + 0.5 * rng.standard_normal((LOOKED, PIXELS, PIXELS))
    return (255 * (noisy - noisy.min()) / np.ptp(noisy)).round().astype(np.uint8)


@cache
def samples(epoch: int, activation: str = "relu", loss: str = "ce") -> Samples:
    """Every sample before fc2 of a small network after some gradient descent: real numbers."""
    import torch

    from engine.losses import lookup
    from engine.models.networks import build
    from engine.samples.collect import look

    inputs = torch.from_numpy(pictures().astype(np.float32) / 128 - 1)[:, None]
    targets = torch.arange(LOOKED) % 10
    model = build(ModelRequest(widths=(PIXELS**2, SIDE, SIDE, 10), activation=activation), seed=0)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.3)
    for _ in range(STEPS * epoch):
        optimiser.zero_grad()
        lookup(loss).value(model(inputs), targets).mean().backward()
        optimiser.step()
    names = tuple(str(c) for c in range(10))
    return look(model.eval(), inputs, targets, "fc2", loss, 50, epoch, names, "cpu")


def add_samples(store: Store, run: str, *epochs: int) -> None:
    """Give the planted run its samples at these epochs, and their pictures."""
    run_ = library.find(store, run)
    table.keep_pictures(store, run_, pictures())
    for epoch in epochs:
        table.write(store, SamplesRequest(run, epoch), run_.fingerprint, samples(epoch))


PLACED = "conv"  # the layer of `placed`


@cache
def _convolution() -> Any:
    """A small convolution on the pictures after some gradient descent, with inputs and targets."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    inputs = torch.from_numpy(pictures().astype(np.float32) / 128 - 1)[:, None]
    targets = torch.arange(LOOKED) % 10
    model = nn.Sequential()
    for name, part in {
        "first": nn.Conv2d(1, 2, 3),
        "relu1": nn.ReLU(),
        PLACED: nn.Conv2d(2, 4, 2),
        "relu2": nn.ReLU(),
        "flat": nn.Flatten(),
        "read": nn.Linear(100, 10),
    }.items():
        model.add_module(name, part)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.3)
    for _ in range(40):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimiser.step()
    return model.eval(), inputs, targets


@cache
def placed(epoch: int = 100) -> AtPlaces:
    """Every sample before a convolution."""
    from engine.samples.collect import look

    model, inputs, targets = _convolution()
    made = look(model, inputs, targets, PLACED, "ce", 50, epoch, tuple(str(c) for c in range(10)), "cpu")
    assert isinstance(made, AtPlaces)
    return made


@cache
def close_up_of(sample: int, partner: int) -> CloseUp:
    """All about one of them and its partner."""
    import torch

    from engine.curvature.tail import Tail
    from engine.samples.at_places import close_up

    model, inputs, targets = _convolution()
    how = {"device": torch.device("cpu"), "dtype": torch.float64}
    some = [sample, partner] if partner >= 0 else [sample]
    return close_up(Tail(model, PLACED, inputs[some], targets[some], "ce", **how), 0, 1 if partner >= 0 else -1)


def add_places(store: Store, run: str, *pairs: tuple[int, int], epoch: int = 100) -> None:
    """Give the planted run an analysis and the samples before a convolution, with close-ups of these pairs."""
    run_, request = library.find(store, run), SamplesRequest(run, epoch, PLACED)
    add_analysis(store, run, epoch, PLACED)
    table.keep_pictures(store, run_, pictures())
    table.write(store, request, run_.fingerprint, placed(epoch))
    for pair in pairs:
        close_ups.write(store, close_ups.place(request, run_.fingerprint, *pair), close_up_of(*pair))
