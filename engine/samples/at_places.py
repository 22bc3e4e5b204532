"""Looks at samples before a layer that is used at several places, or is followed by anything: a few numbers of every
sample, and all about the one in hand, for engine.samples.table and engine.samples.close_up."""

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from engine.curvature.accumulate import over
from engine.curvature.around import Around
from engine.curvature.duality import least_change
from engine.curvature.inputs import picked
from engine.curvature.kronecker import Kronecker
from engine.curvature.tail import Tail
from engine.progress import Progress, silent
from engine.samples.close_up import KEPT, CloseUp, Dual
from engine.samples.pair import Walk

# Differences of numbers between samples up to which all of a class are candidates for a partner; else ANCHORS random
# ones are.
LARGEST, ANCHORS = 10**11, 20
OTHERS = 6  # of a sample's class, drawn at random, beside its partner
CUT = 1e-6  # parts of A below this share of its largest count as 0, as in least_change
STEPS = 101


def shape(tail: Tail) -> tuple[int, ...]:
    """How the places lie: as the positions of a convolution's output, or in a row."""
    call, *more = tail.calls
    image = bool(kernel(tail)) and not more and call.each == 1
    return call.shape[2:] if image else (tail.places,)


def kernel(tail: Tail) -> tuple[int, ...]:
    """Channels and kernel of one filter; () of a linear layer."""
    return tuple(tail.site.module.weight.shape[1:]) if tail.site.module.weight.ndim > 2 else ()


def partners(tail: Tail, progress: Progress = silent) -> tuple[int | None, Int[ndarray, "n q"]]:
    """Pair all samples: among how many of the class partners were sought, None for all, and for each its partner and
    OTHERS of its class, the nearest first; a sample that is alone in its class stands for itself."""
    n = len(tail.targets)
    classes = tail.kinds.unique(return_counts=True)[1]
    compared = int(classes.square().sum()) * sum(call.fed for call in tail.calls)
    anchors = None if compared <= LARGEST else ANCHORS
    tail.pair(anchors, 0, progress)
    partner = tail.pairs.partner
    assert partner is not None
    fed = torch.cat([x.flatten(1) for x in tail.pairs.fed], dim=1)
    kinds, draw = tail.kinds.cpu(), torch.Generator().manual_seed(0)
    near = torch.empty(n, 1 + OTHERS, dtype=torch.long)
    near[:, 0] = torch.where(partner < 0, torch.arange(n, device=partner.device), partner).cpu()
    for kind in kinds.unique():
        members = (kinds == kind).nonzero()[:, 0]
        # Everybody but oneself.
        drawn = torch.randint(max(len(members) - 1, 1), (len(members), OTHERS), generator=draw)
        drawn += drawn >= torch.arange(len(members))[:, None]
        near[members, 1:] = members[drawn % len(members)]
    for rows in over(n, 64):
        others = near[rows, 1:].to(fed.device)
        distance = (fed[others] - fed[rows, None]).square().sum(dim=2)
        near[rows, 1:] = others.gather(1, distance.argsort(dim=1)).cpu()
    return anchors, near.numpy()


def numbers(tail: Tail, leading: Float[Tensor, "d t"], progress: Progress = silent) -> dict[str, Any]:
    """Those of every sample, once they are paired; leading: directions with which the leading u_m are compared."""
    columns: dict[str, list[Tensor]] = {}
    for rows in over(len(tail.targets), tail.chunk, progress, "samples"):
        part = tail.factors(rows)
        first = replace(part, x=part.x[:, :1]).vectors("x")
        norm2 = part.norm2.double().clamp_min(torch.finfo(torch.float32).tiny)
        index = torch.arange(len(tail.targets), device=tail.device)[rows]
        assert tail.pairs.partner is not None
        assert part.fit is not None
        assert part.paired is not None
        own, other = tail.activity(index), tail.activity(tail.pairs.partner[index])
        length, apart = (x.double().flatten(1).norm(dim=1) for x in (own, other - own))
        kappa = part.kappa()
        with torch.no_grad():
            outputs = picked(tail.outputs_of(tail.inputs[rows]), tail.picks).flatten(1).double()
        chances = outputs.softmax(dim=1)
        alone = ~part.paired
        made = {
            "predicted": outputs.argmax(dim=1),
            "confidence": chances.gather(1, tail.targets[rows].to(chances.device)[:, None])[:, 0],
            "loss": part.loss.double(),
            "kappa": kappa[:, :KEPT].float(),
            "trace": kappa.double().sum(dim=1),
            "alignment": (first.along(first.pushed(leading))[:, 0].double().square() / norm2[:, None]).float(),
            "activity2": length.square(),
            "distance": torch.where(alone, torch.nan, apart / length),
            "fit": part.fit.double().masked_fill(alone[:, None], torch.nan),
        }
        for name, column in made.items():
            columns.setdefault(name, []).append(column.cpu())
    return {name: torch.cat(parts).numpy() for name, parts in columns.items()}


def close_up(tail: Tail, p: int, q: int) -> CloseUp:
    """All about sample p, with partner q or −1; the tail computes in float64."""
    rows = torch.tensor([p])
    here = tail.around(rows)
    factors = tail.factors(rows, False, here)
    count = min(KEPT, factors.curvature.shape[1])
    length = factors.norm2.sqrt()[:, None, None].clamp_min(torch.finfo(torch.float64).tiny)
    vectors = (factors.vectors("x").written_out()[:, :count] / length)[0].unflatten(1, tail.weight.shape)
    kappa = factors.kappa()[0]
    moved = _each(here, count)
    push = tail.pushed(moved.a, vectors)
    along = push * tail.by_place(moved.pull(tail.flattened(push)))[0]
    gradient = factors.vectors("g").written_out()[0, 0].view_as(tail.weight)
    own = tail.by_place(here.delta)[0] * tail.pushed(here.a, gradient)
    return CloseUp(
        probabilities=here.f.double().softmax(dim=1)[0].cpu().numpy(),
        trace=float(kappa.sum()),
        kappa=kappa[:count].cpu().numpy(),
        vectors=vectors.cpu().numpy(),
        shares=_shares(along),
        gradient=_shares(own)[0],
        dual=None if q < 0 or not here.a.any() else _dual(tail, here, p, q),
    )


def _each(here: Around, count: int) -> Around:
    """The same sample so many times."""
    return replace(here, **{n: x.expand(count, *x.shape[1:]) for n, x in vars(here).items() if x is not None})


def _shares(along: Float[Tensor, "r g t o"]) -> Float[ndarray, "r t"]:
    """What each place adds to the sum over all of them; 0 where that is 0."""
    at = along.double().sum(dim=(1, 3))
    return torch.nan_to_num(at / at.sum(dim=1, keepdim=True), 0.0, 0.0, 0.0).cpu().numpy()


def _dual(tail: Tail, here: Around, p: int, q: int) -> Dual:
    """Duality with a partner, with both sides at STEPS steps of the way."""
    a, w = here.a, tail.weight
    change = tail.forward(tail.inputs[torch.tensor([q])])[0][0].detach() - a
    push = tail.pushed(change, w)
    reached, _ = least_change(a, push, w)
    largest = float(torch.linalg.matrix_norm(a, ord=2).max())
    inverse = torch.linalg.pinv(a[0], atol=CUT * largest, rtol=0.0)
    t = torch.linspace(0, 1, STEPS, dtype=torch.float64, device=tail.device)[:, None]
    by_activity, delta = _at(tail, p, t * tail.flattened(push))
    by_weight, _ = _at(tail, p, t * tail.flattened(reached))

    def written(z: Float[Tensor, "s e"], right: Float[Tensor, "_ g t i"]) -> Float[Tensor, "s d"]:
        """Σ_t z_t ⊗ a_t."""
        left = tail.by_place(z[:, None])[0]
        return Kronecker(left, right.expand(len(z), *right.shape[1:])).written_out()[:, 0]

    u, v = written(delta[:1], change), written(here.pull(tail.flattened(push)), a)
    # Differences before products: what is left of those near t = 0 would be rounding.
    moved = delta - delta[0]
    actual = written(moved, a) + t * written(moved, change) + t * u
    sizes = {"actual": actual, "first_order": t * (v + u), "curvature": t * v, "activity": t * u}
    walk = {name: x.norm(dim=1) for name, x in (sizes | {"error": actual - t * (v + u)}).items()}
    walk |= {"t": t[:, 0], "by_activity": by_activity, "by_weight": by_weight}
    return Dual(
        walk=Walk(**{name: x.cpu().numpy() for name, x in walk.items()}),
        weight_change=(inverse @ push[0]).mT.reshape(w.shape).cpu().numpy(),
        push=push[0].pow(2).sum(dim=(0, 2)).sqrt().cpu().numpy(),
        missed=(reached - push)[0].pow(2).sum(dim=(0, 2)).sqrt().cpu().numpy(),
    )


def _at(tail: Tail, p: int, moved: Float[Tensor, "s e"]) -> tuple[Float[Tensor, " s"], Float[Tensor, "s e"]]:
    """ℓ_p and δ with the layer's outputs moved."""
    losses, deltas = [], []
    for rows in over(len(moved), min(tail.chunk, tail.at_once)):
        index = torch.full((len(moved[rows]),), p)
        _, shift, f = tail.forward(tail.inputs[index], moved[rows])
        targets = tail.targets[index].to(tail.device)
        slope, _ = tail.loss.derivatives(f.detach(), targets)
        losses.append(tail.loss.value(f.detach().double(), targets))
        deltas.append(torch.autograd.grad((f * slope).sum(), shift)[0])
    return torch.cat(losses), torch.cat(deltas)
