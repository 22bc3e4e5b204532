"""`analyze`: one call from a model and its samples to an Analysis."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from engine.curvature import covariances
from engine.curvature.covariances import SINGLE
from engine.curvature.criteria import criterion
from engine.curvature.cross_fit import Divisible, compare_halves
from engine.curvature.eigensolver import noise_floor
from engine.curvature.factors import LayerFactors, Survey
from engine.curvature.inputs import Output, read
from engine.curvature.joint import JointSurvey, JointTail
from engine.curvature.joint_moments import JointMoments
from engine.curvature.layers import check_layers
from engine.curvature.memory import Plan, plan
from engine.curvature.null import Gradients, permuted
from engine.curvature.projection import in_eigenbasis
from engine.curvature.resampling import times_drawn
from engine.curvature.source import Fresh, Subject
from engine.curvature.tail import Tail
from engine.device import device_name, exact, free_memory, precision, resolve
from engine.errors import require
from engine.losses import LossLike
from engine.progress import Progress, silent
from engine.results.analysis import Analysis
from engine.results.names import FISHER, NAMES, ON_REQUEST
from engine.results.record import OnDemand, Provenance


def analyze(
    model: nn.Module,
    inputs: Any,
    targets: Any = None,
    layer: str | Sequence[str] = (),
    loss: LossLike = "ce",
    batch_size: int = 50,
    anchors_per_class: int | None = 20,
    top_k: int | None = None,
    device: str = "auto",
    dtype: str = "float32",
    seed: int = 0,
    progress: Progress | None = None,
    *,
    bias: bool = False,
    curvature: str = "auto",
    spectra: int = 2000,
    bootstrap: int = 0,
    names: Sequence[str] | None = None,
    output: Output = None,
) -> Analysis:
    """H, C and C_AWD with its approximations for one layer, linear or a convolution (theory.md sections 1 to 6); H, C
    and E[h²] for several linear layers jointly.

    model: any torch.nn.Module. inputs: a tensor or array with the samples as first axis, a tuple or dict of them for
    model(*inputs) or model(**inputs), or model(inputs) where it takes a dict; or a Dataset or DataLoader of (input,
    target), read once in its order, with no targets besides. output: a key, an index or a function that picks the
    outputs from what the model gives, where that is more than a tensor and has no `logits`; of any shape, up to 1,024
    numbers a sample. layer: its name, or several linear ones in the order of their use, as a sequence or joined by
    "+": H of all their weights has cross blocks too. Duality and the spectra of single samples are defined layer by
    layer, so jointly there are neither AWD matrices nor suppression.

    loss, of a sample; H and C are those of its mean over samples, which have these targets:

        "ce"          labels (n), or soft labels (n, c)
        "nll"         the same, the outputs being log-probabilities
        "mse"         the same, squares after a softmax
        "linear_mse"  labels, or real numbers like the outputs
        "bce"         0 and 1, or shares, like the outputs: the mean over outputs

    Labels (n, …) go with outputs (n, …, c): the mean over a sample's places, −100 left out. torch's CrossEntropyLoss,
    NLLLoss, BCEWithLogitsLoss and MSELoss are taken as they are set, with outputs (n, c, …) as there; with class
    weights a sample's loss is w_y times its cross-entropy, and the mean is over N where torch divides by Σ w. Or a
    function or module ℓ(f, y) → one number of your own, in torch operations on the outputs f of one sample and its
    target y (engine.curvature.criteria.own).

    batch_size: B of the SGD whose noise is studied. anchors_per_class: random candidates per class among which partners
    are sought, None for the whole class; all samples are one class where targets are not one label a sample.
    top_k: None for the whole eigenbasis; otherwise everything is computed inside the span of the leading k
    eigenvectors, for layers of any size.
    device: "auto", "cpu" or "cuda". dtype: "float32" (float64 where sums are accumulated and in the
    eigen-decomposition) or "float64". seed: of anchors, spectra's samples and bootstrap. progress(stage,
    done, total) is called along the way and may raise to stop. bias: include the layer's bias.
    curvature: "auto", "gauss-newton" or "full", see engine.curvature.tail. spectra: samples whose spectra are kept
    for suppression, 0 for none. bootstrap: resamples of the samples behind γ's intervals, 0 for none. names: the
    matrices chosen beside H, of engine.results.names.NAMES; None for all that the loss has. C, E[h²], C_odds and C_loss
    need no partners. The true Fisher matrix, "fisher", is made where it is among them.

    Raises ValueError or TypeError saying what was given, what is possible and what to do; MemoryError,
    before any work, when the work cannot fit.
    """
    settings: dict[str, Any] = {
        "layer": layer, "loss": loss, "batch_size": batch_size, "anchors_per_class": anchors_per_class, "top_k": top_k,
        "device": device, "dtype": dtype, "seed": seed, "bias": bias, "curvature": curvature, "spectra": spectra,
        "bootstrap": bootstrap, "names": names, "output": output,
    }  # fmt: skip
    about = surveyed(model, inputs, targets, progress or silent, **settings)
    return replace(matrices(about, progress or silent), loss=criterion(loss))


@dataclass(frozen=True, eq=False)
class Surveyed:
    """What one look at all samples leaves for the matrices. tail: None where the factors are kept with their
    activities: neither network nor samples are needed then. Wherever they are kept another process may go on without,
    but not permute. k: directions; origin: the result's provenance but for the seconds; the rest as `analyze` takes
    it."""

    tail: Tail | JointTail | None
    survey: Survey | JointSurvey
    work: Plan
    k: int
    dtype: torch.dtype
    origin: Mapping[str, Any]
    names: tuple[str, ...] | None
    spectra: int
    bootstrap: int
    seconds: float

    @property
    def size(self) -> int:
        """Bytes of the factors; 0 where they are not kept."""
        kept = self.survey.kept if isinstance(self.survey, Survey) else None
        return 0 if kept is None else sum(x.numel() * x.element_size() for x in vars(kept).values() if x is not None)


def surveyed(
    model: nn.Module,
    inputs: Any,
    targets: Any,
    progress: Progress,
    *,
    layer: str | Sequence[str],
    loss: LossLike,
    batch_size: int,
    anchors_per_class: int | None,
    top_k: int | None,
    device: str,
    dtype: str,
    seed: int,
    bias: bool,
    curvature: str,
    spectra: int,
    bootstrap: int,
    names: Sequence[str] | None = None,
    output: Output = None,
) -> Surveyed:
    """The part of `analyze` that takes the network. Errors: as there."""
    began = time.perf_counter()
    where, working = resolve(device), precision(dtype)
    require(spectra >= 0, f"spectra is a number of samples from 0, not {spectra}.")
    require(bootstrap >= 0, f"bootstrap is a number of resamples from 0, not {bootstrap}.")
    chosen = None if names is None else tuple(dict.fromkeys(names))
    known = (*NAMES, *ON_REQUEST)
    unknown = [name for name in chosen or () if name not in known]
    require(not unknown, f"There is no matrix {', '.join(map(repr, unknown))}; there are {', '.join(known)}.")
    layers = check_layers(model, layer, bias)
    samples = read(inputs, targets)
    n = len(samples.targets)
    with exact():
        how: dict[str, Any] = {
            "device": where,
            "dtype": working,
            "bias": bias,
            "curvature": curvature,
            "output": output,
        }
        tail: Tail | JointTail
        if len(layers) > 1:
            tail = JointTail(model, layers, samples.inputs, samples.targets, loss, **how)
        else:
            fisher = FISHER in (chosen or ())
            tail = Tail(model, layers[0], samples.inputs, samples.targets, loss, fisher=fisher, **how)
        d = sum(d_out * d_in for d_out, d_in in tail.shapes)
        sizes = " + ".join(f"{d_out} × {d_in}" for d_out, d_in in tail.shapes)
        studied = f"layer{'s' if len(layers) > 1 else ''} {'+'.join(layers)!r} ({sizes})"
        k = d if top_k is None else top_k
        top_k = None if k == d else top_k  # all directions are no leading ones
        require(1 <= k <= d, f"top_k must lie in 1 … {d}, the weights of {studied}; not {top_k}.")
        work = plan(n=n, d=d, size=tail.memory(top_k), top_k=top_k, free=free_memory(where))
        progress(work.words, 0, 1)
        named = covariances.combinations(batch_size)
        survey: Survey | JointSurvey
        if isinstance(tail, JointTail):
            missing = [name for name in chosen or () if name not in named]
            require(not missing, f"Of several layers jointly there is no {', '.join(missing)}. Choose one layer.")
            survey, own = tail.survey(progress), _of_several(tail)
        else:
            if chosen is None or set(chosen) - {*covariances.SINGLE}:
                tail.pair(anchors_per_class, seed, progress)
            survey = tail.survey(work.keep, progress)
            own = _of_one(tail, survey, anchors_per_class)
    origin = own | {
        "layer": "+".join(layers), "loss": tail.loss.name, "samples": n, "batch_size": batch_size, "dtype": dtype,
        "device": device_name(where), "seed": seed, "bias": bias, "curvature": tail.kind,
        "mean_loss": survey.mean_loss, "accuracy": survey.accuracy, "remarks": (*samples.notes, *tail.notes),
    }  # fmt: skip
    kept = isinstance(survey, Survey) and survey.kept is not None and survey.kept.activity is not None
    return Surveyed(
        None if kept else tail, survey, work, k, working, origin, chosen, spectra, bootstrap,
        time.perf_counter() - began,
    )  # fmt: skip


def _of_one(tail: Tail, survey: Survey, anchors_per_class: int | None) -> dict[str, Any]:
    """What is to be told of one layer alone."""
    ((d_out, d_in),) = tail.shapes
    return {
        "d_out": d_out,
        "d_in": d_in,
        "anchors_per_class": anchors_per_class,
        "unpaired": len(survey.paired) - int(survey.paired.sum()),
        "sigma_w2": survey.sigma_w2,
        "places": tail.places,
        "exact": tail.exact,
        "fit": survey.fit if tail.places > 1 else (),
        "absent": survey.absent,
        "largest": survey.largest,
    }


def _of_several(tail: JointTail) -> dict[str, Any]:
    return {
        "d_out": sum(d_out for d_out, _ in tail.shapes),
        "d_in": sum(d_in for _, d_in in tail.shapes),
        "shapes": tail.shapes,
        "absent": {
            w: f"Of several layers jointly there is no {w}: it weighs JᵀAJ of each sample, which is kept apart from "
            "the rest of H for single layers alone. Choose one layer."
            for w in covariances.WEIGHED
        },
        "anchors_per_class": None,
        "unpaired": len(tail.targets),
        "sigma_w2": 0.0,
    }


def matrices(about: Surveyed, progress: Progress = silent) -> Analysis:
    """The rest of `analyze`: every matrix in the eigenbasis of H."""
    began, seed = time.perf_counter(), about.origin["seed"]
    work, working = about.work, about.dtype
    with exact():
        survey = about.survey
        subject = _several_layers(about, survey) if isinstance(survey, JointSurvey) else _one_layer(about, survey)
        evaluator = in_eigenbasis(
            subject.moments, subject.combinations, work, about.k, working, seed=seed, progress=progress
        )
        source = Fresh(
            subject, evaluator, working, work.along, about.spectra, seed, progress,
            lambda splits, seed: compare_halves(apart(about), splits, seed, progress),
            lambda permutations, seed: permuted(
                gradients(about), evaluator.eigenvalues, evaluator.basis, work, permutations, seed, progress
            ),
        )  # fmt: skip
        diagonals = evaluator.diagonals(progress)
        resampled = {}
        if about.bootstrap:
            counts = times_drawn(about.origin["samples"], about.bootstrap, seed)
            resampled = source.replicates(evaluator.basis, counts)
        eigenvalues = evaluator.eigenvalues.cpu().numpy()
        return Analysis(
            eigenvalues=eigenvalues,
            basis=evaluator.basis.cpu().numpy(),
            residuals=None if evaluator.residuals is None else relative(evaluator.residuals.cpu().numpy(), eigenvalues),
            diagonals={name: diagonal for name, diagonal in diagonals.items() if name != "H"},
            traces={name: float(diagonal.sum()) for name, diagonal in diagonals.items()},
            squares=OnDemand(evaluator.square, subject.combinations),
            overlaps=OnDemand(evaluator.overlap, subject.combinations if "C" in subject.combinations else ()),
            noise_floor=noise_floor(working, eigenvalues),
            replicates=resampled,
            source=source,
            provenance=Provenance(**about.origin, seconds=about.seconds + time.perf_counter() - began),
        )


def gradients(about: Surveyed) -> Gradients:
    """Both sides of the gradients of one layer, to be permuted."""
    assert isinstance(about.survey, Survey), "of several layers jointly it is refused"
    assert not isinstance(about.tail, JointTail), "its survey is another"
    return Gradients.of(about.tail, about.survey, about.origin["batch_size"])


def apart(about: Surveyed) -> Divisible:
    """The samples of one layer, to be cut in halves, with the matrices that need no partners."""
    tail, survey = about.tail, about.survey
    assert isinstance(survey, Survey), "of several layers jointly it is refused"
    assert not isinstance(tail, JointTail), "its survey is another"
    named = {
        name: matrix
        for name, matrix in covariances.combinations(about.origin["batch_size"], survey).items()
        if name in SINGLE
    }
    return Divisible(
        about.origin["samples"], lambda index: covariances.moments(tail, survey, named, index),
        _some(tail, survey), named, about.work, about.k, about.dtype, survey.paired.device,
    )  # fmt: skip


def _one_layer(about: Surveyed, survey: Survey) -> Subject:
    tail = about.tail
    assert not isinstance(tail, JointTail), "its survey is another"
    named = covariances.combinations(about.origin["batch_size"], survey)
    if about.names is not None:
        named = {**named, FISHER: covariances.FISHER}
        missing = [name for name in about.names if name not in named]
        require(not set(missing) & set(survey.absent), " ".join(survey.absent.get(name, "") for name in missing))
        require(not missing, f"No sample has a partner, so there is no {', '.join(missing)}.")
        named = {name: named[name] for name in ("H", *about.names)}
    return Subject(covariances.moments(tail, survey, named), named, _some(tail, survey))


def _some(tail: Tail | None, survey: Survey) -> Callable[[Int[Tensor, " m"]], LayerFactors]:
    """The factors of some samples, kept or made anew."""
    if survey.kept is not None:
        return survey.kept.__getitem__
    assert tail is not None, "it makes those that are not kept"
    return tail.factors


def _several_layers(about: Surveyed, survey: JointSurvey) -> Subject:
    assert isinstance(about.tail, JointTail), "none of its factors are kept"
    named = covariances.combinations(about.origin["batch_size"])
    return Subject(JointMoments(about.tail, survey.gradient, about.origin["samples"]), named)


def relative(residuals: Float[ndarray, " k"], eigenvalues: Float[ndarray, " k"]) -> Float[ndarray, " k"]:
    """‖H v − λ v‖ / max |H_ii|."""
    return residuals / (np.abs(eigenvalues).max() or 1.0)
