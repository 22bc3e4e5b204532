"""A look at a data set before anything is trained: its classes, how many samples each has, some of them.

Made by a worker (`python -m engine preview`), since reading some data sets needs torch; read by pages, without.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from cache.store import Store
from engine.config.requests import DataRequest, key
from engine.data import sources, subset
from engine.data.raw import RawData
from engine.progress import Progress, silent
from engine.runs import library
from engine.units import counted

EACH = 8  # samples of a class
LARGEST = 64  # pixels a side


@dataclass(frozen=True)
class Preview:
    """train, test: samples of each class; shape: of one sample, (channels, h, w) or (inputs,), as the networks
    take it; images: EACH of every class, grey or RGB pixels, or None where samples are no images; numbers: so many are
    to be predicted of a sample, 0 where it has a class: then there are no names of classes, and train and test are one
    number each; targets: they in words."""

    name: str
    class_names: tuple[str, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    shape: tuple[int, ...]
    images: UInt8[ndarray, "c m h w *rgb"] | None
    targets: str = ""
    numbers: int = 0

    def chosen(self, request: DataRequest) -> tuple[int, int, int]:
        """Samples to train with and to test on, and outputs of a network, for what is asked of these data. ValueError:
        see engine.data.subset."""
        if self.numbers:
            subset.check_numbers(request)
            return self.train[0], self.test[0], self.numbers
        classes = subset.chosen_classes(request, self.train)
        return subset.samples(request, self.train), sum(self.test[c] for c in classes), len(classes)

    @property
    def image(self) -> tuple[int, int]:
        """Height and width; 1 × 1 where samples are no images."""
        return (self.shape[1], self.shape[2]) if len(self.shape) == 3 else (1, 1)


def read(store: Store, name: str) -> Preview | None:
    """The preview of a data set, by name or path; None while there is none."""

    def made(arrays: dict[str, ndarray], meta: Mapping[str, Any]) -> Preview:
        class_names, train, test, shape = (tuple(meta[k]) for k in ("class_names", "train", "test", "shape"))
        targets = meta.get("targets", ""), meta.get("numbers", 0)
        return Preview(meta["name"], class_names, train, test, shape, arrays.get("images"), *targets)

    return library.load(store, place(name), made)


def make(store: Store, name: str, progress: Progress = silent, download: bool = False) -> Preview:
    """Read the data set, keep its preview and return it. ValueError or FileNotFoundError: see engine.data.sources."""
    progress("loading data", 0, 1)
    raw = sources.read(name, progress, download)
    classes = len(raw.class_names)
    counts = {
        part: [len(y)] if raw.numbers else np.bincount(y, minlength=classes)[:classes].tolist()
        for part, y in (("train", raw.train_y), ("test", raw.test_y))
    }
    more = {"targets": in_words(raw), "numbers": raw.train_y.shape[1]} if raw.numbers else {}
    x = raw.train_x
    shape = [x.shape[1]] if x.ndim == 2 else [x.shape[3] if x.ndim == 4 else 1, x.shape[1], x.shape[2]]
    images = _images(raw)
    meta = {"name": name, "class_names": list(raw.class_names), "shape": shape, **counts, **more}
    store.write(place(name), meta, {"main": {} if images is None else {"images": images}})
    preview = read(store, name)
    assert preview is not None
    return preview


def in_words(raw: RawData) -> str:
    """The numbers to predict: how many a sample, their range, mean and deviation."""
    y = raw.train_y.astype(float)
    return (
        f"with {counted(y.shape[1], 'number')} to predict a sample, from {y.min():.4g} to {y.max():.4g} (mean "
        f"{y.mean():.4g}, deviation {y.std(axis=0).mean():.4g})"
    )


def place(name: str) -> tuple[str, str]:
    """Where the store keeps the preview of a data set."""
    return "previews", key(DataRequest(name))


def _images(raw: RawData) -> UInt8[ndarray, "c m h w *rgb"] | None:
    """The first samples of every class as pixels, every other one left out where they are large."""
    x = raw.train_x
    if raw.numbers or x.ndim == 2 or (x.ndim == 4 and x.shape[3] not in (1, 3)):
        return None
    step = max(1, -(-max(x.shape[1:3]) // LARGEST))
    small = x[:, ::step, ::step]
    small = small[..., 0] if small.ndim == 4 and small.shape[3] == 1 else small
    images = np.zeros((len(raw.class_names), EACH, *small.shape[1:]), np.uint8)
    for label in range(len(raw.class_names)):
        some = small[np.flatnonzero(raw.train_y == label)[:EACH]]
        images[label, : len(some)] = _pixels(some)
    return images


def _pixels(x: ndarray) -> UInt8[ndarray, "..."]:
    """0 … 255, from the smallest to the largest value where they are no pixels yet."""
    if x.dtype == np.uint8 or not x.size:
        return x.astype(np.uint8)
    low, high = float(x.min()), float(x.max())
    return ((x - low) / ((high - low) or 1) * 255).astype(np.uint8)
