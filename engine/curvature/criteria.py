"""What is given as a loss, fitted to the outputs of a model and to its targets.

torch's own modules become the closed forms with their settings; any other function or module ℓ(f, y) → one number is a
loss of one's own. Where outputs have places besides their classes, as with one label a token, a sample's loss is the
mean over its places that are not masked; several numbers a sample are otherwise K outputs in a row.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import grad, jacrev, vmap

from engine.curvature.inputs import Inputs
from engine.errors import require
from engine.formulas import of_labels
from engine.losses import SQUARES, Loss, LossLike, cross_entropy, logistic, lookup, without_likelihood

MASKED = SQUARES.masked
# Outputs of a sample: K backward passes, and K × K numbers.
LIMIT = 1024  # above ImageNet's 1,000 classes
# Samples whose outputs are looked at for what they are, and numbers that can tell.
SAMPLES, ENOUGH = 64, 20
NEAR = 1e-3


@dataclass(frozen=True, eq=False)
class Criterion:
    """A loss of outputs flattened to K numbers, and its targets. kinds: the class that each sample is of, all 0 where
    targets are none. notes: what is to be known of it, in sentences."""

    loss: Loss
    targets: Tensor
    kinds: Int[Tensor, " n"]
    notes: tuple[str, ...] = ()


SUMMED = (
    "The loss sums over a batch (reduction='sum'): H and C are those of the mean over samples, each sample's loss as "
    "it sums over its own outputs. The gradient of a batch of B is then B times as long, and its covariance B² C."
)


def criterion(loss: LossLike) -> Loss:
    """What is meant by a loss, its targets not yet known. ValueError as engine.losses.lookup."""
    if isinstance(loss, nn.Module) and getattr(loss, "reduction", "") == "mean":
        ignored = getattr(loss, "ignore_index", MASKED)
        weight = _numbers(getattr(loss, "weight", None))
        if type(loss) is nn.CrossEntropyLoss:
            return replace(cross_entropy(weight, loss.label_smoothing), axis=0, masked=ignored)
        if type(loss) is nn.NLLLoss:
            return replace(cross_entropy(weight, of="nll"), axis=0, masked=ignored)
        if type(loss) is nn.MSELoss:
            return replace(SQUARES, takes=("vectors",))
        if type(loss) is nn.BCEWithLogitsLoss:
            return _weighted(loss.weight, loss.pos_weight)
    return own(loss) if callable(loss) and not isinstance(loss, Loss) else lookup(loss)


def fit(loss: LossLike, shape: tuple[int, ...], targets: Tensor, inputs: Inputs) -> Criterion:
    """The loss of outputs of that shape a sample, with its targets. ValueError or TypeError, with the remedy, where
    they do not go together."""
    summed = isinstance(loss, nn.Module) and getattr(loss, "reduction", "") == "sum"
    notes: tuple[str, ...] = (SUMMED,) if summed else ()
    loss, n = criterion(loss), len(targets)
    k, kinds = prod(shape), torch.zeros(n, dtype=torch.long, device=targets.device)
    whole = not targets.is_floating_point()
    labels = whole and "labels" in loss.takes and not ("vectors" in loss.takes and targets.shape[1:] == shape)
    if labels:
        targets = _labels(loss, shape, targets, sum(x[0].numel() for x in inputs.parts))
    require(
        k <= LIMIT,
        f"The model gives {k:,} numbers a sample; each takes a backward pass and {k:,} numbers of memory a sample, so "
        f"that at most {LIMIT:,} can be studied. Choose some of them, output=lambda given: …, or a model with fewer.",
    )
    if not labels and loss.takes:
        targets = {"soft": _soft, "vectors": _vectors, "shares": _shares}[loss.takes[-1]](loss, shape, targets)
    elif not labels:
        targets = targets if whole else targets.double()
    if targets.numel() == n and (whole or (loss.takes == ("shares",) and bool((targets == targets.round()).all()))):
        kinds = targets.flatten().long()
    else:
        notes += ("Targets are not one label a sample, so that its partner is sought among all samples.",)
    if "=" in loss.name:
        notes += (f"The loss is {loss.words}.",)
    return Criterion(loss.shaped(shape) if loss.shaped else over_places(loss, shape), targets, kinds, notes)


def _labels(loss: Loss, shape: tuple[int, ...], targets: Tensor, fed: int) -> Int[Tensor, "n *t"]:
    """Labels of every place, or of the sample where there is one."""
    axis = loss.axis % len(shape)
    classes, places = shape[axis], shape[:axis] + shape[axis + 1 :]
    if places and targets.shape[1:] != places:
        raise ValueError(
            f"The model must give one row of logits per sample, (n, classes), or one per label; it gave {shape} for "
            f"each sample, with labels {tuple(targets.shape)}. Its {'first' if axis == 0 else 'last'} axis being the "
            f"classes, labels (n, {', '.join(map(str, places))}) would go with it."
        )
    require(
        bool(places) or targets.ndim == 1,
        f"targets must be one label per sample (n,), not of shape {tuple(targets.shape)}.",
    )
    targets = torch.where(targets == loss.masked, MASKED, targets)
    counted = targets[targets != MASKED]
    low, high = (int(counted.min()), int(counted.max())) if len(counted) else (0, 0)
    require(
        low >= 0 and high < classes,
        f"The targets run from {low} to {high} but the model has {classes} outputs, so labels must lie in "
        f"0 … {classes - 1}. Renumber the labels, or load the model with the right number of classes.",
    )
    require(
        loss.reads != "" or classes != fed or classes <= 2 * (high + 1) or len(targets) < 2 * classes,
        f"The model gives {classes} numbers for inputs of {fed}, as an autoencoder does, and labels 0 … {high} are no "
        f"targets for them. Pass the inputs themselves as targets, or the labels as one-hot rows (n, {classes}).",
    )
    empty = (targets.view(len(targets), -1) == MASKED).all(dim=1).nonzero()
    require(not len(empty), f"Of {len(empty)} samples every label is masked, of the first sample number "
            f"{int(empty[0]) if len(empty) else 0}. Leave them out.")  # fmt: skip
    return targets.flatten(1) if places else targets


def _soft(loss: Loss, shape: tuple[int, ...], targets: Tensor) -> Float[Tensor, "n k"]:
    if targets.ndim == 1 or not targets.is_floating_point():
        raise TypeError(f"targets must be whole-number class labels, not {targets.dtype}. Use targets.long().")
    targets = _vectors(loss, shape, targets)
    shares = targets.unflatten(1, shape)
    require(
        bool((shares >= 0).all()) and bool(((shares.sum(loss.axis if loss.axis < 0 else 1) - 1).abs() < NEAR).all()),
        f"Soft labels of the loss {loss.name} must be at least 0 and sum to 1 over the classes. Divide them by their "
        'sums, or use the loss "linear_mse" for other numbers.',
    )
    return targets


def _vectors(loss: Loss, shape: tuple[int, ...], targets: Tensor) -> Float[Tensor, "n k"]:
    require(
        targets[0].numel() == prod(shape) and (targets.shape[1:] == shape or targets.numel() == len(targets)),
        f"The model gives numbers of shape {shape} for each sample, and so the loss {loss.name} takes targets of shape "
        f"(n, {', '.join(map(str, shape))}), not {tuple(targets.shape)}.",
    )
    return targets.double().flatten(1) if targets.ndim > 1 else targets.double()[:, None]


def _shares(loss: Loss, shape: tuple[int, ...], targets: Tensor) -> Float[Tensor, "n k"]:
    targets = _vectors(loss, shape, targets)
    low, high = float(targets.min()), float(targets.max())
    require(
        low >= 0 and high <= 1,
        f"The loss {loss.name} takes targets 0 and 1, or shares between, of each output; these run from {low:g} to "
        f'{high:g}. Use "ce" for labels of several classes.',
    )
    return targets


def look_at(loss: Loss, f: Tensor) -> tuple[str, ...]:
    """Warns, and says, where the outputs of some samples (n, …) are probabilities already that the loss takes for
    logits; ValueError where they are no log-probabilities that should be."""
    axis = loss.axis if loss.axis < 0 else loss.axis + 1
    enough = f.numel() >= ENOUGH and bool((f >= 0).all()) and f.shape[axis] > 1
    if loss.reads == "log-probabilities":
        total = f.logsumexp(axis)
        require(
            bool((total.abs() < NEAR).all()),
            f"The loss {loss.name} takes log-probabilities, whose exponentials sum to 1; those of these outputs sum to "
            f'{float(total[0].exp().max()):.3g}. Use "ce" for logits, or end the model in log_softmax.',
        )
    twice = ""
    if loss.reads == "logits" and enough and bool(((f.sum(axis) - 1).abs() < NEAR).all()):
        twice = "softmax"
    if loss.reads == "one by one" and f.numel() >= ENOUGH and bool((f >= 0).all() and (f <= 1).all()):
        twice = "sigmoid"
    if not twice:
        return ()
    sentence = f"The outputs look like probabilities, which {loss.name} takes for logits: a {twice} is applied twice."
    warnings.warn(f"{sentence} Leave it out at the end of the model.", stacklevel=5)
    return (sentence,)


def without_odds(loss: Loss, targets: Tensor) -> dict[str, str]:
    """Why there is no C_odds or C_loss of a loss with its targets, in a sentence each; nothing where there is."""
    absent = {}
    if loss.odds is None:
        absent["C_odds"] = (
            f"Of the loss {loss.name} there is no C_odds: the curvature of a sample bounds its noise where it is never "
            "negative in the outputs, as is known of ce, nll, bce and linear_mse."
        )
    if loss.log_odds is None or targets.is_floating_point():
        absent["C_loss"] = (
            f"Of the loss {loss.name}{' with soft labels' if loss.log_odds else ''} there is no C_loss: a sample's "
            "loss stands for its odds of being wrong there, and is near them for cross-entropy of labels alone."
        )
    return absent


# -- losses made of others -----------------------------------------------------------------------------------


def over_places(loss: Loss, shape: tuple[int, ...]) -> Loss:
    """The mean of a loss over the places of a sample that count, its outputs flattened."""
    if len(shape) == 1:
        return loss
    order = torch.arange(prod(shape)).view(shape).movedim(loss.axis, -1).flatten()  # the classes of a place together
    back, classes = order.argsort(), shape[loss.axis]

    def rows(x: Tensor) -> Tensor:
        return x[..., order.to(x.device)].unflatten(-1, (-1, classes))

    def weighed(y: Tensor) -> tuple[Tensor, Tensor]:
        """Targets by place, and the share that each place has in the mean."""
        y = rows(y) if y.is_floating_point() else y
        counts = torch.ones_like(y[..., 0]) if y.is_floating_point() else y != MASKED
        return y, counts.double() / counts.sum(-1, keepdim=True)

    def mean_of(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        def mean(f: Tensor, y: Tensor) -> Tensor:
            (y, share), f = weighed(y), rows(f)
            each = function(f.flatten(0, -2), y.flatten(0, f.ndim - 2))
            return (each.view(f.shape[:-1]) * share.to(f)).sum(-1)

        return mean

    def derivatives(f: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        y, share = weighed(y)
        slope, curvature = loss.derivatives(rows(f), y)
        n, t, v = slope.shape
        slope = (slope * share[..., None]).flatten(1)
        blocks = torch.diag_embed((curvature * share[..., None, None]).movedim(1, -1))  # n v v t t
        whole = blocks.permute(0, 3, 1, 4, 2).reshape(n, t * v, t * v)
        index = back.to(f.device)
        return slope[:, index], whole[:, index][:, :, index]

    return replace(
        loss,
        value=mean_of(loss.value),
        derivatives=derivatives,
        odds=loss.odds and mean_of(loss.odds),
        log_odds=loss.log_odds and mean_of(loss.log_odds),
        likelihood=without_likelihood(f"{loss.name} over places"),
        correct=mean_of(loss.correct),
    )


def _numbers(weight: Tensor | None) -> list[float] | None:
    return None if weight is None else weight.detach().double().flatten().tolist()


def _weighted(weight: Tensor | None, positive: Tensor | None) -> Loss:
    """bce with torch's weights, which are laid beside the outputs (n, …) as torch does."""

    def beside(w: Tensor | None, shape: tuple[int, ...]) -> list[float] | None:
        if w is None:
            return None
        try:
            return _numbers(w.detach().broadcast_to((1, *shape)))
        except RuntimeError as error:
            raise ValueError(
                f"The weights of BCEWithLogitsLoss have shape {tuple(w.shape)}, and the outputs of a sample {shape}: "
                "weights are of outputs, not of samples. Give as many as there are outputs."
            ) from error

    loss = logistic(_numbers(weight), _numbers(positive))

    def shaped(shape: tuple[int, ...]) -> Loss:
        return replace(logistic(beside(weight, shape), beside(positive, shape)), name=loss.name, words=loss.words)

    return replace(loss, shaped=shaped)


def own(function: Callable[[Any, Any], Any], shape: tuple[int, ...] | None = None) -> Loss:
    """A user's own loss ℓ(f, y) → one number, in torch operations on the outputs f of one sample, in the shape that the
    model gives them, and its target y, a label or whatever else. torch.func maps it over samples and differentiates it;
    nothing more is known of it.

    torch's modules are given a batch of one, so that a sum or mean is that of one sample.

    Using the loss raises ValueError, with the remedy, where torch.func cannot.
    """
    kind = function if hasattr(function, "__qualname__") else type(function)
    name = f"{kind.__module__}.{kind.__qualname__}"  # never one of LOSSES, which have no dot

    def one(f: Tensor, y: Tensor) -> Any:
        f = f if shape is None else f.view(shape)
        # torch's own take a batch: the classes of a sample's places would be taken for samples.
        return function(f[None], y[None]).squeeze(0) if isinstance(function, nn.modules.loss._Loss) else function(f, y)

    def each(derivative: Callable[[Any, Any], Any], f: Tensor, y: Tensor) -> Tensor:
        try:
            mapped: Tensor = vmap(derivative)(f, y)
            return mapped
        except (RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"The loss {name} cannot be mapped over samples and differentiated twice. Write it in torch operations "
                "on the outputs f (K,) of one sample and its target y, giving one number; f.gather(0, y[None])[0] in "
                "place of f[y], torch.where in place of if."
            ) from error

    def derivatives(f: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        f = f.double()
        return each(grad(one), f, y), each(jacrev(grad(one)), f, y)

    return Loss(
        name=name,
        label=name,
        short=name,
        noun=name,
        words=name,
        symbol="circle",
        value=partial(each, one),
        derivatives=derivatives,
        hessian_of=("outputs", "targets"),
        likelihood=without_likelihood(name),
        gaussian=False,
        two_classes=without_likelihood(name),
        correct=lambda f, y: of_labels(f, y if y.ndim == 1 and not y.is_floating_point() else f),
        takes=(),
        reads="",
        shaped=partial(own, function),
    )
