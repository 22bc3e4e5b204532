"""The dynamics page over a planted run, and over two beside each other."""

import numpy as np
import pytest

from engine.runs import library
from engine.runs.library import checkpoint_name
from pages.state.palette import TRAIN
from tests.pages.conftest import button, chart, charts, decode, fine, opened, press, result, url, widget
from tests.pages.dynamics.conftest import LEARNED, PAGE, by_name, planted
from tests.planted import fill

# -- the page ---------------------------------------------------------------------------------------------


def test_it_shows_the_last_epoch_with_its_provenance(at, run):
    assert at.title[0].value == "How does the law arise during training?"
    assert not at.warning
    assert not at.info
    drawn = set(charts(at))
    assert drawn == {
        *("gammas", "commutators", "alignments", "spearman", "norms", "training"),
        *("parts", "approximations"),
    }
    (source,) = (c.value for c in at.caption if f"Run\u00a0{run[:8]}" in c.value)
    assert "4\u00a0epochs\u00a0(0\u00a0…\u00a0100)" in source


def test_the_covariances_pressed_are_the_ones_drawn(at, run):
    assert set(by_name(at, "gammas")) == {"C", "C_awd"}
    fine(at.get("button_group")[0].set_value(["C", "C_hh_sd"]).run())
    for key in ("gammas", "spearman"):
        assert set(by_name(at, key)) == {"C", "C_hh_sd"}
    assert url(at)["matrices"] == "C,C_hh_sd"
    fine(at.get("button_group")[0].set_value([]).run())
    assert "Press at least one covariance" in at.info[0].value
    assert by_name(at, "norms")


def test_the_epoch_of_full_accuracy_is_marked_and_told(at):
    for key in ("gammas", "commutators", "alignments", "spearman", "norms", "training"):
        marks = [s["x0"] for s in chart(at, key)["layout"]["shapes"] if s["line"]["color"] == TRAIN]
        assert marks, key
        np.testing.assert_allclose(marks, np.log10(1 + LEARNED))
    assert any(f"for the first time at epoch {LEARNED} " in m.value for m in at.markdown)


def test_a_run_that_never_reaches_full_accuracy_says_how_far_it_came(store):
    planted(store, learned=None)
    at = opened(PAGE, approximations="yes")
    assert all(s["line"]["color"] != TRAIN for s in chart(at, "gammas")["layout"]["shapes"])
    # 99.9997 % is not 100 %.
    assert any("never reached 100 %; its highest was 99.99% at epoch 100" in m.value for m in at.markdown)


def test_one_epoch_of_several_says_how_to_get_more_and_shows_the_rest(store):
    run = planted(store, epochs=(100,))
    store.write(("runs", run, "checkpoints", checkpoint_name(10)), {"epoch": 10})
    at = opened(PAGE, approximations="yes")
    assert button(at, "Analyse all epochs")
    drawn = set(charts(at))
    assert drawn == {"training", "parts", "approximations"}


def test_one_press_trains_a_run_of_one_checkpoint_again_with_several(store, started):
    planted(store, epochs=(100,))
    at = opened(PAGE, approximations="yes")
    assert "kept only one checkpoint" in at.info[0].value
    fine(button(at, "Train again, keeping epochs 0, 1, 10, 30, 100").click().run())
    (words, queued), *_ = started
    assert words[0] == "train"
    assert " ".join(words).endswith("--checkpoints 0,1,10,30,100 --analyze all")
    assert queued


def test_one_press_analyses_all_epochs(store, started):
    run = planted(store, epochs=(100,))
    for epoch in (0, 10):
        store.write(("runs", run, "checkpoints", checkpoint_name(epoch)), {"epoch": epoch})
    at = opened(PAGE, approximations="yes")
    fine(button(at, "Analyse all epochs").click().run())
    assert started[0] == (("analyze", "--run", run, "--epoch", "all", "--batch-size", "50", "--layer", "fc2"), True)
    assert "Analysing …" in at.info[0].value


# -- two runs ---------------------------------------------------------------------------------------------


@pytest.fixture
def other(store):
    """A second run, of fewer epochs, with smaller norms."""
    key = fill(store, epochs=(0, 10, 50), seed=1)
    for made in library.analyses(store, key):
        parts = ("runs", key, "analyses", made.key)
        entry = store.read(*parts)
        meta = dict(entry.meta)
        meta["result"] = meta["result"] | {"squares": {n: v / 1e6 for n, v in meta["result"]["squares"].items()}}
        store.write(parts, meta, {"main": entry.arrays()})
    return key


def test_a_second_run_is_drawn_beside_the_first_in_every_panel(store, run, other):
    at = opened(PAGE, approximations="yes", run=run)
    first = set(charts(at))
    assert len(first) == 8
    press(at, "selectbox", "Beside it", other)
    assert url(at)["runs"] == other
    assert set(charts(at)) == first | {f"{key}_beside" for key in first}
    epochs = (0, 10, 50)
    drawn = by_name(at, "gammas_beside")["C"]
    np.testing.assert_allclose(decode(drawn["y"]), [result(store, other, e).fit("C").gamma for e in epochs])
    np.testing.assert_allclose(
        decode(by_name(at, "norms_beside")["C"]["y"]), [result(store, other, e).frobenius("C") for e in epochs]
    )
    for key in (run, other):
        assert any(f"Run\u00a0{key[:8]}" in c.value for c in at.caption)
    assert any("at epoch 100 and 50" in m.value for m in at.markdown)
    press(at, "selectbox", "Beside it", None)
    assert set(charts(at)) == first
    assert "runs" not in url(at)


def test_both_runs_are_drawn_on_the_same_axes(run, other):
    at = opened(PAGE, approximations="yes", run=run, runs=other)
    for key in charts(at):
        if key.endswith("_beside"):
            continue
        left, right = (chart(at, k)["layout"] for k in (key, f"{key}_beside"))
        for axis in ("xaxis", "yaxis", "xaxis2", "yaxis2"):
            assert left.get(axis, {}).get("range") == right.get(axis, {}).get("range"), (key, axis)
    low, high = chart(at, "norms")["layout"]["yaxis"]["range"]
    for key in ("norms", "norms_beside"):
        for trace in chart(at, key)["data"]:
            assert low < np.log10(decode(trace["y"])).min()
            assert np.log10(decode(trace["y"])).max() < high


def test_the_compared_runs_behind_the_first_stay(store, run, other):
    third = fill(store, epochs=(0, 10), seed=2)
    at = opened(PAGE, approximations="yes", run=run, runs=f"{other},{third}")
    second = widget(at, "selectbox", "Beside it")
    assert second.value == other
    second.set_value(third).run()
    assert url(at)["runs"] == third
    second = widget(at, "selectbox", "Beside it")
    second.set_value(other).run()
    assert url(at)["runs"] == other


def test_a_second_run_that_is_not_analysed_is_told(store, run):
    bare = fill(store, epochs=(), seed=1)
    at = opened(PAGE, approximations="yes", run=run, runs=bare)
    assert any("Nothing of it is analysed yet" in c.value for c in at.caption)
    assert len(charts(at)) == 8
