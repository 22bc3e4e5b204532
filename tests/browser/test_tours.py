"""Every guided tour walked to its end in a real browser, by button and, while presenting, by key."""

import re

import pytest
from playwright.sync_api import expect

from cache.store import Store
from pages.rooms.tours import library
from pages.rooms.tours.bar import css_class
from pages.state.menu import entry
from tests.browser.conftest import settle
from tests.planted import add_held_out, add_noise
from tests.planted_plane import add_planes
from tests.planted_samples import add_samples

pytestmark = pytest.mark.browser

TOURS = library.shipped()


@pytest.fixture(scope="module")
def looked(planted):
    """The planted dashboard, all measured that a tour needs."""
    store = Store(planted.cache)
    (run,) = store.list("runs")
    add_samples(store, run, 0, 50, 100)
    add_held_out(store, run, 100)
    add_noise(store, run)
    add_planes(store, run, 100)
    return planted


def stands(page, tour, number):
    """The stop is there, on its page, with its highlight outlined."""
    closing = number > len(tour.stops)
    stop = tour.stops[min(number, len(tour.stops)) - 1]
    bar = page.locator(".st-key-tour")
    expect(bar).to_contain_text(f"{number} of {tour.last}")
    expect(bar.locator("strong").first).to_have_text("In short" if closing else stop.title)
    file = entry(tour.page(number)).file.removeprefix("pages/").removesuffix(".py")
    assert page.url.split("?")[0].rstrip("/").endswith("" if file == "app" else f"/{file}")
    if closing:
        expect(page.locator(".st-key-tour-learned").get_by_role("heading")).to_have_count(len(tour.learned))
    elif stop.highlight:
        part = page.locator(f".{css_class(stop.highlight)}").first
        expect(part).to_be_attached()
        expect(part).to_have_css("outline-style", "solid")


@pytest.mark.parametrize("id", [pytest.param(one, marks=[pytest.mark.slow] * (one != "five-minutes")) for one in TOURS])
def test_a_tour_leads_to_its_end(looked, window, id):
    tour = TOURS[id]
    page = window(f"{looked.url}/?tour={id}&stop=1", width=1280, height=720)
    for number in range(1, tour.last + 1):
        stands(page, tour, number)
        last = number == tour.last
        page.locator(".st-key-tour").get_by_role("button", name="Done" if last else "Next").click()
    expect(page.locator(".st-key-tour")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("tour="))


@pytest.mark.slow
def test_presenting_hides_the_controls_and_keys_lead_on(looked, window):
    tour = TOURS["five-minutes"]
    page = window(f"{looked.url}/power_law?tour=five-minutes&stop=5", width=1280, height=720)
    stands(page, tour, 5)
    settle(page)
    slider = page.get_by_role("slider", name="Epoch")
    expect(slider).to_be_visible()
    page.get_by_test_id("stSidebar").get_by_text("Present", exact=True).click()
    expect(slider).to_be_hidden()
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    settle(page)
    figure = page.locator(".st-key-power .js-plotly-plot .main-svg").first
    expect(figure).to_be_visible()
    expect(figure).to_be_in_viewport(ratio=0.9)
    expect(page.locator(".st-key-tour")).to_be_in_viewport()
    # Words under the pointer on an entry of the legend.
    titles = page.locator(".st-key-power .legend .traces title").all_text_contents()
    assert any(title.startswith("C – covariance") for title in titles)
    page.keyboard.press("ArrowRight")
    stands(page, tour, 6)
    settle(page)
    page.keyboard.press("PageUp")
    stands(page, tour, 5)
    settle(page)
    page.keyboard.press("Space")
    stands(page, tour, 6)
    settle(page)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    stands(page, tour, 6)


def test_presenting_keeps_the_table_and_the_button_that_fills_it(looked, window):
    page = window(f"{looked.url}/table?present=yes", width=1280, height=720)
    expect(page.locator(".gs-table table")).to_be_visible()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    expect(page.get_by_role("spinbutton", name="Workers")).to_be_hidden()
    page.get_by_role("button", name="Stop presenting").click()
    expect(page.get_by_role("spinbutton", name="Workers")).to_be_visible()


def test_a_control_that_a_stop_asks_for_stays_and_the_end_leads_back(looked, window):
    page = window(f"{looked.url}/tours?epoch=50", width=1280, height=720)
    page.locator(".st-key-tours-begin-five-minutes").get_by_role("button").click()
    stands(page, TOURS["five-minutes"], 1)
    page.locator(".st-key-tour").get_by_role("button", name="Leave").click()
    expect(page.get_by_role("heading", name="Who leads the way?")).to_be_visible()
    expect(page).to_have_url(re.compile("tours.epoch=50$"))
    page.goto(f"{looked.url}/dynamics?tour=five-minutes&stop=6&present=yes")
    settle(page)
    expect(page.locator(".st-key-dynamics-epochs")).to_be_in_viewport()
    expect(page.get_by_text("Covariances", exact=True)).to_be_hidden()
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile("epoch=10&"))


def test_a_question_is_answered_while_presenting(looked, window):
    page = window(f"{looked.url}/power_law?tour=five-minutes&stop=4&present=yes", width=1280, height=720)
    stands(page, TOURS["five-minutes"], 4)
    expect(page.locator(".st-key-power")).to_have_count(0)
    page.get_by_label("Guesses of a class").fill("5 20, x")
    page.get_by_role("button", name="Reveal").focus()
    page.keyboard.press("Space")
    expect(page.locator(".st-key-predict")).to_contain_text("The median of 2 guesses is 12.5")
    expect(page.locator(".st-key-predict")).to_contain_text("Left out: “x”.")
    stands(page, TOURS["five-minutes"], 4)
