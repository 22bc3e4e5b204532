"""The faults themselves, and that what they would do harm to is noticed."""

import numpy as np
import pytest

from engine.runs import library
from tests import chaos


def forged(world):
    """A checkpoint that another training made."""
    world.finish()
    run = library.find(world.store)
    where = ("runs", run.key, "checkpoints", library.checkpoint_name(run.checkpoints[1]))
    entry = world.store.read(*where)
    arrays = {name: array + np.float32(1e-3) for name, array in entry.arrays().items()}
    world.store.write(where, entry.meta, {"main": arrays})


def forgotten(world):
    """A process that nobody waits for."""
    world.finish()
    world.start([*world.words, "--epochs", "1000000", "--seed", "3"])


def token(world):
    """The token of a sweep on another machine."""
    world.finish()
    (world.store.root / ".sweep-left").write_text("elsewhere\n1\n0.0")


@pytest.mark.slow
@pytest.mark.parametrize(("harm", "words"), [(forged, "weights"), (token, ".sweep-left"), (forgotten, "did not come")])
def test_harm_is_noticed(harm, words):
    assert words in chaos.trial(harm, 0)


@pytest.mark.slow
@pytest.mark.parametrize("fault", chaos.FAULTS, ids=lambda fault: fault.__name__)
def test_nothing_is_lost(fault):
    assert chaos.trial(fault, 1) == ""
