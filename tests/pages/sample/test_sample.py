"""The page of one sample: what it draws and tells equals the engine, and each knob changes it."""

import json

import numpy as np
import pytest

from engine.losses import LOSSES
from engine.samples import hessian
from pages.charts import thumbnails
from pages.rooms.sample import choice, figures, text
from pages.state import palette
from tests.pages.conftest import button, by_meta, chart, charts, decode, fine, opened, url
from tests.planted import LOOKED
from tests.planted_samples import add_samples, pictures, samples

PAGE = "pages/sample.py"
FIGURES = {"strip", "stiffness", "probabilities", "M", "aa", "h", "kappa", "u", "alignment", "v"}


@pytest.fixture
def looked(store, run):
    """A run whose last epoch and one with wrong answers are looked at."""
    add_samples(store, run, 10, 100)
    return run


def test_without_samples_the_page_offers_to_look(run):
    at = opened(PAGE)
    assert not charts(at)
    assert button(at, "Look at every sample")


def test_every_figure_shows_the_stiffest_sample_at_first(looked):
    at = opened(PAGE, epoch="10")
    stored = samples(10)
    assert set(charts(at)) == FIGURES
    stiffest = int(np.abs(stored.kappa[:, 0]).argmax())
    one = hessian.of(stored, stiffest)
    size = np.abs(stored.kappa[:, 0])

    (tiles,) = chart(at, "strip")["data"]
    assert decode(tiles["customdata"]).tolist() == np.argsort(-size, kind="stable")[: choice.OFFERED].tolist()
    assert len(chart(at, "strip")["layout"]["images"]) == choice.OFFERED

    for meta, right in (("right", True), ("wrong", False)):
        points = by_meta(at, "stiffness")[meta]
        index = decode(points["customdata"])
        assert set(index) == set(np.flatnonzero(stored.correct == right))
        np.testing.assert_allclose(decode(points["y"]), size[index], rtol=1e-6)
        p = stored.confidence[index]
        np.testing.assert_allclose(decode(points["x"]), np.log10(p / (1 - p)), rtol=1e-6)
    assert decode(by_meta(at, "stiffness")["chosen"]["customdata"]).tolist() == [stiffest]

    np.testing.assert_allclose(decode(by_meta(at, "probabilities")["probabilities"]["y"]), one.probabilities)
    m, aa, h = (decode(chart(at, key)["data"][0]["z"]) for key in ("M", "aa", "h"))
    np.testing.assert_allclose(h, np.kron(m, aa), rtol=1e-5, atol=1e-6 * np.abs(h).max())
    outputs, _ = one.largest(figures.SIDE)
    np.testing.assert_allclose(m, one.curvature[np.ix_(outputs, outputs)], rtol=1e-5, atol=1e-7)

    bars = by_meta(at, "kappa")["kappa"]
    shown = decode(bars["y"])
    np.testing.assert_allclose(shown[: one.rank], np.abs(one.kappa[: one.rank]), rtol=1e-6)
    own = one.alignment(stored.directions)[0]
    np.testing.assert_allclose(decode(by_meta(at, "alignment")["alignment"]["y"]), own, rtol=1e-5)
    np.testing.assert_allclose(decode(by_meta(at, "alignment")["mean"]["y"]), stored.alignment.mean(axis=0), rtol=1e-5)
    best = own.argmax()
    u, v = (decode(chart(at, key)["data"][0]["z"]) for key in ("u", "v"))
    np.testing.assert_allclose(v, stored.directions[best], rtol=1e-5)
    assert np.isclose((u * v).sum() ** 2, own[best], rtol=1e-3)
    assert (u * v).sum() > 0


def test_order_and_class_choose_what_is_offered(looked):
    at = opened(PAGE, epoch="10")
    stored = samples(10)
    at.selectbox(key="sample.of_class").set_value(3).run()
    fine(at.segmented_control(key="sample.order").set_value("softest").run())
    shown = decode(chart(at, "strip")["data"][0]["customdata"])
    own = np.flatnonzero(stored.targets == 3)
    assert set(shown) == set(own)
    size = np.abs(stored.kappa[shown, 0])
    assert np.all(np.diff(size) >= 0)
    assert {url(at)[name] for name in ("order", "of_class")} == {"softest", "3"}


def test_a_link_names_sample_eigenvalue_and_direction(looked):
    at = opened(PAGE, epoch="10", sample="7", mode="2", direction="4")
    stored = samples(10)
    one = hessian.of(stored, 7)
    own = one.alignment(stored.directions)[1]
    np.testing.assert_allclose(decode(by_meta(at, "alignment")["alignment"]["y"]), own, rtol=1e-5)
    np.testing.assert_allclose(decode(chart(at, "v")["data"][0]["z"]), stored.directions[3], rtol=1e-5)
    u = decode(chart(at, "u")["data"][0]["z"])
    np.testing.assert_allclose(np.abs(u), np.abs(one.eigenvector(1)), atol=1e-6)
    assert by_meta(at, "alignment")["alignment"]["marker"]["color"][3] == palette.MARK
    # What is not there becomes what is.
    assert set(charts(opened(PAGE, epoch="10", sample="99999", mode="500", direction="399"))) == FIGURES


def test_steps_go_from_stiff_to_soft_and_back(looked):
    at = opened(PAGE, epoch="10")
    order = choice.ranked(samples(10))
    assert button(at, "Stiffer").disabled
    fine(button(at, "Softer").click().run())
    assert url(at)["sample"] == str(order[1])
    button(at, "Stiffer").click().run()
    assert url(at)["sample"] == str(order[0])


def test_plain_axes_show_the_parabola(looked):
    at = opened(PAGE, epoch="10")
    fine(at.segmented_control(key="sample.plain").set_value(True).run())
    stored = samples(10)
    curve = by_meta(at, "stiffness")["two classes"]
    p = decode(curve["x"])
    size, shape = np.abs(stored.kappa[:, 0]), stored.confidence * (1 - stored.confidence)
    np.testing.assert_allclose(decode(curve["y"]), np.median(size / shape) * p * (1 - p), atol=1e-9)
    points = by_meta(at, "stiffness")["right"]
    np.testing.assert_allclose(decode(points["x"]), stored.confidence[decode(points["customdata"])])
    assert url(at)["plain"] == "yes"


def test_the_sentences_hold_the_numbers(looked):
    stored = samples(10)
    size = np.abs(stored.kappa[:, 0])
    sentence = text.all_of_them(stored)
    assert f"({1} of {LOOKED})" in sentence
    assert f"**{size.max() / size.sum():.0%}**" in sentence
    p = int(size.argmax())
    own = text.one_of_them(stored, p)
    one = hessian.of(stored, p)
    assert "the 1st sharpest of 120" in own
    assert ("takes this" in own) == (not stored.correct[p])
    h = np.einsum("m,mt->t", one.kappa, one.alignment(stored.directions))
    carried = h[0] / LOOKED / stored.eigenvalues[0]
    sentences = text.aligned(stored, one, one.alignment(stored.directions)[0], 1, 1)
    assert f"**{carried:.2%}** of $H_{{1,1}}$" in sentences
    total = sum(
        float(o.kappa @ o.alignment(stored.directions[:1])[:, 0])
        for o in (hessian.of(stored, q) for q in range(LOOKED))
    )
    assert np.isclose(total / LOOKED, stored.eigenvalues[0], rtol=1e-3), "the shares of all samples make H_11"


@pytest.mark.parametrize(("activation", "loss"), [("relu", "linear_mse"), ("tanh", "mse")])
def test_other_losses_and_activations_have_their_sentences(activation, loss):
    looked = samples(10, activation, loss)
    assert ("plain squared error" in text.all_of_them(looked)) == (loss == "linear_mse")
    for p in (0, 50):
        one = hessian.of(looked, p)
        assert "sharpest of 120" in text.one_of_them(looked, p)
        negative = int((one.kappa[: one.rank] < 0).sum())
        assert (f"{negative} of them negative" in text.spectrum(one)) == bool(negative)
    figure = figures.stiffness(LOSSES[loss], looked.confidence, looked.kappa[:, 0], looked.correct, str, 0)
    assert figure.data


def test_probabilities_are_told_by_what_is_missing_near_certainty():
    assert [figures.chance(p, html=False) for p in (0.5, 0.033, 0.999, 1 - 1e-5, 1e-7, 1.0)] == [
        "50%",
        "3.3%",
        "99.9%",
        "1 − 10⁻⁵",
        "10⁻⁷",
        "1 − 10⁻¹⁵",
    ]


def test_factors_are_told_in_two_digits():
    words = [text._factor(r) for r in (0.0123, 1.04, 77.4, 862.3, 2769.0, 1.93e5)]
    assert words == ["0.012 times", "1 times", "77 times", "860 times", "2,800 times", "1.9 × 10⁵ times"]


def test_names_on_the_axis_of_confidence_keep_their_distance():
    for low, high in ((0.01, 0.3), (0.2, 1 - 1e-12), (1e-9, 1 - 1e-3)):
        ends = figures.logit(np.array([low, high]))
        ticks = figures.logit(figures._chances(ends))
        assert 1 <= ticks.size <= figures.TICKS + 1
        assert np.all(np.diff(ticks) >= np.ptp(ends) / figures.TICKS)


def test_a_strip_frames_the_marked_and_tells_what_a_wrong_one_is_taken_for():
    looked = samples(10)
    wrong, right = int(np.flatnonzero(~looked.correct)[0]), int(np.flatnonzero(looked.correct)[0])
    figure = json.loads(thumbnails.strip(looked, pictures(), [right, wrong], [wrong]).to_json())
    first, second = figure["layout"]["annotations"]
    assert first["text"] == str(looked.targets[right])
    assert second["text"] == f"{looked.targets[wrong]} → {looked.predicted[wrong]}"
    assert second["font"]["color"] == palette.POSITIVE
    (frame,) = figure["layout"]["shapes"]
    assert frame["x0"] < 1 < frame["x1"]
    tiles = thumbnails.strip(looked, None, [0, 1])
    assert not tiles.layout.images
    assert tiles.data[0].marker.opacity > 0


def test_numbers_and_code_of_every_figure_are_to_be_had(looked, monkeypatch, capsys):
    taken = {}
    monkeypatch.setattr("pages.plot.panel.draw", lambda figure, key, *_, **more: taken.update({key: more}))
    opened(PAGE)
    assert set(taken) == FIGURES
    del taken["strip"]
    for key, more in taken.items():
        assert all(np.asarray(values).size for values in more["arrays"]().values()), key
        names = {}
        exec(more["code"](), names)
        assert names["found"].epoch == 100
        if key in ("u", "v"):
            np.testing.assert_allclose(np.abs(names[key]), np.abs(more["arrays"]()[key]), atol=1e-6)
