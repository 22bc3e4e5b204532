"""Activity-weight duality: the exact identities, the minimal weight change, partners and first-order terms."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.curvature.duality import REDRAW, least_change, minimal_weight_change, partners
from engine.curvature.tail import Tail
from tests.reference import twins
from tests.reference.cases import CASES, LOSSES, case, lonely, silent

CPU = torch.device("cpu")
CONVOLUTIONS = torch.nn.modules.conv._ConvNd


def tail_of(c, loss="ce"):
    tail = Tail(c.model, c.layer, c.inputs, c.targets, loss, device=CPU, dtype=torch.float64)
    tail.pair(None, 0)
    return tail


@given(t=st.integers(1, 6), d_out=st.integers(1, 5), d_in=st.integers(1, 6), seed=st.integers(0, 10_000))
def test_the_weight_change_is_the_least_one(t, d_out, d_in, seed):
    """What ΔW* = WΔA A⁺ makes of A, how far that is from WΔA, and its size; A⁺ by NumPy."""
    generator = torch.Generator().manual_seed(seed)
    weight, a, change = (
        torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((d_out, d_in), (t, d_in), (t, d_in))
    )
    asked = change @ weight.T
    least = torch.linalg.pinv(a) @ asked  # ΔW*ᵀ
    reached, fit = least_change(a[None, None], asked[None, None], weight)
    twins.compare(reached[0, 0], a @ least, 1e-7, "ΔW* a_t")
    twins.compare(fit[0, 2], least.norm() / weight.norm(), 1e-7, "its size")
    twins.compare(fit[0, 1], torch.linalg.cond(a) if t > 1 else 1.0, 1e-6, "condition")
    assert abs(float(fit[0, 0]) - float((a @ least - asked).norm() / asked.norm())) < 1e-7
    if t <= d_in:
        twins.compare(reached[0, 0], asked, 1e-6, "exact where the activities are independent")
    twins.compare(
        minimal_weight_change(weight, a[:1], change[:1])[0].T, torch.linalg.pinv(a[:1]) @ asked[:1], 1e-9, "ΔW*"
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", CASES)
def test_exact_duality_of_loss_and_gradient(name, loss):
    """ℓ(a'; W) = ℓ(a; W + ΔW*) and g(a'; W) = g(a; W + ΔW*)(I + a Δaᵀ/‖a‖²) for samples of one label."""
    c = case(name, n=6, seed=3)
    if not isinstance(c.model, torch.nn.Sequential) or isinstance(c.model[0], CONVOLUTIONS):
        pytest.skip("the activity is changed by hand below, which needs the layer first")
    a = twins.activities(c.model, c.layer, c.inputs)
    a = a + 0.1  # no dead activity
    start = [n for n, _ in c.model.named_children()].index(c.layer)
    rest = c.model[start:]
    weight = twins.layer_weight(c.model, c.layer)
    value = twins.loss_of_weight(rest, c.layer, loss)
    target = c.targets[0]
    for p, q in ((0, 1), (2, 3), (4, 5)):
        change = a[q] - a[p]
        moved = weight + minimal_weight_change(weight, a[p : p + 1], change[None])[0]
        twins.compare(value(moved.flatten(), a[p], target), value(weight.flatten(), a[q], target), 1e-12, "loss")
        gradient = torch.func.grad(value)
        here = gradient(moved.flatten(), a[p], target).view_as(weight)
        there = gradient(weight.flatten(), a[q], target).view_as(weight)
        factor = torch.eye(len(change), dtype=a.dtype) + torch.outer(a[p], change) / a[p].square().sum()
        twins.compare(here @ factor, there, 1e-9, "gradient identity")


@pytest.mark.parametrize("name", ["tanh", "tokens_smooth", "conv2d_smooth"])
def test_first_order_terms_are_the_derivative(name):
    """g(a + tΔa) − g(a) = t (v + u) + O(t²): halving t quarters what is left. a is that of the layer alone."""
    c = case(name, n=6, seed=5)
    f = tail_of(c).survey(keep=True).kept
    partner = tail_of(c).pairs.partner
    first_order = (f.vectors("v").written_out() + f.vectors("u").written_out())[:, 0]
    fed = twins.layer_inputs(c.model, c.layer, c.inputs)
    w, value = twins.layer_weight(c.model, c.layer).flatten(), twins.loss_of_weight(c.model, c.layer, "ce")
    module = c.model.get_submodule(c.layer)
    for p in range(6):
        change = fed[partner[p]][0] - fed[p][0]

        def gradient(t, p=p, change=change):
            handle = module.register_forward_pre_hook(lambda _, args: (args[0] + t * change,))
            try:
                return torch.func.grad(value)(w, c.inputs[p], c.targets[p])
            finally:
                handle.remove()

        left = [float((gradient(t) - gradient(0) - t * first_order[p]).norm()) for t in (1e-3, 5e-4)]
        assert left[1] < 0.3 * left[0], f"sample {p}: {left}"


@given(n=st.integers(1, 40), classes=st.integers(1, 4), seed=st.integers(0, 1000))
@settings(max_examples=30)
def test_partners_in_the_whole_class(n, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    a[: n // 4] = a[n // 4 : 2 * (n // 4)]  # duplicates: at distance 0, and still partners
    targets = torch.randint(classes, (n,), generator=generator)
    partner = partners(a, targets, None)
    expected = torch.tensor(twins.nearest_partner(a, targets))
    for p in range(n):
        if expected[p] < 0:
            assert partner[p] == -1
        else:
            assert partner[p] != p
            assert targets[partner[p]] == targets[p]
            distance = [(a[p] - a[int(q[p])]).norm() for q in (partner, expected)]
            twins.compare(distance[0], distance[1], 1e-12, f"distance of {p}'s partner")


def test_anchors_are_redrawn_limited_and_blind_to_names():
    generator = torch.Generator().manual_seed(0)
    n, anchors = 4 * REDRAW + 10, 5
    a = torch.randn(n, 3, generator=generator)
    targets = torch.arange(n) % 3
    partner = partners(a, targets, anchors, seed=1)
    assert bool((partner != torch.arange(n)).all())
    assert bool((targets[partner] == targets).all())
    draws = []
    for block in range(0, n, REDRAW):
        for label in range(3):
            rows = [p for p in range(block, min(block + REDRAW, n)) if targets[p] == label]
            pool = set(partner[rows].tolist())
            assert len(pool) <= anchors
            draws.append(frozenset(pool))
    assert len(set(draws)) > len(draws) // 2, "every block draws its own anchors"
    renamed = (targets + 1) % 3
    assert torch.equal(partner, partners(a, renamed, anchors, seed=1))
    assert not torch.equal(partner, partners(a, targets, anchors, seed=2))
    assert torch.equal(partners(a, targets, n), partners(a, targets, None)), "a pool of the whole class is the class"


def test_samples_without_partner_or_activity_are_counted():
    for c, reason in ((lonely(), "alone in its class"), (silent(), "zero activity")):
        paired = tail_of(c).survey(keep=False).paired
        assert not paired[len(c.inputs) // 2], reason
        assert paired.any(), reason
