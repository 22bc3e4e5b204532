"""The dynamics page over a planted run: what is drawn is what the analyses say, at every epoch."""

import contextlib
import dataclasses
import io

import numpy as np
import plotly.graph_objects as go
import pytest

from engine.runs import library
from engine.runs.library import checkpoint_name
from pages.charts import over_epochs
from pages.charts.over_epochs import Times
from pages.data import results
from pages.data.results import Course
from pages.rooms.dynamics import panels
from pages.state.palette import LOOKS, TRAIN
from tests.pages.charts.test_charts import decode, traces
from tests.pages.test_every_page import chart, charts, fine, opened, result, url
from tests.planted import analysis, fill

PAGE = "pages/dynamics.py"
EPOCHS = (0, 10, 30, 100)
LEARNED = 37


def planted(store, epochs=EPOCHS, learned=LEARNED):
    """A run whose training samples are all right from `learned` on."""
    key = fill(store, epochs)
    meta = store.read("runs", key).meta
    for record in meta["records"]:
        if learned is not None and record["epoch"] >= learned:
            record["train_accuracy"] = 1.0
    store.write(("runs", key), meta)
    return key


@pytest.fixture
def run(store):
    return planted(store)


def by_name(at, key):
    """The traces of a figure that carry data, by the matrix they show."""
    return {t["meta"]: t for t in chart(at, key)["data"] if t["x"] != [None]}


def course(at, key, name):
    trace = by_name(at, key)[name]
    np.testing.assert_allclose(decode(trace["x"]), np.log10(1 + np.array(EPOCHS)))
    return decode(trace["y"])


def each(store, run, measure):
    return [measure(result(store, run, epoch)) for epoch in EPOCHS]


# -- the page ---------------------------------------------------------------------------------------------


def test_without_results_it_says_what_to_press(store):
    at = opened(PAGE)
    assert "Open the start page" in at.info[0].value
    assert not charts(at)


def test_it_shows_the_last_epoch_with_its_provenance(run):
    at = opened(PAGE)
    assert at.title[0].value == "How does the law arise during training?"
    assert not at.warning
    assert not at.info
    drawn = set(charts(at))
    assert drawn == {
        *("gammas", "commutators", "alignments", "spearman", "norms", "training"),
        *("parts", "approximations"),
    }
    assert sum(f"Run\u00a0{run[:8]}" in c.value and "epoch\u00a0100" in c.value for c in at.caption) == 2
    assert sum("4\u00a0epochs\u00a0(0\u00a0…\u00a0100)" in c.value for c in at.caption) == 5


def test_exponents_are_those_of_each_analysis(store, run):
    at = opened(PAGE)
    for name in ("C", "C_awd"):
        np.testing.assert_allclose(course(at, "gammas", name), each(store, run, lambda a, n=name: a.fit(n).gamma))
    assert any("**1.00 → 1.20**" in m.value for m in at.markdown)


def test_the_window_moves_the_exponents_and_the_rank_correlation(store, run):
    at = opened(PAGE)
    window = next(s for s in at.slider if s.label.startswith("Directions fitted"))
    window.set_value((5, 60)).run()
    fine(at)
    expected = each(store, run, lambda a: a.fit("C_awd", 60, 4).gamma)
    np.testing.assert_allclose(course(at, "gammas", "C_awd"), expected)
    expected = each(store, run, lambda a: a.spearman("C_awd", 60))
    np.testing.assert_allclose(course(at, "spearman", "C_awd"), expected)


def test_the_window_too_small_for_a_slope_leaves_the_other_panels(store, run):
    at = opened(PAGE, window="1,2")
    assert np.isnan(np.array(course(at, "gammas", "C"), dtype=float)).all()
    assert any("no fit at any epoch" in m.value for m in at.markdown)
    np.testing.assert_allclose(course(at, "commutators", "C"), each(store, run, lambda a: a.commutator("C")))


def test_commutator_and_its_baseline_of_the_matrices_kept_whole(store, run):
    at = opened(PAGE, matrices="C_hh")
    assert set(by_name(at, "commutators")) == {"C", "C_awd", "C at random", "C_awd at random"}
    for name in ("C", "C_awd"):
        expected = each(store, run, lambda a, n=name: a.commutator(n))
        np.testing.assert_allclose(course(at, "commutators", name), expected)
        expected = each(store, run, lambda a, n=name: a.random_commutator(n))
        np.testing.assert_allclose(course(at, "commutators", f"{name} at random"), expected)
    assert any("the whole matrix is not kept" in c.value for c in at.caption)


def test_alignment_and_its_baseline(store, run):
    at = opened(PAGE, matrices="C,E_h2")
    for name in ("C", "E_h2"):
        expected = each(store, run, lambda a, n=name: a.alignment(n))
        np.testing.assert_allclose(course(at, "alignments", name), expected)
        expected = each(store, run, lambda a, n=name: a.random_alignment(n))
        np.testing.assert_allclose(course(at, "alignments", f"{name} at random"), expected)


def test_rank_correlation_over_the_usual_window(store, run):
    at = opened(PAGE)
    for name in ("C", "C_awd"):
        np.testing.assert_allclose(course(at, "spearman", name), each(store, run, lambda a, n=name: a.spearman(n)))


def test_norms_of_the_prediction_its_parts_and_its_approximations(store, run):
    at = opened(PAGE)
    names = ("C", "C_awd", "C_hh", "C_hg", "C_gg", "C_hh_sd", "C_hh_sd_wd", "C_hh_sd_wd_li")
    assert tuple(by_name(at, "norms")) == names
    assert chart(at, "norms")["layout"]["yaxis"]["type"] == "log"
    for name in names:
        np.testing.assert_allclose(course(at, "norms", name), each(store, run, lambda a, n=name: a.frobenius(n)))


def test_the_covariances_pressed_are_the_ones_drawn(run):
    at = opened(PAGE)
    assert set(by_name(at, "gammas")) == {"C", "C_awd"}
    at.get("button_group")[0].set_value(["C", "C_hh_sd"]).run()
    fine(at)
    for key in ("gammas", "spearman"):
        assert set(by_name(at, key)) == {"C", "C_hh_sd"}
    assert url(at)["matrices"] == "C,C_hh_sd"
    at.get("button_group")[0].set_value([]).run()
    fine(at)
    assert "Press at least one covariance" in at.info[0].value
    assert by_name(at, "norms")


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("parts", ("C_awd", "C_hh", "C_hg", "C_gg")),
        ("approximations", ("C_awd", "C_hh_sd", "C_hh_sd_wd", "C_hh_sd_wd_li")),
    ],
)
def test_the_epoch_moves_the_diagonals(store, run, key, names):
    at = opened(PAGE)
    for epoch in (100, 10):
        if epoch != 100:
            at.select_slider[0].set_value(epoch).run()
            fine(at)
        at_epoch, drawn = result(store, run, epoch), by_name(at, key)
        assert tuple(drawn) == names
        for name in names:
            index = decode(drawn[name]["x"])
            np.testing.assert_allclose(decode(drawn[name]["y"]), np.abs(at_epoch.diagonal(name)[index - 1]))
    assert url(at)["epoch"] == "10"


def test_the_captions_tell_the_shares_of_the_parts_and_the_sizes_of_the_approximations(store, run):
    at = opened(PAGE)
    a = result(store, run, 100)
    share = a.diagonal("C_hh").sum() / a.diagonal("C_awd").sum()
    assert any(f"$C_{{hh}}$ {share:.1%}" in c.value for c in at.caption)
    assert any("positive in all" in c.value for c in at.caption)
    assert any(f"Shaded: {(a.eigenvalues <= a.noise_floor).sum()} directions" in c.value for c in at.caption)


def test_the_epoch_of_full_accuracy_is_marked_and_told(run):
    at = opened(PAGE)
    for key in ("gammas", "commutators", "alignments", "spearman", "norms", "training"):
        marks = [s["x0"] for s in chart(at, key)["layout"]["shapes"] if s["line"]["color"] == TRAIN]
        assert marks, key
        np.testing.assert_allclose(marks, np.log10(1 + LEARNED))
    assert any(f"for the first time at epoch {LEARNED} " in m.value for m in at.markdown)


def test_a_run_that_never_reaches_full_accuracy_says_how_far_it_came(store):
    planted(store, learned=None)
    at = opened(PAGE)
    assert all(s["line"]["color"] != TRAIN for s in chart(at, "gammas")["layout"]["shapes"])
    # 99.9997 % is not 100 %.
    assert any("never reached 100 %; its highest was 99.99% at epoch 100" in m.value for m in at.markdown)


def test_loss_and_accuracy_are_those_of_the_history(store, run):
    at = opened(PAGE)
    records = store.read("runs", run).meta["records"]
    for quantity in ("train_loss", "train_accuracy", "test_loss", "test_accuracy"):
        trace = by_name(at, "training")[quantity]
        np.testing.assert_allclose(decode(trace["y"]), [r[quantity] for r in records])
        np.testing.assert_allclose(decode(trace["x"]), np.log10(1 + np.arange(101)))


def test_one_epoch_of_several_says_how_to_get_more_and_shows_the_rest(store):
    run = planted(store, epochs=(100,))
    store.write(("runs", run, "checkpoints", checkpoint_name(10)), {"epoch": 10})
    at = opened(PAGE)
    assert f"python -m engine analyze --run {run[:8]} --epoch all" in at.info[0].value
    drawn = set(charts(at))
    assert drawn == {"training", "parts", "approximations"}


def test_a_run_of_one_checkpoint_says_how_to_train_one_of_several(store):
    planted(store, epochs=(100,))
    at = opened(PAGE)
    assert "python -m engine train --checkpoints 0,1,10,30,100 --analyze all" in at.info[0].value


def test_the_commands_it_names_are_ones_the_engine_takes():
    from engine.config.command_line import parse

    assert parse(["analyze", "--run", "dedd30c3", "--epoch", "all"])
    assert parse(["train", "--checkpoints", "0,1,10,30,100", "--analyze", "all"])


# -- two runs ---------------------------------------------------------------------------------------------


@pytest.fixture
def other(store):
    """A second run, of fewer epochs, with smaller norms."""
    key = fill(store, epochs=(0, 10, 50), seed=1)
    for made in library.analyses(store, key):
        parts = ("runs", key, "analyses", made.key)
        entry = store.read(*parts)
        meta = dict(entry.meta)
        meta["result"] = meta["result"] | {"squares": {n: v / 1e6 for n, v in meta["result"]["squares"].items()}}
        store.write(parts, meta, {"main": entry.arrays()})
    return key


def test_a_second_run_is_drawn_beside_the_first_in_every_panel(store, run, other):
    at = opened(PAGE, run=run)
    first = set(charts(at))
    assert len(first) == 8
    second = next(s for s in at.selectbox if s.label == "Beside it")
    second.set_value(other).run()
    fine(at)
    assert url(at)["runs"] == other
    assert set(charts(at)) == first | {f"{key}_beside" for key in first}
    epochs = (0, 10, 50)
    drawn = by_name(at, "gammas_beside")["C"]
    np.testing.assert_allclose(decode(drawn["y"]), [result(store, other, e).fit("C").gamma for e in epochs])
    np.testing.assert_allclose(
        decode(by_name(at, "norms_beside")["C"]["y"]), [result(store, other, e).frobenius("C") for e in epochs]
    )
    for key in (run, other):
        assert any(f"Run\u00a0{key[:8]}" in c.value for c in at.caption)
    assert any("at epoch 100 and 50" in m.value for m in at.markdown)
    second = next(s for s in at.selectbox if s.label == "Beside it")
    second.set_value(None).run()
    fine(at)
    assert set(charts(at)) == first
    assert "runs" not in url(at)


def test_both_runs_are_drawn_on_the_same_axes(run, other):
    at = opened(PAGE, run=run, runs=other)
    for key in charts(at):
        if key.endswith("_beside"):
            continue
        left, right = (chart(at, k)["layout"] for k in (key, f"{key}_beside"))
        for axis in ("xaxis", "yaxis", "xaxis2", "yaxis2"):
            assert left.get(axis, {}).get("range") == right.get(axis, {}).get("range"), (key, axis)
    low, high = chart(at, "norms")["layout"]["yaxis"]["range"]
    for key in ("norms", "norms_beside"):
        for trace in chart(at, key)["data"]:
            assert low < np.log10(decode(trace["y"])).min()
            assert np.log10(decode(trace["y"])).max() < high


def test_the_compared_runs_behind_the_first_stay(store, run, other):
    third = fill(store, epochs=(0, 10), seed=2)
    at = opened(PAGE, run=run, runs=f"{other},{third}")
    second = next(s for s in at.selectbox if s.label == "Beside it")
    assert second.value == other
    second.set_value(third).run()
    assert url(at)["runs"] == third
    second = next(s for s in at.selectbox if s.label == "Beside it")
    second.set_value(other).run()
    assert url(at)["runs"] == other


def test_a_second_run_that_is_not_analysed_is_told(store, run):
    bare = fill(store, epochs=(), seed=1)
    at = opened(PAGE, run=run, runs=bare)
    assert any("Nothing of it is analysed yet" in c.value for c in at.caption)
    assert len(charts(at)) == 8


def test_bars_come_from_the_standard_error_where_no_interval_was_kept(store, run):
    at = opened(PAGE)
    assert any("standard errors of the fit" in c.value and "none over samples was kept" in c.value for c in at.caption)
    trace = by_name(at, "gammas")["C"]
    expected = each(store, run, lambda a: panels.WIDTH * a.fit("C").stderr)
    np.testing.assert_allclose(decode(trace["error_y"]["array"]), expected, atol=1e-12)


def test_bars_are_intervals_over_samples_where_they_were_kept():
    nan = np.full(2, np.nan)
    half = Course(*[np.array([1.0, 1.1])] * len(dataclasses.fields(Course)))
    half = dataclasses.replace(
        half, stderr=np.array([0.1, 0.1]), low=np.array([np.nan, 0.9]), high=np.array([np.nan, 1.5])
    )
    low, high = panels.interval(half)
    np.testing.assert_allclose(low, [1 - 0.196, 0.9])
    np.testing.assert_allclose(high, [1 + 0.196, 1.5])
    assert "where kept, else" in panels._bars({"C": half})
    kept = dataclasses.replace(half, low=half.gamma)
    assert panels._bars({"C": kept}) == "Bars: 95 % intervals over training samples."
    assert "none over samples" in panels._bars({"C": dataclasses.replace(half, low=nan)})


def test_the_numbers_and_code_of_a_panel_are_those_drawn(store, run):
    view = results.view_of(library.find(store, run))
    panel = panels.gammas(("C", "C_awd"), 4, 60, view)
    arrays = panel.arrays()
    np.testing.assert_allclose(arrays["C_gamma"], each(store, run, lambda a: a.fit("C", 60, 4).gamma))
    assert arrays["epoch"].tolist() == list(EPOCHS)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(panel.code(), {})
    printed = [line.split() for line in out.getvalue().splitlines()]
    assert len(printed) == 2 * len(EPOCHS)
    assert f"gamma={arrays['C_gamma'][-1]}" in " ".join(printed[-2])


# -- its figures ------------------------------------------------------------------------------------------

TIMES = Times((0, 10, 100), 10, 37)
RISE = np.array([1.0, 1.1, 1.3])


def test_intervals_are_bars_around_gamma_where_there_are_any():
    low, none = np.array([np.nan, 1.0, 1.2]), np.full(3, np.nan)
    high = np.array([np.nan, 1.3, 1.35])
    figure = over_epochs.gammas(TIMES, {"C": RISE, "C_awd": RISE + 0.1}, {"C": (low, high), "C_awd": (none, none)})
    (bars,) = (t["error_y"] for t in traces(figure, meta="C"))
    np.testing.assert_allclose(RISE + np.array(decode(bars["array"]), float), high)
    np.testing.assert_allclose(RISE - np.array(decode(bars["arrayminus"]), float), low)
    assert all("error_y" not in t for t in traces(figure, meta="C_awd"))
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
