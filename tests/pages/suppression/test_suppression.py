"""The suppression page over planted spectra: what is drawn is what engine.suppress answers, for every knob."""

import numpy as np
import pytest

from engine.results.power_law import power_law
from engine.results.suppression import suppress
from pages.data.suppression import grouped
from pages.rooms.suppression import figures
from pages.state import selection
from pages.state.edit import FACTORS
from pages.state.selection import Selection
from tests.pages.conftest import (
    button,
    chart,
    charts,
    decode,
    fine,
    metrics,
    opened,
    press,
    sent,
    slope,
    traces,
    url,
    widget,
)
from tests.planted import RANK, SAMPLES, add_spectra, analysis, fill, planted_spectra

PAGE = "pages/suppression.py"
USUAL = {"keep": 1, "tail": 1e-5, "stiff_ratio": 1e-3, "damp": 1e-3, "homogenise": False}


KEPT = planted_spectra(analysis().k)


@pytest.fixture
def run(store, run):
    """Spectra at the last epoch only."""
    add_spectra(store, run, 100)
    return run


def answers(at, **settings):
    """The page's numbers are those of engine.suppress for these settings."""
    a = analysis()
    data = a.eigenvalues > a.noise_floor
    old, new = suppress(KEPT, None), suppress(KEPT, **(USUAL | settings))
    window = slice(0, a.k)

    def fit(x, y):
        return power_law(np.where(data, x, 0.0)[window], y[window])

    between = fit(old.noise_diagonal, new.noise_diagonal)
    before, after = (fit(s.hessian_diagonal, s.noise_diagonal) for s in (old, new))
    (points,) = [t for t in chart(at, "new_on_old")["data"] if t["meta"] == "new"]
    which = decode(points["customdata"]).astype(int) - 1
    assert which.size > 100
    assert data[which].all()
    np.testing.assert_allclose(decode(points["x"]), old.noise_diagonal[which])
    np.testing.assert_allclose(decode(points["y"]), new.noise_diagonal[which])
    for name, expected in (("before", old), ("after", new)):
        cloud = next(t for t in chart(at, "both")["data"] if t.get("meta") == name and t["mode"] == "markers")
        index = decode(cloud["customdata"])[:, 0].astype(int) - 1
        np.testing.assert_allclose(decode(cloud["x"]), expected.hessian_diagonal[index])
        np.testing.assert_allclose(decode(cloud["y"]), expected.noise_diagonal[index])
    shown = metrics(at)
    assert shown["New on old C, slope"] == f"{between.gamma:.2f}"
    assert (shown["γ before"], shown["γ after"]) == (f"{before.gamma:.2f}", f"{after.gamma:.2f}")
    assert shown["Stiff samples"] == figures.percent(new.stiff)
    return between, before, after


def texts(at):
    return at.main.markdown[0].value


# -- the page ---------------------------------------------------------------------------------------------


def test_it_opens_on_the_dominant_eigenvalue_and_says_where_its_numbers_come_from(run):
    at = opened(PAGE)
    answers(at)
    assert "Keeping only the dominant eigenvalue" in texts(at)
    assert any(f"random {SAMPLES} of the 5,000 samples" in c.value for c in at.caption)
    here = [c.value for c in at.caption if f"Run\u00a0{run[:8]}" in c.value]
    assert here
    assert all("epoch\u00a0100" in c and f"spectra\u00a0of\u00a0{SAMPLES}" in c for c in here)


@pytest.mark.parametrize(
    ("kind", "label", "value", "setting", "field", "written"),
    [
        ("slider", "Eigenvalues kept", 3, {"keep": 3}, "keep", "3"),
        ("select_slider", "Tail factor", 0.1, {"tail": 0.1}, "tail", "0.1"),
        ("select_slider", "Tail factor", 0.0, {"tail": 0.0}, "tail", "0.0"),
        ("select_slider", "Stiff ratio", 0.1, {"stiff_ratio": 0.1}, "stiff", "0.1"),
        ("select_slider", "Damping", 1.0, {"damp": 1.0}, "damp", "1.0"),
        ("toggle", "Homogenise", True, {"homogenise": True}, "homogenise", "yes"),
    ],
)
def test_each_knob_changes_the_diagonals_as_the_engine_says_and_the_link_repeats_it(
    run, kind, label, value, setting, field, written
):
    # Damping and tail weigh something only where much is not stiff, or not kept.
    base = {"stiff": "0.1"} if field == "damp" else {}
    settings = ({"stiff_ratio": 0.1} if base else {}) | setting
    at = opened(PAGE, **base)
    before = decode(chart(at, "new_on_old")["data"][0]["y"])
    press(at, kind, label, value)
    answers(at, **settings)
    changed = decode(chart(at, "new_on_old")["data"][0]["y"])
    assert not np.array_equal(changed, before)
    assert url(at)[field] == written
    again = opened(PAGE, **url(at))
    answers(again, **settings)
    assert texts(again) == texts(at)
    assert url(again) == url(at)


def test_the_presets_are_the_settings_of_the_figure(run):
    at = opened(PAGE)
    measured, dominant, homogeneous = (b.label for b in at.button if ".preset" in b.key)
    assert ("a, b" in dominant, "c, d" in homogeneous) == (True, True)

    def press(label):
        fine(widget(at, "button", label).click().run())

    press(measured)
    between, before, after = answers(at, keep=RANK)
    assert (between.gamma, between.r2) == pytest.approx((1, 1))
    assert before == after
    assert "as measured" in texts(at)
    press(homogeneous)
    _, before, after = answers(at, homogenise=True)
    assert before.gamma > 1.03
    assert abs(after.gamma - 1) < 0.02
    plain, alike = suppress(KEPT, None), suppress(KEPT, **(USUAL | {"homogenise": True}))
    known = analysis().eigenvalues > analysis().noise_floor
    measured_h = power_law(np.where(known, plain.hessian_diagonal, 0.0), alike.noise_diagonal).gamma
    assert "by algebra: one curvature for all" in texts(at)
    assert f"On the measured H it is {measured_h:.2f}: that is a measurement." in texts(at)
    assert widget(at, "toggle", "Homogenise").value is True
    press(dominant)
    answers(at)
    assert widget(at, "slider", "Eigenvalues kept").value == 1
    assert widget(at, "toggle", "Homogenise").value is False
    assert url(at)["homogenise"] == "no"


def test_one_press_makes_the_spectra_that_an_analysis_lacks(store, started):
    run = fill(store)
    at = opened(PAGE)
    assert "holds no spectra of single samples" in at.info[0].value
    fine(button(at, "Analyse with spectra").click().run())
    assert started[0][0][:5] == ("analyze", "--run", run, "--epoch", "100")
    assert not charts(at)


def test_an_epoch_without_spectra_names_those_that_have_them(run):
    at = opened(PAGE, epoch="10")
    assert "Epochs that have them: 100." in at.info[0].value
    fine(at.select_slider[0].set_value(100).run())
    answers(at)


@pytest.mark.parametrize("params", [{"keep": "99"}, {"keep": "0"}, {"tail": "nan"}, {"damp": "7"}, {"stiff": "3e-4"}])
def test_a_link_with_what_cannot_be_opens_what_can(run, params):
    assert charts(opened(PAGE, **params))


def test_too_narrow_a_window_is_a_sentence(run):
    at = opened(PAGE, window="1,2")
    assert "too few directions" in texts(at)
    assert metrics(at)["γ after"] == "—"


# -- the selection ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["-0.1", "1.5", "nan", "inf", "a", ""])
def test_a_factor_outside_0_to_1_is_left_unchosen(text):
    assert selection.from_url({"tail": text}) == Selection()


# -- figures ----------------------------------------------------------------------------------------------


def test_new_on_old_draws_its_fit_and_the_unchanged_line_over_the_same_reach():
    old, new = KEPT.second[0], 3 * KEPT.second[0] ** 0.7
    fit = power_law(old, new)
    figure = figures.new_on_old(old, new, fit)
    assert slope(traces(figure, meta="fit")[0]) == pytest.approx(0.7)
    (line,) = traces(figure, meta="unchanged")
    np.testing.assert_array_equal(line["x"], line["y"])
    assert "slope 0.70, R² 1.000" in traces(figure, meta="fit")[0]["name"]


def test_new_on_old_of_nothing_is_empty():
    assert not figures.new_on_old(np.zeros(5), np.ones(5), None).data


def test_the_spectra_show_quantiles_of_the_size_single_samples_and_the_edit():
    signed = planted_spectra(40, sign=-1.0).kappa
    figure = figures.samples(signed, 2, "10", 0.5, "stiff above")
    (median,) = traces(figure, meta="median")
    np.testing.assert_allclose(decode(median["y"]), np.median(np.abs(signed), axis=0))
    (band,) = traces(figure, meta="25 … 75 %")
    quartiles = np.quantile(np.abs(signed), [0.75, 0.25], axis=0)
    np.testing.assert_allclose(decode(band["y"]), np.concatenate([quartiles[0], quartiles[1][::-1]]))
    for single in traces(figure, meta="single"):
        assert any(np.allclose(decode(single["y"]), row) for row in np.abs(signed))
    assert set(decode(traces(figure, meta="threshold")[0]["y"])) == {0.5}
    assert figure.layout.shapes[0].x0 == 2.5
    whole = figures.samples(signed, RANK, "10", 0.0, "")
    assert not any(each.visible for each in (*whole.layout.shapes, *whole.layout.annotations))
    assert not traces(whole, meta="threshold")[0]["visible"]


def test_the_share_is_the_running_sum_over_all_directions():
    bars = traces(figures.cumulative(KEPT.second, 2, "10"), meta="share")[0]
    expected = [KEPT.second[: m + 1].sum() / KEPT.second.sum() for m in range(RANK)]
    np.testing.assert_allclose(decode(bars["y"]), expected)
    np.testing.assert_array_equal(figures.share(np.zeros((3, 2))), np.zeros(3))
    assert figures.percent(0.99999) == "> 99.9%"
    assert figures.percent(1.0) == "100%"


def test_every_figure_follows_the_knobs_of_this_page(run):
    at = opened(PAGE, window="2,90", keep="2", tail="0.1", homogenise="yes")
    setting = {"new_on_old": [1, 2, 90, 2, 8, 6, 6], "samples": [2, 8, 6], "cumulative": [2, 8]}
    for key, values in (setting | {"both": setting["new_on_old"]}).items():
        follows = sent(at, key)["follows"]
        assert (follows["by"], follows["slider"], follows["part"]) == ("edited", "suppression-knobs", key)
        assert follows["at"] == values


def test_the_sums_of_groups_are_every_edit():
    kept = grouped(KEPT)
    total = kept.rows[: 3 * len(kept.groups)].reshape(len(kept.groups), 3, -1).sum(axis=0)
    np.testing.assert_allclose(total[1], KEPT.first[0])
    np.testing.assert_allclose(total[2], KEPT.second[0])
    for factor, mean, share in zip(FACTORS, kept.means, kept.shares, strict=True):
        stiff = np.abs(KEPT.kappa[:, 0]) >= factor * kept.largest
        assert (mean, share) == (pytest.approx(KEPT.kappa[stiff, 0].mean()), stiff.mean())
        assert stiff.any()
