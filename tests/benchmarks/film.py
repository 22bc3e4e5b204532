"""How long a step of the film takes: python -m tests.benchmarks.film [--steps 10]

Two times of the page Live, for the tiny network (20 × 20 weights, 1,000 digits) and for the demo's (50 × 50, 4,500):

    a frame   an epoch of SGD, the exact analysis, and keeping both, in the process that shoots
    a step    from the press of "One step" until a real Chromium on the same cores has painted the new frame
"""

import argparse
import platform
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, sync_playwright

from cache.store import Store
from engine.config.presets import preset
from engine.config.requests import RunRequest
from engine.runs import recording
from tests.browser.conftest import CHROMIUM_FLAGS, Dashboard, find_chromium, settle

RUNS = {"tiny": preset("tiny, 5 seconds").run(), "demo": RunRequest()}
WANTED = {"tiny": 2.0, "demo": None}
PLOT = ".st-key-film-screen .gammascope-plot"


def step(page: Page) -> float:
    """Seconds from the press to the picture."""
    painted = f"+document.querySelector('{PLOT}').dataset.painted"
    before = page.evaluate(painted)
    began = time.perf_counter()
    page.get_by_role("button", name="One step", exact=True).click()
    page.wait_for_function(f"{painted} > {before}", polling=20)
    seconds = time.perf_counter() - began
    settle(page)
    return seconds


def report(what: str, seconds: list[float], goal: float | None) -> None:
    limit = "" if goal is None else f" (under {goal:.0f} s wanted)"
    print(f"{what}: {median(seconds):.2f} s, slowest {max(seconds):.2f} s{limit}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    print(platform.platform(), flush=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        dashboard = Dashboard(Path(folder) / "cache").start()
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        try:
            for name, request in RUNS.items():
                store, key = Store(dashboard.cache), recording.film_key(request)
                page = browser.new_page(viewport={"width": 1280, "height": 720})
                page.set_default_timeout(120_000)
                page.goto(f"{dashboard.url}/film?film={key}")
                began = time.perf_counter()
                page.get_by_role("button", name="One step", exact=True).click()
                page.wait_for_selector(f"{PLOT}[data-painted]")
                first = time.perf_counter() - began
                settle(page)
                steps = [step(page) for _ in range(options.steps)]
                shot = recording.read(store, key)
                assert shot is not None
                print(f"{name}: the first frame after {first:.1f} s, of which the engine needs some to wake")
                report(f"{name}: a frame", [frame.seconds for frame in shot.frames[1:]], WANTED[name])
                report(f"{name}: a step", steps, WANTED[name])
                page.get_by_role("button", name="Stop", exact=True).click()
                settle(page)
                page.close()
        finally:
            browser.close()
            dashboard.stop()


if __name__ == "__main__":
    main()
