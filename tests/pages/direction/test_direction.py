"""What a direction is: its weights as they lie in the network, the samples that carry it, and the way in and back."""

from dataclasses import replace

import numpy as np
import pytest

from engine.config.command_line import parse
from engine.config.commands import AnalyzeCommand, SamplesCommand
from engine.config.requests import AnalysisRequest, SamplesRequest, key, to_json
from engine.results.analysis import Analysis
from engine.runs import library
from engine.samples import table
from pages.data import directions, results
from pages.rooms.direction import dialog
from tests.pages.conftest import button, chart, decode, fine, opened, press, sent, shows, texts, url
from tests.planted import SIDE, add_held_out, analysis, held_out
from tests.planted_samples import PIXELS, add_samples, pictures, placed, samples

PAGE = "pages/commutativity.py"


def put(store, run, made: Analysis, layer="fc2"):
    """An analysis with its directions in place of the planted one of the last epoch."""
    request = AnalysisRequest(run=run, epoch=100, layer=layer)
    arrays, meta = made.to_arrays()
    basis = {"basis": arrays.pop("basis")}
    content = {"request": to_json(request), "created": 200.0, "result": meta}
    store.write(("runs", run, "analyses", key(request)), content, {"main": arrays, "basis": basis})


def of_samples():
    """An analysis of the planted samples, with the directions that are kept beside them."""
    looked = samples(100)
    diagonals = dict(analysis().diagonals) | {"C": looked.diagonals["C"]}
    basis = looked.directions.reshape(len(looked.directions), -1).T
    return replace(analysis(), eigenvalues=looked.eigenvalues, diagonals=diagonals, basis=basis.astype(np.float32))


def asked(at):
    return fine(button(at, "What is it?").click().run())


def cells(at):
    return decode(chart(at, "direction-0")["data"][0]["z"])


def test_a_direction_is_drawn_as_its_weights_until_another_is_chosen(store, run):
    made = of_samples()
    put(store, run, made)
    at = opened(PAGE, direction="3")
    assert "direction-0" not in str([c.proto.id for c in at.get("bidi_component")]), "nothing opens by itself"
    at = asked(at)
    np.testing.assert_allclose(cells(at), made.basis[:, 2].reshape(SIDE, SIDE))
    assert shows(at, "The sign is arbitrary")
    at = press(at, "number_input", "Direction", 5)
    np.testing.assert_allclose(cells(at), made.basis[:, 4].reshape(SIDE, SIDE))
    assert url(at)["direction"] == "5"
    at = press(at, "number_input", "Direction", 31)
    assert "The weights of the leading 30 directions are kept, and this is the 31st." in texts(at)


def test_the_samples_that_carry_it_stand_beside_it_with_their_shares(store, run):
    put(store, run, of_samples())
    add_samples(store, run, 100)
    at = asked(opened(PAGE, direction="2"))
    looked = samples(100)
    v = looked.directions[1].astype(float)
    z = looked.preactivation(looked.activity)
    one_by_one = np.array(
        [np.outer(looked.chain.gradient(z[p], int(looked.targets[p])), looked.activity[p]).ravel() @ v.ravel()
         for p in range(len(looked))]
    )  # fmt: skip
    terms = (one_by_one - one_by_one.mean()) ** 2
    order = np.argsort(-terms)[:6]
    strip = chart(at, "carriers-C")
    assert decode(strip["data"][0]["customdata"]).tolist() == order.tolist()
    shares = [f"{terms[p] / terms.sum():.1%}" for p in order]
    assert [note["text"].split("<br>")[-1] for note in strip["layout"]["annotations"]] == shares
    assert len(strip["layout"]["images"]) == 6
    assert f"**{terms.sum() ** 2 / (terms**2).sum():,.1f}** effective samples carry direction 2 of $C$" in texts(at)
    assert sent(at, "carriers-H")


def test_shares_that_do_not_add_up_to_the_analysis_are_not_told(store, run):
    made = of_samples()
    put(store, run, replace(made, diagonals=dict(made.diagonals) | {"C": 1.1 * made.diagonals["C"]}))
    add_samples(store, run, 100)
    view = results.view_of(results.runs()[0])
    assert [*directions.carriers(view, 1)] == ["H"]
    assert shows(asked(opened(PAGE, direction="1")), "Which samples carry $C_{ii}$ of this direction is not known")


def test_shares_kept_with_other_samples_are_shown_where_single_ones_are_not(store, run):
    add_held_out(store, run, 100)
    known = directions.carriers(results.view_of(results.runs()[0]), 4)
    assert known["C"].index.tolist() == held_out().effective["C"].carriers[3].tolist()
    assert known["C"].shares.tolist() == held_out().effective["C"].shares[3].tolist()


def test_an_older_analysis_says_so_and_offers_to_be_made_again(store, run, started):
    at = asked(opened(PAGE, direction="1"))
    assert dialog.OLDER in texts(at)
    assert not started, "never unasked"
    fine(button(at, "Analyse again").click().run())
    ((argv, queued),) = started
    command = parse(argv)
    assert isinstance(command, AnalyzeCommand)
    assert (command.run, command.epochs, command.again, queued) == (run, ("100",), True, False)


def test_samples_are_looked_at_on_demand(store, run, started):
    put(store, run, of_samples())
    at = asked(opened(PAGE, direction="1"))
    fine(button(at, "Look at every sample").click().run())
    assert isinstance(parse(started[0][0]), SamplesCommand)


def test_a_first_layer_is_drawn_as_images_and_a_convolution_as_its_filters(store, run):
    d = 50 * PIXELS**2
    basis = np.random.default_rng(0).standard_normal((d, 3)).astype(np.float32)
    whole = replace(analysis().provenance, layer="fc1", d_out=50, d_in=PIXELS**2)
    put(store, run, replace(analysis(), basis=basis, provenance=whole), "fc1")
    assert library.find(store, run).layers["fc1"] == (50, 784)
    at = asked(opened(PAGE, direction="2", layer="fc1"))
    assert cells(at).shape == (50, PIXELS**2), "nobody has told how they lie"
    table.keep_pictures(store, library.find(store, run), pictures())
    at = asked(opened(PAGE, direction="2", layer="fc1"))
    z = cells(at)
    tile = z[: PIXELS + 1, PIXELS + 1 : 2 * (PIXELS + 1)]
    np.testing.assert_allclose(tile[:-1, :-1], basis[:, 1].reshape(50, PIXELS, PIXELS)[1])
    assert np.isnan(tile[-1]).all()
    assert np.nansum(z**2) == pytest.approx((basis[:, 1] ** 2).sum(), rel=1e-5)
    scale = chart(at, "direction-0")["data"][0]
    assert scale["zmax"] == -scale["zmin"] == pytest.approx(np.abs(basis[:, 1]).max())
    view = results.view_of(results.runs()[0])
    assert directions.kernel(view, "fc2", PIXELS**2) == (), "its inputs are no pixels"


def test_filters_lie_as_the_checkpoint_has_them(store, run):
    weight = np.zeros((4, 2, 3, 3), np.float32)
    store.write(("runs", run, "checkpoints", "00100"), {"epoch": 100}, {"main": {"conv.weight": weight}})
    view = results.view_of(results.runs()[0])
    view = replace(view, run=replace(view.run, kinds={"conv": "convolution"}))
    assert directions.kernel(view, "conv", 18) == (2, 3, 3)
    assert directions.kernel(view, "conv", 17) == ()
    assert directions.kernel(view, "lost", 18) == ()


def test_before_a_convolution_other_samples_tell_who_carries_it(store, run, started):
    looked = replace(placed(), layer="fc2")
    table.write(store, SamplesRequest(run, 100, "fc2"), library.find(store, run).fingerprint, looked)
    at = asked(opened(PAGE, direction="1"))
    fine(button(at, "Look at other samples").click().run())
    assert parse(started[0][0]).cross_fit
