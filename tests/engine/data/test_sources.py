"""engine.data.sources: what a wrong file is told, and that a download is whole or absent."""

import gzip
import hashlib
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import datasets

from engine.config.requests import DataRequest
from engine.data.datasets import load
from tests.small import dataset, pixels, saved

# -- files that are wrong -------------------------------------------------------------------------

WRONG = {
    "no y_train": (lambda a: a.pop("y_train"), "holds x_test, x_train, y_test: an .npz holds x_train and y_train"),
    "no y_test": (lambda a: a.pop("y_test"), "x_test and y_test belong together"),
    "objects": (lambda a: a.update(y_train=np.array([0, "a"] * 6, object)), "Python objects, which could run code"),
    "text": (lambda a: a.update(x_train=a["x_train"].astype(str)), "x_train .*is .*U.*not numbers"),
    "complex": (lambda a: a.update(x_train=a["x_train"] * 1j), "complex128, not numbers"),
    "one axis": (lambda a: a.update(x_train=np.zeros(12)), r"x_train .*has the shape \(12,\)"),
    "five axes": (lambda a: a.update(x_train=np.zeros((12, 1, 2, 2, 1))), r"shape \(12, 1, 2, 2, 1\)"),
    "no pixels": (lambda a: a.update(x_train=np.zeros((12, 0, 4))), r"shape \(12, 0, 4\)"),
    "channels first": (lambda a: a.update(x_train=np.zeros((12, 3, 32, 32))), r"x_train is \(12, 32, 32, 3\) float32"),
    "NaN": (
        lambda a: a.update(x_train=np.where(np.eye(12, 5), np.nan, 0)),
        "x_train .*holds 5 NaN or infinite",
    ),
    "too large": (lambda a: a.update(x_train=np.full((12, 5), 1e300)), "x_train .*holds 60 NaN or infinite"),
    "counts": (lambda a: a.update(y_train=np.arange(11)), "x_train .*has 12 samples but y_train 11"),
    "soft labels": (lambda a: a.update(y_train=np.full((12, 3), 1 / 3)), r"y_train .* shape \(12, 3\).*a single one"),
    "several labels": (lambda a: a.update(y_train=np.ones((12, 3))), r"y_train .* shape \(12, 3\).*several labels"),
    "cubes": (lambda a: a.update(y_train=np.zeros((12, 1, 1))), r"y_train .* shape \(12, 1, 1\): one label per sample"),
    "text labels": (
        lambda a: a.update(y_train=np.array(["a"] * 12)),
        "y_test .* int64 but the training labels are",
    ),
    "NaN label": (
        lambda a: a.update(y_train=np.full(12, np.nan)),
        "y_train .*labels that are no whole numbers",
    ),
    "negative": (lambda a: a.update(y_train=np.arange(12) - 2), "y_train .*holds the negative label -2"),
    "gap": (lambda a: a.update(y_train=np.arange(12) % 2 * 2), "No training sample has the label 1.*among 0, 2"),
    "huge label": (lambda a: a.update(y_train=np.arange(12) + 99_999), "label 100,010: number the classes"),
    "unknown test": (lambda a: a.update(y_test=np.arange(6)), "y_test .*holds the label 5.*end at 2"),
    "few names": (
        lambda a: a.update(classes=np.array(["a", "b"])),
        "reach 2 but classes .*names only 2.*0 to 1",
    ),
    "no names": (lambda a: a.update(classes=np.zeros((3, 2))), r"classes of own.npz is \(3, 2\) float64"),
    "one class": (lambda a: a.update(y_train=np.zeros(12, int), y_test=np.zeros(6, int)), "Only the class 0"),
    "empty": (
        lambda a: a.update(x_train=np.zeros((0, 4, 4), np.uint8), y_train=np.zeros(0, int)),
        "x_train of .*empty",
    ),
    "test shape": (
        lambda a: a.update(x_test=np.zeros((6, 5, 5), np.uint8)),
        r"x_test of own.npz is \(6, 5, 5\).*look the same",
    ),
    "test type": (lambda a: a.update(x_test=a["x_test"] / 255), "float32 but x_train is .*uint8"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arrays_are_told_in_a_sentence(tmp_path: Path, case: str) -> None:
    change, words = WRONG[case]
    arrays = pixels()
    load(DataRequest(saved(tmp_path, **arrays)))  # the change alone is at fault
    change(arrays)
    with pytest.raises(ValueError, match=words) as caught:
        load(DataRequest(saved(tmp_path, **arrays)))
    assert "\n" not in str(caught.value)


def test_a_bare_name_is_sought_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a request names the file and not the computer; a file of the current folder comes first."""
    data, here = tmp_path / "data", tmp_path / "here"
    data.mkdir(), here.mkdir()
    saved(data, **pixels())
    monkeypatch.chdir(here)
    monkeypatch.setenv("GAMMASCOPE_DATA", str(data))
    dataset = load(DataRequest("own.npz"))
    assert dataset.name == "own"
    assert dataset.fingerprint == load(DataRequest(str(data / "own.npz"))).fingerprint
    with pytest.raises(FileNotFoundError, match="no file"):
        load(DataRequest("here/own.npz"))
    saved(here, **{key: np.flip(a, 0) for key, a in pixels().items()})
    assert load(DataRequest("own.npz")).fingerprint == load(DataRequest(str(here / "own.npz"))).fingerprint
    assert load(DataRequest("own.npz")).fingerprint != dataset.fingerprint


def test_missing_foreign_and_damaged_files_are_told_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    with pytest.raises(FileNotFoundError, match=r"no file .*own\.npz.*mnist5k"):
        load(DataRequest(str(path)))
    with pytest.raises(FileNotFoundError, match="no file"):
        load(DataRequest(str(tmp_path / "folder.npz")))

    whole = Path(saved(tmp_path, **pixels())).read_bytes()
    np.save(tmp_path / "a.npy", np.zeros(3))
    for content in (b"", b"x_train,y_train\n", whole[: len(whole) // 2], (tmp_path / "a.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"own\.npz is no \.npz, or was cut off"):
            load(DataRequest(str(path)))

    damaged = bytearray(whole)
    damaged[200] ^= 255  # within the pixels of x_train: the checksum no longer fits
    path.write_bytes(bytes(damaged))
    with pytest.raises(ValueError, match=r"own\.npz cannot be read \(Bad CRC"):
        load(DataRequest(str(path)))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train", b"no array")
        archive.writestr("y_train", b"no array")
    with pytest.raises(ValueError, match=r"x_train of own.npz is .*not numbers"):
        load(DataRequest(str(path)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_never_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(Path(saved(folder, **pixels())).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "own.npz").write_bytes(bytes(content))
    try:
        load(DataRequest(str(folder / "own.npz")))
    except ValueError as error:
        assert len(str(error)) > 20  # noqa: PT017


# -- torchvision's sets ---------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    """MNIST's file format."""
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small stand-in for MNIST's server, and torchvision told to use it."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    resources = []
    for part, n in (("train", 40), ("t10k", 20)):
        x = np.random.default_rng(n).integers(0, 256, (n, 28, 28), dtype=np.uint8)
        y = (np.arange(n) % 10).astype(np.uint8)
        for kind, array in (("images-idx3", x), ("labels-idx1", y)):
            content = gzip.compress(idx(array))
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(content)
            resources.append((f"{part}-{kind}-ubyte.gz", hashlib.md5(content).hexdigest()))
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    monkeypatch.setattr(datasets.MNIST, "mirrors", [(tmp_path / "gone").as_uri() + "/", folder.as_uri() + "/"])
    return folder


def test_absent_sets_are_downloaded_only_when_asked(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMMASCOPE_DATA", str(tmp_path / "data"))
    with pytest.raises(FileNotFoundError, match=r"mnist is not in .*raw \(missing: train-images-idx3-ubyte,.*mnist5k"):
        load(DataRequest("mnist"))
    assert not (tmp_path / "data").exists()

    heard: list[tuple[str, int, int]] = []
    fetched = load(DataRequest("mnist"), progress=lambda *a: heard.append(a), download=True)
    assert fetched.train_x.shape == (40, 1, 28, 28)
    assert fetched.test_y.tolist() == [*range(10)] * 2
    assert len(heard) == 4
    assert all(done == total > 0 and stage.startswith("downloading ") for stage, done, total in heard)
    for gz in mirror.iterdir():
        gz.unlink()
    again = load(DataRequest("mnist", classes=(3, 4)), folder=tmp_path / "data", download=True)
    assert again.class_names == ("3", "4")
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == ["MNIST"]


def test_an_interrupted_download_leaves_nothing_half_written(mirror: Path, tmp_path: Path) -> None:
    raw = tmp_path / "data" / "MNIST" / "raw"
    (mirror / "t10k-labels-idx1-ubyte.gz").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"mnist could not be downloaded \(.*gone.*arrived damaged\).*mnist5k"):
        load(DataRequest("mnist"), folder=tmp_path / "data", download=True)
    assert list((tmp_path / "data").iterdir()) == []

    class Stop(Exception):
        pass

    def stop(stage: str, done: int, total: int) -> None:
        if "t10k" in stage:
            raise Stop

    raw.mkdir(parents=True)
    (raw / "train-labels-idx1-ubyte").write_bytes(b"the user's own")
    with pytest.raises(Stop):
        load(DataRequest("mnist"), folder=tmp_path / "data", download=True, progress=stop)
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["MNIST"]
    assert [(p.name, p.read_bytes()) for p in raw.iterdir()] == [("train-labels-idx1-ubyte", b"the user's own")]


def test_damaged_torchvision_files_are_told_in_a_sentence(mirror: Path, tmp_path: Path) -> None:
    load(DataRequest("mnist"), folder=tmp_path, download=True)
    images = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"files of mnist in .* are damaged .*delete that folder"):
        load(DataRequest("mnist"), folder=tmp_path)


@pytest.mark.parametrize("part", ["train", "t10k"])
def test_labels_of_another_number_of_images_are_refused(mirror: Path, tmp_path: Path, part: str) -> None:
    """As with the training images beside the labels of the test images: each file is whole."""
    load(DataRequest("mnist"), folder=tmp_path, download=True)
    raw = tmp_path / "MNIST" / "raw"
    labels = {name: (raw / f"{name}-labels-idx1-ubyte").read_bytes() for name in ("train", "t10k")}
    (raw / f"{part}-labels-idx1-ubyte").write_bytes(labels["t10k" if part == "train" else "train"])
    counts = "40 samples to train with but 20 labels" if part == "train" else "20 samples to test on but 40 labels"
    with pytest.raises(ValueError, match=f"files of mnist in .* are damaged .There are {counts}.*delete that folder"):
        load(DataRequest("mnist"), folder=tmp_path)


def test_photos_with_labels_of_fewer_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.CIFAR10, "base_folder", ".")
    monkeypatch.setattr(datasets.CIFAR10, "_check_integrity", lambda self: True)
    batches = [name for name, _ in (*datasets.CIFAR10.train_list, *datasets.CIFAR10.test_list)]
    for name in batches:
        batch = {"data": np.zeros((4, 3072), np.uint8), "labels": [0, 1, 0] if name == "data_batch_3" else [0, 1, 0, 1]}
        (tmp_path / name).write_bytes(pickle.dumps(batch))
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({"label_names": list("ab")}))
    monkeypatch.setitem(datasets.CIFAR10.meta, "md5", None)
    with pytest.raises(ValueError, match="20 samples to train with but 19 labels"):
        load(DataRequest("cifar10"), folder=tmp_path)


def test_a_data_set_made_by_hand_has_a_label_for_each_sample() -> None:
    data = dataset()
    object.__setattr__(data, "train_y", data.train_y[1:])  # the constructor's own types are checked in tests alone
    with pytest.raises(ValueError, match="27 samples to train with but 26 labels of them: they must be as many"):
        data.__post_init__()


@pytest.mark.parametrize(("name", "file"), [("fashion_mnist", "FashionMNIST.*t10k"), ("cifar10", "data_batch_5.*meta")])
def test_the_files_expected_are_named(tmp_path: Path, name: str, file: str) -> None:
    with pytest.raises(FileNotFoundError, match=file):
        load(DataRequest(name), folder=tmp_path)
