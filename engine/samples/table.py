"""Every sample of one checkpoint, as one layer sees it: what the pages that look at single samples work with.

Made by a worker (`python -m engine samples`, engine.samples.collect), read and used here without torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8
from numpy import ndarray

from cache.store import Store
from engine.config.requests import SamplesRequest, key
from engine.losses import lookup
from engine.runs.library import Run
from engine.samples.downstream import Chain, Step

# Leading eigen-directions of H whose v_i are kept.
DIRECTIONS = 30
# Leading eigen-directions over which the Fisher matrices are compared, where D is larger.
LEADING = 2500
# Diagonals that are kept, in the eigenbasis of H: B·C, the second moment of the gradients, the true Fisher matrix.
FISHERS = ("H", "C", "E_h2", "empirical", "fisher")


@dataclass(frozen=True)
class Samples:
    """n samples before one layer z = W a + b of a trained network.

    activity: a_p; targets, predicted: classes; confidence: softmax probability of the target; loss: ℓ_p; kappa:
    eigenvalues of h_p by falling magnitude; partner: the nearest sample of the same class, −1 without one; weight,
    bias: W and b; chain: what follows the layer; eigenvalues: H_ii; directions: the leading v_i as matrices;
    alignment: (u_1·v_i)² of each sample's leading eigenvector with them; diagonals: of FISHERS in the eigenbasis of H,
    C being that of mini-batches of batch_size; curvature: as LayerFactors.kind.
    """

    layer: str
    epoch: int
    batch_size: int
    curvature: str
    class_names: tuple[str, ...]
    activity: Float32[ndarray, "n d_in"]
    targets: Int[ndarray, " n"]
    predicted: Int[ndarray, " n"]
    confidence: Float[ndarray, " n"]
    loss: Float[ndarray, " n"]
    kappa: Float32[ndarray, "n r"]
    partner: Int[ndarray, " n"]
    alignment: Float32[ndarray, "n t"]
    weight: Float[ndarray, "d_out d_in"]
    bias: Float[ndarray, " d_out"]
    chain: Chain
    eigenvalues: Float[ndarray, " k"]
    directions: Float32[ndarray, "t d_out d_in"]
    diagonals: Mapping[str, Float[ndarray, " k"]]

    def __len__(self) -> int:
        return self.targets.size

    @property
    def correct(self) -> Bool[ndarray, " n"]:
        """Whether the network is right."""
        return self.predicted == self.targets

    def preactivation(self, activity: Float[ndarray, "*n d_in"]) -> Float[ndarray, "*n d_out"]:
        """z = W a + b, float64."""
        return np.asarray(activity, float) @ self.weight.T + self.bias

    def neighbours(self, sample: int, of_class: int | None, count: int) -> Int[ndarray, " c"]:
        """The samples of a class (None: of any) with the nearest activities, nearest first; not the sample itself."""
        pool = np.arange(len(self)) if of_class is None else np.flatnonzero(self.targets == of_class)
        pool = pool[pool != sample]
        distance = ((self.activity[pool].astype(float) - self.activity[sample]) ** 2).sum(axis=1)
        return pool[np.argsort(distance, kind="stable")[:count]]


def place(request: SamplesRequest, fingerprint: str) -> tuple[str, str, str, str]:
    """Where the store keeps these samples."""
    return "runs", request.run, "samples", key(request, fingerprint)


def write(store: Store, request: SamplesRequest, fingerprint: str, samples: Samples) -> None:
    """Keep them."""
    steps = samples.chain.steps
    meta = {name: getattr(samples, name) for name in ("layer", "epoch", "batch_size", "curvature", "class_names")} | {
        "activations": [step.activation for step in steps],
        "loss_name": samples.chain.loss.name,
    }
    names = ("activity", "targets", "predicted", "confidence", "loss", "kappa", "partner", "alignment")
    arrays = {name: getattr(samples, name) for name in (*names, "weight", "bias", "eigenvalues", "directions")}
    arrays |= {f"diagonal/{name}": samples.diagonals[name] for name in FISHERS}
    for i, step in enumerate(steps):
        arrays |= {f"step/{i}/weight": step.weight, f"step/{i}/bias": step.bias}
    store.write(place(request, fingerprint), meta, {"main": arrays})


def read(store: Store, run: Run, epoch: int, layer: str) -> Samples | None:
    """What is kept of a checkpoint's samples; None while there is nothing, or it was damaged."""
    entry = store.read(*place(SamplesRequest(run.key, epoch, layer), run.fingerprint))
    arrays = None if entry is None else entry.arrays()
    if entry is None or arrays is None:
        return None
    meta: dict[str, Any] = dict(entry.meta)
    parts: dict[str, Any] = dict(arrays)
    try:
        activations, loss = meta.pop("activations"), meta.pop("loss_name")
        steps = tuple(
            Step(name, parts.pop(f"step/{i}/weight"), parts.pop(f"step/{i}/bias")) for i, name in enumerate(activations)
        )
        diagonals = {name: parts.pop(f"diagonal/{name}") for name in FISHERS}
        names = tuple(meta.pop("class_names"))
        return Samples(chain=Chain(steps, lookup(loss)), diagonals=diagonals, class_names=names, **meta, **parts)
    except (KeyError, TypeError, ValueError):
        return None


def keep_pictures(store: Store, run: Run, pictures: UInt8[ndarray, "n h w *rgb"] | None) -> None:
    """Keep a run's training samples as pictures, in the order of Samples; None where they are no images."""
    store.write(("runs", run.key, "pictures"), {}, {"main": {} if pictures is None else {"pictures": pictures}})


def pictures(store: Store, run: Run) -> UInt8[ndarray, "n h w *rgb"] | None:
    """The run's training samples as small pictures, grey or RGB, in the order of Samples; None where samples are no
    images, or none were read yet."""
    entry = store.read("runs", run.key, "pictures")
    arrays = None if entry is None else entry.arrays()
    return None if arrays is None else arrays.get("pictures")
