"""Looking around with results at hand: links, pages, themes and widths."""

import re

import pytest
from playwright.sync_api import expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.browser.conftest import settle

pytestmark = pytest.mark.browser

PAGES = ("", "commutativity", "power_law")


@pytest.mark.slow
def test_a_selection_goes_along_to_other_pages_and_through_a_copied_link(planted, window):
    page = window(f"{planted.url}/commutativity?epoch=10&matrix=C_awd&k=40")
    settle(page)
    menu = page.get_by_test_id("stSidebar")
    menu.get_by_text("Power law").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("By which power")
    settle(page)
    assert "epoch\u00a010" in page.text_content("[data-testid=stMain]")
    menu.get_by_text("Start").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Does SGD’s noise follow the curvature?")
    expect(page).to_have_url(re.compile(r"epoch=10.*k=40"))
    settle(page)
    copied = window(page.url)
    settle(copied)
    assert "epoch\u00a010" in copied.text_content("[data-testid=stMain]")
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


def test_an_address_that_was_lost_on_its_way_is_written_by_the_next_fragment(planted, window):
    page = window("about:blank")
    lost = []

    def passed_on(socket):
        server = socket.connect_to_server()

        def arrived(message):
            forward = ForwardMsg.FromString(message)
            if "k=39" in forward.page_info_changed.query_string and not lost:
                lost.append(forward)
            else:
                socket.send(message)

        server.on_message(arrived)

    page.route_web_socket(re.compile("_stcore/stream"), passed_on)
    page.goto(f"{planted.url}/commutativity?epoch=10&k=40")
    settle(page)
    page.get_by_role("slider").nth(1).press("ArrowLeft")
    settle(page)
    assert lost
    assert "k=40" in page.url
    page.get_by_text("Questions", exact=True).click()
    page.get_by_text("Show the answer").first.click()
    expect(page).to_have_url(re.compile(r"epoch=10.*k=39"))


def test_every_figure_is_sent_whole(planted, window):
    messages = []
    page = window("about:blank")
    page.on(
        "websocket", lambda socket: socket.on("framesent", lambda frame: messages.append(BackMsg.FromString(frame)))
    )
    page.goto(f"{planted.url}/commutativity")
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    settle(page)
    page.get_by_role("slider").nth(1).press("ArrowLeft")
    expect(page).to_have_url(re.compile(r"k=99"))
    asked = [message.rerun_script for message in messages if message.HasField("rerun_script")]
    assert len(asked) > 1
    assert not any(request.cached_message_hashes for request in asked)


def test_an_explanation_shows_its_formulas(planted, window):
    page = window(planted.url)
    page.get_by_role("button", name="What K and R are").click()
    formulas = page.locator("[data-testid=stPopoverBody] .katex")
    expect(formulas.first).to_be_visible()
    assert page.locator(".katex-error").count() == 0


def figure(page, key):
    return page.locator(f".st-key-{key} .gammascope-plot")


def centre_of(page, locator, across=0.5, down=0.5):
    locator.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    box = locator.bounding_box()
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


@pytest.mark.parametrize(("name", "key"), [("commutativity", "R_real"), ("power_law", "power")])
def test_the_epochs_play_where_they_stand(planted, window, name, key):
    page = window(f"{planted.url}/{name}?k=30&epoch=10")
    settle(page)
    element = figure(page, key).element_handle()
    page.get_by_role("button", name="Play through the epochs").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page).to_have_url(re.compile(r"epoch=50\b"))
    expect(page).to_have_url(re.compile(r"epoch=100\b"))
    expect(page.get_by_role("button", name="Play through the epochs")).to_be_visible()
    settle(page)
    assert page.locator(f".st-key-{name}-epoch").get_by_role("slider").get_attribute("aria-valuetext") == "100"
    # The very same figure: nothing was mounted anew.
    assert figure(page, key).element_handle().evaluate("(e, old) => e === old", element)


def test_a_point_clicked_is_marked_here_and_on_the_other_page(planted, window):
    page = window(f"{planted.url}/power_law?matrices=C&k=200")
    settle(page)
    points = figure(page, "power").locator(".scatterlayer .trace").nth(1).locator(".point").nth(100)
    page.mouse.click(*centre_of(page, points))
    expect(page.get_by_text(re.compile(r"Direction \d+:"))).to_be_visible()
    expect(page).to_have_url(re.compile(r"direction=\d+"))
    direction = int(re.search(r"direction=(\d+)", page.url)[1])
    settle(page)
    for key in ("power", "residuals", "effective"):
        names = page.evaluate(f"document.querySelector('.st-key-{key} .gammascope-plot').data.map((t) => t.name)")
        assert f"direction {direction}" in names, key
    page.get_by_test_id("stSidebar").get_by_text("Commutativity").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("share their directions")
    settle(page)
    shapes = "document.querySelector('.st-key-K .gammascope-plot').layout.shapes.map((s) => s.x0)"
    assert sorted(page.evaluate(shapes)) == sorted([-0.5, direction - 1.5])
    # A cell points at its row (to a pixel), and Clear lets go.
    page.mouse.click(*centre_of(page, figure(page, "R_real").locator(".nsewdrag"), down=61 / 400))
    expect(page).to_have_url(re.compile(r"direction=(29|30|31|32)\b"))
    settle(page)
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page).not_to_have_url(re.compile("direction="))


def test_a_box_drawn_in_the_law_becomes_the_window(planted, window):
    page = window(f"{planted.url}/power_law?matrices=C")
    settle(page)
    plot = figure(page, "power")
    plot.hover()
    plot.locator("[data-title='Box Select']").click()
    area = plot.locator(".nsewdrag").first
    page.mouse.move(*centre_of(page, area, 0.5, 0.1))
    page.mouse.down()
    page.mouse.move(*centre_of(page, area, 0.7, 0.5), steps=5)
    page.mouse.move(*centre_of(page, area, 0.8, 0.9), steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"window=\d+%2C\d+"))
    first, last = (int(n) for n in re.search(r"window=(\d+)%2C(\d+)", page.url).groups())
    assert 1 < first < last < 400
    settle(page)
    expect(page.get_by_text(f"among directions {first} … {last}")).to_be_visible()
    handles = page.locator(".st-key-power_law-window input")
    assert [handles.nth(n).input_value() for n in range(2)] == [str(first), str(last)]
