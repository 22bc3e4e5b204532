"""engine.models.networks: what is built, and what is read out of bare weights."""

import copy
from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine.config.requests import ModelRequest
from engine.models.architectures import parameter_count, shapes, studied_layer
from engine.models.networks import build, infer, rebuild

CNN = ModelRequest("cnn", (3, 10))

# kind, widths, activation, bias
settings_of_nets = st.tuples(
    st.just("mlp"),
    st.lists(st.integers(2, 9), min_size=2, max_size=13).map(tuple),
    st.sampled_from(["relu", "tanh", "gelu"]),
    st.booleans(),
) | st.tuples(
    st.just("cnn"),
    st.tuples(st.integers(1, 4), st.integers(2, 12)),
    st.sampled_from(["relu", "tanh", "gelu"]),
    st.booleans(),
)


def inputs(request: ModelRequest, n: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (request.widths[0],) if request.kind == "mlp" else (request.widths[0], 8, 9)
    return torch.randn(n, *shape, generator=generator)


def layers_of(model: nn.Module) -> tuple[str, ...]:
    return tuple(name for name, part in model.named_modules() if isinstance(part, nn.Linear | nn.Conv2d))


# -- building -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "layers", "studied", "parameters"),
    [
        (ModelRequest(), ("fc1", "fc2", "fc3"), "fc2", 784 * 50 + 50 * 50 + 50 * 10),
        (
            ModelRequest(widths=(3072, 1000, 50, 50, 10)),
            ("fc1", "fc2", "fc3", "fc4"),
            "fc3",
            3072 * 1000 + 1000 * 50 + 50 * 50 + 50 * 10,
        ),
        (ModelRequest(widths=(5, 3), bias=True), ("fc1",), "fc1", 18),
        (ModelRequest(widths=(5, 4, 3)), ("fc1", "fc2"), "fc1", 32),
        (
            CNN,
            ("conv1", "conv2", "conv3", "conv4", "fc1", "fc2"),
            "fc1",
            (27 * 32 + 32) + (288 * 64 + 64) + (576 * 128 + 128) + (1152 * 128 + 128) + 2560 + 210,
        ),
    ],
)
def test_the_papers_nets(request_: ModelRequest, layers: tuple[str, ...], studied: str, parameters: int) -> None:
    model = build(request_, seed=0)
    assert tuple(shapes(request_)) == layers_of(model) == layers
    assert studied_layer(request_) == studied
    assert parameter_count(request_) == sum(p.numel() for p in model.parameters()) == parameters


def test_the_studied_layers_have_the_papers_sizes() -> None:
    assert build(ModelRequest(), 0).get_submodule("fc2").weight.shape == (50, 50)
    assert build(ModelRequest(widths=(3072, 1000, 50, 50, 10)), 0).get_submodule("fc3").weight.shape == (50, 50)
    assert build(CNN, 0).get_submodule("fc1").weight.shape == (20, 128)
    assert build(CNN, 0).get_submodule("fc1").bias is None


@settings(max_examples=20, deadline=None)
@given(net=settings_of_nets, seed=st.integers(0, 2**40))
def test_any_net_counts_and_names_its_parts_and_answers_per_class(net: tuple, seed: int) -> None:
    request_ = ModelRequest(*net)
    model = build(request_, seed)
    assert parameter_count(request_) == sum(p.numel() for p in model.parameters())
    assert tuple(shapes(request_)) == layers_of(model)
    assert studied_layer(request_) in layers_of(model)
    assert model(inputs(request_)).shape == (3, request_.widths[-1])


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("bias", [False, True])
def test_the_mlp_is_its_formula(activation: str, bias: bool) -> None:
    request = ModelRequest(widths=(12, 5, 4, 3), activation=activation, bias=bias)
    model, x = build(request, 1), torch.randn(6, 3, 2, 2)
    act = {"relu": torch.relu, "tanh": torch.tanh, "gelu": nn.functional.gelu}[activation]
    state = model.state_dict()
    h = x.reshape(6, 12)
    for i in (1, 2, 3):
        h = h @ state[f"fc{i}.weight"].T + (state[f"fc{i}.bias"] if bias else 0)
        h = act(h) if i < 3 else h
    assert len(state) == (6 if bias else 3)
    torch.testing.assert_close(model(x), h)


def test_the_cnn_is_its_formula() -> None:
    model = build(CNN, 1)
    s = model.state_dict()
    for size in (8, 28, 32):
        x = torch.randn(2, 3, size, size)
        h = x
        for i, pooled in ((1, True), (2, True), (3, False), (4, True)):
            h = torch.relu(nn.functional.conv2d(h, s[f"conv{i}.weight"], s[f"conv{i}.bias"], padding=1))
            h = nn.functional.max_pool2d(h, 2) if pooled else h
        h = torch.relu(h.mean((2, 3)) @ s["fc1.weight"].T)
        torch.testing.assert_close(model(x), h @ s["fc2.weight"].T + s["fc2.bias"])


def test_the_residual_mlp_is_its_formula() -> None:
    model, x = build(ModelRequest("resmlp", (12, 5, 5, 5, 3), "tanh", True), 1), torch.randn(6, 3, 2, 2)
    s = model.state_dict()
    h = torch.tanh(x.reshape(6, 12) @ s["fc1.weight"].T + s["fc1.bias"])
    for i in (2, 3):
        h = h + torch.tanh(h @ s[f"fc{i}.weight"].T + s[f"fc{i}.bias"])
    torch.testing.assert_close(model(x), h @ s["fc4.weight"].T + s["fc4.bias"])


def test_lenet_is_its_formula() -> None:
    model, x = build(ModelRequest("lenet5", (1, 10)), 1), torch.randn(2, 1, 28, 28)
    s, f = model.state_dict(), nn.functional
    h = f.avg_pool2d(torch.relu(f.conv2d(x, s["conv1.weight"], s["conv1.bias"], padding=2)), 2)
    h = f.avg_pool2d(torch.relu(f.conv2d(h, s["conv2.weight"], s["conv2.bias"])), 2).flatten(1)
    h = torch.relu(torch.relu(h @ s["fc1.weight"].T) @ s["fc2.weight"].T)
    assert h.shape == (2, 84)
    torch.testing.assert_close(model(x), h @ s["fc3.weight"].T + s["fc3.bias"])


def test_a_block_of_the_resnet_halves_the_image_and_adds_what_it_was_fed() -> None:
    model = build(ModelRequest("resnet", (3, 4, 6, 10)), 1).eval()
    block, x = model.get_submodule("block2"), torch.randn(2, 4, 7, 9)
    s, f = block.state_dict(), nn.functional

    def norm(h: torch.Tensor, i: int) -> torch.Tensor:
        return h / (1 + 1e-5) ** 0.5 * s[f"bn{i}.weight"][:, None, None]

    h = torch.relu(norm(f.conv2d(x, s["conv1.weight"], stride=2, padding=1), 1))
    h = norm(f.conv2d(h, s["conv2.weight"], padding=1), 2)
    h[:, :4] += x[:, :, ::2, ::2]
    torch.testing.assert_close(block(x), torch.relu(h))
    names = [name for name, _ in model.named_children()]
    assert names == ["conv1", "bn1", "act1", "block1", "block2", "average", "flatten", "fc"]


def test_attention_is_pytorch_s_own_and_places_are_told_apart() -> None:
    model, x = build(ModelRequest("vit", (1, 8, 10), "gelu", True), 1).eval(), torch.randn(2, 5, 8)
    block = model.get_submodule("block1")
    own, s = nn.TransformerEncoderLayer(8, 4, 16, 0.0, "gelu", batch_first=True, norm_first=True), block.state_dict()
    own.load_state_dict(
        {f"{there}.{part}": s[f"{here}.{part}"] for part in ("weight", "bias") for here, there in PYTORCHS.items()}
        | {f"self_attn.in_proj_{p}": torch.cat([s[f"{n}.{p}"] for n in "qkv"]) for p in ("weight", "bias")}
    )
    torch.testing.assert_close(block(x), own.eval()(x))
    image = torch.zeros(1, 1, 14, 21)
    image[..., :7, :7] = 1
    assert not torch.allclose(model(image), model(image.flip(3)))


PYTORCHS = {"norm1": "norm1", "norm2": "norm2", "fc1": "linear1", "fc2": "linear2", "out": "self_attn.out_proj"}


def test_the_seed_alone_decides_the_weights_and_the_global_state_is_left_alone() -> None:
    torch.manual_seed(1)
    first = build(ModelRequest(), 7).state_dict()
    after = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), after)
    again, other = build(ModelRequest(), 7).state_dict(), build(ModelRequest(), 8).state_dict()
    for name in first:
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other[name])
    # PyTorch's default: uniform within 1/√d_in
    assert 0.99 < first["fc1.weight"].abs().max() * 784**0.5 <= 1


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (ModelRequest("transformer"), "no architecture 'transformer'.*mlp, cnn"),
        (ModelRequest(activation="swish"), "no activation 'swish'.*relu, tanh, gelu"),
        (ModelRequest(widths=(784,)), r"widths \(784,\) describe no net.*784, 50, 50, 10"),
        (ModelRequest(widths=(784, 0, 10)), "each at least 1"),
        (ModelRequest("cnn"), r"\(channels, classes\).*\(784, 50, 50, 10\) was given"),
    ],
)
def test_nets_that_cannot_be_are_told_what_can(request_: ModelRequest, words: str) -> None:
    for function in (lambda: build(request_, 0), lambda: parameter_count(request_)):
        with pytest.raises(ValueError, match=words):
            function()


# -- reading weights ------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(net=settings_of_nets, seed=st.integers(0, 9), form=st.integers(0, 6))
def test_any_net_is_rebuilt_from_its_weights_alone(net: tuple, seed: int, form: int) -> None:
    request_ = ModelRequest(*net)
    model = build(request_, seed)
    state = model.state_dict()
    wrapped = [
        state,
        {"module." + k: v for k, v in state.items()},
        {"state_dict": {"model.net." + k: v for k, v in state.items()}, "epoch": 3},
        {"model": state, "optimizer": {}},
        {"model_state_dict": OrderedDict(state)},
        dict(sorted(state.items())),  # as safetensors lists them
        state | {"momentum/" + k: torch.zeros_like(v) for k, v in state.items()},
    ][form]
    inferred, rebuilt = rebuild(wrapped, request_.activation)
    assert inferred == infer(wrapped, request_.activation) == request_
    assert not rebuilt.training
    x = inputs(request_)
    assert torch.equal(rebuilt(x), model(x))


def test_other_names_and_other_people_s_nets_are_understood() -> None:
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(6, 5, bias=False), nn.ReLU(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)
    )
    request, rebuilt = rebuild(net.state_dict())
    assert request == ModelRequest(widths=(6, 5, 4, 3), bias=True)
    x = torch.randn(7, 6)
    assert torch.equal(rebuilt(x), net(x))
    named = {
        "entry.weight": torch.randn(5, 6),
        "a_middle.weight": torch.randn(5, 5).double(),
        "exit.weight": torch.randn(2, 5),
    }
    request, rebuilt = rebuild(named, "tanh")
    assert request == ModelRequest(widths=(6, 5, 5, 2), activation="tanh")
    assert torch.equal(rebuilt.get_submodule("fc2").weight, named["a_middle.weight"].float())
    assert rebuilt.get_submodule("fc1").weight.dtype == torch.float32


def test_equal_widths_are_ordered_by_number_and_else_as_the_file_lists_them() -> None:
    deep = ModelRequest(widths=(4,) * 13)
    alphabetical = dict(sorted(build(deep, 0).state_dict().items()))  # fc1, fc10, fc11, fc12, fc2, …
    assert list(alphabetical)[1] == "fc10.weight"
    _, rebuilt = rebuild(alphabetical)
    for name, weight in rebuilt.state_dict().items():
        assert torch.equal(weight, alphabetical[name])
    listed = {"start.weight": torch.randn(4, 4), "hidden.weight": torch.randn(4, 4), "top.weight": torch.randn(2, 4)}
    _, rebuilt = rebuild(listed)
    assert torch.equal(rebuilt.get_submodule("fc1").weight, listed["start.weight"])


def test_the_weights_handed_in_are_copied() -> None:
    state = build(ModelRequest(), 0).state_dict()
    kept = copy.deepcopy(state)
    _, model = rebuild(state)
    with torch.no_grad():
        model.get_submodule("fc1").weight.zero_()
    assert torch.equal(state["fc1.weight"], kept["fc1.weight"])


W = torch.ones


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({}, "holds no weights; found: nothing. Save the weights alone"),
        (W(2, 3), "holds a Tensor, no state dict"),
        ({"a.weight": W(4, 3), "b.weight": W(2, 5)}, "do not chain.*found: a.weight 4×3, b.weight 2×5"),
        ({"a.weight": W(4, 3), "bn.weight": W(4)}, "bn.weight fits no layer"),
        ({"a.weight": W(4, 3), "bn.weight": W(5), "bn.bias": W(5)}, "do not chain"),
        ({"a.weight": W(4, 3), "a.bias": W(5)}, "a.bias fits no layer.*found: a.weight 4×3, a.bias 5"),
        ({"a.weight": W(4, 3), "steps": torch.tensor(3)}, "steps fits no layer.*steps scalar"),
        ({"a.weight": torch.ones(4, 3, dtype=torch.int8)}, "a.weight is quantised"),
        ({"a.weight": W(4, 3) * torch.nan}, "a.weight holds NaN or infinite values"),
        (
            nn.Sequential(
                nn.Conv2d(1, 28, 3, padding=1), nn.GroupNorm(4, 28), nn.Flatten(), nn.Linear(28**3, 4)
            ).state_dict(),
            "1 normalises a convolution without running statistics, as GroupNorm does",
        ),
        ({"c.weight": W(8, 3, 3, 3), "f.weight": W(10, 9)}, "do not chain.*found: c.weight 8×3×3×3"),
    ],
)
def test_weights_of_unknown_nets_are_told_what_was_found(state: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        infer(state)
