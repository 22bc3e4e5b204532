"""Gradient and Hessian in the logits against autograd, and the digits they keep near the end of training."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine import losses
from tests.reference import twins

NAMES = ("ce", "mse", "linear_mse")


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 10_000), classes=st.integers(1, 6), scale=st.floats(0.1, 3))
def test_values_and_derivatives_equal_their_twins(name, seed, classes, scale):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(4, classes, generator=generator, dtype=torch.float64) * scale
    targets = torch.randint(classes, (4,), generator=generator)
    gradient, hessian = losses.gradient_and_hessian(name, logits, targets)
    values = losses.values(name, logits, targets)
    for p in range(4):

        def loss(f, y=targets[p]):
            return twins.sample_loss(f, y, name)

        twins.compare(values[p], loss(logits[p]), 1e-9, "value")
        twins.compare(gradient[p], torch.func.grad(loss)(logits[p]), 1e-8, "gradient")
        twins.compare(hessian[p], torch.func.hessian(loss)(logits[p]), 1e-8, "Hessian")


def test_curvature_survives_certainty():
    """p_y = 1 − 2e-20 in float32 logits: the curvature is p_k(1 − p_k), not the zero of 1 − p_y."""
    logits = torch.tensor([[46.0, 0.0, 0.0]])
    gradient, hessian = losses.gradient_and_hessian("ce", logits, torch.tensor([0]))
    other = math.exp(-46)
    twins.compare(gradient[0], torch.tensor([-2 * other, other, other]), 1e-6, "gradient")
    twins.compare(hessian[0, 0, 0], 2 * other, 1e-6, "curvature of the certain class")


def test_an_unknown_loss_is_named():
    with pytest.raises(ValueError, match="There is no loss 'hinge'; there are ce, mse, linear_mse"):
        losses.values("hinge", torch.zeros(1, 2), torch.zeros(1, dtype=torch.long))
