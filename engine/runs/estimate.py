"""What work will cost, before it is started: operations, bytes and, on a calibrated machine, seconds.

    cost.training(request, samples=4500, calibration=calibration).seconds
    cost.analysis(cost.subject(model, "fc2"), samples=4500, calibration=calibration).bytes

Counts are arithmetic on shapes; a Calibration (`python -m engine calibrate` measures one) turns them into
seconds. Nothing here imports torch. Expect the right size, not the right digit: within a factor of two on
a machine that does nothing else.
"""

import math
from dataclasses import dataclass

from engine.config.requests import ModelRequest, RunRequest, joined
from engine.curvature import joint_memory as joint_cost
from engine.curvature.joint_memory import Shapes
from engine.curvature.memory import CHUNK_BYTES, DENSE_LIMIT, joint_memory, memory
from engine.errors import require
from engine.models.architectures import layers
from engine.results.jackknife import GROUPS, stretches
from engine.training.schedule import EVALUATED_AT_ONCE

# Reading and writing every parameter in a step takes as long as this many operations on it.
UPDATE_OPERATIONS = 100
# Products of n samples' triangles that the moments of all named matrices need, see engine.curvature.moments.
PRODUCTS = 8
# Eigenvalues in float32 against eigenpairs in float64.
VALUES_SHARE = 0.2
KRYLOV_ROUNDS = 5  # restarts of four blocks that the leading eigenvectors usually take
BLOCK = 300  # leading directions whose K is kept of every matrix
KEPT = 9  # named matrices
PROCESS_BYTES = 400 * 2**20  # Python and torch, before any work


@dataclass(frozen=True)
class Calibration:
    """Speeds of one machine. device: what was measured, by name; host: the computer; created: seconds since
    the epoch. start: seconds until a worker is awake; step: seconds that a step of SGD takes per layer beside its
    arithmetic; dense and convolution: operations a second in training; product: operations a second of a float32
    matrix product; eigen: seconds per D³ of an eigen-decomposition in float64; factors: seconds per sample of
    engine.curvature.factors with 10 classes and 50 outputs; traffic: bytes a second of adding arrays."""

    device: str
    host: str
    created: float
    start: float
    step: float
    dense: float
    convolution: float
    product: float
    eigen: float
    factors: float
    traffic: float


@dataclass(frozen=True)
class Cost:
    """operations: additions and multiplications; bytes: memory of the process at its peak, about; seconds:
    None without a calibration. measured: whether earlier runs of the same shape gave the seconds."""

    operations: float
    bytes: int
    seconds: float | None = None
    measured: bool = False


@dataclass(frozen=True)
class Subject:
    """A layer to be analysed, or several jointly. forward: operations of one sample's way through the whole network;
    rank: most eigenpairs of one sample's curvature, the classes for a ReLU network, d_out where the tail is smooth;
    shapes: (d_out, d_in) of each of several layers, whose sums are then d_out and d_in."""

    d_out: int
    d_in: int
    classes: int
    rank: int
    forward: float = 0.0
    shapes: Shapes = ()

    @property
    def dimension(self) -> int:
        """D, the number of weights."""
        return sum(d_out * d_in for d_out, d_in in self.shapes or ((self.d_out, self.d_in),))


# -- training -------------------------------------------------------------------------------------------


def step_operations(model: ModelRequest, batch: int, image: tuple[int, int] = (28, 28)) -> float:
    """Of one step of SGD: forward, both products of the backward pass (the input needs no gradient), update."""
    parts = layers(model, image)
    once = sum(3 * layer.operations for layer in parts) - parts[0].operations
    return batch * once + UPDATE_OPERATIONS * sum(layer.parameters for layer in parts)


def forward_operations(model: ModelRequest, image: tuple[int, int] = (28, 28)) -> float:
    """Of one sample's way through the network."""
    return sum(layer.operations for layer in layers(model, image))


def training(
    request: RunRequest,
    samples: int,
    *,
    image: tuple[int, int] = (28, 28),
    unseen: int = 0,
    calibration: Calibration | None = None,
    epoch_seconds: float | None = None,
) -> Cost:
    """Training for all epochs on `samples` samples, evaluated on them and on the unseen ones each epoch.

    image: height and width, where the net has convolutions; epoch_seconds: what an epoch of the same shape
    took before, the better source. Training that converges ends sooner. ValueError: see architectures.check.
    """
    plan, model = request.training, request.model
    require(samples >= 1, f"Training takes at least 1 sample, not {samples}.")
    parts = layers(model, image)
    steps = math.ceil(samples / plan.batch_size)
    in_steps = step_operations(model, plan.batch_size, image) * samples / plan.batch_size
    in_evaluation = forward_operations(model, image) * (samples + unseen)
    seconds = None
    if epoch_seconds is not None:
        seconds = plan.epochs * epoch_seconds
    elif calibration is not None:
        speed = calibration.convolution if model.kind == "cnn" else calibration.dense
        each = steps * len(parts) * calibration.step + (in_steps + in_evaluation) / speed
        seconds = plan.epochs * each
    data = (samples + unseen) * (parts[0].inputs if model.kind == "mlp" else model.widths[0] * math.prod(image))
    # Weights, gradients, the step, a copy for the checkpoint, and momentum.
    copies = (5 if plan.momentum else 4) * sum(layer.parameters for layer in parts)
    wide = sum(layer.width * layer.places for layer in parts)
    activities = max(4 * plan.batch_size, 2 * min(EVALUATED_AT_ONCE, samples)) * wide
    return Cost(
        plan.epochs * (in_steps + in_evaluation),
        PROCESS_BYTES + 4 * (data + copies + activities),
        seconds,
        measured=epoch_seconds is not None,
    )


# -- analysis -------------------------------------------------------------------------------------------


def subject(model: ModelRequest, layer: str, image: tuple[int, int] = (28, 28)) -> Subject:
    """What an analysis of this layer, or of several joined by "+", meets. ValueError if the net has no such linear
    layer."""
    linear = {part.name: part for part in layers(model, image) if not part.convolution}
    for name in joined(layer):
        require(name in linear, f"The network has no layer {name!r}; its linear layers are {', '.join(linear)}.")
    found = [linear[name] for name in joined(layer)]
    classes, width = model.widths[-1], sum(part.width for part in found)
    smooth = model.activation != "relu" and found[0].name != list(linear)[-1]
    rank = width if smooth else min(classes, width)
    shapes = tuple((part.width, part.inputs) for part in found) if len(found) > 1 else ()
    inputs = sum(part.inputs for part in found)
    return Subject(width, inputs, classes, rank, forward_operations(model, image), shapes)


def analysis(
    layer: Subject,
    samples: int,
    *,
    top_k: int | None = None,
    anchors_per_class: int | None = 20,
    spectra: int = 2000,
    bootstrap: int = 0,
    dtype: str = "float32",
    calibration: Calibration | None = None,
) -> Cost:
    """One analysis of one checkpoint, with all that is kept of it; settings as in AnalysisRequest."""
    n, d, rank, item = samples, layer.dimension, layer.rank, 4 if dtype == "float32" else 8
    k = d if top_k is None else min(top_k, d)
    whole = top_k is None or d <= DENSE_LIMIT
    shapes, kept = layer.shapes, 2 if layer.shapes else KEPT
    need = joint_memory(shapes, top_k, item) if shapes else memory(n, layer.d_out, layer.d_in, rank, top_k, item)
    each = max(need.triangles, need.along) if whole else need.along
    size = (need.dense if whole else need.projected) + min(need.stretch * CHUNK_BYTES, n * each)

    # One sample laid along k directions.
    along = joint_cost.along(shapes, k) if shapes else 2.0 * d * k + 2.0 * rank * layer.d_out * k
    products, moved, eigen, forward = 0.0, 0.0, 0.0, 2.0 * layer.forward * n * (item // 4)
    if shapes:
        passes = 2 if whole else 2 + 4 * KRYLOV_ROUNDS
        forward *= passes * joint_cost.backward_passes(shapes, layer.classes, rank)
    else:
        pool = n / layer.classes if anchors_per_class is None else anchors_per_class
        moved += 3.0 * item * n * pool * layer.d_in
    if whole and shapes:
        products += n * joint_cost.dense(shapes)
        moved += 10.0 * item * n * joint_cost.core(shapes) ** 2
        eigen += d**3
    elif whole:
        t_out, t_in = (w * (w + 1) / 2 for w in (layer.d_out, layer.d_in))
        products += 2 * PRODUCTS * n * t_out * t_in
        moved += 3.0 * item * n * (PRODUCTS * t_out + 4 * t_in)
        eigen += d**3
    else:
        wide = k + max(8, k // 4)
        once = 2 * joint_cost.along(shapes, wide) if shapes else 4.0 * d * wide
        products += KRYLOV_ROUNDS * 4 * n * once + 16 * n * k * k + 3 * n * along
    if whole and k == d:
        products += 7.2 * d**3  # quadratic forms of six moments, cut in halves
    elif whole:
        products += 7 * 2.0 * d * k * (d + k)
    side = d if whole and k == d else k
    # Every matrix in the eigenbasis with its spectrum and its commutators, and its leading block.
    products += kept * (4.0 * side**3 + 2.0 * side**2 * min(BLOCK, k))
    eigen += kept * VALUES_SHARE * side**3
    moved += 12.0 * 6 * (2 * kept + 1) * side**2 + kept * 8 * 4.0 * side**2
    drawn = 0 if shapes else min(spectra, n)
    products += drawn * along
    moved += 10.0 * item * drawn * rank * k
    few = stretches(k).size - 1  # γ's interval: every sample along a few directions, in every group but its own
    laid = joint_cost.along(shapes, few) if shapes else 2.0 * few * (d + rank * layer.d_out)
    products += n * (laid + 20.0 * few * GROUPS)
    moved += 20.0 * item * n * rank * few
    if bootstrap:
        products += 3 * n * along + 10.0 * bootstrap * n * k
        moved += 20.0 * item * n * rank * k

    seconds = None
    if calibration is not None:
        c = calibration
        small = layer.classes**2 * layer.d_out / (10**2 * 50)  # QR and eigenpairs of one sample
        if rank > layer.classes:
            small += rank**3 / (10**2 * 50)
        seconds = (
            n * c.factors * max(small, 0.2)
            + forward / c.convolution
            + products * (item // 4) / c.product
            + eigen * c.eigen
            + moved / c.traffic
        )
    return Cost(products + forward + 9 * eigen, PROCESS_BYTES + int(size), seconds)
