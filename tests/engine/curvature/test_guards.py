"""Layers whose factors are not the whole story are refused; those whose factors are, are not, nor are they touched."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear
from torch.nn.utils import parametrizations, spectral_norm

from engine import analyze
from engine.curvature import guards
from engine.samples.collect import look
from tests.reference.cases import mlp


class Net(nn.Module):
    """Three layers, and something that `forward` does with them besides."""

    def __init__(self, forward):
        super().__init__()
        self.inner, self.odd = mlp((4, 4, 4, 3), nn.ReLU, bias=True), forward

    def forward(self, x):
        return self.odd(self.inner, x)


def tied(net, x):
    """A decoder that shares the encoder's weights by reading them."""
    return net.fc3(linear(torch.relu(net.fc2(net.fc1(x))), net.fc2.weight.t()))


def tied_to_a_bias(net, x):
    return net(x) + net.fc2.bias[:3]


def divided(net, x):
    return net(x) / net.fc2.weight.norm()


def fed_itself(net, x):
    return net(linear(x, net.fc1.weight))


def fed_behind_it(net, x):
    return net(linear(x, net.fc3.weight.t() @ net.fc3.weight))


class Once(torch.autograd.Function):
    """Cannot be differentiated twice."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    @once_differentiable
    def backward(ctx, slope):
        return 2 * slope


def run(model, layer="inner.fc2", **settings):
    torch.manual_seed(0)
    x, y = torch.randn(8, 4), torch.arange(8) % 3
    return analyze(model, x, y, layer, **({"device": "cpu", "anchors_per_class": None} | settings))


def net(forward=lambda inner, x: inner(x)):
    torch.manual_seed(1)
    return Net(forward)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["ce", "mse", "linear_mse"])
@pytest.mark.parametrize(
    ("forward", "layer", "bias", "sentence"),
    [
        (tied, "inner.fc2", False, "'inner.fc2' act on the output in another way.*gradient of its factors is .*% off"),
        (tied_to_a_bias, "inner.fc2", True, "'inner.fc2' act on the output in another way"),
        (divided, "inner.fc2", False, "'inner.fc2' act on the output in another way"),
        (fed_itself, "inner.fc1", False, "The input of layer 'inner.fc1' depends on the layer's own weights"),
        (fed_behind_it, "inner.fc3", False, "The input of layer 'inner.fc3' depends on the layer's own weights"),
        (tied, "inner.fc1+inner.fc2", False, "'inner.fc2' act on the output in another way"),
        (divided, "inner.fc2+inner.fc3", False, "'inner.fc2' act on the output in another way"),
        (fed_behind_it, "inner.fc1+inner.fc3", False, "The input of layer 'inner.fc3' depends"),
    ],
)
def test_weights_that_act_in_another_way_too_are_refused(forward, layer, bias, sentence, loss, dtype):
    with pytest.raises(ValueError, match=sentence + ".*Choose another layer"):
        run(net(forward), layer, bias=bias, loss=loss, dtype=dtype)


@pytest.mark.parametrize(
    ("forward", "layer"),
    [(tied, "inner.fc1"), (tied, "inner.fc3"), (tied_to_a_bias, "inner.fc2"), (divided, "inner.fc1+inner.fc3")],
)
def test_what_other_layers_do_with_theirs_is_no_reason_to_refuse(forward, layer):
    run(net(forward), layer)


def test_a_network_that_has_learnt_its_samples_is_refused_as_well():
    """Where the loss has neither slope nor curvature."""

    def certain(inner, x):
        return tied(inner, x) + 1e3 * torch.eye(3)[torch.arange(len(x)) % 3]

    with pytest.raises(ValueError, match="in another way"):
        run(net(certain))


def late(net, x):
    """Ties its decoder to its encoder, but for samples that the first three are not."""
    h = net.fc2(torch.relu(net.fc1(x)))
    rare = (x[:, 0] > 2)[:, None]
    return net.fc3(torch.relu(torch.where(rare, linear(torch.tanh(h), net.fc2.weight), h)))


def mixed_late(net, x):
    h = torch.relu(net.fc2(torch.relu(net.fc1(x))))
    return net.fc3(h + (x[:, :1] > 2) * h.mean(0, keepdim=True))


@pytest.mark.parametrize("forward", [late, mixed_late])
def test_what_happens_for_some_samples_alone_is_seen_too(forward):
    torch.manual_seed(0)
    x, y = torch.randn(8, 4).clamp(-1.5, 1.5), torch.arange(8) % 3
    analyze(net(forward), x, y, "inner.fc2", device="cpu")
    x[6, 0] = 2.9
    with pytest.raises(ValueError, match=r"For some samples the weights of layer 'inner.fc2' act"):
        analyze(net(forward), x, y, "inner.fc2", device="cpu")


def test_any_layout_in_memory_is_taken():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    x, y = torch.randn(5, 3, 4, 4), torch.arange(5) % 3
    plain = analyze(model, x, y, "0", device="cpu", dtype="float64").eigenvalues
    last = x.to(memory_format=torch.channels_last)
    other = analyze(model.to(memory_format=torch.channels_last), last, y, "0", device="cpu", dtype="float64")
    np.testing.assert_allclose(other.eigenvalues, plain, rtol=1e-9, atol=1e-12)


def test_every_look_at_single_samples_is_guarded():
    x, y = torch.randn(6, 4), torch.arange(6) % 3
    with pytest.raises(ValueError, match="in another way"):
        look(net(divided), x, y, "inner.fc2", "ce", 5, 0, tuple("abc"), "cpu")


@pytest.mark.parametrize("layer", ["fc2", "fc2+fc3"])
def test_a_smooth_tail_is_taken_for_a_piecewise_linear_one_by_name_only(layer, monkeypatch):
    torch.manual_seed(1)
    model = mlp((4, 4, 4, 4, 3), nn.Tanh)
    run(model, layer)
    run(model, layer, curvature="gauss-newton")
    monkeypatch.setattr(guards, "is_curved", lambda *_: False)
    run(model, layer, curvature="gauss-newton")
    run(model, layer, curvature="full")
    with pytest.raises(ValueError, match=r"the Hessian of its factors is \d+% off"):
        run(model, layer)


@pytest.mark.parametrize("norm", [spectral_norm, parametrizations.spectral_norm, parametrizations.weight_norm])
def test_weights_computed_from_others_are_those_that_the_layer_uses(norm):
    model = net()
    model.inner.fc2 = norm(model.inner.fc2)
    model.eval()
    z = []
    model.inner.fc2.register_forward_hook(lambda _, args, out: z.append((args[0], out)))
    h = run(model.requires_grad_(False), dtype="float64").eigenvalues
    plain = net().double()
    with torch.no_grad():
        model(torch.eye(4))
        (a, out), bias = z[-1], model.inner.fc2.bias
        plain.inner.fc2.weight.copy_(model.inner.fc2.weight)
    torch.testing.assert_close(linear(a, plain.inner.fc2.weight.float(), bias), out)
    np.testing.assert_allclose(h, run(plain, dtype="float64").eigenvalues, rtol=1e-5, atol=1e-6)


def test_dead_layers_and_derivatives_without_value_are_refused():
    dead = net()
    nn.init.constant_(dead.inner.fc2.bias, -1e3)
    with pytest.raises(ValueError, match="No gradient reaches layer"):
        run(dead)
    with pytest.raises(
        ValueError, match=r"gradient of the loss in the weights of layer 'inner.fc2' is NaN or infinite"
    ):
        run(net(lambda inner, x: (inner(x) * 0).abs().sqrt()))


def test_networks_of_one_precision_pass_and_those_of_one_derivative_are_told_so():
    run(net(lambda inner, x: inner(x.float())))
    with pytest.raises(ValueError, match=r"cannot be differentiated twice \(.*disagree.*layer 'inner.fc2'"):
        run(net(lambda inner, x: Once.apply(inner(x))), curvature="gauss-newton")


@pytest.mark.parametrize("layer", ["inner.fc2", "inner.fc1+inner.fc2"])
def test_neither_numbers_nor_network_nor_random_state_change(layer, monkeypatch):
    model = net()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    result, state = run(model, layer), torch.get_rng_state()
    monkeypatch.setattr(guards, "check", lambda cut: None)
    bare = run(model, layer)
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(result.eigenvalues, bare.eigenvalues)
    assert np.array_equal(result.basis, bare.basis)
    assert all(np.array_equal(result.diagonals[name], bare.diagonals[name]) for name in bare.diagonals)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
