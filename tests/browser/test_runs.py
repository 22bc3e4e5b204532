"""Keeping house in a real browser: names, files to take along, two runs side by side, and leave taken for good."""

import io
import re
import zipfile

import numpy as np
import pytest
from playwright.sync_api import expect

from cache.store import Store
from engine.runs import library
from engine.runs.library import checkpoint_name
from tests.browser.conftest import Dashboard, settle
from tests.planted import fill

pytestmark = pytest.mark.browser


# What a figure shows at present.
SHOWN = """key => {
  const { _fullData: traces, _fullLayout: layout } = document.getElementById(key);
  const points = traces.find((trace) => trace.uid === "in C 0");
  return {
    cells: traces[0].type === "heatmap" ? traces[0].z.map((row) => [...row]) : [],
    points: points ? [...points.customdata].map((row) => [...row]) : [],
    legend: document.querySelector(`#${key} .legend`)?.textContent,
    title: layout.title.text,
    across: layout.xaxis.range,
  };
}"""


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A dashboard over two planted runs, the second one shorter."""
    folder = tmp_path_factory.mktemp("two")
    store = Store(folder)
    dashboard = Dashboard(folder)
    dashboard.first, dashboard.second = fill(store, (0, 10, 100)), fill(store, (0, 10, 50), seed=1)
    for epoch in (0, 10, 50):
        weights = {"fc2.weight": np.full((3, 4), epoch, np.float32)}
        store.write(("runs", dashboard.second, "checkpoints", checkpoint_name(epoch)), {}, {"main": weights})
    yield dashboard.start()
    dashboard.stop()


def saved(page, name, path):
    """What the download button of this name gives."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=name).first.click()
    waiting.value.save_as(path)
    return waiting.value.suggested_filename


def test_two_runs_stand_beside_each_other_on_the_same_axes(two, window):
    page = window(f"{two.url}/dynamics?run={two.first}&runs={two.second}")
    settle(page)
    plots = page.locator(".js-plotly-plot")
    expect(plots).to_have_count(14)
    ranges = plots.evaluate_all("all => all.map(plot => plot._fullLayout.yaxis.range)")
    assert ranges[0::2] == ranges[1::2]
    left, right = plots.nth(0).bounding_box(), plots.nth(1).bounding_box()
    assert abs(left["y"] - right["y"]) < 2
    assert left["x"] + left["width"] <= right["x"]


def test_the_report_opens_offline_from_a_file(two, window, chromium, tmp_path):
    page = window(f"{two.url}/runs?run={two.first}")
    settle(page)
    path = tmp_path / "report.html"
    assert saved(page, "Report", path).endswith("epoch-100.html")
    context = chromium.new_context(offline=True, color_scheme="dark")
    offline, errors, asked = context.new_page(), [], []
    offline.on("console", lambda message: errors.append(message.text))
    offline.on("pageerror", lambda error: errors.append(str(error)))
    offline.on("request", lambda request: asked.append(request.url))
    offline.goto(path.as_uri())
    offline.wait_for_selector("html[data-drawn=yes]", timeout=120_000)
    figures = offline.locator("figure")
    assert figures.count() > 15
    assert offline.locator(".js-plotly-plot .main-svg").count() >= figures.count()
    # Every formula has a size, so it was drawn.
    offline.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    heights = offline.locator("math").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert min(heights) > 5
    assert offline.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert path.stat().st_size < 15e6
    sliders_move(offline, Store(two.cache), two.first)
    assert not errors
    assert asked == [path.as_uri()]
    context.close()


def sliders_move(page, store, run):
    """The epochs' sliders show each epoch's numbers, that of k the leading directions."""

    def pressed(key, slider, step):
        """What the figure shows once a step of one of its sliders is pressed."""
        labels = page.locator(f"#{key} .slider-group").nth(slider)
        labels.scroll_into_view_if_needed()
        labels.locator(".slider-label", has_text=re.compile(f"^{step}$")).click(force=True)
        page.wait_for_timeout(500)
        return page.evaluate(SHOWN, key)

    for epoch in (0, 10):
        (made,) = [a for a in library.analyses(store, run) if a.request.epoch == epoch]
        analysis = library.load_analysis(store, run, made.key)
        shown = pressed("play-C", 0, epoch)
        np.testing.assert_allclose(shown["cells"], analysis.projected("C", 100), rtol=1e-6)
        assert f"Epoch {epoch}" in shown["title"]
        shown = pressed("play-power", 0, epoch)
        index = np.array([direction - 1 for direction, _, _ in shown["points"]], int)
        np.testing.assert_array_equal([c for _, _, c in shown["points"]], analysis.diagonal("C")[index])
        assert f"γ = {analysis.fit('C').gamma:.2f}" in shown["legend"]
    shown = pressed("play-C", 1, 20)
    assert shown["across"] == [-0.5, 19.5]
    assert "Epoch 10" in shown["title"]


def test_a_run_is_named_taken_along_and_deleted(two, window, tmp_path):
    page = window(f"{two.url}/runs?run={two.second}")
    settle(page)
    box = page.get_by_role("textbox", name="Name")
    box.fill("the short one")
    box.press("Enter")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="the short one")).to_be_visible()
    expect(page.get_by_test_id("stSidebar").get_by_role("combobox")).to_have_value("the short one")
    assert library.label(Store(two.cache), two.second) == "the short one"

    settle(page)
    path = tmp_path / "run.zip"
    saved(page, "Export", path)
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as packed:
        names = {name.split("/", 1)[1] for name in packed.namelist()}
        assert {"history.csv", "checkpoints/epoch-00050.safetensors"} <= names

    page.get_by_role("button", name="Delete run").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("3 checkpoints and 3 analyses")
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).to_have_count(0)
    assert library.run(Store(two.cache), two.second) is not None
    page.get_by_role("button", name="Delete run").click()
    dialog.get_by_role("button", name="Delete the run").click()
    expect(dialog).to_have_count(0)
    settle(page)
    assert library.run(Store(two.cache), two.second) is None
    expect(page.get_by_role("heading", name="the short one")).to_have_count(0)
    assert library.run(Store(two.cache), two.first) is not None
