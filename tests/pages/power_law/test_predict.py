"""Predict, then reveal: what is hidden, what a class typed, and what the dots say."""

import numpy as np
import pytest

from pages.charts.guesses import guesses
from pages.charts.guesses import heap as heaped
from pages.state.palette import LOOKS
from pages.text import guesses as words
from tests.pages.conftest import button, by_meta, chart, charts, decode, fine, opened, press, result, texts, url

PAGE = "pages/power_law.py"


def test_the_answer_is_hidden_until_a_guess_and_is_the_runs_own(store, run):
    at = opened(PAGE, run=run, epoch="10", guess="yes")
    gamma = result(store, run, 10).fit("C", 400).gamma
    factor = f"{10**gamma:.2g}"
    assert "Ten times sharper: how much noisier?" in texts(at)
    assert f"{gamma:.2f}" not in texts(at)
    assert f"**{factor} times**" not in texts(at)
    assert not charts(at)
    at.text_input(key="power_law.guess.others").set_value("2 30, x; 1e9\t50")
    at.number_input(key="power_law.guess.own").set_value(7.0)
    fine(button(at, "Reveal").click().run())
    assert f"**{factor} times** as noisy" in texts(at)
    assert "You said 7: " in texts(at)
    assert "The median of 3 guesses is 30: " in texts(at)
    assert "Left out: “x”, “1e9”." in texts(at)
    dots = by_meta(at, "predict-dots")
    np.testing.assert_allclose(decode(dots["guesses"]["x"]), [2, 30, 50])
    assert decode(dots["own guess"]["x"]) == [7]
    shapes = chart(at, "predict-dots")["layout"]["shapes"]
    assert shapes[0]["x0"] == pytest.approx(10**gamma)
    assert shapes[-1]["x0"] == 30
    assert "power" in charts(at)
    # A rerun keeps it; another epoch is another question; and back again.
    press(at, "toggle", "Second-order fit", True)
    assert f"**{factor} times** as noisy" in texts(at)
    assert url(at)["guess"] == "yes"
    for epoch, told in ((100, False), (10, True)):
        at.select_slider(key="power_law.epoch").set_value(epoch)
        fine(at.run())
        assert ("as noisy" in texts(at)) == told
    fine(button(at, "Ask again").click().run())
    assert not charts(at)
    assert at.number_input(key="power_law.guess.own").value is None


def test_nobody_has_to_guess(run):
    at = opened(PAGE, guess="yes")
    fine(button(at, "Reveal").click().run())
    assert "as noisy" in texts(at)
    assert "You said" not in texts(at)
    assert "The median of" not in texts(at)


def test_the_start_page_keeps_the_secret(run):
    assert "times** as strong" in texts(opened(run=run))
    assert "times** as strong" not in texts(opened(run=run, guess="yes"))


@pytest.mark.parametrize(
    ("typed", "good", "bad"),
    [
        ("", (), ()),
        ("5, 10;20\n30 0.5", (5, 10, 20, 30, 0.5), ()),
        ("0 -3 nan inf 1e7 10x 12", (12,), ("0", "-3", "nan", "inf", "1e7", "10x")),
    ],
)
def test_what_a_class_typed(typed, good, bad):
    assert words.read(typed) == (good, bad)


def test_entries_that_are_none_are_named_letter_by_letter():
    sentence = words.left_out(["<b>*", "x" * 99, *"abcdef"])
    assert r"“\<b\>\*”" in sentence
    assert "x" * 13 not in sentence
    assert sentence.count("“") == 5
    assert "3 more" in sentence


def test_dots_of_a_heap_lie_apart_and_inside():
    same = heaped(np.array([10.0] * 30))
    assert len(set(same)) == 30
    assert 0 < same.min() < same.max() < 1
    assert heaped(np.array([1.0, 10.0, 100.0])) == pytest.approx([heaped(np.array([1.0]))[0]] * 3)


def test_words_beside_a_mark_stand_away_from_the_measured():
    figure = guesses(16, None, LOOKS["C"], 10, [200, 300], "times")
    anchors = {note.text.split(":")[0]: note.xanchor for note in figure.layout.annotations}
    assert anchors == {"measured": "left", "you": "right", "median of 2": "left"}
