"""What docs/recorder.md and docs/recording.py show, done."""

import ast
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from engine.runs import library
from tests.test_docs import ROOT, blocks

DOCS = ROOT / "docs"


@pytest.mark.slow
def test_the_page_does_what_it_says(store):
    names: dict[str, object] = {}
    for block in blocks(DOCS / "recorder.md", "python"):
        exec(compile(ast.parse(block), "recorder.md", "exec"), names)
    (run,) = library.runs(store)
    assert run.label == "my run"
    assert run.checkpoints == (1, 2, 3)
    analysed = {(a.request.epoch, a.request.layer) for a in library.analyses(store, run.key)}
    assert analysed == {(1, "3"), (2, "3"), (3, "3"), (3, "5")}
    assert len(store.list("runs", run.key, "samples")) == 1


def recording() -> type:
    path = DOCS / "recording.py"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 30
    names: dict[str, type] = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return names["Recording"]


def trained() -> list[float]:
    """Losses of a loop that calls back as Lightning does."""
    torch.manual_seed(0)
    x, y = torch.randn(20, 4), torch.arange(20) % 2
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    trainer = SimpleNamespace(optimizers=[torch.optim.SGD(model.parameters(), lr=0.5)], callback_metrics={})
    callback = recording()("called back", (x, y), every=2, layers="2", spectra=0, batch_size=20)
    callback.on_train_start(trainer, model)
    losses = []
    for epoch in range(4):
        trainer.current_epoch = epoch
        trainer.optimizers[0].zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        trainer.optimizers[0].step()
        losses.append(float(loss))
        trainer.callback_metrics = {"train_loss": loss.detach(), "val_acc": torch.tensor(0.5)}
        callback.on_train_epoch_end(trainer, model)
    callback.on_train_end(trainer, model)
    return losses


def test_the_callback_records_what_was_logged(store):
    losses = trained()
    (run,) = library.runs(store)
    assert run.checkpoints == (2, 4)
    assert run.finished
    assert run.history.train_loss.tolist() == [losses[1], losses[3]]
    assert run.history.test_accuracy.tolist() == [0.5, 0.5]
    assert run.history.learning_rate.tolist() == [0.5, 0.5]
    assert run.recorded is not None
    assert run.recorded.plain
    assert len(library.analyses(store, run.key)) == 2
