"""A form in the session: a value goes where its setting is declared, and widgets are as it is declared."""

from dataclasses import replace

import pytest

from engine.config import fields
from engine.config.requests import AnalysisRequest, RunRequest
from pages.rooms.load import form as load_form
from pages.rooms.train import form as train_form
from pages.state import form


def test_a_value_goes_to_the_request_that_declares_it():
    changed = train_form.FORM.changed(train_form.FORM.first, data_seed=3, seed=4, per_class=5, widths="784-5-10")
    assert (changed.request.data.seed, changed.request.seed, changed.request.data.per_class) == (3, 4, 5)
    assert (changed.widths, changed.request.model) == ("784-5-10", train_form.FORM.first.request.model)


def test_of_two_settings_with_one_name_the_later_request_has_it():
    changed = load_form.FORM.changed(load_form.FORM.first, batch_size=64)
    assert changed == replace(load_form.Form(), analysis=AnalysisRequest("", 0, batch_size=64))
    assert changed.request == RunRequest()


def test_a_name_that_nothing_declares_is_refused():
    with pytest.raises(KeyError, match="pressure"):
        train_form.FORM.changed(train_form.FORM.first, pressure=1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("label_noise", {"label": "Label noise", "min_value": 0.0, "max_value": 1.0, "step": 0.05}),
        ("momentum", {"label": "Momentum", "min_value": 0.0, "max_value": 1.0, "step": 0.1}),
        ("per_class", {"min_value": 1, "max_value": None, "step": 50, "value": None, "placeholder": "all"}),
        ("activation", {"label": "Activation", "options": ("relu", "tanh", "gelu")}),
        ("bias", {"label": "Bias"}),
    ],
)
def test_a_widget_is_as_its_setting_is_declared(name, expected, monkeypatch):
    monkeypatch.setattr(form.st, "session_state", {})
    arguments = train_form.widget(name, help="More.")
    assert arguments.pop("on_change") is not None
    assert arguments == expected | {"label": arguments["label"], "key": f"train.{name}", "help": "More."}


def test_every_setting_of_a_run_is_found_once():
    names = [field.name for _, field, _ in fields.settings(RunRequest())]
    assert len(names) == len(set(names))
    assert names[:2] == ["data", "classes"]
    assert names[-1] == "seed"
