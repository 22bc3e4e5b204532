"""Models as they come: what can be studied is, what cannot is told in a sentence, and nothing is touched."""

import threading
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm
from torch.utils.checkpoint import checkpoint

from engine import analyze
from engine.curvature.layers import check_layer, check_layers, frozen
from engine.curvature.verify import verify
from tests.reference.cases import mlp

X, Y = torch.randn(8, 4, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3


class Net(nn.Module):
    """An MLP, and something that its forward does besides."""

    def __init__(self, forward):
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.odd = mlp((4, 4, 4, 3), nn.ReLU, bias=True), forward
        self.last, self.lock, self.noise = None, threading.Lock(), torch.Generator()

    def forward(self, x):
        return self.odd(self, x)


def keeps(net, x):
    net.last = net.inner(x)
    return net.last


def mixes(net, x):
    return net.inner(x) @ torch.eye(3, dtype=torch.float32)


def drops(net, x):
    return net.inner(functional.dropout(x, 0.5))


def before(net, x):
    return net.inner.act1(net.inner.fc1(x))


def behind(net, z):
    return net.inner.fc3(net.inner.act2(z))


def by_name(net, x):
    return behind(net, net.inner.fc2(input=before(net, x)))


def detached(net, x):
    return behind(net, net.inner.fc2(before(net, x)) + net.inner.fc2(x).detach())


def ungraded(net, x):
    with torch.no_grad():
        shift = net.inner.fc2(x)
    return net.inner(x + shift)


def detached_weight(net, x):
    return behind(net, net.inner.fc2(before(net, x)) + functional.linear(x, net.inner.fc2.weight.detach()))


def time_first(net, x):
    rows = torch.stack([x, 2 * x]).flatten(0, 1)
    return behind(net, net.inner.fc2(rows)).unflatten(0, (2, -1)).sum(0)


def run(model, layer="inner.fc2", **settings):
    return analyze(model, X, Y, layer, **({"device": "cpu", "anchors_per_class": None} | settings))


def plain():
    return run(Net(lambda net, x: net.inner(x))).eigenvalues


def test_models_that_keep_activations_locks_and_generators_are_copied():
    model = Net(keeps)
    model(X)
    assert not model.last.is_leaf
    assert (run(model).eigenvalues == plain()).all()
    assert model.last.grad_fn is not None


@pytest.mark.parametrize("part", ["before", "layer", "behind"])
@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_parts_are_run_straight_through(part, reentrant):
    def odd(net, x):
        parts = {"before": partial(before, net), "layer": net.inner.fc2, "behind": partial(behind, net)}
        parts[part] = partial(checkpoint, parts[part], use_reentrant=reentrant)
        return parts["behind"](parts["layer"](parts["before"](x)))

    confirmed(Net(odd))


def test_a_layer_may_be_fed_by_name():
    confirmed(Net(by_name))


@pytest.mark.parametrize("part", ["fc2", "act2"])
def test_compiled_parts_are_run_as_they_were_written(part):
    model = Net(lambda net, x: net.inner(x))
    setattr(model.inner, part, torch.compile(getattr(model.inner, part), backend="aot_eager"))
    confirmed(model, "inner.fc2" + "._orig_mod" * (part == "fc2"))


COMPUTED = {
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight", amount=3),
    "orthogonal": parametrizations.orthogonal,
    "weight norm": parametrizations.weight_norm,
    "older weight norm": weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "older spectral norm": spectral_norm,
}


@pytest.mark.parametrize("how", COMPUTED)
@pytest.mark.parametrize("layer", [0, 2])
def test_the_check_sees_weights_that_are_computed(layer, how):
    torch.manual_seed(0)
    convolutions = nn.Conv1d(1, 3, 2), nn.ReLU(), nn.Conv1d(3, 4, 2), nn.Tanh()
    model = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(8, 3))
    COMPUTED[how](model[2])
    model.eval()
    result = analyze(model, X[:, None], Y, str(layer), device="cpu", dtype="float64", anchors_per_class=None)
    assert ("is computed from other parameters" in " ".join(result.provenance.notes)) == (layer == 2)
    checks = verify(model, X[:, None], Y, result.kept(("C",)))
    assert max(check.error for check in checks if len(check.directions) == 1) < 1e-6


def confirmed(model, layer="inner.fc2"):
    """As without what is odd about it, by the check as well."""
    result = run(model, layer)
    assert (result.eigenvalues == plain()).all()
    checks = verify(model, X, Y, result.kept(("C",)))
    assert max(check.error for check in checks if len(check.directions) == 1) < 1e-3


def test_pruned_weights_are_those_that_the_layer_uses():
    model = Net(lambda net, x: net.inner(x))
    prune.l1_unstructured(model.inner.fc2, "weight", amount=3)
    model(X)
    pruned = run(model).eigenvalues
    prune.remove(model.inner.fc2, "weight")
    assert (run(model).eigenvalues == pruned).all()
    assert (pruned != plain()).any()


def test_a_module_under_two_names_is_one_layer():
    model = Net(lambda net, x: net.inner(x))
    model.alias = model.inner.fc2
    assert (run(model).eigenvalues == plain()).all()
    assert (run(model, "alias").eigenvalues == plain()).all()


@pytest.mark.parametrize("layer", ["fc1", "fc2", "fc3"])
@pytest.mark.parametrize("top_k", [None, 1])
def test_one_weight_is_enough(layer, top_k):
    torch.manual_seed(3)
    model = mlp((1, 1, 1, 2), nn.ReLU, bias=True)
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.constant_(module.weight, 0.7)
            nn.init.constant_(module.bias, 0.1)
    model.fc3.weight.data[1] *= -1
    result = analyze(model, X[:, :1].abs(), Y % 2, layer, device="cpu", top_k=top_k, spectra=4)
    assert result.eigenvalues[0] > 0
    assert np.isfinite(result.diagonal("C_awd")).all()
    with pytest.raises(ValueError, match="A slope needs at least 3 directions"):
        result.exponent("C")


@pytest.mark.parametrize(
    ("model", "layer", "sentence"),
    [
        (Net(mixes), "inner.fc2", r"cannot be run on these inputs in torch.float64: .*register_buffer"),
        (Net(drops), "inner.fc2", "other outputs at every pass.*dropout that stays on"),
        (Net(lambda net, x: net.inner(x[:, :3])), "inner.fc2", "cannot be run on these inputs.*shapes"),
        (Net(detached), "inner.fc2", "used 2 times, and one use is cut off from the gradient"),
        (Net(ungraded), "inner.fc2", "used 2 times, and one use is cut off from the gradient"),
        (Net(detached_weight), "inner.fc2", "of what the weights of layer 'inner.fc2' do to the output is hidden"),
        (Net(time_first), "inner.fc2", "fed 2 rows a sample, and those of different samples lie between each other"),
        (torch.jit.script(mlp((4, 4, 3), nn.ReLU)), "fc2", "use the plain one that it was made of"),
        (nn.Linear(4, 3), "", "wrap it: nn.Sequential"),
        (nn.Sequential(nn.LazyLinear(3)), "0", "cannot be copied and frozen.*Run a lazy one once"),
        (nn.Sequential(nn.LSTM(4, 3)), "0", "Recurrent weights act on what they made themselves"),
        (nn.Sequential(nn.Embedding(4, 3)), "0", "A row of an embedding"),
    ],
)
def test_what_cannot_be_studied_is_told(model, layer, sentence):
    with pytest.raises(ValueError, match=sentence):
        run(model, layer, dtype="float64")


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (nn.Linear(4, 3).state_dict(), "A state dict holds weights alone"),
        (lambda x: x, "Put a function into the forward of one"),
        (None, "Pass the network itself"),
    ],
)
def test_what_is_no_model_is_told(model, sentence):
    for ask in (check_layer, check_layers):
        with pytest.raises(TypeError, match=sentence):
            ask(model, "0")


@pytest.mark.parametrize("layer", ["inner.fc1", "inner.fc2"])
def test_a_dead_layer_is_told_in_one_sentence(layer):
    model = Net(lambda net, x: net.inner(x))
    nn.init.constant_(model.inner.fc2.bias, -1e3)
    with pytest.raises(ValueError, match=f"No gradient reaches layer '{layer}'"):
        run(model, layer)


def test_a_frozen_layer_is_measured_and_called_frozen():
    model = mlp((4, 4, 4, 3), nn.ReLU, bias=True)
    free = analyze(model, X, Y, "fc2", device="cpu")
    model.fc2.weight.requires_grad_(False)
    held = analyze(model, X, Y, "fc2", device="cpu")
    assert not any("frozen" in note for note in free.provenance.notes)
    assert any("Layer 'fc2' is frozen (requires_grad is False)" in note for note in held.provenance.notes)
    assert not any("frozen" in note for note in analyze(model, X, Y, "fc1", device="cpu").provenance.notes)
    np.testing.assert_array_equal(held.diagonal("C"), free.diagonal("C"))
    assert not model.fc2.weight.requires_grad


def test_what_is_frozen_is_seen_behind_norms_and_in_attentions():
    normed = nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 3)))
    attention = nn.ModuleDict({"a": nn.MultiheadAttention(4, 2)})
    assert not frozen(normed, "0")
    assert not frozen(attention, "a.q_proj")
    attention["a"].in_proj_weight.requires_grad_(False)
    assert frozen(normed.requires_grad_(False), "0")
    assert frozen(attention, "a.in_proj")
    assert not frozen(attention, "a.out_proj")
