"""Per-sample factors against torch.func, the choice of curvature, and what is refused."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from engine import analyze
from engine.curvature import covariances
from engine.curvature.covariances import Combination
from engine.curvature.inputs import read
from engine.curvature.layers import check_layer
from engine.curvature.tail import Tail
from tests.reference import losses, twins
from tests.reference.cases import CASES, LOSSES, case, mlp


def tail_of(c, loss, bias=False, curvature="auto"):
    where, double = torch.device("cpu"), torch.float64
    return Tail(c.model, c.layer, c.inputs, c.targets, loss, device=where, dtype=double, bias=bias, curvature=curvature)


def factors(c, loss, bias=False, curvature="auto"):
    return tail_of(c, loss, bias, curvature).survey(keep=True).kept


def hessians(f):
    """h_p = Σ_m μ_m x_m x_mᵀ and g_p from the factors, one sample at a time."""
    x = f.vectors("x").written_out()
    return f.vectors("g").written_out()[:, 0], torch.einsum("nr,nrd,nre->nde", f.curvature, x, x)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", CASES)
def test_gradients_and_hessians_equal_torch_func(name, loss):
    c = case(name, n=5, seed=1)
    for bias in {False, c.bias}:
        f = factors(c, loss, bias)
        expected_g, expected_h = twins.per_sample(c.model, c.layer, c.inputs, c.targets, loss, bias)
        g, h = hessians(f)
        twins.compare(g, expected_g, 1e-10, f"g, bias {bias}")
        twins.compare(h, expected_h, 1e-10, f"h, bias {bias}")
        x = f.vectors("x").written_out()
        gram, real = x @ x.mT, f.curvature.abs() > 1e-12
        expected = torch.diag_embed(f.norm2[:, None].expand_as(f.curvature)) * real[:, None]
        twins.compare(gram * (real[:, :, None] & real[:, None]), expected, 1e-8, "orthogonal x_m of one length")
        assert bool((f.curvature.abs().diff(dim=1) <= 1e-12).all()), "falling magnitude"


@given(
    widths=st.lists(st.integers(1, 5), min_size=3, max_size=4),
    loss=st.sampled_from(LOSSES),
    smooth=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40)
def test_random_networks(widths, loss, smooth, seed):
    torch.manual_seed(seed)
    model = mlp(tuple(widths), nn.Tanh if smooth else nn.ReLU, bias=True).double()
    inputs, targets = torch.randn(3, widths[0], dtype=torch.float64), torch.randint(widths[-1], (3,))
    c = case("relu")
    c = type(c)("random", model, "fc2", inputs, targets, widths[-1], True, not smooth)
    g, h = hessians(tail_of(c, loss).factors(slice(None)))
    expected_g, expected_h = twins.per_sample(model, "fc2", inputs, targets, loss)
    twins.compare(g, expected_g, 1e-9, "g")
    twins.compare(h, expected_h, 1e-9, "h")


@pytest.mark.parametrize("chunk", [1, 2, 4, 100])
@pytest.mark.parametrize("name", ["gelu", "conv2d"])
def test_a_chunk_enters_no_factor(name, chunk, monkeypatch):
    c = case(name, n=9)
    one = factors(c, "mse")
    monkeypatch.setattr(Tail, "chunk", chunk)
    other = factors(c, "mse")
    for field in ("curvature", "norm2", "g", "loss", "correct"):
        twins.compare(getattr(other, field), getattr(one, field), 1e-12, field)


def test_the_curvature_is_chosen_and_can_be_forced():
    relu, tanh = case("relu"), case("tanh")
    assert (tail_of(relu, "ce").kind, tail_of(relu, "ce").exact) == ("gauss-newton", True)
    assert (tail_of(tanh, "ce").kind, tail_of(tanh, "ce").exact) == ("full", True)
    assert not tail_of(tanh, "ce", curvature="gauss-newton").exact
    assert tail_of(relu, "ce", curvature="gauss-newton").exact
    expected = hessians(factors(relu, "ce"))[1]
    twins.compare(hessians(factors(relu, "ce", curvature="full"))[1], expected, 1e-12, "full on a ReLU tail")
    forced = hessians(factors(tanh, "ce", curvature="gauss-newton"))[1]
    exact = twins.per_sample(tanh.model, tanh.layer, tanh.inputs, tanh.targets, "ce")[1]
    assert float((forced - exact).abs().max() / exact.abs().max()) > 1e-3, "Gauss–Newton is not the Hessian here"


def test_a_tail_curved_for_few_samples_is_found():
    """The first 64 samples meet a linear piece, the last one the curved piece of softplus-like activation."""

    class Late(nn.Module):
        def forward(self, z):
            return torch.where(z.abs() < 50, z, z + 0.01 * z**2)

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), Late(), nn.Linear(3, 2)).double()
    inputs = torch.randn(70, 3, dtype=torch.float64)
    inputs[-1] *= 1000
    targets = torch.arange(70) % 2
    c = case("relu")
    c = type(c)("late", model, "0", inputs, targets, 2, True, False)
    tail = tail_of(c, "linear_mse")
    f = tail.survey(keep=True).kept
    assert tail.kind == "full"
    expected = twins.per_sample(model, "0", inputs[-1:], targets[-1:], "linear_mse")[1]
    twins.compare(hessians(f)[1][-1:], expected, 1e-9, "h of the late sample")


def test_in_place_tails_and_inference_mode():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(4, 3), nn.ReLU(inplace=True), nn.Linear(3, 3), nn.ReLU(inplace=True), nn.Linear(3, 2)
    )
    model = model.double()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    inputs, targets = torch.randn(5, 4, dtype=torch.float64), torch.arange(5) % 2
    c = type(case("relu"))("inplace", model, "2", inputs, targets, 2, True, True)
    expected = twins.per_sample(model, "2", inputs, targets, "ce")[1]
    twins.compare(hessians(factors(c, "ce"))[1], expected, 1e-10, "h")
    with torch.inference_mode():
        result = analyze(model, inputs * 1, targets, "2", dtype="float64", anchors_per_class=None)
    twins.compare(result.eigenvalues[0], torch.linalg.eigvalsh(expected.mean(0))[-1], 1e-9, "H_11")
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        self.two.weight = self.one.weight

    def forward(self, x):
        return self.two(torch.relu(self.one(x)))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(torch.relu(self.fc(x)))


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.idle, self.cut = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) + self.cut(x).detach()


class Mixing(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x - x.mean(0))


def normalised(**settings):
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, **settings), nn.Linear(4, 4))


@pytest.mark.parametrize(
    ("model", "layer", "sentence"),
    [
        (lambda: Shared(), "one", "shared with two.weight"),
        (lambda: Twice(), "fc", "input of layer 'fc' depends on the layer's own weights"),
        (lambda: Unused(), "idle", "not on the path"),
        (lambda: Unused().requires_grad_(), "cut", "does not depend on|not on the path|differentiable path"),
        (lambda: Mixing(), "fc", "changes with the other samples"),
        (normalised, "0", "in training mode.*model.eval"),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.Dropout()), "0", "Dropout '1' is in training mode"),
        (lambda: normalised(track_running_stats=False).eval(), "0", "no running statistics"),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU()), "1", "is a ReLU; the engine studies linear layers"),
        (lambda: nn.Sequential(nn.Linear(4, 4)), "fc9", "no layer 'fc9'; the layers that can be studied are 0"),
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.Unflatten(1, (2, 2))), "0", "one row of logits per sample"),
    ],
)
def test_layers_outside_the_theory_are_refused(model, layer, sentence):
    with pytest.raises(ValueError, match=sentence):
        analyze(model(), torch.randn(6, 4), torch.arange(6) % 4, layer)


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"targets": torch.arange(6)}, ValueError, "run from 0 to 5 but the model has 4 outputs"),
        ({"targets": torch.arange(5)}, ValueError, "6 inputs but 5 targets"),
        ({"targets": torch.arange(6) - 1}, ValueError, "run from -1"),
        ({"targets": torch.rand(6)}, TypeError, "whole-number class labels"),
        ({"targets": torch.zeros(6, 4, dtype=torch.long)}, ValueError, "one label per sample"),
        ({"inputs": torch.full((6, 4), torch.nan)}, ValueError, "NaN or infinity"),
        ({"inputs": torch.empty(0, 4), "targets": torch.empty(0, dtype=torch.long)}, ValueError, "no samples"),
        ({"loss": "hinge"}, ValueError, "no loss 'hinge'"),
        ({"batch_size": 0}, ValueError, "a number from 1; not 0"),
        ({"top_k": 17}, ValueError, "top_k must lie in 1 … 16"),
        ({"anchors_per_class": 0}, ValueError, "anchors_per_class"),
        ({"device": "tpu"}, ValueError, "is no device"),
        ({"dtype": "float16"}, ValueError, "'float32' or 'float64'"),
        ({"curvature": "exact"}, ValueError, "curvature is one of"),
        ({"bias": True}, ValueError, "has no bias"),
        ({"spectra": -1}, ValueError, "spectra"),
        ({"bootstrap": -1}, ValueError, "bootstrap"),
    ],
)
def test_wrong_arguments_are_told_what_is_possible(change, error, sentence):
    good = {
        "model": nn.Sequential(nn.Linear(4, 4, bias=False)),
        "inputs": torch.randn(6, 4),
        "targets": torch.arange(6) % 4,
        "layer": "0",
    }
    with pytest.raises(error, match=sentence):
        analyze(**(good | change))


def test_wrong_types_are_told_what_is_possible():
    with pytest.raises(TypeError, match="torch tensors, not list and Tensor"):
        read([1.0], torch.zeros(1, dtype=torch.long))
    with pytest.raises(TypeError, match=r"torch.nn.Module, not str"):
        check_layer("net", "0")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", ["relu_bias", "tanh", "tokens", "conv2d_groups", "conv2d_smooth"])
def test_the_true_fisher_matrix_equals_its_twin(name, loss):
    c = case(name, n=5)
    how = {"device": torch.device("cpu"), "dtype": torch.float64}
    tail = Tail(c.model, c.layer, c.inputs, c.targets, loss, fisher=True, **how)
    named = {"H": Combination(((1.0, "h"),)), "F": Combination(((1.0, "fisher"),))}
    matrices = covariances.moments(tail, tail.survey(keep=True), named).dense(4)
    w, total = twins.layer_weight(c.model, c.layer).flatten(), 0
    for x in c.inputs:

        def outputs(v, x=x):
            parameters = twins.layer_parameters(c.model, c.layer, v)
            return functional_call(c.model, {f"{c.layer}.{name}": p for name, p in parameters.items()}, (x[None],))[0]

        total = total + losses.sample_fisher(outputs, w, loss)
    twins.compare(matrices["fisher"], total / 5, 1e-9, "F")
    if c.piecewise and loss != "mse":
        twins.compare(matrices["fisher"], matrices["h"], 1e-9, "F = H")


@given(data=st.data())
@settings(max_examples=25)
def test_random_convolutions(data):
    """Of one to three axes, with strides, paddings of every mode, dilations and groups as they fall."""
    axes = data.draw(st.integers(1, 3))
    groups, into, out = data.draw(st.sampled_from([1, 2])), data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2))

    def each(low, high):
        return tuple(data.draw(st.integers(low, high)) for _ in range(axes))

    kernel, dilation, size = each(1, 2), each(1, 2), each(3, 4)
    same = data.draw(st.booleans())
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    conv = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[axes](
        groups * into, groups * out, kernel,
        stride=1 if same else each(1, 2),
        padding="same" if same else each(0, 1),
        dilation=dilation,
        groups=groups,
        bias=data.draw(st.booleans()),
        padding_mode=data.draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"])),
    )  # fmt: skip
    if axes == 3 and conv.padding_mode == "reflect":
        conv.padding_mode = "replicate"
    inputs, targets = torch.randn(2, groups * into, *size, dtype=torch.float64), torch.arange(2)
    width = conv(inputs.float()).flatten(1).shape[1]
    model = nn.Sequential(conv, nn.LeakyReLU(0.3), nn.Flatten(), nn.Linear(width, 3)).double()
    c = type(case("relu"))("random", model, "0", inputs, targets, 3, conv.bias is not None, True)
    bias = c.bias and data.draw(st.booleans())
    g, h = hessians(tail_of(c, "ce", bias).factors(slice(None)))
    expected_g, expected_h = twins.per_sample(model, "0", inputs, targets, "ce", bias)
    twins.compare(g, expected_g, 1e-9, "g")
    twins.compare(h, expected_h, 1e-9, "h")
