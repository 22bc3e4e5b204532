"""A figure in a real browser: redrawn in place, saved as a picture, taken away as numbers, stepped by keys."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from cache.store import Store
from engine.results.power_law import power_law
from engine.runs import library
from pages.charts.power_law import Cloud, movable
from pages.plot.plot import SCRIPTS
from tests.browser.conftest import held, plot, settle

pytestmark = pytest.mark.browser
MOVING = SCRIPTS[0]
PNG = b"\x89PNG\r\n\x1a\n"


def press(page, key, name):
    """A button of the figure's bar, which shows while the pointer is over it."""
    plot(page, key).hover()
    page.locator(f".st-key-{key} .modebar-btn[data-title='{name}']").click()


def shown(page, key):
    """Ends of both axes as they are drawn."""
    return plot(page, key).evaluate("e => [...e._fullLayout.xaxis.range, ...e._fullLayout.yaxis.range]")


def test_zoom_stays_when_the_data_change(planted, window):
    page = window(f"{planted.url}/power_law?epoch=50")
    settle(page)
    whole = shown(page, "power")
    box = plot(page, "power").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 200, y + 100, steps=4)
    page.mouse.up()
    zoomed = shown(page, "power")
    assert zoomed != whole
    element = plot(page, "power").element_handle()
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile("epoch=100"))
    settle(page)
    assert shown(page, "power") == zoomed
    # The very same element: nothing was mounted anew.
    assert plot(page, "power").element_handle().evaluate("(e, old) => e === old", element)
    page.mouse.dblclick(x, y)
    page.wait_for_timeout(300)
    at_100 = shown(page, "power")
    assert at_100[1] - at_100[0] > 1.5 * (zoomed[1] - zoomed[0])
    page.reload()
    settle(page)
    assert shown(page, "power") == at_100


# How far the buttons reach into the plots, the legend, or what is written in the figure: none where negative.
REACH = """e => e.querySelector(".modebar").getBoundingClientRect().bottom - Math.min(
  ...[...e.querySelectorAll(".nsewdrag, .legend .traces, .annotation, .ytick, .colorbar")]
    .map((part) => part.getBoundingClientRect().top))"""


@pytest.mark.parametrize("width", [1280, 1000])
def test_a_figures_buttons_cover_nothing_of_it_and_its_definition_opens_once(planted, window, width):
    page = window(f"{planted.url}/commutativity", width=width)
    settle(page)
    for key in ("K", "R_real", "commutator", "alignment"):
        plot(page, key).hover()
        expect(page.locator(f".st-key-{key} .modebar")).to_have_css("opacity", "1")
        assert plot(page, key).evaluate(REACH) <= 0.5
    page.locator(".st-key-heading-do-they-commute- button").click()
    expect(page.get_by_test_id("stPopoverBody")).to_be_visible()
    page.wait_for_timeout(600)
    assert page.get_by_test_id("stTooltipContent").count() == 0


def test_headings_side_by_side_share_a_line_though_one_is_broken(planted, window):
    page = window(f"{planted.url}/power_law", width=1280)
    settle(page)
    ends = page.evaluate("""() => ["is-it-one-power-", "how-many-directions-"].map((key, place) => {
      const title = document.querySelector(`.st-key-heading-${key} h3`);
      if (!place) title.textContent = "Is it one power over all of this window, from its first direction to its last?";
      const mark = document.createElement("span");
      mark.style.display = "inline-block";
      title.prepend(mark);
      return [mark.getBoundingClientRect().bottom, title.clientHeight];
    })""")
    assert ends[0][0] == pytest.approx(ends[1][0], abs=0.5)
    assert ends[0][1] > 1.5 * ends[1][1]


def test_keys_step_through_the_epochs(planted, window):
    page = window(f"{planted.url}/commutativity?epoch=10")
    settle(page)
    page.keyboard.press("p")
    expect(page).to_have_url(re.compile(r"epoch=0\b"))
    settle(page)
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile(r"epoch=10\b"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_figure_is_saved_as_svg_and_png(planted, window, scheme):
    page = window(f"{planted.url}/power_law", scheme=scheme)
    settle(page)
    with page.expect_download() as svg:
        press(page, "power", "Save as SVG")
    assert svg.value.suggested_filename == "gammascope-power-law-100.svg"
    text = svg.value.path().read_text(encoding="utf-8")
    assert text.startswith("<svg")
    assert "slope 2" in text
    # Letters can be read on the paper they are on.
    paper = re.search(r'<rect x="0" y="0"[^>]*fill: rgb\(([^)]*)\); fill-opacity: 1', text)
    assert paper is not None
    brightness = sum(float(n) for n in paper[1].split(",")[:3])
    assert brightness > 600 if scheme == "light" else brightness < 120
    with page.expect_download() as png:
        press(page, "power", "Save as PNG")
    assert png.value.path().read_bytes().startswith(PNG)


def test_the_numbers_of_a_figure_are_those_of_the_engine(planted, window):
    page = window(f"{planted.url}/commutativity?epoch=50&k=40")
    settle(page)
    press(page, "R_real", "Numbers and code")
    dialog = page.get_by_role("dialog")
    with page.expect_download() as saved:
        dialog.get_by_role("button", name="Numbers as NPZ").click()
    store = Store(planted.cache)
    (run,) = store.list("runs")
    (made,) = [a for a in library.analyses(store, run) if a.request.epoch == 50]
    analysis = library.load_analysis(store, run, made.key)
    with np.load(io.BytesIO(saved.value.path().read_bytes()), allow_pickle=False) as read:
        np.testing.assert_allclose(read["R_real"], analysis.correlation("C", 40))
        np.testing.assert_allclose(read["H"], analysis.eigenvalues[:40])
    with page.expect_download() as saved:
        dialog.get_by_role("button", name="Numbers as CSV").click()
    table = pd.read_csv(saved.value.path())
    np.testing.assert_allclose(table["R_real[1]"], analysis.correlation("C", 40)[:, 0])


@pytest.mark.slow
def test_large_type_enlarges_letters_and_figures(planted, window):
    page = window(f"{planted.url}/power_law")
    settle(page)

    def sizes():
        title = page.get_by_role("heading", level=1).evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
        return np.array([title, plot(page, "power").evaluate("e => e._fullLayout.xaxis.title.font.size")])

    before = sizes()
    page.get_by_test_id("stSidebar").get_by_text("Large type").click()
    expect(page).to_have_url(re.compile("large=yes"))
    settle(page)
    assert (sizes() > 1.2 * before).all()
    wider = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth")
    assert wider <= 0


def test_the_browser_fits_200_windows_as_the_engine_does(chromium):
    rng = np.random.default_rng(5)
    k, floor = 600, 3e-7
    h = 10 ** np.linspace(0.3, -7, k) * 10 ** rng.normal(0, 0.02, k)
    c = h**1.3 * 10 ** rng.normal(0, 0.4, k)
    # Values ≤ 0 in both, some below the floor, and a stretch that is one number.
    c[rng.choice(k, 40)] *= -1
    c[7], h[rng.choice(k, 9)] = 0, -1e-9
    h[300:310] = h[300]
    narrow = [(f, f + int(rng.integers(1, 6))) for f in rng.integers(1, k - 6, 60).tolist()]
    windows = [*(sorted(pair) for pair in rng.integers(1, k + 1, (138, 2)).tolist()), *narrow, (301, 310), (560, 600)]
    (cloud,) = movable([Cloud("C", h, c, floor=floor)])
    page = chromium.new_page()
    page.add_script_tag(path=MOVING)
    by_browser = page.evaluate(
        "([u, v, windows]) => windows.map(([first, last]) => fit(float64(u), float64(v), first, last))",
        [cloud["u"], cloud["v"], windows],
    )
    page.close()
    refused = 0
    for (first, last), fit in zip(windows, by_browser, strict=True):
        try:
            expected = power_law(h[first - 1 : last], c[first - 1 : last], floor)
        except ValueError:
            refused += 1
            assert fit is None
            continue
        assert fit["gamma"] == pytest.approx(expected.gamma, rel=1e-9, abs=1e-9)
        assert fit["v0"] - fit["gamma"] * fit["u0"] == pytest.approx(expected.intercept, rel=1e-9, abs=1e-9)
    assert 3 <= refused <= 60


def test_fits_follow_the_window_while_it_is_held(planted, window):
    page = window(f"{planted.url}/power_law?window=1,400&matrices=C_awd")
    settle(page)
    page.locator(".st-key-drawer summary").click()
    expect(page.locator(".st-key-power_law-window")).to_be_in_viewport(ratio=1)
    page.wait_for_timeout(600)  # it slides open
    last = held(page, "power_law-window", 0.3)
    assert last < 200
    # Not released: the server knows nothing yet.
    assert "window=1,400" in page.url
    moved = plot(page, "power").evaluate(
        "e => Object.fromEntries(e.data.filter((t) => t.uid).map((t) => [t.uid, [t.name, t.x, t.y]]))"
    )
    store = Store(planted.cache)
    (run,) = store.list("runs")
    (made,) = [a for a in library.analyses(store, run) if a.request.epoch == 100]
    analysis = library.load_analysis(store, run, made.key)
    fit = analysis.fit("C_awd", last)
    _, x, y = moved["fit-C_awd-0"]
    np.testing.assert_allclose(x, analysis.eigenvalues[[0, last - 1]])
    np.testing.assert_allclose(y, fit.line(analysis.eigenvalues[[0, last - 1]]))
    assert moved["legend-C_awd-0"][0].endswith(f"γ = {fit.gamma:.2f}")
    named = plot(page, "power").evaluate("e => e.layout.annotations.map((note) => note.text)")
    assert f"γ: directions 1 … {last}" in named
    inside = plot(page, "power").evaluate("e => e.data.find((t) => t.uid === 'in-C_awd-0').marker.opacity")
    assert inside[0] == 0.75
    assert inside[-1] == 0.2
    shade = plot(page, "gamma_by_window").evaluate("e => e.layout.shapes.map((shape) => [shape.type, shape.x1])")
    assert ["rect", last] in shade
    page.mouse.up()
    expect(page).to_have_url(re.compile(rf"window=1(,|%2C){last}\b"))
    settle(page)
    after = plot(page, "power").evaluate("e => e.data.find((t) => t.uid === 'in-C_awd-0').marker.opacity")
    assert after == 0.75


def test_heatmaps_follow_the_slider_while_it_is_held(planted, window):
    page = window(f"{planted.url}/commutativity?k=90")
    settle(page)
    k = held(page, "commutativity-k", 0.12)
    # Not released: the server knows nothing yet.
    assert "k=90" in page.url
    assert k < 60
    for key in ("K", "R_real", "R_rand"):
        assert shown(page, key) == [-0.5, k - 0.5, k - 0.5, -0.5]
    page.mouse.up()
    expect(page).to_have_url(re.compile(rf"k={k}\b"))
    settle(page)
    assert shown(page, "R_real") == [-0.5, k - 0.5, k - 0.5, -0.5]


def test_keys_choose_a_direction_in_figures_and_by_its_number(planted, window):
    page = window(f"{planted.url}/commutativity?k=40")
    settle(page)
    plot(page, "K").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    # At once as under the pointer, and then on every page.
    expect(page.locator(".st-key-K .hoverlayer")).to_contain_text("i = 2")
    expect(page).to_have_url(re.compile(r"direction=2\b"))
    page.goto(f"{planted.url}/power_law?direction=2")
    settle(page)
    plot(page, "power").focus()
    page.keyboard.press("ArrowRight")
    # The next that is drawn.
    expect(page).to_have_url(re.compile(r"direction=[3-6]\b"))
    number = page.get_by_role("spinbutton", name="Direction")
    number.fill("17")
    number.press("Enter")
    expect(page).to_have_url(re.compile(r"direction=17\b"))
    settle(page)


def test_a_figures_own_slider_is_moved_by_keys(planted, window):
    page = window(f"{planted.url}/power_law")
    settle(page)
    slider = page.locator(".gammascope-plot").get_by_role("slider", name="slope")
    figure = slider.locator("xpath=ancestor::div[contains(@class, 'gammascope-plot')]")
    line = "e => JSON.stringify(e._fullData.map((t) => [...t.y]))"
    before, value = figure.evaluate(line), slider.get_attribute("aria-valuetext")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).not_to_have_attribute("aria-valuetext", value)
    assert figure.evaluate(line) != before
    expect(slider).to_be_focused()
