"""Heatmaps show what they were given: cells, scales, colours and the direction pointed at."""

import numpy as np
import pytest

from pages.charts import heatmaps
from tests.pages.charts.conftest import RESULT, large
from tests.pages.conftest import decode, traces

# -- heatmaps ---------------------------------------------------------------------------------------------


def strength(trace, values):
    """The opacity that plotly.js gives to a value: linear between the stops of the colour scale."""
    stops = [(place, float(colour.split(",")[3][:-1])) for place, colour in trace["colorscale"]]
    place = (np.asarray(values) - trace["zmin"]) / (trace["zmax"] - trace["zmin"])
    return np.interp(place, *zip(*stops, strict=True))


def test_k_carries_its_values_and_is_coloured_by_their_symmetric_log():
    block = RESULT.projected("C", 100)
    block[3, 7] = block[7, 3] = -0.5 * block[3, 3]
    figure = heatmaps.covariance(block, RESULT.eigenvalues)
    (trace,) = traces(figure, type="heatmap")
    z = decode(trace["z"])
    assert z.dtype == np.float32
    np.testing.assert_allclose(z, block, rtol=1e-6)
    assert trace["zmax"] == -trace["zmin"] == np.abs(block).max()
    places = [p for p, _ in trace["colorscale"]]
    assert np.all(np.diff(places) >= 0)
    assert (places[0], places[-1]) == (0, 1), "plotly.js refuses any other scale"
    scale = heatmaps.scale(block)
    expected = (np.abs(heatmaps.symlog(block, 10.0**scale.low)) / scale.limit) ** 0.8
    np.testing.assert_allclose(strength(trace, block), expected, atol=0.02)


def test_by_the_root_the_diagonal_of_k_is_what_one_sees():
    block = RESULT.projected("C", 100)
    colours = heatmaps.scale(block, roots=True)
    (trace,) = traces(heatmaps.covariance(block, RESULT.eigenvalues, colours=colours), type="heatmap")
    np.testing.assert_allclose(strength(trace, block), np.sqrt(np.abs(block) / np.abs(block).max()), atol=0.02)
    # Off the diagonal a cell is as strong as its correlation lets it be beside its row and column on the diagonal.
    r, d = np.sqrt(np.abs(RESULT.correlation("C", 100))), np.sqrt(np.diag(block) / np.abs(block).max())
    off = ~np.eye(100, dtype=bool)
    np.testing.assert_allclose(strength(trace, block)[off], (r * np.sqrt(np.outer(d, d)))[off], atol=0.02)


@pytest.mark.parametrize("roots", [True, False])
def test_the_ticks_of_k_stand_where_their_value_has_its_colour(roots):
    block = RESULT.projected("C", 50)
    figure = heatmaps.covariance(block, RESULT.eigenvalues, colours=heatmaps.scale(block, roots=roots))
    (trace,) = traces(figure, type="heatmap")
    marker = traces(figure, type="scatter")[0]["marker"]
    bar = marker["colorbar"]
    texts = dict(zip(bar["ticktext"], decode(bar["tickvals"]), strict=True))
    assert texts.pop("0") == 0
    assert len(texts) >= 2
    for text, place in texts.items():
        sign = -1 if text.startswith("−") else 1
        value = sign * 10.0 ** int(text.split("<sup>")[1].split("</sup>")[0].replace("−", "-"))
        stops = [(p, float(c.split(",")[3][:-1])) for p, c in marker["colorscale"]]
        share = (place - marker["cmin"]) / (marker["cmax"] - marker["cmin"])
        assert np.interp(share, *zip(*stops, strict=True)) == pytest.approx(strength(trace, value), abs=0.02)
        assert np.sign(place) == sign


# -- large matrices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "dtype"), [(300, np.float32), (301, np.int8), (600, np.int8), (601, np.float32)])
def test_correlations_are_sent_exactly_then_in_percent_then_as_means(k, dtype):
    r = np.tanh(large(k))
    (trace,) = traces(heatmaps.correlation(r, np.ones(k)), type="heatmap")
    z = decode(trace["z"])
    assert z.dtype == dtype
    if dtype == np.int8:
        np.testing.assert_array_equal(z, np.rint(100 * r))
        assert (trace["zmin"], trace["zmax"]) == (-100, 100)
        assert "R = %{z}%" in trace["hovertemplate"]
    elif k <= heatmaps.PERCENT:
        np.testing.assert_allclose(z, r, atol=1e-6)
    else:
        assert z.shape == (301, 301)


def test_what_is_undefined_is_never_sent_in_percent():
    r = np.tanh(large(400))
    r[3, 5] = np.nan
    z = decode(traces(heatmaps.correlation(r, np.ones(400)), type="heatmap")[0]["z"])
    assert z.dtype == np.float32
    assert np.isnan(z[3, 5])


@pytest.mark.parametrize("k", [601, 800, 1000])
def test_block_means_are_means_and_their_rows_know_their_directions(k):
    block = large(k)
    block[1, 2] = np.nan
    shown = heatmaps.raster(k)
    cells = shown.cells(block)
    assert 300 <= cells.shape[0] <= 420
    s = shown.step
    for i, j in ((0, 0), (1, 5), (len(cells) - 1, 0), (len(cells) - 1, len(cells) - 1)):
        piece = block[i * s : (i + 1) * s, j * s : (j + 1) * s]
        assert cells[i, j] == pytest.approx(np.nanmean(piece))
    (trace,) = traces(heatmaps.covariance(np.nan_to_num(block), np.ones(k)), type="heatmap")
    rows = trace["meta"]["rows"]
    assert rows == list(range(1, k + 1, s))
    assert all(shown.place(r) == cell for cell, r in enumerate(rows))
    assert shown.place(k) == len(rows) - 1
    assert (shown.place(0), shown.place(k + 1)) == (None, None)


def test_a_window_shows_a_part_cell_by_cell():
    block = large(1000)
    shown = heatmaps.raster(1000, 640)
    (trace,) = traces(heatmaps.correlation(block, np.ones(1000), shown=shown, marked=650), type="heatmap")
    np.testing.assert_allclose(decode(trace["z"]), block[640:940, 640:940], rtol=1e-6)
    assert trace["meta"]["rows"][0] == 641
    assert trace["x"][0].startswith("641 (")
    assert heatmaps.raster(1000, 990).start == 700


def test_the_direction_pointed_at_has_its_row_and_column_framed():
    figure = heatmaps.correlation(np.eye(20), np.ones(20), marked=7)
    frames = sorted((s.x0, s.x1, s.y0, s.y1) for s in figure.layout.shapes)
    assert frames == [(-0.5, 19.5, 5.5, 6.5), (5.5, 6.5, -0.5, 19.5)]
    assert not heatmaps.correlation(np.eye(20), np.ones(20), marked=21).layout.shapes


def test_real_and_random_correlation_share_one_scale_around_zero():
    real = heatmaps.correlation(RESULT.correlation("C", 60), RESULT.eigenvalues)
    random = heatmaps.correlation(RESULT.random_correlation("C", 60, seed=3), RESULT.eigenvalues)
    (a,), (b,) = traces(real), traces(random)
    assert a["hovertemplate"].endswith("%{z:.3f}</b><extra></extra>")
    np.testing.assert_allclose(decode(a["z"]), RESULT.correlation("C", 60), atol=1e-6)
    np.testing.assert_allclose(decode(b["z"]), RESULT.random_correlation("C", 60, seed=3), atol=1e-6)
    for t in (a, b):
        assert (t["zmin"], t["zmax"]) == (-1, 1)
        assert t["colorscale"] == a["colorscale"]
    assert a["colorscale"][5][1].endswith(",0)")
    assert a["colorscale"][5][0] == 0.5


def test_an_empty_covariance_is_drawn_without_a_scale_out_of_nothing():
    figure = heatmaps.covariance(np.zeros((4, 4)), np.ones(4))
    assert traces(figure)[0]["zmax"] == 1


def test_a_hover_names_the_curvature_of_its_direction():
    (trace,) = traces(heatmaps.correlation(np.eye(3), np.array([2.0, 0.5, 1e-6])))
    assert trace["x"] == ["1 (H = 2)", "2 (H = 0.5)", "3 (H = 1.00 × 10⁻⁶)"]
