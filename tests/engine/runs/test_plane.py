"""Planes as they are kept below an analysis: made once, from kept directions or anew, and refused in sentences."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from cache.store import Store
from engine.__main__ import main
from engine.results.plane import BATCHES, POINTS
from engine.runs import library, plane
from engine.runs.run import Run


@pytest.fixture
def trained(store: Store, tmp_path: Path) -> Run:
    y = np.arange(90) % 3
    x = np.random.default_rng(0).normal(size=(90, 6)) + 1.5 * np.eye(6)[y]
    np.savez(tmp_path / "three.npz", x_train=x.astype(np.float32), y_train=y)
    words = "--model 6-5-4-3 --batch-size 15 --checkpoints 0 --stop-loss off --epochs 3 --learning-rate 0.01 --data"
    assert main(["train", *words.split(), str(tmp_path / "three.npz"), "--analyze", "last,0", "--planes"]) == 0
    return library.find(store)


def made(store: Store, run: Run, epoch: int) -> library.Analysed:
    return next(a for a in library.analyses(store, run.key) if a.request.epoch == epoch)


def test_every_analysis_of_a_training_gets_its_planes(store, trained, capsys):
    for epoch in (0, 3):
        one = made(store, trained, epoch)
        assert plane.kept(store, trained.key, one.key) == ((1, 2), (1, 10)), "of 20 directions"
        kept = plane.read(store, plane.place(trained.key, one.key, 1, 10))
        assert kept is not None
        analysis = library.load_analysis(store, trained.key, one.key)
        assert analysis is not None
        for name, block in (("H", kept.curvature(0.0)), ("C", kept.covariance(0.0))):
            np.testing.assert_allclose(block.diagonal(), analysis.diagonal(name)[[0, 9]], rtol=1e-3, atol=1e-9)
        assert (kept.loss.shape, kept.batches.shape) == ((5, POINTS, POINTS), (BATCHES, 4))
        assert kept.rate == pytest.approx(0.01, rel=1e-3)
    capsys.readouterr()
    assert main(["plane", "--pairs", "3-17,1-2", "--epoch", "3"]) == 0
    assert f"Done: 2 planes of run {trained.key}" in capsys.readouterr().err
    assert plane.kept(store, trained.key, made(store, trained, 3).key) == ((1, 2), (1, 10), (3, 17))


def test_directions_that_an_older_version_did_not_keep_are_found_anew(store, trained):
    one = made(store, trained, 3)
    where = ("runs", trained.key, "analyses", one.key)
    first = plane.read(store, plane.place(trained.key, one.key, 1, 2))
    entry = store.read(*where)
    files = {f.name: entry.arrays(f.name) for f in entry.files if f.name != library.BASIS}
    store.delete(*plane.place(trained.key, one.key))
    store.write(where, entry.meta, files)
    assert library.load_analysis(store, trained.key, one.key, basis=True).basis is None
    assert main(["plane"]) == 0
    again = plane.read(store, plane.place(trained.key, one.key, 1, 2))
    np.testing.assert_allclose(again.loss, first.loss, rtol=1e-3)


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        ("10-1", r"Directions are two of 1 … 20, the sharper first, such as 1-10; not 10-1\."),
        ("1-21", r"not 1-21\."),
        ("0-3", r"not 0-3\."),
        ("1-x", "'1-x' is no pair of directions: give numbers such as 1-10"),
    ],
)
def test_what_is_no_pair_is_refused(store, trained, capsys, pairs, sentence):
    capsys.readouterr()
    try:
        code = main(["plane", "--pairs", pairs])
    except SystemExit as error:
        code = error.code
    assert code in (1, 2)
    assert re.search(sentence, capsys.readouterr().err)


def test_several_layers_and_biases_have_no_plane(store, trained):
    one = made(store, trained, 3)
    for change, sentence in (({"layer": "fc1+fc2"}, "one layer"), ({"bias": True}, "without its bias")):
        with pytest.raises(ValueError, match=sentence):
            plane.check(trained, dataclasses.replace(one, request=dataclasses.replace(one.request, **change)))
    assert plane.usual(9) == ((1, 2),)


def test_a_damaged_plane_is_none(store, trained):
    where = plane.place(trained.key, made(store, trained, 3).key, 1, 2)
    store.write(where, {"pair": [1, 2]}, {"main": {"loss": np.zeros(3)}})
    assert plane.read(store, where) is None
