"""The page Live in a real browser: a film that moves, rests, is steered, and begins again."""

import re
import time

import pytest
from playwright.sync_api import expect

from cache.jobs import Jobs
from cache.store import Store
from engine.runs import recording
from tests.browser.conftest import settle

pytestmark = pytest.mark.browser

PATIENCE = 60.0
PLOT = ".st-key-film-screen .gammascope-plot"


def shot(store):
    films = recording.films(store)
    return films[0] if films else None


def until(condition):
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "the film did not get there"
        time.sleep(0.1)


def moved(page):
    """Wait until a figure is painted anew in place."""
    before = int(page.locator(PLOT).first.get_attribute("data-painted") or 0)
    page.wait_for_function(f"n => +document.querySelector('{PLOT}').dataset.painted > n", arg=before)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.slow
def test_a_film_moves_rests_and_is_steered(planted, window):
    page, store = window(f"{planted.url}/film", height=720, width=1280), Store(planted.cache)
    expect(page.get_by_role("heading", name="When does γ leave 1?")).to_be_visible()
    press(page, "Start")
    until(lambda: shot(store) is not None and shot(store).last.epoch > 0)
    # Frames move: figures are painted anew without the page being drawn anew.
    expect(page.get_by_text(re.compile(r"Epoch [1-9]\d* ·"))).to_be_visible()
    moved(page)
    # The pictures lie above the fold.
    box = page.locator(PLOT).first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 721  # half a pixel comes and goes with the fonts

    press(page, "Pause")
    expect(page.get_by_role("button", name="Go on", exact=True)).to_be_visible()
    until(lambda: not shot(store).control.playing or not recording.control(store, shot(store).key).playing)
    page.wait_for_timeout(1500)
    rested = shot(store).last.epoch
    page.wait_for_timeout(1500)
    assert shot(store).last.epoch == rested

    press(page, "One step")
    expect(page.get_by_text(f"Epoch {rested + 1}", exact=True)).to_be_visible()
    assert shot(store).last.epoch == rested + 1

    rate = page.get_by_role("spinbutton", name="Learning rate η")
    rate.fill("0.5")
    rate.press("Enter")
    until(lambda: recording.control(store, shot(store).key).learning_rate == 0.5)
    settle(page)
    press(page, "One step")
    expect(page.get_by_text(f"Epoch {rested + 2}", exact=True)).to_be_visible()
    assert shot(store).last.learning_rate == 0.5
    expect(page.locator(".annotation-text", has_text="→ 0.5").first).to_be_attached()

    # Back in the film, then a new take.
    page.get_by_role("slider").press("ArrowLeft")
    page.get_by_role("slider").press("ArrowLeft")
    expect(page.get_by_text(f"Epoch {rested + 1}", exact=True)).to_be_visible()
    press(page, "Reset")
    expect(page.get_by_text("Epoch 0", exact=True)).to_be_visible()
    assert [f.epoch for f in shot(store).frames] == [0]

    press(page, "Stop")
    until(lambda: not Jobs(planted.cache / "jobs").running())
    expect(page.get_by_text("Stopped. Every frame is kept.")).to_be_visible()
