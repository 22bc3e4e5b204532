"""The store: what is read is what was written, whole or absent, whatever happens to the files."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.store import MANIFEST, Entry, Store, _usual_root, default_root

PATH = ("runs", "r1", "analyses", "a1")
ARRAYS = {
    "main": {"eigenvalues": np.arange(5.0), "blocks/C": np.eye(3, dtype=np.float32)},
    "spectra": {"kappa": np.full((4, 2), 7.0)},
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "contents")
    store.write(PATH, {"epoch": 3, "loss": float("inf")}, ARRAYS)
    return store


def read(store: Store, path: tuple[str, ...] = PATH) -> Entry:
    entry = store.read(*path)
    assert entry is not None
    return entry


def folder(store: Store) -> Path:
    return store.root.joinpath(*PATH)


def array_file(store: Store, name: str) -> Path:
    (file,) = folder(store).glob(f"{name}-*.safetensors")
    return file


def test_an_entry_is_read_as_it_was_written(store: Store) -> None:
    entry = read(store)
    assert entry.meta == {"epoch": 3, "loss": float("inf")}
    for name, group in ARRAYS.items():
        arrays = entry.arrays(name)
        assert arrays is not None
        assert arrays.keys() == group.keys()
        for key, value in group.items():
            assert arrays[key].dtype == value.dtype
            np.testing.assert_array_equal(arrays[key], value)
    assert entry.has("spectra")
    assert not entry.has("basis")
    with pytest.raises(ValueError, match="has no arrays 'basis'; it has main, spectra"):
        entry.arrays("basis")


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.arange(12.0)[::-2],
        np.array(2.5),
        np.zeros((0, 3)),
        np.array([True, False]),
        np.arange(3, dtype=np.float16),
    ],
    ids=["transposed", "strided", "scalar", "empty", "bool", "half"],
)
def test_arrays_of_any_layout_survive(tmp_path: Path, array: np.ndarray) -> None:
    store = Store(tmp_path)
    store.write(("x",), {}, {"main": {"a": array}})
    arrays = read(store, ("x",)).arrays()
    assert arrays is not None
    assert arrays["a"].shape == array.shape
    np.testing.assert_array_equal(arrays["a"], array)


def test_python_objects_are_refused_and_leave_the_old_entry(store: Store) -> None:
    with pytest.raises(ValueError, match="'main' of runs/r1/analyses/a1 hold a type that cannot be kept"):
        store.write(PATH, {}, {"main": {"a": np.array([{}], dtype=object)}})
    assert read(store).meta["epoch"] == 3


# -- damage ---------------------------------------------------------------------------------------------


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def remove(path: Path) -> None:
    path.unlink()


def deep(path: Path) -> None:
    path.write_bytes(b"[" * 200_000)


def other_json(path: Path) -> None:
    path.write_bytes(b"[1, 2]")


def forged(path: Path) -> None:
    body = json.loads(path.read_bytes())
    body["meta"]["epoch"] = 4
    path.write_bytes(json.dumps(body).encode())


@pytest.mark.parametrize("harm", [truncate, flip, empty, garbage, deep, other_json, forged])
def test_a_damaged_manifest_is_set_aside(store: Store, harm) -> None:
    harm(folder(store) / MANIFEST)
    assert store.read(*PATH) is None
    assert_set_aside(store)


@pytest.mark.parametrize("name", ["main", "spectra"])
@pytest.mark.parametrize("harm", [truncate, flip, empty, garbage, remove])
def test_a_damaged_array_file_is_set_aside(store: Store, harm, name: str) -> None:
    harm(array_file(store, name))
    entry = store.read(*PATH)
    if entry is not None:
        other = "spectra" if name == "main" else "main"
        assert entry.arrays(other) is not None
        assert entry.arrays(name) is None
    assert_set_aside(store)


def assert_set_aside(store: Store) -> None:
    assert store.read(*PATH) is None
    assert store.list("runs", "r1", "analyses") == ()
    (sentence,) = store.damage_log()
    assert "runs/r1/analyses/a1 was set aside" in sentence
    assert len(list((store.root / "damaged").glob("*-runs.r1.analyses.a1-*"))) == 1
    # Recomputed, it is sound again.
    store.write(PATH, {"epoch": 3}, ARRAYS)
    assert read(store).arrays() is not None


@settings(max_examples=60, deadline=None)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), which=st.sampled_from(["manifest", "main"]))
def test_any_flipped_bit_is_noticed(tmp_path_factory, position: float, bit: int, which: str) -> None:
    store = Store(tmp_path_factory.mktemp("flip"))
    store.write(PATH, {"epoch": 3}, ARRAYS)
    path = folder(store) / MANIFEST if which == "manifest" else array_file(store, "main")
    content = bytearray(path.read_bytes())
    before = json.loads(content) if which == "manifest" else None
    content[int(position * len(content))] ^= 1 << bit
    path.write_bytes(content)
    entry = store.read(*PATH)
    if entry is not None and which == "manifest":
        # Only white space between the values can change unnoticed.
        assert json.loads(content) == before
    else:
        assert entry is None or entry.arrays() is None


def test_a_damaged_entry_of_a_cache_that_can_only_be_read_is_passed_over(store: Store, monkeypatch) -> None:
    store.write(("runs", "a"), {"n": 1}, {"main": {"x": np.arange(3)}})
    store.write(("runs", "b"), {"n": 2})
    (store.root / "runs" / "a" / "manifest.json").write_text("{")

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refused)
    monkeypatch.setattr(os, "replace", refused)
    assert store.read("runs", "a") is None
    assert store.read("runs", "b").meta == {"n": 2}
    monkeypatch.undo()
    assert store.damage_log() == ()
    assert (store.root / "runs" / "a" / "manifest.json").exists()


def test_an_entry_is_on_the_disk_before_its_name_is(store: Store, monkeypatch) -> None:
    events: list[str] = []
    replace = os.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: events.append("folder" if os.path.isdir(f"/proc/self/fd/{fd}") else "file")
    )
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append("name"), replace(a, b)))
    store.write(("runs", "a"), {}, {"main": {"x": np.arange(3)}})
    synced = ["file", "name", *["folder"] * (os.name == "posix")]
    assert events == synced * 2


def test_damage_of_a_run_spares_what_lies_below_it(store: Store) -> None:
    store.write(("runs", "r1"), {"state": "finished"})
    garbage(store.root / "runs" / "r1" / MANIFEST)
    assert store.read("runs", "r1") is None
    assert read(store).arrays() is not None


def test_an_entry_replaced_while_it_is_held_is_not_taken_for_damaged(store: Store) -> None:
    held = read(store)
    store.write(PATH, {"epoch": 4}, {"main": {"eigenvalues": np.zeros(9)}})
    arrays = held.arrays("main")
    assert arrays is not None
    assert arrays["eigenvalues"].size == 5
    # Once the old files are gone the holder gets nothing, and the new entry is left alone.
    for file in folder(store).glob("*.safetensors"):
        if file.name not in {f.filename for f in read(store).files}:
            file.unlink()
    assert held.arrays("main") is None
    assert read(store).meta == {"epoch": 4}
    store.delete(*PATH)
    assert held.arrays("main") is None
    assert store.damage_log() == ()


def test_what_is_missing_or_short_shows_before_anything_is_loaded(store: Store) -> None:
    truncate(array_file(store, "spectra"))
    assert store.read(*PATH) is None
    assert "bytes instead of" in store.damage_log()[0]


def test_setting_aside_leaves_the_unfinished_files_of_another_writer(store: Store) -> None:
    unfinished = folder(store) / ".main-0.safetensors.ab"
    unfinished.write_bytes(b"half")
    garbage(folder(store) / MANIFEST)
    assert store.read(*PATH) is None
    assert unfinished.exists()


def test_files_of_old_versions_go_after_a_while(store: Store) -> None:
    old = array_file(store, "main")
    store.write(PATH, {}, {"main": {"a": np.zeros(3)}})
    assert old.exists()
    os.utime(old, (time.time() - 3600,) * 2)
    store.write(PATH, {}, {"main": {"a": np.zeros(3)}})
    assert not old.exists()
    assert len(list(folder(store).glob("main-*"))) == 1


# -- names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "A", "a.b", "/etc", "a\x00", "ä", "a" * 101, "a\n", None, 3])
def test_names_that_could_leave_the_root_are_refused(store: Store, name) -> None:
    for use in (store.read, store.delete, store.list, store.version):
        with pytest.raises(ValueError, match="cannot name an entry"):
            use("runs", name)
    with pytest.raises(ValueError, match="cannot name an entry"):
        store.write(("runs", name), {})
    with pytest.raises(ValueError, match="cannot name an entry"):
        store.write(("runs", "r1"), {}, {name: {}})


def test_the_root_itself_cannot_be_deleted(store: Store) -> None:
    with pytest.raises(ValueError, match="at least one part"):
        store.delete()


def test_the_root_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path))
    assert Store().root == tmp_path.resolve()
    monkeypatch.setenv("GAMMASCOPE_CACHE", "~/kept")
    assert default_root() == Path.home() / "kept"
    monkeypatch.delenv("GAMMASCOPE_CACHE")
    assert default_root().parts[-2:] == ("cache", "contents")


def test_a_folder_that_cannot_be_written_gives_way_to_the_users_and_it_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GAMMASCOPE_CACHE")
    monkeypatch.setattr("cache.store.os.access", lambda path, mode: False)
    _usual_root.cache_clear()
    try:
        root = default_root()
        assert root == default_root() == platformdirs.user_data_path("gammascope", appauthor=False)
        assert capsys.readouterr().err.count(f"are kept in {root}") == 1
    finally:
        _usual_root.cache_clear()


# -- lists, versions, sizes -----------------------------------------------------------------------------


def test_deleting_a_run_deletes_all_of_it(store: Store) -> None:
    store.write(("runs", "r1"), {})
    store.write(("runs", "r2"), {})
    assert store.list("runs") == ("r1", "r2")
    assert store.size() > store.size("runs", "r1") > 0
    store.delete("runs", "r1")
    store.delete("runs", "r1")
    assert store.list("runs") == ("r2",)
    assert store.read(*PATH) is None
    assert store.size("runs", "r1") == 0
    assert not list(store.root.glob(".trash-*"))


def test_the_version_changes_with_every_change_below_and_with_nothing_else(store: Store) -> None:
    seen = [store.version("runs", "r1")]

    def changed() -> bool:
        seen.append(store.version("runs", "r1"))
        return seen[-1] not in seen[:-1]

    other = store.version("runs", "r1", "analyses", "a1")
    read(store).arrays()
    assert not changed()
    for epoch in range(20):
        store.write(("runs", "r1"), {"epoch": epoch % 10})
        assert changed()
    assert store.version("runs", "r1", "analyses", "a1") == other
    store.delete(*PATH)
    assert changed()
    assert store.version("nothing", "here") == store.version("nowhere")


# -- readers and writers at once ------------------------------------------------------------------------


def _write_for(root: Path, seconds: float) -> None:
    store, end, i = Store(root), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        i += 1
        arrays = {"main": {"a": np.full(5000, i)}, "spectra": {"b": np.full(10, i)}}
        store.write(PATH, {"i": i, "pad": "x" * (i % 977)}, arrays)


def test_a_reader_beside_a_writer_sees_whole_entries_only(tmp_path: Path) -> None:
    # Not by multiprocessing: it runs the main module anew, which is app.py where a page was tested before.
    words = "import sys, pathlib, tests.cache.test_store as t; t._write_for(pathlib.Path(sys.argv[1]), 1.5)"
    writer = subprocess.Popen([sys.executable, "-c", words, str(tmp_path)], cwd=Path(__file__).parents[2])
    store, seen = Store(tmp_path), set()
    while writer.poll() is None:
        entry = store.read(*PATH)
        if entry is None:
            assert not seen, "the entry vanished"
            continue
        main, spectra = entry.arrays("main"), entry.arrays("spectra")
        assert main is not None
        assert spectra is not None
        values = {*main["a"].tolist(), *spectra["b"].tolist(), entry.meta["i"]}
        assert len(values) == 1, f"a torn entry: {values}"
        seen |= values
    assert writer.returncode == 0
    assert len(seen) > 5
    assert store.damage_log() == ()


def test_many_readers_of_one_damaged_entry_set_it_aside_once(store: Store) -> None:
    flip(array_file(store, "main"))
    entries = [read(store) for _ in range(4)]
    assert [entry.arrays("main") for entry in entries] == [None] * 4
    assert len(store.damage_log()) == 1
