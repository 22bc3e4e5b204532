"""How long work reports itself: a callable that is told the stage, what is done and out of how much.

It may raise to end the work: the engine lets exceptions pass and keeps no state of its own.
"""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]


def silent(stage: str, done: int, total: int) -> None:
    """Reports to nobody."""
