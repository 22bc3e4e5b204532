"""Networks whose layers follow one another, and what their shapes leave open, as texts of engine.models.layouts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product

from engine.errors import require
from engine.models.parts import Part

SIDES = (28, 32, 64, 96, 128, 224)  # pixels of images, where these are not known
_Norms = Mapping[str, Part]  # by the layer that it stands behind; under "" before the first
Text = tuple[str, str, str]  # what the network is called, the text, and what sets it apart from the others


def _word(part: Part, more: str = "") -> str:
    """A layer as its word; a normalisation always has a bias."""
    size = f":{part.width}{more}" + ":b" * part.bias if part.kind in ("linear", "conv") else ""
    return f"{part.name}={part.kind}{size}"


def late(layer: Part, norm: Part) -> bool:
    """Whether the numbers of a sequence leave a place for the activation before the normalisation."""
    first, second = (re.fullmatch(r"(.*?)(\d+)", name) for name in (layer.name, norm.name))
    return bool(first and second and first[1] == second[1] and int(second[2]) - int(first[2]) == 2)


def _behind(layer: Part, norms: _Norms, act: str = "act") -> str:
    """What follows a hidden layer: its normalisation and the activation."""
    norm = norms.get(layer.name)
    if norm is None:
        return act
    return f"{act} {_word(norm)}" if late(layer, norm) else f"{_word(norm)} {act}".strip()


def dense(order: Sequence[Part], norms: _Norms) -> Iterator[Text]:
    """Fully connected networks: plain, and with what may be added to what."""
    kinds = {norm.kind for norm in norms.values()}
    title = "fully connected" + " with BatchNorm" * ("batch" in kinds) + " with LayerNorm" * ("layer" in kinds)
    start = f"{order[0].inputs} {_norm(norms, '')}"
    end = f"{_word(order[-1])} {_norm(norms, order[-1].name)}"
    hidden = [f"{_word(layer)} {_behind(layer, norms)}" for layer in order[:-1]]
    yield title, _line(start, *hidden, end), "plain"
    sequence = all(gap(a, b) is not None for a, b in pairwise(order))
    if not sequence and norms and not any(late(layer, norms[layer.name]) for layer in order if layer.name in norms):
        swapped = (f"{_word(layer)} act {_norm(norms, layer.name)}" for layer in order[:-1])
        yield title, _line(start, *swapped, end), "normalised behind the activation"
    for words, template in () if sequence else _SKIPS.items():  # of one sequence nothing is added to anything
        size, before = 1 + ("W2" in template), "P" in template
        blocks = _blocks(order, size)
        if blocks and (norms or not before):
            for entry in ("act", ""):
                text, i = [start], 0
                while i < len(order) - 1:
                    first, second = order[i], order[i + size - 1]
                    ahead = _norm(norms, order[i - 1].name) if i else ""
                    if i in blocks:
                        values = {"W1": _word(first), "W2": _word(second), "P": ahead}
                        values |= {"N1": _norm(norms, first.name), "N2": _norm(norms, second.name)}
                        text.append(" ".join(values.get(word, word) for word in template.split()))
                        i += size
                    else:
                        text.append(f"{_word(first)} {entry if before else _behind(first, norms, entry)}")
                        i += 1
                text.append(_norm(norms, order[-2].name) if before else "")
                without = "" if entry else ", no activation before the first"
                line = _line(*text, end)
                if all(f"{norm.name}=" in line for norm in norms.values()):
                    yield f"residual {title}", line, words + without


def _blocks(order: Sequence[Part], size: int) -> set[int]:
    """The first layers of stretches of this size between the first layer and the last that give what they take."""
    blocks, i = set(), 1
    while i + size < len(order):
        fits = order[i].inputs == order[i + size - 1].width
        blocks |= {i} if fits else set()
        i += size if fits else 1
    return blocks


# What a block adds to what it is fed, h: W1 and W2 are its layers, N1 and N2 the normalisations behind them, P the one
# before it.
_SKIPS = {
    "skip connections, h + act(W h)": "( W1 N1 act )",
    "skip connections around two layers, h + W₂ act(W₁ h)": "( W1 N1 act W2 N2 )",
    "skip connections around two layers, act(h + W₂ act(W₁ h))": "( W1 N1 act W2 N2 ) act",
    "skip connections, act(h + W h)": "( W1 N1 ) act",
    "skip connections around two layers, h + act(W₂ act(W₁ h))": "( W1 N1 act W2 N2 act )",
    "skip connections around two layers, h + W₂ act(W₁ norm(h))": "( P W1 act W2 )",
    "skip connections, h + act(W norm(h))": "( P W1 act )",
    "skip connections, h + W act(norm(h))": "( P act W1 )",
    "skip connections around two layers, h + W₂ act(norm(W₁ act(norm(h))))": "( P act W1 N1 act W2 )",
}


def _norm(norms: _Norms, name: str) -> str:
    return _word(norms[name]) if name in norms else ""


def _line(*words: str) -> str:
    return " ".join(" ".join(words).split())


def images(order: Sequence[Part], norms: _Norms, image: tuple[int, int] | None) -> Iterator[Text]:
    """Convolutions and then linear layers: paddings and poolings with which the sizes agree."""
    convs = [layer for layer in order if layer.kind == "conv"]
    linear = order[len(convs) :]
    require(bool(linear) and "" not in norms, "The network has no linear layer at its end, or one before it begins.")
    grouped = [norms[conv.name].name for conv in convs if conv.name in norms and norms[conv.name].kind == "layer"]
    require(not grouped, f"{', '.join(grouped)} normalises a convolution without running statistics, as GroupNorm "
            "does, and shapes do not tell over what: the network is measured by its own class.")  # fmt: skip
    places = linear[0].inputs // convs[-1].width
    tail = _line(*(f"{_word(layer)} {_behind(layer, norms)}" for layer in linear[:-1]), _word(linear[-1]))
    title = f"convolutional, {len(convs)} + {len(linear)} layers"
    sides = [image] if image is not None else [(side, side) for side in SIDES]
    seen = set()
    for pooled, (padding, paddings), (height, width), pool in product(
        _poolings(order, len(convs)), _paddings(convs), sides, ("max", "avg")
    ):
        if pool == "avg" and not any(pooled):
            continue
        h, w, text = height, width, []
        for conv, pad, down in zip(convs, paddings, pooled, strict=True):
            h, w = h + 2 * pad - conv.kernel + 1, w + 2 * pad - conv.kernel + 1
            text.append(f"{_word(conv, f':{conv.kernel}:1:{pad}')} {_behind(conv, norms)}")
            if down:
                text.append(f"{pool}:2:2:0")
                h, w = h // 2, w // 2
        if min(h, w) < 1 or (h * w != places and places != 1):
            continue
        whole = places == 1
        first = f"{convs[0].inputs}x" + ("" if whole else f"{height}x{width}")
        line = f"{first} {' '.join(text)} {'mean' if whole else 'flatten'} {tail}"
        where = ", ".join(conv.name for conv, down in zip(convs, pooled, strict=True) if down) or "none"
        if line not in seen:
            seen.add(line)
            yield title, line, f"{'average' if pool == 'avg' else 'max'} pooling behind {where}, {padding}"


def _paddings(convs: Sequence[Part]) -> Iterator[tuple[str, list[int]]]:
    same = [conv.kernel // 2 for conv in convs]
    yield "images keep their size", same
    if any(same):
        yield "no padding", [0] * len(convs)
        yield "the first padded alone", [same[0], *[0] * (len(convs) - 1)]


def _poolings(order: Sequence[Part], count: int) -> list[tuple[bool, ...]]:
    """Behind which convolutions an image may be halved; as the numbers of a sequence tell, where they do."""
    gaps = [gap(a, b) for a, b in pairwise(order[: count + 1])]
    if len(gaps) == count and all(n is not None for n in gaps[:-1]):
        ends = [gaps[-1] > 2] if gaps[-1] is not None else [True, False]
        return [(*(bool(n and n > 1) for n in gaps[:-1]), end) for end in ends]
    growing = tuple(a.width < b.width for a, b in pairwise(order[:count]))
    usual = [
        (True,) * count, (False,) * (count - 1) + (True,), tuple(i % 2 == 1 for i in range(count)),
        (*growing, True), (*growing, False), (False,) * count,
    ]  # fmt: skip
    every = product((True, False), repeat=count) if count <= 4 else ()
    return list(dict.fromkeys([*usual, *every]))


def gap(a: Part, b: Part) -> int | None:
    """Modules without weights that the numbers of a sequence leave between two layers; None where they tell none."""
    first, second = (re.fullmatch(r"(.*?)(\d+)", part.name) for part in (a, b))
    if first is None or second is None or first[1] != second[1] or (first[1] and first[1][-1] not in "._"):
        return None
    between = int(second[2]) - int(first[2]) - 1
    return between - a.normed if between > a.normed else None
