"""The kinds of network that are trained here, and what may be chosen of each. Nothing here imports torch.

engine.models.architectures counts them, engine.models.networks builds them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.errors import require


@dataclass(frozen=True)
class Kind:
    """label: in a menu; short: before its widths; about: what it is, in a sentence; images: whether it takes images,
    its first width then being their channels and not how many numbers a sample has; hidden: the usual widths between
    the first and the last, empty where they are not chosen; alike: whether these are all the same."""

    label: str
    short: str
    about: str
    images: bool = True
    hidden: tuple[int, ...] = ()
    alike: bool = False


KINDS: Mapping[str, Kind] = {
    "mlp": Kind("fully connected", "", "Every layer is followed by the activation.", False, (50, 50)),
    "cnn": Kind(
        "convolutional (CNN)",
        "CNN",
        "Four 3 × 3 convolutions to 32, 64, 128, 128 channels, then 128 → 20 → classes; 128 → 20 is studied.",
    ),
    "mlp-bn": Kind(
        "fully connected with BatchNorm",
        "BatchNorm MLP",
        "Every hidden layer is normalised over its mini-batch; studied with the averages that training kept.",
        False,
        (50, 50),
    ),
    "resmlp": Kind(
        "fully connected, residual",
        "residual MLP",
        "Every hidden layer but the first adds to what it is fed: h + activation(W h). Hidden widths are all the same.",
        False,
        (64, 64, 64),
        alike=True,
    ),
    "lenet5": Kind(
        "LeNet-5",
        "LeNet-5",
        "5 × 5 convolutions to 6 and 16 channels, each averaged 2 × 2, then 400 → 120 → 84 → classes; "
        "120 → 84 is studied.",
    ),
    "resnet": Kind(
        "ResNet",
        "ResNet",
        "A 3 × 3 convolution, then a block of two for every width, added to what it is fed; where the width grows the "
        "image is halved. 16-32-64 is ResNet-8.",
        hidden=(16, 32, 64),
    ),
    "vit": Kind(
        "vision transformer",
        "vision transformer",
        "The image is cut into patches of 7 × 7; each width is a block of attention with 4 heads and two linear "
        "layers. All widths are the same.",
        hidden=(64, 64),
        alike=True,
    ),
}
RESNET_DEPTHS = (8, 14, 20, 32, 44, 56)


def flat(kind: str) -> bool:
    """Whether a network of this kind takes any samples of so many numbers, and not images."""
    return not KINDS[kind].images if kind in KINDS else "x" not in (layout(kind) or "x").partition(" ")[0]


def layout(kind: str) -> str:
    """The text of a kind that was recognised in a file, “title: text” (engine.models.layouts); empty of others."""
    return kind.partition(": ")[2]


def title(kind: str) -> str:
    """A kind in a word or a few."""
    return KINDS[kind].short if kind in KINDS else kind.partition(": ")[0]


def has_activation(kind: str) -> bool:
    """Whether it may be chosen: shapes do not tell it."""
    return kind in KINDS or bool(layout(kind))


def by_depth(depth: int) -> tuple[int, ...]:
    """The hidden widths of the ResNet with so many layers of weights: a third of its blocks at each of 16, 32, 64
    channels. ValueError where there is none."""
    require(
        depth >= 8 and depth % 6 == 2,
        f"There is no ResNet-{depth} of three equal stages: its depth is 8, 14, 20, …, two more than a multiple of 6.",
    )
    return tuple(width for width in KINDS["resnet"].hidden for _ in range(depth // 6))


def depth(hidden: tuple[int, ...]) -> int | None:
    """The depth of which these are the hidden widths; None where there is none."""
    return next((d for d in RESNET_DEPTHS if by_depth(d) == hidden), None)
