"""In which order layers are used, and which normalisation belongs to which, as far as names and shapes tell."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

from engine.models.files import natural
from engine.models.parts import Part

MOST = 24
_STEPS = 20_000  # of the search


def orders(layers: Sequence[Part]) -> list[list[Part]]:
    """Orders in which the layers chain, the likeliest first. Layers whose names differ in their numbers alone are used
    in the order of these."""
    patterns = [re.sub(r"\d+", "#", layer.name) for layer in layers]
    numbered = len(set(patterns)) == 1
    ranked = sorted(layers, key=lambda layer: natural(layer.name)) if numbered else list(layers)
    before = {
        later.name: earlier.name
        for pattern in set(patterns)
        for earlier, later in pairwise(
            sorted((x for x, p in zip(layers, patterns, strict=True) if p == pattern), key=lambda x: natural(x.name))
        )
    }
    tried = 0

    def extend(row: list[Part]) -> Iterator[list[Part]]:
        nonlocal tried
        tried += 1
        if len(row) == len(ranked):
            yield row
        names = {layer.name for layer in row}
        for layer in ranked:
            waits = before.get(layer.name, "")
            if layer.name not in names and (not waits or waits in names) and _fits(row, layer) and tried < _STEPS:
                yield from extend([*row, layer])

    return list(islice(extend([]), MOST))


def _fits(row: Sequence[Part], layer: Part) -> bool:
    if not row:
        return True
    last = row[-1]
    if layer.kind == "conv" or last.kind == "linear":
        return layer.kind == last.kind and layer.inputs == last.width
    return layer.inputs % last.width == 0


def normalisations(parts: Sequence[Part], order: Sequence[Part]) -> dict[str, Part] | None:
    """The normalisation of each layer that has one; under "" one before the first. None where they go with none."""
    norms = [part for part in parts if part.kind in ("batch", "layer")]
    for listed in (parts, sorted(parts, key=lambda part: natural(part.name))):
        behind: dict[str, Part] = {}
        last = Part("", "", order[0].inputs, 0)
        for part in listed:
            if part in norms and part.width == last.width and last.name not in behind:
                behind[last.name] = part
            last = part if part not in norms else last
        if len(behind) == len(norms):
            return behind
    by_number = {_number(norm.name): norm for norm in norms}
    behind = {
        layer.name: by_number[_number(layer.name)]
        for layer in order
        if _number(layer.name) in by_number and by_number[_number(layer.name)].width == layer.width
    }
    if len(behind) == len(norms) == len({norm.name for norm in behind.values()}):
        return behind
    # As many of a width as layers of it but for the last, in the order of their names.
    rest, behind = sorted(norms, key=lambda norm: natural(norm.name)), {}
    for layer in order[:-1]:
        norm = next((norm for norm in rest if norm.width == layer.width), None)
        if norm is not None:
            rest.remove(norm)
            behind[layer.name] = norm
    return None if rest else behind


def _number(name: str) -> str:
    return (re.findall(r"\d+", name) or [name])[-1]
