"""The network cut open at one layer: what makes its factors."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from engine.curvature import accumulate, criteria, duality, guards, spectrum
from engine.curvature.accumulate import over
from engine.curvature.around import Around
from engine.curvature.autodiff import ShiftedNetwork, is_curved, rows_of_derivative, second_derivative
from engine.curvature.factors import LayerFactors, Survey
from engine.curvature.inputs import Inputs
from engine.curvature.kronecker import Kronecker
from engine.curvature.memory import FULL_LIMIT, Memory, memory
from engine.errors import require
from engine.losses import LossLike
from engine.progress import Progress, silent


class Tail(ShiftedNetwork):
    """The network cut open at one layer.

    curvature "auto" measures whether the second derivative of what follows the layer contributes to any M_p,
    by one double backward pass along a random direction, and takes "full" only if it does. Forcing
    "gauss-newton" on a smooth tail gives the Gauss–Newton matrix, which is not the Hessian; so does "auto" at more
    than FULL_LIMIT outputs at several places. exact: whether h_p is the Hessian.

    Raises ValueError, with the remedy, for a network that theory.md section 6 does not cover. What can be told
    without running it, engine.curvature.layers has told before.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        inputs: Tensor | Inputs,
        targets: Tensor,
        loss: LossLike,
        *,
        fisher: bool = False,
        **how: Any,
    ):
        super().__init__(model, (layer,), inputs, targets, loss, **how)
        (self.weight,), (self.site,) = self.weights, self.sites
        self.fisher, self.exact, self.pairs = fisher, True, duality.Pairs()
        self.watched = self.kind == "gauss-newton"  # whether a second derivative is being left out
        try:
            self.factors(slice(0, min(64, self.at_once)))
        except _Curved:
            self._bend()
        guards.check(self)

    @property
    def outputs(self) -> int:
        """T · d_out."""
        return self.places * self.weight.shape[0]

    @property
    def single(self) -> bool:
        """One place and one group: h_p = M ⊗ a aᵀ."""
        return self.places == self.site.groups == 1

    @property
    def rank(self) -> int:
        """Most eigenpairs that one sample's curvature can have."""
        d_out, d_in = self.weight.shape
        if self.kind == "full":
            return d_out * min(self.places, d_in)
        return min(self.classes, self.weight.numel()) if not self.single else min(self.classes, d_out)

    @property
    def written(self) -> bool:
        """Whether vectors are written out: D numbers instead of their left sides and an activity."""
        d_out, d_in = self.weight.shape
        vectors = self.rank + 2
        return not self.single and vectors * self.weight.numel() < self.places * (vectors * d_out + 2 * d_in)

    @property
    def bounded_apart(self) -> bool:
        """Whether C_odds and C_loss are made of other vectors than H."""
        return self.kind == "full" and self.loss.odds is not None

    def memory(self, top_k: int | None) -> Memory:
        """What an analysis takes."""
        d_out, d_in = self.weight.shape
        own = memory(
            len(self.targets), d_out, d_in, self.rank + self.classes * (self.fisher + self.bounded_apart), top_k,
            torch.finfo(self.dtype).bits // 8, places=self.places, classes=self.classes, written=self.written,
            full=self.kind == "full", fed=sum(call.fed for call in self.calls),
        )  # fmt: skip
        return own if self.single else replace(own, rows=0)  # of groups a Gram matrix would need them written out

    def _bend(self) -> None:
        """Take the second derivative, or say that it is left out."""
        self.watched = False
        if self.single or self.outputs <= FULL_LIMIT:
            self.kind = "full"
        else:
            self.probing, self.exact = False, False

    # -- all samples ---------------------------------------------------------------------------------------

    def pair(self, anchors_per_class: int | None, seed: int, progress: Progress = silent) -> None:
        """Seek every sample's partner, by the distance of the layer's inputs."""
        read: list[list[Tensor]] = [[] for _ in self.calls]
        for rows in over(len(self.targets), min(256, self.at_once), progress, "pairs"):
            uses = iter(range(len(self.calls)))

            def see(_: int, fed: Tensor, __: Tensor, uses: Iterator[int] = uses) -> None:
                use = next(uses)
                first = fed.movedim(self.calls[use].batch, 0)
                read[use].append(first.unflatten(0, (-1, self.calls[use].each)).clone())

            with self._hooked(see), torch.no_grad():
                self.outputs_of(self.inputs[rows])
        fed = tuple(torch.cat(parts) for parts in read)
        flat = torch.cat([x.flatten(1) for x in fed], dim=1)
        partner = duality.partners(flat, self.kinds.to(self.device), anchors_per_class, seed)
        self.pairs = duality.Pairs(fed, partner)

    def survey(self, keep: bool, progress: Progress = silent) -> Survey:
        """One look at all samples: see Survey."""
        n = len(self.targets)
        kept: LayerFactors | None = None
        paired = torch.zeros(n, dtype=torch.bool, device=self.device)
        fits: list[Tensor] = []
        weighed: dict[str, list[Tensor]] = {}
        weights = torch.randn(n, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        weights = weights.to(device=self.device, dtype=self.dtype)

        def look(rows: slice) -> Iterator[tuple[str, Tensor]]:
            nonlocal kept
            part = self.factors(rows)
            if keep:
                kept = kept or part.room(n)
                kept.keep(rows, part)
            yield "loss", part.loss.double().sum()
            yield "correct", part.correct.double().sum()
            yield "g", part.vectors("g").sum()
            yield "weighted", part.vectors("g").back(weights[rows])[:, 0]
            yield "any", part.curvature.count_nonzero() + part.g.count_nonzero()
            for name, x in (("C_odds", part.by_odds), ("C_loss", part.by_loss)):
                if x is not None:
                    weighed.setdefault(name, []).append(x.double().sum(dim=1) * part.norm2)
            if part.paired is None or part.along is None or part.fit is None:
                return
            paired[rows] = part.paired
            fits.append(part.fit[part.paired])
            yield "v", part.vectors("v").sum()
            yield "u", part.vectors("u").sum()
            kappa2 = (part.curvature.double().square() * part.norm2[:, None]).mul(part.paired[:, None])
            yield "moved", (kappa2 * part.along.double().square()).sum()
            yield "curved", (kappa2 * part.norm2[:, None]).sum()

        try:
            sums = accumulate.sums(look, n, self.chunk, progress, "factors")
        except _Curved:  # curved after all: start again
            self._bend()
            return self.survey(keep, progress)
        self.watched = False
        require(
            bool(sums["any"]),
            f"No gradient reaches layer {self.layers[0]!r}: on these samples its outputs do not change the loss, as "
            "behind units that never fire. Choose another layer, or another checkpoint.",
        )
        guards.check_gradients(self, weights.flatten(), sums["weighted"], self.chunk)
        pairs = int(paired.sum())
        averages = {"g": sums["g"] / n} | {name: sums[name] / max(pairs, 1) for name in ("v", "u") if name in sums}
        moved, curved = (float(sums.get(name, 0.0)) for name in ("moved", "curved"))
        fit = torch.cat(fits).median(dim=0).values.tolist() if pairs else (0.0, 1.0, 0.0)
        absent, largest = self._weighed({name: torch.cat(parts) for name, parts in weighed.items()})
        return Survey(
            kept=kept,
            averages=averages,
            kinds=self.kinds.to(self.device),
            paired=paired,
            sigma_w2=moved / curved if curved > 0 else 0.0,
            mean_loss=float(sums["loss"]) / n,
            accuracy=float(sums["correct"]) / n,
            fit=(fit[0], fit[1], fit[2]),
            absent=absent,
            largest=largest,
        )

    def _weighed(self, traces: Mapping[str, Float[Tensor, " n"]]) -> tuple[dict[str, str], dict[str, float]]:
        """Why there is no C_odds or C_loss, and the largest shares of single samples in their traces."""
        absent, shares = criteria.without_odds(self.loss, self.targets), {}
        for name, each in traces.items():
            total, largest = float(each.sum()), float(each.max())
            shares[name] = largest / (total or 1.0)
            if not total < torch.finfo(self.dtype).max ** 0.5:
                absent[name] = (
                    f"There is no {name}: of a single sample, certain and wrong, its trace is {largest:.0e}, whose "
                    f"square {str(self.dtype).removeprefix('torch.')} does not hold. Leave that sample out, or analyse "
                    "in float64."
                )
        return absent, {name: share for name, share in shares.items() if name not in absent}

    # -- some samples --------------------------------------------------------------------------------------

    @property
    def chunk(self) -> int:
        """Samples that go through the network at a time."""
        if self.single:
            each = self.weight.shape[0] * max(self.classes, self.rank)
            return max(1, min(1024, self.at_once, 2**25 // each))
        each = self.classes * (self.outputs + 3 * self.weight.numel()) + self.places * self.weight.shape[1]
        return max(1, min(256, self.at_once, 2**24 // (each + (8 * self.outputs**2 if self.kind == "full" else 0))))

    def around(self, rows: slice | Int[Tensor, " m"]) -> Around:
        """What the factors of some samples are made of. Costs and errors: see `factors`."""
        (a,), shift, f = self.forward(self.inputs[rows])
        targets = self.targets[rows].to(self.device)
        slope, hessian = self.loss.derivatives(f.detach(), targets)
        if self.watched and is_curved(f, shift, slope.to(f.dtype)):
            if self.probing:
                raise _Curved
            self.exact = False
        jacobian = rows_of_derivative(f, shift)
        second = second_derivative(f, shift, slope.to(f.dtype)).double() if self.kind == "full" else None
        return Around(a.detach(), f.detach(), slope, hessian, jacobian, second)

    def factors(self, rows: slice | Int[Tensor, " m"], dual: bool = True, here: Around | None = None) -> LayerFactors:
        """The factors of some samples, with those of the duality once they are paired; here: what is known around
        them. Costs K backward passes through the part of the network after the layer, and T · d_out more for "full".
        Raises _Curved, until all samples were seen once, where "auto" would leave a second derivative out."""
        here, targets = here or self.around(rows), self.targets[rows].to(self.device)
        a, delta = here.a, here.delta
        x, mu, norm2, lefts = self._spectrum(here)
        factors = LayerFactors(
            x=x,
            curvature=mu.to(a.dtype),
            norm2=norm2,
            g=self._vectors(delta[:, None], a),
            loss=self.loss.value(here.f.double(), targets).to(a.dtype),
            correct=self.loss.correct(here.f, targets).to(a.dtype),
            activity=None if self.written else a,
        )
        if self.loss.odds is not None and dual:
            odds = self.loss.odds(here.f.double(), targets)
            if self.bounded_apart:
                x, mu, _, _ = self._spectrum(replace(here, second=None))
                factors = replace(factors, gauss=x)
            factors = replace(factors, by_odds=(mu * odds[:, None]).to(a.dtype))
            if self.loss.log_odds is not None and not targets.is_floating_point():
                lost = self.loss.log_odds(here.f.double(), targets)
                factors = replace(factors, by_loss=(mu * lost[:, None]).to(a.dtype))
        if self.fisher:
            drawn, weights = self.loss.likelihood(here.f, here.jacobian)
            factors = replace(factors, fisher=self._vectors(drawn, a), drawn=weights.to(a.dtype))
        if self.pairs.partner is None or not dual:
            return factors
        paired = (self.pairs.partner[rows] >= 0) & (a.square().sum(dim=(1, 2, 3)) > 0)
        change = torch.where(paired[:, None, None, None], self.activity(self.pairs.partner[rows]) - a, 0)
        push = self.pushed(change, self.weight)
        reached, fit = duality.least_change(a, push, self.weight)
        pull = here.pull(self.flattened(push))
        return replace(
            factors,
            paired=paired,
            v=self._vectors(pull[:, None], a),
            u=self._vectors(delta[:, None], change),
            change=None if self.written else change,
            along=torch.einsum("nre,ne->nr", lefts, self.flattened(reached).double()).to(a.dtype),
            fit=fit,
        )

    def activity(self, index: Int[Tensor, " m"]) -> Float[Tensor, "m g t i"]:
        """a_t of the samples of an index, from the inputs read by `pair`."""
        places = []
        for call, fed in zip(self.calls, self.pairs.fed, strict=True):
            places.append(self.site.places(fed[index].flatten(0, 1).movedim(0, call.batch), call))
        return torch.cat(places, dim=2)

    @staticmethod
    def pushed(change: Float[Tensor, "n g t i"], weight: Float[Tensor, "*r d_out d_in"]) -> Float[Tensor, "n g t o"]:
        """W Δa_t."""
        return change @ weight.unflatten(-2, (change.shape[1], -1)).mT

    def _vectors(self, z: Float[Tensor, "n r e"], a: Float[Tensor, "n g t i"]) -> Tensor:
        """Σ_t z_t ⊗ a_t as it is kept."""
        (left,) = self.by_place(z.to(a.dtype))
        return Kronecker(left, a).written_out() if self.written else left

    def _spectrum(
        self, here: Around
    ) -> tuple[Tensor, Float[Tensor, "n r"], Float[Tensor, " n"], Float[Tensor, "n r e"]]:
        """x_m as they are kept, μ_m, |x_m|², and the l_m of which x_m = Σ_t l_mt ⊗ a_t."""
        a, jacobian, hessian, second = here.a, here.jacobian, here.hessian, here.second
        if self.single:
            mu, lefts = spectrum.at_one_place(jacobian, hessian, second)
            return self._vectors(lefts, a), mu, a.square().sum(dim=(1, 2, 3)), lefts
        if second is None:
            rows = Kronecker(self.by_place(jacobian)[0], a).written_out().double()
            mu, mix = spectrum.of_rows(rows @ rows.mT, hessian)
            lefts = mix @ jacobian.double()
            x = (mix @ rows).to(a.dtype) if self.written else self._vectors(lefts, a)
        else:
            j = jacobian.double()
            matrix = j.mT @ hessian @ j + second
            # As the places of all uses lie in a, not use by use.
            order = self.by_place(torch.arange(matrix.shape[1], device=matrix.device))[0].flatten()
            mu, lefts = spectrum.at_places(a.double(), matrix[:, order][:, :, order], self.rank)
            lefts = lefts[:, :, order.argsort()]
            x = self._vectors(lefts, a)
        return x, mu, torch.ones_like(a[:, 0, 0, 0]), lefts


class _Curved(Exception):
    """A second derivative that is not zero was being left out."""
