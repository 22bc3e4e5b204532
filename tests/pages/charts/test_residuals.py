"""What is left of the law: residuals, running medians, γ by window, effective curvature."""

import dataclasses

import numpy as np
import pytest

from engine.results.power_law import power_law as law
from pages.charts import residuals
from pages.state import palette
from tests.pages.charts.conftest import RESULT, clouds, ringed
from tests.pages.conftest import decode, slope, traces


def test_gamma_by_window_and_effective_curvature_draw_what_they_are_given():
    gamma = RESULT.gamma_by_window("C")
    figure = residuals.gamma_by_window(clouds()[:1], 0, 100, marked=17)
    (trace,) = traces(figure, meta="C")
    np.testing.assert_array_equal(decode(trace["y"]), gamma[decode(trace["x"]).astype(int) - 1])
    assert [s.x0 for s in figure.layout.shapes if s.line.color == palette.MARK] == [17]
    kappa = RESULT.effective_curvature()
    figure = residuals.effective_curvature(RESULT.eigenvalues, kappa, marked=17)
    (points,) = traces(figure, meta="kappa_eff")
    np.testing.assert_array_equal(decode(points["y"]), kappa[decode(points["customdata"]) - 1])
    assert slope(traces(figure, meta="bound")[0]) == pytest.approx(1)
    assert ringed(figure) == [(RESULT.eigenvalues[16], kappa[16])]


def test_residuals_are_the_distances_from_the_fit_in_decades():
    (cloud,) = clouds(first=5, last=200)[:1]
    bent = dataclasses.replace(cloud, y=cloud.y * 10 ** (0.05 * np.log10(cloud.x) ** 2))
    for c in (cloud, bent):
        fit = law(c.x[5:200], c.y[5:200], c.floor)
        c = dataclasses.replace(c, fit=fit)
        figure = residuals.residuals([c], marked=9)
        (points,) = traces(figure, meta="C")
        index = decode(points["customdata"]) - 1
        assert (index.min(), index.max()) == (5, 199)
        expected = np.log10(c.y) - fit.gamma * np.log10(c.x) - fit.intercept
        np.testing.assert_allclose(decode(points["y"]), expected[index], atol=1e-12)
        ((x, y),) = ringed(figure)
        assert (x, y) == (c.x[8], pytest.approx(expected[8]))
        median = decode(traces(figure, meta="running-median C")[0]["y"])
        # A straight law leaves nothing, a bent one a bend.
        ends, middle = median[[0, -1]].min(), median[median.size // 2]
        assert (ends - middle > 0.02) == (c.y is bent.y)


def test_a_running_median_is_that_of_stretches_in_log_x():
    rng = np.random.default_rng(0)
    x = 10 ** rng.uniform(-6, 0, 500)
    y = np.log10(x) ** 2 + rng.normal(0, 0.01, 500)
    across, up = residuals.running_median(x, y)
    assert 25 <= across.size <= residuals.GROUPS
    assert np.all(np.diff(across) < 0)
    np.testing.assert_allclose(up, np.log10(across) ** 2, atol=0.15)
    few = residuals.running_median(np.array([1.0, 0.1, 1e-4]), np.array([1.0, 2.0, 9.0]))
    assert [z.tolist() for z in few] == [[0.1], [2.0]]
    # Each point is in one stretch: medians of stretches of four lie between their second and third.
    x, y = 10.0 ** -np.arange(8), np.arange(8.0)
    assert residuals.running_median(x, y)[1].tolist() == [1.5, 5.5]
