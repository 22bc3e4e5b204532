"""Looking around with results at hand: links, pages, themes and widths."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import settle

pytestmark = pytest.mark.browser

PAGES = ("", "commutativity", "power_law")


def test_a_selection_goes_along_to_other_pages_and_through_a_copied_link(planted, window):
    page = window(f"{planted.url}/commutativity?epoch=10&matrix=C_awd&k=40")
    settle(page)
    menu = page.get_by_test_id("stSidebar")
    menu.get_by_text("Power law").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("By which power")
    settle(page)
    assert "epoch\u00a010" in page.inner_text("[data-testid=stMain]")
    menu.get_by_text("Start").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("noise follows")
    expect(page).to_have_url(re.compile(r"epoch=10.*k=40"))
    settle(page)
    copied = window(page.url)
    settle(copied)
    assert "epoch\u00a010" in copied.inner_text("[data-testid=stMain]")
    assert copied.get_by_role("slider").nth(1).input_value() == "40"


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 1000)])
def test_a_page_fits_its_window_in_both_themes(planted, window, path, scheme, width):
    page = window(f"{planted.url}/{path}", width=width, scheme=scheme)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    settle(page)
    wider = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth")
    assert wider <= 0
    background = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    brightness = sum(int(n) for n in re.findall(r"\d+", background)[:3])
    assert brightness > 600 if scheme == "light" else brightness < 120
    # No figure brings a box of its own.
    box = page.evaluate("getComputedStyle(document.querySelector('.js-plotly-plot .main-svg')).backgroundColor")
    assert box in ("rgba(0, 0, 0, 0)", "transparent", background)


def test_an_explanation_shows_its_formulas(planted, window):
    page = window(planted.url)
    page.get_by_role("button", name="What K and R are").click()
    formulas = page.locator("[data-testid=stPopoverBody] .katex")
    expect(formulas.first).to_be_visible()
    assert page.locator(".katex-error").count() == 0
