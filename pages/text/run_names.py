"""Runs in words."""

import re
import time
from collections import Counter
from collections.abc import Sequence

from engine.config.kinds import depth, title
from engine.config.requests import NORMALISATIONS, ModelRequest
from engine.losses import LOSSES, OTHERS
from engine.runs.run import Run


def describe(run: Run) -> str:
    """A run by the name its user gave it, else in a few words."""
    return run.label or makeup(run)


def names(runs: Sequence[Run]) -> dict[str, str]:
    """What to call each of several runs, by key: by the name its user gave it, else by what differs among them, first
    loss, classes and seed, then in a few words; where two are called the same also by when they were made, then by the
    key."""
    facts = [_facts(run) for run in runs]
    differing = [place for place, those in enumerate(zip(*facts, strict=True)) if len({fact for fact, _ in those}) > 1]
    labels = {
        run.key: run.label
        or ", ".join(dict.fromkeys(filter(None, (*(own[place][1] for place in differing), *_makeup(run)))))
        for run, own in zip(runs, facts, strict=True)
    }
    for more in (
        lambda run: f"seed {run.request.seed}" if run.label and _trained_here(run) else "",
        lambda run: time.strftime("%d %b %H:%M", time.localtime(run.created)),
        lambda run: run.key[:8],
    ):
        count = Counter(labels.values())
        several = {run.key: more(run) if count[labels[run.key]] > 1 else "" for run in runs}
        labels = {key: ", ".join(filter(None, (labels[key], apart))) for key, apart in several.items()}
    return labels


def _trained_here(run: Run) -> bool:
    return run.recorded is None and not run.request.weights


def _facts(run: Run) -> tuple[tuple[object, str], ...]:
    """What may tell runs apart, the most telling first, each with its words."""
    request = run.request
    data, model, training = request.data, request.model, request.training
    kept = (
        (request.loss, loss(request.loss)),
        (len(run.class_names), f"{len(run.class_names)} classes"),
    )
    here = (
        (request.seed, f"seed {request.seed}"),
        (data.label_noise, f"{data.label_noise:.0%} wrong labels"),
        (data.per_class, f"N = {run.samples:,}"),
        (training.batch_size, f"B = {training.batch_size}"),
        (training.learning_rate, f"η = {training.learning_rate:g}"),
    )
    made = here if _trained_here(run) else ((None, ""),) * len(here)
    return (*kept, made[0], ((model.kind, model.widths[:-1]), network(model)), *made[1:])


def escaped(text: str) -> str:
    """Text of a user's as Markdown that shows it letter by letter."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def makeup(run: Run) -> str:
    """A run in a few words: data, network, loss."""
    return ", ".join(_makeup(run))


def _makeup(run: Run) -> tuple[str, ...]:
    return DATA.get(run.data_name, run.data_name), network(run.request.model), loss(run.request.loss)


def network(model: ModelRequest) -> str:
    """A network by kind and widths, a ResNet by its depth where it has one."""
    kind = title(model.kind).rpartition(".")[2]
    deep = depth(model.widths[1:-1]) if model.kind == "resnet" else None
    widths = (model.widths[0], model.widths[-1]) if deep else model.widths
    return f"{kind}{f'‑{deep}' if deep else ''} {'‑'.join(map(str, widths))}".strip()


DATA = {"mnist5k": "MNIST (5,000 digits)", "mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}

_TITLES = {"mnist": "MNIST", "cifar10": "CIFAR-10", "imagenet": "ImageNet", "signed": "−1 … 1"}
SCALINGS = {"paper": "as in the paper", "unit": "0 … 1", "none": "as stored"} | {
    key: f"{_TITLES[key]}: less {', '.join(map(str, mean))}, over {', '.join(map(str, deviation))}"
    for key, (mean, deviation) in NORMALISATIONS.items()
}


def scaling(name: str) -> str:
    """What is done to pixels, in words, with the numbers where there are."""
    mean, _, deviation = name.partition("/")
    return SCALINGS.get(name) or f"less {mean}, over {deviation}"


def loss(name: str) -> str:
    """A loss by its label; one that this version does not know by its name, a user's own without its module."""
    known = {**LOSSES, **OTHERS}
    return known[name].label if name in known else name if "=" in name else name.rpartition(".")[2]


def reached(run: Run) -> int:
    """The last epoch on record; 0 before the first."""
    return int(run.history.epoch[-1]) if len(run.history) else 0


def settings(run: Run) -> str:
    """How a run was trained, in one sentence."""
    training = run.request.training
    if run.request.weights:
        count = len(run.request.weights)
        checkpoints = f"{count} checkpoints" if count > 1 else "1 checkpoint"
        return f"{run.samples:,} samples; {checkpoints} that came from files, trained elsewhere. Key {run.key[:8]}."
    if run.recorded is not None:
        steps = f", steps by {run.recorded.optimizer}" if run.recorded.optimizer else ""
        return (
            f"{run.samples:,} samples, {len(run.history)} epochs recorded from a script, batches of "
            f"{training.batch_size}{steps}. Key {run.key[:8]}."
        )
    device = run.device.upper() if run.device == "cpu" else run.device
    return (
        f"{run.samples:,} samples, {reached(run)} of {training.epochs} epochs, batches of {training.batch_size}, "
        f"learning rate {training.learning_rate:g}, seed {run.request.seed}, on {device}. Key {run.key[:8]}."
    )
