"""The limit of the cache: the oldest analyses leave, nothing else does, and each leaves a sentence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.store import Store
from engine import units
from engine.config.requests import DataRequest, ModelRequest, RunRequest, TrainingRequest
from engine.runs import eviction, library
from engine.runs.library import default_analysis
from engine.runs.pipeline import Pipeline
from tests.planted import fill
from tests.small import write_data


def keep_analysis(store, run, key, created, size):
    """An entry of about `size` bytes."""
    meta = {"request": {"epoch": int(created), "layer": "fc2"}, "created": created}
    store.write(("runs", run, "analyses", key), meta, {"main": {"x": np.zeros(size, np.uint8)}})


@settings(max_examples=30)
@given(
    entries=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 50), st.integers(1, 9)), max_size=8),
    limit=st.integers(0, 60),
    spared=st.integers(0, 7),
)
def test_the_oldest_analyses_leave_and_nothing_else(tmp_path_factory, entries, limit, spared):
    store = Store(tmp_path_factory.mktemp("cache"))
    for run in "ab":
        store.write(("runs", run), {})
        store.write(("runs", run, "checkpoints", "00001"), {}, {"main": {"w": np.zeros(20_000, np.uint8)}})
    for i, (run, created, size) in enumerate(entries):
        keep_analysis(store, run, f"k{i}", float(created), 10_000 * size)
    before = eviction.analyses(store)
    assert [(a.run, a.key) for a in before] == [
        (run, f"k{i}")
        for run, i in sorted(((e[0], i) for i, e in enumerate(entries)), key=lambda p: (entries[p[1]][1], *p))
    ]
    spare = (entries[spared][0], f"k{spared}") if spared < len(entries) else None
    most = 10_000 * limit
    store.write(("settings", "room"), {"limit": most})
    size = store.size()
    gone = eviction.make_room(store, spare)

    # By definition: one at a time, the oldest that may leave, while there is too much.
    expected = []
    for one in before:
        if size > most and (one.run, one.key) != spare:
            expected.append(one)
            size -= one.size
    assert list(gone) == expected
    assert eviction.analyses(store) == tuple(a for a in before if a not in expected)
    assert [store.list("runs", run, "checkpoints") for run in "ab"] == [("00001",)] * 2
    lines = eviction.log(store)
    assert len(lines) == len(gone)
    for line, one in zip(lines, gone, strict=True):
        assert f"the analysis of epoch {one.epoch} (layer fc2) of run {one.run} left" in line
        assert units.words(one.size) in line
        assert f"the limit of {units.words(most)}" in line


def test_two_that_keep_house_at_once_tell_each_departure_once(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.write(("runs", "a"), {})
    keep_analysis(store, "a", "k", 1.0, 10_000)
    store.write(("settings", "room"), {"limit": 0})
    seen = eviction.leaving(store, 0)
    monkeypatch.setattr(eviction, "leaving", lambda *_: seen)
    assert eviction.make_room(store) == seen
    assert eviction.make_room(store) == ()
    assert len(eviction.log(store)) == 1


def test_what_an_analysis_no_longer_needs_leaves_before_any_analysis(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.write(("runs", "a"), {})
    keep_analysis(store, "a", "k", 1.0, 50_000)
    keep_analysis(store, "a", "k", 1.0, 60_000)
    assert store.size() > 110_000
    monkeypatch.setattr("cache.store.GRACE_SECONDS", -1.0)
    store.write(("settings", "room"), {"limit": 80_000})
    assert eviction.make_room(store) == ()
    assert store.size() < 80_000
    (kept,) = eviction.analyses(store)
    assert kept.size > 60_000


def test_the_limit_holds_whoever_writes(tmp_path):
    store = Store(tmp_path / "contents")
    name = write_data(tmp_path / "three.npz")
    training = TrainingRequest(epochs=2, batch_size=16, checkpoints=(0, 1))
    worker = Pipeline(store, "cpu")
    key = worker.train(RunRequest(DataRequest(name), ModelRequest(widths=(6, 5, 4, 3)), training=training))
    run = library.find(store, key)
    store.write(("settings", "room"), {"limit": 1})
    for epoch in (0, 1, 2):
        worker.analyze(default_analysis(run, epoch))
        assert [a.request.epoch for a in library.analyses(store, key)] == [epoch]
    assert [line.split(" of run")[0].split("the ")[1] for line in eviction.log(store)] == [
        "analysis of epoch 0 (layer fc2)",
        "analysis of epoch 1 (layer fc2)",
    ]
    assert library.find(store, key).checkpoints == (0, 1, 2)


def test_a_limit_is_kept_and_one_that_holds_nothing_is_refused(tmp_path):
    store = Store(tmp_path)
    assert eviction.limit(store) == eviction.USUAL_LIMIT
    eviction.set_limit(store, 2_000_000_000)
    assert eviction.limit(Store(tmp_path)) == 2_000_000_000
    with pytest.raises(ValueError, match="Choose at least 100 MB"):
        eviction.set_limit(store, 5_000)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (11_234_567, "11.2 MB"),
        (999_700, "1 MB"),
        (5 * 10**9, "5 GB"),
        (1234 * 10**9, "1.23 TB"),
    ],
)
def test_sizes_in_words(size, words):
    assert units.words(size) == words


# -- names ------------------------------------------------------------------------------------------------


def test_a_name_outlives_what_a_worker_writes(tmp_path):
    store = Store(tmp_path)
    key = fill(store, epochs=(0,))
    library.rename(store, key, "  my \n first  run ")
    assert library.find(store, key).label == library.label(store, key) == "my first run"
    before = store.version("runs", key)
    store.write(("runs", key), store.read("runs", key).meta)
    assert library.find(store, key).label == "my first run"
    assert "my first run" in eviction._name(store, key)
    library.rename(store, key, "")
    assert library.find(store, key).label == ""
    assert store.version("runs", key) != before


def test_a_name_too_long_or_of_nothing_is_refused(tmp_path):
    store = Store(tmp_path)
    key = fill(store, epochs=(0,))
    with pytest.raises(ValueError, match="61 characters; 60 fit"):
        library.rename(store, key, "x" * 61)
    with pytest.raises(ValueError, match="no run"):
        library.rename(store, "f" * 16, "ghost")
    assert store.list("runs") == (key,)


def test_deleting_a_run_takes_its_name_along(tmp_path):
    store = Store(tmp_path)
    key = fill(store, epochs=(0,))
    library.rename(store, key, "gone")
    assert store.delete("runs", key) is True
    assert store.delete("runs", key) is False
    assert library.label(store, key) == ""
