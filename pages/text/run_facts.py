"""A run's settings in the words of the field, and what several runs do not share."""

import math
from collections.abc import Mapping, Sequence

from engine.models.architectures import KINDS
from engine.runs.library import Run
from pages.data import results
from pages.text import confidence
from pages.text.run_names import DATA, LOSSES, network

# What is not known of weights that came from files.
OF_TRAINING = (
    *("Batch size B", "Learning rate", "Cosine annealing", "Gradient norm clipped at", "Momentum", "Weight decay"),
    *("Stops at a training loss of", "Seed"),
)
SCALINGS = {"paper": "as in the paper", "unit": "0 … 1", "none": "none"}


def settings(run: Run) -> Mapping[str, str]:
    """Every setting of a run by its name, in the order of a form."""
    data, model, training = run.request.data, run.request.model, run.request.training
    told = {
        "Data": DATA.get(run.data_name, run.data_name),
        "Classes": ", ".join(run.class_names),
        "Training samples": f"{run.samples:,}",
        "Samples per class": "all" if data.per_class is None else f"{data.per_class:,}",
        "Label noise": f"{data.label_noise:.0%}",
        "Pixel scaling": SCALINGS.get(data.scaling, data.scaling),
        "Seed of the data": str(data.seed),
        "Network": network(run),
        "Activation": {"relu": "ReLU", "gelu": "GELU"}.get(model.activation, model.activation),
        "Biases": "yes" if model.bias else "no",
        "Loss": LOSSES.get(run.request.loss, run.request.loss),
        "Epochs": epochs(run),
        "Batch size B": f"{training.batch_size:,}",
        "Learning rate": f"{training.learning_rate:g}",
        "Cosine annealing": f"over {training.cosine_epochs:,} epochs to × {training.final_rate_ratio:g}",
        "Gradient norm clipped at": "—" if training.clip_norm is None else f"{training.clip_norm:g}",
        "Momentum": f"{training.momentum:g}",
        "Weight decay": f"{training.weight_decay:g}",
        "Stops at a training loss of": "—" if training.stop_loss is None else f"{training.stop_loss:g}",
        "Checkpoints": ", ".join(map(str, run.checkpoints)) or "none",
        "Seed": str(run.request.seed),
        "Device": run.device,
    }
    if run.request.weights:
        told |= dict.fromkeys(OF_TRAINING, "trained elsewhere")
    if model.kind not in KINDS:
        told |= {"Activation": "its own", "Biases": "its own"}
    return told


def reached(run: Run) -> int:
    """The last epoch on record; 0 before the first."""
    return int(run.history.epoch[-1]) if len(run.history) else 0


def epochs(run: Run) -> str:
    """How far training came of what was asked for."""
    return "trained elsewhere" if run.request.weights else f"{reached(run):,} of {run.request.training.epochs:,}"


def again(run: Run) -> str:
    """How to have a run back once it is deleted, in a sentence."""
    if run.request.weights:
        return "Loading the same files brings it back."
    return "Training again with the same settings makes the same run anew."


def accuracy(run: Run) -> float:
    """The share of training samples that were right at the last epoch on record; NaN before the first."""
    return float(run.history.train_accuracy[-1]) if len(run.history) else math.nan


def differences(runs: Sequence[Run]) -> Mapping[str, tuple[str, ...]]:
    """The settings in which the runs differ, with the value of each run."""
    told = [settings(run) for run in runs]
    both = {name: tuple(each[name] for each in told) for name in told[0]}
    return {name: values for name, values in both.items() if len(set(values)) > 1}


def gammas(runs: Sequence[Run]) -> Mapping[str, tuple[str, ...]]:
    """γ of the noise and of its prediction, with its 95 % interval, at the last analysed epoch of each run."""
    rows = {"Last analysed epoch": tuple("none" if (e := results.last_fit(r, "C")[0]) < 0 else str(e) for r in runs)}
    for name, title in (("C", "γ of $C$"), ("C_awd", r"γ of $C_\mathrm{AWD}$")):
        fits = [results.last_fit(run, name)[1] for run in runs]
        rows[title] = tuple("—" if f is None else f"**{f.gamma:.3f}** ({confidence.between(f)})" for f in fits)
    return rows
