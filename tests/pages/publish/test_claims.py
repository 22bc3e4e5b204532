"""Claims of the results page follow the rows, planted here by hand; so do its tables."""

import dataclasses
import math
import re

import pytest

from engine.config.requests import DataRequest, ModelRequest, RunRequest
from engine.sweeps.rows import FOLLOWED, Law
from pages.publish import beyond, claims, results_page, tables
from pages.publish.rows import Row, number, pairs


def row(loss="ce", classes=10, seed=0, epoch=100, gamma=1.2, **more):
    """A row as a sweep would measure it; more: fields of the row, or of every law."""
    laws = {name: law(gamma, **{k: v for k, v in more.items() if k in LAW}) for name in FOLLOWED}
    values = {
        "row": f"MNIST MLP, {loss.upper()}",
        "classes": classes,
        "seed": seed,
        "layer": "fc2",
        "run": f"{loss}{classes}{seed}",
        "samples": 2000 * classes,
        "batch_size": 50,
        "epoch": epoch,
        "train_loss": 1e-3,
        "train_accuracy": 1.0,
        "test_accuracy": 0.97,
        "window": 1000,
        "floor": 1e-9,
        "largest": 3.0,
        "kept_slope": 1.0,
        "kept_r2": 0.999,
        "unedited": 1.2,
        "homogenised": 1.0,
        "departures": "",
        "training_seconds": 30.0,
        "analysis_seconds": 9.0,
        "machine": "a machine",
        "version": "commit 0123456789, torch 2.15.0",
        "command": "python -m engine train --data mnist",
        "laws": laws,
        "request": RunRequest(
            DataRequest("mnist", tuple(range(classes))), ModelRequest(widths=(784, 50, 50, classes)), loss, seed=seed
        ),
    }
    return Row(**values | {k: v for k, v in more.items() if k in values})


LAW = {f.name for f in dataclasses.fields(Law)}


def law(gamma, **more):
    values = {
        "stderr": 0.001,
        "low": gamma - 0.01,
        "high": gamma + 0.01,
        "r2": 0.998,
        "n": 990,
        "discarded": 0.01,
        "top": gamma,
        "end": gamma,
        "half": gamma,
        "double": gamma,
        "trace": 0.1,
        "commutator": 0.16,
        "random_commutator": 1.4,
        "alignment": 0.94,
        "random_alignment": 0.02,
        "spearman": 0.999,
    }
    return Law(gamma, **values | more)


def with_law(one, name, **more):
    """A row with another law of one matrix."""
    return dataclasses.replace(one, laws={**one.laws, name: dataclasses.replace(one.laws[name], **more)})


def in_words(claim):
    return f"{claim.title} {claim.text}"


# -- claims -------------------------------------------------------------------------------------------------


def test_an_exponent_outside_the_bounds_is_told_with_its_interval():
    good = [row(seed=s) for s in range(2)]
    assert claims.within("C", "ce", good).holds
    assert "both runs" in in_words(claims.within("C", "ce", good))
    claim = claims.within("C", "ce", [good[0], row(seed=1, gamma=0.9)])
    assert not claim.holds
    assert "in 1 of 2 runs" in claim.title
    assert "MNIST MLP, CE, 10 classes (0.90, interval 0.89 … 0.91)" in claim.text
    assert "reach into 1 … 2: 0 of 1" in claim.text
    reaching = claims.within("C", "ce", [good[0], row(seed=1, gamma=0.995)])
    assert not reaching.holds
    assert "reach into 1 … 2: 1 of 1" in reaching.text
    assert claims.within("C", "mse", good) is None


def test_cross_entropy_above_softmax_mse_is_decided_pair_by_pair():
    ce, mse = [row("ce", seed=s, gamma=1.2) for s in range(3)], [row("mse", seed=s, gamma=1.0) for s in range(3)]
    assert claims.above([*ce, *mse]).holds
    assert "all 3 pairs, by +0.20" in in_words(claims.above([*ce, *mse]))
    claim = claims.above([*ce, *mse[:2], row("mse", seed=2, gamma=1.3)])
    assert not claim.holds
    assert "2 of 3 pairs, by −0.10 … +0.20" in claim.text
    assert claims.above(ce) is None


def test_pairs_share_data_network_layer_classes_and_seed():
    ce = row("ce")
    assert pairs([ce, row("mse")]) == [(ce, row("mse"))]
    for other in (row("mse", classes=3), row("mse", seed=1), row("mse", layer="fc3")):
        assert pairs([ce, other]) == []


@pytest.mark.parametrize(
    ("say", "good", "bad"),
    [
        (claims.commute, {}, {"commutator": 1.2}),
        (claims.dominant, {}, {"kept_slope": 0.8}),
        (claims.dominant, {}, {"kept_r2": 0.9}),
        (claims.homogenised, {}, {"homogenised": 1.15}),
        (claims.window, {}, {"half": 1.3}),
        (claims.window, {}, {"double": 1.1}),
        (claims.bend, {}, {"top": 1.4}),
    ],
)
def test_a_claim_that_fails_in_one_run_is_told_to_fail(say, good, bad):
    rows = [row(seed=s, **good) for s in range(3)]
    holds, fails = say(rows), say([*rows[:2], row(seed=2, **bad)])
    assert holds.holds
    assert not fails.holds
    assert fails.title != holds.title
    assert number(next(iter(bad.values()))) in in_words(fails) or "% of what chance gives" in fails.text


def test_awd_is_compared_in_exponent_and_in_size():
    rows = [row(seed=s) for s in range(2)]
    assert claims.predicted(rows).holds
    assert claims.size(rows).holds
    rows[1] = with_law(rows[1], "C_awd", gamma=1.5, trace=8.0)
    assert not claims.predicted(rows).holds
    assert "(+0.30)" in claims.predicted(rows).text
    assert not claims.size(rows).holds
    assert "1.0 … 80" in claims.size(rows).text


def test_convergence_is_read_from_the_earlier_checkpoints():
    rows = [row(epoch=e, gamma=g) for e, g in ((0, 1.0), (50, 1.05), (100, 1.2))]
    claim = claims.convergence(rows)
    assert not claim.holds
    assert "(epoch 50) to the end (epoch 100)" in claim.text
    assert "1.05 → 1.20 at 100.0%" in claim.text
    assert claims.convergence([*rows[:1], row(epoch=50, gamma=1.19), rows[2]]).holds
    assert claims.convergence(rows[2:]) is None
    assert "| 0 | 50 | 100 |" in tables.over_epochs(rows)


def test_the_interval_over_samples_is_held_against_the_spread_over_seeds():
    alike = [row(seed=s, gamma=1.2 + 0.001 * s) for s in range(2)]
    apart = [row(seed=s, gamma=1.2 + 0.1 * s) for s in range(2)]
    assert claims.seeds(alike).holds
    assert not claims.seeds(apart).holds
    assert claims.seeds(alike[:1]) is None


def test_what_was_not_measured_is_left_out_of_every_sentence():
    bare = row(kept_slope=math.nan, homogenised=math.nan, low=math.nan, high=math.nan, double=math.nan)
    rows = [bare, row("mse", low=math.nan, high=math.nan)]
    text = results_page.page("A sweep", "some.toml", rows, ())
    assert not re.search(r"\bnan\b", text)
    assert "interval –" not in text


def test_the_table_shows_means_deviations_hulls_and_departures():
    rows = [row(seed=s, gamma=1.1 + 0.2 * s, departures="30 epochs in place of 100") for s in range(3)]
    assert "1.200<br><sub>1.090 … 1.310</sub>" in tables.exponents(rows[:2]), "two seeds tell no deviation"
    text = tables.exponents(rows)
    assert "1.300 ± 0.200<br><sub>1.090 … 1.510</sub>" in text
    assert "MNIST MLP, CE ¹" in text
    assert text.endswith("¹ 30 epochs in place of 100.")


def test_beside_the_paper_a_difference_is_told():
    assert "within 0.05 |" in tables.against_paper([row(gamma=1.105)])
    excluded = "within 0.05; the interval excludes 1.1 |"
    assert excluded in tables.against_paper([row(gamma=1.12)]), "1.11 … 1.13"
    assert "higher by 0.25" in tables.against_paper([row(gamma=1.35)])
    assert "lower by 0.20" in tables.against_paper([row("mse", gamma=0.8)])
    assert tables.against_paper([]) == ""


def test_a_claim_moves_to_the_other_section_with_its_rows():
    def sections(rows):
        text = results_page.page("A sweep", "some.toml", rows, ())
        _, rest = text.split("## What holds")
        return rest.split("## What does not hold")

    ce, mse = row("ce", gamma=1.2), row("mse", gamma=1.05)
    holds, _ = sections([ce, mse])
    assert "Cross-entropy lies above softmax-MSE" in holds
    holds, fails = sections([row("ce", gamma=1.01), mse])
    assert "Cross-entropy lies above" not in holds
    assert "Cross-entropy does not always lie above" in fails


# -- beyond the paper ----------------------------------------------------------------------------------------


def test_a_slope_of_other_samples_decides():
    apart = [with_law(row(seed=seed, gamma=1.4), "C", crossed=1.0 + seed / 100) for seed in (0, 1)]
    claim = beyond.crossed(apart)
    assert not claim.holds
    assert "γ of $C$ is 1.00 … 1.01, where it is 1.40 on all samples at once" in claim.text
    assert "the difference is −0.40 … −0.39" in claim.text
    assert "nearer to 1 in both runs" in claim.text
    assert "effective samples" not in claim.text
    assert "carried by 23 effective" in beyond.crossed([dataclasses.replace(apart[0], effective=23.4)]).text
    assert beyond.crossed([with_law(row(gamma=1.4), "C", crossed=1.38)]).holds
    assert beyond.crossed([row()]) is None


def test_the_nearest_predictor_is_told_and_need_not_be_duality():
    one = row()
    for name, absolute, scaled in (("C_awd", 30.0, 0.5), ("E_h2", 9.0, 0.2), ("C_odds", 0.3, 0.1)):
        one = with_law(one, name, absolute=absolute, scaled=scaled)
    claim = beyond.nearest([one])
    assert not claim.holds
    assert "$C_\\mathrm{odds}$ in the only run" in claim.text
    assert "$C_\\mathrm{AWD}$ 0.50, and 30.00 as it is; $\\mathrm{E}[h^2]$ 0.20; $C_\\mathrm{odds}$ 0.10" in claim.text
    assert beyond.nearest([with_law(one, "C_awd", scaled=0.05)]).holds
    assert beyond.nearest([row()]) is None


def test_the_overview_has_means_over_seeds_and_dashes():
    assert beyond.overview([row()]) == ""
    rows = [with_law(row(seed=seed), "C", crossed=1 + seed / 10, decade=1.1) for seed in range(3)]
    (line,) = beyond.overview([*rows, row(loss="mse")]).splitlines()[2:3]
    assert (
        line
        == "| MNIST MLP, CE, 10 classes | 1.20 ± 0.00 | 1.10 ± 0.00 | 1.10 ± 0.10 | – | – / – | – | – / – | – / – |"
    )
    assert "MNIST MLP, MSE, 10 classes | 1.20 | – | – |" in beyond.overview([*rows, row(loss="mse")])
