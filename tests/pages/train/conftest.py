"""What the tests of the training page share."""

import pytest

from engine.config.command_line import parse
from engine.config.commands import TrainCommand
from tests.pages.conftest import fine, opened

PAGE = "pages/train.py"


@pytest.fixture
def at(prepared, started):
    """The page, untouched."""
    return opened(PAGE)


def asked(at, started) -> TrainCommand:
    """What pressing Start would start."""
    before = len(started)
    fine(at.button(key="train.start").click().run())
    assert len(started) == before + 1
    argv, queue = started[-1]
    assert queue
    command = parse(argv)
    assert isinstance(command, TrainCommand)
    return command


def set_value(at, kind: str, field: str, value):
    fine(getattr(at, kind)(key=f"train.{field}").set_value(value).run())


def press_preset(at, name: str) -> None:
    fine(at.button(key=f"train.preset.{name}").click().run())
