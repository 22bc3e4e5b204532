"""One direction marked in every figure."""

import numpy as np

from pages.ui import marker
from tests.pages.conftest import button, chart, decode, fine, opened, result, shows, url


def marked(at, chart_key):
    return [t for t in chart(at, chart_key)["data"] if t.get("meta") == "marked"]


def test_one_direction_is_marked_in_every_figure_of_both_pages_until_it_is_cleared(store, run):
    a = result(store, run, 100)
    at = opened("pages/power_law.py", direction="17")
    for name in ("power", "residuals", "effective"):
        (ring,) = marked(at, name)
        assert decode(ring["x"])[0] == a.eigenvalues[16]
    np.testing.assert_allclose(decode(marked(at, "power")[0]["y"]), [a.diagonal(n)[16] for n in ("C", "C_awd")])
    assert [s["x0"] for s in chart(at, "gamma_by_window")["layout"]["shapes"] if s["line"].get("color") == "#e6178f"]
    (line,) = shows(at, "**Direction 17**")
    assert "the 17th sharpest and 17th noisiest of 400 directions" in line
    fine(at.switch_page("pages/commutativity.py").run())
    for name in ("K", "R_real", "R_rand"):
        assert sorted(s["x0"] for s in chart(at, name)["layout"]["shapes"]) == [-0.5, 15.5]
    assert shows(at, "**Direction 17**")
    fine(button(at, "Clear").click().run())
    assert "shapes" not in chart(at, "K")["layout"] or not chart(at, "K")["layout"]["shapes"]
    assert "direction" not in url(at)
    assert shows(at, "Its number, a click or the arrow keys")


def test_a_direction_beyond_the_pictures_is_said(run):
    assert shows(opened("pages/commutativity.py", direction="51", k="50"), "It is beyond the 50 shown.")
    assert not shows(opened("pages/commutativity.py", direction="50", k="50"), "It is beyond")


def test_a_direction_this_analysis_does_not_have_is_not_marked(run):
    at = opened("pages/power_law.py", direction="5000")
    assert not marked(at, "power")
    assert shows(at, "Its number, a click or the arrow keys")


def test_ordinals():
    assert [marker.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 101, 112, 1023)] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "101st", "112th", "1,023rd"]
    )
