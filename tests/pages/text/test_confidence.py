"""How sure γ is, in words: every number in them is the engine's."""

import dataclasses

import numpy as np
import pytest

from engine.config.requests import RunRequest, TrainingRequest, key
from engine.results.jackknife import Jackknife, places, stretches
from engine.runs import library
from pages.data import results
from pages.data.results import View
from pages.text import confidence
from tests import planted
from tests.pages.conftest import chart, decode, fine, opened, result, texts, url
from tests.planted import add_analysis, fill

PAGE = "pages/power_law.py"
SHOWN = ("power_law", "dynamics", "suppression", "sandbox", "fisher", "film")


def jackknife(analysis, scatter=0.3, groups=40):
    """Diagonals without each group, as if groups differed by a factor in slope."""
    rng = np.random.default_rng(0)
    edges = stretches(analysis.k)
    middle = places(edges)
    tilt = rng.standard_normal(groups)[:, None] * scatter / groups
    h = np.repeat(analysis.eigenvalues[middle][None], groups, axis=0)
    diagonals = {"H": h} | {n: analysis.diagonal(n)[middle] * h**tilt for n in analysis.names}
    return Jackknife(edges, {name: d.astype(np.float32) for name, d in diagonals.items()})


def keep(store, run, epoch, change):
    """Write the planted analysis of an epoch again, changed."""
    (made,) = [a for a in library.analyses(store, run) if a.request.epoch == epoch]
    path = ("runs", run, "analyses", made.key)
    arrays, meta = change(result(store, run, epoch)).to_arrays()
    store.write(path, dict(store.read(*path).meta) | {"result": meta}, {"main": arrays})


def test_a_slope_that_few_samples_carry_is_said_to_be_less_sure(store, run):
    view = results.view_of(library.run(store, run))
    for few, law in ((False, 80.0), (True, 20.0), (False, None)):
        told = dataclasses.replace(confidence.exponent(view, "C", 100), effective=law)
        told = dataclasses.replace(told, fit=dataclasses.replace(told.fit, interval=(1.0, 1.2)))
        assert ("held γ in 90 of 100 draws" in confidence.of_frame("C", told, 5000, 0)) is few


# -- siblings ---------------------------------------------------------------------------------------------


def test_siblings_differ_in_the_seed_alone(store):
    mine, other, third = (fill(store, seed=seed) for seed in (0, 1, 2))
    stranger = RunRequest(seed=3, training=TrainingRequest(epochs=7))
    entry = store.read("runs", mine)
    requests = [
        (key(stranger, "planted"), stranger, "planted"),
        (key(RunRequest(seed=4), "elsewhere"), RunRequest(seed=4), "elsewhere"),
        (key(RunRequest(loss="mse"), "planted"), RunRequest(loss="mse"), "planted"),
    ]
    for name, request, fingerprint in requests:
        changed = {"request": dataclasses.asdict(request), "fingerprint": fingerprint}
        store.write(("runs", name), dict(entry.meta) | changed)
    runs = library.runs(store)
    assert len(runs) == 6
    by_key = {run.key: run for run in runs}
    assert {run.key for run in library.siblings(runs, by_key[mine])} == {other, third}
    assert {run.key for run in library.siblings(runs, by_key[other])} == {mine, third}
    assert library.siblings(runs, by_key[requests[0][0]]) == ()


def view(store, run) -> View:
    return results.view_of(library.find(store, run))


def test_the_spread_is_over_seeds_that_are_analysed_at_the_same_epoch(store, run):
    other, bare = fill(store, epochs=(0, 10, 100), seed=1), fill(store, epochs=(0,), seed=2)
    keep(store, other, 100, lambda a: dataclasses.replace(a, diagonals=planted.analysis(1.35).diagonals))
    here = view(store, run)
    by_seed, without = confidence.seeds(here, "C", 300)
    assert by_seed == {
        0: here.analysis.fit("C", 300).gamma,
        1: result(store, other, 100).fit("C", 300).gamma,
        2: result(store, bare, 0).fit("C", 300).gamma,
    }, "at their last epoch, as the run in view is"
    assert without == ()
    values = np.array(list(by_seed.values()))
    text = confidence.of_view(here, "C", 300)
    assert f"**{values.mean():.3f} ± {values.std(ddof=1):.3f}** (mean ± standard deviation, n = 3" in text
    early = dataclasses.replace(here, chosen=here.analysed[1])
    assert early.epoch == 10
    by_seed, without = confidence.seeds(early, "C", 300)
    assert set(by_seed) == {0, 1}
    assert [r.key for r in without] == [bare]
    text = confidence.of_view(early, "C", 300)
    assert "1 run of another seed still to be analysed" in text
    assert f"**{np.mean(list(by_seed.values())):.3f}** (mean of " in text, "two seeds tell no deviation"


# -- the words --------------------------------------------------------------------------------------------


def test_without_interval_or_seeds_the_words_say_how_to_get_them(run):
    at = opened(PAGE)
    text = texts(at)
    assert "This analysis keeps no interval over samples. Analyse the epoch again" in text
    assert "Only seed 0 is here. Train the same settings with another seed" in text


@pytest.mark.parametrize("page", ["app.py", PAGE, "pages/dynamics.py"])
def test_every_number_is_the_engines(store, run, page):
    keep(store, run, 100, lambda a: dataclasses.replace(a, jackknife=jackknife(a), noise_floor=a.eigenvalues[300]))
    at = opened(page)
    text = texts(at)
    for name in ("C", "C_awd"):
        law = result(store, run, 100).exponent(name, 400)
        low, high = law.fit.interval
        assert f"is **{law.fit.gamma:.3f}**, 95 % {low:.3f} … {high:.3f}." in text
        assert f"**{low:.3f} … {high:.3f}** is the uncertainty of this slope, for these weights" in text
        low, high = law.by_decade.interval
        assert f"γ is **{law.by_decade.gamma:.3f}**, 95 % {low:.3f} … {high:.3f}." in text
        assert "; ".join(f"{gamma:.3f} up to direction {n:,}" for n, gamma in law.windows) in text
        assert f"{law.discarded:.1%} of the 400 directions of the window: 100 lie below the noise floor" in text
        slopes = " → ".join(f"{b.gamma:.2f} ± {b.stderr:.2f}" for b in law.bend.local)
        assert f"in bins of $H_{{ii}}$, γ is **{slopes}**." in text
        assert "straight lines (by leaving samples out)" in text
        assert confidence.VERDICTS["straight"] in text


def test_a_bend_is_named_by_its_size(store, run):
    def bent(c2):
        def change(a):
            u = np.log10(a.eigenvalues)
            noise = 0.02 * np.random.default_rng(0).standard_normal(a.k)
            return dataclasses.replace(a, diagonals=a.diagonals | {"C": 10 ** (1.2 * u + c2 * u**2 + noise)})

        return change

    for c2, verdict in ((0.02, "bent"), (0.3, "strongly bent")):
        keep(store, run, 100, bent(c2))
        results._analysis.clear()
        confidence._exponent.clear()
        here = view(store, run)
        bend = here.analysis.exponent("C", 400).bend
        assert bend.verdict == verdict
        assert confidence.VERDICTS[verdict] in confidence.of_view(here, "C", 400)
        assert f"{bend.curvature:+.3f} ± {bend.stderr:.3f}".replace("-", "−") in confidence.of_view(here, "C", 400)


def test_too_small_a_window_is_told_instead(store, run):
    assert "at least 3 directions" in confidence.of_view(view(store, run), "C", 2)


# -- where it is shown ------------------------------------------------------------------------------------


def test_the_switch_draws_the_second_order_fit_and_stays_in_the_link(store, run):
    at = opened(PAGE)
    names = {t.get("meta") for t in chart(at, "power")["data"]}
    assert "C bend" not in names
    fine(at.toggle(key="power_law.bend").set_value(True).run())
    assert url(at)["bend"] == "yes"
    law, residuals = ({t.get("meta"): t for t in chart(at, key)["data"]} for key in ("power", "residuals"))
    a = result(store, run, 100)
    bend, fit = a.exponent("C", 400).bend, a.fit("C", 400)
    x, y = (decode(law["C bend"][axis]) for axis in "xy")
    np.testing.assert_allclose(y, bend.curve(x), rtol=1e-9)
    x, y = (decode(residuals["C bend"][axis]) for axis in "xy")
    np.testing.assert_allclose(y, np.log10(bend.curve(x) / fit.line(x)), atol=1e-9)
    assert "C bend" in {t.get("meta") for t in chart(opened(PAGE, bend="yes"), "power")["data"]}


def test_intervals_stand_beside_the_numbers(store, run):
    keep(store, run, 100, lambda a: dataclasses.replace(a, jackknife=jackknife(a)))
    fit = result(store, run, 100).fit("C", 400)
    between = f"{fit.interval[0]:.3f} … {fit.interval[1]:.3f}"
    at = opened()
    assert any(between in c.value for c in at.caption), "the card of the start page"
    at = opened(PAGE)
    assert any(between in m.value and m.value.startswith("|") for m in at.markdown), "the table of fits"
    at = opened("pages/runs.py")
    (row,) = at.dataframe[0].value.to_dict("records")
    np.testing.assert_allclose(row["±, C"], (fit.interval[1] - fit.interval[0]) / 2)
    add_analysis(store, run, 120)
    at = opened("pages/runs.py")
    assert np.isnan(at.dataframe[0].value["±, C"][0]), "no interval is kept there"


@pytest.mark.parametrize("page", ["app", *(f"pages/{name}" for name in SHOWN)])
def test_wherever_an_exponent_of_a_run_is_shown_stands_how_sure_it_is(whole, page):
    at = opened(f"{page}.py")
    assert "How each of these is found" in [e.label for e in at.expander]
    assert "**Other training samples.**" in texts(at)
    assert "**Is it a straight line?**" in texts(at)
