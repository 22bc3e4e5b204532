"""The finished film that comes with the project: its page is never empty, offline and on an empty cache neither.

`python -m engine.runs.example` shoots it anew, as the page would.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from cache.store import Store
from engine.runs import recording
from engine.runs.recording import EXAMPLE, Film, Picture

FILE = Path(__file__).with_name("example_film.npz")
# Its epochs from frame to frame, and its last one: γ has left 1 by then.
STRIDE, LAST = 2, 30


def read(store: Store, key: str) -> Film | None:
    """A film of the store, or the one that comes with the project where the store has none of its run yet."""
    return recording.read(store, key) or (film() if key == film().key else None)


def picture(store: Store, key: str, epoch: int) -> Picture | None:
    """The pictures of one frame of the film that `read` gives; None if it is no longer kept."""
    if recording.read(store, key) is not None or key != film().key:
        return recording.picture(store, key, epoch)
    return _kept()[1].get(epoch)


def film() -> Film:
    """The film that comes with the project."""
    return _kept()[0]


@cache
def _kept() -> tuple[Film, Mapping[int, Picture]]:
    with np.load(FILE) as kept:
        values = json.loads(str(kept["film"]))
        shot = recording.from_json(values["key"], values)
        names = [name for name in kept.files if name not in ("film", "noise_floors")]
        pictures = {
            frame.epoch: Picture.of({name: kept[name][at] for name in names}, float(kept["noise_floors"][at]))
            for at, frame in enumerate(shot.frames)
        }
    return shot, pictures


def write(store: Store, file: Path = FILE) -> None:
    """Put the store's film of EXAMPLE into one file."""
    shot = recording.read(store, recording.film_key(EXAMPLE))
    assert shot is not None
    pictures = [picture for f in shot.frames if (picture := recording.picture(store, shot.key, f.epoch))]
    arrays = {
        "H": np.stack([p.eigenvalues for p in pictures]),
        "R": np.stack([p.correlation for p in pictures]),
        **{name: np.stack([p.diagonals[name] for p in pictures]) for name in recording.MATRICES},
        "noise_floors": np.array([p.noise_floor for p in pictures]),
    }
    # Its last sentence asks to go on with it; it is another one that can be gone on with.
    film = json.dumps(recording.as_json(replace(shot, message="")) | {"key": shot.key})
    np.savez_compressed(file, film=np.array(film), **arrays)  # type: ignore[arg-type]  # names, all of them arrays


def shoot(store: Store, last: int = LAST) -> None:
    """Shoot the film of EXAMPLE up to an epoch; the very weights of its run."""
    from engine.runs.camera import Camera  # loads torch
    from engine.runs.pipeline import Pipeline

    key = recording.film_key(EXAMPLE)
    recording.ask(store, key, playing=False, stride=STRIDE, steps=last // STRIDE)
    Camera(Pipeline(store, "cpu"), EXAMPLE).shoot()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        shoot(Store(Path(folder)))
        write(Store(Path(folder)))
