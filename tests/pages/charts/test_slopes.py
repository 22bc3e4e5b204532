"""γ to be felt: what the sliders move is what the arrays say, at every step."""

import numpy as np
import pytest

from engine.results.bend import ENOUGH, bend, swept
from engine.results.power_law import power_law
from pages.charts import slopes
from pages.charts.power_law import Cloud
from pages.charts.power_law import power_law as law
from tests.pages.conftest import decode, traces
from tests.pages.conftest import slope as slope_of


@pytest.fixture
def cloud():
    rng = np.random.default_rng(0)
    x = 10 ** np.linspace(0, -4, 400)
    y = 1e-3 * x**1.3 * 10 ** (0.1 * rng.standard_normal(400))
    return Cloud("C", x, y, power_law(x[10:300], y[10:300]), 10, 300)


def texts(figure):
    return [note.text for note in figure.layout.annotations]


def test_every_step_turns_the_line_about_the_centre_and_tells_how_far_off_it_is(cloud):
    figure = slopes.by_hand(cloud)
    u, v = np.log10(cloud.x[10:300]), np.log10(cloud.y[10:300])
    (line,) = traces(figure, meta="by hand")
    assert slope_of(line) == pytest.approx(slopes.BEGIN)
    place = [t.meta for t in figure.data].index("by hand")
    for step in figure.layout.sliders[0].steps:
        moved, look, which = step.args
        slope, y = float(step.label), np.log10(moved["y"][0])
        assert list(which) == [place]
        assert np.diff(y)[0] / np.diff(np.log10(decode(line["x"])))[0] == pytest.approx(slope, abs=1e-9)
        residual = v - v.mean() - slope * (u - u.mean())
        assert f"<b>{np.sqrt(np.mean(residual**2)):.3f}</b>" in look["annotations[0].text"]
    own = bend(cloud.x[10:300], cloud.y[10:300]).line_rms
    assert texts(figure)[1] == f"fitted γ = {cloud.fit.gamma:.2f}: {own:.3f} decades off"
    assert min(slopes.off(cloud, s) for s in slopes.SLOPES) >= own


def test_the_window_that_is_swept_has_the_slope_of_its_directions_alone(cloud):
    x, y = cloud.x[10:300], cloud.y[10:300]
    local = swept(x, y)
    for i in (0, 17, 40):
        inside = np.abs(np.log10(x) - local.u[i]) <= 0.5 + 1e-9
        assert local.gamma[i] == pytest.approx(power_law(x[inside], y[inside]).gamma)
        assert local.n[i] == inside.sum()
    figure = slopes.swept(cloud, local)
    for i, step in enumerate(figure.layout.sliders[0].steps[::-1]):
        moved, look, which = step.args
        (ends, point), (level, gamma) = moved["x"], moved["y"]
        assert [figure.data[n].name for n in which] == ["slope here", "here"]
        assert np.diff(np.log10(level))[0] / np.diff(np.log10(ends))[0] == pytest.approx(local.gamma[i])
        assert (point, gamma) == ([pytest.approx(10 ** local.u[i])], [pytest.approx(local.gamma[i])])
        assert look["shapes[0].x1"] / look["shapes[0].x0"] == pytest.approx(10)
        assert f"<b>{local.gamma[i]:.2f}</b>" in look["annotations[0].text"]


def test_places_with_too_few_directions_have_no_slope():
    x = np.concatenate([10 ** np.linspace(3, 2.6, ENOUGH - 1), 10 ** np.linspace(0, -2, 100)])
    local = swept(x, x**1.5)
    assert np.isnan(local.gamma[0])
    assert local.n[0] == ENOUGH - 1
    np.testing.assert_allclose(local.gamma[-1], 1.5)
    assert not np.isfinite(swept(x[:5], x[:5]).gamma).any()


@pytest.mark.parametrize(
    ("second", "words"), [(0.0, "C: one power"), (0.35, "C: strongly bent")], ids=["straight", "bent"]
)
def test_one_power_or_bent_is_written_into_the_law_by_the_test_that_exists(second, words):
    x = 10 ** np.linspace(0, -4, 400)
    u = np.log10(x)
    y = 10 ** (1.3 * u + second * u**2)
    found = bend(x, y, without=None)
    figure = law([Cloud("C", x, y, power_law(x, y), 0, 400, verdict=found.verdict)])
    assert texts(figure) == [words]
    assert texts(law([Cloud("C", x, y, power_law(x, y), 0, 400)])) == []
