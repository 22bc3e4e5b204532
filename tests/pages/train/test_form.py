"""The training form: every control's effect on the request that would start, and what does not fit."""

from dataclasses import replace

import pytest

from cache.store import Store
from engine.config.fields import declared
from engine.config.kinds import KINDS
from engine.config.presets import preset, presets
from engine.config.requests import DataRequest, ModelRequest, RunRequest, TrainingRequest
from engine.runs import preview
from pages.rooms.train.form import Form
from tests.pages.conftest import button, chart, fine, metrics, opened
from tests.pages.train.conftest import PAGE, asked, press_preset, set_value
from tests.planted import DIGITS, add_preview

pytestmark = pytest.mark.usefixtures("prepared")


def test_untouched_it_asks_for_the_demo(at, started):
    assert not started
    command = asked(at, started)
    assert (command.request, command.analyze) == (RunRequest(), ("last", "all"))


@pytest.mark.parametrize(
    ("kind", "field", "value", "expected"),
    [
        ("number_input", "per_class", 200, {"data": DataRequest(per_class=200)}),
        ("number_input", "label_noise", 0.25, {"data": DataRequest(label_noise=0.25)}),
        ("selectbox", "scaling", "unit", {"data": DataRequest(scaling="unit")}),
        ("number_input", "data_seed", 3, {"data": DataRequest(seed=3)}),
        ("text_input", "widths", "784 30 20 10", {"model": ModelRequest(widths=(784, 30, 20, 10))}),
        ("selectbox", "activation", "tanh", {"model": ModelRequest(activation="tanh")}),
        ("toggle", "bias", True, {"model": ModelRequest(bias=True)}),
        ("selectbox", "loss", "linear_mse", {"loss": "linear_mse"}),
        ("number_input", "epochs", 7, {"training": TrainingRequest(epochs=7)}),
        ("number_input", "batch_size", 64, {"training": TrainingRequest(batch_size=64)}),
        ("number_input", "learning_rate", 0.03, {"training": TrainingRequest(learning_rate=0.03)}),
        ("number_input", "cosine_epochs", 90, {"training": TrainingRequest(cosine_epochs=90)}),
        ("number_input", "final_rate_ratio", 0.5, {"training": TrainingRequest(final_rate_ratio=0.5)}),
        ("number_input", "clip_norm", None, {"training": TrainingRequest(clip_norm=None)}),
        ("number_input", "momentum", 0.9, {"training": TrainingRequest(momentum=0.9)}),
        ("number_input", "weight_decay", 1e-4, {"training": TrainingRequest(weight_decay=1e-4)}),
        ("number_input", "stop_loss", None, {"training": TrainingRequest(stop_loss=None)}),
        ("text_input", "checkpoints", "9, 3;3", {"training": TrainingRequest(checkpoints=(3, 9))}),
        ("number_input", "seed", 5, {"seed": 5}),
    ],
)
def test_every_control_changes_what_is_asked_for(at, started, kind, field, value, expected):
    set_value(at, kind, field, value)
    assert asked(at, started).request == replace(RunRequest(), **expected)


def test_every_setting_of_sgd_has_its_widget(at):
    keys = {w.key for w in (*at.number_input, *at.text_input)}
    assert {f"train.{name}" for name in declared(TrainingRequest)} <= keys


@pytest.mark.parametrize(("choice", "words"), [("none", ()), ("last", ("last",)), ("all", ("last", "all"))])
def test_what_is_analysed_afterwards(at, started, choice, words):
    set_value(at, "button_group", "analyze", choice)
    assert asked(at, started).analyze == words


def test_fewer_classes_take_the_network_along(at, started):
    set_value(at, "button_group", "first", 3)
    request = asked(at, started).request
    assert (request.data.classes, request.model.widths) == ((0, 1, 2), (784, 50, 50, 3))
    at = opened(PAGE)
    set_value(at, "button_group", "classes", [7, 1])
    request = asked(at, started).request
    assert (request.data.classes, request.model.widths) == ((1, 7), (784, 50, 50, 2))


def test_a_cnn_takes_its_channels_and_classes_from_the_data(at, started):
    set_value(at, "selectbox", "model", "cnn")
    assert not [t for t in at.text_input if t.key == "train.widths"]
    assert asked(at, started).request.model == ModelRequest("cnn", (1, 10))


@pytest.mark.parametrize(
    ("kind", "widths", "studied"),
    [
        ("mlp-bn", (784, 50, 50, 10), "fc2"),
        ("resmlp", (784, 64, 64, 64, 10), "fc3"),
        ("lenet5", (1, 10), "fc2"),
        ("resnet", (1, 16, 32, 64, 10), "block3.conv2"),
        ("vit", (1, 64, 64, 10), "block2.fc2"),
    ],
)
def test_a_kind_brings_its_usual_widths_and_is_drawn(at, started, kind, widths, studied):
    set_value(at, "selectbox", "model", kind)
    assert asked(at, started).request.model == ModelRequest(kind, widths)
    assert f"<b>{studied}</b>" in [note["text"] for note in chart(at, "network")["layout"]["annotations"]]
    assert KINDS[kind].about in [c.value for c in at.caption]
    set_value(at, "selectbox", "model", "mlp")
    assert asked(at, started).request.model == ModelRequest()


def test_a_resnet_is_chosen_by_its_depth_and_costs_more_the_deeper_it_is(at, started):
    set_value(at, "selectbox", "model", "resnet")
    few = metrics(at)["Parameters"]
    set_value(at, "selectbox", "depth", 20)
    widths = (1, *(16,) * 3, *(32,) * 3, *(64,) * 3, 10)
    assert asked(at, started).request.model == ModelRequest("resnet", widths)
    assert at.text_input(key="train.widths").value == "-".join(map(str, widths))
    assert (few, metrics(at)["Parameters"]) == ("75,002", "269,434")
    set_value(at, "text_input", "widths", "1-8-8-10")
    assert at.selectbox(key="train.depth").value is None
    set_value(at, "text_input", "widths", "1-8-4-10")
    assert "its widths never fall" in at.warning[0].value


@pytest.mark.parametrize("name", [p.name for p in presets()])
def test_a_preset_fills_the_whole_form(started, name):
    chosen = preset(name)
    sizes = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32), "mnist5k": (1, 28, 28)}
    data = chosen.request.data.name
    add_preview(Store(), data, replace(DIGITS, name=data, train=(6000,) * 10, shape=sizes[data]))
    at = opened(PAGE)
    set_value(at, "number_input", "momentum", 0.5)
    press_preset(at, name)
    command = asked(at, started)
    assert (command.request, command.analyze) == (chosen.request, chosen.analyze)
    if chosen.window:
        assert f"𝒩 = {chosen.window[10]:,} directions" in " ".join(c.value for c in at.caption)


def test_a_preset_with_fewer_classes_is_the_papers_own(started):
    add_preview(Store(), "cifar10", replace(DIGITS, name="cifar10", train=(5000,) * 10, shape=(3, 32, 32)))
    at = opened(PAGE)
    press_preset(at, "CIFAR-10 CNN, CE")
    set_value(at, "button_group", "first", 3)
    assert any(c.value.startswith("CIFAR-10 CNN, CE: ") for c in at.caption)
    assert asked(at, started).request == preset("CIFAR-10 CNN, CE").run(3)
    set_value(at, "number_input", "epochs", 99)
    assert any(c.value.startswith("Your own settings") for c in at.caption)


def test_the_form_survives_a_change_of_page(at):
    set_value(at, "number_input", "epochs", 17)
    set_value(at, "text_input", "widths", "784-33-22-10")
    at.switch_page("pages/power_law.py").run()
    fine(at.switch_page(PAGE).run())
    assert (at.number_input(key="train.epochs").value, at.text_input(key="train.widths").value) == (17, "784-33-22-10")


# -- what does not fit ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "field", "value", "sentence"),
    [
        ("text_input", "widths", "700-50-10", "takes 700 inputs and knows 10 classes; mnist5k has 784 and 10"),
        ("text_input", "widths", "many", "“many” describes no network"),
        ("text_input", "checkpoints", "first", "“first” is no list of epochs"),
        ("number_input", "per_class", 451, "ask for at most 450"),
        ("number_input", "batch_size", 5000, "between 1 and the 4,500 training samples"),
        ("number_input", "learning_rate", 0.0, "learning rate is a number above 0"),
        ("number_input", "momentum", 1.0, "from 0 to below 1"),
        ("button_group", "classes", [4], "needs at least two"),
    ],
)
def test_what_does_not_fit_is_said_before_the_start(at, started, kind, field, value, sentence):
    set_value(at, kind, field, value)
    assert sentence in at.warning[0].value.replace("\\", "")
    assert at.button(key="train.start").disabled
    assert not started


def test_widths_that_do_not_fit_are_fitted_at_a_press(at, started):
    set_value(at, "text_input", "widths", "3072-40-30-3")
    fine(button(at, "Use 784-40-30-10").click().run())
    assert not at.warning
    assert asked(at, started).request.model.widths == (784, 40, 30, 10)


# -- the panel --------------------------------------------------------------------------------------------


def test_the_text_of_the_form_is_the_command(at):
    set_value(at, "number_input", "epochs", 7)
    assert "python -m engine train --epochs 7 --analyze last,all" in [c.value for c in at.code]


def test_a_form_survives_the_way_to_a_request_and_back():
    digits = preview.Preview("mnist5k", DIGITS.class_names, (9000,) * 10, (50,) * 10, (1, 28, 28), None)
    for one in presets():
        request = one.run(6)
        if request.data.name == "cifar10":
            continue
        assert Form.of(request).run_request(digits) == request
