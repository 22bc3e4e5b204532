"""Small networks, a kind of layer each, analysed where the user computes and judged by `verify`."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from engine.curvature.analyze import analyze
from engine.curvature.verify import verify
from engine.losses import LOSSES
from engine.progress import Progress, silent
from engine.results.record import TOLERANCE, Check

SAMPLES, CLASSES, BATCH = 12, 3, 4
# The largest relative error of a sound analysis. Blocks are kept in float32, whatever they were computed in.
TOLERANCES = {"float64": 1e-6, "float32": TOLERANCE}


class Attentive(nn.Module):
    """Self-attention over tokens between two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.attention = nn.Linear(2, 4), nn.MultiheadAttention(4, 2, batch_first=True)
        self.read = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.embed(x))
        return torch.as_tensor(self.read(torch.relu(self.attention(h, h, h)[0]).flatten(1)))


def _convolved(kind: type[nn.Module], side: int, axes: int) -> nn.Module:
    inside = 3 * (side - 1) ** axes
    return nn.Sequential(kind(1, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(inside, CLASSES))


def _dense(activation: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(nn.Linear(5, 4), activation(), nn.Linear(4, 4), activation(), nn.Linear(4, CLASSES))


@dataclass(frozen=True)
class Kind:
    """How a network is built, the layer of it that is studied, and the shape of its samples."""

    build: Callable[[], nn.Module]
    layer: str
    shape: tuple[int, ...]


KINDS: Mapping[str, Kind] = {
    "linear": Kind(lambda: _dense(nn.ReLU), "2", (5,)),
    "linear, smooth": Kind(lambda: _dense(nn.Tanh), "2", (5,)),
    "on tokens": Kind(
        lambda: nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(9, CLASSES)), "0", (3, 2)
    ),
    "conv1d": Kind(lambda: _convolved(nn.Conv1d, 4, 1), "0", (1, 4)),
    "conv2d": Kind(lambda: _convolved(nn.Conv2d, 3, 2), "0", (1, 3, 3)),
    "conv3d": Kind(lambda: _convolved(nn.Conv3d, 2, 3), "0", (1, 2, 2, 2)),
    "attention, q k v": Kind(Attentive, "attention.in_proj", (3, 2)),
    "attention, v": Kind(Attentive, "attention.v_proj", (3, 2)),
    "jointly": Kind(lambda: _dense(nn.ReLU), "0+2", (5,)),
}


@dataclass(frozen=True)
class Verdict:
    """What the check says of one network, loss and precision."""

    kind: str
    loss: str
    dtype: str
    checks: tuple[Check, ...]

    @property
    def worst(self) -> Check:
        return max(self.checks, key=lambda check: check.error)

    @property
    def holds(self) -> bool:
        return self.worst.error < TOLERANCES[self.dtype]


def verdicts(device: str = "auto", progress: Progress = silent) -> Iterator[Verdict]:
    """Of every kind of layer, loss and precision, as they are finished."""
    cases = [(name, loss, dtype) for name in KINDS for loss in LOSSES for dtype in TOLERANCES]
    for number, case in enumerate(cases):
        progress(", ".join(case), number, len(cases))
        try:
            yield Verdict(*case, _checks(*case, device))
        except ValueError as error:  # what is sound is not refused
            yield Verdict(*case, (Check("", (), math.nan, 0.0, what=str(error)),))


def _checks(name: str, loss: str, dtype: str, device: str) -> tuple[Check, ...]:
    kind = KINDS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind.build().double().eval()
        for weight in model.parameters():  # so that logits differ visibly between samples
            weight.data *= 1.5
        x = torch.randn(SAMPLES, *kind.shape, dtype=torch.float64)
        y = torch.randperm(SAMPLES) % CLASSES
    result = analyze(model, x, y, kind.layer, loss, BATCH, device=device, dtype=dtype)
    spectra = None if result.provenance.shapes else result.sample_spectra()
    return verify(model, x, y, replace(result.kept(("C",)), spectra=spectra))
