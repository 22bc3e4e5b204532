"""Networks and data of a user's own files on the command line: executed there, and measured as `analyze` measures."""

import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import analyze
from engine.__main__ import main
from engine.config.command_line import parse, words
from engine.config.commands import AnalyzeCommand, LoadCommand
from engine.runs import library
from engine.runs.brought import located, made, named, put

MODEL = """
from torch import nn
import helper

def build():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(32, 4), nn.ReLU(), nn.Linear(4, 3))

def focal(f, y):
    p = f.softmax(0).gather(0, y[None])[0]
    return -(1 - p) ** 2 * p.log()
"""
DATA = """
import torch

def load():
    return torch.randn(24, 1, 6, 6, generator=torch.Generator().manual_seed(1)), torch.arange(24) % 3
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A network's and its data's file, and the weights of two epochs."""
    for name, text in (("mynet.py", MODEL), ("mydata.py", DATA), ("helper.py", "")):
        (tmp_path / name).write_text(textwrap.dedent(text))
    for epoch in (1, 5):
        torch.manual_seed(epoch)
        torch.save(made(f"{tmp_path}/mynet.py:build").state_dict(), tmp_path / f"net_epoch_{epoch}.pt")
    return tmp_path


def bring(files: Path) -> list[str]:
    return ["--model", f"{files}/mynet.py:build", "--data", f"{files}/mydata.py:load"]


def test_load_measures_all_layers_asked_for(store, files, capsys):
    weights = [str(files / f"net_epoch_{epoch}.pt") for epoch in (5, 1)]
    asked = ["--analyze", "--layer", "all", "--batch-size", "8", "--loss", f"{files}/mynet.py:focal"]
    assert main(["load", *weights, *bring(files), *asked]) == 0
    (run,) = library.runs(store)
    assert run.checkpoints == (1, 5)
    assert run.finished
    analysed = library.analyses(store, run.key)
    assert {(a.request.epoch, a.request.layer) for a in analysed} == {(e, n) for e in (1, 5) for n in ("0", "3", "5")}
    model, (x, y) = made(f"{files}/mynet.py:build"), made(f"{files}/mydata.py:load")
    model.load_state_dict(torch.load(files / "net_epoch_5.pt"))
    own = analyze(model.eval(), x, y, layer="3", batch_size=8, loss=named(f"{files}/mynet.py:focal"))
    (one,) = [a for a in analysed if (a.request.epoch, a.request.layer) == (5, "3")]
    kept = library.load_analysis(store, run.key, one.key)
    assert kept is not None
    np.testing.assert_allclose(kept.diagonal("C"), own.diagonal("C"), rtol=1e-6)
    assert run.history.train_loss[-1] == pytest.approx(own.provenance.mean_loss, rel=1e-5)
    assert run.recorded is not None
    assert run.recorded.bring["model"] == f"{files}/mynet.py:build"
    assert "train loss" in capsys.readouterr().err


def test_what_takes_the_network_again_is_brought_it(store, files, capsys):
    assert main(["load", str(files / "net_epoch_5.pt"), *bring(files)]) == 0
    (run,) = library.runs(store)
    assert f"--model {files}/mynet.py:build" in capsys.readouterr().err  # the next command, as it is typed
    assert main(["layers", "--run", run.key]) == 0
    assert f"--layer all --model {files}/mynet.py:build --data" in capsys.readouterr().err
    assert main(["analyze", "--run", run.key, "--layer", "5"]) == 1
    assert "was trained by a script of your own" in capsys.readouterr().err
    assert main(["analyze", "--run", run.key, "--layer", "5", *bring(files)]) == 0
    assert main(["check", "--run", run.key, "--layer", "5", *bring(files)]) == 0
    assert main(["samples", "--run", run.key, "--layer", "5", *bring(files)]) == 0
    assert library.checks(store, run.key, library.analyses(store, run.key)[0].key)
    assert store.list("runs", run.key, "samples")


def test_data_of_the_cache_need_no_file(store, files):
    x, y = made(f"{files}/mydata.py:load")
    np.savez(files / "own.npz", x_train=x[:, 0].numpy(), y_train=y.numpy())
    model = ["--model", f"{files}/mynet.py:build"]
    assert main(["load", str(files / "net_epoch_5.pt"), *model, "--data", str(files / "own.npz")]) == 0
    (run,) = library.runs(store)
    assert main(["analyze", "--run", run.key, "--layer", "5", *model]) == 0


def test_another_network_and_other_data_are_refused(store, files, capsys):
    assert main(["load", str(files / "net_epoch_5.pt"), *bring(files)]) == 0
    (run,) = library.runs(store)
    (files / "other.py").write_text(
        MODEL.replace("32, 4", "32, 5").replace("Linear(4", "Linear(5") + DATA.replace("24", "27")
    )
    other = ["--model", f"{files}/other.py:build", "--data", f"{files}/mydata.py:load"]
    assert main(["analyze", "--run", run.key, *other]) == 1
    assert "The network does not take these weights" in capsys.readouterr().err
    other = ["--model", f"{files}/mynet.py:build", "--data", f"{files}/other.py:load"]
    assert main(["analyze", "--run", run.key, *other]) == 1
    assert "have changed since run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("mynet.py", "names no function: give file.py:name"),
        ("{0}/absent.py:build", "names no function"),
        ("{0}/mynet.py:unbuilt", "mynet.py defines no 'unbuilt'; it has .*build"),
        ("{0}/broken.py:build", "broken.py fails: ZeroDivisionError"),
        ("{0}/exits.py:build", "exits.py fails: SystemExit"),
        ("{0}/raises.py:build", "raises.py:build fails: KeyError"),
    ],
)
def test_what_cannot_be_brought_is_told(files, word, sentence):
    (files / "broken.py").write_text("1 / 0")
    (files / "exits.py").write_text("import sys; sys.exit(2)")
    (files / "raises.py").write_text("def build(): return {}['x']")
    with pytest.raises(ValueError, match=sentence):
        made(word.format(files))


def test_files_of_data_are_executed_beside_a_network_alone(store, files, capsys):
    assert main(["load", str(files / "net_epoch_5.pt"), "--data", f"{files}/mydata.py:load"]) == 1
    assert "executed only with --model" in capsys.readouterr().err


def test_prefixes_that_reading_takes_off_are_put_back(store, files):
    (files / "wrapped.py").write_text(
        "from torch import nn\nfrom mynet import build as inner\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__(); self.model = inner()\n"
        "    def forward(self, x): return self.model(x)\n"
    )
    model = made(f"{files}/wrapped.py:Net")
    torch.save({f"module.{name}": w for name, w in model.state_dict().items()}, files / "wrapped.pt")
    words_ = ["--model", f"{files}/wrapped.py:Net", "--data", f"{files}/mydata.py:load"]
    assert main(["load", str(files / "wrapped.pt"), *words_]) == 0
    assert library.runs(store)[0].layers.keys() == {"model.0", "model.3", "model.5"}


def test_missing_weights_are_named(files):
    model = made(f"{files}/mynet.py:build")
    with pytest.raises(ValueError, match=r"it also has 3\.bias"):
        put({n: w for n, w in model.state_dict().items() if n != "3.bias"}, model)


def test_commands_survive_the_way_through_words():
    for command in (
        AnalyzeCommand("0f", model="a b.py:build", data="d.py:load", loss="l.py:focal"),
        LoadCommand(("w.pt",), model="net.py:build", loss="l.py:focal"),
    ):
        assert parse(words(command)) == command


def test_words_are_located(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert located("net.py:build") == f"{tmp_path}/net.py:build"


def test_what_takes_the_network_is_told_once_and_not_of_every_layer(store, files, capsys):
    assert main(["load", str(files / "net_epoch_1.pt"), *bring(files)]) == 0
    (run,) = library.runs(store)
    capsys.readouterr()
    assert main(["analyze", "--layer", "all"]) == 1
    out, err = capsys.readouterr()
    assert (out + err).count("its network is there, and not in the cache") == 1
    assert main(["check"]) == 1
    remedy = f"Analyse it first: python -m engine analyze --run {run.key} --epoch 1 --layer 3 --model "
    assert remedy in capsys.readouterr().err
    assert main(["analyze", *bring(files), "--spectra", "0"]) == 0
    capsys.readouterr()
    assert main(["analyze", "--spectra", "0"]) == 0  # kept already
