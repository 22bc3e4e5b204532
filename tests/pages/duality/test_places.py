"""Duality lab before a convolution: its numbers are the engine's, and each choice changes it."""

import numpy as np
import pytest

from pages.rooms.duality import places_text
from tests.pages.conftest import button, chart, charts, decode, fine, opened, texts, url
from tests.planted_samples import PLACED, add_places, close_up_of, placed

PAGE = "pages/duality.py"
FIGURES = {"sample", "partner", "losses", "push", "missed", "weight_change", "gradients", "exact", "size"}


@pytest.fixture
def run(store, run):
    add_places(store, run, (3, 13), (placed().hardest(), int(placed().near[placed().hardest(), 0])))
    return run


def test_every_figure_shows_the_engines_numbers(run):
    at = opened(PAGE, layer=PLACED, sample="3", partner="13")
    assert {*charts(at)} == FIGURES
    dual = close_up_of(3, 13).dual
    lines = [decode(trace["y"]) for trace in chart(at, "losses")["data"][:2]]
    np.testing.assert_allclose(lines, [dual.walk.by_activity, dual.walk.by_weight])
    for key in ("push", "missed"):
        np.testing.assert_allclose(decode(chart(at, key)["data"][0]["z"]).ravel(), getattr(dual, key), rtol=1e-5)
        assert np.isclose(chart(at, key)["data"][0]["zmax"], max(dual.push.max(), dual.missed.max())), "one scale"
    assert f"**{dual.residual:.0%}**" in texts(at)
    assert 0.05 < dual.residual < 1, "25 places, and eight inputs of each"
    exact = chart(at, "exact")["data"][0]
    np.testing.assert_allclose(decode(exact["y"]), placed().fit[decode(exact["customdata"]), 0])


def test_the_usual_pair_is_a_hard_sample_and_its_nearest(run):
    at = opened(PAGE, layer=PLACED)
    p = int(at.number_input(key="duality.sample").value)
    assert p == placed().hardest()
    assert at.number_input(key="duality.partner").value == placed().partner[p]
    assert {*charts(at)} == FIGURES


def test_a_pair_that_is_not_in_hand_is_offered(run):
    at = opened(PAGE, layer=PLACED, sample="3", partner="13")
    fine(at.number_input(key="duality.partner").set_value(23).run())
    assert url(at)["partner"] == "23"
    assert {*charts(at)} == {"sample", "partner"}
    assert button(at, "Look closely")


def test_a_step_moves_the_marks(run):
    at = opened(PAGE, layer=PLACED, sample="3", partner="13")
    fine(at.slider(key="duality.step").set_value(0.25).run())
    np.testing.assert_allclose(chart(at, "losses")["data"][-1]["x"], 0.25)
    assert "At $t = 0.25$" in texts(at)


def test_the_sentences_hold_the_numbers():
    stored = placed()
    assert f"In the median sample {np.nanmedian(stored.fit[:, 0]):.0%} is missed" in places_text.exact(stored)
