"""ResNets by the names of their blocks, layer2.0.conv1 and alike, as texts of engine.models.layouts."""

import re
from collections.abc import Iterator, Sequence

from engine.models.files import natural
from engine.models.parts import Part

_BLOCK = re.compile(r"(?:layer|stage|block|group)s?_?(\d+)\.(?:blocks\.)?(\d+)\.")
_SHORTCUT = re.compile(r"shortcut|downsample|skip|identity|proj")


def texts(parts: Sequence[Part]) -> Iterator[tuple[str, str, str]]:
    """(title, text, words) of every way to read these layers as a ResNet; none where they are none."""
    blocks: dict[tuple[int, int], list[Part]] = {}
    outside: dict[str, list[Part]] = {"conv": [], "linear": [], "batch": [], "layer": []}
    for part in parts:
        if place := _BLOCK.search(part.name):
            blocks.setdefault((int(place[1]), int(place[2])), []).append(part)
        else:
            outside[part.kind].append(part)
    if not blocks or [len(some) for some in outside.values()] not in ([1, 1, 1, 0], [1, 1, 0, 0]):
        return
    stem, head, norms = outside["conv"][0], outside["linear"][0], outside["batch"]
    large, first = stem.kernel == 7, min(blocks)
    start = f"{stem.inputs}x {_conv(stem, 1 + large)} {_norm(norms)} act" + " max:3:2:1" * large
    depth = 2 + sum(part.kind == "conv" and not _SHORTCUT.search(part.name) for own in blocks.values() for part in own)
    for side in ("both", "end"):
        width, words = stem.width, [start]
        for at, own in sorted(blocks.items()):
            down = at[0] > first[0] and at == min(other for other in blocks if other[0] == at[0])
            width, text = _block(own, width, 1 + down, side)
            words.append(text)
        line = " ".join([*words, f"mean {head.name}=linear:{head.width}" + ":b" * head.bias])
        if "" in words or head.inputs != width or any(norm.width != stem.width for norm in norms):
            return
        padded = "zeros:" in line
        yield f"ResNet-{depth}", line, f"channels of zeros {'on both sides' if side == 'both' else 'behind'}" * padded
        if not padded:
            return


def _block(own: Sequence[Part], width: int, stride: int, side: str) -> tuple[int, str]:
    """Its width and text; the text is empty where it is no chain of convolutions, each with its normalisation."""
    main = sorted((p for p in own if not _SHORTCUT.search(p.name)), key=lambda part: natural(part.name))
    convs, norms = ([part for part in main if part.kind == kind] for kind in ("conv", "batch"))
    beside = [part for part in own if part not in main]
    if not convs or len(norms) not in (0, len(convs)) or len(convs) + len(norms) != len(main):
        return width, ""
    # The image is halved by the first convolution wider than one pixel.
    halving = next((conv for conv in convs if conv.kernel > 1), convs[0])
    words, channels = [], width
    for i, conv in enumerate(convs):
        norm = norms[i : i + 1]
        if conv.inputs != channels or any(n.width != conv.width for n in norm):
            return width, ""
        channels = conv.width
        words += ["act"] * (i > 0) + [_conv(conv, stride if conv is halving else 1), _norm(norm)]
    if beside:
        conv = next((part for part in beside if part.kind == "conv"), convs[0])
        if (conv.inputs, conv.width) != (width, channels):
            return width, ""
        words += ["|", _conv(conv, stride), _norm([part for part in beside if part.kind == "batch"])]
    elif channels != width or stride > 1:
        words += ["|", f"zeros:{channels}:{stride}:{side}"]
    return channels, " ".join(" ".join(["(", *words, ") act"]).split())


def _conv(part: Part, stride: int) -> str:
    return f"{part.name}=conv:{part.width}:{part.kernel}:{stride}:{part.kernel // 2}" + ":b" * part.bias


def _norm(norms: Sequence[Part]) -> str:
    return " ".join(f"{norm.name}={norm.kind}" for norm in norms)
