"""What is drawn is what was given: data, slopes, scales and colours of every figure."""

import base64
import dataclasses
import itertools
import json
import tomllib
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from engine.results import commutation
from engine.results.names import NAMES
from engine.results.power_law import power_law as law
from pages.charts import animation, curves, heatmaps, power_law, residuals
from pages.charts.animation import Frame
from pages.charts.power_law import Cloud
from pages.rooms.duality import text as duality
from pages.rooms.fisher import text as fisher
from pages.rooms.glossary.questions import QUESTIONS
from pages.rooms.live import screen
from pages.rooms.mechanism import text as mechanism
from pages.rooms.sample import text as sample
from pages.rooms.tours import library
from pages.state import palette
from pages.text import definitions
from tests.planted import analysis

RESULT = analysis()


def decode(value):
    """An array of a figure's JSON, as the browser reads it."""
    if isinstance(value, dict) and "bdata" in value:
        flat = np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"])
        return flat.reshape([int(n) for n in str(value.get("shape", flat.size)).split(",")])
    return np.array(value)


def traces(figure, **fields):
    traces = [t for t in json.loads(figure.to_json())["data"] if all(t.get(k) == v for k, v in fields.items())]
    assert traces, f"no trace with {fields}"
    return traces


def slope(trace):
    x, y = decode(trace["x"]), decode(trace["y"])
    return np.log10(y[-1] / y[0]) / np.log10(x[-1] / x[0])


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


def test_the_ticks_of_k_stand_where_their_value_has_its_colour():
    block = RESULT.projected("C", 50)
    figure = heatmaps.covariance(block, RESULT.eigenvalues)
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


@pytest.mark.parametrize("made", ["K", "R", "play", "sizes", "meter"])
def test_what_is_drawn_unchecked_while_a_knob_moves_is_what_plotly_takes(made):
    figure = {
        "K": lambda: heatmaps.covariance(RESULT.projected("C", 20), RESULT.eigenvalues, marked=3),
        "R": lambda: heatmaps.correlation(RESULT.correlation("C", 20), RESULT.eigenvalues, marked=3),
        "play": lambda: animation.play(frames(), 10, RESULT.random_correlation("C", 12), marked=3),
        "sizes": lambda: curves.off_diagonal(np.arange(200), np.ones((9, 200), int), "#d9730d"),
        "meter": lambda: curves.meter({"all": 0.2}, 1.4, "chance", "error", "#d9730d", 1.6),
    }[made]()
    # Checks every word, and raises at one it does not know.
    assert len(go.Figure(json.loads(figure.to_json())).data) == len(figure.data)


# -- large matrices ---------------------------------------------------------------------------------------


def large(k, seed=0):
    x = np.random.default_rng(seed).standard_normal((k, k))
    return x + x.T


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


# -- the power law ----------------------------------------------------------------------------------------


def clouds(**window):
    more = {"floor": RESULT.noise_floor} | window
    return [Cloud(n, RESULT.eigenvalues, RESULT.diagonal(n), RESULT.fit(n), **more) for n in ("C", "C_awd")]


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


def test_gamma_over_epochs_shows_each_value_at_its_epoch():
    figure = curves.over_epochs([0, 10, 100], {"C": np.array([1.0, 1.1, 1.2])}, marked=10)
    (trace,) = traces(figure, meta="C")
    np.testing.assert_allclose(decode(trace["x"]), np.log10([1, 11, 101]))
    np.testing.assert_allclose(decode(trace["y"]), [1.0, 1.1, 1.2])
    levels = {s.y0: s.line.dash for s in figure.layout.shapes if s.y0 == s.y1}
    assert levels == {1: "dot", 2: "dash"}


def test_epoch_labels_keep_apart_and_the_last_is_among_them():
    figure = curves.over_epochs([0, 1, 2, 5, 10, 20, 30, 50, 70, 95, 100], {})
    assert figure.layout.xaxis.ticktext[-1] == "100"
    assert np.diff(figure.layout.xaxis.tickvals).min() >= 0.15


def test_training_draws_its_records():
    records = {
        "epoch": np.arange(3),
        "train_loss": np.array([2.0, 1.0, 0.5]),
        "train_accuracy": np.array([0.1, 0.5, 0.9]),
    }
    figure = curves.training(records, epochs=100)
    np.testing.assert_array_equal(decode(traces(figure, meta="train_loss")[0]["y"]), records["train_loss"])
    np.testing.assert_array_equal(decode(traces(figure, meta="train_accuracy")[0]["y"]), records["train_accuracy"])
    assert figure.layout.xaxis.range == (0, 100)


def test_a_meter_shows_values_beside_chance():
    figure = curves.meter({"whole layer": 0.16, "top 100": 0.08}, 1.4, "chance", "error", "#d9730d", 1.6)
    (bar,) = traces(figure, type="bar")
    assert list(decode(bar["x"])) == [0.16, 0.08]
    assert figure.layout.shapes[0].x0 == 1.4


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


def ringed(figure):
    (trace,) = traces(figure, meta="marked")
    return list(zip(decode(trace["x"]).tolist(), decode(trace["y"]).tolist(), strict=True))


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


# -- off the diagonal, and through the epochs -------------------------------------------------------------


def test_sizes_off_the_diagonal_are_shares_of_pairs_and_a_band_over_draws():
    real = commutation.off_diagonal(RESULT.correlation("C", 50)).counts[-1]
    random = np.stack([commutation.off_diagonal(RESULT.random_correlation("C", 50, s)).counts[-1] for s in range(20)])
    figure = curves.off_diagonal(real, random, "#d9730d")
    (bars,) = traces(figure, meta="measured")
    assert decode(bars["y"]).sum() == pytest.approx(1)
    (middle,) = traces(figure, meta="by chance")
    (band,) = traces(figure, meta="band")
    high, low = np.split(decode(band["y"]), 2)
    assert np.all(low[::-1] <= decode(middle["y"]))
    assert np.all(decode(middle["y"]) <= high)
    # The mean size, read off the bars, is that of the matrix, to half a bar.
    x = decode(bars["x"])
    upper = np.abs(RESULT.correlation("C", 50)[np.triu_indices(50, 1)])
    assert x @ decode(bars["y"]) == pytest.approx(upper.mean(), abs=bars["width"] / 2)
    alone = curves.off_diagonal(real, None, "#d9730d")
    assert [t["meta"] for t in traces(alone)] == ["measured"]


def frames(epochs=(0, 10, 100), k=12):
    analyses = [analysis(gamma=1 + 0.1 * np.log10(1 + e), seed=e) for e in epochs]
    return [
        Frame(e, a.projected("C", k), a.correlation("C", k), f"γ = {a.fit('C').gamma:.2f}")
        for e, a in zip(epochs, analyses, strict=True)
    ]


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


# -- one colour per meaning -------------------------------------------------------------------------------


def _linear(colour):
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _contrast(a, b):
    low, high = sorted(float(_linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


def test_every_matrix_has_a_look_and_the_theme_has_the_same_ten_colours():
    assert set(palette.LOOKS) == {*NAMES, "H"}
    looks = palette.LOOKS.values()
    assert len({look.marker for look in looks if look is not palette.LOOKS["H"]}) == len(NAMES)
    theme = tomllib.loads((Path(__file__).parents[3] / ".streamlit" / "config.toml").read_text())["theme"]
    assert theme["chartCategoricalColors"] == [look.colour for look in looks]
    every = [*looks, *palette.FISHERS.values()]
    assert len({look.colour for look in every}) == len(every)
    for mode in ("light", "dark"):
        assert all(_contrast(look.colour, theme[mode]["backgroundColor"]) > 3 for look in every)


# Machado, Oliveira, Fernandes 2009, full strength.
SEEN = {
    "everyone": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}


@pytest.mark.parametrize("eyes", SEEN)
@pytest.mark.parametrize(
    "together", [("C", "C_awd", "E_h2"), ("C_awd", "C_hh", "C_hg", "C_gg"), ("C", "C_awd", "C_hh", "C_hh_sd_wd_li")]
)
def test_colours_drawn_together_are_told_apart_by_colour_blind_people(eyes, together):
    def oklab(colour):
        seen = np.clip(SEEN[eyes] @ _linear(colour), 0, 1)
        lms = [
            [0.41222147, 0.53633254, 0.05144599],
            [0.2119035, 0.68069955, 0.10739696],
            [0.08830246, 0.28171884, 0.62997870],
        ]
        lab = [
            [0.21045426, 0.79361779, -0.00407205],
            [1.9779985, -2.4285922, 0.45059371],
            [0.02590404, 0.78277177, -0.80867577],
        ]
        return np.array(lab) @ np.cbrt(np.array(lms) @ seen)

    for a, b in itertools.combinations(together, 2):
        distance = np.linalg.norm(oklab(palette.LOOKS[a].colour) - oklab(palette.LOOKS[b].colour))
        assert distance > 0.05, f"{a} and {b} look alike to {eyes}: {distance:.3f}"


WORDS = (definitions, duality, screen, fisher, sample, mechanism)


def test_every_formula_of_the_explanations_is_whole():
    texts = {
        f"{place.__name__} {name}": text for place in WORDS for name, text in vars(place).items() if name.isupper()
    }
    texts = {name: text for name, text in texts.items() if isinstance(text, str)}
    texts |= {question.text: f"{question.text}\n\n{question.hint}\n\n{question.answer}" for question in QUESTIONS}
    texts |= {
        f"{tour.id} {n}": stop.text for tour in library.shipped().values() for n, stop in enumerate(tour.stops, 1)
    }
    assert len(texts) > 100
    for name, text in texts.items():
        for line in text.splitlines():
            # One that begins beside its $$ and ends on another line is drawn as an error.
            assert line.count("$$") in (0, 2) or line.strip() == "$$", f"{name}: {line}"
        for paragraph in text.split("\n\n"):
            assert paragraph.replace("$$", "").count("$") % 2 == 0, f"{name}: {paragraph}"
