"""The page on activity-weight duality: what every control changes, and that its numbers are the engine's."""

import dataclasses

import numpy as np
import pytest

from engine.losses import LOSSES
from engine.samples.all_pairs import differences
from engine.samples.downstream import Chain
from engine.samples.pair import pair
from pages.plot import plot
from pages.rooms.duality import choice, figures, text
from tests import planted_samples
from tests.pages.conftest import chart, charts, decode, fine, opened, sent, texts, url
from tests.planted import fill
from tests.planted_samples import add_samples

PAGE = "pages/duality.py"
FIGURES = {"sample", "partner", "losses", "activities", "weights", "gradients", "near_far", "early_late"}
COVARIANCE = {"ladder", "pairs", "shape"}


@pytest.fixture
def run(store, run):
    """Its samples are looked at at two of three epochs."""
    add_samples(store, run, 10, 100)
    return run


def line(at, key, name, axis="y"):
    """The ordinates of a line or of bars of a figure, by the beginning of its name."""
    (trace,) = [t for t in chart(at, key)["data"] if f"{t.get('name', '')} ".startswith(name)]
    return decode(trace[axis])


def own(epoch=100, sample=3, partner=13):
    return pair(planted_samples.samples(epoch), sample, partner)


def tiles(at, key):
    (trace,) = [t for t in chart(at, key)["data"] if t.get("meta") == "samples"]
    return [int(p) for p in np.ravel(decode(trace["customdata"]))]


# -- the pair ---------------------------------------------------------------------------------------------


def test_without_samples_it_offers_to_look_at_them(store):
    fill(store)
    at = opened(PAGE)
    assert [b.label for b in at.button if b.key == "duality.samples"] == ["Look at every sample"]
    assert not charts(at)


def test_both_curves_and_every_number_are_the_engines(run):
    at = opened(PAGE, sample="3", partner="13")
    assert {*charts(at)} == FIGURES | COVARIANCE
    walk = own().walk()
    by_activity, by_weight = (line(at, "losses", name) for name in ("ℓ(a + tΔa; W), a", "ℓ(a; W + tΔW*)"))
    np.testing.assert_allclose(by_activity, walk.by_activity)
    np.testing.assert_allclose(by_activity, by_weight, rtol=1e-9)
    names = {"‖Δg‖": "actual", "t‖v + u‖": "first_order", "t‖v‖": "curvature", "t‖u‖": "activity", "‖Δg − ": "error"}
    for name, field in names.items():
        np.testing.assert_allclose(line(at, "gradients", name), getattr(walk, field))
    number = text.tex(float(walk.by_activity[-1]), 6)
    assert texts(at).count(number) >= 2
    assert not [i for i in at.info if "no change of weights" in i.value]


def test_the_usual_pair_is_a_hard_sample_that_is_right_and_its_nearest(run):
    at, looked = opened(PAGE), planted_samples.samples(100)
    p = int(at.number_input(key="duality.sample").value)
    assert looked.correct[p]
    assert looked.loss[p] == looked.loss[looked.correct].max()
    assert at.number_input(key="duality.partner").value == looked.partner[p]
    assert "sample" not in url(at)


def test_a_step_moves_the_marks_and_the_weights_and_stays_in_the_link(run):
    at = opened(PAGE, sample="3", partner="13")
    fine(at.slider(key="duality.step").set_value(0.25).run())
    one = own()
    assert url(at)["step"] == "0.25"
    mark = chart(at, "losses")["data"][-1]
    np.testing.assert_allclose(mark["x"], 0.25)
    np.testing.assert_allclose(mark["y"], one.loss_by_activity(np.array([0.25]))[0], rtol=1e-9)
    change, before, after = (decode(t["z"]) for t in chart(at, "weights")["data"][:3])
    np.testing.assert_allclose(change, 0.25 * one.weight_change, rtol=1e-6)
    np.testing.assert_allclose(before, one.weight, rtol=1e-6)
    np.testing.assert_allclose(after, one.weight + 0.25 * one.weight_change, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(line(at, "activities", "a + tΔa"), one.start + 0.25 * one.change)
    fine(at.slider(key="duality.step").set_value(0.0).run())
    assert "nothing has changed yet" in texts(at)


def test_number_and_class_of_the_sample_choose_it_with_its_nearest(run):
    at, looked = opened(PAGE, sample="3", partner="33"), planted_samples.samples(100)
    fine(at.number_input(key="duality.sample").set_value(17).run())
    assert url(at)["sample"] == "17"
    assert "partner" not in url(at)
    assert at.number_input(key="duality.partner").value == looked.partner[17]
    np.testing.assert_allclose(
        line(at, "losses", "ℓ(a; W"), own(sample=17, partner=int(looked.partner[17])).walk().by_weight
    )
    fine(at.selectbox(key="duality.sample.class").set_value(4).run())
    hardest = max(np.flatnonzero(looked.targets == 4), key=lambda p: looked.loss[p])
    assert url(at)["sample"] == str(hardest)
    assert tiles(at, "sample")[0] == hardest


def test_number_and_class_of_the_partner_choose_it(run):
    at, looked = opened(PAGE, sample="3"), planted_samples.samples(100)
    near = tiles(at, "partner")
    assert near[:4] == looked.neighbours(3, 3, 4).tolist()
    assert near[-1] == looked.neighbours(3, 3, 100)[-1]
    fine(at.number_input(key="duality.partner").set_value(43).run())
    assert url(at)["partner"] == "43"
    assert 43 in tiles(at, "partner")
    fine(at.selectbox(key="duality.partner.class").set_value(5).run())
    assert url(at)["partner"] == str(looked.neighbours(3, 5, 1)[0])
    assert {int(looked.targets[p]) for p in tiles(at, "partner")} == {5}


def test_of_another_class_the_duality_of_the_loss_fails_and_says_so(run):
    at = opened(PAGE, sample="3", partner="15")
    one = own(partner=15)
    with_label = one.loss_by_activity(np.linspace(0, 1, 101), one.other)
    np.testing.assert_allclose(line(at, "losses", "ℓ(a + tΔa; W), label of p′"), with_label)
    sentence = next(i.value for i in at.info if "changes a label" in i.value)
    for value in (with_label[-1], one.loss_by_weight(np.ones(1))[0]):
        assert text.number(float(value)) in sentence
    np.testing.assert_allclose(line(at, "losses", "ℓ(a + tΔa; W), a"), line(at, "losses", "ℓ(a; W"), rtol=1e-9)


@pytest.mark.parametrize(
    "params",
    [{"sample": "9999"}, {"sample": "3", "partner": "3"}, {"sample": "3", "partner": "9999"}, {"step": "7"},
     {"sample": "-1"}, {"matching": "best"}, {"step": "nan"}],
)  # fmt: skip
def test_a_link_to_what_is_not_there_shows_the_usual(run, params):
    assert {*charts(opened(PAGE, **params))} == FIGURES | COVARIANCE


def test_a_sample_that_does_not_reach_the_layer_is_explained(run, monkeypatch):
    looked = planted_samples.samples(100)
    quiet = looked.activity.copy()
    quiet[3] = 0
    monkeypatch.setattr("pages.jobs.fetch.stored", lambda *_: dataclasses.replace(looked, activity=quiet))
    at = opened(PAGE, sample="3")
    assert "Nothing reaches the layer for sample 3" in at.warning[0].value
    assert {*charts(at)} == {"sample", "partner"} | COVARIANCE


# -- near and far, early and late -------------------------------------------------------------------------


def test_the_error_of_first_order_is_that_of_each_pair_and_epoch(run):
    at, looked = opened(PAGE, sample="3", partner="43"), planted_samples.samples(100)
    ranked = looked.neighbours(3, 3, len(looked))
    marks = {"nearest": ranked[0], "median": ranked[(ranked.size - 1) // 2], "farthest": ranked[-1]}
    for name, partner in marks.items():
        np.testing.assert_allclose(line(at, "near_far", name), own(partner=int(partner)).walk().relative[1:])
    for epoch in (10, 100):
        expected = own(epoch, partner=43).walk().relative[1:]
        np.testing.assert_allclose(line(at, "early_late", f"epoch {epoch} "), expected)


def test_with_one_epoch_of_samples_it_offers_to_fetch_early_and_late_ones(store):
    add_samples(store, fill(store), 100)
    at = opened(PAGE)
    assert any("epochs 0 and 10" in i.value for i in at.info)
    assert [b.label for b in at.button if b.key == "duality.samples"] == ["Look at every sample"]


# -- all pairs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("matching", ["nearest", "anchors", "random"])
def test_the_matching_sets_every_size_and_diagonal(run, matching):
    at = opened(PAGE)
    (knob,) = [g for g in at.get("button_group") if g.proto.id.endswith("duality.matching")]
    fine(knob.set_value(matching).run())
    made = differences(planted_samples.samples(100), matching)
    bars = chart(at, "ladder")["data"][0]
    s = made.sizes
    expected = (s.noise, s.same_class, s.actual, s.one_sided, s.straightened, s.first_order, s.with_mean)
    np.testing.assert_allclose(decode(bars["customdata"]), expected)
    np.testing.assert_allclose(decode(bars["x"]) + bars["base"], np.array(expected) / s.noise)
    np.testing.assert_allclose(line(at, "shape", "from v + u"), made.first_order_along)
    np.testing.assert_allclose(line(at, "shape", "from exact Δg"), made.actual_along)
    points = chart(at, "pairs")["data"][0]
    place = {int(p): i for i, p in enumerate(made.sample)}
    rows = [place[int(p)] for p in decode(points["customdata"])[:, 0]]
    np.testing.assert_allclose(decode(points["x"]), made.actual[rows])
    np.testing.assert_allclose(decode(points["y"]), made.first_order[rows])
    assert f"{text.number(s.with_mean / s.noise)} times the measured one" in texts(at)
    assert url(at).get("matching", "anchors") == matching


def test_the_epoch_moves_pair_and_covariance(run):
    at = opened(PAGE, sample="3", partner="13")
    fine(at.select_slider[0].set_value(10).run())
    np.testing.assert_allclose(line(at, "losses", "ℓ(a; W"), own(10).walk().by_weight)
    expected = differences(planted_samples.samples(10), "anchors").sizes.with_mean
    assert np.isclose(decode(chart(at, "ladder")["data"][0]["customdata"])[-1], expected)


# -- words and figures ------------------------------------------------------------------------------------


def test_what_is_offered_is_of_the_class_and_without_repetition():
    looked = planted_samples.samples(100)
    for label in range(10):
        shown = choice.offered(looked, label)
        assert (looked.targets[shown] == label).all()
        assert len({*shown.tolist()}) == len(shown) == choice.OFFERED
        assert (np.diff(looked.loss[shown]) <= 0).all()
    assert choice._spread(3, 7).tolist() == [0, 1, 2]
    for count in (7, 8, 12, 500, 60_000):
        places = choice._spread(count, 7)
        assert places[0] == 0
        assert (np.diff(places) > 0).all()
        assert places[-1] == count - 1


def test_which_bend_is_missed_is_told_by_the_sizes():
    looked = planted_samples.samples(100)
    made = differences(looked, "nearest")

    def why(one_sided, straightened, first_order, chain=looked.chain):

        sizes = dataclasses.replace(made.sizes, one_sided=one_sided, straightened=straightened, first_order=first_order)
        return text.why(dataclasses.replace(made, sizes=sizes), dataclasses.replace(looked, chain=chain))

    assert "levels off" in why(1.0, 1.1, 50.0)
    assert "leaves its tangent" in why(1.0, 40.0, 50.0)
    assert "carries all the way" in why(1.0, 1.0, 1.1)
    assert "activations switch" in why(1.0, 0.1, 0.1)
    assert "levels off" in why(1.0, 50.0, 50.0, Chain((), LOSSES["ce"]))


def test_the_pairs_are_blamed_only_for_what_they_do():
    looked = planted_samples.samples(100)
    made = differences(looked, "random")

    def told_of(actual, first_order):
        changed = {"noise": 1.0, "actual": actual, "one_sided": actual, "first_order": first_order}
        return text.sizes(dataclasses.replace(made, sizes=dataclasses.replace(made.sizes, **changed)), looked)

    assert "The pairs are not to blame" in told_of(0.6, 60.0)
    assert "The pairs are partly to blame" in told_of(0.3, 0.2)


def test_wide_layers_are_drawn_as_means_over_blocks():
    one = own()
    wide = pair(planted_samples.samples(100), 3, 13)
    tall = np.tile(one.weight, (1, 40))

    wide = dataclasses.replace(wide, weight=tall, start=np.tile(one.start, 40), change=np.tile(one.change, 40))
    z = np.asarray(figures.weights(wide, 0.5).data[1]["z"])
    assert z.shape == (20, 100)
    np.testing.assert_allclose(z[:, 0], tall[:, :8].mean(axis=1), rtol=1e-5)
    assert len(figures.activities(wide, 1.0).data[0]["x"]) == 100


def test_a_layer_that_sees_the_picture_shows_pictures():

    rng = np.random.default_rng(0)
    seen = dataclasses.replace(
        own(), start=rng.normal(size=64), change=rng.normal(size=64), weight=rng.normal(size=(20, 64))
    )
    drawn = figures.images(seen, 0.5, (8, 8))
    for trace, x in zip(drawn.data, (seen.start, seen.start + seen.change / 2, seen.change / 2), strict=True):
        np.testing.assert_allclose(np.asarray(trace["z"]).ravel(), x, rtol=1e-6)


def test_every_figure_carries_its_numbers_and_code_that_runs(run, monkeypatch):
    codes = {}
    draw = plot.draw

    def drawn(figure, key, *words, code=None, **more):
        if code is not None:
            codes[key] = code()
        return draw(figure, key, *words, code=code, **more)

    monkeypatch.setattr("pages.plot.panel.draw", drawn)
    at = opened(PAGE, sample="3", partner="43")
    assert {*codes} == (FIGURES | COVARIANCE) - {"sample", "partner"}
    assert all(sent(at, key)["more"] for key in codes)
    for key, code in codes.items():
        names = {}
        exec(code, names)
        assert "walk" not in names or np.array_equal(names["walk"].actual, own(partner=43).walk().actual), key
