"""engine.sweeps.grid: a grid becomes cells, the paper's settings come by name, what is wrong is said in a sentence."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.config.presets import CLASSES, preset, presets
from engine.config.requests import DataRequest, ModelRequest, RunRequest, TrainingRequest
from engine.sweeps.grid import Cell, open_sweep, read, shipped

GRID = """
name = "Seeds and batch sizes"
[[grid]]
set = { data = "mnist5k", per_class = 40, widths = [784, 8, 10], epochs = 3 }
vary = { classes = [3, 10], batch_size = [20, 40], seed = [0, 1] }
"""


def test_every_combination_is_a_cell_with_exactly_these_settings() -> None:
    sweep = read(GRID)
    assert sweep.name == "Seeds and batch sizes"
    assert sweep.text == GRID
    cells = {(c.classes, c.run.training.batch_size, c.run.seed): c for c in sweep.cells}
    assert len(cells) == len(sweep.cells) == 8
    assert {c.row for c in sweep.cells} == {f"5,000 digits, 784-8, CE, B = {b}" for b in (20, 40)}
    cell = cells[3, 40, 1]
    training = TrainingRequest(epochs=3, batch_size=40)
    data = DataRequest("mnist5k", classes=(0, 1, 2), per_class=40)
    assert cell.run == RunRequest(data, ModelRequest(widths=(784, 8, 3)), training=training, seed=1)
    assert (cell.analysis.layer, cell.analysis.batch_size) == ("fc1", 40)
    assert cell.analyze == ("last",)


def test_a_preset_gives_its_settings_window_and_layers() -> None:
    (cell,) = read('[[grid]]\nset = { preset = "CIFAR-10 MLP, MSE", classes = 3 }').cells
    assert cell.run == preset("CIFAR-10 MLP, MSE").run(3)
    assert (cell.row, cell.classes, cell.window, cell.departures) == ("CIFAR-10 MLP, MSE", 3, 500, ())
    deeper = read('[[grid]]\nset = { preset = "MNIST deeper MLP, CE" }').cells
    assert [c.analysis.layer for c in deeper] == ["fc2", "fc3", "fc4", "fc2+fc3+fc4"]
    assert len({c.run for c in deeper}) == 1
    assert deeper[3].row == "MNIST deeper MLP, CE, layer fc2 + fc3 + fc4"
    (one,) = read('[[grid]]\nset = { preset = "MNIST deeper MLP, CE", layer = "fc4" }').cells
    assert one.analysis.layer == "fc4"


def test_what_differs_from_the_preset_is_told() -> None:
    text = '[[grid]]\nset = { preset = "MNIST CNN, MSE", per_class = 500, epochs = 40, seed = 1, data = "mnist5k" }'
    (cell,) = read(text).cells
    assert cell.departures == ("500 samples per class in place of 5,000", "40 epochs in place of 100")
    assert cell.run.data.name == "mnist5k"


def test_off_and_all_stand_for_none_and_lists_for_tuples() -> None:
    some = 'clip_norm = "off", per_class = "all", anchors = "all"'
    text = f"[[grid]]\nset = {{ {some}, checkpoints = [0, 3], classes = [4, 7] }}"
    (cell,) = read(text).cells
    assert cell.run.training.clip_norm is None
    assert cell.run.training.checkpoints == (0, 3)
    assert cell.run.data.classes == (4, 7)
    assert cell.run.model.widths == (784, 50, 50, 2)
    assert cell.analysis.anchors_per_class is None


def test_the_kind_of_network_can_be_varied() -> None:
    cells = read('[[grid]]\nset = { data = "mnist" }\nvary = { model = ["mlp", "cnn"] }').cells
    assert [(c.run.model.kind, c.run.model.widths) for c in cells] == [("mlp", (784, 50, 50, 10)), ("cnn", (1, 10))]
    assert [c.row for c in cells] == ["MNIST, 784-50-50, CE", "MNIST, CNN, CE"]


def test_whatever_is_varied_beside_the_seed_has_a_row_of_its_own() -> None:
    varied = {
        "widths": "[[784, 20, 10], [784, 30, 10]]",
        "loss": '["ce", "mse"]',
        "data": '["mnist5k", "mnist"]',
        "label_noise": "[0.0, 0.2]",
        "learning_rate": "[0.1, 0.2]",
        "layer": '["fc1", "fc2"]',
        "window": "[10, 20]",
    }
    for name, values in varied.items():
        for more in ("", 'preset = "MNIST MLP, CE", '):
            cells = read(f"[[grid]]\nset = {{ {more}seed = 3 }}\nvary = {{ {name} = {values} }}").cells
            assert len({c.row for c in cells}) == 2, (name, more)


WRONG = {
    "no TOML": ("[[grid]", "no valid TOML"),
    "nothing": ("", r"has no grid\. Write one as \[\[grid\]\]"),
    "unknown table": ("[grids]\na = 1", "has no setting grids; it has about, grid, name"),
    "unknown key": ("[[grid]]\nset = { rate = 0.1 }", "grid 1 has no setting rate; it has .*learning_rate"),
    "unknown axis": ("[[grid]]\nvary = { seeds = [0] }", "grid 1 has no setting seeds"),
    "no list": ("[[grid]]\nvary = { seed = 0 }", r"seed varies over a list of values such as \[0, 1\], not 0"),
    "about a number": ("about = 3\n[[grid]]", "about is a text, not 3"),
    "empty list": ("[[grid]]\nvary = { seed = [] }", "seed varies over a list"),
    "both": ("[[grid]]\nset = { seed = 0 }\nvary = { seed = [0, 1] }", "seed is both set and varied"),
    "a text": ('[[grid]]\nset = { epochs = "many" }', "grid 1: epochs is a whole number, not 'many'"),
    "a fraction": ("[[grid]]\nset = { batch_size = 2.5 }", "batch_size is a whole number, not 2.5"),
    "true": ("[[grid]]\nset = { seed = true }", "seed is a whole number, not True"),
    "a number": ("[[grid]]\nset = { widths = 50 }", "widths is a list of whole numbers, not 50"),
    "preset": ('[[grid]]\nset = { preset = "Fig. 9" }', "no preset 'Fig. 9'; there are MNIST MLP, CE"),
    "preset's type": ("[[grid]]\nset = { preset = 3 }", "preset is a text, not 3"),
    "loss": ('[[grid]]\nset = { loss = "hinge" }', "no loss 'hinge'; choose one of ce"),
    "rate": ("[[grid]]\nvary = { learning_rate = [0.1, -1] }", r"grid 1 \(learning_rate = -1\): The learning rate"),
    "batch": ("[[grid]]\nset = { per_class = 5, batch_size = 51 }", "between 1 and the 50 training samples; 51"),
    "noise": ("[[grid]]\nset = { label_noise = 2 }", "label noise is a fraction between 0 and 1; 2"),
    "layer": ('[[grid]]\nset = { layer = "fc7" }', "no layer fc7 in this network; it has fc1, fc2, fc3"),
    "joint layer": ('[[grid]]\nset = { layer = "fc1+fc7" }', "no layer fc7 in this network"),
    "network": ("[[grid]]\nset = { widths = [784] }", "describe no net"),
    "kind": ('[[grid]]\nset = { model = "resnet18" , widths = [3, 10] }', "resnet18 can be loaded, not trained"),
    "outputs": ("[[grid]]\nset = { classes = 1 }", "at least two classes, not 1"),
    "classes": ('[[grid]]\nset = { classes = "few" }', "classes is how many, or a list"),
    "window": ("[[grid]]\nset = { window = 2 }", "window 𝒩 is a whole number from 3 on, not 2"),
    "analyze": ("[[grid]]\nset = { analyze = [7] }", "analyze is a list with last in it"),
    "seed": ("[[grid]]\nset = { seed = -1 }", "seed is a whole number from 0 on; -1"),
    "twice": ("[[grid]]\nvary = { seed = [0, 1, 0] }", "grid 1: .*10 classes, seed 0 is there twice"),
    "twice in two grids": (GRID + "[[grid]]\nset = { data = 'mnist5k', per_class = 40, widths = [784, 8, 10], "
                           "epochs = 3, classes = 3, batch_size = 20 }", "grid 2: .*3 classes, seed 0 is there twice"),
    "a row of two kinds": (
        '[[grid]]\nset = { preset = "MNIST MLP, CE" }\n'
        '[[grid]]\nset = { preset = "MNIST MLP, CE", batch_size = 20, seed = 1 }',
        "two grids have a row 'MNIST MLP, CE' with 10 classes and other settings.*Give one of the grids a name",
    ),
    "grid's name": ("[[grid]]\nname = 3", "name is a text, not 3"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_a_sentence(case: str) -> None:
    text, words = WRONG[case]
    with pytest.raises(ValueError, match=words) as caught:
        read(text, "own.toml")
    assert str(caught.value).startswith("own.toml")
    assert "\n" not in str(caught.value)


def test_the_sweeps_that_come_with_the_project_are_sound() -> None:
    sweeps = {name: open_sweep(name) for name in shipped()}
    assert {"tiny", "results", "table1"} <= set(sweeps)
    paper = {(c.row, c.classes, c.run.seed) for c in sweeps["table1"].cells}
    rows = {p.name for p in presets() if p.name.startswith(("MNIST", "CIFAR-10")) and "deeper" not in p.name}
    assert paper == {(row, classes, seed) for row in rows for classes in CLASSES for seed in range(4)}
    assert len(rows) == 8
    assert all(c.departures == () for c in sweeps["table1"].cells)
    assert all(c.run.data.name == "mnist5k" for c in sweeps["tiny"].cells)


def test_a_sweep_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no sweep 'nothing\.toml'.*tiny"):
        open_sweep("nothing.toml")
    (tmp_path / "own.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"own\.toml is no text"):
        open_sweep(str(tmp_path / "own.toml"))


def test_the_key_is_that_of_the_content(tmp_path: Path) -> None:
    (cell,) = read("[[grid]]").cells
    assert replace(cell, row="other", departures=("told",)).key == cell.key
    different: list[Cell] = [
        replace(cell, run=replace(cell.run, seed=1)),
        replace(cell, analysis=replace(cell.analysis, batch_size=7)),
        replace(cell, window=7),
        replace(cell, analyze=("last", "all")),
    ]
    assert len({cell.key, *(c.key for c in different)}) == 5
    assert cell.group == different[0].group
    # A file that was written anew makes another cell: numbers of old data are not shown for it.
    file = tmp_path / "own.npz"
    own = replace(cell, run=replace(cell.run, data=DataRequest(str(file))))
    file.write_bytes(b"one")
    first = own.key
    file.write_bytes(b"other")
    assert own.key != first
