"""The duality lab in Chromium: a key takes a step, a click takes another partner."""

import re

import pytest
from playwright.sync_api import expect

from tests import planted_samples
from tests.browser.conftest import settle

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_keys_walk_from_a_sample_to_its_partner_and_a_click_takes_another(looked, window):
    page = window(f"{looked.url}/duality?sample=3", width=1280, height=720)
    settle(page)
    expect(page.locator(".st-key-shape .js-plotly-plot")).to_be_visible()
    losses = page.locator(".st-key-losses")
    box = losses.bounding_box()
    assert box["y"] + box["height"] < 720, "the loss lies below the fold"
    page.get_by_role("slider", name="t, part of the way").focus()
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile(r"step=0\.95"))
    page.wait_for_function(
        "Math.abs(document.querySelector('.st-key-losses .gammascope-plot').data.at(-1).x[0] - 0.95) < 1e-9"
    )
    samples = planted_samples.samples(100)
    second = int(samples.neighbours(3, 3, 2)[1])
    tiles = page.locator(".st-key-partner .nsewdrag").bounding_box()
    page.mouse.click(tiles["x"] + tiles["width"] * 1.5 / 7, tiles["y"] + tiles["height"] / 2)
    expect(page).to_have_url(re.compile(rf"partner={second}\b"))
    expect(page.get_by_role("spinbutton", name="Partner")).to_have_value(str(second))
