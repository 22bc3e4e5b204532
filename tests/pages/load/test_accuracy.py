"""The sanity check: an accuracy in words, and the fix at hand."""

import pytest

from cache.jobs import Jobs
from engine.runs import library
from pages.rooms.load.accuracy import verdict
from tests.pages.conftest import button, fine, texts, write_job
from tests.pages.load.conftest import digits_net, saved, uploaded


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
    fine(button(at, "Activation tanh").click().run())
    assert at.segmented_control(key="loading.activation").value == "tanh"
    assert len(started) == 2
    second = library.find(store)
    assert second.request.model.activation == "tanh"
    assert f"pixels as in the paper, relu | {first.history.train_accuracy[-1]:.1%}" in texts(at).replace("\\", "")
    fine(button(at, "Forget the others").click().run())
    assert [run.key for run in library.runs(store)] == [second.key]


def test_a_check_that_failed_leaves_its_sentence_and_can_be_tried_again(store, tmp_path, monkeypatch):
    def start(self, argv, title, run="", queue=True, request=None):
        ended = {"state": "failed", "message": "The disk is full."}
        return write_job(self.root, "broken-1", argv, title, 0, queue, request=request, **ended)

    monkeypatch.setattr(Jobs, "start", start)
    at = uploaded([saved(tmp_path / "net.pt", digits_net())])
    fine(button(at, "Measure its accuracy").click().run())
    assert at.warning[0].value.replace("\\", "") == "The disk is full."
    assert button(at, "Measure its accuracy")
