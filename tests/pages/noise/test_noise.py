"""The page on the shape of the noise: what it says follows the numbers, and one button makes them."""

import math
from dataclasses import replace

import numpy as np
import pytest

from engine.config.commands import NoiseCommand
from engine.results.noise import EVERY, NONE, SEEDS, SGD, STEPS
from engine.runs import library
from pages.data import results
from pages.rooms.noise import figures, text
from tests.pages.conftest import button, by_meta, charts, decode, fine, opened, press, url, write_job
from tests.planted import add_noise, descents, recorded

PAGE = "pages/noise.py"
FIGURES = {"noise_loss", "noise_accuracy", "noise_trace", "noise_sharpness"}


@pytest.fixture
def made(store, run):
    add_noise(store, run)
    return run


# -- the answer -------------------------------------------------------------------------------------------


def test_the_answer_follows_the_numbers():
    yes = text.verdict(descents(odds=False))
    assert yes.startswith("Yes, in the loss: it ends at 0.12")
    assert r"under $C$, $\mathrm{E}[h^2]$ and $H$, at 0.10" in yes
    assert "In tr H, λ₁ and the accuracy on unseen samples no shape makes a difference beyond the chance of 5" in yes
    assert "In the loss SGD itself, at 0.11" in yes
    assert yes.endswith("can be told from every one of them.")
    no = text.verdict(descents(shift=0.0))
    assert no.startswith(
        "Not that it could be told here: over 5 seeds no shape of the noise leads to another loss, tr H"
    )
    assert no.endswith("None of them can be told from SGD itself.")


def test_what_cannot_be_answered_is_said():
    assert text.verdict(descents(seeds=2)).startswith("2 of 5 seeds are there: what differs by chance cannot be told")
    diverged = descents()
    for noises in diverged.values.values():
        noises["C"][0, -1] = np.nan
    assert text.verdict(diverged).startswith("At this learning rate a descent diverges")


def test_where_descents_diverge_or_batches_are_all_samples_no_number_is_made_up(store, run):
    view, diverged = results.view_of(library.run(store, run)), descents()
    assert "% as large at the end" in text.fairness(view, diverged)
    for noises in diverged.values.values():
        noises[SGD][0, -1] = noises[NONE][0, -1] = np.nan
    told = text.fairness(view, replace(diverged, batch_size=diverged.samples + 9))
    assert "nan" not in told
    assert "Without noise the loss diverges." in told
    assert "(N − B)/(N − 1) = 0.00 times" in told


def test_those_like_sgd_are_named():
    d = descents(odds=False)
    d.values["loss"]["C"][:] = d.values["loss"][SGD][::-1]
    assert r"can be told from $\mathrm{E}[h^2]$" in text.verdict(d)
    assert text.verdict(d).endswith("From $C$ the 5 seeds do not tell it.")


def test_why_it_starts_there_follows_the_accuracy(store, run, monkeypatch):
    view = results.view_of(library.run(store, run))
    for share, word in ((0.5, "below 99%"), (0.995, "has learned nearly all"), (math.nan, "is not known")):
        monkeypatch.setattr(text.noise, "accuracy", lambda *_, share=share: share)
        assert word in text.where(view), share


def test_the_number_of_steps_is_that_of_the_descents(store, run):
    whole = descents(seeds=3)
    cut = {m: {n: rows[:, : 100 // EVERY[m] + 1] for n, rows in by.items()} for m, by in whole.values.items()}
    view = results.view_of(library.run(store, run))
    assert "- 100 steps are short" in text.fairness(view, replace(whole, steps=100, values=cut))


# -- the figures ------------------------------------------------------------------------------------------


def test_names_stand_beside_the_ends_and_do_not_touch():
    figure = figures.along(descents(), "loss", "loss")
    notes = figure.layout.annotations
    assert [n.text for n in notes if n.text == "<b>SGD</b>"]
    heights = np.sort([n.y for n in notes])
    assert np.diff(heights).min() > 0.99 * figures.APART / 200
    ends = {t.meta: t.y[-1] for t in figure.data if " " not in t.meta}
    by_height = [n.text for n in sorted(notes, key=lambda n: n.y)]
    order = [figures.look(name).html for name in sorted(ends, key=ends.get)]
    assert [t.removeprefix("<b>").removesuffix("</b>") for t in by_height] == order


def test_without_test_samples_the_figure_says_so():
    d = descents()
    for rows in d.values["accuracy"].values():
        rows[:] = np.nan
    assert "never used" in figures.along(d, "accuracy", "accuracy").layout.annotations[0].text
    assert "never used" in figures.along(d, "accuracy", "accuracy", True).layout.annotations[0].text


# -- the page ---------------------------------------------------------------------------------------------


def test_one_button_makes_them_from_where_there_is_noise(store, run, started):
    at = opened(PAGE)
    assert not charts(at)
    told = at.info[0].value
    assert "From epoch 10" in told
    assert "That takes about" in told
    button(at, "Start the descents").click().run()
    assert started == [(("noise", "--run", run, "--epoch", "10", "--layer", "fc2"), False)]


def test_the_lines_are_what_is_kept(made):
    at = opened(PAGE)
    assert set(charts(at)) == FIGURES
    assert not [b for b in at.button if b.label in ("Start the descents", "Go on")]
    d = descents()
    drawn = by_meta(at, "noise_loss")
    assert {name for name in drawn if " " not in name} == set(d.names)
    for name in d.names:
        np.testing.assert_allclose(decode(drawn[name]["y"]), d.mean("loss", name))
    np.testing.assert_allclose(decode(drawn["C"]["customdata"]), d.deviation("loss", "C"))
    assert any(m.value == text.verdict(d) for m in at.markdown)
    assert any("Started from the last analysed checkpoint below 99%" in c.value for c in at.caption)
    at = press(at, "segmented_control", "Lines", True)
    less = by_meta(at, "noise_loss")
    np.testing.assert_allclose(decode(less["C"]["y"]), d.mean("loss", "C") - d.mean("loss", NONE), atol=1e-12)
    assert url(at)["relative"] == "yes"


def test_another_epoch_is_another_start(made):
    at = opened(PAGE, epoch="100")
    assert not charts(at)
    assert "From epoch 100" in at.info[0].value


def test_seeds_that_are_missing_can_be_made_and_a_stop_is_told(store, run, started):
    add_noise(store, run, seeds=2)
    at = opened(PAGE)
    assert set(charts(at)) == FIGURES
    assert "2 of 5 seeds are there already" in at.info[0].value
    argv = ["noise", "--run", run, "--epoch", "10", "--layer", "fc2"]
    write_job(store.root / "jobs", "ended", argv, "Noise", 0, queue=False, state="cancelled", message="Stopped. Kept.")
    at = opened(PAGE)
    assert at.warning[0].value == "Stopped. Kept."
    button(at, "Go on").click().run()
    assert started[0][0] == tuple(argv)


def test_work_that_goes_on_is_shown(store, run, started):
    at = opened(PAGE)
    button(at, "Start the descents").click().run()
    assert not [b for b in at.button if b.label == "Start the descents"]
    assert [b for b in at.button if b.label == "Stop"]


def test_a_run_of_a_script_gets_its_command(store):
    recorded(store)
    at = opened(PAGE)
    assert "recorder.descend(3, " in at.info[-1].value
    assert "engine noise" in at.code[0].value


def test_what_noise_cannot_be_drawn_for_is_a_sentence(store, run, monkeypatch):
    monkeypatch.setattr("engine.runs.noise.LIMIT", 100)
    at = fine(opened(PAGE))
    assert "Noise of every shape needs the root of a matrix" in at.warning[0].value
    assert not charts(at)


def test_the_command_makes_what_the_page_waits_for():
    assert NoiseCommand().steps == STEPS
    assert NoiseCommand().seeds == SEEDS
