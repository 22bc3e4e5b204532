"""Networks as anyone writes them in PyTorch: one reading of their weights is the network itself."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from engine.config.kinds import flat, title
from engine.models.layouts import Layout
from engine.models.networks import layers, restore, studied_layer
from engine.models.recognition import readings


class Functional(nn.Module):
    """Modules by name, and a forward pass as a function of them."""

    def __init__(self, forward: Callable, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.run = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def mnist_example() -> nn.Module:
    """pytorch/examples/mnist."""

    def forward(m: nn.Module, x: Tensor) -> Tensor:
        x = f.max_pool2d(f.relu(m.conv2(f.relu(m.conv1(x)))), 2).flatten(1)
        return m.fc2(f.relu(m.fc1(x)))

    return Functional(
        forward, conv1=nn.Conv2d(1, 32, 3), conv2=nn.Conv2d(32, 64, 3), fc1=nn.Linear(9216, 128), fc2=nn.Linear(128, 10)
    )


def older_mnist_example() -> nn.Module:
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        x = f.relu(f.max_pool2d(m.conv2(f.relu(f.max_pool2d(m.conv1(x), 2))), 2)).flatten(1)
        return m.fc2(f.relu(m.fc1(x)))

    return Functional(
        forward, conv1=nn.Conv2d(1, 10, 5), conv2=nn.Conv2d(10, 20, 5), fc1=nn.Linear(320, 50), fc2=nn.Linear(50, 10)
    )


def lenet(pool: Callable, padding: int) -> nn.Module:
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        x = pool(f.relu(m.conv2(pool(f.relu(m.conv1(x)), 2))), 2).flatten(1)
        return m.fc3(f.relu(m.fc2(f.relu(m.fc1(x)))))

    return Functional(
        forward, conv1=nn.Conv2d(1, 6, 5, padding=padding), conv2=nn.Conv2d(6, 16, 5),
        fc1=nn.Linear(400 if padding else 256, 120), fc2=nn.Linear(120, 84), fc3=nn.Linear(84, 10),
    )  # fmt: skip


class Basic(nn.Module):
    """A block as in kuangliu/pytorch-cifar: a convolution as the shortcut; or channels of zeros on both sides."""

    def __init__(self, before: int, after: int, stride: int, zeros: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.more = (after - before) // 2 if zeros else 0
        self.shortcut = nn.Sequential()
        if before != after and not zeros:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        beside = f.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more)) if self.more else self.shortcut(x)
        return f.relu(self.bn2(self.conv2(f.relu(self.bn1(self.conv1(x))))) + beside)


def cifar_resnet(zeros: bool, head: str) -> nn.Module:
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        x = m.layer3(m.layer2(m.layer1(f.relu(m.bn1(m.conv1(x))))))
        return m.get_submodule(head)(x.mean((2, 3)))

    stages = {
        f"layer{i}": nn.Sequential(Basic(before, after, 1 + (i > 1), zeros), Basic(after, after, 1, zeros))
        for i, (before, after) in enumerate([(8, 8), (8, 16), (16, 32)], 1)
    }
    stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    return Functional(forward, conv1=stem, bn1=nn.BatchNorm2d(8), **stages, **{head: nn.Linear(32, 10)})


def vgg() -> nn.Module:
    """kuangliu/pytorch-cifar, narrower: the numbers of the sequence tell the poolings."""
    parts: list[nn.Module] = []
    before = 3
    for width in (4, 0, 8, 0, 8, 8, 0, 16, 16, 0, 16, 16, 0):
        if width:
            parts += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        else:
            parts.append(nn.MaxPool2d(2))
    return Functional(
        lambda m, x: m.classifier(m.features(x).flatten(1)),
        features=nn.Sequential(*parts),
        classifier=nn.Linear(16, 10),
    )


def residual(forward: Callable, norms: bool = False) -> nn.Module:
    blocks = {f"block{i}": nn.Linear(12, 12) for i in range(4)}
    more = {f"norm{i}": nn.LayerNorm(12) for i in range(4)} if norms else {}
    return Functional(forward, inp=nn.Linear(20, 12), **blocks, **more, head=nn.Linear(12, 5))


def adds_each(m: nn.Module, x: Tensor) -> Tensor:
    h = f.relu(m.inp(x))
    for i in range(4):
        h = h + f.relu(m.get_submodule(f"block{i}")(h))
    return m.head(h)


def adds_pairs(m: nn.Module, x: Tensor) -> Tensor:
    h = f.relu(m.inp(x))
    for i in (0, 2):
        h = f.relu(h + m.get_submodule(f"block{i + 1}")(f.relu(m.get_submodule(f"block{i}")(h))))
    return m.head(h)


def normalises_and_adds(m: nn.Module, x: Tensor) -> Tensor:
    h = f.relu(m.inp(x))
    for i in range(4):
        h = h + f.relu(m.get_submodule(f"norm{i}")(m.get_submodule(f"block{i}")(h)))
    return m.head(h)


def prenormalised() -> nn.Module:
    """As an MLP-Mixer's or transformer's block: x + fc2(act(fc1(norm(x))))."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.fc1, self.fc2 = nn.LayerNorm(12), nn.Linear(12, 30), nn.Linear(30, 12)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.fc2(f.relu(self.fc1(self.norm(x))))

    def forward(m: nn.Module, x: Tensor) -> Tensor:
        return m.head(m.norm(m.blocks(m.stem(x))))

    return Functional(
        forward, stem=nn.Linear(20, 12), blocks=nn.Sequential(Block(), Block()), norm=nn.LayerNorm(12),
        head=nn.Linear(12, 5),
    )  # fmt: skip


def sequence(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


NETS: dict[str, tuple[nn.Module, tuple[int, ...], str, int]] = {
    # network, shape of a sample, the title of the reading that is right, how many readings at most
    "mnist example": (mnist_example(), (1, 28, 28), "convolutional, 2 + 2 layers", 6),
    "older mnist example": (older_mnist_example(), (1, 28, 28), "convolutional, 2 + 2 layers", 6),
    "lenet, average": (lenet(f.avg_pool2d, 2), (1, 28, 28), "LeNet-5", 6),
    "lenet, max": (lenet(f.max_pool2d, 2), (1, 28, 28), "convolutional, 2 + 3 layers", 6),
    "lenet, no padding": (lenet(f.max_pool2d, 0), (1, 28, 28), "convolutional, 2 + 3 layers", 6),
    "resnet": (cifar_resnet(False, "linear"), (3, 16, 16), "ResNet-14", 1),
    "resnet, zeros": (cifar_resnet(True, "fc"), (3, 16, 16), "ResNet-14", 2),
    "vgg": (vgg(), (3, 32, 32), "convolutional, 8 + 1 layers", 4),
    "batchnorm": (
        sequence(nn.Linear(20, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 5)), (20,), "BatchNorm MLP", 1,
    ),
    "batchnorm, late": (
        sequence(nn.Linear(20, 12), nn.ReLU(), nn.BatchNorm1d(12), nn.Linear(12, 5)), (20,),
        "fully connected with BatchNorm", 1,
    ),
    "layernorm": (
        sequence(nn.Linear(20, 12), nn.LayerNorm(12), nn.ReLU(), nn.Linear(12, 5)), (20,),
        "fully connected with LayerNorm", 1,
    ),
    "residual": (residual(adds_each), (20,), "residual MLP", 12),
    "residual, pairs": (residual(adds_pairs), (20,), "residual fully connected", 12),
    "residual, norms": (
        residual(normalises_and_adds, True), (20,), "residual fully connected with LayerNorm", 24,
    ),
    "residual, norms first": (prenormalised(), (20,), "residual fully connected with LayerNorm", 24),
}  # fmt: skip


def moved(net: nn.Module) -> nn.Module:
    """With statistics and scales that are not those of a fresh network."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, t in net.state_dict().items():
            if t.ndim == 1 and t.is_floating_point():
                t.copy_(torch.rand(t.shape, generator=generator) + 0.5 * ("weight" in name or "var" in name))
    return net.eval()


@pytest.mark.parametrize("alphabetical", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_a_network_of_one_s_own_is_among_the_readings(name: str, alphabetical: bool) -> None:
    net, shape, right, count = NETS[name]
    state = moved(net).state_dict()
    if alphabetical:
        state = dict(sorted(state.items()))
    found = readings(state, image=shape[1:] if len(shape) == 3 else None)
    plain = [reading for reading in found if reading.words != "a softmax at the end"]
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(1))
    same = [r for r in plain if torch.allclose(restore(r)(x), net(x), atol=1e-5)]
    assert same
    assert title(same[0].model.kind) == right
    assert len(plain) <= count
    parts = layers(same[0].model, shape[1:] if len(shape) == 3 else (1, 1))
    weights = [part for part in net.modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    assert sorted(part.width * part.inputs for part in parts) == sorted(part.weight.numel() for part in weights)
    assert studied_layer(same[0].model) in {part.name for part in parts}
    assert flat(same[0].model.kind) == (len(shape) == 1)


def test_the_file_s_own_names_are_kept() -> None:
    (reading,) = readings(cifar_resnet(False, "linear").state_dict())[:1]
    names = [part.name for part in layers(reading.model, (16, 16))]
    assert names[:3] == ["conv1", "layer1.0.conv1", "layer1.0.conv2"]
    assert "layer2.0.shortcut.0" in names
    assert names[-1] == "linear"
    assert {part.places for part in layers(reading.model, (16, 16)) if part.name == "layer3.1.conv2"} == {16}


def test_modules_of_one_sequence_leave_no_choice() -> None:
    net = sequence(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    assert [reading.words for reading in readings(net.state_dict())] == ["plain", "a softmax at the end"]


def test_orders_that_chain_are_all_listed_the_file_s_own_first() -> None:
    def square() -> Tensor:
        return torch.randn(4, 4)

    state = {
        "enter.weight": torch.randn(4, 6),
        "b.weight": square(),
        "a.weight": square(),
        "z.weight": torch.ones(3, 4),
    }
    orders = [r.order for r in readings(state) if r.words == "plain"]
    assert orders == ["order enter, b, a, z", "order enter, a, b, z"]
    mixed = {"head.weight": torch.ones(3, 4), "inner.weight": square(), "stem.weight": torch.randn(4, 6)}
    assert readings(mixed)[0].order == ""
    assert readings(mixed)[0].model.widths == (6, 4, 4, 3)
    many = {f"{letter}.weight": square() for letter in "abcdefghij"}
    assert len(readings(many)) <= 2 * 64


def test_a_softmax_at_the_end_is_the_last_step() -> None:
    net = sequence(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3), nn.Softmax(dim=1))
    x = torch.randn(5, 6)
    torch.testing.assert_close(restore(readings(net.state_dict())[-1])(x), net(x))


def test_a_layout_is_its_text() -> None:
    layout = Layout(
        "2x4x4 a=conv:3:3:1:1:b act ( b=conv:3:1:2:0 | zeros:3:2:end ) avg:2:2:0 flatten c=linear:5", "tanh"
    )
    x, s = torch.randn(2, 2, 4, 4), layout.state_dict()
    assert list(s) == ["a.weight", "a.bias", "b.weight", "c.weight"]
    h = torch.tanh(f.conv2d(x, s["a.weight"], s["a.bias"], padding=1))
    h = f.avg_pool2d(f.conv2d(h, s["b.weight"], stride=2) + h[:, :, ::2, ::2], 2).flatten(1)
    torch.testing.assert_close(layout(x), h @ s["c.weight"].T)


def test_timm_s_networks_are_recognised_by_name_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """timm itself is an extra: its place is taken by a module with the two functions that are used."""

    class Timm:
        @staticmethod
        def list_models() -> list[str]:
            return ["net", "netx"]

        @staticmethod
        def create_model(name: str, num_classes: int, in_chans: int = 3) -> nn.Module:
            def forward(m: nn.Module, x: Tensor) -> Tensor:
                return m.head(m.odd.weight * m.stem(x).mean((2, 3)))

            odd = nn.Linear(1, 4, bias=False)
            odd.weight = nn.Parameter(torch.ones(4))
            return Functional(forward, stem=nn.Conv2d(in_chans, 4, 3), odd=odd, head=nn.Linear(4, num_classes))

    monkeypatch.setitem(__import__("sys").modules, "timm", Timm)
    net = Timm.create_model("netx", 7, 1)
    (reading,) = readings(net.state_dict(), hints=("netx_best.pt",))
    assert (reading.model.kind, reading.model.widths) == ("timm/netx", (1, 7))
    x = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(restore(reading)(x), net(x))
    with pytest.raises(ValueError, match=r"odd\.weight fits no layer known here"):
        readings(net.state_dict())
