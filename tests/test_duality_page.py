"""The page on activity-weight duality: what every control changes, and that its numbers are the engine's."""

import numpy as np
import pytest

from engine.pair import pair
from tests import planted
from tests.planted import add_samples, fill
from tests.test_figures import decode
from tests.test_pages import chart, charts, opened

PAGE = "pages/duality.py"
FIGURES = {"sample", "partner", "losses", "activities", "weights", "gradients", "near_far", "early_late"}
COVARIANCE = {"ladder", "pairs", "shape"}


@pytest.fixture
def run(store):
    made = fill(store, epochs=(0, 10, 100))
    add_samples(store, made, 10, 100)
    return made


def line(at, key, name):
    """The ordinates of a line of a figure, by the beginning of its name."""
    (found,) = [t for t in chart(at, key)["data"] if t.get("name", "").startswith(name)]
    return decode(found["y"])


def own(epoch=100, sample=3, partner=13):
    return pair(planted.samples(epoch), sample, partner)


def test_both_curves_are_the_engines_and_one(run):
    at = opened(PAGE, sample="3", partner="13")
    assert {*charts(at)} == FIGURES | COVARIANCE
    walk = own().walk()
    by_activity, by_weight = (line(at, "losses", name) for name in ("ℓ(a + tΔa; W), a", "ℓ(a; W + tΔW*)"))
    np.testing.assert_allclose(by_activity, walk.by_activity)
    np.testing.assert_allclose(by_activity, by_weight, rtol=1e-9)
