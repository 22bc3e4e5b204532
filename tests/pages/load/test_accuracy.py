"""The sanity check: an accuracy in words, and the fix at hand."""

import pytest
from torch import nn

from cache.jobs import Jobs
from engine.config.commands import LoadCommand
from engine.runs import library
from pages.rooms.load.accuracy import verdict
from tests.pages.conftest import button, fine, metrics, texts, write_job
from tests.pages.load.conftest import asked, digits_net, saved, uploaded


@pytest.mark.parametrize(
    ("accuracy", "known", "kind", "words"),
    [
        (0.94, 0.98, "warning", "94.0% is less than the 98.0% that you know"),
        (0.976, 0.98, "success", "97.6%: as you know it (98.0%)"),
        (0.5, 0.3, "success", "as you know it"),
    ],
)
def test_an_accuracy_beside_the_one_that_is_known(accuracy, known, kind, words):
    judged = verdict(accuracy, 0.1, known)
    assert judged[0] == kind
    assert words in judged[1]


@pytest.mark.parametrize(
    ("accuracy", "guessing", "kind", "words"),
    [
        (0.11, 0.1, "warning", "11.0% is what guessing gives (10.0%). Unless the network is untrained"),
        (0.62, 0.6, "warning", "what guessing gives (60.0%)"),
        (0.6, 0.1, "info", "above guessing"),
        (0.97, 0.1, "success", "97.0%: the network recognises"),
    ],
)
def test_an_accuracy_in_words(accuracy, guessing, kind, words):
    judged = verdict(accuracy, guessing)
    assert judged[0] == kind
    assert words in judged[1]


def test_chance_is_called_out_with_the_fix_at_hand(started, store, tmp_path):
    at = uploaded([saved(tmp_path / "epoch_5.pt", digits_net())])
    fine(button(at, "Measure its accuracy").click().run())
    assert "is what guessing gives" in at.warning[0].value
    first = library.find(store)
    trial = next(trial for trial in first.trials if trial.words == "activation tanh")
    labels = [b.label for b in at.button if b.label.startswith("**")]
    assert labels == sorted(labels, key=lambda label: -float(label[2 : label.index("%")]))
    fine(button(at, f"**{trial.accuracy:.1%}**, loss {trial.loss:.3g}: activation tanh").click().run())
    assert at.segmented_control(key="loading.activation").value == "tanh"
    assert len(started) == 2
    second = library.find(store)
    assert second.request.model.activation == "tanh"
    assert f"pixels as in the paper, relu | {first.history.train_accuracy[-1]:.1%}" in texts(at).replace("\\", "")
    fine(button(at, "Forget the others").click().run())
    assert [run.key for run in library.runs(store)] == [second.key]


class Residual(nn.Module):
    """Told from a plain network by its accuracy alone."""

    def __init__(self):
        super().__init__()
        self.enter, self.middle, self.leave = nn.Linear(784, 6), nn.Linear(6, 6), nn.Linear(6, 10)

    def forward(self, x):
        h = self.enter(x.flatten(1)).relu()
        return self.leave(h + self.middle(h).relu())


def test_a_network_that_shapes_leave_open_is_a_guess_and_another_one_a_press_away(started, store, tmp_path):
    net = Residual()
    at = uploaded([saved(tmp_path / "epoch_5.pt", net)])
    assert "Names and shapes allow other networks too" in texts(at)
    at.number_input(key="loading.known").set_value(99.0).run()
    fine(button(at, "Measure its accuracy").click().run())
    first = library.find(store)
    assert "The network is a guess" in texts(at)
    assert "less than the 99.0% that you know" in at.warning[0].value
    better = sum(t.accuracy > first.history.train_accuracy[-1] + 0.01 for t in first.trials)
    assert bool(better) != any("MyNetwork()" in code.value for code in at.code)
    trial = next(trial for trial in first.trials if "reading" in trial.change and "softmax" not in trial.words)
    label = next(b.label for b in at.button if b.label.replace("\\", "").endswith(f": {trial.words}"))
    fine(button(at, label).click().run())
    second = library.find(store)
    assert second.request.model.kind == trial.kind
    assert asked(started, LoadCommand).reading == trial.change["reading"]
    assert f"{second.history.train_accuracy[-1]:.1%}" == metrics(at)["Accuracy"]


def test_a_check_that_failed_leaves_its_sentence_and_can_be_tried_again(store, tmp_path, monkeypatch):
    def start(self, argv, title, run="", queue=True, request=None):
        ended = {"state": "failed", "message": "The disk is full."}
        return write_job(self.root, "broken-1", argv, title, 0, queue, request=request, **ended)

    monkeypatch.setattr(Jobs, "start", start)
    at = uploaded([saved(tmp_path / "net.pt", digits_net())])
    fine(button(at, "Measure its accuracy").click().run())
    assert at.warning[0].value.replace("\\", "") == "The disk is full."
    assert button(at, "Measure its accuracy")
