"""A dashboard of its own for a test, and a real Chromium to look at it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from pathlib import Path

import pytest

from cache.jobs import Jobs

ROOT = Path(__file__).parents[2]
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = (
    "NO CHROMIUM: the browser tests were not run. They drive the system's own Chromium: install it "
    "(Debian: apt-get install chromium) and run them again."
)
PATIENCE_MS = 60_000
# The script has run, all that it sent is drawn, and every figure is painted as wide as its place.
WHOLE = """() => {
  const all = (css) => [...document.querySelectorAll(css)];
  const painted = (figure) => figure.dataset.painted && figure.ariaBusy !== "true"
    && (!figure.clientWidth || figure._fullLayout.width === figure.clientWidth);
  return all("[data-testid=stApp][data-test-script-state=notRunning]").length === 1
    && !all("[data-testid=stSkeleton], [data-testid=stSpinner], [data-stale=true]").length
    && all(".gammascope-plot").every(painted)
    && document.fonts.status === "loaded";
}"""


class Dashboard:
    """`streamlit run app.py` over one cache, below a prefix of its address or none; stop() ends the server and every
    worker it started."""

    def __init__(self, cache, prefix=""):
        self.cache = Path(cache)
        self.prefix = prefix
        self.server = None
        self.terminal = self.cache.with_name(f"{self.cache.name}.log")  # what it says there

    def start(self):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        self.url = f"http://localhost:{port}{self.prefix}"
        flags = {"port": port, "headless": "true", "baseUrlPath": self.prefix}
        with open(self.terminal, "ab") as terminal:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "app.py", *(f"--server.{k}={v}" for k, v in flags.items())],
                cwd=ROOT,
                # A user's server has all cores; the tests' own process is held to one thread (tests/conftest.py).
                env={k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
                | {"GAMMASCOPE_CACHE": str(self.cache)},
                stdout=subprocess.DEVNULL,
                stderr=terminal,
            )
        give_up = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2)
                return self
            except OSError:
                assert self.server.poll() is None, "the server ended before it answered"
                assert time.monotonic() < give_up, "the server did not answer within 60 s"
                time.sleep(0.1)

    def stop_server(self):
        self.server.terminate()
        self.server.wait(timeout=30)

    def stop(self):
        self.stop_server()
        jobs = Jobs(self.cache / "jobs")
        for job in jobs.running():
            jobs.kill(job)


def find_chromium():
    """Path of the system's Chromium, if there is one."""
    return next((path for name in CHROMIUMS if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium():
    """The system's Chromium; without one the tests are skipped, and a warning says so."""
    path = find_chromium()
    if path is None:
        warnings.warn(MISSING, stacklevel=1)
        pytest.skip(MISSING)
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def window(chromium):
    """Opens pages; each must stay without an exception, or a formula that cannot be read, until the test ends."""
    contexts = []

    def opened(url, width=1440, height=1000, scheme="light"):
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        for page in context.pages:
            assert page.get_by_test_id("stException").count() == 0
            assert not page.locator(".katex-error").evaluate_all("found => found.map(each => each.title)")
            assert not re.search(r"Traceback|Error:", page.inner_text("body"))
        context.close()


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A dashboard over a small planted cache; what work costs is known there, nothing is measured for it."""
    from cache.store import Store
    from engine.runs import estimate
    from tests.planted import CALIBRATION, add_spectra, fill

    store = Store(tmp_path_factory.mktemp("planted"))
    estimate.keep_calibration(store, CALIBRATION)
    add_spectra(store, fill(store, epochs=(0, 10, 50, 100)), 100)
    dashboard = Dashboard(store.root).start()
    yield dashboard
    dashboard.stop()


@pytest.fixture(scope="module")
def looked(tmp_path_factory):
    """A dashboard over a planted run whose samples are looked at, and a film."""
    from cache.store import Store
    from tests.planted import add_film, add_held_out, add_noise, fill
    from tests.planted_plane import add_planes
    from tests.planted_samples import add_samples

    store = Store(tmp_path_factory.mktemp("looked"))
    run = fill(store)
    add_samples(store, run, 0, 10, 100)
    add_held_out(store, run, 100)
    add_noise(store, run)
    add_planes(store, run, 0, 10, 100)
    add_film(store)
    dashboard = Dashboard(store.root).start()
    yield dashboard
    dashboard.stop()


@pytest.fixture
def empty(tmp_path):
    """A dashboard over an empty cache: it starts the demo when it is first looked at."""
    dashboard = Dashboard(tmp_path / "cache").start()
    yield dashboard
    dashboard.stop()


def whole(page):
    """Wait until the page says that it is drawn to its end."""
    page.wait_for_function(WHOLE)


def settle(page):
    """Wait until what was just pressed is answered and drawn."""
    whole(page)
    page.wait_for_timeout(400)
    whole(page)


def plot(page, key):
    """The element plotly.js draws in; painted at least once."""
    figure = page.locator(f".st-key-{key} .gammascope-plot[data-painted]")
    from playwright.sync_api import expect

    expect(figure).to_be_visible()
    return figure


def held(page, key, share):
    """Drag a slider's last knob to this share of its track and hold it there; where it stands."""
    knob = page.locator(f".st-key-{key}").get_by_role("slider").last
    box = knob.locator("xpath=ancestor::div[2]").bounding_box()
    track = page.locator(f".st-key-{key}").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + share * track["width"], box["y"] + box["height"] / 2, steps=8)
    page.wait_for_timeout(500)
    return int(knob.input_value())
