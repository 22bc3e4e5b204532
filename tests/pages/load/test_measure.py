"""The analysis of what was loaded, or of a run that is here, asks for what is chosen."""

import pytest

from engine.config.commands import AnalyzeCommand
from engine.config.kinds import by_depth
from engine.config.requests import AnalysisRequest, ModelRequest, RunRequest, to_json
from engine.models.architectures import layers
from engine.runs import library
from tests.pages.conftest import button, fine, metrics, opened
from tests.pages.load.conftest import PAGE, asked, digits_net, saved, uploaded
from tests.planted import fill

# -- the analysis -----------------------------------------------------------------------------------------


@pytest.fixture
def at(started, store, tmp_path):
    """The page with a checked series."""
    at = uploaded([saved(tmp_path / f"epoch_{e}.pt", digits_net(e)) for e in (0, 4)])
    return fine(button(at, "Measure its accuracy").click().run())


def test_the_analysis_asks_for_what_is_chosen(at, started, store):
    run = library.find(store)
    fine(button(at, "Measure").click().run())
    command = asked(started, AnalyzeCommand)
    assert (command.run, command.epochs) == (run.key, ("last", "all"))
    assert command.request(AnalysisRequest(run.key, 4, command.layer)) == AnalysisRequest(run.key, 4, "fc2", 50)

    at.selectbox(key="loading.layer").set_value("fc3").run()
    at.number_input(key="loading.batch_size").set_value(32).run()
    at.number_input(key="loading.samples").set_value(800).run()
    at.number_input(key="loading.top_k").set_value(20).run()
    at.segmented_control(key="loading.dtype").set_value("float64").run()
    at.number_input(key="loading.bootstrap").set_value(100).run()
    fine(at.segmented_control(key="loading.which").set_value("last").run())
    button(at, "Measure").click().run()
    command = asked(started, AnalyzeCommand)
    assert command.epochs == ("last",)
    expected = AnalysisRequest(run.key, 4, "fc3", 32, top_k=20, dtype="float64", bootstrap=100, samples=800)
    assert command.request(AnalysisRequest(run.key, 4, command.layer)) == expected
    assert f"python -m engine analyze --run {run.key}" in " ".join(c.value for c in at.code)


def test_the_cost_follows_the_layer_and_the_directions(at):
    before = metrics(at)
    assert before["D"] == "48"
    assert before["Time"].startswith("≈")
    fine(at.selectbox(key="loading.layer").set_value("fc1").run())
    after = metrics(at)
    assert after["D"] == "6,272"
    assert after["Memory"] > before["Memory"]


def test_a_large_layer_is_measured_in_its_leading_directions(at, started, store):
    at.selectbox(key="loading.layer").set_value("fc1").run()
    button(at, "Measure").click().run()
    assert asked(started, AnalyzeCommand).settings.top_k == 300


# -- a run that is here -----------------------------------------------------------------------------------


def test_a_run_made_without_a_browser_is_measured(started, store):
    fill(store, epochs=(0, 10))
    bare = fill(store, epochs=(), seed=1)
    store.write(("runs", bare, "checkpoints", library.checkpoint_name(5)), {"epoch": 5})
    at = opened(PAGE)
    fine(at.segmented_control(key="loading.way").set_value("run").run())
    box = at.selectbox(key="loading.run")
    assert box.value == bare
    assert "(not analysed yet)" in box.options[0]
    fine(button(at, "Measure").click().run())
    command = asked(started, AnalyzeCommand)
    assert (command.run, command.epochs, command.layer) == (bare, ("last",), "fc2")


def test_without_any_run_the_way_to_one_is_named(store):
    at = opened(PAGE)
    fine(at.segmented_control(key="loading.way").set_value("run").run())
    assert "Train a network on the page Train" in at.info[0].value


def test_every_layer_of_a_deep_network_is_offered_with_its_places_and_joined_only_where_it_has_one(started, store):
    run = fill(store, epochs=(0,))
    request = RunRequest(model=ModelRequest("resnet", (1, *by_depth(20), 10)))
    parts = layers(request.model)
    more = {"layers": {p.name: p.shape for p in parts}, "places": {p.name: p.places for p in parts}}
    more |= {"order": [p.name for p in parts], "studied": "block9.conv2", "request": to_json(request)}
    store.write(("runs", run), {**store.read("runs", run).meta, **more})
    at = opened(PAGE)
    fine(at.segmented_control(key="loading.way").set_value("run").run())
    box = at.selectbox(key="loading.layer")
    assert (len(box.options), box.value) == (20, "block9.conv2")
    assert box.options[0] == "conv1 (16 × 9, at 784 places)"
    assert box.options[-2:] == ["block9.conv2 (64 × 576, at 49 places)", "fc (10 × 64)"]
    assert not [m for m in at.multiselect if m.key == "loading.jointly"]
    fine(box.set_value("block1.conv2").run())
    button(at, "Measure").click().run()
    command = asked(started, AnalyzeCommand)
    assert (command.layer, command.settings.top_k) == ("block1.conv2", None)
    assert metrics(at)["D"] == "2,304"
