"""A run's settings in the words of the field, and what several runs do not share."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.config import fields
from engine.config.kinds import KINDS, has_activation
from engine.config.requests import TrainingRequest
from engine.results.names import USUAL_WINDOW
from engine.runs.run import Run
from pages.data import results
from pages.text import confidence, run_names
from pages.text.run_names import DATA, network, reached

# Where a run's setting is called otherwise than in a form.
TITLES = {
    "data": "Data",
    "data_seed": "Seed of the data",
    "model": "Network",
    "bias": "Biases",
    "cosine_epochs": "Cosine annealing",
    "clip_norm": "Gradient norm clipped at",
    "stop_loss": "Stops at a training loss of",
    "checkpoints": "Checkpoints",
}
# Said with another: with the network, with the cosine.
INCLUDED = ("widths", "final_rate_ratio")


def settings(run: Run) -> Mapping[str, str]:
    """Every setting of a run by its name, in the order of a form."""
    data, model, training = run.request.data, run.request.model, run.request.training
    values = {
        "data": DATA.get(run.data_name, run.data_name),
        "classes": ", ".join(run.class_names),
        "per_class": "all" if data.per_class is None else f"{data.per_class:,}",
        "label_noise": f"{data.label_noise:.0%}",
        "scaling": run_names.scaling(data.scaling),
        "data_seed": str(data.seed),
        "model": network(model),
        "activation": {"relu": "ReLU", "gelu": "GELU"}.get(model.activation, model.activation),
        "loss": run_names.loss(run.request.loss),
        "epochs": epochs(run),
        "cosine_epochs": f"over {training.cosine_epochs:,} epochs to × {training.final_rate_ratio:g}",
        "checkpoints": ", ".join(map(str, run.checkpoints)) or "none",
        "seed": str(run.request.seed),
    }
    if model.kind not in KINDS:
        values |= {"bias": "its own"} | ({} if has_activation(model.kind) else {"activation": "its own"})
    if run.request.weights:
        of_training = (name for name in fields.declared(TrainingRequest) if name != "checkpoints")
        values |= dict.fromkeys((*of_training, "seed"), "trained elsewhere")
    if run.recorded is not None:
        own = (*fields.declared(TrainingRequest), "seed", "per_class", "label_noise", "scaling", "data_seed")
        values = dict.fromkeys((name for name in own if name != "batch_size"), "the script's own") | {
            name: values[name] for name in ("data", "classes", "model", "activation", "bias", "loss", "checkpoints")
        }
        values["epochs"] = epochs(run)
    facts = {}
    for _, field, value in fields.settings(run.request):
        if field.name not in INCLUDED:
            facts[TITLES.get(field.name, field.setting.label)] = values.get(field.name) or _written(value)
        if field.name == "classes":
            facts["Training samples"] = f"{run.samples:,}"
    steps = {} if run.recorded is None else {"Optimiser": run.recorded.optimizer or "not told"}
    return facts | steps | {"Device": run.device}


def _written(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "—", True: "yes", False: "no"}[value]
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def epochs(run: Run) -> str:
    """How far training came of what was asked for."""
    if run.recorded is not None:
        return f"{reached(run):,}{' so far' if run.growing else ''}"
    return "trained elsewhere" if run.request.weights else f"{reached(run):,} of {run.request.training.epochs:,}"


def again(run: Run) -> str:
    """How to have a run back once it is deleted, in a sentence."""
    if run.request.weights:
        return "Loading the same files brings it back."
    if run.recorded is not None:
        return "Only its script can make one like it."
    return "Training again with the same settings makes the same run anew."


def accuracy(run: Run) -> float:
    """The share of training samples that were right at the last epoch on record; NaN before the first."""
    return float(run.history.train_accuracy[-1]) if len(run.history) else math.nan


def share(value: float) -> str:
    """A share, — where it has no meaning, as the accuracy where targets are no classes."""
    return "—" if math.isnan(value) else f"{value:.1%}"


def differences(runs: Sequence[Run]) -> Mapping[str, tuple[str, ...]]:
    """The settings in which the runs differ, with the value of each run."""
    by_run = [settings(run) for run in runs]
    both = {name: tuple(each[name] for each in by_run) for name in by_run[0]}
    return {name: values for name, values in both.items() if len(set(values)) > 1}


def gammas(runs: Sequence[Run]) -> Mapping[str, tuple[str, ...]]:
    """γ of the noise and of its prediction, with its 95 % interval, at the last analysed epoch of each run."""
    rows = {"Last analysed epoch": tuple("none" if (e := results.last_fit(r, "C")[0]) < 0 else str(e) for r in runs)}
    for name, title in (("C", "γ of $C$"), ("C_awd", r"γ of $C_\mathrm{AWD}$")):
        title += f", directions 1 … {USUAL_WINDOW:,}"
        fits = [results.last_fit(run, name)[1] for run in runs]
        rows[title] = tuple("—" if f is None else f"**{f.gamma:.3f}** ({confidence.between(f)})" for f in fits)
    return rows
