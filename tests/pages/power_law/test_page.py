"""The power-law page in full: clouds, fits, other runs, boxes."""

import numpy as np
import pytest

from engine.runs import library
from pages.data import results
from pages.rooms.power_law import panels as power_law_panels
from pages.state import selection
from pages.ui import marker
from tests.pages.conftest import chart, decode, fine, opened, press, result, shows, url
from tests.planted import fill

PAGE = "pages/power_law.py"


def test_other_runs_join_in_their_own_markers_and_rows(store, run):
    other = fill(store, epochs=(0, 100), seed=1)
    at = opened(PAGE, run=run, epoch="10")
    assert not shows(at, "| run |")
    press(at, "multiselect", "Other runs", [other])
    assert url(at)["runs"] == other
    points = [
        t for t in chart(at, "power")["data"] if t.get("mode") == "markers" and t["name"] not in ("not fitted", "")
    ]
    assert [(t["meta"], t["marker"]["symbol"]) for t in points] == [
        ("C", "circle"),
        ("C_awd", "diamond"),
        ("C", "circle-open"),
        ("C_awd", "diamond-open"),
    ]
    # The other run has no epoch 10: the nearest is shown.
    second = next(a for a in library.analyses(store, other) if a.request.epoch == 0)
    loaded = library.load_analysis(store, other, second.key)
    index = decode(points[2]["customdata"])[:, 0].astype(int) - 1
    np.testing.assert_allclose(decode(points[2]["y"]), loaded.diagonal("C")[index])
    (table,) = shows(at, "| run |")
    assert table.count("seed 1") == 2
    assert f"**{loaded.fit('C', 400).gamma:.3f}**" in table
    assert len([t for t in chart(at, "gamma_by_window")["data"] if t["meta"] == "C"]) == 2
    again = opened(PAGE, **url(at))
    assert shows(again, "| run |") == [table]
    press(at, "multiselect", "Other runs", [])
    assert not shows(at, "| run |")


def test_another_run_without_results_is_said(store, run):
    other = fill(store, epochs=(), seed=1)
    at = opened(PAGE, run=run, runs=other)
    assert shows(at, "is analysed yet")
    assert chart(at, "power")


def test_theil_sen_joins_the_table_on_demand(store, run):
    at = opened(PAGE, window="3,90")
    assert not shows(at, "Theil–Sen |")
    press(at, "toggle", "Second opinion", True)
    slope, low, high = result(store, run, 100).theil_sen("C", 90, 2)
    a = result(store, run, 100)
    x, y = np.log10(a.eigenvalues[2:90]), np.log10(a.diagonal("C")[2:90])
    i, j = np.triu_indices(88, 1)
    assert slope == pytest.approx(np.median((y[j] - y[i]) / (x[j] - x[i])))
    assert shows(at, f"{slope:.3f} |"), "nothing of samples is kept, so there is no interval"
    assert np.isnan([low, high]).all()


def test_residuals_belong_to_the_window(run, store):
    at = opened(PAGE, window="11,120", matrices="C")
    points = next(t for t in chart(at, "residuals")["data"] if t["meta"] == "C")
    index = decode(points["customdata"]).astype(int) - 1
    assert (index.min(), index.max()) == (10, 119)
    a = result(store, run, 100)
    fit = a.fit("C", 120, 10)
    expected = np.log10(a.diagonal("C") / fit.line(a.eigenvalues))[index]
    np.testing.assert_allclose(decode(points["y"]), expected, atol=1e-12)


@pytest.mark.parametrize("centred", [False, True])
def test_a_box_becomes_the_window_of_the_directions_in_it(run, monkeypatch, centred):
    chosen = {}
    monkeypatch.setattr(selection, "choose", lambda **changes: chosen.update(changes))
    view = results.view_of(results.runs()[0])
    drawn = power_law_panels.clouds({"": view}, ("C",), 0, 200)
    law = power_law_panels.law({"": view}, drawn, centred, boxes=True)
    h = view.analysis.eigenvalues
    # In the axis's own numbers: where directions 31 and 90 are drawn.
    points = next(t for t in law.figure.data if t.meta == "C" and t.name == "C")
    place = dict(zip(points.customdata[:, 0].astype(int), points.x, strict=True))
    law.on_box(place[90] * 0.9999, place[31] * 1.0001)
    assert chosen == {"window": (31, 90)}
    chosen.clear()
    law.on_box(place[1] * 2, place[1] * 3)
    assert chosen == {}, "an empty box changes nothing"
    assert law.on_click is marker.at
    assert set(law.arrays()) == {"H", "C"}
    np.testing.assert_array_equal(law.arrays()["H"], h)


def test_runs_are_called_by_what_tells_them_apart():
    assert power_law_panels.apart(["digits, 4-5, CE", "digits, 4-5, MSE"]) == ["CE", "MSE"]
    assert power_law_panels.apart(["digits, CE, seed 0", "digits, CE, seed 1"]) == ["seed 0", "seed 1"]
    assert power_law_panels.apart(["digits, CE", "digits, CE, seed 1"]) == ["digits, CE", "digits, CE, seed 1"]
    assert power_law_panels.apart(["mine", "digits, CE"]) == ["mine", "digits, CE"]
    assert power_law_panels.apart(["alone"]) == ["alone"]


def drawn(at):
    return {t["meta"] for t in chart(at, "power")["data"] if t.get("mode") == "markers"}


def test_the_covariances_pressed_are_the_ones_drawn(run):
    at = opened(PAGE)
    assert drawn(at) == {"C", "C_awd"}
    fine(at.get("button_group")[0].set_value(["C", "E_h2"]).run())
    assert drawn(at) == {"C", "E_h2"}
    assert url(at)["matrices"] == "C,E_h2"
    fine(at.get("button_group")[0].set_value([]).run())
    assert "Press at least one covariance" in at.info[0].value


def test_the_window_changes_the_fit(store, run):
    at = opened(PAGE)
    press(at, "slider", "Directions fitted", (11, 120))
    fit = result(store, run, 100).fit("C", 120, 10)
    table = next(m.value for m in at.markdown if m.value.startswith("| covariance"))
    assert f"**{fit.gamma:.3f}**" in table
    assert f"| {fit.n} |" in table
    points = next(t for t in chart(at, "power")["data"] if t.get("meta") == "C" and t["name"] == "C")
    index = decode(points["customdata"])[:, 0]
    assert (index.min(), index.max()) == (11, 120)
    assert url(at)["window"] == "11,120"


def test_a_window_too_small_for_a_slope_is_explained(run):
    at = opened(PAGE, window="1,2")
    assert "A slope needs at least 3 directions" in at.warning[0].value


def test_shifting_together_moves_the_clouds_onto_one_centre(run):
    at = opened(PAGE, centred="yes")
    for trace in chart(at, "power")["data"]:
        if trace.get("mode") == "markers" and trace["name"] != "not fitted":
            assert abs(np.log10(decode(trace["y"])).mean()) < 0.2


def test_the_window_of_its_exponents_is_named_in_the_figure(store, run):
    def named(at):
        return [note["text"] for note in chart(at, "power")["layout"]["annotations"] if note.get("name") == "window"]

    assert named(opened(PAGE, window="11,200")) == ["γ: directions 11 … 200"]
    assert named(opened("app.py")) == ["γ: directions 1 … 400"]


def test_the_slope_is_felt_on_the_first_covariance_over_the_window(store, run):
    at = opened(PAGE, window="11,120", matrices="E_h2,C")
    a = result(store, run, 100)
    for key in ("by_hand", "local_slope"):
        points = chart(at, key)["data"][0]
        index = decode(points["customdata"]).astype(int) - 1
        assert (index.min(), index.max()) == (10, 119)
        np.testing.assert_allclose(decode(points["y"]), a.diagonal("C")[index])
    assert any(note["text"].startswith("C: ") for note in chart(at, "power")["layout"]["annotations"])
