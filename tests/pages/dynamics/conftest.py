"""What the tests of the dynamics page share."""

import numpy as np
import pytest

from tests.pages.conftest import chart, decode, opened, result
from tests.planted import fill

PAGE = "pages/dynamics.py"
EPOCHS = (0, 10, 30, 100)
LEARNED = 37


def planted(store, epochs=EPOCHS, learned=LEARNED):
    """A run whose training samples are all right from `learned` on."""
    key = fill(store, epochs)
    meta = store.read("runs", key).meta
    for record in meta["records"]:
        if learned is not None and record["epoch"] >= learned:
            record["train_accuracy"] = 1.0
    store.write(("runs", key), meta)
    return key


@pytest.fixture
def run(store):
    return planted(store)


@pytest.fixture
def at(run):
    """The page over it."""
    return opened(PAGE, approximations="yes")


def by_name(at, key):
    """The traces of a figure that carry data, by the matrix they show."""
    return {t["meta"]: t for t in chart(at, key)["data"] if t["x"] != [None]}


def course(at, key, name):
    trace = by_name(at, key)[name]
    np.testing.assert_allclose(decode(trace["x"]), np.log10(1 + np.array(EPOCHS)))
    return decode(trace["y"])


def each(store, run, measure):
    return [measure(result(store, run, epoch)) for epoch in EPOCHS]
