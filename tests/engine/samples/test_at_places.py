"""Samples before layers used at several places: every number, and all about the one in hand, by torch.func."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, grad, hessian

from cache.store import Store
from engine.__main__ import main
from engine.config.requests import DataRequest, RunRequest, SamplesRequest
from engine.curvature.tail import Tail
from engine.runs import library
from engine.runs.pipeline import Pipeline
from engine.samples import at_places, close_up, collect, table
from engine.samples.close_up import half
from engine.samples.table import AtPlaces, Samples
from tests.engine.runs.test_kinds import NETS, PLAN
from tests.reference import cases, diagnostics, losses, twins
from tests.small import pixels, saved

CASES = (
    *("tokens", "tokens_many", "tokens_smooth", "tokens_second", "twice", "windows", "conv1d", "conv2d"),
    *("conv2d_groups", "conv2d_depthwise", "conv2d_smooth", "conv_twice", "conv3d", "conv_one_place", "conv_after"),
    "normalised",
)
BATCH = 5


def tail_of(case, loss="ce", **how):
    how = {"device": torch.device("cpu"), "dtype": torch.float64} | how
    return Tail(case.model, case.layer, case.inputs, case.targets, loss, **how)


def outputs(module, weight, fed):
    """W a at all uses, one after the other, without a bias."""
    nothing = {} if module.bias is None else {"bias": torch.zeros_like(module.bias)}
    w = weight.view(module.weight.shape)
    return [functional_call(module, {"weight": w} | nothing, (x,)).detach() for x in fed]


def by_place(module, z):
    """Numbers like the outputs of one use, summed at each place."""
    last = isinstance(module, nn.Linear)
    return z.movedim(-1 if last else 1, 0).flatten(1).sum(0)


def carried(module, *products):
    return torch.cat([by_place(module, z) for z in products])


def brute(case, p, loss="ce"):
    """κ, u, the shares of each place in κ and in ‖g‖², from derivatives in W and in the layer's whole output."""
    module, x, y = case.model.get_submodule(case.layer), case.inputs[p], case.targets[p]
    g, h = (m[0] for m in twins.per_sample(case.model, case.layer, x[None], y[None], loss))
    (fed,) = twins.layer_inputs(case.model, case.layer, x[None])
    kappa, u = np.linalg.eigh(h.numpy())
    order = np.abs(kappa).argsort()[::-1]
    value = twins.loss_of_shift(case.model, case.layer, loss)

    def split(z):
        sizes = [w.numel() for w in outputs(module, g, fed)]
        return [a.view_as(b) for a, b in zip(z.split(sizes), outputs(module, g, fed), strict=True)]

    whole = torch.cat([z.flatten() for z in outputs(module, g, fed)])
    m = hessian(value)(torch.zeros_like(whole), x, y).detach().view(len(whole), -1)
    delta = grad(value)(torch.zeros_like(whole), x, y).detach().flatten()

    def shares(left, right):
        along = carried(module, *split(left.flatten() * right.flatten()))
        return (along / along.sum()).numpy()

    of_kappa = []
    for i in order[:2]:
        moved = torch.cat([z.flatten() for z in outputs(module, torch.from_numpy(u[:, i].copy()), fed)])
        of_kappa.append(shares(moved, m @ moved))
    return kappa[order], u[:, order], np.stack(of_kappa), shares(whole, delta), float(kappa.sum()), h.numpy()


@pytest.mark.parametrize("name", CASES)
def test_the_sample_in_hand_is_what_its_derivatives_say(name):
    case = cases.case(name)
    tail = tail_of(case)
    alive = 0
    for p in (0, 4, 7):
        one = at_places.close_up(tail, p, -1)
        kappa, u, shares, gradient, trace, h = brute(case, p)
        count = min(2, one.rank)
        if not h.any():
            assert (count, one.trace, one.shares.any()) == (0, 0, False)
            continue
        alive += 1
        twins.compare(one.kappa[:count], kappa[:count], 1e-8, "κ")
        assert np.isclose(one.trace, trace, rtol=1e-8)
        for m in range(count):
            own = one.vectors[m].ravel()
            twins.compare(own * np.sign(own @ u[:, m]), u[:, m], 1e-6, f"u_{m + 1}")
        twins.compare(one.shares[:count], shares[:count], 1e-6, "shares of κ")
        twins.compare(one.gradient, gradient, 1e-8, "shares of the gradient")
        np.testing.assert_allclose(one.shares[: one.rank].sum(axis=1), 1, rtol=1e-9)
        d_out, d_in = tail.weight.shape
        if len(one.kappa) >= np.linalg.matrix_rank(h, tol=1e-12):
            for o in (0, d_out - 1):
                rows = slice(o * d_in, (o + 1) * d_in)
                np.testing.assert_allclose(one.filter_hessian(o), h[rows, rows], atol=1e-9 * np.abs(h).max())
            assert np.isclose(sum(one.weight_of(o) for o in range(d_out)), 1)
        assert one.dual is None
    assert alive > 1


@pytest.mark.parametrize("name", CASES)
def test_the_way_to_a_partner_is_what_the_network_says(name):
    case = cases.case(name)
    tail, p, q = tail_of(case), 1, 5
    dual = at_places.close_up(tail, p, q).dual
    partners = [-1] * len(case.inputs)
    partners[p] = q
    terms = twins.sample_terms(case.model, case.layer, case.inputs, case.targets, "ce", partners)
    twins.compare(dual.weight_change.ravel(), terms.delta_w[p], 1e-6, "ΔW*")
    module, w = case.model.get_submodule(case.layer), tail.weight
    own, other = twins.layer_inputs(case.model, case.layer, case.inputs[[p, q]])
    push = [b - a for a, b in zip(outputs(module, w, own), outputs(module, w, other), strict=True)]
    reached = outputs(module, terms.delta_w[p], own)
    twins.compare(dual.push, carried(module, *(z**2 for z in push)).sqrt(), 1e-8, "‖W Δa_t‖")
    missed = [a - b for a, b in zip(reached, push, strict=True)]
    size = torch.cat([z.flatten() for z in push]).norm()
    assert np.abs(dual.missed - carried(module, *(z**2 for z in missed)).sqrt().numpy()).max() < 1e-7 * size
    value = twins.loss_of_shift(case.model, case.layer, "ce")
    x, y = case.inputs[p], case.targets[p]
    flat = torch.cat([z.flatten() for z in push])
    for i in (0, 30, 100):
        t = dual.walk.t[i]
        assert np.isclose(dual.walk.by_activity[i], value(t * flat, x, y).item(), rtol=1e-9)
        changed = {f"{case.layer}.weight": (w + t * dual.weight_change).view(module.weight.shape).detach()}
        by_weight = losses.sample_loss(functional_call(case.model, changed, (x[None],))[0], y, "ce")
        assert np.isclose(dual.walk.by_weight[i], by_weight.item(), rtol=1e-6)
        twins.compare(dual.walk.first_order[i], t * (terms.v[p] + terms.u[p]).norm(), 1e-7, "‖t(v + u)‖")
        twins.compare(dual.walk.curvature[i], t * terms.v[p].norm(), 1e-7, "‖tv‖")
        twins.compare(dual.walk.activity[i], t * terms.u[p].norm(), 1e-7, "‖tu‖")
        # g(a + tΔa; W): the gradient in W of δ · W(a + tΔa), δ held.
        delta = grad(value)(t * flat, x, y).detach()
        fed = [a + t * (b - a) for a, b in zip(own, other, strict=True)]
        g = grad(lambda v, d=delta, f=fed: (d * flattened(module, v, f)).sum())(w.flatten())
        moved = g - terms.g[p]
        twins.compare(dual.walk.actual[i], moved.norm(), 1e-7, "‖Δg‖")
        twins.compare(dual.walk.error[i], (moved - t * (terms.v[p] + terms.u[p])).norm(), 1e-6, "error")


def flattened(module, v, fed):
    nothing = {} if module.bias is None else {"bias": torch.zeros_like(module.bias)}
    w = v.view(module.weight.shape)
    return torch.cat([functional_call(module, {"weight": w} | nothing, (x,)).flatten() for x in fed])


@pytest.mark.parametrize("name", ["tokens", "tokens_smooth", "conv2d", "conv2d_groups", "normalised", "conv_after"])
def test_the_numbers_of_every_sample_are_their_definitions(name):
    case = cases.case(name, 12)
    model, x = case.model.float(), case.inputs.float()
    samples = collect.look(model, x, case.targets, case.layer, "ce", BATCH, 7, ("a", "b", "c"), "cpu")
    assert isinstance(samples, AtPlaces)
    model.double()
    x = x.double()
    g, h = twins.per_sample(model, case.layer, x, case.targets, "ce")
    hessian_ = h.mean(0).numpy()
    values, _ = diagnostics.eigenbasis(hessian_)
    twins.compare(samples.eigenvalues[:3], values[:3], 1e-3, "H_ii")
    for p in (0, 5, 11):
        own = np.linalg.eigvalsh(h[p].numpy())
        own = own[np.abs(own).argsort()[::-1]]
        twins.compare(samples.kappa[p, :2], own[:2], 1e-3, f"κ of {p}")
        assert np.isclose(samples.trace[p], own.sum(), rtol=1e-3)
    a = twins.activities(model, case.layer, x)
    assert samples.partner.tolist() == twins.nearest_partner(a, case.targets)
    terms = twins.sample_terms(model, case.layer, x, case.targets, "ce", samples.partner.tolist())
    twins.compare(samples.fit[:, 2], terms.delta_w.norm(dim=1) / samples_norm(model, case), 1e-3, "‖ΔW*‖/‖W‖")
    second, mean = g.T @ g / len(g), g.mean(0)
    for name_, matrix in (("C", (second - torch.outer(mean, mean)) / BATCH), ("empirical", second)):
        twins.compare(samples.diagonals[name_].sum(), matrix.trace(), 1e-3, f"trace of {name_}")
    logits = model(x).detach()
    assert samples.predicted.tolist() == logits.argmax(1).tolist()
    twins.compare(samples.confidence, logits.softmax(1)[torch.arange(12), case.targets], 1e-4, "confidence")
    twins.compare(
        samples.loss, [losses.sample_loss(f, y, "ce") for f, y in zip(logits, case.targets, strict=True)], 1e-4, "loss"
    )
    distance = ((a[:, None] - a[None]) ** 2).sum(2)
    for p, near in enumerate(samples.near):
        assert near[0] == samples.partner[p]
        assert {int(case.targets[q]) for q in near} == {int(case.targets[p])}
        assert p not in near
        assert np.all(np.diff(distance[p, near[1:]]) >= 0)


def samples_norm(model, case):
    return model.get_submodule(case.layer).weight.detach().norm()


def test_a_layer_with_a_chain_behind_it_stays_with_its_vectors():
    case = cases.case("relu_bias")
    made = collect.look(
        case.model.float(), case.inputs.float(), case.targets, "fc2", "ce", BATCH, 0, ("a", "b", "c"), "cpu"
    )
    assert isinstance(made, Samples)


@pytest.mark.parametrize(
    ("kind", "layer", "shape"),
    [("resnet", "block1.conv1", (12, 10)), ("vit", "block1.q", (4,)), ("mlp-bn", "fc2", (1,))],
)
def test_the_command_keeps_numbers_of_all_and_close_ups_of_some(kind, layer, shape, tmp_path, monkeypatch, capsys):
    data = DataRequest(saved(tmp_path, **pixels(20, (12, 10))))
    pipeline = Pipeline(Store(tmp_path / "contents"), "cpu")
    run = pipeline.train(RunRequest(data, NETS[kind], training=PLAN))
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(pipeline.store.root))
    line = ["samples", "--run", run, "--epoch", "1", "--layer", layer, "--device", "cpu", "--pairs"]
    assert main([*line, "2:5,4"]) == 0
    trained = library.find(pipeline.store, run)
    samples = table.read(pipeline.store, trained, 1, layer)
    assert isinstance(samples, AtPlaces)
    assert samples.shape == shape
    request = SamplesRequest(run, 1, layer)
    kept = {
        pair: close_up.read(pipeline.store, close_up.place(request, trained.fingerprint, *pair))
        for pair in ((2, 5), (4, -1), *((p, int(samples.partner[p])) for p in samples.first()))
    }
    assert None not in kept.values()
    assert (kept[2, 5].dual is None, kept[4, -1].dual is None) == (False, True)
    for (p, q), one in kept.items():
        np.testing.assert_allclose(one.kappa[:2], samples.kappa[p, :2], rtol=2e-2, atol=1e-4 * samples.kappa.max())
        if one.dual is not None and q == samples.partner[p] and samples.fit[p, 0] > 1e-3:
            assert np.isclose(one.dual.residual, samples.fit[p, 0], rtol=1e-2)
    assert main([*line, "2:99"]) == 1
    assert "99 is not among them" in capsys.readouterr().err
    assert main([*line, "3:3"]) == 1
    assert "Sample 3 cannot be its own partner" in capsys.readouterr().err


def test_of_a_layer_fed_one_vector_no_close_ups_are_kept(tmp_path, monkeypatch, capsys):
    data = DataRequest(saved(tmp_path, **pixels(20, (12, 10))))
    pipeline = Pipeline(Store(tmp_path / "contents"), "cpu")
    run = pipeline.train(RunRequest(data, NETS["mlp"], training=PLAN))
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(pipeline.store.root))
    assert main(["samples", "--run", run, "--epoch", "1", "--layer", "fc1", "--device", "cpu", "--pairs", "3"]) == 1
    assert "is fed one vector a sample" in capsys.readouterr().err


# -- what must hold ---------------------------------------------------------------------------------------


class Pooled(nn.Module):
    """A layer whose outputs are averaged over all places before anything else looks at them."""

    def __init__(self):
        super().__init__()
        self.fc, self.read = nn.Linear(3, 4, bias=False), nn.Linear(4, 3)

    def forward(self, x):
        return self.read(self.fc(x).mean(dim=1))


numbers = st.integers(0, 10**6)


@settings(deadline=None, max_examples=20)
@given(numbers, st.integers(1, 6))
def test_behind_an_average_a_place_carries_its_part_of_the_mean_activity(seed, places):
    """Closed form: u = e ⊗ ā/‖ā‖, and place t has the share a_t·ā / (T ‖ā‖²)."""
    torch.manual_seed(seed)
    model, x = Pooled().double().eval(), torch.randn(4, places, 3, dtype=torch.float64)
    tail = Tail(model, "fc", x, torch.arange(4) % 3, "ce", device=torch.device("cpu"), dtype=torch.float64)
    one, mean = at_places.close_up(tail, 0, -1), x[0].mean(0)
    expected = (x[0] @ mean / (places * mean @ mean)).numpy()
    np.testing.assert_allclose(one.shares[0], expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(one.gradient, expected, rtol=1e-7, atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(numbers, st.permutations(range(5)))
def test_shares_sum_to_one_and_go_with_their_places(seed, order):
    torch.manual_seed(seed)
    before = nn.Sequential(nn.Linear(3, 4), nn.Flatten(), nn.ReLU(), nn.Linear(20, 3)).double().eval()
    after = nn.Sequential(before[0], nn.Flatten(), nn.ReLU(), nn.Linear(20, 3)).double().eval()
    with torch.no_grad():
        after[3].weight.copy_(before[3].weight.view(3, 5, 4)[:, order].flatten(1))
        after[3].bias.copy_(before[3].bias)
    x = torch.randn(6, 5, 3, dtype=torch.float64)
    one, other = (
        at_places.close_up(
            Tail(m, "0", z, torch.arange(6) % 3, "ce", device=torch.device("cpu"), dtype=torch.float64), 2, -1
        )
        for m, z in ((before, x), (after, x[:, order]))
    )
    count = one.rank
    np.testing.assert_allclose(one.shares[:count].sum(axis=1), 1)
    np.testing.assert_allclose(one.gradient.sum(), 1)
    np.testing.assert_allclose(other.kappa[:count], one.kappa[:count], rtol=1e-7)
    np.testing.assert_allclose(other.shares[0], one.shares[0][list(order)], atol=1e-6)
    np.testing.assert_allclose(other.gradient, one.gradient[list(order)], atol=1e-8)


def test_half_of_all_shares_is_held_by_the_largest():
    assert half(np.array([0.1, -0.6, 0.3])) == 1
    assert half(np.full(8, 0.125)) == 4
