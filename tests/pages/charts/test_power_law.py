"""The power law as it is drawn: points, slopes, fits, runs, and the direction pointed at."""

import dataclasses
import json

import numpy as np
import plotly.graph_objects as go
import pytest

from pages.charts import power_law, residuals
from pages.charts.power_law import Cloud
from pages.state import palette
from tests.pages.charts.conftest import RESULT, clouds, ringed
from tests.pages.conftest import decode, slope, traces

# -- the power law ----------------------------------------------------------------------------------------


def test_points_are_the_diagonals_in_the_matrix_colour():
    figure = power_law.power_law(clouds())
    for name in ("C", "C_awd"):
        drawn = 0
        for trace in traces(figure, mode="markers", meta=name):
            index = decode(trace["customdata"])[:, 0].astype(int) - 1
            np.testing.assert_array_equal(decode(trace["x"]), RESULT.eigenvalues[index])
            np.testing.assert_array_equal(decode(trace["y"]), RESULT.diagonal(name)[index])
            assert trace["marker"]["color"] == palette.LOOKS[name].colour
            drawn += index.size
        assert 200 < drawn <= 2 * power_law.LIMIT


@pytest.mark.parametrize("centred", [False, True])
def test_slopes_1_and_2_have_slope_1_and_2_through_the_data(centred):
    figure = power_law.power_law(clouds(), centred)
    for power, dash in ((1, "dot"), (2, "dash")):
        (trace,) = traces(figure, meta=f"slope {power}")
        assert slope(trace) == pytest.approx(power, abs=1e-9)
        assert trace["line"]["dash"] == dash
        # At the centre of the first cloud the line passes through its fit.
        inside = clouds()[0].fitted
        scale = np.array([10 ** np.log10(z[inside]).mean() for z in (RESULT.eigenvalues, RESULT.diagonal("C"))])
        centre = np.ones(2) if centred else scale
        assert np.log10(decode(trace["y"])[0] / centre[1]) == pytest.approx(
            power * np.log10(decode(trace["x"])[0] / centre[0]), abs=1e-9
        )


def test_runs_are_drawn_so_many_decades_below_each_other():
    one, other = (dataclasses.replace(clouds()[0], run=place, label=str(place)) for place in range(2))

    def fits(apart):
        return traces(power_law.power_law([one, other], True, apart=apart), name="fit of C")

    (first, second), (upper, lower) = fits(0.0), fits(1.5)
    np.testing.assert_allclose(decode(upper["y"]), decode(first["y"]))
    np.testing.assert_allclose(decode(lower["x"]), decode(second["x"]))
    np.testing.assert_allclose(decode(lower["y"]), decode(second["y"]) / 10**1.5)


@pytest.mark.parametrize("centred", [False, True])
def test_fits_have_the_exponent_their_legend_says(centred):
    figure = power_law.power_law(clouds(), centred)
    legends = " ".join(t.get("name", "") for t in traces(figure, mode="lines+markers"))
    for name, gamma in (("C", 1.2), ("C_awd", 1.18)):
        fit = next(t for t in traces(figure, mode="lines", meta=name))
        assert slope(fit) == pytest.approx(gamma, abs=1e-6)
        assert f"γ = {gamma:.2f}" in legends


def test_a_window_parts_the_fitted_points_from_the_others():
    figure = power_law.power_law(clouds(first=50, last=150))
    shown = {t["name"]: decode(t["customdata"])[:, 0] for t in traces(figure, mode="markers", meta="C")}
    assert shown["C"].min() == 51
    assert shown["C"].max() == 150
    assert not set(shown["C"]) & set(shown["not fitted"])


def test_the_noise_floor_is_shaded_up_to_its_value():
    figure = power_law.power_law(clouds())
    assert [s["x1"] for s in json.loads(figure.to_json())["layout"]["shapes"]] == [RESULT.noise_floor]


def test_nothing_to_fit_is_said_in_the_figure():
    figure = power_law.power_law([Cloud("C", np.ones(3), -np.ones(3))])
    assert "noise floor" in figure.layout.annotations[0].text


@pytest.mark.parametrize("size", [1, 5, 300, 301, 5000])
def test_drawn_points_are_few_and_spread_evenly_in_log_space(size):
    values = 10 ** np.linspace(0, -6, size)
    index = power_law.spread(values)
    assert index.size == min(size, power_law.LIMIT)
    assert np.all(np.diff(index) > 0)
    assert {0, size - 1} <= set(index)
    if size > 301:
        gaps = -np.diff(np.log10(values[index]))
        assert gaps.max() < 2.2 * 6 / power_law.LIMIT


# -- curves and meters ------------------------------------------------------------------------------------


def test_a_ring_is_drawn_around_the_direction_of_the_run_in_view_alone():
    own, other = clouds(), dataclasses.replace(clouds()[0], run=1, label="the other")
    places = [(c.x[6], c.y[6]) for c in own]
    assert ringed(power_law.power_law([*own, other], marked=7)) == places
    centred = ringed(power_law.power_law(own, centred=True, marked=7))
    np.testing.assert_allclose(centred, [np.array(w) / c.centre for w, c in zip(places, own, strict=True)])
    assert not power_law.ring([np.ones(3)], [np.ones(3)], 4)
    assert not power_law.ring([np.zeros(3)], [np.ones(3)], 2)


def test_runs_keep_the_colour_of_the_covariance_and_have_a_marker_a_dash_and_a_name_each():
    both = [dataclasses.replace(clouds()[0], run=n, label=f"run <{n}>") for n in range(4)]
    figure = power_law.power_law(both)
    points = [t for t in traces(figure, mode="markers", meta="C") if t["name"] != "not fitted"]
    assert {t["marker"]["color"] for t in points} == {palette.LOOKS["C"].colour}
    assert len({t["marker"]["symbol"] for t in points}) == 4
    fits = traces(figure, mode="lines", meta="C")
    assert len({t["line"]["dash"] for t in fits}) == 4
    assert not {t["line"]["dash"] for t in fits} & set(palette.SLOPES.values())
    names = [t["name"] for t in traces(figure, mode="lines+markers")]
    assert names == [f"C  γ = 1.20  ·  run &lt;{n}&gt;" for n in range(4)]


def test_figures_drawn_while_a_knob_moves_hold_nothing_that_plotly_refuses():
    drawn = clouds(first=2, last=200)
    for figure in (
        power_law.power_law(drawn, marked=3),
        power_law.power_law(drawn, centred=True),
        residuals.residuals(drawn),
        residuals.gamma_by_window(drawn, 2, 200),
        residuals.effective_curvature(RESULT.eigenvalues, RESULT.effective_curvature()),
    ):
        go.Figure(figure.to_dict())


def test_the_band_that_the_browser_moves_is_the_windows():
    shape = residuals.gamma_by_window(clouds(), 4, 200).layout.shapes[residuals.BAND]
    assert (shape.x0, shape.x1) == (4, 200)
