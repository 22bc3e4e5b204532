"""engine.runs.preview and engine.data.subset: what a page knows of data before torch is loaded."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cache.store import Store
from engine.config.requests import DataRequest
from engine.data import subset
from engine.data.datasets import load
from engine.runs import preview
from tests.small import pixels, saved


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def test_a_preview_counts_classes_and_keeps_some_images(store: Store) -> None:
    assert preview.read(store, "mnist5k") is None
    made = preview.make(store, "mnist5k")
    again = preview.read(store, "mnist5k")
    assert again is not None
    assert again.images is not None
    assert (made.train, made.test, made.shape, made.image) == ((450,) * 10, (50,) * 10, (1, 28, 28), (28, 28))
    assert again.images.shape == (10, preview.EACH, 28, 28)
    data = load(DataRequest())
    first = data.train_x[data.train_y == 7][0, 0].numpy() * 255
    assert np.array_equal(again.images[7, 0], np.round(first).astype(np.uint8))


def test_own_arrays_colours_floats_and_features(store: Store, tmp_path: Path) -> None:
    arrays = pixels(shape=(100, 130, 3))
    name = saved(tmp_path, **arrays, classes=np.array(["cat", "dog", "eel"]))
    made = preview.make(store, name)
    assert (made.class_names, made.shape, made.train) == (("cat", "dog", "eel"), (3, 100, 130), (4, 4, 4))
    assert made.images is not None
    assert made.images.shape == (3, 8, 34, 44, 3)
    assert np.array_equal(made.images[1, 0], arrays["x_train"][1][::3, ::3])
    assert not made.images[:, 4:].any()

    floats = arrays | {"x_train": arrays["x_train"] / 7.0 - 3, "x_test": arrays["x_test"] / 7.0}
    made = preview.make(store, saved(tmp_path, **floats))
    assert made.images is not None
    assert (made.images.min(), made.images.max()) == (0, 255)

    features = {"x_train": np.zeros((6, 5), np.float32), "y_train": np.arange(6) % 2}
    made = preview.make(store, saved(tmp_path, **features))
    assert (made.images, made.shape, made.image, made.test) == (None, (5,), (1, 1), (0, 0))
    assert preview.read(store, made.name) == made


def test_a_missing_data_set_leaves_a_sentence_and_no_preview(store: Store, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GAMMASCOPE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"mnist is not in .* download it"):
        preview.make(store, "mnist")
    assert preview.read(store, "mnist") is None


@pytest.mark.parametrize("classes", [None, (2, 0), (1, 2)])
@pytest.mark.parametrize("per_class", [None, 3])
def test_samples_are_counted_without_reading_them(tmp_path: Path, classes, per_class) -> None:
    name = saved(tmp_path, **pixels(n=14))
    request = DataRequest(name, classes=classes, per_class=per_class)
    counts = np.bincount(pixels(n=14)["y_train"]).tolist()
    assert subset.samples(request, counts) == len(load(request).train_x)


@pytest.mark.parametrize("wrong", [{"classes": (0, 9)}, {"classes": (0,)}, {"per_class": 9}, {"label_noise": 2.0}])
def test_the_page_and_the_worker_refuse_in_the_same_words(tmp_path: Path, wrong) -> None:
    request = replace(DataRequest(saved(tmp_path, **pixels(n=14))), **wrong)
    with pytest.raises(ValueError, match=r".") as loaded:
        load(request)
    with pytest.raises(ValueError, match=r".") as asked:
        subset.samples(request, np.bincount(pixels(n=14)["y_train"]).tolist())
    assert str(asked.value) == str(loaded.value)


def test_what_a_page_needs_loads_no_torch() -> None:
    code = (
        "import sys\nfrom engine.config import presets\nfrom engine.data import subset\n"
        "from engine.models import architectures\n"
        "from engine.runs import estimate, library, preview\nfrom engine.training import schedule\n"
        "presets.presets()\nsys.exit('torch' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
