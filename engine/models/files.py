"""Files of weights on this machine: which may be opened, and which epochs they are. Opens none, imports no torch."""

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from cache.foreign import typed
from cache.store import default_root
from engine.errors import require

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".pth.tar", ".pt.tar", ".index.json")
FOREIGN = (".onnx", ".pt2", ".torchscript")  # taken to say what they are
LARGEST_BYTES = 2 * 2**30
MOST_FILES = 200
# One of several files that together hold the weights: its number and how many there are.
SHARD = re.compile(r"-(\d+)-of-0*(\d+)\.\w+$")
# The number behind a word for the epoch; where not all have one, behind a word for steps.
_EPOCHS = tuple(
    re.compile(rf"(?:{words})[-_=. ]*(\d+)", re.IGNORECASE)
    for words in ("epochs?|(?<![a-z])ep", "checkpoint|ckpt|step|iter")
)


def is_weights(name: str) -> bool:
    """Whether a file of this name may hold weights."""
    return name.lower().endswith(SUFFIXES)


def shards(name: str, index: str = "") -> list[str]:
    """The names of the files that together hold the weights of which this is one, or, given its text, the index.
    ValueError where that lists none."""
    if name.lower().endswith(".json"):
        try:
            names = sorted(set(json.loads(index)["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise ValueError("it is no index of shards: it has no weight_map.") from error
        require(all(Path(str(one)).name == one for one in names), "its shards do not lie beside it.")
        return names
    number = SHARD.search(name)
    if number is None:
        return [name]
    start, end = name[: number.start(1)], name[number.end(1) :]
    return [f"{start}{i:0{len(number[1])}}{end}" for i in range(1, int(number[2]) + 1)]


def check_size(name: str, size: int) -> None:
    """ValueError where something takes more than can be read."""
    require(
        size <= LARGEST_BYTES,
        f"{name} takes {size / 2**30:.1f} GB; at most {LARGEST_BYTES / 2**30:.0f} GB can be read. Save the weights "
        "alone, without the optimiser's state.",
    )


def roots() -> tuple[Path, ...]:
    """Folders whose files the dashboard may open: `checkpoints` in the cache, and those of the environment variable
    GAMMASCOPE_ROOTS, separated as in PATH."""
    named = os.environ.get("GAMMASCOPE_ROOTS", "").split(os.pathsep)
    folders = [default_root() / "checkpoints", *(typed(name) for name in named if name)]
    return tuple(dict.fromkeys(folder.resolve() for folder in folders))


def located(text: str) -> Path:
    """The file or folder a user typed, symbolic links and .. followed; a relative one lies under the first root
    that has it. ValueError unless it exists and lies under one of the roots."""
    allowed = roots()
    require("\0" not in text, "A path holds no zero characters. Type the path of a file or folder.")
    path = typed(text.strip())
    try:
        places = [(root / path).resolve() for root in allowed]
        place = next((p for p in places if p.exists() and any(p.is_relative_to(root) for root in allowed)), None)
    except (OSError, RuntimeError):  # a name too long, links in a circle
        place = None
    if place is None:
        raise ValueError(
            f"{text.strip()[:200]} is not there, or lies outside the folders that may be opened: "
            f"{', '.join(map(str, allowed))}. Copy the files there, or start the dashboard with the environment "
            "variable GAMMASCOPE_ROOTS naming their folder."
        )
    return place


def in_series(files: Iterable[Path]) -> list[Path]:
    """The files of a folder that hold weights; the first of several shards stands for all, and for their index."""
    weights = [p for p in files if is_weights(p.name)]
    shards = {p: SHARD.search(p.name) for p in weights}
    sharded = any(shards.values())
    return [p for p, s in shards.items() if not (sharded and p.suffix == ".json") and (s is None or int(s[1]) == 1)]


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files of weights directly in a folder that lie under a root, in natural order (2 before 10). ValueError
    where there are none, or too many."""
    allowed = roots()
    files = [
        p
        for p in folder.iterdir()
        # A link may lead out of the folder.
        if p.is_file() and any(p.resolve().is_relative_to(root) for root in allowed)
    ]
    files = in_series(files)
    require(bool(files), f"{folder} holds no file of weights ({', '.join(SUFFIXES)}). Choose another folder.")
    require(
        len(files) <= MOST_FILES,
        f"{folder} holds {len(files)} files of weights, more than the {MOST_FILES} that make one series. Put those "
        "you mean into a folder of their own.",
    )
    return tuple(sorted(files, key=lambda p: natural(p.name)))


def epochs(names: Sequence[str]) -> tuple[int, ...]:
    """The epoch of each file of a series, by its name: the number behind a word such as epoch or ckpt, else the one
    number in which the names differ, else their place in the list."""
    stems = [Path(name).stem for name in names]
    for word in _EPOCHS:
        marked = [word.findall(stem) for stem in stems]
        marked_epochs = tuple(int(numbers[-1]) for numbers in marked if numbers)
        if len(set(marked_epochs)) == len(stems):
            return marked_epochs
    columns = list(zip(*(re.findall(r"\d+", stem) for stem in stems), strict=False))
    varying = [c for c in columns if len(set(map(int, c))) == len(stems)]
    if len({re.sub(r"\d+", "#", stem) for stem in stems}) == 1 and len(stems) > 1 and varying:
        return tuple(map(int, varying[-1]))
    return tuple(range(len(stems)))


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts names as people do: epoch_2 before epoch_10."""
    return [(0, int(word), "") if word.isdecimal() else (1, 0, word) for word in re.split(r"(\d+)", name)]
