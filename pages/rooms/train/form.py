"""What the form of the Train page holds, and how it becomes a request."""

import re
from dataclasses import dataclass, replace

from engine.config import fields
from engine.config.kinds import KINDS, flat
from engine.config.presets import CLASSES, Preset, presets
from engine.config.requests import DATASETS, ModelRequest, RunRequest, default_model, usual_model
from engine.errors import require
from engine.losses import SQUARES
from engine.models import architectures
from engine.runs.preview import Preview
from engine.training import schedule
from pages.state.form import FormState, numbers

ANALYZE = {"none": (), "last": ("last",), "all": ("last", "all")}


@dataclass(frozen=True)
class Form:
    """Every widget's value. request: the run, but for its widths and checkpoints: these as typed; analyze: a key of
    ANALYZE."""

    request: RunRequest
    widths: str
    checkpoints: str
    analyze: str

    @property
    def data(self) -> str:
        """The data set's name or path."""
        return self.request.data.name

    @classmethod
    def of(cls, request: RunRequest, analyze: tuple[str, ...] = ("last", "all")) -> "Form":
        """The form that asks for this run."""
        model, training = request.model, request.training
        widths = model.widths if KINDS[model.kind].hidden else default_model(request.data).widths
        return cls(
            replace(request, model=replace(model, widths=()), training=replace(training, checkpoints=())),
            widths="-".join(map(str, widths)),
            checkpoints=", ".join(map(str, training.checkpoints)),
            analyze=next(name for name, words in ANALYZE.items() if words == analyze),
        )

    def run_request(self, preview: Preview) -> RunRequest:
        """The run the form asks for, on data of which this is the preview. ValueError: the sentence that says what
        does not fit, the engine's own wherever it is the engine's matter."""
        data = self.request.data
        count, _, outputs = preview.chosen(data)
        free = KINDS[self.request.model.kind].hidden
        widths = _widths(self.widths) if free else (preview.shape[0], outputs)
        model = replace(self.request.model, widths=widths)
        name = data.name if data.name in DATASETS else "the file"
        architectures.check_fit(model, preview.shape, outputs, name, bool(preview.numbers))
        training = replace(self.request.training, checkpoints=_epochs(self.checkpoints))
        schedule.check(training, count)
        run = replace(self.request, model=model, training=training)
        fields.check(run)
        return run

    def fitted(self, preview: Preview | None) -> "Form":
        """The form with a network whose first and last width fit the data, its hidden layers as they were."""
        data, kind = self.request.data, self.request.model.kind
        if preview is not None and len(preview.shape) != 3 and not flat(kind):
            return FORM.changed(self.of_kind("mlp"), model="mlp").fitted(preview)
        typed = kind if KINDS[kind].hidden else "mlp"
        if preview is None:
            # Not yet looked at: the usual network for a data set of that name.
            return self.of_kind(typed)
        try:
            model = ModelRequest(typed, _widths(self.widths))
        except ValueError:
            model = usual_model(typed, data)
        classes = sum(map(bool, preview.train)) if data.classes is None else len(data.classes)
        widths = architectures.fitting(model, preview.shape, preview.numbers or classes).widths
        fitted = replace(self, widths="-".join(map(str, widths)))
        if preview.numbers:  # of which there are no classes
            return FORM.changed(fitted, loss=SQUARES.name, classes=None, per_class=None, label_noise=0.0)
        return fitted

    def of_kind(self, kind: str) -> "Form":
        """The form with the usual widths of a kind of network."""
        return replace(self, widths="-".join(map(str, usual_model(kind, self.request.data).widths)))

    def matching(self) -> tuple[Preset, int] | None:
        """The preset, and its number of classes, that the form still asks for; whatever is analysed afterwards, and
        whatever seed."""
        for preset in presets():
            for classes in CLASSES:
                theirs = self.of(preset.run(classes), preset.analyze)
                if FORM.changed(self, analyze=theirs.analyze, seed=theirs.request.seed) == theirs:
                    return preset, classes
        return None


def _widths(text: str) -> tuple[int, ...]:
    words = re.split(r"[\s,;x×‑–-]+", text.strip())
    require(
        len(words) >= 2 and all(word.isdecimal() and len(word) < 7 for word in words),
        f"“{text}” describes no network. Give the widths from the inputs to the classes, for example 784-50-50-10.",
    )
    return tuple(map(int, words))


def _epochs(text: str) -> tuple[int, ...]:
    refusal = f"“{text}” is no list of epochs. Give whole numbers such as 0, 1, 10; the last epoch is always kept."
    return tuple(sorted(set(numbers(text, refusal))))


# At first the demo's settings.
FORM = FormState("train", Form.of(RunRequest()))
current, put, bound, widget = FORM.current, FORM.put, FORM.bound, FORM.widget
