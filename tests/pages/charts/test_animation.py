"""The epochs as frames of one figure."""

import dataclasses
import json

import numpy as np
import pytest

from pages.charts import animation
from pages.charts.animation import Frame
from pages.charts.power_law import Cloud, power_law
from tests.pages.charts.conftest import RESULT, large
from tests.pages.conftest import decode
from tests.planted import analysis


def frames(epochs=(0, 10, 100), k=12):
    analyses = [analysis(gamma=1 + 0.1 * np.log10(1 + e), seed=e) for e in epochs]
    return [
        Frame(e, a.projected("C", k), a.correlation("C", k), f"γ = {a.fit('C').gamma:.2f}")
        for e, a in zip(epochs, analyses, strict=True)
    ]


def test_the_epochs_are_frames_of_one_figure_on_one_scale():
    shown = frames()
    random = RESULT.random_correlation("C", 12)
    figure = json.loads(animation.play(shown, 10, random, marked=5).to_json())
    heat = [t for t in figure["data"] if t["type"] == "heatmap"]
    assert len(heat) == 3
    np.testing.assert_allclose(decode(heat[0]["z"]), shown[1].block, rtol=1e-6)
    np.testing.assert_allclose(decode(heat[2]["z"]), random, atol=1e-6)
    assert figure["layout"]["title"]["text"] == shown[1].title
    assert [f["name"] for f in figure["frames"]] == ["0", "10", "100"]
    largest = max(np.abs(f.block).max() for f in shown)
    assert heat[0]["zmax"] == pytest.approx(largest)
    for made, epoch_frame in zip(figure["frames"], shown, strict=True):
        k_cells, r_cells = (decode(t["z"]) for t in made["data"])
        np.testing.assert_allclose(k_cells, epoch_frame.block, rtol=1e-6)
        np.testing.assert_array_equal(r_cells, np.rint(100 * epoch_frame.correlation))
        assert [figure["data"][t]["type"] for t in made["traces"]] == ["heatmap", "heatmap"]
        assert f"Epoch {epoch_frame.epoch}" in made["layout"]["title"]["text"]
        assert epoch_frame.numbers in made["layout"]["title"]["text"]
    assert {(s["xref"], s["x0"]) for s in figure["layout"]["shapes"]} == {
        (f"x{end}", x) for end in ("", "2", "3") for x in (-0.5, 3.5)
    }
    (slider,) = figure["layout"]["sliders"]
    assert slider["active"] == 1
    assert [s["label"] for s in slider["steps"]] == ["0", "10", "100"]
    play, pause = figure["layout"]["updatemenus"][0]["buttons"]
    assert play["args"][0] is None
    assert pause["args"][0] == [None]


def test_a_second_slider_moves_the_ends_of_all_axes():
    shown, random = frames(), RESULT.random_correlation("C", 12)
    figure = animation.play(shown, 10, random, leading=(3, 12))
    epochs, leading = figure.layout.sliders
    assert [step.label for step in epochs.steps] == ["0", "10", "100"]
    assert [(step.label, step.method) for step in leading.steps] == [("3", "relayout"), ("12", "relayout")]
    assert leading.active == 1
    (change,) = leading.steps[0].args
    for end in ("", "2", "3"):
        assert change[f"xaxis{end}.range"] == [-0.5, 2.5]
        assert change[f"yaxis{end}.range"] == [2.5, -0.5]
        assert change[f"xaxis{end}.tickvals"] == change[f"yaxis{end}.tickvals"] == ["1", "2", "3"]
    assert epochs.pad.t < leading.pad.t


def test_figures_of_any_kind_play_on_axes_that_hold_all_of_them():
    x, y = 10 ** np.linspace(0, -4, 40), 10 ** np.linspace(0, -6, 40)
    early = power_law([Cloud("C", x, y, floor=1e-3)])
    late = power_law([Cloud("C", 100 * x, y**1.2), Cloud("C_awd", x, y)])
    figure = animation.through({0: early, 10: late}, 0)
    uids = [trace.uid for trace in figure.data]
    assert {trace.uid for trace in (*early.data, *late.data)} == set(uids)
    assert len(uids) == len(set(uids))
    for frame, source in zip(figure.frames, (early, late), strict=True):
        assert list(frame.traces) == list(range(len(uids)))
        there = {trace.uid: trace for trace in source.data}
        for uid, trace in zip(uids, frame.data, strict=True):
            for axis in ("x", "y"):
                values = there[uid][axis] if uid in there else [None]
                np.testing.assert_array_equal(trace[axis], values)
    assert [[shape.visible for shape in frame.layout.shapes] for frame in figure.frames] == [[True], [False]]
    assert figure.layout.xaxis.range[0] <= -4
    assert figure.layout.xaxis.range[1] >= 2
    assert [step.args[0] for step in figure.layout.sliders[0].steps] == [("0",), ("10",)]


def test_the_frames_stay_small():
    assert animation.fewer(range(5)) == [0, 1, 2, 3, 4]
    few = animation.fewer(range(100))
    assert (len(few), few[0], few[-1]) == (animation.FRAMES, 0, 99)
    k = animation.MOST
    one = Frame(0, large(k), np.tanh(large(k)), "")
    many = [dataclasses.replace(one, epoch=e) for e in range(animation.FRAMES)]
    assert len(animation.play(many, 0, one.correlation).to_json()) < 2e6
