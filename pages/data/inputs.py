"""A user's own files, data and weights: kept in the cache under the hash of their content, never under their names."""

import hashlib
from pathlib import Path

from cache.store import replace_file
from engine.data.files import TABLES
from engine.errors import require
from engine.models.files import FOREIGN, SHARD, SUFFIXES
from pages.data import results

MEGABYTES = 100
# Of data that are one file each; labels beside a .npy and folders of images are given by path, in the terminal.
DATA = (".npz", *TABLES)
TYPES = ["npz", "csv", "gz", "parquet"]  # their last suffixes


def _folder() -> Path:
    return results.store().root / "uploads"


def keep(content: bytes, label: str) -> str:
    """Keep data; the path, by which a data request names them. What is in it the engine's reader says later. ValueError
    unless its name ends as one of those that can be read."""
    end = next((end for end in DATA if label.lower().endswith(end)), "")
    require(bool(end), f"{label} is none of the files of data that can be read: {', '.join(DATA)}.")
    return _keep(content, label, f"own-{digest(content)}{end}")


def keep_weights(content: bytes, label: str) -> str:
    """Keep a file of weights; its path. ValueError unless its name ends as one of those that can be read."""
    require(
        SHARD.search(label) is None and not label.lower().endswith(".json"),
        f"{label} is one of several files that together hold the weights. Put all of them into one folder, and choose "
        "“A folder on this machine”.",
    )
    suffix = next((s for s in (*SUFFIXES, *FOREIGN) if label.lower().endswith(s)), None)
    require(suffix is not None, f"{label} is no file of weights: they end in {', '.join(SUFFIXES)}.")
    return _keep(content, label, f"weights-{digest(content)}{suffix}")


def digest(content: bytes) -> str:
    """What a file is kept under."""
    return hashlib.sha256(content).hexdigest()[:12]


def _keep(content: bytes, label: str, name: str) -> str:
    path = _folder() / name
    if not path.exists():
        write(path, content)
    write(path.with_suffix(".name"), Path(label.replace("\\", "/")).name[-80:].encode())
    return str(path)


def write(path: Path, content: bytes) -> None:
    """Write a file of the user's, and make its folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content)


def known() -> dict[str, str]:
    """The files kept, path → the name its user gave it, by that name."""
    names = {}
    for path in sorted(one for one in _folder().glob("own-*") if one.suffix != ".name"):
        try:
            names[str(path)] = path.with_suffix(".name").read_text(encoding="utf-8")
        except (OSError, ValueError):
            names[str(path)] = path.stem
    return dict(sorted(names.items(), key=lambda item: item[1].lower()))
