"""A user's own files, data and weights: kept in the cache under the hash of their content, never under their names."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from cache.foreign import shown
from cache.store import replace_file
from engine.data.files import TABLES
from engine.errors import require
from engine.models.files import FOREIGN, SUFFIXES, shards
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
    suffix = next((s for s in (*SUFFIXES, *FOREIGN) if label.lower().endswith(s)), None)
    require(suffix is not None, f"{label} is no file of weights: they end in {', '.join(SUFFIXES)}.")
    return _keep(content, label, f"weights-{digest(content)}{suffix}")


def keep_series(given: Sequence[tuple[bytes, str]]) -> list[tuple[str, str]]:
    """Keep files of weights, contents and names; path and name of each, and of the first of those that together hold
    the weights, as an index among them or their names tell. ValueError where one of these is missing, or as
    keep_weights."""
    contents = {_plain(label): content for content, label in given}
    pairs: list[tuple[str, str]] = []
    done: set[str] = set()
    for name in sorted(contents, key=lambda name: not name.lower().endswith(".json")):
        if name in done:
            continue
        try:
            group = shards(name, contents[name].decode("utf-8", "replace") if name.lower().endswith(".json") else "")
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        if group == [name]:
            pairs.append((keep_weights(contents[name], name), name))
            continue
        missing = [one for one in group if one not in contents]
        require(
            not missing,
            f"{name} is one of several files that together hold the weights, and {', '.join(missing[:3])} is not among "
            "them. Choose all of them at once, or put them into one folder, and choose “A folder on this machine”.",
        )
        whole = digest(b"".join(contents[one] for one in group))
        paths = [
            _keep(contents[one], one, f"weights-{whole}-{i:05}-of-{len(group):05}{Path(one).suffix.lower()}")
            for i, one in enumerate(group, 1)
        ]
        pairs.append((paths[0], group[0]))
        done |= {name, *group}
    return pairs


def digest(content: bytes) -> str:
    """What a file is kept under."""
    return hashlib.sha256(content).hexdigest()[:12]


def _keep(content: bytes, label: str, name: str) -> str:
    path = _folder() / name
    if not path.exists():
        write(path, content)
    write(path.with_suffix(".name"), _plain(label)[-80:].encode())
    return str(path)


def _plain(label: str) -> str:
    return Path(label.replace("\\", "/")).name


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
            names[str(path)] = shown(path.stem)
    return dict(sorted(names.items(), key=lambda item: item[1].lower()))
