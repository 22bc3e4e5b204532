"""The page about other samples over planted halves: what it says and draws, and the button while nobody has looked."""

from dataclasses import replace

import numpy as np
import pytest

from engine.config.command_line import parse
from engine.config.commands import AnalyzeCommand
from engine.config.requests import AnalysisRequest, key
from engine.results.cross_fit import CrossFit, Gammas
from engine.results.null import Against, StructuralNull
from engine.results.power_law import Fit
from engine.runs import library
from pages.data import results
from pages.rooms.held_out import panels
from pages.text import held_out as text
from pages.text import structural
from tests.pages.conftest import button, by_meta, chart, charts, decode, fine, metrics, opened, press, slope, texts, url
from tests.planted import add_held_out, held_out
from tests.planted_samples import add_samples

PAGE = "pages/held_out.py"


@pytest.fixture
def there(store, run):
    add_held_out(store, run, 100)
    return run


def test_the_same_directions_are_drawn_on_both_halves(there):
    at = opened(PAGE)
    split = held_out().halves[0]
    drawn = [t for t in chart(at, "crossed")["data"] if t.get("meta") == "C" and t.get("name") != "not fitted"]
    clouds = [t for t in drawn if t["mode"] == "markers"]
    for cloud, reading in zip(clouds, (split.own, split.crossed), strict=True):
        which = decode(cloud["customdata"])[:, 0].astype(int) - 1
        np.testing.assert_allclose(decode(cloud["x"]), reading.diagonals["H"][which])
        np.testing.assert_allclose(decode(cloud["y"]), reading.diagonals["C"][which])
    fits = [
        t for t in chart(at, "crossed")["data"] if t.get("meta") == "C" and t["mode"] == "lines" and len(t["x"]) > 1
    ]
    np.testing.assert_allclose([slope(t) for t in fits], [1.3, 1.0], atol=1e-6)


def test_three_columns_have_their_numbers(there):
    at = opened(PAGE)
    shown = metrics(at)
    assert shown["The half that gave the directions"] == "1.30"
    assert (
        shown["The other half"] == f"{np.mean([split.crossed.fit('C', 400).gamma for split in held_out().halves]):.2f}"
    )
    assert shown["Unseen test samples"] == "0.98"
    assert "6 readings: 1.00 … 1.05" in texts(at)
    assert "of 2,500 samples" in texts(at)
    assert "of 500 samples" in texts(at)


def test_gamma_is_drawn_against_the_number_of_samples(there):
    lines = by_meta(opened(PAGE), "growing")
    np.testing.assert_array_equal(decode(lines["in-sample"]["x"]), [625, 1250, 2500, 5000])
    np.testing.assert_allclose(decode(lines["in-sample"]["y"])[:3], [1.7, 1.5, 1.3], atol=1e-6)
    np.testing.assert_array_equal(decode(lines["crossed"]["x"]), [625, 1250, 2500])


def test_without_test_samples_their_column_says_so(store, run):
    add_held_out(store, run, 100, test=False)
    at = opened(PAGE)
    assert metrics(at)["Unseen test samples"] == "—"
    assert "no test samples here" in texts(at)


def test_another_matrix_and_window_are_read_from_the_same_halves(there):
    at = press(opened(PAGE), "selectbox", "Matrix", "E_h2")
    assert url(at)["matrix"] == "E_h2"
    assert [o.split(" – ")[0] for o in at.selectbox[0].options] == ["C", "E[h²]"]
    at = press(at, "slider", "Directions fitted", (1, 50))
    assert "50 directions of 2,500 samples" in texts(at)


def test_a_direction_is_chosen_by_its_number(there):
    at = press(opened(PAGE), "number_input", "Direction", 7)
    assert url(at)["direction"] == "7"
    assert "carry direction 7" in texts(at)


def test_who_carries_rounding_is_not_told(store, there):
    view = results.view_of(library.run(store, there))
    data = replace(view.analysis, noise_floor=float(view.analysis.eigenvalues[30]))
    figure = panels.effective(replace(view, analysis=data), held_out(), "C", None).figure
    assert {max(trace.customdata) for trace in figure.data} == {30}


def test_the_samples_that_carry_a_direction_are_shown(store, there):
    known = held_out().effective["C"]
    at = opened(PAGE, direction="3")
    assert f"- sample {known.carriers[2, 0]:,}: 10.0%" in texts(at), "numbers alone while there are no pictures"
    assert button(at, "Look at every sample")
    add_samples(store, there, 100)
    at = opened(PAGE, direction="3")
    np.testing.assert_array_equal(decode(by_meta(at, "carriers")["samples"]["customdata"]), known.carriers[2])


def test_while_nobody_has_looked_one_button_starts_the_job(store, run, prepared, started):
    at = opened(PAGE)
    assert not charts(at)
    assert any("Nobody has looked yet at epoch 100" in i.value and "takes about" in i.value for i in at.info)
    fine(button(at, "Look at other samples").click().run())
    ((words, queued),) = started
    command = parse(words)
    assert isinstance(command, AnalyzeCommand)
    assert command.cross_fit
    assert not queued
    usual = library.default_analysis(library.run(store, run), 100)
    assert key(command.request(usual)) == key(AnalysisRequest(run, 100)), "below this very analysis"
    assert any("Halving the samples" in i.value for i in opened(PAGE).info)


def test_it_is_seen_as_soon_as_it_is_there(store, run):
    assert not charts(opened(PAGE))
    add_held_out(store, run, 100)
    assert "crossed" in charts(opened(PAGE))


# -- the verdict ------------------------------------------------------------------------------------------


def gammas(gamma, half, count=1):
    interval = None if half is None else (gamma - half, gamma + half)
    return Gammas((Fit(gamma, 0.01, 0.99, 0.0, 100, interval=interval),) * count, 1000, (0.0,))


@pytest.mark.parametrize(
    ("whole", "other", "half", "words"),
    [
        (1.5, 0.98, 0.03, "not 1.50: what lifts it above 1 belongs to these samples."),
        (1.5, 1.25, 0.03, "not 1.50: 50% of what lifts it above 1 belongs to these samples."),
        (1.5, 1.8, 0.03, "not 1.50: it is steeper there, so these samples did not lift it."),
        (2.0, 1.4, 0.45, "60% of what lifts it above 1 belongs to these samples, and the interval leaves open whether"),
        (1.5, 0.93, 0.08, "not 1.50: what lifts it above 1 belongs to these samples."),
        (1.3, 1.24, 0.05, "not 1.30: 20% of what lifts it above 1 belongs to these samples."),
        (1.1, 1.08, 0.03, "Both intervals together leave that open: no difference can be told."),
        (0.95, 0.8, 0.03, "not 0.95: the slope hangs on which samples are measured."),
        (1.5, 0.98, None, "no interval is kept"),
    ],
)
def test_the_verdict_says_what_can_be_told(whole, other, half, words):
    fit = CrossFit(gammas(whole, 0.02), gammas(whole, 0.02), gammas(other, half))
    assert words in text.verdict(fit, "C")
    assert f"**{other:.2f}**" in text.verdict(fit, "C")
    assert text.verdict(replace(fit, test=gammas(0.9, 0.1)), "C").endswith("Test samples give 0.90.")


# -- the way there ----------------------------------------------------------------------------------------


def test_a_card_and_the_button_behind_gamma_tell_it_and_lead_there(there):
    at = opened()
    assert any("On other samples: **1.02** (1.00 … 1.05)." in c.value for c in at.caption)
    assert any("of directions 1 … 400: a straight law." in c.value for c in at.caption)
    links = [link.proto.page for link in at.get("page_link")]
    assert "held_out" in links
    power = opened("pages/power_law.py")
    assert "On other samples: **1.02**" in texts(power)
    assert any(link.proto.label == "Would it hold on other samples?" for link in power.get("page_link"))


def test_without_it_the_card_only_leads_there(run):
    at = opened()
    assert "On other samples: " not in texts(at)
    assert "held_out" in [link.proto.page for link in at.get("page_link")]


def test_without_classes_none_is_said_to_explain():
    one = Against(0.1, np.array([0.2, 0.3]), 1 / 3)
    assert "more than what they share explains" in structural.verdict(StructuralNull(one, one, one, one, classes=1))
    assert "more than the class explains" in structural.verdict(StructuralNull(one, one, one, one, classes=3))


def test_c_stands_beside_both_nulls(there):
    at = opened(PAGE)
    assert [t["meta"] for t in chart(at, "structural")["data"]] == ["permuted", "by chance", "measured"]
    assert "20 permutations within classes commutes as well: more than the class explains" in texts(at)
