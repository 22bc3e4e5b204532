"""What work will cost, before it is started: bytes of memory and seconds.

    estimate.training(request, samples=4500, earlier=estimate.earlier(works), calibration=calibration).seconds
    estimate.analysis(estimate.subject(model, "fc2"), samples=4500, calibration=calibration).bytes

Bytes are counted, see engine.curvature.memory. Seconds are those of the most similar earlier work on this machine,
scaled as these laws say: N samples in batches of B, L layers through which a sample takes F operations, D weights
studied, m named matrices in k directions, all of them (e = D, r = 1) or the leading ones alone (e = k, r = KRYLOV), in
words of w = 1 (float32) or 2:

    an epoch      N/B · L · step + 4 N F / dense                              a step is three ways through, a look one
    an analysis   (200 + 2 k) step + 2 w N F / dense + 4 w r N D e / product + (3 D + w m k) e² / 2 · eigen
                  at T places, with K outputs: F as often again for each of them, the products min(T, K + 3) times

The most similar work is the nearest by these laws at TYPICAL speeds. Where nothing of its kind was done, the speeds
that `python -m engine calibrate` measured on this machine stand in their place. Nothing here imports torch.
Expect the right size, not the right digit: within a factor of two on a machine that does nothing else.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np

from cache.store import Store
from engine import units
from engine.config.kinds import KINDS, flat
from engine.config.requests import ModelRequest, RunRequest, joined
from engine.curvature.memory import CHUNK_BYTES, DENSE_LIMIT, FULL_LIMIT, Shapes, joint_memory, memory
from engine.errors import require
from engine.models.architectures import IMAGE, layers
from engine.results.names import NAMES
from engine.runs.library import Analysed
from engine.runs.run import Run
from engine.training.schedule import EVALUATED_AT_ONCE

PROCESS_BYTES = 400 * 2**20  # Python and torch, before any work
# Products with H, of one direction each, for a leading eigenvector: 1.6 to 3.6 were counted on planted spectra
# (tests/engine/curvature/test_eigensolver.py).
KRYLOV = 4
JOINT_MATRICES = 2  # C and E[h²]: nothing is paired
# Operations that a resample costs per sample and direction.
RESAMPLE = 200.0


@dataclass(frozen=True)
class Calibration:
    """Speeds of one machine. device: what was measured, by name; host: the computer; created: seconds since
    the epoch. start: seconds until a worker is awake; step: seconds that a step of SGD takes per layer beside its
    arithmetic; dense: operations a second in training; product: operations a second of a float32 matrix product;
    eigen: seconds per D³ of an eigen-decomposition in float64."""

    device: str
    host: str
    created: float
    start: float
    step: float
    dense: float
    product: float
    eigen: float


# Of one core of a server; only the ratios of these speeds matter.
TYPICAL = Calibration("CPU", "", 0.0, start=2.0, step=2e-4, dense=1e11, product=1e11, eigen=2.5e-10)


@dataclass(frozen=True)
class Cost:
    """bytes: memory of the process at its peak, about; seconds: None where nothing of its kind was done and the machine
    is not calibrated. measured: whether earlier work of the same shape gave the seconds, unscaled."""

    bytes: int
    seconds: float | None = None
    measured: bool = False


@dataclass(frozen=True)
class Subject:
    """A layer to be analysed, or several jointly. forward: operations of one sample's way through the whole network;
    rank: most eigenpairs of one sample's curvature, the classes for a ReLU network, d_out where the tail is smooth;
    shapes: (d_out, d_in) of each of several layers, whose sums are then d_out and d_in; places: T, at which one is
    used; full: whether the second derivative of the tail is taken; exact: whether that makes h_p the Hessian."""

    d_out: int
    d_in: int
    classes: int
    rank: int
    forward: float = 0.0
    shapes: Shapes = ()
    places: int = 1
    full: bool = False
    exact: bool = True

    @property
    def dimension(self) -> int:
        """D, the number of weights."""
        return sum(d_out * d_in for d_out, d_in in self.shapes or ((self.d_out, self.d_in),))

    @property
    def written(self) -> bool:
        """Whether vectors are written out, see engine.curvature.tail.Tail."""
        vectors = self.rank + 2
        kept = self.places * (vectors * self.d_out + 2 * self.d_in)
        return self.places > 1 and vectors * self.dimension < kept


# -- speeds ---------------------------------------------------------------------------------------------


def calibration(store: Store) -> Calibration | None:
    """The speeds measured on this computer; None while there are none. Records of earlier versions hold more."""
    entry = store.read("calibration")
    try:
        names = [f.name for f in dataclasses.fields(Calibration)]
        speeds = None if entry is None else Calibration(**{name: entry.meta[name] for name in names})
    except KeyError:
        return None
    return speeds if speeds is not None and speeds.host == units.host() else None


def keep_calibration(store: Store, speeds: Calibration) -> None:
    """Keep measured speeds; they replace the earlier ones."""
    store.write(("calibration",), dataclasses.asdict(speeds))


# -- earlier work ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Earlier:
    """Earlier work on this machine, as pairs: seconds by the law at TYPICAL speeds, and as measured. epochs: of
    trainings, by the kind of their network."""

    epochs: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    analyses: tuple[tuple[float, float], ...] = ()


def earlier(works: Sequence[tuple[Run, Sequence[Analysed]]]) -> Earlier:
    """From runs, the newest first, with their analyses; those on another device than the newest one are left out."""
    epochs: dict[str, list[tuple[float, float]]] = {}
    analyses = []
    for run, made in works:
        if run.device != works[0][0].device:
            continue
        model, image = run.request.model, image_of(run.request.data.name)
        trained = run.history.seconds[run.history.epoch > 0]
        if model.kind in KINDS and not run.request.weights and trained.size:
            law = epoch_seconds(model, run.samples, run.request.training.batch_size, TYPICAL, image)
            epochs.setdefault(model.kind, []).append((law, float(np.median(trained))))
        for one in made:
            done = one.request
            if one.seconds is not None:
                layer, samples = subject_of(run, done.layer), done.samples or run.samples
                law = analysis_seconds(layer, samples, done.top_k, done.bootstrap, done.dtype, TYPICAL)
                analyses.append((law, one.seconds))
    return Earlier({kind: tuple(pairs) for kind, pairs in epochs.items()}, tuple(analyses))


def _scaled(pairs: Iterable[tuple[float, float]], law: float) -> tuple[float, bool] | None:
    """Seconds of work that takes `law` seconds by the law, as the most similar of earlier works tell it, their median
    where several are equally similar; whether they are its equals. None where there are none."""
    scaled = [(abs(math.log(law / own)), seconds * law / own) for own, seconds in pairs]
    if not scaled:
        return None
    least = min(distance for distance, _ in scaled)
    return median(seconds for distance, seconds in scaled if distance <= least + 1e-9), least < 1e-9


def image_of(data: str) -> tuple[int, int]:
    """Height and width of the images of a data set, as far as its name tells."""
    return (32, 32) if "cifar10" in data else IMAGE


# -- training -------------------------------------------------------------------------------------------


def forward_operations(model: ModelRequest, image: tuple[int, int] = IMAGE) -> float:
    """F: of one sample's way through the network."""
    return sum(layer.operations for layer in layers(model, image))


def epoch_seconds(
    model: ModelRequest, samples: int, batch: int, speeds: Calibration, image: tuple[int, int] = IMAGE, unseen: int = 0
) -> float:
    """One epoch by the law, evaluated on the samples and on the unseen ones."""
    steps = math.ceil(samples / batch) * len(layers(model, image)) * speeds.step
    return steps + (4 * samples + unseen) * forward_operations(model, image) / speeds.dense


def training(
    request: RunRequest,
    samples: int,
    *,
    image: tuple[int, int] = IMAGE,
    unseen: int = 0,
    calibration: Calibration | None = None,
    earlier: Earlier = Earlier(),
) -> Cost:
    """Training for all epochs on `samples` samples, evaluated on them and on the unseen ones each epoch.

    image: height and width, where the net has convolutions; earlier: the better source.
    Training that converges ends sooner. ValueError: see architectures.check.
    """
    plan, model = request.training, request.model
    require(samples >= 1, f"Training takes at least 1 sample, not {samples}.")
    parts = layers(model, image)
    law = epoch_seconds(model, samples, plan.batch_size, TYPICAL, image)
    like = _scaled(earlier.epochs.get(model.kind, ()), law)
    if like is None and calibration is not None:
        like = epoch_seconds(model, samples, plan.batch_size, calibration, image, unseen), False
    data = (samples + unseen) * (parts[0].inputs if flat(model.kind) else model.widths[0] * math.prod(image))
    # Weights, gradients, the step, a copy for the checkpoint, and momentum.
    copies = (5 if plan.momentum else 4) * sum(layer.parameters for layer in parts)
    wide = sum(layer.width * layer.places for layer in parts)
    activities = max(4 * plan.batch_size, 2 * min(EVALUATED_AT_ONCE, samples)) * wide
    size = PROCESS_BYTES + 4 * (data + copies + activities)
    return Cost(size) if like is None else Cost(size, plan.epochs * like[0], like[1])


# -- analysis -------------------------------------------------------------------------------------------


def subject(model: ModelRequest, layer: str, image: tuple[int, int] = IMAGE) -> Subject:
    """What an analysis of this layer, or of several joined by "+", meets. ValueError if the net has no such layer."""
    parts = {part.name: part for part in layers(model, image)}
    for name in joined(layer):
        require(name in parts, f"The network has no layer {name!r}; its layers are {', '.join(parts)}.")
    studied = [parts[name] for name in joined(layer)]
    shapes = tuple((part.width, part.inputs) for part in studied)
    smooth = (model.activation != "relu" or model.kind == "vit") and studied[0].name != list(parts)[-1]
    return _subject(shapes, studied[0].places, model.widths[-1], smooth, forward_operations(model, image))


def subject_of(run: Run, layer: str) -> Subject:
    """The same for a run, whose network may be one of torchvision's."""
    model, names = run.request.model, joined(layer)
    if model.kind in KINDS:
        known = subject(model, layer, image_of(run.request.data.name))
        return known if len(names) > 1 else replace(known, places=run.places.get(layer, known.places))
    return _subject(tuple(run.layers[n] for n in names), run.places.get(names[0], 1), model.widths[-1])


def _subject(shapes: Shapes, places: int, classes: int, smooth: bool = False, forward: float = 0.0) -> Subject:
    width, inputs = sum(out for out, _ in shapes), sum(into for _, into in shapes)
    if len(shapes) > 1:
        return Subject(width, inputs, classes, width if smooth else min(classes, width), forward, shapes)
    full = smooth and (places == 1 or places * width <= FULL_LIMIT)
    rank = width * min(places, inputs) if full else min(classes, width if places == 1 else width * inputs)
    return Subject(width, inputs, classes, rank, forward, places=places, full=full, exact=full or not smooth)


def analysis_seconds(
    layer: Subject, samples: int, top_k: int | None, bootstrap: int, dtype: str, speeds: Calibration
) -> float:
    """One analysis by the law. Joint layers go back through the network for each logit and for each input of a later
    layer, as often as their moments are formed or applied."""
    d, words = layer.dimension, 1 if dtype == "float32" else 2
    k = d if top_k is None else min(top_k, d)
    whole = top_k is None or d <= DENSE_LIMIT
    side, repeats = (d, 1) if whole else (k, KRYLOV)
    ways, matrices = 2, len(NAMES)
    if layer.shapes:
        ways *= 2 * repeats * (layer.classes + sum(d_in for _, d_in in layer.shapes[1:]))
        matrices = JOINT_MATRICES
    if layer.places > 1:
        ways *= 1 + layer.classes + layer.places * layer.d_out * layer.full
    products = 4.0 * repeats * d * side * min(layer.places, layer.rank + 3) + RESAMPLE * bootstrap * k
    per_sample = ways * layer.forward / speeds.dense + products / speeds.product
    overhead, eigen = (200 + 2 * k) * speeds.step, (3 * d + words * matrices * k) * side**2 / 2 * speeds.eigen
    return overhead + words * samples * per_sample + eigen


def analysis(
    layer: Subject,
    samples: int,
    *,
    top_k: int | None = None,
    bootstrap: int = 0,
    dtype: str = "float32",
    calibration: Calibration | None = None,
    earlier: Earlier = Earlier(),
) -> Cost:
    """One analysis of one checkpoint, with all that is kept of it; settings as in AnalysisRequest; earlier: the
    better source."""
    whole = top_k is None or layer.dimension <= DENSE_LIMIT
    item = 4 if dtype == "float32" else 8
    if layer.shapes:
        need = joint_memory(layer.shapes, top_k, item)
    else:
        need = memory(
            samples, layer.d_out, layer.d_in, layer.rank, top_k, item,
            places=layer.places, classes=layer.classes, written=layer.written, full=layer.full,
        )  # fmt: skip
    each = max(need.triangles, need.along) if whole else need.along
    stretch = min(need.stretch * CHUNK_BYTES, samples * each)
    size = PROCESS_BYTES + need.factors + (need.dense if whole else need.projected) + stretch

    like = _scaled(earlier.analyses, analysis_seconds(layer, samples, top_k, bootstrap, dtype, TYPICAL))
    if like is None and calibration is not None:
        like = analysis_seconds(layer, samples, top_k, bootstrap, dtype, calibration), False
    return Cost(size) if like is None else Cost(size, *like)
