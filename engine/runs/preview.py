"""A look at a data set before anything is trained: its classes, how many samples each has, some of them.

Made by a worker (`python -m engine preview`), since reading some data sets needs torch; read by pages, without.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from cache.store import Store
from engine.config.requests import DataRequest, key
from engine.data import sources
from engine.data.raw import RawData
from engine.progress import Progress, silent

EACH = 8  # samples of a class
LARGEST = 64  # pixels a side


@dataclass(frozen=True)
class Preview:
    """train, test: samples of each class; shape: of one sample, (channels, h, w) or (inputs,), as the networks
    take it; images: EACH of every class, grey or RGB pixels, or None where samples are no images."""

    name: str
    class_names: tuple[str, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    shape: tuple[int, ...]
    images: UInt8[ndarray, "c m h w *rgb"] | None

    @property
    def image(self) -> tuple[int, int]:
        """Height and width; 1 × 1 where samples are no images."""
        return (self.shape[1], self.shape[2]) if len(self.shape) == 3 else (1, 1)


def read(store: Store, name: str) -> Preview | None:
    """The preview of a data set, by name or path; None while there is none."""
    entry = store.read(*place(name))
    arrays = None if entry is None else entry.arrays()
    if entry is None or arrays is None:
        return None
    meta = entry.meta
    try:
        lists = {k: tuple(meta[k]) for k in ("class_names", "train", "test", "shape")}
        return Preview(meta["name"], images=arrays.get("images"), **lists)
    except (KeyError, TypeError):
        return None


def make(store: Store, name: str, progress: Progress = silent, download: bool = False) -> Preview:
    """Read the data set, keep its preview and return it. ValueError or FileNotFoundError: see engine.data.sources."""
    progress("loading data", 0, 1)
    raw = sources.read(name, progress, download)
    classes = len(raw.class_names)
    counts = {
        part: np.bincount(y, minlength=classes)[:classes].tolist()
        for part, y in (("train", raw.train_y), ("test", raw.test_y))
    }
    x = raw.train_x
    shape = [x.shape[1]] if x.ndim == 2 else [x.shape[3] if x.ndim == 4 else 1, x.shape[1], x.shape[2]]
    images = _images(raw)
    meta = {"name": name, "class_names": list(raw.class_names), "shape": shape, **counts}
    store.write(place(name), meta, {"main": {} if images is None else {"images": images}})
    preview = read(store, name)
    assert preview is not None
    return preview


def place(name: str) -> tuple[str, str]:
    """Where the store keeps the preview of a data set."""
    return "previews", key(DataRequest(name))


def _images(raw: RawData) -> UInt8[ndarray, "c m h w *rgb"] | None:
    """The first samples of every class as pixels, every other one left out where they are large."""
    x = raw.train_x
    if x.ndim == 2 or (x.ndim == 4 and x.shape[3] not in (1, 3)):
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
