"""A pair of samples, and all pairs of a checkpoint, against torch, brute force and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, grad, jacrev

from engine.losses import LOSSES
from engine.samples.all_pairs import MATCHINGS, differences, matched
from engine.samples.collect import look
from engine.samples.downstream import Chain
from engine.samples.pair import pair
from tests.engine.samples.test_table import network
from tests.reference import losses, twins

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}
CASES = [("relu", "ce"), ("tanh", "mse"), ("gelu", "linear_mse"), ("tanh", "ce")]
BATCH = 5


def looked(activation="relu", loss="ce", layer="fc2", seed=0):
    """Samples of a small network with biases, and what follows their activities as a network of its own."""
    model, inputs, targets = network(ACTIVATIONS[activation], seed)
    samples = look(model, inputs, targets, layer, loss, BATCH, 7, ("a", "b", "c"), "cpu")
    names = [name for name, _ in model.named_children()]
    tail = nn.Sequential()
    for name in names[names.index(layer) :]:
        tail.add_module(name, model.get_submodule(name))
    return samples, tail.double(), torch.from_numpy(samples.activity).double()


def by_hand(tail, layer, loss, a, weight, target):
    """Loss and gradient in the layer's weight of one sample, by torch."""
    w = torch.as_tensor(weight)
    value = lambda w: losses.sample_loss(functional_call(tail, {f"{layer}.weight": w}, (a[None],))[0], target, loss)  # noqa: E731
    return float(value(w).detach()), grad(value)(w).detach().numpy()


@pytest.mark.parametrize(("activation", "loss"), CASES)
@pytest.mark.parametrize("layer", ["fc2", "fc3"])
def test_losses_gradients_and_both_terms_are_torchs(activation, loss, layer):
    samples, tail, a = looked(activation, loss, layer)
    g, h = twins.per_sample(tail, layer, a, torch.from_numpy(samples.targets), loss)
    weight = tail.get_submodule(layer).weight.detach()
    for p, q in ((0, 3), (5, 20), (7, 8)):
        one, target = pair(samples, p, q), torch.tensor(samples.targets[p])
        change = a[q] - a[p]
        dual = twins.minimal_weight_change(weight, a[p], change)
        twins.compare(one.weight_change, dual.numpy(), 1e-9, "ΔW*")
        assert np.linalg.matrix_rank(one.weight_change) == 1
        v = (h[p] @ dual.flatten()).reshape(weight.shape).numpy()
        assert np.allclose(one.curvature_term, v, rtol=1e-9, atol=1e-12 * np.abs(v).max(initial=1e-9))
        u = np.outer(twins.per_preactivation(tail, layer, a[[p]], target[None], loss)[0][0].numpy(), change.numpy())
        twins.compare(one.activity_term, u, 1e-10, "u")
        for t in (0.0, 0.3, 1.0):
            here = np.array([t])
            value, gradient = by_hand(tail, layer, loss, a[p] + t * change, weight, target)
            assert np.isclose(one.loss_by_activity(here)[0], value, rtol=1e-11)
            twins.compare(one.gradient_by_activity(t), gradient, 1e-9, f"gradient at t = {t}")
            value, gradient = by_hand(tail, layer, loss, a[p], weight + t * dual, target)
            assert np.isclose(one.loss_by_weight(here)[0], value, rtol=1e-11)
            turned = np.eye(len(change)) + t * np.outer(a[p], change) / float(a[p] @ a[p])
            twins.compare(one.gradient_by_weight(t), gradient @ turned, 1e-9, f"the other gradient at t = {t}")
        walk = one.walk(11)
        for i, t in enumerate(walk.t):
            _, gradient = by_hand(tail, layer, loss, a[p] + t * change, weight, target)
            moved = gradient - g[p].reshape(weight.shape).numpy()
            expected = [moved, t * (v + u), t * v, t * u, moved - t * (v + u)]
            changes = [getattr(walk, name)[i] for name in ("actual", "first_order", "curvature", "activity", "error")]
            twins.compare(changes, [np.linalg.norm(x) for x in expected], 1e-7, f"norms at t = {t}")


numbers = st.integers(0, 10**6)


@given(numbers, st.sampled_from(CASES), st.floats(0, 1))
def test_the_identities_hold_for_any_pair_and_step(seed, case, t):
    rng = np.random.default_rng(seed)
    samples, _, _ = _SMALL[case]
    p, q = rng.choice(len(samples), 2, replace=False)
    one = pair(samples, int(p), int(q))
    here = np.array([t])
    np.testing.assert_allclose(one.loss_by_activity(here), one.loss_by_weight(here), rtol=1e-10, atol=1e-14)
    assert one.gradient_error(t) < 1e-10
    # Any other change of weights with the same effect is larger.
    other = rng.standard_normal(one.weight.shape)
    other -= np.outer(other @ one.start, one.share)
    np.testing.assert_allclose((one.weight_change + other) @ one.start, one.push, atol=1e-10)
    assert np.linalg.norm(one.weight_change + other) > np.linalg.norm(one.weight_change)


_SMALL = {case: looked(*case) for case in CASES}


def test_the_label_of_another_class_is_no_matter_of_weights():
    samples, tail, a = looked()
    one = pair(samples, 0, 1)
    assert one.target != one.other
    expected = float(losses.sample_loss(tail(a[[1]])[0].detach(), torch.tensor(one.other), "ce"))
    assert np.isclose(one.loss_by_activity(np.ones(1), one.other)[0], expected)
    assert not np.isclose(one.loss_by_weight(np.ones(1))[0], expected, rtol=0.01)


def test_first_order_errs_by_the_square_of_the_step_where_everything_is_smooth():
    samples, _, _ = looked("tanh", "ce")
    walk = pair(samples, 2, 5).walk(10001)
    assert np.isclose(walk.error[2] / walk.error[1], 4, rtol=1e-2)
    assert np.isclose(walk.relative[2] / walk.relative[1], 2, rtol=1e-2)


def test_the_error_of_squares_without_a_tail_is_the_product_that_is_left_out():
    samples, _, _ = looked("relu", "linear_mse", "fc3")
    one = pair(samples, 4, 9)
    walk = one.walk()
    twins.compare(
        walk.error,
        walk.t**2 * 2 / 3 * np.linalg.norm(one.push) * np.linalg.norm(one.change),
        1e-9,
        "t² ‖(2/K) W Δa‖ ‖Δa‖",
    )


def test_a_step_of_no_length_has_no_relative_error():
    walk = pair(_SMALL["relu", "ce"][0], 0, 3).walk(3)
    assert np.isnan(walk.relative[0])
    assert walk.error[0] == walk.actual[0] == 0


def test_what_is_no_pair_is_refused_with_a_sentence():
    samples, _, _ = _SMALL["relu", "ce"]
    with pytest.raises(ValueError, match="There are samples 0 … 39; 40 is not among them"):
        pair(samples, 40, 0)
    with pytest.raises(ValueError, match="Sample 3 cannot be its own partner"):
        pair(samples, 3, 3)
    samples.activity[11] = 0
    with pytest.raises(ValueError, match="Nothing reaches the layer for sample 11"):
        pair(samples, 11, 0)


# -- what follows the layer -------------------------------------------------------------------------------


@pytest.mark.parametrize(("activation", "loss"), CASES)
def test_first_order_and_a_straight_tail_are_torchs(activation, loss):
    samples, tail, _ = looked(activation, loss)
    after = nn.Sequential(*list(tail.children())[1:])
    rng = np.random.default_rng(1)
    z, change, y = rng.normal(size=(6, 5)), rng.normal(size=(6, 5)), samples.targets[:6]
    moved = samples.chain.first_order(z, y, change)
    twins.compare(moved, np.einsum("nij,nj->ni", samples.chain.hessian(z, y), change), 1e-9, "M dz")
    for p in range(6):
        start, label = torch.from_numpy(z[p]), torch.tensor(y[p])
        slope, logits = jacrev(after)(start), after(start)
        bent = lambda dz: losses.sample_loss(logits + slope @ dz, label, loss)  # noqa: B023, E731
        expected = grad(bent)(torch.from_numpy(change[p])).detach().numpy()
        twins.compare(samples.chain.straightened(z, y, change)[p], expected, 1e-9, "straightened")


def test_without_a_tail_there_is_nothing_to_straighten():
    chain = Chain((), LOSSES["ce"])
    rng = np.random.default_rng(0)
    z, change, y = rng.normal(size=(7, 4)), rng.normal(size=(7, 4)), np.arange(7) % 4
    np.testing.assert_allclose(chain.straightened(z, y, change), chain.gradient(z + change, y), rtol=1e-12)


# -- all pairs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("activation", "loss"), [("relu", "ce"), ("tanh", "mse")])
def test_sizes_and_diagonals_are_those_of_the_pairs_one_by_one(activation, loss):
    samples, tail, a = looked(activation, loss, seed=2)
    y = torch.from_numpy(samples.targets)
    g, _ = twins.per_sample(tail, "fc2", a, y, loss)
    g = g.numpy()
    for matching in MATCHINGS:
        d = differences(samples, matching, seed=4)
        partner = matched(samples, matching, seed=4)
        assert d.sample.tolist() == list(range(40))
        assert d.partner.tolist() == partner.tolist()
        terms = twins.sample_terms(tail, "fc2", a, y, loss, partner.tolist())
        named = twins.covariances(terms, BATCH)
        sizes = d.sizes
        assert np.isclose(sizes.noise, float(named["C"].trace()), rtol=1e-6)
        assert np.isclose(sizes.with_mean, float(named["C_awd"].trace()), rtol=1e-6)
        v = np.stack([(h @ w).numpy() for h, w in zip(terms.h, terms.delta_w, strict=True)])
        first, actual, scale = v + terms.u.numpy(), g[partner] - g, 1 / (2 * BATCH)
        for p, q in enumerate(partner):
            walk = pair(samples, p, int(q)).walk(2)
            diagonals = (d.actual[p], d.first_order[p], d.curvature[p], d.activity[p], d.error[p])
            expected = tuple(getattr(walk, n)[1] for n in ("actual", "first_order", "curvature", "activity", "error"))
            twins.compare(diagonals, expected, 1e-7, f"norms of pair {p}, {q}")
        assert np.isclose(sizes.first_order, scale * (first**2).sum(axis=1).mean(), rtol=1e-6)
        assert np.isclose(sizes.actual, scale * (actual**2).sum(axis=1).mean(), rtol=1e-6)
        directions = samples.directions.reshape(len(samples.directions), -1)
        twins.compare(d.actual_along, scale * ((actual @ directions.T) ** 2).mean(axis=0), 1e-4, "Δg along v_i")
        twins.compare(d.first_order_along, scale * ((first @ directions.T) ** 2).mean(axis=0), 1e-4, "v + u along v_i")
        moved = samples.chain.gradient(samples.preactivation(samples.activity), samples.targets)
        moved = moved[partner] - moved
        one_sided = np.einsum("no,ni->noi", moved, samples.activity.astype(float)).reshape(40, -1) + terms.u.numpy()
        assert np.isclose(sizes.one_sided, scale * (one_sided**2).sum(axis=1).mean(), rtol=1e-6)
    same = [(g[p] - g[q]) @ (g[p] - g[q]) for p in range(40) for q in range(40) if p != q and y[p] == y[q]]
    shares = [1 / (int((y == y[p]).sum()) - 1) for p in range(40) for q in range(40) if p != q and y[p] == y[q]]
    assert np.isclose(sizes.same_class, scale * np.dot(same, shares) / 40, rtol=1e-6)


def test_differences_of_any_two_samples_are_the_covariance_itself():
    samples, tail, a = looked(seed=3)
    g, _ = twins.per_sample(tail, "fc2", a, torch.from_numpy(samples.targets), "ce")
    distances = torch.cdist(g, g) ** 2
    noise = differences(samples, "nearest").sizes.noise
    assert np.isclose(float(distances.sum()) / (40 * 39) / (2 * BATCH), noise * 40 / 39, rtol=1e-6)


@given(numbers, st.sampled_from(MATCHINGS))
def test_a_partner_is_another_sample_of_the_class(seed, matching):
    samples, _, _ = _SMALL["tanh", "mse"]
    partner = matched(samples, matching, seed)
    assert (partner != np.arange(len(samples))).all()
    assert (samples.targets[partner] == samples.targets).all()


def test_the_nearest_of_some_lies_between_the_nearest_and_a_random_one():
    samples, _, _ = _SMALL["tanh", "mse"]
    near, some, any_ = (differences(samples, m).distance.mean() for m in MATCHINGS)
    assert near <= some < any_


def test_differences_without_a_pair_are_refused():
    samples, _, _ = looked("tanh")
    samples.partner[:] = -1
    with pytest.raises(ValueError, match="No sample has a partner"):
        differences(samples, "nearest")


def test_samples_that_reach_nothing_are_left_out():
    samples, _, _ = looked("relu", seed=5)
    samples.activity[4] = 0
    d = differences(samples, "nearest")
    assert 4 not in d.sample
    assert np.isfinite(list(vars(d.sizes).values())).all()
