"""The page "What sets γ" over planted spectra: what is drawn and told is what engine.results.synthetic answers."""

import subprocess
import sys

import numpy as np
import pytest

from engine.results import synthetic
from pages.rooms.mechanism import proof, spectra
from pages.rooms.mechanism.controls import Setting
from pages.rooms.mechanism.figures import wedge
from pages.text import numbers
from tests.pages.conftest import ROOT, button, chart, charts, decode, fine, opened, press, slope, traces, url
from tests.pages.test_joint_layers import JOINT, add_joint
from tests.planted import SAMPLES, add_spectra, analysis, fill, planted_spectra

PAGE = "pages/sandbox.py"
KEPT = planted_spectra(analysis().k)
DATA = analysis().eigenvalues > analysis().noise_floor


@pytest.fixture
def run(store, run):
    """Spectra at the last epoch only."""
    add_spectra(store, run, 100)
    return run


def series(at, key, meta):
    """x and y of one series of a figure."""
    trace = next(t for t in chart(at, key)["data"] if t.get("meta") == meta)
    return decode(trace["x"]), decode(trace["y"])


def made(**setting):
    values = vars(Setting()) | setting
    kappa = synthetic.curvatures(values["distribution"], values["decades"], values["seed"])
    return kappa, synthetic.correlated(kappa, values["correlation"], values["rarity"])


def texts(at):
    return at.main.markdown[0].value


def answers(at, **setting):
    """Every figure of the sandbox shows the engine's numbers for this setting."""
    kappa, spectra = made(**setting)
    place, hessian, noise = synthetic.place(spectra), spectra.first[0], spectra.second[0]
    x, y = series(at, "map", "sandbox")
    np.testing.assert_allclose([x[0], y[0]], [place.correlation, place.gamma])
    points = next(t for t in chart(at, "law")["data"] if t.get("meta") == "sandbox" and t["mode"] == "markers")
    epochs = decode(points["customdata"])
    index = epochs[:, 0].astype(int) - 1
    np.testing.assert_allclose(epochs[:, 1], hessian[index])
    np.testing.assert_allclose(epochs[:, 2], noise[index])
    np.testing.assert_allclose(series(at, "spectra", "kappa 1")[1], kappa / kappa.mean())
    np.testing.assert_allclose(series(at, "spectra", "hessian 1")[1], hessian / kappa.mean())
    np.testing.assert_allclose(np.sort(series(at, "spectra", "noise 1")[1]), np.sort(noise) / kappa.mean() ** 2)
    middle = synthetic.seen(spectra, (0.5,), np.arange(kappa.size))[0]
    drawn = series(at, "seen", "sandbox median")[1]
    np.testing.assert_allclose(np.sort(drawn), np.sort(middle / 10 ** np.log10(middle).mean()))
    assert f"{place.gamma:.2f}" in texts(at) or place.gamma in (pytest.approx(1), pytest.approx(2))
    return place


# -- the sandbox ------------------------------------------------------------------------------------------


def test_without_a_run_the_sandbox_and_the_proof_work_alone(store):
    at = opened(PAGE)
    place = answers(at)
    assert place.correlation == pytest.approx(0.4, abs=1e-4)
    assert charts(at) == ["law", "map", "seen", "spectra", "wedge"]
    assert any("open the start page" in c.value for c in at.caption)
    assert any("Numbers of the sandbox, direction 10" in c.value for c in at.caption)
    assert not [t for t in chart(at, "map")["data"] if t["meta"] == "run"]


@pytest.mark.parametrize(
    ("kind", "label", "value", "setting", "written"),
    [
        ("slider", "Correlation", 0.75, {"correlation": 0.75}, "0.75"),
        ("slider", "Correlation", 0.0, {"correlation": 0.0}, "0.0"),
        ("slider", "Correlation", 1.0, {"correlation": 1.0}, "1.0"),
        ("slider", "Width", 1.0, {"decades": 1.0}, "1.0"),
        ("slider", "Rarity", 0.5, {"rarity": 0.5}, "0.5"),
        ("number_input", "Seed", 7, {"seed": 7}, "7"),
        ("selectbox", "Curvatures", "power_law", {"distribution": "power_law"}, "power_law"),
        ("selectbox", "Curvatures", "few_stiff", {"distribution": "few_stiff"}, "few_stiff"),
        ("selectbox", "Curvatures", "exponential", {"distribution": "exponential"}, "exponential"),
    ],
)
def test_each_knob_moves_every_picture_as_the_engine_says_and_the_link_repeats_it(
    store, kind, label, value, setting, written
):
    at = opened(PAGE)
    press(at, kind, label, value)
    answers(at, **setting)
    assert url(at)[next(iter(setting))] == written
    again = opened(PAGE, **url(at))
    answers(again, **setting)
    assert texts(again) == texts(at)
    assert url(again) == url(at)


def test_both_ends_are_told_as_what_they_are(store):
    assert "**γ = 1**" in texts(opened(PAGE, correlation="0"))
    assert "**γ = 2**" in texts(opened(PAGE, correlation="1"))


def test_the_curve_on_the_map_is_that_of_these_curvatures_and_passes_through_the_point(store):
    at = opened(PAGE, distribution="exponential", decades="0.8", correlation="0.6")
    x, y = series(at, "map", "curve")
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) > 0).all()
    assert (x[0], y[0], x[-1], y[-1]) == pytest.approx((0, 1, 1, 2), abs=1e-9)
    (here,), (gamma,) = series(at, "map", "sandbox")
    assert np.interp(here, x, y) == pytest.approx(gamma, abs=0.01)


@pytest.mark.parametrize(
    "params",
    [
        {"distribution": "cauchy"},
        {"distribution": "../x"},
        {"decades": "0"},
        {"decades": "nan"},
        {"correlation": "2"},
        {"rarity": "1"},
        {"seed": "-1"},
        {"proof": "6"},
        {"measured": "maybe"},
        {"direction": "999"},
    ],
)
def test_a_link_with_what_cannot_be_opens_what_can(store, params):
    answers(opened(PAGE, **params))


# -- the run beside it ------------------------------------------------------------------------------------


def test_the_run_is_put_into_the_same_pictures_and_on_the_map(run):
    at = opened(PAGE)
    answers(at)
    place = synthetic.place(KEPT, DATA)
    x, y = series(at, "map", "run")
    np.testing.assert_allclose([x[0], y[0]], [place.correlation, place.gamma])
    assert f"This run: r = {place.correlation:.2f}, **γ = {place.gamma:.2f}**" in texts(at)
    points = next(t for t in chart(at, "law")["data"] if t.get("meta") == "run" and t["mode"] == "markers")
    epochs = decode(points["customdata"])
    index = epochs[:, 0].astype(int) - 1
    assert DATA[index].all()
    np.testing.assert_allclose(epochs[:, 2], KEPT.second.sum(axis=0)[index])
    kappa = np.sort(KEPT.kappa[:, 0])[::-1]
    np.testing.assert_allclose(series(at, "spectra", "kappa 2")[1], kappa / kappa.mean())
    assert any(f"random {SAMPLES} of the 5,000 samples" in c.value for c in at.caption)
    assert any(f"Numbers of run {run[:8]}, epoch 100" in c.value for c in at.caption)


def test_the_run_can_be_taken_away_and_the_proof_is_then_the_sandboxs(run):
    at = opened(PAGE)
    press(at, "toggle", "Show the present run", False)
    assert url(at)["measured"] == "no"
    assert not [t for t in chart(at, "map")["data"] if t["meta"] == "run"]
    assert any("Numbers of the sandbox" in c.value for c in at.caption)
    assert "This run" not in texts(at)


def test_a_narrower_window_moves_the_runs_point(run):
    at = opened(PAGE, window="5,60")
    rows = np.isin(np.arange(DATA.size), np.arange(4, 60))
    place = synthetic.place(KEPT, DATA & rows)
    assert place.gamma != synthetic.place(KEPT, DATA).gamma
    np.testing.assert_allclose(series(at, "map", "run")[1], [place.gamma])


def test_a_run_without_spectra_offers_to_make_them(store, started):
    bare = fill(store)
    at = opened(PAGE)
    answers(at)
    assert "keeps no curvatures of single samples" in at.info[0].value
    fine(button(at, "Analyse with spectra").click().run())
    assert started[0][0][:5] == ("analyze", "--run", bare, "--epoch", "100")
    assert "Show the present run" not in [t.label for t in at.toggle]


def test_layers_studied_jointly_have_no_single_samples_and_the_sandbox_goes_on(store, run):
    add_joint(store, run, 100)
    at = opened(PAGE, layer=JOINT)
    answers(at)
    assert any("choose a single layer in the menu" in c.value for c in at.caption)


def test_too_few_directions_are_told_and_the_sandbox_goes_on(run):
    at = opened(PAGE, window="1,2")
    answers(at)
    assert any("at least 3 directions" in c.value for c in at.caption)


def test_the_run_is_on_the_map_at_every_epoch_whose_spectra_are_kept(store, run):
    add_spectra(store, run, 10)
    at = opened(PAGE)
    (points,) = [t for t in chart(at, "map")["data"] if t["meta"] == "run"]
    assert points["customdata"] == [10, 100]
    small, large = points["marker"]["size"]
    assert small < large
    (points,) = [t for t in chart(opened(PAGE, epoch="10"), "map")["data"] if t["meta"] == "run"]
    assert points["marker"]["size"] == [large, small]


def test_the_parts_of_the_page_never_load_torch():
    code = "import sys\nfrom pages.rooms.mechanism import panels\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# -- the proof --------------------------------------------------------------------------------------------


def shown_numbers(at):
    (text,) = [m.value for m in at.markdown if m.value.startswith("| | value")]
    return text


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_each_step_shows_the_engines_numbers(run, step):
    at = opened(PAGE, proof=str(step), direction="3")
    b, place = synthetic.bounds(KEPT), synthetic.place(KEPT, DATA)
    i, rows = 2, np.flatnonzero(DATA & (b.hessian > 0))
    hessian, noise = KEPT.first.sum(axis=0), KEPT.second.sum(axis=0)
    top = KEPT.kappa.max()
    expected = {
        1: (hessian[i], noise[i], KEPT.first[0, i] / hessian[i], KEPT.second[0, i] / noise[i]),
        2: (hessian[i] ** 2, noise[i], noise[i] - hessian[i] ** 2, (noise / hessian**2)[rows].min()),
        3: (top, noise[i], top * hessian[i], (noise / (top * hessian))[rows].max()),
        4: (
            noise[rows[0]] / hessian[rows[0]],
            noise[rows[-1]] / hessian[rows[-1]],
            hessian[rows[0]],
            hessian[rows[-1]],
            np.log10(top * hessian[i] / hessian[i] ** 2),
        ),
        5: (place.correlation, place.spread, place.hessian_spread, place.expected, place.gamma),
    }[step]
    lines = shown_numbers(at).splitlines()[2:]
    assert [line.split("|")[2].strip() for line in lines] == [f"${numbers.tex(float(v), 4)}$" for v in expected]
    strong = {t["meta"] for t in chart(at, "wedge")["data"] if t["mode"] == "lines" and t["line"]["width"] == 4}
    assert strong == {1: set(), 2: {"lower"}, 3: {"upper"}, 4: {"lower", "upper"}, 5: {"law"}}[step]


def test_the_steps_are_pressed_one_after_the_other(store):
    at = opened(PAGE)
    titles = []
    for n in (2, 3, 4, 5, 1):
        fine(at.button_group[0].set_value(n).run())
        assert url(at)["proof"] == str(n)
        titles.append(next(m.value for m in at.markdown if m.value.startswith(f"#### {n}. ")))
    assert len(set(titles)) == 5 == len(proof.TITLES)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_symbols_survive_a_table_and_the_formula_renderer(sign):
    """A bar would end a cell; a bare \\max is no subscript."""
    source = spectra._source(spectra.MEASURED, planted_spectra(60, sign=sign), np.ones(60, bool))
    for step in proof.steps(source, 2):
        for symbol, _ in step.numbers:
            assert "|" not in symbol
            assert "_\\max" not in symbol
        assert "_\\max" not in step.text


def test_negative_curvatures_change_the_right_bound_and_what_is_said_of_it():
    kept = planted_spectra(60, sign=-1.0)
    source = spectra._source(spectra.MEASURED, kept, np.ones(60, bool))
    third = proof.steps(source, 2)[2]
    magnitude = np.abs(kept.first).sum(axis=0)
    assert dict(third.numbers)[r"\mathrm{E}[\lvert h\rvert]_{ii}"] == pytest.approx(magnitude[1])
    assert "Some $\\kappa$ are negative" in third.text
    assert "no bound any more" in third.text
    assert "least it can be" not in third.text


# -- figures and the selection ----------------------------------------------------------------------------


def test_the_bounds_are_drawn_with_slope_two_and_one_around_the_points():
    source = spectra.made(Setting(correlation=0.5))
    figure = wedge(source, 2, 7)
    (lower,), (upper,), (fit,) = (traces(figure, meta=m) for m in ("lower", "upper", "law"))
    assert (slope(lower), slope(upper)) == pytest.approx((2, 1))
    assert slope(fit) == pytest.approx(source.place.gamma)
    assert (decode(lower["y"]) <= decode(traces(figure, meta="noise")[0]["y"])).all()
    (marked,) = traces(figure, meta="marked")
    b = source.bounds
    np.testing.assert_allclose(decode(marked["y"]), [b.lower[6], b.noise[6], b.upper[6]])
