"""The commands, layer by layer: each once, in order, and one that is refused does not stop the others."""

import re

import pytest

from cache.store import Store
from engine.__main__ import main
from engine.config.requests import RunRequest
from engine.runs import depth, library
from engine.runs.pipeline import Pipeline
from engine.runs.run import History, Run


def test_layers_lists_every_layer_that_can_be_studied(store: Store, train: list[str], capsys) -> None:
    assert main([*train, "--epochs", "2", "--activation", "tanh"]) == 0
    run = library.find(store)
    capsys.readouterr()
    assert main(["layers"]) == 0
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines()]
    assert [row[:7] for row in rows[1:]] == [
        ["fc1", "linear", "5", "×", "6", "1", "30"],
        ["fc2", "linear", "4", "×", "5", "1", "20"],
        ["fc3", "linear", "3", "×", "4", "1", "12"],
    ]
    assert [" ".join(row[7:10]) for row in rows[1:3]] == ["full second derivative"] * 2
    assert rows[3][7:9] == ["exact", "all"], "nothing follows the last layer"
    assert f"3 layers of run {run.key} can be studied" in err
    assert main(["layers", "--run", "nothing"]) == 1
    assert "No runs begin with 'nothing'" in capsys.readouterr().err


def test_analyze_does_each_of_several_layers_once(store: Store, train: list[str], capsys) -> None:
    assert main([*train, "--epochs", "2", "--analyze", "last"]) == 0
    run = library.find(store)
    (first,) = library.analyses(store, run.key)
    assert main(["analyze", "--epoch", "all", "--layer", "all"]) == 0
    err = capsys.readouterr().err
    made = library.analyses(store, run.key)
    assert [(a.request.epoch, a.request.layer) for a in made] == [(e, f"fc{i}") for e in (0, 2) for i in (1, 2, 3)]
    assert first in made, "what exists already is not done again"
    assert "Done: 6 analyses" in err
    assert "analysing epoch 2, layer fc1 (1 of 6)" in err
    assert main(["analyze", "--layer", "fc3,fc1"]) == 0
    assert re.findall(r"layer (fc\d) \(", capsys.readouterr().out) == ["fc3", "fc1"]
    assert library.analyses(store, run.key) == made
    assert main(["analyze", "--layer", "fc1,fc9"]) == 1
    assert "has no layer 'fc9' to study one by one; it has fc1, fc2, fc3." in capsys.readouterr().err


@pytest.mark.parametrize("error", [ValueError("No gradient reaches layer 'fc2'."), MemoryError("9 GiB")])
def test_a_layer_that_is_refused_does_not_stop_the_others(store: Store, train: list[str], monkeypatch, capsys, error):
    assert main([*train, "--epochs", "2"]) == 0
    run = library.find(store)
    measure = Pipeline.measure

    def refusing(self, model, inputs, targets, loss, request, tell):
        if request.layer == "fc2":
            raise error
        return measure(self, model, inputs, targets, loss, request, tell)

    monkeypatch.setattr(Pipeline, "measure", refusing)
    assert main(["analyze", "--layer", "all", "--epoch", "2,0"]) == 1
    assert [(a.request.epoch, a.request.layer) for a in library.analyses(store, run.key)] == [
        (e, layer) for e in (0, 2) for layer in ("fc1", "fc3")
    ]
    err = capsys.readouterr().err
    assert "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith(f"4 of 6 analyses of run {run.key} are finished. Layer fc2 is refused: ")
    assert str(error) in last
    assert last.endswith("(epochs 2, 0)")


def test_a_fault_in_one_of_several_layers_is_none_of_a_refusal(store: Store, train: list[str], monkeypatch, capsys):
    assert main([*train, "--epochs", "2"]) == 0

    def broken(*args: object, **settings: object) -> None:
        raise RuntimeError("shapes of a programmer")

    monkeypatch.setattr(Pipeline, "measure", broken)
    assert main(["analyze", "--layer", "all"]) == 1
    assert "A fault of the program" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(("width", "top_k"), [(60, None), (800, library.LEADING)])
def test_a_wide_layer_is_studied_in_its_leading_directions(width: int, top_k: int | None) -> None:
    shapes = {"fc1": (width, 6), "fc2": (4, width), "fc3": (3, 4)}
    run = Run(
        *("0" * 16, RunRequest(), "", "", (), 90, "cpu", 0.0, True, "", History.of([]), (0, 2)),
        layers=shapes,
        studied="fc2",
    )
    asked = {request.layer: request for request in depth.requests(run, 2, "all")}
    assert asked["fc1"].top_k == top_k
    assert asked["fc2"] == library.default_analysis(run, 2), "the run's own is the same, and not done again"
    assert [request.top_k for request in depth.requests(run, 2, "fc1")] == [None], "named alone it is as it ever was"
    assert [request.layer for request in depth.requests(run, 2, "fc1+fc3")] == ["fc1+fc3"]


def test_ten_layers_keep_the_order_in_which_they_are_used(store: Store, train: list[str]) -> None:
    """A manifest sorts its names, and fc10 would come before fc2."""
    words = ["6-5-4" if word == "6-5-4-3" else word for word in train]
    deep = [word.replace("6-5-4", "6-5-4-4-4-4-4-4-4-4-4-3") for word in words]
    assert main([*deep, "--epochs", "0"]) == 0
    run = library.find(store)
    assert list(run.layers) == [f"fc{i}" for i in range(1, 12)]
    assert library.default_analysis(run, 0).layer == "fc10"
    entry = store.read("runs", run.key)
    assert entry is not None
    store.write(("runs", run.key), {name: value for name, value in entry.meta.items() if name != "order"})
    assert list(library.find(store).layers) == list(run.layers), "of a run written before, too"
