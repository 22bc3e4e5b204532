"""A sweep from its settings to a full table, in a real browser."""

import re
import sys
import time
from threading import Event, Thread

import pytest
from playwright.sync_api import expect

from cache.jobs import Jobs
from cache.store import Store
from engine.config.commands import SweepCommand, to_json
from engine.sweeps import status
from engine.sweeps.grid import open_sweep
from tests.browser.conftest import settle
from tests.planted import row

pytestmark = pytest.mark.browser

PATIENCE = 180_000
OWN = """name = "Two cells"
[[grid]]
set = { data = "mnist5k", per_class = 30, widths = [784, 8, 8, 10], epochs = 40, batch_size = 10, window = 40 }
vary = { classes = [3], loss = ["ce", "mse"] }
"""


@pytest.mark.slow
def test_a_grid_fills_to_the_end_and_leads_to_its_power_laws(empty, window):
    page = window(f"{empty.url}/table", height=1300)
    expect(page.locator(".gs-waiting")).to_have_count(8)
    page.get_by_text("as a text to make your own of").click()
    text = page.get_by_role("textbox", name="The sweep in TOML")
    text.fill(OWN)
    text.press("Control+Enter")
    expect(page.get_by_text("2 cells, 2 runs to train").first).to_be_visible()
    page.get_by_role("button", name="Use this sweep").click()
    expect(page.locator(".gs-waiting")).to_have_count(2)
    settle(page)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text(re.compile(r"\d of 2 cells are measured"))).to_be_visible()
    expect(page.locator(".gs-done")).to_have_count(2, timeout=PATIENCE)
    expect(page.get_by_text("All 2 cells are measured")).to_be_visible()
    settle(page)

    word = re.search(r"sweep=(own-\w+)", page.url)[1]
    states = status.states(Store(empty.cache), open_sweep(str(empty.cache / "sweeps" / f"{word}.toml")))
    gammas = [f"{state.row.laws[name].gamma:.3f}" for state in states for name in ("C", "C_awd")]
    assert page.locator(".gs-number b").all_inner_texts() == gammas
    expect(page.locator(".js-plotly-plot")).to_have_count(1)

    page.locator("a.gs-number").first.click()
    expect(page.get_by_role("heading", name="By which power does noise grow with curvature?")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"power_law\?.*run={states[0].row.run}.*sweep={word}"))
    settle(page)
    page.go_back()
    expect(page.locator(".gs-done")).to_have_count(2)
    settle(page)
    page.get_by_role("link", name="Suppression").click()
    expect(page).to_have_url(re.compile(rf"suppression\?.*sweep={word}"))
    settle(page)
    page.go_back()
    expect(page.locator(".gs-done")).to_have_count(2)


def test_stop_is_heard_while_cell_after_cell_is_measured(empty, window):
    """Each new cell draws the page anew, often just when Stop is pressed."""
    store, sweep = Store(empty.cache), open_sweep("table1")
    sleeping = Jobs(empty.cache / "jobs", lambda argv, folder: [sys.executable, "-c", "import time; time.sleep(120)"])
    job = sleeping.start(("sweep", "table1"), "Sweep", queue=False, request=to_json(SweepCommand("table1")))
    pressed = Event()

    def fill():
        for cell in sweep.cells:
            status.keep(store, cell, row(cell))
            if pressed.wait(0.25):
                return

    page = window(f"{empty.url}/table?sweep=table1", height=1300)
    stop = page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_visible()
    worker = Thread(target=fill)
    worker.start()
    try:
        page.wait_for_timeout(1500)
        stop.click()
        give_up = time.monotonic() + 60
        while not (job.folder / "CANCEL").exists():
            assert time.monotonic() < give_up, "the press was lost"
            time.sleep(0.05)
    finally:
        pressed.set()
        worker.join()
        sleeping.kill(job)
