"""The twins themselves, against finite differences, closed forms and each other."""

import numpy as np
import pytest
import torch

from engine.results.names import NAMES
from tests.reference import diagnostics, losses, twins
from tests.reference.cases import CASES, LOSSES, case, lonely, silent


def derivatives(c, loss, bias=False):
    return twins.per_sample(c.model, c.layer, c.inputs, c.targets, loss, bias)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_and_hessian_agree_with_finite_differences(loss, bias):
    c = case("gelu", n=2)
    g, h = derivatives(c, loss, bias)
    value = twins.loss_of_weight(c.model, c.layer, loss, bias)
    w, x, y = twins.layer_weight(c.model, c.layer, bias).flatten(), c.inputs[1], c.targets[1]
    step = 1e-4
    units = torch.eye(len(w), dtype=w.dtype) * step
    difference = torch.stack([value(w + e, x, y) - value(w - e, x, y) for e in units]) / (2 * step)
    twins.compare(difference, g[1], 1e-6, "gradient")

    def second(e, f):
        corners = value(w + e + f, x, y) - value(w + e - f, x, y) - value(w - e + f, x, y) + value(w - e - f, x, y)
        return corners / (4 * step**2)

    pairs = [(0, 0), (0, 5), (3, 9), (len(w) - 1, 2), (len(w) - 1, len(w) - 1)]
    difference = torch.stack([second(units[i], units[j]) for i, j in pairs])
    twins.compare(difference, torch.stack([h[1, i, j] for i, j in pairs]), 1e-5, "Hessian")


@pytest.mark.parametrize("loss", ["ce", "mse", "linear_mse"])
def test_losses_are_those_of_torch(loss):
    logits, targets = torch.randn(6, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0, 1])
    onehot = torch.nn.functional.one_hot(targets, 4).double()
    expected = {
        "ce": torch.nn.functional.cross_entropy(logits, targets),
        "mse": torch.nn.functional.mse_loss(logits.softmax(1), onehot),
        "linear_mse": torch.nn.functional.mse_loss(logits, onehot),
    }[loss]
    ours = torch.stack([losses.sample_loss(f, y, loss) for f, y in zip(logits, targets, strict=True)]).mean()
    twins.compare(ours, expected, 1e-14, loss)


@pytest.mark.parametrize("bias", [False, True])
def test_a_linear_model_with_linear_mse_has_the_closed_form_hessian(bias):
    c = case("relu_last", n=7)
    _, h = derivatives(c, "linear_mse", bias)
    a = twins.activities(c.model, c.layer, c.inputs, bias)
    expected = 2 / c.classes * torch.kron(torch.eye(c.classes, dtype=a.dtype), a.T @ a / 7)
    twins.compare(h.mean(0), expected, 1e-13, "H of linear_mse")


@pytest.mark.parametrize("name", CASES)
def test_every_case_has_curvature_noise_and_its_batch_gradient(name):
    c = case(name)
    g, h = derivatives(c, "ce")
    live = torch.linalg.norm(h, dim=(1, 2)) > 1e-3
    assert live.sum() >= 6, f"{name}: only {live.sum()} of 9 samples have curvature"
    named = twins.hessian_and_noise(g, h, 4)
    assert named["C"].trace() > 0
    weight = c.model.get_submodule(c.layer).weight
    loss = torch.nn.functional.cross_entropy(c.model(c.inputs), c.targets)
    (expected,) = torch.autograd.grad(loss, weight)
    twins.compare(g.mean(0), expected.flatten(), 1e-12, f"{name}: batch gradient")


@pytest.mark.parametrize("name", ["relu_bias", "tanh", "conv_after"])
def test_derivatives_at_the_output_of_the_layer_give_the_gradient_and_a_quadratic_form(name):
    c = case(name, n=4)
    g, h = derivatives(c, "mse")
    a = twins.activities(c.model, c.layer, c.inputs)
    delta, curvature = twins.per_preactivation(c.model, c.layer, c.inputs, c.targets, "mse")
    for p in range(4):
        twins.compare(torch.outer(delta[p], a[p]).flatten(), g[p], 1e-12, "gradient")
        change = torch.randn(delta.shape[1], a.shape[1], dtype=a.dtype)
        twins.compare(
            (change @ a[p]) @ curvature[p] @ (change @ a[p]),
            change.flatten() @ h[p] @ change.flatten(),
            1e-10,
            "second derivative along a weight change",
        )


def test_nearest_partner_by_hand():
    a = torch.tensor([[0.0], [1.0], [1.5], [0.1], [1.0], [9.0]])
    targets = torch.tensor([0, 0, 0, 1, 1, 2])
    assert twins.nearest_partner(a, targets) == [1, 2, 1, 4, 3, -1]
    assert twins.nearest_partner(a, targets, [2, 3]) == [2, 2, -1, -1, 3, -1]
    assert twins.nearest_partner(a, targets, torch.tensor([0, 0, 1, 1, 0, 0], dtype=torch.bool)) == [
        2,
        2,
        -1,
        -1,
        3,
        -1,
    ]
    own = torch.ones(6, 6, dtype=torch.bool)
    own[0, 1] = False
    assert twins.nearest_partner(a, targets, own) == [2, 2, 1, 4, 3, -1]


def test_a_duplicate_is_a_partner():
    a = torch.zeros(3, 2)
    assert twins.nearest_partner(a, torch.tensor([0, 0, 0])) == [1, 0, 0]


def test_minimal_weight_change_meets_its_constraint_and_no_other_solution_is_smaller():
    torch.manual_seed(0)
    weight, a, delta_a = (torch.randn(s, dtype=torch.float64) for s in ((3, 4), (4,), (4,)))
    change = twins.minimal_weight_change(weight, a, delta_a)
    twins.compare((weight + change) @ a, weight @ (a + delta_a), 1e-13, "constraint")
    for _ in range(20):
        other = torch.randn(3, 4, dtype=torch.float64)
        other -= torch.outer(other @ a, a) / (a @ a)  # leaves (W + ΔW) a as it is
        assert torch.linalg.norm(change + other) > torch.linalg.norm(change)


@pytest.mark.parametrize("bias", [False, True])
def test_exact_duality_and_its_first_order(bias):
    """ℓ(a + Δa; W) = ℓ(a; W + ΔW*), and v + u is the derivative of the gradient along the change."""
    c = case("tanh" if not bias else "gelu", n=6)
    partners = twins.nearest_partner(twins.activities(c.model, c.layer, c.inputs), c.targets)
    terms = twins.sample_terms(c.model, c.layer, c.inputs, c.targets, "ce", partners, bias)
    weight = twins.layer_weight(c.model, c.layer, bias)
    a = twins.activities(c.model, c.layer, c.inputs, bias)
    shift = twins.loss_of_shift(c.model, c.layer, "ce")
    value = twins.loss_of_weight(c.model, c.layer, "ce", bias)
    for p, q in enumerate(partners):
        x, y, delta_a = c.inputs[p], c.targets[p], a[q] - a[p]
        exact = shift(weight @ delta_a, x, y)
        twins.compare(value(weight.flatten() + terms.delta_w[p], x, y), exact, 1e-12, "duality")

        def gradient(t, delta_a=delta_a, x=x, y=y, p=p):
            """Gradient in W at the activity a + tΔa."""
            delta = torch.func.grad(shift)(weight @ (t * delta_a), x, y)
            return torch.outer(delta, a[p] + t * delta_a).flatten()

        first = (gradient(1e-5) - gradient(-1e-5)) / 2e-5
        twins.compare(terms.h[p] @ terms.delta_w[p] + terms.u[p], first, 1e-7, "v + u")


def test_covariances_add_up_and_leave_out_unpaired_samples():
    c = lonely()
    partners = twins.nearest_partner(twins.activities(c.model, c.layer, c.inputs), c.targets)
    assert partners.count(-1) == 1
    terms = twins.sample_terms(c.model, c.layer, c.inputs, c.targets, "ce", partners)
    named = twins.covariances(terms, 4)
    assert set(named) | set(twins.weighted(c.model, c.layer, c.inputs, c.targets, "ce", 4)) == {"H", *NAMES}
    without = twins.covariances(terms.take([p for p in range(9) if partners[p] >= 0]), 4)
    alone = twins.covariances(terms.take([partners.index(-1)]), 4)
    assert "C" in alone
    assert "C_awd" not in alone
    for name in set(named) - set(alone):
        twins.compare(without[name], named[name], 1e-14, name)
    assert not torch.allclose(without["C"], named["C"])
    twins.compare(named["C_hh_sd_wd_li"].trace(), named["C_hh_sd_wd"].trace(), 1e-12, "trace under isotropy")


def test_covariance_is_that_of_mini_batches():
    """C is the covariance of a mini-batch mean: over all ordered batches drawn with replacement."""
    c = case("relu", n=3)
    g, h = derivatives(c, "ce")
    batches = [(g[i] + g[j]) / 2 for i in range(3) for j in range(3)]
    centred = torch.stack(batches) - g.mean(0)
    expected = centred.T @ centred / len(batches)
    twins.compare(twins.hessian_and_noise(g, h, 2)["C"], expected, 1e-12, "C")


def test_awd_covariance_is_half_that_of_a_difference_of_mini_batches():
    """C_awd = ½ E[Δ Δᵀ] for Δ the mean of B independent first-order changes v + u."""
    c = case("relu", n=6)
    partners = twins.nearest_partner(twins.activities(c.model, c.layer, c.inputs), c.targets)
    terms = twins.sample_terms(c.model, c.layer, c.inputs, c.targets, "ce", partners)
    changes = torch.stack([terms.h[p] @ terms.delta_w[p] + terms.u[p] for p in range(6)])
    batches = [(changes[i] + changes[j]) / 2 for i in range(6) for j in range(6)]
    expected = torch.stack([torch.outer(b, b) for b in batches]).mean(0) / 2
    twins.compare(twins.covariances(terms, 2)["C_awd"], expected, 1e-12, "C_awd")


def test_a_silent_sample_is_left_out():
    c = silent()
    a = twins.activities(c.model, c.layer, c.inputs)
    assert torch.linalg.norm(a[4]) == 0
    terms = twins.sample_terms(c.model, c.layer, c.inputs, c.targets, "ce", twins.nearest_partner(a, c.targets))
    assert not terms.paired[4]
    assert terms.paired.sum() == 8


def test_haar_is_orthogonal_and_has_the_second_moments_of_the_law():
    q = diagnostics.haar(6, 1)
    twins.compare(q.T @ q, np.eye(6), 1e-14, "QᵀQ")
    draws = np.stack([diagnostics.haar(3, seed) for seed in range(2000)])
    assert np.abs(draws.mean(0)).max() < 4 * np.sqrt(1 / 3 / 2000)
    assert np.abs((draws**2).mean(0) - 1 / 3).max() < 4 * np.sqrt(4 / 45 / 2000)


@pytest.mark.parametrize(
    ("actual", "expected", "sentence"),
    [
        (1.1, 1.0, r"thing: relative error 0\.1 above 0\.01: got .*1\.1.*, expected .*1\.0"),
        ([1.0, np.nan], [1.0, 2.0], r"thing: relative error nan .* at \(1,\)"),
        ([1.0, np.nan], [1.0, np.nan], "nan"),
        ([1.0], [1.0, 2.0], r"shape \(1,\), expected \(2,\)"),
        ([], [], "empty"),
        (0.02, 0.0, "got"),
    ],
)
def test_compare_raises_with_both_values(actual, expected, sentence):
    with pytest.raises(AssertionError, match=sentence):
        twins.compare(actual, expected, 1e-2, "thing")


def test_compare_passes_what_agrees():
    twins.compare(torch.ones(3), np.ones(3) * 1.001, 1e-2, "thing")
    twins.compare(0.0, 0.0, 0.0, "zero")
