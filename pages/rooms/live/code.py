"""The Python behind the pictures of a film: it reads what the film has kept."""

from collections.abc import Sequence

from engine.runs.recording import Film, Frame

_READ = ("from cache.store import Store", "from engine.runs import recording as film", "")


def frame(shot: Film, frame: Frame, *lines: str) -> str:
    """The pictures of one frame."""
    return "\n".join((*_READ, f'picture = film.picture(Store(), "{shot.key}", {frame.epoch})', *lines))


def columns(shot: Film, names: Sequence[str]) -> str:
    """Numbers of every frame."""
    read = (f'{name} = shot.column("{name}")' for name in names)
    return "\n".join((*_READ, f'shot = film.read(Store(), "{shot.key}")', *read))
