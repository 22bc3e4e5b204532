"""Losses, targets and inputs of every kind, with each sample's loss by torch's own functions."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.reference.cases import mlp


@dataclass(frozen=True)
class Given:
    """What `analyze` is given. each: ℓ_p of every sample, from the network as it is called, by torch's own functions;
    labelled: targets are one label a sample."""

    model: nn.Module
    layer: str
    inputs: Any
    targets: Tensor
    loss: Any
    each: list[Callable[[Callable[..., Any]], Tensor]]
    labelled: bool = True
    output: Any = None


class Several(nn.Module):
    """Two inputs, and a result that holds more than the outputs."""

    def __init__(self, results: Callable[[Tensor, Tensor], Any]):
        super().__init__()
        self.net, self.results = mlp((5, 4, 4, 3), nn.ReLU, bias=True), results

    def forward(self, left: Tensor, right: Tensor) -> Any:
        return self.results(self.net(left + right), right)


class Whole(nn.Module):
    """Takes its inputs as one dict."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, data: dict[str, Tensor]) -> Any:
        return self.net(**data)


class Transposed(nn.Module):
    """The classes of every place as the first axis of a sample, as torch's losses have them."""

    def forward(self, f: Tensor) -> Tensor:
        return f.transpose(1, 2)


def _pixels() -> nn.Sequential:
    """A class for every position of the image."""
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 3, 2), act=nn.Tanh(), read=nn.Conv2d(3, 3, 1)))


def _autoencoder() -> nn.Sequential:
    return nn.Sequential(OrderedDict(fc1=nn.Linear(3, 4), act=nn.GELU(), fc2=nn.Linear(4, 3)))


def _given(name: str, n: int) -> Given:
    x, other, y = torch.randn(n, 5).double(), torch.randn(n, 5).double(), torch.arange(n) % 3
    soft, answers, real = torch.rand(n, 3).double().softmax(1), torch.rand(n, 3) > 0.4, torch.randn(n, 3).double()
    weight, yes = torch.tensor([0.5, 2.0, 1.5]).double(), torch.tensor([3.0, 0.5, 1.0]).double()
    relu, tanh = (mlp((5, 4, 4, 3), kind, bias=True) for kind in (nn.ReLU, nn.Tanh))

    def of(model, inputs, targets, loss, value, layer="fc2", **more):
        """value: ℓ of the outputs and target of one sample, in a batch of one."""
        calls = [lambda net, p=p: value(net(inputs[p : p + 1]), targets[p : p + 1]) for p in range(n)]
        return Given(model, layer, inputs, targets, loss, calls, **more)

    def several(results, inputs, pick, output=None, whole=False):
        def call(net, p):
            if isinstance(inputs, dict):
                named = {name: part[p : p + 1] for name, part in inputs.items()}
                return net(named) if whole else net(**named)
            return net(*(part[p : p + 1] for part in inputs))

        calls = [lambda net, p=p: F.cross_entropy(pick(call(net, p)), y[p : p + 1]) for p in range(n)]
        model = Whole(Several(results)) if whole else Several(results)
        return Given(model, "net.net.fc2" if whole else "net.fc2", inputs, y, "ce", calls, output=output)

    if name == "weights and smoothing":
        loss = nn.CrossEntropyLoss(weight=weight, label_smoothing=0.1)
        return of(relu, x, y, loss, lambda f, y: F.cross_entropy(f, y, weight, label_smoothing=0.1, reduction="sum"))
    if name == "soft labels":
        return of(tanh, x, soft, "ce", F.cross_entropy, labelled=False)
    if name == "soft squares":
        return of(relu, x, soft, "mse", lambda f, y: F.mse_loss(f.softmax(1), y), labelled=False)
    if name in ("log-probabilities", "weighted log-probabilities"):
        relu.add_module("end", nn.LogSoftmax(1))
        if name == "log-probabilities":
            return of(relu, x, y, "nll", F.nll_loss)
        return of(relu, x, y, nn.NLLLoss(weight), lambda f, y: F.nll_loss(f, y, weight, reduction="sum"))
    if name == "one answer":
        model = mlp((5, 4, 4, 1), nn.ReLU)
        return of(model, x, y > 0, "bce", lambda f, y: F.binary_cross_entropy_with_logits(f[:, 0], y.double()))
    if name == "several answers":
        value = F.binary_cross_entropy_with_logits
        loss = nn.BCEWithLogitsLoss(weight, pos_weight=yes)
        settings = {"weight": weight, "pos_weight": yes}
        return of(relu, x, answers, loss, lambda f, y: value(f, y.double(), **settings), labelled=False)
    if name == "real targets":
        return of(tanh, x, real, nn.MSELoss(), F.mse_loss, labelled=False)
    if name == "an autoencoder of tokens":
        tokens = torch.randn(n, 4, 3).double()
        return of(_autoencoder(), tokens, tokens, "linear_mse", F.mse_loss, "fc1", labelled=False)
    if name == "labels of tokens":
        tokens, labels = torch.randn(n, 4, 5).double(), torch.randint(3, (n, 4))
        labels[0, 1] = labels[3, :3] = -100
        return of(relu, tokens, labels, "ce", lambda f, y: F.cross_entropy(f[0], y[0]), labelled=False)
    if name == "labels of pixels":
        images, labels = torch.randn(n, 1, 3, 4).double(), torch.randint(3, (n, 2, 3))
        labels[:, 0, 0] = torch.arange(n) % 2
        loss = nn.CrossEntropyLoss(ignore_index=2)
        return of(_pixels(), images, labels, loss, lambda f, y: F.cross_entropy(f, y, ignore_index=2), "conv",
                  labelled=False)  # fmt: skip
    if name == "inputs by name":
        return several(
            lambda f, h: {"hidden": h, "logits": f}, {"left": x, "right": other}, lambda given: given["logits"]
        )
    if name == "a dict taken whole":
        return several(lambda f, h: f, {"left": x, "right": other}, lambda given: given, whole=True)
    if name == "the sum over tokens":
        tokens, labels = torch.randn(n, 3, 5).double(), torch.randint(3, (n, 3))  # as many as classes
        return of(nn.Sequential(OrderedDict(net=relu, end=Transposed())), tokens, labels,
                  nn.CrossEntropyLoss(reduction="sum"), lambda f, y: F.cross_entropy(f, y, reduction="sum"), "net.fc2",
                  labelled=False)  # fmt: skip
    if name == "positions of a convolution, pooled":
        pooled = nn.Sequential(nn.Conv2d(3, 2, 4, padding=2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        value = F.binary_cross_entropy_with_logits
        images, yes = torch.randn(n, 3, 4, 4).double(), (answers[:, :2]).double()
        return of(pooled, images, yes, nn.BCEWithLogitsLoss(reduction="sum"),
                  lambda f, y: value(f, y, reduction="sum"), "0", labelled=False)  # fmt: skip
    if name == "an image for an image":
        down, up = nn.Conv2d(2, 2, 3, padding=1, stride=2), nn.Conv2d(2, 3, 3, padding=1)
        images, labels = torch.randn(n, 2, 4, 4).double(), torch.randint(3, (n, 4, 4))
        return of(nn.Sequential(down, nn.ReLU(), nn.Upsample(scale_factor=2), up), images, labels,
                  nn.CrossEntropyLoss(), F.cross_entropy, "0", labelled=False)  # fmt: skip
    if name == "inputs by place":
        return several(lambda f, h: (h, f), (x, other), lambda given: given[1], output=1)
    if name == "a function of the results":
        return several(lambda f, h: [f, h], (x, other), lambda given: given[0] * 2, output=lambda given: given[0] * 2)
    assert name == "a loss of ones own"
    return of(relu, x, real, nn.SmoothL1Loss(beta=5.0), lambda f, y: F.smooth_l1_loss(f, y, beta=5.0), labelled=False)


GIVEN = (
    *("weights and smoothing", "soft labels", "soft squares", "log-probabilities", "weighted log-probabilities"),
    *("one answer", "several answers", "real targets", "an autoencoder of tokens", "labels of tokens"),
    *("a dict taken whole", "the sum over tokens", "positions of a convolution, pooled", "an image for an image"),
    *("labels of pixels", "inputs by name", "inputs by place", "a function of the results", "a loss of ones own"),
)


def given(name: str, n: int = 9, seed: int = 0) -> Given:
    """The named case with n samples."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        asked = _given(name, n)
    asked.model.double().eval()
    return asked
