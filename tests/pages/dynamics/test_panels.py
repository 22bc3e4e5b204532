"""What is drawn over epochs is what the analyses say, at every epoch."""

import contextlib
import dataclasses
import io
from functools import partial

import numpy as np
import pytest

from engine.results.analysis import Analysis
from engine.runs import library
from pages.data import held_out, results
from pages.data.results import Course
from pages.rooms.dynamics import panels
from tests.pages.conftest import chart, decode, opened, press, texts
from tests.pages.dynamics.conftest import EPOCHS, PAGE, by_name, course, each
from tests.planted import add_held_out

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
    at = opened(PAGE, approximations="yes", matrices=matrices)
    measures = {name: partial(measure, name=name) for name in names}
    if random is not None:
        measures |= {f"{name} at random": partial(random, name=name) for name in names}
    assert set(by_name(at, key)) == set(measures)
    for name, of in measures.items():
        np.testing.assert_allclose(course(at, key, name), each(store, run, of))


def test_what_is_told_beside_them(run):
    at = opened(PAGE, approximations="yes", matrices="C,C_awd,C_hh")
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
    at = opened(PAGE, approximations="yes", window="1,2")
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


def course_of(low, high, stderr=0.1):
    middle = (np.array(low) + np.array(high)) / 2
    some = Course(*[middle] * len(dataclasses.fields(Course)))
    return dataclasses.replace(some, low=np.array(low), high=np.array(high), stderr=np.full(middle.size, stderr))


def test_a_point_far_less_sure_than_the_others_is_explained_and_no_other(store, run):
    view = results.view_of(library.find(store, run))
    nan = np.full(len(EPOCHS), np.nan)
    alike = course_of([1.0, 1.1, 1.2], [1.2, 1.3, 1.5])
    assert panels._unsure(view, "C", alike, nan) == ""
    wide = course_of([1.0, 0.6, 1.2], [1.2, 1.8, 1.4])
    said = panels._unsure(view, "C", wide, nan)
    assert said.startswith(f"At epoch {EPOCHS[1]} γ of $C$ is known only to 0.60 … 1.80, an interval 6.0 times as wide")
    assert said.endswith("*Other samples* finds there.")
    few = panels._unsure(view, "C", wide, np.array([300.0, 12.0, 500.0]))
    assert "12 effective samples carry $\\mathrm{tr}\\,C$ there, 400 at the others; with so few" in few
    assert "with so few" not in panels._unsure(view, "C", wide, np.array([300.0, 280.0, 500.0]))
    # An interval over samples is held against no standard error.
    mixed = dataclasses.replace(wide, low=np.array([np.nan, 0.6, np.nan]), high=np.array([np.nan, 1.8, np.nan]))
    assert panels._unsure(view, "C", mixed, nan) == ""
    # Where none is over samples it is the directions that scatter.
    none = np.full(3, np.nan)
    scattered = dataclasses.replace(wide, low=none, high=none, stderr=np.array([0.01, 0.2, 0.02]))
    assert panels._unsure(view, "C", scattered, nan).endswith("its directions scatter more around the line.")


def test_the_pointer_tells_the_interval_and_the_samples_of_a_point(store, run):
    add_held_out(store, run, EPOCHS[-1])
    view = results.view_of(library.find(store, run))
    sizes = held_out.carrying(view, "C")
    assert np.isnan(sizes[:-1]).all()
    assert sizes[-1] == held_out.stored(view).effective["C"].whole
    trace = next(t for t in panels.gammas(("C",), 0, 400, view).figure.data if t.meta == "C")
    assert f"carried by {sizes[-1]:,.0f} of" in trace.text[-1]
    assert "95 %: " in trace.text[0]
    assert "carried" not in trace.text[0]


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
