"""How quickly the dashboard answers: python -m tests.benchmarks.browser [--cache FOLDER] [--presses 20]

A real run is trained and analysed (or the newest of --cache is taken), a real Chromium opens the pages on the same
cores, and the times are read inside it: from a key on a slider to the figure painted anew and shown, from a link to
the first figure of a page, from a press to a heatmap of 1,000 directions. And how much of a core the server takes while
an open page rests: whatever it takes is missing to the training beside it.
"""

import argparse
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import psutil
from playwright.sync_api import Page, sync_playwright

from cache.store import Store
from engine.runs import library
from tests.browser.conftest import CHROMIUM_FLAGS, Dashboard, find_chromium, settle

# Page, field of the selection that its slider moves, link, figure that must follow, milliseconds wanted.
SLIDERS = (
    ("commutativity", "k", "k=60", "R_real", 150),
    ("start", "k", "k=60", "R_real", 150),
    ("power_law", "window", "window=1,800", "power", 150),
    ("suppression", "keep", "keep=4", "both", 150),
    ("commutativity", "k", "k=990", "R_real", 2000),
)
LABELS = {
    "start": "Start",
    "commutativity": "Commutativity",
    "power_law": "Power law",
    "dynamics": "Dynamics",
    "suppression": "Suppression",
}
REST_SECONDS = 10
PAINTED = ".gammascope-plot[data-painted]"
# From the key until the browser has shown the frame after the painting; set up before the key is pressed.
CLOCK = """(figure) => {
  window.repainted = null;
  addEventListener("keydown", () => (window.pressed = performance.now()), { capture: true, once: true });
  const element = document.querySelector(`.st-key-${figure} .gammascope-plot`);
  const seen = new MutationObserver(() => {
    seen.disconnect();
    requestAnimationFrame(() => setTimeout(() => (window.repainted = performance.now() - window.pressed)));
  });
  seen.observe(element, { attributes: true, attributeFilter: ["data-painted"] });
}"""


def filled(cache: Path) -> None:
    """A small real run with two analysed checkpoints."""
    words = ["train", "--epochs", "10", "--checkpoints", "1,10", "--analyze", "all"]
    subprocess.run(
        [sys.executable, "-m", "engine", *words], check=True, env={"GAMMASCOPE_CACHE": str(cache)}, capture_output=True
    )


def path(name: str) -> str:
    """Of a page in the address bar."""
    return "" if name == "start" else name


def slider(page: Page, url: str, name: str, field: str, figure: str, presses: int) -> list[float]:
    """Milliseconds from each press of an arrow key to the figure painted anew."""
    page.goto(url)
    page.wait_for_selector(f".st-key-{figure} {PAINTED}")
    settle(page)
    page.wait_for_timeout(1500)
    knob = page.locator(f".st-key-{name}-{field}").get_by_role("slider").last
    knob.focus()
    slides = []
    for press in range(presses + 2):
        page.evaluate(CLOCK, figure)
        knob.press("ArrowLeft" if press % 2 else "ArrowRight")
        page.wait_for_function("window.repainted !== null", timeout=20_000)
        slides.append(page.evaluate("window.repainted"))
        page.wait_for_timeout(800)
    # The first two fill caches.
    return slides[2:]


def first_figure(page: Page, url: str, name: str) -> float:
    """Milliseconds from a click in the menu to the first figure of that page, everything being warm."""
    start = "commutativity" if name != "commutativity" else "power_law"
    for _ in range(2):
        page.goto(f"{url}/{start}")
        page.wait_for_selector(PAINTED)
        settle(page)
        page.evaluate(
            "() => { window.old = [...document.querySelectorAll('.gammascope-plot')]; window.left = performance.now() }"
        )
        page.get_by_test_id("stSidebar").locator("a").filter(has_text=LABELS[name]).click()
        page.wait_for_function(
            "[...document.querySelectorAll('.gammascope-plot[data-painted]')].some((e) => !window.old.includes(e))"
        )
        taken = page.evaluate("performance.now() - window.left")
    return taken


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--cache", type=Path)
    reader.add_argument("--presses", type=int, default=20)
    asked = reader.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = asked.cache or Path(folder)
        if asked.cache is None:
            print("training and analysing a run …", flush=True)
            filled(cache)
        assert library.runs(Store(cache)), "this cache holds no run"
        dashboard = Dashboard(cache).start()
        try:
            measure(dashboard.url, dashboard.server.pid, asked.presses)
        finally:
            dashboard.stop()


def at_rest(page: Page, url: str, server: int) -> float:
    """The share of a core that the server takes while a page is open and nothing moves."""
    page.goto(url)
    page.wait_for_selector(PAINTED)
    settle(page)
    page.wait_for_timeout(3000)
    process = psutil.Process(server)
    before = sum(process.cpu_times()[:2])
    page.wait_for_timeout(REST_SECONDS * 1000)
    return (sum(process.cpu_times()[:2]) - before) / REST_SECONDS


def measure(url: str, server: int, presses: int) -> None:
    """Print every figure, with what is wanted of it."""
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        print(f"Chromium {browser.version}")
        page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
        for name, field, params, figure, limit in SLIDERS:
            times = slider(page, f"{url}/{path(name)}?{params}", name, field, figure, presses)
            report(
                f"{name}: slider {field} to repaint, from {params}",
                median(times),
                limit,
                f", slowest {max(times):.0f} ms",
            )
        for name in LABELS:
            report(f"{name}: from the menu to its first figure", first_figure(page, url, name), 1000)
        print(f"{'the server while a page rests':48s} {at_rest(page, url, server):5.1%} of a core (wanted: below 10 %)")
        browser.close()


def report(what: str, milliseconds: float, limit: float, more: str = "") -> None:
    print(f"{what:48s} {milliseconds:5.0f} ms (wanted: {limit:.0f}){more}", flush=True)


if __name__ == "__main__":
    main()
