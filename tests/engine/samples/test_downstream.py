"""What follows a layer, in NumPy, against torch.func."""

import numpy as np
import pytest
import torch
from torch import nn

from engine.losses import LOSSES
from engine.samples.collect import chain_after
from tests.reference import losses, twins
from tests.reference.cases import mlp

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layer", ["fc1", "fc2", "fc3", "fc4"])
def test_loss_gradient_and_curvature_equal_torch_func(activation, name, layer):
    torch.manual_seed(3)
    model = mlp((4, 6, 5, 5, 3), ACTIVATIONS[activation], bias=True).double().eval()
    inputs, targets = torch.randn(6, 4, dtype=torch.float64), torch.randint(3, (6,))
    chain = chain_after(model, layer, name)
    a = twins.activities(model, layer, inputs)
    linear = model.get_submodule(layer)
    z, y = (a @ linear.weight.T + linear.bias).detach().numpy(), targets.numpy()
    delta, curvature = twins.per_preactivation(model, layer, inputs, targets, name)
    expected = [losses.sample_loss(f, t, name).item() for f, t in zip(model(inputs), targets, strict=True)]
    twins.compare(chain.value(z, y), np.array(expected), 1e-12, "loss")
    twins.compare(chain.gradient(z, y), delta, 1e-10, "gradient")
    twins.compare(chain.hessian(z, y), curvature, 1e-9, "curvature")
    # One sample alone, and a whole grid of them, are the same sums.
    twins.compare(chain.hessian(z[2], int(y[2])), curvature[2], 1e-9, "one sample")
    grid, several = np.stack([z, z])[:, :, None], np.stack([y, y])[:, :, None]
    twins.compare(chain.gradient(grid, several)[1, :, 0], delta, 1e-10, "a grid")


def test_what_is_no_chain_is_none():
    odd = nn.Sequential(nn.Linear(4, 5), nn.Hardswish(), nn.Linear(5, 3))
    assert chain_after(odd, "0", "ce") is None
    rough = nn.Sequential(nn.Linear(4, 5), nn.GELU(approximate="tanh"), nn.Linear(5, 3))
    assert chain_after(rough, "0", "ce") is None
    assert chain_after(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), "0", "ce") is None
    assert chain_after(odd, "2", "ce").steps == ()
