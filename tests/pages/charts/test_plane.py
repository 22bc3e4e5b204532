"""The loss over two directions: contours, mini-batches and the ellipse are those of the plane, at every angle."""

import json
import math

import numpy as np
import pytest

from engine.results.plane import ANGLES, POINTS, ellipse
from pages.charts.plane import FILLED, magnification, picture
from tests.pages.conftest import decode
from tests.planted_plane import bowl

PLANE = bowl((8.0, 2.0), (0.4, 0.05), tilt=0.3)


def drawn(plane):
    return json.loads(picture(plane).to_json())


def test_at_every_angle_the_arrays_of_the_plane_are_drawn():
    figure = drawn(PLANE)
    scale = magnification(PLANE) * PLANE.rate / PLANE.reach
    assert [frame["name"] for frame in figure["frames"]] == [str(a) for a in ANGLES]
    for frame, degrees in zip(figure["frames"], ANGLES, strict=True):
        ground, cloud, outline = frame["data"]
        np.testing.assert_allclose(decode(ground["z"]), PLANE.loss[ANGLES.index(degrees)], rtol=1e-6)
        kicks = np.stack([decode(cloud["x"]), decode(cloud["y"])], axis=1)
        np.testing.assert_allclose(kicks, -scale * PLANE.kicks(degrees), rtol=1e-5, atol=1e-9)
        around = np.stack([decode(outline["x"]), decode(outline["y"])], axis=1)
        np.testing.assert_allclose(around, scale * ellipse(PLANE.covariance(degrees)), atol=1e-12)
    np.testing.assert_allclose(decode(figure["data"][0]["z"]), PLANE.loss[0])
    assert decode(figure["data"][0]["z"]).shape == (POINTS, POINTS)
    steps = figure["layout"]["sliders"][0]["steps"]
    assert [step["args"][0] for step in steps] == [[str(a)] for a in ANGLES]
    assert (steps[0]["label"], steps[-1]["label"]) == ("1 and 10", "at random")


def test_axes_are_of_one_scale_and_named_by_how_far_the_weights_move():
    across, down = (drawn(PLANE)["layout"][f"{name}axis"] for name in "xy")
    assert across["range"] == down["range"] == [-1, 1]
    assert down["scaleanchor"] == "x"
    assert [float(t.replace("−", "-")) for t in across["ticktext"]] == pytest.approx(
        [-PLANE.reach, 0, PLANE.reach], abs=0.01
    )


@pytest.mark.parametrize("rate", [1e-4, 0.1, 7.0])
def test_kicks_are_drawn_as_large_as_fits_and_by_a_round_number(rate):
    plane = bowl((8.0, 2.0), (0.4, 0.05), rate=rate)
    times = magnification(plane)
    assert times / 10 ** math.floor(math.log10(times) + 1e-9) == pytest.approx(
        min((1, 2, 5), key=lambda m: abs(m - times / 10 ** math.floor(math.log10(times) + 1e-9)))
    )
    share = 2 * rate * times * math.sqrt(0.4) / plane.reach
    assert FILLED / 2.5 * 0.999 < share <= FILLED * 1.001


def test_without_a_rate_or_noise_there_is_still_a_picture():
    assert magnification(bowl((8.0, 2.0), (0.0, 0.0))) == 1
    unknown, one = bowl((8.0, 2.0), (0.4, 0.05), rate=math.nan), bowl((8.0, 2.0), (0.4, 0.05), rate=1.0)
    assert decode(drawn(unknown)["data"][1]["x"]) == pytest.approx(decode(drawn(one)["data"][1]["x"]))
    assert drawn(bowl((8.0, 2.0), (0.0, 0.0)))["data"]


def test_levels_reach_from_the_least_loss_to_thrice_that_of_the_checkpoint():
    contours = drawn(PLANE)["data"][0]["contours"]
    assert contours["start"] == pytest.approx(PLANE.loss[0].min())
    assert contours["end"] == pytest.approx(min(3 * PLANE.here, PLANE.loss[0].max()))
