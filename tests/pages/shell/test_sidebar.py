"""What the sidebar offers."""

from tests.pages.conftest import charts, fine, opened, url
from tests.planted import add_analysis, fill


def test_the_sidebar_offers_the_layers_that_are_analysed(store):
    run = fill(store, epochs=(0, 10))
    at = opened("pages/power_law.py")
    assert [s.label for s in at.sidebar.selectbox] == []
    add_analysis(store, run, 10, layer="fc1")
    at = opened("pages/power_law.py")
    (box,) = at.sidebar.selectbox
    assert (box.label, list(box.options), box.value) == ("Layer", ["fc2", "fc1"], "fc2")
    fine(box.set_value("fc1").run())
    assert url(at)["layer"] == "fc1"
    assert "power" in charts(at)
