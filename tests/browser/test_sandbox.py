"""What sets γ, in Chromium: keys move the sandbox through the map, a step of the proof draws its bound."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import settle

pytestmark = pytest.mark.browser


def trace(page, key, meta, where="true"):
    """One series t of a figure, as plotly.js holds it once it is drawn and `where` holds of it."""
    points = (
        f"document.querySelector('.st-key-{key} .gammascope-plot')?.data?.find((t) => t.meta === '{meta}' && {where})"
    )
    return page.wait_for_function(points).json_value()


@pytest.mark.slow
def test_keys_move_the_sandbox_up_the_map_and_the_proof_shows_its_bounds(planted, window):
    page = window(f"{planted.url}/sandbox?correlation=0.5", width=1280, height=720)
    settle(page)
    for key in ("law", "map"):
        top = page.locator(f".st-key-{key}").bounding_box()["y"]
        assert top + 250 < 720, f"{key} lies below the fold"
    before = trace(page, "map", "sandbox")["y"][0]
    here = trace(page, "map", "run")["y"][0]
    knob = page.get_by_role("slider").first
    knob.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"correlation=0\.54"))
    after = trace(page, "map", "sandbox", "Math.abs(t.x[0] - 0.54) < 1e-3")["y"][0]
    assert 1 < before < after < 2
    assert trace(page, "map", "run")["y"][0] == here
    page.get_by_text("2. Left bound").click()
    expect(page).to_have_url(re.compile("proof=2"))
    expect(page.get_by_role("heading", name="A mean squared is at most")).to_be_visible()
    trace(page, "wedge", "lower", "t.line.width === 4")
    assert trace(page, "wedge", "upper")["line"]["width"] < 4
    for step in ("1. Two averages", "3. Right bound", "4. Two slopes", "5. What sets γ"):
        page.get_by_text(step).click()
        settle(page)
        # The formula renderer marks what it cannot read.
        assert page.locator(".katex-error").count() == 0, step
