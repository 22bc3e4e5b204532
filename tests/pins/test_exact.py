"""The comparison bit for bit sees one bit, one word, and what came or went."""

import json

import numpy as np
import pytest

from tests.pins import exact

KEPT = {"a": np.array([1.0, np.nan, 3.0]), "b": np.arange(3), "words": np.array(json.dumps({"x": 1, "y": 2}, indent=1))}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, None),
        ({"a": np.array([1.0, np.nan, np.nextafter(3.0, 4)])}, "a: 4.44e-16 away from a largest of 3."),
        ({"a": np.array([1.0, 2.0, 3.0])}, "a: "),
        ({"a": KEPT["a"].astype("float32")}, "a: float32 (3,), kept float64 (3,)."),
        ({"b": np.arange(4)}, "b: int64 (4,), kept int64 (3,)."),
        ({"words": np.array(json.dumps({"x": 1, "y": 22}, indent=1))}, '+ "y": 22'),
        ({"c": np.zeros(1)}, "c is new."),
        ({"b": None}, "b is gone."),
    ],
)
def test_one_bit_is_seen(monkeypatch, tmp_path, change, sentence):
    monkeypatch.setattr(exact, "arrays", lambda: iter(KEPT.items()))
    assert exact.write(tmp_path / "kept.npz") == 3
    now = {name: values for name, values in (KEPT | change).items() if values is not None}
    monkeypatch.setattr(exact, "arrays", lambda: iter(now.items()))
    sentences, _ = exact.differences(tmp_path / "kept.npz")
    assert len(sentences) == (sentence is not None)
    assert sentence is None or sentence in sentences[0]
