"""Training from the form, in a real browser: live curves, figures, and whatever may interrupt."""

import os
import re
import signal
import time

import pytest
from playwright.sync_api import expect

from cache.jobs import Jobs
from tests.browser.conftest import settle

pytestmark = pytest.mark.browser

PATIENCE = 120_000


def filled(window, dashboard, epochs: int | None = None):
    """The Train page with the tiny preset, ready to start."""
    page = window(f"{dashboard.url}/train", height=1300)
    start = page.get_by_role("button", name="Start", exact=True)
    expect(start).to_be_enabled(timeout=PATIENCE)
    page.get_by_role("button", name="tiny, 5 seconds").click()
    expect(page.get_by_role("textbox", name="Widths from input to classes")).to_have_value("784-20-20-10")
    settle(page)
    if epochs is not None:
        field = page.get_by_label("Epochs", exact=True)
        field.fill(str(epochs))
        field.press("Enter")
        page.get_by_text("none", exact=True).click()
        expect(page.get_by_text("Your own settings.")).to_be_visible()
        settle(page)
    return page


def started(page) -> None:
    page.get_by_role("button", name="Start", exact=True).click()


def jobs(dashboard) -> Jobs:
    return Jobs(dashboard.cache / "jobs")


def at_work(dashboard):
    """The job of the queue, once its worker trains."""
    give_up = time.monotonic() + PATIENCE / 1000
    while True:
        training = [j for j in jobs(dashboard).running() if j.queue and j.progress.stage == "training"]
        if training:
            return training[0]
        assert time.monotonic() < give_up, [(j.title, j.progress) for j in jobs(dashboard).jobs()]
        time.sleep(0.1)


def test_from_the_form_to_the_figures(empty, window):
    page = filled(window, empty)
    started(page)
    expect(page.get_by_role("heading", name="At work")).to_be_visible(timeout=PATIENCE)
    look = page.get_by_role("button", name="Look at it").first
    expect(look).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text(re.compile("Done: 1 analysis")).first).to_be_visible()
    settle(page)
    look.click()
    expect(page.get_by_text("Noise exponent γ")).to_be_visible(timeout=PATIENCE)
    settle(page)
    assert "784‑20‑20‑10" in page.inner_text("[data-testid=stSidebar]")
    assert "epoch\u00a030" in str(page.text_content("[data-testid=stMain]"))  # in the drawer, too


@pytest.mark.slow
def test_live_curves_the_line_in_the_sidebar_and_stop_within_two_seconds(empty, window):
    page = filled(window, empty, epochs=100_000)
    started(page)
    expect(page.get_by_text(re.compile(r"Training: epoch \d+ of 100000"))).to_be_visible(timeout=PATIENCE)
    line = page.locator(".js-plotly-plot .scatterlayer .trace").first
    expect(line).to_be_visible()
    job = at_work(empty)
    menu = page.get_by_test_id("stSidebar")
    menu.get_by_text("Power law").click()
    entry = menu.get_by_role("link", name=re.compile("Training … "))
    expect(entry).to_be_visible(timeout=PATIENCE)
    entry.click()

    expect(page.get_by_role("heading", name="At work")).to_be_visible(timeout=PATIENCE)
    settle(page)  # the page before had a button to stop too
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_visible(timeout=PATIENCE)
    settle_for = time.monotonic() + 60
    stop.click()
    pressed = None
    while jobs(empty).job(job.id).running:
        if pressed is None and (job.folder / "CANCEL").exists():
            pressed = time.monotonic()
        assert time.monotonic() < settle_for
        time.sleep(0.02)
    assert pressed is None or time.monotonic() - pressed < 2
    expect(page.get_by_text("Stopped", exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    expect(page.get_by_role("heading", name="At work")).to_have_count(0)


@pytest.mark.slow
def test_a_killed_worker_leaves_a_sentence_and_its_log(empty, window):
    page = filled(window, empty, epochs=100_000)
    started(page)
    job = at_work(empty)
    expect(page.get_by_text(re.compile("Training: epoch"))).to_be_visible(timeout=PATIENCE)
    os.kill(job.pid, signal.SIGKILL)
    expect(page.get_by_text(re.compile("was killed (by SIGKILL )?.out of memory"))).to_be_visible(timeout=PATIENCE)
    page.get_by_text("What the worker said").first.click()
    expect(page.get_by_test_id("stCode").get_by_text("starting …").first).to_be_visible()
    # The page still works, and the job can go on from its last checkpoint.
    page.get_by_role("button", name="Go on").click()
    assert at_work(empty).argv == job.argv
    expect(page.get_by_text(re.compile(r"Training: epoch \d+ of"))).to_be_visible(timeout=PATIENCE)


@pytest.mark.slow
def test_a_job_and_its_queue_outlive_the_server(empty, window):
    page = filled(window, empty, epochs=3_000)
    started(page)
    job = at_work(empty)
    page.get_by_label("Seed", exact=True).fill("1")
    page.get_by_label("Seed", exact=True).press("Enter")
    page.get_by_label("Epochs", exact=True).fill("3")
    page.get_by_label("Epochs", exact=True).press("Enter")
    settle(page)
    started(page)
    expect(page.get_by_role("heading", name="In the queue")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Waiting for 1 job before it")).to_be_visible(timeout=PATIENCE)
    page.close()
    empty.stop_server()
    assert jobs(empty).job(job.id).running
    assert f"goes on without the dashboard. Stop it: python -m engine stop {job.id}" in empty.terminal.read_text()
    empty.start()
    again = window(f"{empty.url}/train", height=1300)
    expect(again.get_by_text(re.compile("Training: epoch"))).to_be_visible(timeout=PATIENCE)
    expect(again.get_by_role("button", name="Cancel")).to_be_visible()
    again.get_by_role("button", name="Stop").click()
    # The one that waited has its turn and finishes.
    expect(again.get_by_text(re.compile("3 epochs, train loss")).first).to_be_visible(timeout=PATIENCE)
    assert sorted(j.state for j in jobs(empty).jobs() if j.queue) == ["cancelled", "done"]
