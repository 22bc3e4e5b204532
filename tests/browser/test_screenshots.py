"""Every page in both themes, beside the reference pictures in tests/screenshots that someone looked at.

    GAMMASCOPE_SCREENSHOTS=1 pytest tests/browser/test_screenshots.py

makes them anew. Fonts and rounding differ between machines, so what is compared is coarse: how bright a page is where.
"""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import settle

pytestmark = pytest.mark.browser

REFERENCES = Path(__file__).parents[1] / "screenshots"
PAGES = (
    "start",
    "train",
    "load",
    "commutativity",
    "power_law",
    "table",
    "dynamics",
    "suppression",
    "sandbox",
    "runs",
    "tours",
    "glossary",
)
WIDTH, NARROW, SMALL = 1280, 1000, 640
# Cells whose mean brightness is compared, how far it may be off on average, of 255, and how much longer a page may be.
CELL, NEAR, LONGER = 40, 8.0, 0.15


def picture(window, url, scheme):
    """The whole page, small."""
    page = window(url, width=WIDTH, height=1000, scheme=scheme)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settle(page)
    page.wait_for_timeout(2500)
    settle(page)
    # The page scrolls inside; a window as tall as it is shows all of it.
    tall = page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight")
    page.set_viewport_size({"width": WIDTH, "height": min(tall + 40, 5000)})
    page.wait_for_timeout(800)
    settle(page)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    # Nothing sticks out where a window is narrow.
    page.set_viewport_size({"width": NARROW, "height": 1000})
    page.wait_for_timeout(500)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth") <= 0
    return image.resize((SMALL, round(image.height * SMALL / image.width)), Image.Resampling.LANCZOS)


def brightness(image):
    """Mean brightness of each cell."""
    grey = np.asarray(image.convert("L"), float)
    rows, columns = (n - n % CELL for n in grey.shape)
    return grey[:rows, :columns].reshape(rows // CELL, CELL, columns // CELL, CELL).mean(axis=(1, 3))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_as_it_was_judged(planted, window, name, scheme):
    found = picture(window, f"{planted.url}/{'' if name == 'start' else name}", scheme)
    path = REFERENCES / f"{name}-{scheme}.png"
    if os.environ.get("GAMMASCOPE_SCREENSHOTS"):
        found.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
        return
    wanted = Image.open(path).convert("RGB")
    assert abs(found.height - wanted.height) <= LONGER * wanted.height, f"{found.height} rows, {wanted.height} before"
    here, there = brightness(found), brightness(wanted)
    rows = min(len(here), len(there))
    off = np.abs(here[:rows] - there[:rows]).mean()
    assert off <= NEAR, f"{path.name}: cells differ by {off:.1f} of 255 on average; look at the page"
