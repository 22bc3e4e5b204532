"""Every page in both themes, beside the references in tests/screenshots that someone looked at.

    GAMMASCOPE_SCREENSHOTS=1 pytest tests/browser/test_screenshots.py

makes them anew: a picture for each theme, and one list of what the page holds. How they are compared: comparison.py.
"""

import io
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from pages.state.menu import MENU
from tests.browser.comparison import CONTENTS, MISSING, WIDTH, difference, unlikeness
from tests.browser.conftest import settle, whole

pytestmark = pytest.mark.browser

REFERENCES = Path(__file__).parents[1] / "screenshots"
PAGES = [entry.name for entries in MENU.values() for entry in entries]
# Those that show something once samples are looked at or a film is shot.
LOOKED = ("start", "commutativity", "duality", "sample", "fisher", "film", "held_out", "noise")
SCHEMES = ("light", "dark")
WINDOW, NARROW = 1280, 1000
# Seconds; a page may go on filling when all that it has sent so far is drawn.
PATIENCE = 180.0


def picture_of(name, scheme):
    """The reference's colours (rows, columns, 3), 0 … 255."""
    return np.asarray(Image.open(REFERENCES / f"{name}-{scheme}.png").convert("RGB"), float)


def contents_of(name):
    """What the reference holds, a list for each row."""
    return [json.loads(line) for line in (REFERENCES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def look(page):
    """What the page holds, and all of it in a small picture."""
    whole(page)
    # The page scrolls inside; a window as tall as it is shows all of it.
    tall = page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight")
    page.set_viewport_size({"width": WINDOW, "height": min(tall + 40, 5000)})
    whole(page)
    image = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    small = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    return page.evaluate(CONTENTS), small


def keep(page, name, scheme):
    """Make the references anew once nothing moves any more."""
    page.wait_for_timeout(5000)
    contents, picture = look(page)
    rows = (json.dumps(row, ensure_ascii=False) for row in contents)
    (REFERENCES / f"{name}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    # Keeps also the colours of few pixels.
    coloured = picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    coloured.save(REFERENCES / f"{name}-{scheme}.png", optimize=True)


def fault(page, name, scheme):
    """What tells the page from its reference; empty if nothing does."""
    contents, picture = look(page)
    if other := difference(contents, contents_of(name)):
        return other
    share = unlikeness(np.asarray(picture, float), picture_of(name, scheme))
    return f"{share:.0%} of a part look otherwise than in {name}-{scheme}.png." if share > MISSING else ""


def opened(window, dashboard, name, scheme):
    page = window(f"{dashboard.url}/{'' if name == 'start' else name}", width=WINDOW, height=1000, scheme=scheme)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settle(page)
    return page


def agrees(page, name, scheme):
    """Wait until the page is as its reference."""
    give_up = time.monotonic() + PATIENCE
    while difference := fault(page, name, scheme):
        assert time.monotonic() < give_up, f"{difference} Look at the page."
        page.wait_for_timeout(500)


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        # Every page in one theme, and in the other where all is tried.
        pytest.param(name, scheme, marks=[pytest.mark.slow] * ((i + j) % 2))
        for i, name in enumerate(PAGES)
        for j, scheme in enumerate(SCHEMES)
    ],
)
def test_a_page_looks_as_it_was_judged(request, window, name, scheme):
    dashboard = request.getfixturevalue("looked" if name in LOOKED else "planted")
    page = opened(window, dashboard, name, scheme)
    if os.environ.get("GAMMASCOPE_SCREENSHOTS"):
        keep(page, name, scheme)
        return
    agrees(page, name, scheme)
    # Nothing sticks out where a window is narrow.
    page.set_viewport_size({"width": NARROW, "height": 1000})
    page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollWidth <= innerWidth")


def test_another_page_and_one_that_shows_nothing_but_its_menu_fail(planted, window):
    page = opened(window, planted, "suppression", "light")
    agrees(page, "suppression", "light")
    assert fault(page, "dynamics", "light").startswith("The page has")
    page.add_style_tag(content="[data-testid=stMain] { opacity: 0 }")
    assert "look otherwise" in fault(page, "suppression", "light")
