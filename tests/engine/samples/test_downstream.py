"""What follows a layer, in NumPy, against torch.func and against the engine's own losses."""

import numpy as np
import pytest
import torch
from torch import nn

from engine import losses
from engine.config.requests import LOSSES
from engine.curvature.factors import Tail
from engine.curvature.fisher import true_fisher
from engine.samples.collect import chain_after
from engine.samples.downstream import Chain, derivatives, loss
from engine.samples.fisher import Argument
from engine.samples.hessian import two_classes
from tests.reference import twins
from tests.reference.cases import mlp

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_derivatives_are_the_engines(name):
    rng = np.random.default_rng(0)
    f = rng.normal(size=(40, 5)) * np.linspace(0.1, 40, 40)[:, None]
    y = rng.integers(0, 5, 40)
    twins.compare(loss(name, f, y), losses.values(name, torch.from_numpy(f), torch.from_numpy(y)), 1e-12, "loss")
    slope, hessian = losses.gradient_and_hessian(name, torch.from_numpy(f), torch.from_numpy(y))
    found_slope, found_hessian = derivatives(name, f, y)
    for p in range(len(f)):  # one by one: near the end of training they differ by many decades
        twins.compare(found_slope[p], slope[p], 1e-10, f"gradient of sample {p}")
        twins.compare(found_hessian[p], hessian[p], 1e-10, f"Hessian of sample {p}")


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
    expected = [twins.sample_loss(f, t, name).item() for f, t in zip(model(inputs), targets, strict=True)]
    twins.compare(chain.value(z, y), np.array(expected), 1e-12, "loss")
    twins.compare(chain.gradient(z, y), delta, 1e-10, "gradient")
    twins.compare(chain.hessian(z, y), curvature, 1e-9, "curvature")
    # One sample alone, and a whole grid of them, are the same sums.
    twins.compare(chain.hessian(z[2], int(y[2])), curvature[2], 1e-9, "one sample")
    grid, several = np.stack([z, z])[:, :, None], np.stack([y, y])[:, :, None]
    twins.compare(chain.gradient(grid, several)[1, :, 0], delta, 1e-10, "a grid")


def _tail(name):
    x, y = torch.zeros(1, 2), torch.zeros(1, dtype=torch.long)
    tail = Tail(mlp((2, 2), nn.ReLU), "fc1", x, y, "ce", device=torch.device("cpu"), dtype=torch.float32)
    tail.loss = name
    return tail


@pytest.mark.parametrize(
    "ask",
    [
        lambda name: loss(name, np.zeros(2), 0),
        lambda name: derivatives(name, np.zeros(2), 0),
        lambda name: Chain((), name),
        lambda name: two_classes(name, np.full(1, 0.5)),
        lambda name: Argument(0, name, True, {}, 0.0),
        lambda name: true_fisher(_tail(name), torch.zeros(1, 1, 2)),
    ],
)
def test_an_unknown_loss_is_never_answered_with_another_ones_numbers(ask):
    with pytest.raises(ValueError, match="There is no loss 'focal'; there are ce, mse, linear_mse"):
        ask("focal")


def test_what_is_no_chain_is_refused_with_the_way_out():
    odd = nn.Sequential(nn.Linear(4, 5), nn.Hardswish(), nn.Linear(5, 3))
    with pytest.raises(ValueError, match=r"it holds Hardswish\. Choose a later layer"):
        chain_after(odd, "0", "ce")
    rough = nn.Sequential(nn.Linear(4, 5), nn.GELU(approximate="tanh"), nn.Linear(5, 3))
    with pytest.raises(ValueError, match="it holds GELU"):
        chain_after(rough, "0", "ce")
    with pytest.raises(ValueError, match="ends with an activation"):
        chain_after(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), "0", "ce")
    assert chain_after(odd, "2", "ce").steps == ()
