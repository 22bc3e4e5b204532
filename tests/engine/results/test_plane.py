"""engine.results.plane: what is read off a plane, in closed form."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from engine.results.plane import ANGLES, Plane, ellipse, turn


def plane(hessian=(8.0, 2.0, 1.0, 1.0), noise=(16.0, 1.0, 0.5, 0.5), **changes):
    numbers = np.random.default_rng(0)
    diagonal = {name: np.diag(np.array(values, float)) for name, values in (("hessian", hessian), ("noise", noise))}
    values = {
        "pair": (1, 10), "reach": 0.5, "samples": 20, "batch_size": 4, "rate": 0.1,
        "loss": numbers.random((len(ANGLES), 5, 5)), "gradient": numbers.random(4), "batches": numbers.random((7, 4)),
    }  # fmt: skip
    return Plane(**(values | diagonal | changes))


def test_the_exponent_is_that_of_a_line_through_two_points():
    assert plane().exponent() == pytest.approx(2.0)
    for h, c in (((1.0, 1.0), (2.0, 1.0)), ((1.0, -1.0), (2.0, 1.0)), ((2.0, 1.0), (2.0, 0.0))):
        assert math.isnan(plane((*h, 1, 1), (*c, 1, 1)).exponent())


def test_turned_by_a_right_angle_the_twins_are_seen():
    mixed = np.arange(16.0).reshape(4, 4)
    one = plane(hessian=(1, 2, 3, 4), noise=(5, 6, 7, 8), batches=mixed, gradient=np.zeros(4))
    np.testing.assert_allclose(one.curvature(0.0), np.diag([1.0, 2.0]))
    np.testing.assert_allclose(one.curvature(90.0), np.diag([3.0, 4.0]))
    np.testing.assert_allclose(one.covariance(45.0), np.diag([6.0, 7.0]))
    np.testing.assert_allclose(one.kicks(0.0), mixed[:, :2])
    np.testing.assert_allclose(one.kicks(90.0), mixed[:, 2:], atol=1e-12)
    for degrees in ANGLES:
        np.testing.assert_allclose(turn(degrees).T @ turn(degrees), np.eye(2), atol=1e-15)


def test_correlation_is_the_tilt_of_the_noise():
    noise = np.eye(4)
    noise[0, 1] = noise[1, 0] = 0.25
    assert plane().correlation(0.0) == 0
    assert replace(plane(), noise=noise).correlation(0.0) == pytest.approx(0.25)
    assert math.isnan(plane(noise=(0.0, 1.0, 1.0, 1.0)).correlation(0.0))


def test_an_ellipse_is_where_the_noise_is_as_unlikely():
    covariance = np.array([[2.0, 0.6], [0.6, 0.5]])
    points = ellipse(covariance, 2.0)
    np.testing.assert_allclose(np.einsum("qi,ij,qj->q", points, np.linalg.inv(covariance), points), 4.0)
    np.testing.assert_allclose(points[0], points[-1], atol=1e-12)
    inside = np.random.default_rng(1).multivariate_normal([0, 0], covariance, 20_000)
    share = (np.einsum("qi,ij,qj->q", inside, np.linalg.inv(covariance), inside) < 4).mean()
    assert share == pytest.approx(1 - math.exp(-2), abs=0.01)


@pytest.mark.parametrize("rate", [0.1, math.nan])
def test_a_plane_survives_the_cache(rate):
    one = plane(rate=rate)
    arrays, meta = one.to_arrays()
    back = Plane.from_arrays(arrays, json.loads(json.dumps(meta, allow_nan=False)))
    assert (back.pair, back.reach, back.samples, back.batch_size) == (one.pair, one.reach, one.samples, one.batch_size)
    assert back.rate == pytest.approx(rate, nan_ok=True)
    np.testing.assert_array_equal(back.loss, one.loss)
    assert back.here == one.loss[0, 2, 2]
    with pytest.raises(KeyError):
        Plane.from_arrays({}, meta)
