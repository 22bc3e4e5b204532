"""How large the cache is and may get: where the limit is exceeded the oldest analyses leave, with a word.

Checkpoints never leave: they cannot be had back without training, an analysis can. Imports no torch: workers
and pages both keep house here, so the limit holds whoever writes.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from cache.store import Store
from engine.errors import require
from engine.runs import library, recording
from engine.units import words

# Bytes: some 200 analyses of the demo's kind.
USUAL_LIMIT = 5_000_000_000
SMALLEST_LIMIT = 100_000_000
_SETTING = ("settings", "room")
_LOG = "left.txt"


@dataclass(frozen=True)
class Removable:
    """An analysis as housekeeping sees it: where it is, which epoch and layer it is of, when it was made
    (seconds since 1970), and its bytes on disk."""

    run: str
    key: str
    epoch: int
    layer: str
    created: float
    size: int


def limit(store: Store) -> int:
    """The largest size of this cache, in bytes."""
    entry = store.read(*_SETTING)
    return USUAL_LIMIT if entry is None else int(entry.meta["limit"])


def set_limit(store: Store, size: int) -> None:
    """Choose the largest size, in bytes; what exceeds it stays until make_room. ValueError below 100 MB."""
    require(
        size >= SMALLEST_LIMIT,
        f"{words(size)} would not hold a handful of analyses. Choose at least {words(SMALLEST_LIMIT)}.",
    )
    store.write(_SETTING, {"limit": int(size)})


def analyses(store: Store) -> tuple[Removable, ...]:
    """Every analysis in the cache, oldest first."""
    entries = (_removable(store, run, key) for run, key in _keys(store))
    return tuple(sorted((a for a in entries if a is not None), key=lambda a: (a.created, a.run, a.key)))


def leaving(store: Store, limit: int, spare: tuple[str, str] | None = None) -> tuple[Removable, ...]:
    """The analyses that would leave under this limit, oldest first; spare: run and key of one that stays."""
    excess = store.size() - limit
    if excess <= 0:
        return ()
    leave: list[Removable] = []
    for one in analyses(store):
        if excess <= 0:
            break
        if (one.run, one.key) != spare:
            leave.append(one)
            excess -= one.size
    return tuple(leave)


def make_room(store: Store, spare: tuple[str, str] | None = None) -> tuple[Removable, ...]:
    """Remove the oldest analyses until the cache is within its limit, or none is left but the one to spare;
    each leaves a sentence in the log. The analyses that left."""
    for run, key in _keys(store):
        store.sweep("runs", run, "analyses", key)
    most = limit(store)
    # Another worker may keep house at the same time: what it removed is its to tell.
    gone = [one for one in leaving(store, most, spare) if store.delete("runs", one.run, "analyses", one.key)]
    if gone:
        when = time.strftime("%Y-%m-%d %H:%M")
        with open(store.root / _LOG, "a", encoding="utf-8") as file:
            file.writelines(
                f"On {when} the analysis of epoch {one.epoch} (layer {one.layer}) of run {_name(store, one.run)} left, "
                f"{words(one.size)}, because the limit of {words(most)} was reached; analyse again to have it back.\n"
                for one in gone
            )
    return tuple(gone)


def few_films(store: Store, spare: str) -> tuple[str, ...]:
    """Remove films but for the newest few, among them the one to spare, and those that another version of this program
    left. Keys of those that left: nothing is lost with them, a film is shot again as it was."""
    others = [f.key for f in recording.films(store) if f.key != spare]
    stay = {spare, *others[: recording.KEPT_FILMS - 1]}
    return tuple(key for key in store.list("films") if key not in stay and store.delete("films", key))


def log(store: Store) -> tuple[str, ...]:
    """One sentence for each analysis that left, oldest first."""
    try:
        return tuple((store.root / _LOG).read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return ()


def _keys(store: Store) -> Iterator[tuple[str, str]]:
    for run in store.list("runs"):
        for key in store.list("runs", run, "analyses"):
            yield run, key


def _removable(store: Store, run: str, key: str) -> Removable | None:
    entry = store.read("runs", run, "analyses", key)
    if entry is None:
        return None
    # An entry of another version of this program may lack these; it has an age and a size all the same.
    asked = entry.meta.get("request", {})
    return Removable(
        run,
        key,
        int(asked.get("epoch", -1)),
        str(asked.get("layer", "unknown")),
        float(entry.meta.get("created", 0.0)),
        store.size("runs", run, "analyses", key),
    )


def _name(store: Store, run: str) -> str:
    label = library.label(store, run)
    return f"“{label}” ({run[:8]})" if label else run[:8]
