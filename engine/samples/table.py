"""Every sample of one checkpoint, as one layer sees it: what the pages that look at single samples work with.

Made by a worker (`python -m engine samples`, engine.samples.collect), read and used here without torch.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8
from numpy import ndarray

from cache.store import Store
from engine.config.requests import SamplesRequest, key
from engine.losses import Loss, lookup
from engine.runs import library
from engine.runs.run import Run
from engine.samples.downstream import Chain, Step

# Leading eigen-directions of H whose v_i are kept.
DIRECTIONS = 30
# Leading eigen-directions over which the Fisher matrices are compared, where D is larger.
LEADING = 2500
# Samples that a strip offers.
OFFERED = 24
# Diagonals that are kept, in the eigenbasis of H: B·C, the second moment of the gradients, the true Fisher matrix.
FISHERS = ("H", "C", "E_h2", "empirical", "fisher")


@dataclass(frozen=True)
class Table(ABC):
    """n samples before one layer of a trained network, whatever the layer.

    targets, predicted: classes; confidence: softmax probability of the target; loss: ℓ_p; kappa: eigenvalues of h_p by
    falling magnitude; partner: the nearest sample of the same class, −1 without one; weight: W; eigenvalues: H_ii;
    directions: the leading v_i as matrices; alignment: (u_1·v_i)² of each sample's leading eigenvector with them;
    diagonals: of FISHERS in the eigenbasis of H, C being that of mini-batches of batch_size; curvature: as
    LayerFactors.kind.
    """

    layer: str
    epoch: int
    batch_size: int
    curvature: str
    class_names: tuple[str, ...]
    targets: Int[ndarray, " n"]
    predicted: Int[ndarray, " n"]
    confidence: Float[ndarray, " n"]
    loss: Float[ndarray, " n"]
    kappa: Float32[ndarray, "n r"]
    partner: Int[ndarray, " n"]
    alignment: Float32[ndarray, "n t"]
    weight: Float[ndarray, "d_out d_in"]
    eigenvalues: Float[ndarray, " k"]
    directions: Float32[ndarray, "t d_out d_in"]
    diagonals: Mapping[str, Float[ndarray, " k"]]

    def __len__(self) -> int:
        return self.targets.size

    @property
    def correct(self) -> Bool[ndarray, " n"]:
        """Whether the network is right."""
        return self.predicted == self.targets

    def hardest(self) -> int:
        """The largest loss among the samples that something reaches and that are classified correctly; among all where
        there are none."""
        pool = np.flatnonzero(self.correct & (self.length2 > 0))
        pool = pool if pool.size else np.arange(len(self))
        return int(pool[self.loss[pool].argmax()])

    @property
    @abstractmethod
    def objective(self) -> Loss:
        """The loss."""

    @property
    @abstractmethod
    def piecewise(self) -> bool:
        """Whether what follows the layer is piecewise linear."""

    @property
    @abstractmethod
    def length2(self) -> Float[ndarray, " n"]:
        """‖A_p‖², of the activities at all places."""


@dataclass(frozen=True)
class Samples(Table):
    """Samples before a layer z = W a + b that is fed one vector. activity: a_p; bias: b; chain: what follows the
    layer."""

    activity: Float32[ndarray, "n d_in"]
    bias: Float[ndarray, " d_out"]
    chain: Chain

    @property
    def objective(self) -> Loss:
        return self.chain.loss

    @property
    def piecewise(self) -> bool:
        return all(step.activation in ("", "relu") for step in self.chain.steps)

    @property
    def length2(self) -> Float[ndarray, " n"]:
        return (self.activity.astype(float) ** 2).sum(axis=1)

    def preactivation(self, activity: Float[ndarray, "*n d_in"]) -> Float[ndarray, "*n d_out"]:
        """z = W a + b, float64."""
        return np.asarray(activity, float) @ self.weight.T + self.bias

    def neighbours(self, sample: int, of_class: int | None, count: int) -> Int[ndarray, " c"]:
        """The samples of a class (None: of any) with the nearest activities, nearest first; not the sample itself."""
        pool = np.arange(len(self)) if of_class is None else np.flatnonzero(self.targets == of_class)
        pool = pool[pool != sample]
        distance = ((self.activity[pool].astype(float) - self.activity[sample]) ** 2).sum(axis=1)
        return pool[np.argsort(distance, kind="stable")[:count]]


@dataclass(frozen=True)
class AtPlaces(Table):
    """Samples before a layer z_t = W a_t that is used at several places t, or one that is followed by anything.

    loss_name: of the loss; exact: whether h_p is the Hessian, and not Gauss–Newton by name; shape: how the places lie;
    kernel: channels and kernel of one filter, () of a linear layer; activity2: ‖A_p‖²; trace: tr h_p; distance:
    ‖ΔA‖/‖A‖ to the partner; anchors: how many of the class the partner is the nearest of, None for all; near: the
    partner and others of its class, the nearest first; fit: of AWD's step what it misses, ‖ΔW*A − WΔA‖/‖WΔA‖, the
    condition of A and ‖ΔW*‖/‖W‖, NaN without a partner.
    """

    loss_name: str
    exact: bool
    shape: tuple[int, ...]
    kernel: tuple[int, ...]
    anchors: int | None
    activity2: Float[ndarray, " n"]
    trace: Float[ndarray, " n"]
    distance: Float[ndarray, " n"]
    near: Int[ndarray, "n q"]
    fit: Float[ndarray, "n 3"]

    @property
    def objective(self) -> Loss:
        return lookup(self.loss_name)

    @property
    def piecewise(self) -> bool:
        return self.exact and self.curvature != "full"

    @property
    def length2(self) -> Float[ndarray, " n"]:
        return self.activity2

    @property
    def places(self) -> int:
        """T."""
        return prod(self.shape)

    def first(self) -> list[int]:
        """The samples that a page shows first: the stiffest, and the hardest of those that are classified correctly."""
        stiffest = np.argsort(-np.abs(self.kappa[:, 0]), kind="stable")[:OFFERED]
        return [*map(int, stiffest), *{self.hardest()} - {*map(int, stiffest)}]


_META = ("layer", "epoch", "batch_size", "curvature", "class_names")
_PLACED = ("loss_name", "exact", "shape", "kernel", "anchors")
_ARRAYS = (
    *("targets", "predicted", "confidence", "loss", "kappa", "partner", "alignment"),
    *("weight", "eigenvalues", "directions"),
)


def place(request: SamplesRequest, fingerprint: str) -> tuple[str, str, str, str]:
    """Where the store keeps these samples."""
    return "runs", request.run, "samples", key(request, fingerprint)


def write(store: Store, request: SamplesRequest, fingerprint: str, samples: Table) -> None:
    """Keep them."""
    meta = {name: getattr(samples, name) for name in _META}
    arrays = {name: getattr(samples, name) for name in _ARRAYS}
    arrays |= {f"diagonal/{name}": samples.diagonals[name] for name in FISHERS}
    if isinstance(samples, Samples):
        steps = samples.chain.steps
        meta |= {"activations": [step.activation for step in steps], "loss_name": samples.chain.loss.name}
        arrays |= {"activity": samples.activity, "bias": samples.bias}
        for i, step in enumerate(steps):
            arrays |= {f"step/{i}/weight": step.weight, f"step/{i}/bias": step.bias}
    else:
        meta |= {name: getattr(samples, name) for name in _PLACED}
        arrays |= {name: getattr(samples, name) for name in ("activity2", "trace", "distance", "near", "fit")}
    store.write(place(request, fingerprint), meta, {"main": arrays})


def read(store: Store, run: Run, epoch: int, layer: str) -> Table | None:
    """What is kept of a checkpoint's samples; None while there is nothing, or it was damaged."""

    def made(arrays: dict[str, ndarray], record: Mapping[str, Any]) -> Table:
        meta: dict[str, Any] = dict(record)
        parts: dict[str, Any] = dict(arrays)
        parts["diagonals"] = {name: parts.pop(f"diagonal/{name}") for name in FISHERS}
        meta["class_names"] = tuple(meta["class_names"])
        if "activations" not in meta:
            return AtPlaces(**meta | {name: tuple(meta[name]) for name in ("shape", "kernel")}, **parts)
        activations, loss = meta.pop("activations"), meta.pop("loss_name")
        steps = tuple(
            Step(name, parts.pop(f"step/{i}/weight"), parts.pop(f"step/{i}/bias")) for i, name in enumerate(activations)
        )
        return Samples(chain=Chain(steps, lookup(loss)), **meta, **parts)

    return library.load(store, place(SamplesRequest(run.key, epoch, layer), run.fingerprint), made)


def keep_pictures(store: Store, run: Run, pictures: UInt8[ndarray, "n h w *rgb"] | None) -> None:
    """Keep a run's training samples as pictures, in the order of Samples; None where they are no images."""
    store.write(("runs", run.key, "pictures"), {}, {"main": {} if pictures is None else {"pictures": pictures}})


def pictures(store: Store, run: Run) -> UInt8[ndarray, "n h w *rgb"] | None:
    """The run's training samples as small pictures, grey or RGB, in the order of Samples; None where samples are no
    images, or none were read yet."""
    entry = store.read("runs", run.key, "pictures")
    arrays = None if entry is None else entry.arrays()
    return None if arrays is None else arrays.get("pictures")
