"""Edited spectra in a real browser: what its knobs move is moved there, to the engine's numbers."""

import json
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from engine.results.power_law import power_law
from engine.results.suppression import Spectra, suppress
from pages.data.suppression import grouped
from pages.plot.plot import SCRIPTS
from pages.state.edit import FACTORS
from tests.browser.conftest import held, plot, settle
from tests.planted import SAMPLES, analysis, planted_spectra

pytestmark = pytest.mark.browser
SETTINGS = 200


def signed(k):
    """Spectra of both signs, with directions that no sample curves along, and others where curvatures cancel."""
    rng = np.random.default_rng(7)
    kept = planted_spectra(k)
    sign = np.where(rng.random(SAMPLES) < 0.2, -1.0, 1.0)
    alignment = kept.alignment.astype(np.float32)
    alignment[:, rng.choice(k, 9)] = 0
    kappa, first = sign[:, None] * kept.kappa, rng.normal(0.3, 1, kept.first.shape) * kept.first
    first[0], second = kappa[:, 0] @ alignment / SAMPLES, kept.second.copy()
    second[:, alignment.sum(axis=0) == 0] = 0
    return Spectra(kappa, alignment, first, second)


def test_the_browser_edits_200_spectra_as_the_engine_does(chromium):
    rng, k = np.random.default_rng(5), 400
    spectra = signed(k)
    kept, rank = grouped(spectra), spectra.kappa.shape[1]
    data = np.arange(k) < 380
    about = {"groups": kept.groups, "means": kept.means, "factors": FACTORS, "rank": rank}
    edits = [
        (int(rng.integers(2)), int(rng.integers(1, rank + 1)), *rng.integers(0, len(FACTORS), 3).tolist())
        for _ in range(SETTINGS)
    ]
    windows = [sorted(pair) for pair in rng.integers(1, k + 1, (SETTINGS, 2)).tolist()]
    page = chromium.new_page()
    for script in SCRIPTS[:2]:
        page.add_script_tag(path=script)
    by_browser = page.evaluate(
        """([about, numbers, edits, windows]) => {
          const held = document.body.appendChild(document.createElement("div"));
          held.className = "st-key-held";
          held.innerHTML = "<div class=gammascope-numbers></div>";
          held.firstChild.numbers = new Float64Array(numbers);
          return edits.map((edit, i) => {
            const [old, edited] = pair({ about, numbers: "held" }, ...edit);
            return [[old.u, old.v], [edited.u, edited.v], [old.v, edited.v]].map((axes) => fit(...axes, ...windows[i]));
          });
        }""",
        [json.loads(json.dumps(about)), np.vstack([kept.rows, data]).ravel().tolist(), edits, windows],
    )
    page.close()
    old, compared, refused = suppress(spectra, None), 0, 0
    for edit, (first, last), fits in zip(edits, windows, by_browser, strict=True):
        homogenise, keep, *factors = edit
        new = suppress(spectra, keep, *(FACTORS[place] for place in factors), bool(homogenise))
        pairs = (
            (old.hessian_diagonal, old.noise_diagonal),
            (new.hessian_diagonal, new.noise_diagonal),
            (old.noise_diagonal, new.noise_diagonal),
        )
        for (x, y), law in zip(pairs, fits, strict=True):
            try:
                expected = power_law(np.where(data, x, 0.0)[first - 1 : last], y[first - 1 : last])
            except ValueError:
                refused += 1
                assert law is None
                continue
            compared += 1
            assert law["gamma"] == pytest.approx(expected.gamma, rel=1e-9, abs=1e-9)
            assert law["r2"] == pytest.approx(expected.r2, rel=1e-9, abs=1e-9)
            assert law["v0"] - law["gamma"] * law["u0"] == pytest.approx(expected.intercept, rel=1e-9, abs=1e-9)
    assert compared > 2 * SETTINGS
    assert refused
    # Directions of data whose curvature an edit turns negative are in it.
    assert (old.hessian_diagonal[data] <= 0).any()


def test_figures_follow_the_edit_while_a_knob_is_held(planted, window):
    page = window(f"{planted.url}/suppression?tail=0&damp=0")
    settle(page)
    held(page, "suppression-stiff", 0.9)
    # Not released: the server knows nothing yet.
    assert "stiff=" not in page.url
    kept, a = planted_spectra(analysis().k), analysis()
    data = a.eigenvalues > a.noise_floor
    new = suppress(kept, 1, 0.0, 0.1, 0.0)
    drawn = "e => Object.fromEntries(e.data.filter((t) => t.uid).map((t) => [t.uid, [t.name, t.customdata, t.x, t.y]]))"

    def agree():
        moved = plot(page, "both").evaluate(drawn)
        last = int(page.locator(".st-key-suppression-window").get_by_role("slider").last.input_value())
        law = power_law(np.where(data, new.hessian_diagonal, 0.0)[:last], new.noise_diagonal[:last])
        assert moved["legend-after-0"][0].endswith(f"γ = {law.gamma:.2f}")
        return moved["in-after-0"]

    _, rows, x, y = agree()
    index = np.array(rows)[:, 0].astype(int) - 1
    np.testing.assert_allclose(np.array(x, float), new.hessian_diagonal[index])
    np.testing.assert_allclose(np.array(y, float), new.noise_diagonal[index])
    page.locator(".st-key-samples").scroll_into_view_if_needed()
    share = f"stiff above: {new.stiff:.1%} of samples"
    page.wait_for_function(f"document.querySelector('.st-key-samples').textContent.includes('{share}')")
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"stiff=0\.1\b"))
    settle(page)
    agree()
    page.reload()
    settle(page)
    agree()
