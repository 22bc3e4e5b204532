"""What is drawn over epochs is what the analyses say, at every epoch."""

import contextlib
import dataclasses
import io
from functools import partial

import numpy as np
import pytest

from engine.results.analysis import Analysis
from engine.runs import library
from pages.data import results
from pages.data.results import Course
from pages.rooms.dynamics import panels
from tests.pages.conftest import chart, decode, opened, press, texts
from tests.pages.dynamics.conftest import EPOCHS, PAGE, by_name, course, each

USUAL = ("C", "C_awd")
APPROXIMATED = (*USUAL, "C_hh", "C_hg", "C_gg", "C_hh_sd", "C_hh_sd_wd", "C_hh_sd_wd_li")


@pytest.mark.parametrize(
    ("key", "matrices", "names", "measure", "random"),
    [
        ("gammas", "C,C_awd", USUAL, lambda a, name: a.fit(name).gamma, None),
        ("commutators", "C_hh", USUAL, Analysis.commutator, Analysis.random_commutator),
        ("alignments", "C,E_h2", ("C", "E_h2"), Analysis.alignment, Analysis.random_alignment),
        ("spearman", "C,C_awd", USUAL, Analysis.spearman, None),
        ("norms", "C,C_awd", APPROXIMATED, Analysis.frobenius, None),
    ],
)
def test_a_quantity_and_what_chance_makes_of_it_are_those_of_each_analysis(
    store, run, key, matrices, names, measure, random
):
    at = opened(PAGE, matrices=matrices)
    measures = {name: partial(measure, name=name) for name in names}
    if random is not None:
        measures |= {f"{name} at random": partial(random, name=name) for name in names}
    assert set(by_name(at, key)) == set(measures)
    for name, of in measures.items():
        np.testing.assert_allclose(course(at, key, name), each(store, run, of))


def test_what_is_told_beside_them(run):
    at = opened(PAGE, matrices="C,C_awd,C_hh")
    assert "**1.00 → 1.20**" in texts(at)
    assert "the whole matrix is not kept" in texts(at)
    assert tuple(by_name(at, "norms")) == APPROXIMATED
    assert chart(at, "norms")["layout"]["yaxis"]["type"] == "log"


def test_the_window_moves_the_exponents_and_the_rank_correlation(at, store, run):
    press(at, "slider", "Directions fitted", (5, 60))
    expected = each(store, run, lambda a: a.fit("C_awd", 60, 4).gamma)
    np.testing.assert_allclose(course(at, "gammas", "C_awd"), expected)
    expected = each(store, run, lambda a: a.spearman("C_awd", 60))
    np.testing.assert_allclose(course(at, "spearman", "C_awd"), expected)


def test_the_window_too_small_for_a_slope_leaves_the_other_panels(store, run):
    at = opened(PAGE, window="1,2")
    assert np.isnan(np.array(course(at, "gammas", "C"), dtype=float)).all()
    assert any("no fit at any epoch" in m.value for m in at.markdown)
    np.testing.assert_allclose(course(at, "commutators", "C"), each(store, run, lambda a: a.commutator("C")))


def test_loss_and_accuracy_are_those_of_the_history(at, store, run):
    records = store.read("runs", run).meta["records"]
    for quantity in ("train_loss", "train_accuracy", "test_loss", "test_accuracy"):
        trace = by_name(at, "training")[quantity]
        np.testing.assert_allclose(decode(trace["y"]), [r[quantity] for r in records])
        np.testing.assert_allclose(decode(trace["x"]), np.log10(1 + np.arange(101)))


def test_bars_come_from_the_standard_error_where_no_interval_was_kept(at, store, run):
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
