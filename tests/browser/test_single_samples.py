"""One sample, and the Fisher argument, in a browser: what is clicked is looked at."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import settle
from tests.browser.test_looking import centre_of, figure

pytestmark = pytest.mark.browser

FITS = "document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth"


def traces(page, key, name):
    """A trace's y by its meta, as it is drawn."""
    drawn = f"document.querySelector('.st-key-{key} .gammascope-plot')._fullData"
    return page.evaluate(f"Array.from({drawn}.find((t) => t.meta === '{name}').y)")


def area(page, key):
    """Where a figure's data are drawn."""
    return figure(page, key).locator(".nsewdrag").first


@pytest.mark.slow
def test_a_thumbnail_a_bar_and_a_direction_are_chosen_by_a_click(looked, window):
    page = window(f"{looked.url}/sample?epoch=10", width=1280, height=720)
    strip = figure(page, "strip")
    expect(strip.locator(".main-svg").first).to_be_visible()
    settle(page)
    assert strip.bounding_box()["y"] < 500, "the samples are on the first screen"
    sample = page.evaluate("document.querySelector('.st-key-strip .gammascope-plot').data[0].customdata[1]")
    page.mouse.click(*centre_of(page, strip.locator("image").nth(1)))
    expect(page).to_have_url(re.compile(rf"sample={sample}\b"))
    expect(page.get_by_role("heading", name=re.compile(f"Sample {sample}, a"))).to_be_visible()
    settle(page)
    page.mouse.click(*centre_of(page, area(page, "kappa"), (3 - 0.4) / 10.2, 0.3))
    expect(page).to_have_url(re.compile("mode=3"))
    expect(figure(page, "u")).to_contain_text("u3 of this sample")
    settle(page)
    page.mouse.click(*centre_of(page, area(page, "alignment"), (2 - 0.3) / 30.4, 0.3))
    expect(page).to_have_url(re.compile(r"direction=2\b"))
    expect(figure(page, "v")).to_contain_text("v2 of H")


def test_the_matrices_are_shown_against_h_and_as_measured(looked, window):
    page = window(f"{looked.url}/fisher", width=1000, scheme="dark")
    expect(figure(page, "sizes").locator(".main-svg").first).to_be_visible()
    settle(page)
    assert page.evaluate(FITS) <= 0
    page.wait_for_function("document.querySelector('.st-key-argument2 .gammascope-plot')?.data?.length > 0")
    equal = traces(page, "argument2", "fisher")
    assert max(abs(y - 1) for y in equal[:50]) < 0.01, "the true Fisher matrix is H"
    page.locator(".st-key-drawer summary").click()
    page.get_by_role("radio", name="measured").click()
    expect(page).to_have_url(re.compile("relative=no"))
    page.wait_for_function(
        "document.querySelector('.st-key-argument2 .gammascope-plot').layout.yaxis.title.text === 'M<sub>ii</sub>'"
    )
    settle(page)
    assert traces(page, "argument2", "fisher") != equal
