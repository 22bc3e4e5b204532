"""The start page: every number and picture of the chosen epoch, and the ways on."""

import numpy as np
import pytest

from tests.pages.conftest import chart, charts, fine, heat, metrics, opened, press, result, sent, url
from tests.planted import add_analysis, fill


def test_the_start_page_draws_the_arrays_of_the_last_epoch(store, run):
    at = opened()
    analysis = result(store, run, 100)
    np.testing.assert_allclose(heat(at, "K"), analysis.projected("C", 100), rtol=1e-6)
    np.testing.assert_allclose(heat(at, "R_real"), analysis.correlation("C", 100), atol=1e-6)
    np.testing.assert_allclose(heat(at, "R_rand"), analysis.random_correlation("C", 100, seed=0), atol=1e-6)
    values = metrics(at)
    assert values["Noise exponent γ"] == f"{analysis.fit('C').gamma:.2f}" == "1.20"
    assert values["Predicted γ"] == f"{analysis.fit('C_awd').gamma:.2f}"
    assert values["Commutator error"] == f"{analysis.commutator('C'):.2f}"
    assert values["Alignment"] == f"{analysis.alignment('C'):.2f}"


def test_the_epoch_slider_moves_every_number_and_picture(store, run):
    at = opened()
    before = heat(at, "R_real")
    fine(at.select_slider[0].set_value(0).run())
    analysis = result(store, run, 0)
    np.testing.assert_allclose(heat(at, "R_real"), analysis.correlation("C", 100), atol=1e-6)
    assert np.abs(heat(at, "R_real") - before).max() > 0.01
    assert metrics(at)["Noise exponent γ"] == "1.00"
    assert url(at)["epoch"] == "0"


def test_the_top_k_slider_sets_the_size_of_all_three_heatmaps(run):
    at = opened()
    fine(at.slider[0].set_value(37).run())
    assert {heat(at, key).shape for key in ("K", "R_real", "R_rand")} == {(37, 37)}
    assert url(at)["k"] == "37"


def test_k_is_seen_on_a_logarithmic_scale_on_demand(run):
    at = opened()
    roots, real = chart(at, "K")["data"], chart(at, "R_real")["data"]
    press(at, "toggle", "K on a logarithmic scale", True)
    assert chart(at, "K")["data"] != roots
    assert chart(at, "R_real")["data"] == real


def test_a_checkpoint_that_arrives_joins_the_slider_and_the_view_stays(store, run):
    at = opened()
    at.select_slider[0].set_value(10).run()
    add_analysis(store, run, 50)
    fine(at.run())
    assert [int(o) for o in at.select_slider[0].options] == [0, 10, 50, 100]
    assert at.select_slider[0].value == 10


def test_with_one_epoch_the_slider_waits(store):
    fill(store, epochs=(100,))
    at = opened()
    assert at.slider[0].disabled
    assert charts(at)


def test_a_second_run_can_be_chosen(store, run):
    other = fill(store, epochs=(0, 100), seed=1)
    at = opened()
    assert at.sidebar.selectbox[0].value == run
    fine(at.sidebar.selectbox[0].set_value(other).run())
    assert url(at)["run"] == other
    assert any(f"Run\u00a0{other[:8]}" in c.value for c in at.caption)
    assert len(at.select_slider[0].options) == 2


def test_large_type_enlarges_figures_and_stays_in_the_link(run):
    at = opened()
    assert sent(at, "R_real")["scale"] == 1
    fine(at.toggle(key="start.large").set_value(True).run())
    assert sent(at, "R_real")["scale"] > 1.2
    assert url(at)["large"] == "yes"


def test_the_start_page_has_four_doors(run):
    at = opened()
    links = {link.proto.label: link.proto.page for link in at.get("page_link")}
    assert {"**Take a tour**", "**Train a network**", "**Load a network**", "**Look closer**"} <= set(links)


@pytest.mark.parametrize(
    ("question", "title", "chosen"),
    [
        ("Was it so before training?", "share their directions", {"epoch": "0"}),
        ("Which curvatures make the exponent?", "Which curvatures", {"keep": "1", "homogenise": "no"}),
        ("What if all sharp samples were equally sharp?", "Which curvatures", {"keep": "1", "homogenise": "yes"}),
        ("Does the prediction share the directions too?", "share their directions", {"matrix": "C_awd"}),
    ],
)
def test_an_experiment_sets_its_selection_and_opens_its_page(run, question, title, chosen):
    at = opened()
    place = [m.value for m in at.markdown if m.value.startswith("**") and m.value.split("**")[1].endswith("?")]
    tried = next(i for i, text in enumerate(place) if question in text)
    fine(at.button(key=f"start.try{tried}").click().run())
    assert title in at.title[0].value
    assert chosen.items() <= url(at).items()
