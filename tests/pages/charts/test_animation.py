"""The epochs as frames of one figure."""

import dataclasses
import json

import numpy as np
import pytest

from pages.charts import animation
from pages.charts.animation import Frame
from tests.pages.charts.conftest import RESULT, frames, large
from tests.pages.conftest import decode


def test_the_epochs_are_frames_of_one_figure_on_one_scale():
    shown = frames()
    random = RESULT.random_correlation("C", 12)
    figure = json.loads(animation.play(shown, 10, random, marked=5).to_json())
    heat = [t for t in figure["data"] if t["type"] == "heatmap"]
    assert len(heat) == 3
    np.testing.assert_allclose(decode(heat[0]["z"]), shown[1].block, rtol=1e-6)
    np.testing.assert_allclose(decode(heat[2]["z"]), random, atol=1e-6)
    assert figure["layout"]["title"]["text"] == shown[1].title
    assert [f["name"] for f in figure["frames"]] == ["0", "10", "100"]
    largest = max(np.abs(f.block).max() for f in shown)
    assert heat[0]["zmax"] == pytest.approx(largest)
    for made, epoch_frame in zip(figure["frames"], shown, strict=True):
        k_cells, r_cells = (decode(t["z"]) for t in made["data"])
        np.testing.assert_allclose(k_cells, epoch_frame.block, rtol=1e-6)
        np.testing.assert_array_equal(r_cells, np.rint(100 * epoch_frame.correlation))
        assert [figure["data"][t]["type"] for t in made["traces"]] == ["heatmap", "heatmap"]
        assert f"Epoch {epoch_frame.epoch}" in made["layout"]["title"]["text"]
        assert epoch_frame.numbers in made["layout"]["title"]["text"]
    assert {(s["xref"], s["x0"]) for s in figure["layout"]["shapes"]} == {
        (f"x{end}", x) for end in ("", "2", "3") for x in (-0.5, 3.5)
    }
    (slider,) = figure["layout"]["sliders"]
    assert slider["active"] == 1
    assert [s["label"] for s in slider["steps"]] == ["0", "10", "100"]
    play, pause = figure["layout"]["updatemenus"][0]["buttons"]
    assert play["args"][0] is None
    assert pause["args"][0] == [None]


def test_the_frames_stay_small():
    assert animation.fewer(range(5)) == [0, 1, 2, 3, 4]
    few = animation.fewer(range(100))
    assert (len(few), few[0], few[-1]) == (animation.FRAMES, 0, 99)
    k = animation.MOST
    one = Frame(0, large(k), np.tanh(large(k)), "")
    many = [dataclasses.replace(one, epoch=e) for e in range(animation.FRAMES)]
    assert len(animation.play(many, 0, one.correlation).to_json()) < 2e6
