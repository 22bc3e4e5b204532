"""Quantities over epochs as they are drawn."""

import numpy as np
import plotly.graph_objects as go

from pages.charts import over_epochs
from pages.charts.over_epochs import Times
from pages.state.palette import LOOKS
from tests.pages.conftest import decode, traces
from tests.planted import analysis

TIMES = Times((0, 10, 100), 10, 37)
RISE = np.array([1.0, 1.1, 1.3])


def test_intervals_are_bars_around_gamma_where_there_are_any():
    low, none = np.array([np.nan, 1.0, 1.2]), np.full(3, np.nan)
    high = np.array([np.nan, 1.3, 1.35])
    series, intervals = {"C": RISE, "C_awd": RISE + 0.1}, {"C": (low, high), "C_awd": (none, none)}
    figure = over_epochs.gammas(TIMES, series, intervals, {"C": ["", "<br>a", "<br>b"], "C_awd": [""] * 3})
    (bars,) = (t["error_y"] for t in traces(figure, meta="C"))
    np.testing.assert_allclose(RISE + np.array(decode(bars["array"]), float), high)
    np.testing.assert_allclose(RISE - np.array(decode(bars["arrayminus"]), float), low)
    assert all("error_y" not in t for t in traces(figure, meta="C_awd"))
    (drawn,) = traces(figure, meta="C")
    assert list(drawn["text"]) == ["", "<br>a", "<br>b"]
    assert drawn["hovertemplate"].endswith("γ = %{y:.3f}%{text}<extra></extra>")
    across = [s["y0"] for s in figure.to_plotly_json()["layout"]["shapes"] if s["y0"] == s["y1"]]
    assert across == [1, 2]


def test_marks_stay_in_view_beyond_the_analysed_epochs():
    times = Times((0, 10), 10, 80)
    low, high = times.axis()["range"]
    assert low < 0 < np.log10(81) < high


def test_chance_is_dotted_in_the_colour_of_its_matrix():
    figure = over_epochs.lines(TIMES, {"C": RISE}, "measure", {"C": RISE * 0 + 1.41})
    (measured,), (chance,) = traces(figure, meta="C"), traces(figure, meta="C at random")
    assert measured["line"]["color"] == LOOKS["C"].colour
    assert chance["line"]["dash"] == "dot"
    assert np.allclose(decode(chance["y"]), 1.41)
    low, high = figure.layout.yaxis.range
    assert low < 0
    assert high > 1.41


def test_a_log_axis_leaves_out_what_has_no_logarithm():
    figure = over_epochs.lines(TIMES, {"C": np.array([0.0, 1e-3, np.nan])}, "norm", log=True)
    (trace,) = traces(figure, meta="C")
    drawn = np.array(decode(trace["y"]), float)
    assert np.isnan(drawn[0])
    assert drawn[1] == 1e-3


def test_negative_variances_are_drawn_by_magnitude_with_open_symbols():
    values = np.array([4.0, -2.0, 0.0, 1.0])
    figure = over_epochs.by_index({"C_hg": values}, data=3)
    (trace,) = traces(figure, meta="C_hg")
    assert decode(trace["x"]).tolist() == [1, 2, 4]
    assert decode(trace["y"]).tolist() == [4, 2, 1]
    assert decode(trace["customdata"]).tolist() == [4, -2, 1]
    marker = LOOKS["C_hg"].marker
    assert trace["marker"]["symbol"] == [marker, f"{marker}-open", marker]
    assert figure.layout.shapes[0].x0 == 3.5


def test_rounding_does_not_take_the_height_of_the_diagonals():
    a = analysis()
    values = a.diagonal("C_hh").copy()
    values[-1] = 1e-40
    figure = over_epochs.by_index({"C_hh": values}, int((a.eigenvalues > a.noise_floor).sum()))
    assert figure.layout.yaxis.range[0] > -12
    (trace,) = traces(figure, meta="C_hh")
    assert decode(trace["x"]).size <= over_epochs.POINTS


def test_nothing_to_follow_is_an_empty_figure_not_an_error():
    assert not over_epochs.lines(TIMES, {}, "distance", log=True).data
    assert not over_epochs.lines(TIMES, {}, "slope").data


def test_nothing_above_the_floor_is_an_empty_figure_not_an_error():
    assert over_epochs.by_index({"C_hh": np.zeros(5)}, 0).data[0].x.size == 0


def test_shared_axes_reach_over_all_data_linear_or_logarithmic():
    figures = [
        go.Figure(go.Scatter(x=[0, 1], y=values), {"xaxis": {"range": ends}, "yaxis": {"type": "log"}})
        for values, ends in (([1e-3, 1], [0, 1]), ([np.nan, 100], [-1, 0.5]))
    ]
    over_epochs.share(figures)
    for figure in figures:
        assert figure.layout.xaxis.range == (-1, 1)
        low, high = figure.layout.yaxis.range
        assert -3.5 < low < -3
        assert 2 < high < 2.5


def test_one_figure_alone_keeps_its_axes():
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1]), {"yaxis": {"title": {"text": "y"}}})
    over_epochs.share([figure])
    assert figure.layout.yaxis.range is None
