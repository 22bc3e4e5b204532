"""Every predictor beside the measured noise, over a planted run."""

from dataclasses import replace

import numpy as np
import pytest

from engine.results import power_law
from engine.runs import library
from pages.rooms.predictors import proof
from pages.rooms.predictors.text import mistakes, percent
from pages.state.palette import PREDICTOR_LOOKS
from pages.text.numbers import tex
from tests.pages.conftest import button, by_meta, chart, charts, decode, fine, opened, press, result, texts, url
from tests.planted import fill

PAGE = "pages/predictors.py"
COURSES = ["predictors_bound", "predictors_absolute", "predictors_scaled", "predictors_slope", "predictors_size"]


def rows(at):
    """The numbers of the table, by the predictor's symbol."""
    (table,) = [m.value for m in at.markdown if m.value.startswith("| X |")]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {row[0]: row[1:] for row in cells}


def test_the_nearest_is_told_first_and_drawn(store, run):
    at = opened(PAGE)
    assert charts(at) == ["predictor", "predictors_distance", *COURSES]
    a = result(store, run, 100)
    far = {name: a.distance("C", name) for name in a.predictors}
    sizes = {n: d.absolute for n, d in far.items() if n not in ("E_h2", "C_hg", "C_gg")}
    nearest = min(sizes, key=sizes.get)
    symbol = PREDICTOR_LOOKS[nearest].tex
    assert f"${symbol}$ is nearest: **{percent(sizes[nearest])} off** without any free" in texts(at)
    points = [t for t in chart(at, "predictor")["data"] if t.get("meta") == nearest][-1]
    keep = decode(points["customdata"]) - 1
    np.testing.assert_allclose(decode(points["x"]), a.factor(nearest) * a.diagonal(nearest)[keep])
    np.testing.assert_allclose(decode(points["y"]), a.diagonal("C")[keep])


def test_every_number_is_that_of_the_engine(store, run):
    at, a = opened(PAGE, window="1,300", approximations="yes"), result(store, run, 100)
    table = rows(at)
    assert len(table) == 10
    for symbol, name, factor in ((r"$C_\mathrm{AWD}$", "C_awd", 1), ("$H/B$", "H", 1 / 50)):
        x, far = factor * a.diagonal(name)[:300], a.distance("C", name)
        slope = power_law.power_law(x, a.diagonal("C")[:300]).gamma
        gamma = 1.0 if name == "H" else a.fit(name, 300).gamma
        size = factor * a.traces[name] / a.traces["C"]
        own = table[symbol]
        assert own[:3] == [f"{slope:.2f}", f"{gamma:.2f}", f"{size:.3g}"]
        assert own[5] == f"{far.scale:.3g}"
        assert own[3:5] == [percent(far.absolute), percent(far.scaled)]
    assert table[r"$\mathrm{E}[h^2]$"][2:4] == ["–", "–"], "it has other units"


def test_a_window_too_small_for_a_slope_leaves_the_distances(store, run):
    at, a = opened(PAGE, window="1,2"), result(store, run, 100)
    own = rows(at)[r"$C_\mathrm{AWD}$"]
    assert own[:2] == ["–", "–"]
    assert own[4] == percent(a.distance("C", "C_awd").scaled)
    assert "is nearest: **" in texts(at)


def test_a_predictor_is_chosen_and_shared(run):
    at = opened(PAGE)
    fine(at.get("button_group")[0].set_value("C_awd").run())
    assert url(at)["predictor"] == "C_awd"
    assert by_meta(at, "predictor")["C_awd"]
    at = opened(PAGE, predictor="E_loss_H")
    assert by_meta(at, "predictor")["E_loss_H"]


def test_lines_along_training_are_those_of_each_epoch(store, run):
    at = opened(PAGE)
    drawn = by_meta(at, "predictors_scaled")
    assert set(drawn) == {"C_odds", "C_loss", "E_h2", "H", "E_loss_H", "C_awd"}
    expected = [result(store, run, epoch).distance("C", "H").scaled for epoch in (0, 10, 100)]
    np.testing.assert_allclose(decode(drawn["H"]["y"]), expected)
    assert "E_h2" not in by_meta(at, "predictors_absolute")


def older(store, run, **more):
    """The entries as a version without C_odds wrote them."""
    for made in library.analyses(store, run):
        path = ("runs", run, "analyses", made.key)
        entry = store.read(*path)
        meta = dict(entry.meta)
        meta["result"] = {k: v for k, v in meta["result"].items() if k != "overlaps"} | more
        groups = {
            group: {n: x for n, x in entry.arrays(group).items() if "C_odds" not in n and "C_loss" not in n}
            for group in ("main", "blocks")
            if entry.has(group)
        }
        store.write(path, meta, groups)


def test_an_older_analysis_shows_what_it_has_and_can_be_made_again(store, run, started):
    older(store, run)
    at = opened(PAGE)
    assert "How far the predictors are from $C$ is not kept" in texts(at)
    assert "An older version made this analysis" in texts(at)
    table = rows(at)
    assert r"$C_\mathrm{odds}$" not in table
    assert table["$H/B$"][3:] == ["–"] * 3
    assert not at.warning
    assert not {"predictors_absolute", "predictors_scaled"} & {*charts(at)}
    assert "predictors_slope" in charts(at)
    button(at, "Analyse again").click().run()
    (((*command,), queued),) = started
    assert command[:3] == ["analyze", "--run", run]
    assert "--again" in command
    assert not queued


def test_where_a_predictor_does_not_apply_a_sentence_says_why(store, monkeypatch):
    from tests import planted

    whole = planted.analysis
    why = "Of the loss mse there is no C_odds: its curvature may be negative."

    def without(*args, **more):
        a = whole(*args, **more)
        provenance = replace(a.provenance, absent={"C_odds": why, "C_loss": why})
        diagonals = {n: d for n, d in a.diagonals.items() if n not in ("C_odds", "C_loss")}
        return replace(a, diagonals=diagonals, provenance=provenance)

    monkeypatch.setattr(planted, "analysis", without)
    fill(store)
    at = opened(PAGE)
    assert [c.value for c in at.caption].count(why) == 1
    assert [m.value for m in at.markdown].count(why) == 1, "in place of the proof"
    assert r"$C_\mathrm{odds}$" not in rows(at)


@pytest.mark.parametrize("epoch", ["0", "10"])
def test_it_follows_the_epoch(run, epoch):
    at = opened(PAGE, epoch=epoch)
    assert any(f"epoch\u00a0{epoch} ·" in c.value for c in at.caption)
    at = press(at, "slider", "Directions fitted", (1, 50))
    assert any("directions 1 … 50 above" in c.value for c in at.caption)


# -- the proof --------------------------------------------------------------------------------------------


def test_the_proof_goes_step_by_step_with_the_runs_numbers(store, run):
    at, a = opened(PAGE, odds="4", direction="3"), result(store, run, 100)
    (numbers,) = [m.value for m in at.markdown if m.value.startswith("| | value")]
    ratio = (a.diagonal("C") / a.diagonal("C_odds"))[2]
    for value in (a.diagonal("C")[2], a.diagonal("C_odds")[2], ratio, a.traces["C"] / a.traces["C_odds"]):
        assert f"${tex(float(value), 4)}$" in numbers
    drawn = by_meta(at, "predictors_bound")["C"]
    keep = decode(drawn["customdata"]) - 1
    np.testing.assert_allclose(decode(drawn["y"]), (a.diagonal("C") / a.diagonal("C_odds"))[keep])
    titles = [
        next(m.value for m in opened(PAGE, odds=str(n)).markdown if m.value.startswith(f"#### {n}. ")) for n in (1, 5)
    ]
    assert len(set(titles)) == 2


@pytest.mark.parametrize("loss", ["ce", "nll", "bce", "linear_mse", "ce(weight=[1.0, 2.0])"])
def test_the_weight_is_told_as_the_loss_has_it(store, run, loss):
    a = result(store, run, 100)
    a = replace(a, provenance=replace(a.provenance, loss=loss))
    third = proof.steps(a, 2, np.arange(5))[2]
    word = {"bce": "mean of the odds", "linear_mse": "2\\ell"}.get(
        loss, "odds of being wrong" if "(" not in loss else "chi"
    )
    assert word in third.text
    for step in proof.steps(a, 2, np.arange(5)):
        assert not any("|" in symbol for symbol, _ in step.numbers)


def test_a_sample_that_makes_most_of_it_is_told():
    assert mistakes({"C_odds": 0.4}) == mistakes({}) == ""
    assert mistakes({"C_odds": 0.96}) == r" One sample alone makes 96% of $C_\mathrm{odds}$."
