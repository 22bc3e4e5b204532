"""Every setting of every request survives the way through words, and is part of a key: drawn from the fields."""

import dataclasses
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.command_line import parse, words
from engine.config.commands import AnalyzeCommand, FilmCommand, LoadCommand, TrainCommand, from_json, to_json
from engine.config.requests import (
    ACTIVATIONS,
    CURVATURES,
    DATASETS,
    AnalysisRequest,
    DataRequest,
    ModelRequest,
    RunRequest,
    TrainingRequest,
    key,
)
from engine.losses import LOSSES

# Shape checking draws samples of long tuples, which hypothesis takes for a strategy's own dice.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")

CHOICES: dict[tuple[type, str], tuple[str, ...]] = {
    (DataRequest, "name"): (*DATASETS, "own.npz", "-odd.npz"),
    (DataRequest, "scaling"): ("paper", "unit", "none"),
    (ModelRequest, "kind"): ("mlp", "cnn"),
    (ModelRequest, "activation"): ACTIVATIONS,
    (RunRequest, "loss"): tuple(LOSSES),
    (AnalysisRequest, "run"): ("0123456789abcdef",),
    (AnalysisRequest, "dtype"): ("float32", "float64"),
    (AnalysisRequest, "curvature"): CURVATURES,
}
# What tells a run that was loaded has no words: the files say it.
WITHOUT_WORDS = {"weights"}
PARTS = {"data": DataRequest, "model": ModelRequest, "training": TrainingRequest}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Sound values of a type."""
    if get_origin(hint) is tuple:
        assert get_args(hint) == (int, ...), f"give values of {hint}"
        return st.lists(st.integers(1, 999), min_size=2, max_size=5, unique=True).map(sorted).map(tuple)
    if NoneType in get_args(hint):
        (inner,) = (part for part in get_args(hint) if part is not NoneType)
        return st.none() | values(inner)
    plain = {
        int: st.integers(1, 10**6),
        float: st.floats(1e-9, 1, exclude_max=True),
        bool: st.booleans(),
        str: st.text("abcdefghij_.0123456789", min_size=1),
    }
    return plain[hint]


def field_values(cls: type, name: str) -> st.SearchStrategy[Any]:
    """Sound values of one field."""
    choices = CHOICES.get((cls, name))
    return st.sampled_from(choices) if choices else values(get_type_hints(cls)[name])


def names(cls: type) -> list[str]:
    return [f.name for f in dataclasses.fields(cls) if f.name not in (*PARTS, *WITHOUT_WORDS)]


def other(data: st.DataObject, request: Any, name: str) -> Any:
    """The request with another value in one field."""
    now = getattr(request, name)
    strategy = field_values(type(request), name).filter(lambda value: value != now)
    return dataclasses.replace(request, **{name: data.draw(strategy)})


def reads_back(request: RunRequest) -> None:
    for command in (TrainCommand(request), FilmCommand(request)):
        assert parse(words(command)) == command
        assert from_json(to_json(command)) == command


@pytest.mark.parametrize(("part", "name"), [(part, n) for part, cls in PARTS.items() for n in names(cls)])
@settings(max_examples=10)
@given(data=st.data())
def test_each_setting_of_a_run_is_spelled_and_keyed(part, name, data):
    usual = RunRequest()
    request = dataclasses.replace(usual, **{part: other(data, getattr(usual, part), name)})
    reads_back(request)
    assert words(TrainCommand(request)) != words(TrainCommand(usual))
    assert key(request) != key(usual)


@pytest.mark.parametrize("name", names(RunRequest))
@settings(max_examples=10)
@given(data=st.data())
def test_each_setting_beside_them_is_spelled_and_keyed(name, data):
    request = other(data, RunRequest(), name)
    reads_back(request)
    assert words(TrainCommand(request)) != ["train"]
    assert key(request) != key(RunRequest())


@pytest.mark.parametrize("name", names(AnalysisRequest))
@settings(max_examples=10)
@given(data=st.data())
def test_each_setting_of_an_analysis_is_spelled_and_keyed(name, data):
    usual = AnalysisRequest("fedcba9876543210", 0)
    request = other(data, usual, name)
    command = parse(words(AnalyzeCommand.of(request)))
    assert isinstance(command, AnalyzeCommand)
    assert from_json(to_json(command)) == command
    assert (command.run, command.epochs) == (request.run, (str(request.epoch),))
    assert command.layer == request.layer
    assert command.request(AnalysisRequest(request.run, request.epoch, request.layer, batch_size=-1)) == request
    assert words(command) != words(AnalyzeCommand.of(usual))
    assert key(request) != key(usual)


@settings(max_examples=40)
@given(data=st.data())
def test_all_settings_at_once(data):
    parts = {part: cls(**{n: data.draw(field_values(cls, n), n) for n in names(cls)}) for part, cls in PARTS.items()}
    reads_back(RunRequest(**parts, **{n: data.draw(field_values(RunRequest, n), n) for n in names(RunRequest)}))


@pytest.mark.parametrize("name", names(DataRequest))
@settings(max_examples=10)
@given(data=st.data())
def test_each_setting_of_a_loaded_runs_data_is_spelled(name, data):
    request = RunRequest(data=other(data, DataRequest(), name))
    command = parse(words(LoadCommand.of(request, ("a.pt", "b.pt"), (0, 7))))
    assert isinstance(command, LoadCommand)
    assert (command.files, command.epochs) == (("a.pt", "b.pt"), (0, 7))
    assert command.request.data == request.data
