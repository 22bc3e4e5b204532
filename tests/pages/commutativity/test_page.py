"""The commutativity page in full: pictures, meters, draws of chance, many directions."""

import dataclasses

import numpy as np
import pytest

from engine.config.requests import AnalysisRequest, key, to_json
from engine.results import commutation
from engine.results.null import Against, StructuralNull
from engine.results.record import MatrixSummary
from pages.charts import nulls
from pages.data import random_draws, results
from pages.rooms.commutativity import chance
from pages.text import structural
from pages.ui import controls
from tests.pages.conftest import (
    button,
    chart,
    charts,
    decode,
    fine,
    heat,
    opened,
    press,
    result,
    sent,
    shows,
    url,
    widget,
)
from tests.planted import add_held_out, analysis, fill, held_out

PAGE = "pages/commutativity.py"


@pytest.fixture
def wide(store):
    """A run whose matrices keep 700 directions of C and the spectrum of C_hh too."""
    run = fill(store, epochs=(100,))
    a, k = analysis(gamma=1 + 0.1 * np.log10(101), seed=100), 700
    h = 10 ** np.linspace(0.3, -6, k)
    rng = np.random.default_rng(3)
    turned = np.eye(k) + 0.1 * rng.standard_normal((k, k)) / np.sqrt(k)
    root = h**0.6
    block = root[:, None] * (turned @ turned.T) * root
    spectrum = np.linalg.eigvalsh(block)[::-1].copy()
    curves = commutation.commutator_curves(h, block)
    kept = dataclasses.replace(
        a,
        eigenvalues=h,
        diagonals={name: np.diag(block).copy() for name in a.names},
        blocks={name: block[:300, :300].astype(np.float32) for name in a.names} | {"C": block.astype(np.float32)},
        wholes={name: MatrixSummary(spectrum, curves.top, curves.bulk) for name in ("C", "C_awd", "C_hh")},
        provenance=dataclasses.replace(a.provenance, d_out=20, d_in=35),
    )
    request = AnalysisRequest(run=run, epoch=100)
    arrays, meta = kept.to_arrays()
    record = {"request": to_json(request), "created": 200.0, "result": meta}
    store.write(("runs", run, "analyses", key(request)), record, {"main": arrays})
    return run


def test_the_sizes_are_tested_against_99_draws_of_the_law(store, run):
    at = opened(PAGE, k="40")
    a = result(store, run, 100)
    sizes = [
        commutation.off_diagonal(commutation.random_correlation(a.whole("C").spectrum, 100, s)).rms[39]
        for s in range(99)
    ]
    real = commutation.off_diagonal(a.correlation("C", 40)).rms[-1]
    assert real < min(sizes)
    assert shows(at, "**None of 99 random rotations was as close to diagonal: p ≤ 0.01.**")
    assert shows(at, f"Root mean square {real:.3f}, by chance {np.median(sizes):.3f} ({min(sizes):.3f}")
    bars, band, middle = chart(at, "off_diagonal")["data"]
    assert (bars["meta"], band["meta"], middle["meta"]) == ("measured", "band", "by chance")
    assert "99 draws" in band["name"]


def test_moving_k_looks_at_more_of_the_same_draws(run):
    at = opened(PAGE, k="40")
    small = heat(at, "R_rand")
    view_of_100 = random_draws.chance(results.view_of(results.runs()[0]), "C", 40)
    press(at, "slider", "k", 80)
    np.testing.assert_array_equal(heat(at, "R_rand")[:40, :40], small)
    assert random_draws.chance(results.view_of(results.runs()[0]), "C", 80) is view_of_100
    assert view_of_100.complete


def test_a_verdict_tells_its_p_value():
    draws = np.linspace(0.1, 1, 99)
    assert chance.verdict(0.05, draws) == "None of 99 random rotations was as close to diagonal: p ≤ 0.01."
    assert chance.verdict(0.1, draws) == "1 of 99 random rotations were at least as close to diagonal: p = 0.02."
    assert "p = 1" in chance.verdict(2.0, draws)


def test_playing_goes_through_the_epochs_where_they_stand(store, run, monkeypatch):
    at = opened(PAGE, k="200", epoch="10")
    button(at, "Play through the epochs").click().run()
    assert url(at)["epoch"] == "10"
    assert button(at, "Pause")
    # All k, on one scale for every epoch.
    assert heat(at, "K").shape == (200, 200)
    largest = max(np.abs(result(store, run, epoch).projected("C", 200)).max() for epoch in (0, 10, 100))
    assert chart(at, "K")["data"][0]["zmax"] == pytest.approx(largest)
    # As if the time of an epoch had passed in every run.
    monkeypatch.setattr(controls, "HOLD", 0)
    at.run()
    assert url(at)["epoch"] == "100"
    assert button(at, "Play through the epochs")
    own = np.abs(result(store, run, 100).projected("C", 200)).max()
    assert chart(at, "K")["data"][0]["zmax"] == pytest.approx(own)
    # From the last epoch it begins with the first.
    monkeypatch.setattr(controls, "HOLD", 60)
    button(at, "Play through the epochs").click().run()
    assert url(at)["epoch"] == "0"
    button(at, "Pause").click().run()
    at.run()
    assert url(at)["epoch"] == "0"


def test_beyond_300_directions_on_demand_in_percent_then_as_means_then_cell_by_cell(store, wide):
    at = opened(PAGE)
    assert widget(at, "slider", "k").max == 300
    press(at, "toggle", "Up to 700 directions", True)
    a = result(store, wide, 100)
    press(at, "slider", "k", 500)
    np.testing.assert_array_equal(heat(at, "R_real"), np.rint(100 * a.correlation("C", 500)))
    np.testing.assert_allclose(heat(at, "K"), a.projected("C", 500), rtol=1e-6)
    assert not shows(at, "shown as means")
    press(at, "slider", "k", 700)
    assert heat(at, "K").shape == (350, 350)
    assert heat(at, "K")[3, 7] == pytest.approx(a.projected("C", 700)[6:8, 14:16].mean(), rel=1e-6)
    assert shows(at, "700 × 700 entries are shown as means over 2 × 2 of them")
    press(at, "toggle", "Cell by cell", True)
    press(at, "slider", "First direction", 101)
    np.testing.assert_allclose(heat(at, "R_real"), a.correlation("C", 700)[100:400, 100:400], atol=1e-6)
    assert not shows(at, "shown as means")
    assert shows(at, "over the leading 300 directions")
    press(at, "toggle", "Up to 700 directions", False)
    assert heat(at, "K").shape == (300, 300)
    assert url(at)["k"] == "300"


def test_a_link_to_many_directions_opens_them_and_a_matrix_with_fewer_shows_fewer(wide):
    at = opened(PAGE, k="600")
    assert heat(at, "K").shape == (600, 600)
    fine(at.selectbox[0].set_value("C_hh").run())
    assert heat(at, "K").shape == (300, 300)
    assert heat(at, "R_rand").shape == (300, 300)
    assert chart(at, "commutator")


def test_a_matrix_without_a_spectrum_still_shows_what_there_is(run):
    at = opened(PAGE, matrix="C_gg")
    assert [t["meta"] for t in chart(at, "off_diagonal")["data"]] == ["measured"]
    assert len([i for i in at.info if "no random twin" in i.value]) == 1
    assert shows(at, "there is no random twin to compare it with")
    assert shows(at, "kept with its spectrum")
    assert "commutator" not in charts(at)
    assert "alignment" in charts(at)


def test_a_picture_holds_more_than_it_shows_for_a_slider_that_moves(store, run):
    at = opened(PAGE, k="40")
    at_end = result(store, run, 100)
    for name in ("K", "R_real", "R_rand"):
        picture = sent(at, name)
        assert picture["follows"] == {"slider": "commutativity-k", "at": [40], "cells": 100, "by": "leading"}
        assert picture["figure"]["layout"]["xaxis"]["range"] == [-0.5, 39.5]
        assert decode(picture["figure"]["data"][0]["z"]).shape == (100, 100)
    # Colours are those of what is shown, not of what is held.
    limit = chart(at, "K")["data"][0]["zmax"]
    assert limit == pytest.approx(np.abs(at_end.projected("C", 40)).max())
    np.testing.assert_allclose(heat(at, "R_real"), at_end.correlation("C", 40), atol=1e-6)
    assert sent(opened(PAGE, k="150"), "K")["follows"] is None


def test_the_matrix_choice_changes_pictures_and_meters(store, run):
    at = opened(PAGE)
    assert set(at.selectbox[0].options) >= {"C – covariance of the mini-batch gradient"}
    fine(at.selectbox[0].set_value("C_awd").run())
    analysis = result(store, run, 100)
    np.testing.assert_allclose(heat(at, "R_real"), analysis.correlation("C_awd", 100), atol=1e-6)
    bars = decode(chart(at, "commutator")["data"][0]["x"])
    expected = [analysis.commutator("C_awd"), *(analysis.commutator("C_awd", part, 100) for part in ("top", "bulk"))]
    np.testing.assert_allclose(bars, expected)
    assert url(at)["matrix"] == "C_awd"


def test_alignment_is_shown_for_every_matrix_beside_chance(store, run):
    at = opened(PAGE, approximations="yes")
    analysis = result(store, run, 100)
    bars, ticks = chart(at, "alignment")["data"]
    np.testing.assert_allclose(decode(bars["x"]), [analysis.alignment(n) for n in analysis.names])
    np.testing.assert_allclose(decode(ticks["x"]), [analysis.random_alignment(n) for n in analysis.names])


def test_a_new_draw_changes_only_the_random_picture(run):
    at = opened(PAGE)
    real, random = heat(at, "R_real"), heat(at, "R_rand")
    fine(button(at, "New random draw").click().run())
    np.testing.assert_array_equal(heat(at, "R_real"), real)
    assert np.abs(heat(at, "R_rand") - random).max() > 0.01
    assert url(at)["draw"] == "1"


def test_a_matrix_whose_spectrum_was_not_kept_is_shown_with_a_word(store, run):
    at = opened(PAGE, matrix="C_hh")
    np.testing.assert_allclose(heat(at, "R_real"), result(store, run, 100).correlation("C_hh", 100), atol=1e-6)
    assert "no random twin of it yet" in at.info[0].value


def test_c_stands_beside_permuted_gradients_and_a_rotation(store, run):
    add_held_out(store, run, 100)
    at = opened(PAGE)
    a = dataclasses.replace(result(store, run, 100), held_out=held_out())
    null = a.structural_null("C", 400)
    faint, tick, point = chart(at, "structural")["data"]
    np.testing.assert_allclose(decode(point["x"]), [getattr(null, key).measured for key in nulls.WORDS])
    assert point["y"] == list(nulls.WORDS.values())
    assert len(faint["x"]) == 4 * 20
    np.testing.assert_allclose(decode(faint["x"])[:20], null.commutator.permuted)
    np.testing.assert_allclose(decode(tick["x"])[:2], [a.random_commutator("C"), a.random_alignment("C")])
    assert shows(
        at, "**None of 20 permutations within classes commutes as well: more than the class explains (p = 0.048).**"
    )
    assert shows(at, f"measured {null.commutator.measured:.2f}")


def test_without_permutations_a_button_makes_them(store, run):
    at = opened(PAGE)
    assert "structural" not in charts(at)
    assert any("Gradients go to other samples of their class, 20 times" in info.value for info in at.info)
    assert button(at, "Look at other samples")


def test_a_verdict_says_how_many_permutations_commute_as_well():
    def of(measured, classes=10):
        commutator = Against.of(measured, np.linspace(0.3, 0.49, 20), small=True)
        return structural.verdict(StructuralNull(commutator, commutator, commutator, commutator, classes))

    assert of(0.2).endswith("their tie to curvature: 0.30 … 0.49, measured 0.20.")
    assert "more than the class explains (p = 0.048)" in of(0.2)
    assert "1 of 20 permutations within classes commute as well (p = 0.095): hardly" in of(0.3)
    assert "11 of 20 permutations within classes commute at least as well (p = 0.57): no tie" in of(0.4)
    assert "None of 20 permutations among all samples" in of(0.2, classes=1)
    assert "nothing can be told" in of(float("nan"))
