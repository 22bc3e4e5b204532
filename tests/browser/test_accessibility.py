"""What axe finds on the pages: nothing serious or critical, on any page, in either theme; their outline; and room
enough on a telephone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from pages.state.menu import MENU
from tests.browser.conftest import settle

pytestmark = pytest.mark.browser

PAGES = [entry.name for entries in MENU.values() for entry in entries]


WIDTHS = """Math.max(
  document.documentElement.scrollWidth, document.querySelector("[data-testid=stMain]").scrollWidth)"""


def faults(page):
    """What keeps people from using the page: rule, how often, and the first place."""
    return [
        f"{rule['id']}, {len(rule['nodes'])} times, first {rule['nodes'][0]['html'][:200]}"
        for rule in Axe().run(page).response["violations"]
        if rule["impact"] in ("serious", "critical") or rule["id"] == "heading-order"
    ]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_on_a_page_keeps_people_out(looked, window, name):
    page = window(f"{looked.url}/{'' if name == 'start' else name}", width=1280, height=720)
    page.get_by_role("heading", level=1).wait_for()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        settle(page)
        assert faults(page) == [], scheme
    expect(page.get_by_role("navigation", name="Pages").get_by_role("link")).to_have_count(len(PAGES))
    page.set_viewport_size({"width": 390, "height": 844})
    settle(page)
    assert page.evaluate(WIDTHS) <= 390


def test_faults_are_found(window):
    page = window("about:blank")
    page.set_content(
        "<img src=x><button></button><h1>a</h1><h4>b</h4><p style='color: #999; background: #aaa'>faint</p>"
    )
    rules = {fault.split(",")[0] for fault in faults(page)}
    assert {"image-alt", "button-name", "color-contrast", "heading-order"} <= rules
