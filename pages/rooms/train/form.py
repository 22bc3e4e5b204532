"""What the form of the Train page holds, and how it becomes a request.

The form is one frozen value in the session: it outlives a change of page, a preset replaces it as a whole, and
widgets are given its values before they are drawn.
"""

import dataclasses
import re
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from engine.config.presets import CLASSES, Preset, presets
from engine.config.requests import DATASETS, DataRequest, ModelRequest, RunRequest, TrainingRequest, default_model
from engine.data import subset
from engine.errors import require
from engine.models import architectures
from engine.runs.preview import Preview
from engine.training import schedule

_KEY = "train"
ANALYZE = {"none": (), "last": ("last",), "all": ("last", "all")}


@dataclass(frozen=True)
class Form:
    """Every widget's value. data: a name or a path; classes: labels, None for all; widths and checkpoints: as
    typed; analyze: a key of ANALYZE; the rest as in engine.config.requests."""

    data: str
    classes: tuple[int, ...] | None
    per_class: int | None
    label_noise: float
    scaling: str
    data_seed: int
    kind: str
    widths: str
    activation: str
    bias: bool
    loss: str
    epochs: int
    batch_size: int
    learning_rate: float
    cosine_epochs: int
    final_rate_ratio: float
    clip_norm: float | None
    momentum: float
    weight_decay: float
    stop_loss: float | None
    checkpoints: str
    seed: int
    analyze: str


def of(request: RunRequest, analyze: tuple[str, ...] = ("last", "all")) -> Form:
    """The form that asks for this run."""
    data, model, training = request.data, request.model, dataclasses.asdict(request.training)
    widths = model.widths if model.kind == "mlp" else default_model(data).widths
    return Form(
        data=data.name,
        classes=data.classes,
        per_class=data.per_class,
        label_noise=data.label_noise,
        scaling=data.scaling,
        data_seed=data.seed,
        kind=model.kind,
        widths="-".join(map(str, widths)),
        activation=model.activation,
        bias=model.bias,
        loss=request.loss,
        seed=request.seed,
        analyze=next(name for name, words in ANALYZE.items() if words == analyze),
        **(training | {"checkpoints": ", ".join(map(str, request.training.checkpoints))}),
    )


def data_request(form: Form) -> DataRequest:
    """What is taken of which data."""
    return DataRequest(form.data, form.classes, form.per_class, form.label_noise, form.scaling, form.data_seed)


def request(form: Form, preview: Preview) -> RunRequest:
    """The run the form asks for, on data of which this is the preview. ValueError: the sentence that says what
    does not fit, the engine's own wherever it is the engine's matter."""
    data = data_request(form)
    classes = subset.chosen_classes(data, preview.train)
    mlp = form.kind == "mlp"
    widths = _widths(form.widths) if mlp else (preview.shape[0], len(classes))
    model = ModelRequest(form.kind, widths, form.activation, form.bias)
    name = form.data if form.data in DATASETS else "the file"
    architectures.check_fit(model, preview.shape, len(classes), name)
    settings = {f.name: getattr(form, f.name) for f in dataclasses.fields(TrainingRequest)}
    training = TrainingRequest(**(settings | {"checkpoints": _epochs(form.checkpoints)}))
    schedule.check(training, subset.samples(data, preview.train))
    require(form.seed >= 0, f"The seed is a whole number from 0 on; {form.seed} was given.")
    return RunRequest(data, model, form.loss, training, form.seed)


def _widths(text: str) -> tuple[int, ...]:
    words = re.split(r"[\s,;x×‑–-]+", text.strip())
    require(
        len(words) >= 2 and all(word.isdecimal() and len(word) < 7 for word in words),
        f"“{text}” describes no network. Give the widths from the inputs to the classes, for example 784-50-50-10.",
    )
    return tuple(map(int, words))


def _epochs(text: str) -> tuple[int, ...]:
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    require(
        all(word.isdecimal() and len(word) < 7 for word in words),
        f"“{text}” is no list of epochs. Give whole numbers such as 0, 1, 10; the last epoch is always kept.",
    )
    return tuple(sorted({int(word) for word in words}))


def fitted(form: Form, preview: Preview | None) -> Form:
    """The form with a network whose first and last width fit the data, its hidden layers as they were."""
    data = data_request(form)
    if preview is None:
        # Not yet looked at: the paper's network for a data set of that name.
        return replace(form, widths="-".join(map(str, default_model(data).widths)))
    try:
        model = ModelRequest("mlp", _widths(form.widths))
    except ValueError:
        model = default_model(data)
    classes = sum(map(bool, preview.train)) if form.classes is None else len(form.classes)
    widths = architectures.fitting(model, preview.shape, classes).widths
    kind = form.kind if len(preview.shape) == 3 else "mlp"
    return replace(form, widths="-".join(map(str, widths)), kind=kind)


def matching(form: Form) -> tuple[Preset, int] | None:
    """The preset, and its number of classes, that the form still asks for; whatever is analysed afterwards, and
    whatever seed."""
    for preset in presets():
        for classes in CLASSES:
            theirs = of(preset.run(classes), preset.analyze)
            if replace(form, analyze=theirs.analyze, seed=theirs.seed) == theirs:
                return preset, classes
    return None


# -- the session's form -----------------------------------------------------------------------------------


def current() -> Form:
    """The form as it is; at first the demo's settings."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = of(RunRequest())
    form = st.session_state[_KEY]
    assert isinstance(form, Form)
    return form


def put(form: Form) -> None:
    """Replace the form."""
    st.session_state[_KEY] = form


def bound(field: str) -> dict[str, Any]:
    """Arguments that tie a widget to a field of the form."""
    key = f"{_KEY}.{field}"

    def changed() -> None:
        put(replace(current(), **{field: st.session_state[key]}))

    wanted = getattr(current(), field)
    if key not in st.session_state or st.session_state[key] != wanted:
        st.session_state[key] = wanted
    return {"key": key, "on_change": changed}
