"""engine.config.fields: every setting is declared, read from tables with its own type, and held within its bounds."""

import dataclasses
import math
import re

import pytest

from engine.config import fields
from engine.config.presets import read as read_presets
from engine.config.requests import (
    SETTINGS,
    AnalysisRequest,
    DataRequest,
    ModelRequest,
    RunRequest,
    SamplesRequest,
    TrainingRequest,
    run_request,
    to_json,
)

# Which run and checkpoint is meant, and the parts of a run: all but these are settings.
NO_SETTINGS = {"run", "epoch", "data", "model", "training", "weights"}


@pytest.mark.parametrize("cls", [DataRequest, ModelRequest, TrainingRequest, RunRequest, AnalysisRequest])
def test_every_setting_is_declared_and_its_default_lies_in_the_bounds(cls):
    names = {f.name for f in dataclasses.fields(cls)} - NO_SETTINGS
    assert set(fields.declared(cls)) == names
    for field in fields.declared(cls).values():
        assert field.setting.label
        field.check(field.default)
        assert not field.optional or field.setting.none in ("all", "off")


def test_a_name_means_one_setting():
    assert (SETTINGS["data_seed"].request, SETTINGS["data_seed"].attribute) == (DataRequest, "seed")
    assert SETTINGS["seed"].request is RunRequest
    assert SETTINGS["batch_size"].request is TrainingRequest
    assert SETTINGS["bias"].request is ModelRequest
    assert SETTINGS["anchors"].attribute == "anchors_per_class"


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (DataRequest(per_class=0), "The samples per class are a whole number from 1 on; 0 was given."),
        (DataRequest(label_noise=1.5), "The label noise is a fraction between 0 and 1; 1.5 was given."),
        (
            DataRequest(scaling="log"),
            "There is no scaling 'log'; choose one of paper, unit, none, mnist, cifar10, imagenet, signed, or give "
            "mean/deviation such as 0.1307/0.3081.",
        ),
        (DataRequest(classes=(1, -1)), "The classes are labels from 0 on; -1 was given."),
        (ModelRequest(activation="sin"), "There is no activation 'sin'; choose one of relu, tanh, gelu."),
        (TrainingRequest(epochs=-3), "The epochs are a whole number from 0 on; -3 was given."),
        (TrainingRequest(learning_rate=math.nan), "The learning rate is a number above 0; nan was given."),
        (TrainingRequest(learning_rate=math.inf), "The learning rate is a number above 0; inf was given."),
        (TrainingRequest(momentum=1.0), "The momentum lies from 0 to below 1; 1.0 was given."),
        (TrainingRequest(clip_norm=math.inf), "The gradient norm is clipped at a number above 0, or not at all (None); "
                                              "inf was given."),
        (RunRequest(loss="hinge"), "There is no loss 'hinge'; choose one of ce, mse, linear_mse."),
        (RunRequest(training=TrainingRequest(weight_decay=-1.0)), "The weight decay is a number from 0 on; -1.0 was "
                                                                  "given."),
        (AnalysisRequest("r", 0, dtype="int8"), "dtype is 'float32' or 'float64', not 'int8'."),
        (AnalysisRequest("r", 0, bootstrap=-1), "bootstrap is a number of resamples from 0, not -1."),
    ],
)  # fmt: skip
def test_what_lies_out_of_bounds_is_refused(request_, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        fields.check(request_)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"training": {"epochs": "100"}}, "epochs is a whole number, not '100'."),
        ({"training": {"epochs": True}}, "epochs is a whole number, not True."),
        ({"training": {"learning_rate": "fast"}}, "learning_rate is a number, not 'fast'."),
        ({"training": {"checkpoints": [0, "last"]}}, "checkpoints is a list of whole numbers, not [0, 'last']."),
        ({"model": {"bias": 1}}, "bias is true or false, not 1."),
        ({"loss": 3}, "loss is a text, not 3."),
        ({"data": "mnist"}, "DataRequest is a table of settings, not 'mnist'."),
        ({"weights": "abc"}, "weights is a list of texts, not 'abc'."),
        ({"speed": 1}, "RunRequest has no setting speed; it has data, loss, model, seed, training, weights."),
    ],
)
def test_a_table_with_something_else_in_it_is_refused(values, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        run_request(values)


def test_what_must_be_there_is_missed():
    with pytest.raises(ValueError, match=r"SamplesRequest lacks the setting epoch, run\."):
        fields.read(SamplesRequest, {"layer": "fc2"}, "SamplesRequest")


def test_a_whole_number_is_a_number_and_reads_as_one():
    request = run_request({"training": {"learning_rate": 1, "clip_norm": None, "stop_loss": "off"}})
    assert request == RunRequest(training=TrainingRequest(learning_rate=1.0, clip_norm=None, stop_loss=None))
    assert to_json(request)["training"]["learning_rate"] == 1.0
    assert isinstance(request.training.learning_rate, float)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ('training = { epochs = "100" }', "Preset 'a': epochs is a whole number, not '100'."),
        ("training = { epochs = -3 }", "Preset 'a': The epochs are a whole number from 0 on; -3 was given."),
        ("training = { learning_rate = nan }", "Preset 'a': The learning rate is a number above 0; nan was given."),
        ("loss = 'hinge'", "Preset 'a': There is no loss 'hinge'; choose one of ce, mse, linear_mse."),
    ],
)
def test_a_preset_is_read_as_strictly(settings, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        read_presets(f"[[preset]]\nname = 'a'\n{settings}")
