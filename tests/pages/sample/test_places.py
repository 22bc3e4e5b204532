"""The page of one sample before a convolution: what it draws equals the engine, and each knob changes it."""

from dataclasses import replace

import numpy as np
import pytest

from engine.config.requests import SamplesRequest
from engine.runs import library
from engine.samples import close_up
from pages.charts import places
from pages.rooms.sample import text
from pages.state import palette
from tests.pages.conftest import button, by_meta, chart, charts, decode, opened, texts
from tests.planted_samples import PLACED, add_places, close_up_of, placed

PAGE = "pages/sample.py"
FIGURES = {
    "strip",
    "stiffness",
    "probabilities",
    "places",
    "places_of_g",
    "kappa",
    "u",
    "alignment",
    "v",
    "filters",
    "filter",
}
OTHER = 7


def pair_of(p):
    return p, int(placed().partner[p])


def stiffest():
    return int(np.abs(placed().kappa[:, 0]).argmax())


@pytest.fixture
def looked(store, run):
    add_places(store, run, pair_of(stiffest()), pair_of(OTHER))
    return run


def test_every_figure_shows_the_engines_numbers(looked):
    at = opened(PAGE, layer=PLACED)
    assert set(charts(at)) == FIGURES
    one = close_up_of(*pair_of(stiffest()))
    shares, gradient = (decode(chart(at, key)["data"][0]["z"]) for key in ("places", "places_of_g"))
    np.testing.assert_allclose(shares.ravel(), one.shares[0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(gradient.ravel(), one.gradient, rtol=1e-5, atol=1e-7)
    assert shares.shape == placed().shape == (5, 5)
    np.testing.assert_allclose(decode(by_meta(at, "kappa")["kappa"]["y"])[: one.rank], np.abs(one.kappa[: one.rank]))
    heaviest = max(range(4), key=one.weight_of)
    block = decode(chart(at, "filter")["data"][0]["z"])
    np.testing.assert_allclose(block, one.filter_hessian(heaviest), rtol=1e-4, atol=1e-6 * np.abs(block).max())
    assert text.carried(placed(), one, 1) in texts(at)


def test_an_eigenvector_is_drawn_as_its_filters(looked):
    at = opened(PAGE, layer=PLACED)
    one = close_up_of(*pair_of(stiffest()))
    z = decode(chart(at, "u")["data"][0]["z"]).reshape(2, 3, 4, 3)[:, :2, :, :2]  # input, row, output, column
    u = z.transpose(2, 0, 1, 3).reshape(4, 8)
    np.testing.assert_allclose(np.abs(u), np.abs(one.vectors[0]), rtol=1e-4, atol=1e-6)


def test_a_link_names_sample_eigenvalue_and_filter(looked):
    at = opened(PAGE, layer=PLACED, sample=str(OTHER), mode="2", filter="3")
    one = close_up_of(*pair_of(OTHER))
    shares = decode(chart(at, "places")["data"][0]["z"])
    np.testing.assert_allclose(shares.ravel(), one.shares[1], rtol=1e-4, atol=1e-6)
    block = decode(chart(at, "filter")["data"][0]["z"])
    np.testing.assert_allclose(block, one.filter_hessian(2), rtol=1e-4, atol=1e-6 * np.abs(block).max())
    weights = by_meta(at, "filters")["filters"]
    np.testing.assert_allclose(decode(weights["y"]), [one.weight_of(o) for o in range(4)])
    assert weights["marker"]["color"].index(palette.MARK) == 2


def test_of_an_indefinite_hessian_the_heaviest_channel_is_drawn_too(store, looked, monkeypatch):
    monkeypatch.setattr("pages.rooms.sample.figures.SIDE", 4)  # one input channel
    pair = pair_of(stiffest())
    one = close_up_of(*pair)
    one = replace(one, kappa=-one.kappa, trace=-one.trace)
    request = SamplesRequest(looked, 100, PLACED)
    close_up.write(store, close_up.place(request, library.find(store, looked).fingerprint, *pair), one)
    blocks = [one.filter_hessian(o).reshape(2, 4, 2, 4) for o in range(4)]
    o = next(o for o, block in enumerate(blocks) if np.trace(block[1, :, 1]) < np.trace(block[0, :, 0]))
    drawn = decode(chart(opened(PAGE, layer=PLACED, filter=str(o + 1)), "filter")["data"][0]["z"])
    np.testing.assert_allclose(drawn, blocks[o][1, :, 1], rtol=1e-4, atol=1e-6 * np.abs(drawn).max())


def test_one_button_takes_a_sample_in_hand_with_those_of_the_strip(looked, monkeypatch):
    started = []
    monkeypatch.setattr("cache.jobs.Jobs.start", lambda self, argv, title, **more: started.append((argv, title)))
    softest = int(np.abs(placed().kappa[:, 0]).argmin())
    at = opened(PAGE, layer=PLACED, sample=str(softest))
    assert set(charts(at)) == {"strip", "stiffness"}
    button(at, "Look closely").click().run()
    ((argv, title),) = started
    assert argv[:-1] == ["samples", "--run", looked, "--epoch", "100", "--layer", PLACED, "--pairs"]
    pairs = [tuple(map(int, words.split(":"))) for words in argv[-1].split(",")]
    shown = decode(chart(at, "strip")["data"][0]["customdata"]).tolist()
    missing = [pair_of(p) for p in shown if p not in (stiffest(), OTHER)]
    assert pairs == [pair_of(softest), *missing]
    assert title == f"{len(pairs)} samples in hand, layer conv"


def test_numbers_and_code_of_every_figure_are_to_be_had(looked, monkeypatch):
    taken = {}
    monkeypatch.setattr("pages.plot.panel.draw", lambda figure, key, *_, **more: taken.update({key: more}))
    opened(PAGE, layer=PLACED)
    assert set(taken) == FIGURES
    del taken["strip"]
    for key, more in taken.items():
        assert all(np.asarray(values).size for values in more["arrays"]().values()), key
        names = {}
        exec(more["code"](), names)
        assert names["found"].layer == PLACED


def test_tokens_are_bars_and_volumes_are_slices():
    figure = places.where(np.array([0.2, -0.1, 0.9]), (3,), "share", "share")
    assert figure.data[0].type == "bar"
    assert figure.data[0].marker.color[1] != figure.data[0].marker.color[0]
    scaled = places.where(np.array([0.1, 0.2]), (2,), "missed", "missed", limit=4.0)
    assert tuple(scaled.layout.yaxis.range) == (-0.08, 4.2), "two rows of bars have one scale"
    z = np.arange(24.0)
    cells = np.asarray(places.where(z, (2, 3, 4), "share", "share").data[0].z)
    np.testing.assert_array_equal(cells[:, :4], z.reshape(2, 3, 4)[0])
    np.testing.assert_array_equal(cells[:, 5:9], z.reshape(2, 3, 4)[1])


def test_of_many_filters_the_heaviest_are_drawn():
    rng = np.random.default_rng(0)
    w = rng.standard_normal((40, 20 * 9))
    w[7] *= 10
    cells = places.filters(w, (20, 3, 3), "w").data[0]
    names = np.asarray(cells.customdata)
    assert names.shape[:2] == (places.DOWN * 4, places.ACROSS * 4)
    assert 8 in names[..., 0]
    i, j = names[0, 0]
    np.testing.assert_allclose(np.asarray(cells.z)[:3, :3], w.reshape(40, 20, 3, 3)[i - 1, j - 1], rtol=1e-5)
