"""The picture of the idea: what it shows, what is read off it, and the ways to it where it is not there."""

import numpy as np
import pytest

from engine.results.plane import ANGLES
from engine.runs import library, plane
from pages.rooms.start import idea_text
from tests.pages.conftest import button, chart, charts, decode, fine, opened, texts, url, write_job
from tests.planted import fill
from tests.planted_plane import add_planes, bowl


@pytest.fixture
def drawn(store, run):
    add_planes(store, run, 10, 100)
    return run


def test_the_picture_is_the_kept_plane_of_the_pair_and_epoch(store, drawn):
    for params, pair, epoch in (({}, (1, 10), 100), ({"pair": "1,100", "epoch": "10"}, (1, 100), 10)):
        at = opened(**params)
        (made,) = [a for a in library.analyses(store, drawn) if a.request.epoch == epoch]
        kept = plane.read(store, plane.place(drawn, made.key, *pair))
        assert kept is not None
        np.testing.assert_allclose(decode(chart(at, "idea")["data"][0]["z"]), kept.loss[0])
        assert len(chart(at, "idea")["frames"]) == len(ANGLES)


def test_the_answer_is_the_ratio_of_curvatures_and_of_variances(store, drawn):
    at = opened(pair="1,100")
    (made,) = [a for a in library.analyses(store, drawn) if a.request.epoch == 100]
    analysis = library.load_analysis(store, drawn, made.key)
    h, c = (analysis.diagonal(name)[[0, 99]] for name in ("H", "C"))
    assert f"bends **{idea_text._times(h[0] / h[1])} times** as sharply" in texts(at)
    assert f"has **{idea_text._times(c[0] / c[1])} times** the variance" in texts(at)
    assert f"to the power **{np.log(c[0] / c[1]) / np.log(h[0] / h[1]):.2f}**" in texts(at)


def test_pairs_are_chosen_and_stay_in_the_address(drawn):
    at = opened()
    fine(at.segmented_control(key="start.pair").set_value((1, 2)).run())
    assert url(at)["pair"] == "1,2"
    assert opened(pair="3,17").segmented_control(key="start.pair").value == (3, 17)


def test_another_pair_is_measured_by_a_button(drawn, started):
    at = opened(pair="3,17")
    assert "idea" not in charts(at)
    button(at, "Draw the picture").click().run()
    (((*command,), queued),) = started
    assert command == ["plane", "--run", drawn, "--epoch", "100", "--layer", "fc2", "--pairs", "3-17"]
    assert not queued


def test_an_old_run_has_a_button_and_nothing_starts_by_itself(run, started):
    at = opened()
    assert "idea" not in charts(at)
    assert not started
    assert "is not measured yet along directions 1 and 10" in texts(at)
    button(at, "Draw the picture").click().run()
    assert started == [(("plane", "--run", run, "--epoch", "100", "--layer", "fc2"), False)]


def test_a_training_at_work_makes_it(store, run):
    import os

    from engine.config.command_line import words
    from engine.config.commands import TrainCommand

    request = library.find(store, run).request
    argv = words(TrainCommand(request, ("last",), planes=True))
    write_job(store.root / "jobs", "at-work", argv, "t", os.getpid(), state="running", stage="x", done=1, total=2)
    at = opened()
    assert "it appears here by itself" in texts(at)
    assert all(b.label != "Draw the picture" for b in at.button)


def test_what_has_no_plane_says_why(store, monkeypatch):
    fill(store)
    monkeypatch.setattr(plane, "_k", lambda run, made: 3)
    assert "need four directions, and this layer has 3" in texts(opened())


def test_sentences_follow_from_their_numbers():
    assert idea_text.answer(bowl((8.0, 2.0), (16.0, 1.0))).startswith(
        "Yes: direction 1 bends **4 times** as sharply as direction 10, and the noise along it has **16 times** the "
        "variance: 4 to the power **2.00**."
    )
    assert idea_text.answer(bowl((8.0, 2.0), (1.0, 2.0))).startswith("Not for this pair: direction 1 bends **4 times**")
    assert "nearly alike (1.1 : 1), and so is the noise" in idea_text.answer(bowl((2.2, 2.0), (1.0, 1.0)))
    assert "the noise differs (0.1 : 1)" in idea_text.answer(bowl((2.2, 2.0), (0.1, 1.0)))
    assert "has 0.1% of the curvature and 0.1% of the noise" in idea_text.legend(bowl((8.0, 2.0), (16.0, 1.0)))
    assert "what chance would show" in idea_text.legend(bowl((8.0, 2.0), (0.0, 0.0)))
    assert "the noise differs (5 : 1)" in idea_text.answer(bowl((2.2, 2.0), (5.0, 1.0)))
    assert "does not bend upwards" in idea_text.answer(bowl((2.2, -2.0), (5.0, 1.0)))
    assert idea_text.headline(bowl((1000.0, 2.0), (16.0, 1.0))) == "500 times as sharp, 16 times as noisy"
    assert idea_text.headline(bowl((2.0, -2.0), (16.0, 1.0))).endswith("nothing to compare")
    assert "$R = 0.30$" in idea_text.legend(bowl((8.0, 2.0), (16.0, 1.0), tilt=0.3))
    assert "Steps η(∇L_B − ∇L)" in idea_text.provenance(bowl((8.0, 2.0), (1.0, 1.0)), 20.0)
    assert "20 times as large" in idea_text.provenance(bowl((8.0, 2.0), (1.0, 1.0)), 20.0)
    assert "η not known" in idea_text.provenance(bowl((8.0, 2.0), (1.0, 1.0), rate=float("nan")), 1.0)
