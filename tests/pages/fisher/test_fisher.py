"""The Fisher argument: its numbers from the definitions, and the page that shows them."""

import numpy as np
import pytest

from engine.losses import LOSSES
from engine.results.power_law import power_law
from engine.samples import fisher
from pages.rooms.fisher import figures, text
from tests.pages.conftest import button, by_meta, charts, decode, fine, opened, url
from tests.planted_samples import add_samples, samples

PAGE = "pages/fisher.py"
EPOCHS = (0, 10, 100)
FIGURES = {"argument0", "argument1", "argument2", "slopes", "sizes"}


def arguments():
    return [fisher.of(samples(epoch)) for epoch in EPOCHS]


@pytest.fixture
def looked(store, run):
    add_samples(store, run, *EPOCHS)
    return run


# -- the argument -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", EPOCHS)
def test_the_links_equal_what_single_gradients_say(epoch):
    looked = samples(epoch)
    a = fisher.of(looked)
    z = looked.preactivation(looked.activity)
    delta = looked.chain.gradient(z, looked.targets)
    g = (delta[:, :, None] * looked.activity[:, None, :].astype(float)).reshape(len(looked), -1)
    mean = g.mean(axis=0)
    assert np.isclose(a.mean_gradient, mean @ mean / (g**2).sum(axis=1).mean(), rtol=1e-4)
    assert np.isclose(a.size("empirical"), (g**2).sum(axis=1).mean() / looked.eigenvalues.sum(), rtol=1e-4)
    assert np.isclose(a.size("empirical") * (1 - a.mean_gradient), a.size("BC"), rtol=1e-9)
    axes = looked.directions.reshape(len(looked.directions), -1).astype(float)
    along = (axes @ mean) ** 2 / ((g @ axes.T) ** 2).mean(axis=0)
    direction, most = a.steepest
    assert most >= along.max() - 1e-3
    if direction <= len(along):
        assert np.isclose(most, along[direction - 1], rtol=1e-2)
    assert a.fisher_is_hessian
    assert a.gap < text.NEAR_FISHER
    fit = a.fit("BC", 200, 5)
    assert fit == power_law(a.diagonals["H"][5:200], 50 * looked.diagonals["C"][5:200], a.floor)
    assert a.fit("BC", 2) is None


@pytest.mark.parametrize(("activation", "loss"), [("relu", "mse"), ("tanh", "ce"), ("relu", "linear_mse")])
def test_where_the_first_link_breaks_the_page_says_why(activation, loss):
    a = fisher.of(samples(10, activation, loss))
    sentence = text.first_link([a])
    if loss == "linear_mse":
        assert a.fisher_is_hessian
        assert "they are equal" in sentence
        assert a.gap < text.NEAR_FISHER
    else:
        assert not a.fisher_is_hessian
        assert ("behind a softmax depends on the label" in sentence) == (loss == "mse")
        assert ("is curved" in sentence) == (activation == "tanh")
        assert a.gap > text.NEAR_FISHER


def test_two_classes_give_the_ratio_that_the_words_name():
    p = np.array([0.6, 0.9, 0.999])
    empirical, true = (1 - p) ** 2, p * (1 - p) ** 2 + (1 - p) * p**2
    np.testing.assert_allclose(empirical / true, (1 - p) / p)


def test_the_verdict_follows_the_numbers():
    a = arguments()[0]
    equal = fisher.Argument(0, LOSSES["ce"], True, {**a.diagonals, "BC": a.diagonals["H"]}, a.floor)
    assert text.verdict([equal], 0, 400).startswith("Here it is: at epoch 0 B·C is in sum 1 H, γ = 1.00")
    steep = np.abs(a.diagonals["H"]) ** 1.5
    other = fisher.Argument(9, LOSSES["ce"], True, {**a.diagonals, "BC": steep}, a.floor)
    sentence = text.verdict([equal, other], 0, 400)
    assert sentence.startswith("Only at first: at epoch 0 B·C is in sum 1 H, γ = 1.00; at epoch 9")
    assert "γ = 1.50" in sentence
    assert text.verdict([other], 0, 400).startswith("It is not: ")
    assert text.verdict([other, equal], 0, 400).startswith("Only at the end: ")


def test_the_weakest_link_is_the_one_with_the_largest_factor():
    a = arguments()[0]
    h = a.diagonals["H"]
    for place in range(3):
        sizes = dict(zip(("fisher", "empirical", "BC"), [1.0] * place + [0.5] * (3 - place), strict=True))
        diagonals = {"H": h, "E_h2": h, **{n: s * h for n, s in sizes.items()}}
        broken = fisher.Argument(3, LOSSES["ce"], True, diagonals, a.floor)
        assert text.weakest(broken) == place
        assert text.LINKS[place] in text.verdict([broken], 0, 400)


# -- the page ---------------------------------------------------------------------------------------------


def test_one_button_prepares_all_three_epochs(store, run, monkeypatch):
    started = []
    monkeypatch.setattr("cache.jobs.Jobs.start", lambda self, argv, *_, **__: started.append(argv))
    at = opened(PAGE)
    assert not charts(at)
    button(at, "Look at every sample").click().run()
    assert started == [["samples", "--run", run, "--epoch", "0,10,100", "--layer", "fc2"]]


def test_every_matrix_is_drawn_at_every_epoch_as_it_is(looked):
    at = opened(PAGE)
    assert set(charts(at)) == FIGURES
    for place, a in enumerate(arguments()):
        drawn = by_meta(at, f"argument{place}")
        for name in ("fisher", "empirical", "BC", "E_h2"):
            index = decode(drawn[name]["customdata"])[:, 0].astype(int) - 1
            ratio = a.diagonals[name][index] / a.diagonals["H"][index]
            if name == "E_h2":
                ratio = ratio * a.diagonals["BC"].sum() / a.diagonals[name].sum()
            np.testing.assert_allclose(decode(drawn[name]["y"]), ratio, rtol=1e-6)
            assert drawn[f"{name} fit"]["name"].endswith(f"  {a.fit(name, 400).gamma:.2f}")
    slopes, sizes = by_meta(at, "slopes"), by_meta(at, "sizes")
    np.testing.assert_allclose(decode(slopes["BC"]["y"]), [a.fit("BC", 400).gamma for a in arguments()])
    np.testing.assert_allclose(decode(sizes["empirical"]["y"]), [a.size("empirical") for a in arguments()])
    table = next(m.value for m in at.markdown if m.value.startswith("| matrix"))
    a = arguments()[2]
    assert f"{a.fit('BC', 400).gamma:.3f} ± {a.fit('BC', 400).stderr:.3f}" in table
    assert any(text.verdict(arguments(), 0, 400) in m.value for m in at.markdown)


def test_the_knobs_move_what_they_say(looked):
    at = opened(PAGE)
    fine(at.segmented_control(key="fisher.relative").set_value(False).run())
    points = by_meta(at, "argument2")["BC"]
    a = arguments()[2]
    index = decode(points["customdata"])[:, 0].astype(int) - 1
    np.testing.assert_allclose(decode(points["y"]), a.diagonals["BC"][index], rtol=1e-6)
    fine(at.pills(key="fisher.beside").set_value(["empirical"]).run())
    assert {m for m in by_meta(at, "argument2") if " " not in m} == {"empirical", "H"}
    fine(at.slider(key="fisher.window").set_value((3, 90)).run())
    assert by_meta(at, "argument2")["empirical fit"]["name"].endswith(f"  {a.fit('empirical', 90, 2).gamma:.2f}")
    assert {k: url(at)[k] for k in ("relative", "beside", "window")} == {
        "relative": "no",
        "beside": "empirical",
        "window": "3,90",
    }


def test_the_middle_epoch_is_chosen_among_those_between(store, looked):
    from cache.store import Store
    from engine.runs.library import checkpoint_name

    Store(store.root).write(("runs", looked, "checkpoints", checkpoint_name(50)), {"epoch": 50})
    add_samples(store, looked, 50)
    at = opened(PAGE, middle="50")
    assert at.select_slider(key="fisher.middle").value == 50
    np.testing.assert_allclose(decode(by_meta(at, "slopes")["BC"]["y"])[1], fisher.of(samples(50)).fit("BC", 400).gamma)
    fine(at.select_slider(key="fisher.middle").set_value(10).run())
    assert url(at)["middle"] == "10"
    assert any("Epoch 10: in the middle" in m.value for m in at.markdown)
    assert any("epochs\u00a00,\u00a010,\u00a0100" in c.value for c in at.caption)


def test_a_run_whose_checkpoints_are_gone_is_told_of_one_epoch(store, looked):
    for name in store.list("runs", looked, "checkpoints"):
        store.delete("runs", looked, "checkpoints", name)
    at = opened(PAGE, epoch="10")
    assert set(charts(at)) == {"argument0", "slopes", "sizes"}
    assert any(text.verdict(arguments()[1:2], 0, 400) in m.value for m in at.markdown)


def test_a_figure_without_data_says_so():
    a = arguments()[0]
    empty = fisher.Argument(0, LOSSES["ce"], True, a.diagonals, floor=1e9)
    assert "noise floor" in figures.compare(empty, ("BC",), 0, 400, True, (-1.0, 1.0)).layout.annotations[0].text


def test_numbers_and_code_of_every_figure_are_to_be_had(looked, monkeypatch, capsys):
    taken = {}
    monkeypatch.setattr("pages.plot.panel.draw", lambda figure, key, *_, **more: taken.update({key: more}))
    opened(PAGE)
    assert set(taken) == FIGURES
    for key, more in taken.items():
        assert all(np.asarray(values).size for values in more["arrays"]().values()), key
        names = {}
        exec(more["code"](), names)
        assert names["found"].epoch == (EPOCHS[int(key[-1])] if key[-1].isdigit() else 100)
