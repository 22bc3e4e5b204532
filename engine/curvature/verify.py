"""The sceptic: some of an analysis' numbers once more, in float64, from nothing but the network and its loss.

No factor, moment or projection of this engine takes part, nor what it makes of a layer's places: z(V, x) is what the
layer's own module gives with the weights V. For a direction V and every sample p, x_p the layer's input and x_q that of
its partner, the loss

    f(s, t, r) = ℓ_p at weights W + sV, the layer's output shifted by t z'(W) + r z'(V),  z'(V) = z(V, x_q) − z(V, x_p)

is differentiated twice, automatically, in its three numbers alone. At 0 (theory.md sections 1, 3 and 6):

    ∂f/∂s = g_p·V      ∂²f/∂s² = Vᵀ h_p V      ∂²f/∂s∂t = v_p·V      ∂f/∂r = u_p·V

so the sums over all samples give H_ii, C_ij, those of C_AWD and its parts; and F_ii, where it is asked for, by ∂/∂s of
the outputs and the likelihood of the loss. The gradient of ∂f/∂s in all weights is h_p V: E[h²]_ij, and H_ij = 0.
C_odds and C_loss are JV, ∂²ℓ/∂f² and as weights rᵀA⁺r and ℓ. What follows from these by arithmetic alone is made again
by engine.results.consistency. Where the
analysis is of the Gauss–Newton matrix of a smooth tail, second derivatives are J V by forward mode with ∂²ℓ/∂f² between
them, automatic too. Of layers studied jointly V has a part for each, and there is no duality to check.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from engine.config.requests import joined
from engine.curvature import criteria
from engine.curvature.accumulate import over
from engine.curvature.attention import opened, plain_kernels
from engine.curvature.autodiff import copied
from engine.curvature.duality import partners
from engine.curvature.inputs import Inputs, Output, Tree, picked, read
from engine.curvature.layers import input_of, written
from engine.errors import require
from engine.losses import Loss, LossLike
from engine.progress import Progress, silent
from engine.results import commutation, consistency
from engine.results.analysis import Analysis
from engine.results.names import FISHER
from engine.results.record import Check

CHUNK = 256
NUMBERS = 2**23  # of products with all weights that are held at a time


def verify(
    model: nn.Module,
    inputs: Any,
    targets: Any,
    analysis: Analysis,
    progress: Progress = silent,
    loss: LossLike | None = None,
    output: Output = None,
) -> tuple[Check, ...]:
    """Every matrix of `analysis` along its probes, over all its samples, and what follows from them: see COVERED.

    model, inputs, targets, output: those that were analysed; loss: only of an analysis that was kept in a file, where
    it was a function or module. The partners of duality are sought anew from the float64 activities with the analysis'
    own draw of anchors. ValueError if the analysis kept no probes, if the samples are not as many, if the loss is
    another one, or if the network cannot be differentiated twice.
    """
    about, probes = analysis.provenance, analysis.probes
    require(probes is not None, "This analysis kept no directions to check. Analyse again to have some.")
    assert probes is not None
    samples, layers = read(inputs, targets), joined(about.layer)
    n = len(samples.targets)
    require(n == about.samples, f"{about.samples:,} samples were analysed, but {n:,} were given. Give the same ones.")
    model = opened(copied(model).cpu().double().eval().requires_grad_(False), tuple(layers))
    x = samples.inputs.each(Tensor.cpu).floating(torch.float64)
    with torch.no_grad(), plain_kernels():
        shape = tuple(picked(x[:1].through(model), output).shape[1:])
    written(model)
    fitted = criteria.fit(_analysed(analysis, loss), shape, samples.targets.cpu(), x)
    drawn = FISHER in analysis.names
    weighed = bool({"C_odds", "C_loss"} & set(analysis.names))
    network = _Network(model, tuple(layers), about.bias, fitted.loss, about.exact, output, drawn, weighed)
    try:
        chunks = [network.fed(x[rows]) for rows in over(n, CHUNK, progress, "reading activities")]
        fed = tuple(torch.cat(parts) for parts in zip(*chunks, strict=True))
        flat = torch.cat([x.flatten(1) for x in fed], dim=1)
        partner = torch.full((n,), -1)
        if len(layers) == 1:
            partner = partners(flat.to(getattr(torch, about.dtype)), fitted.kinds, about.anchors_per_class, about.seed)
        paired = (partner >= 0) & (flat.any(dim=1) | about.bias)
        other = torch.where(paired, partner, torch.arange(n))
        columns = torch.from_numpy(probes.vectors.copy()).double().split([d_out * d_in for d_out, d_in in about.sizes])
        directions = tuple(part.T for part in columns)
        every = vmap(vmap(network.along, in_dims=(None, 0, 0, 0, 0)), in_dims=(0, None, None, None, None))
        moved = vmap(vmap(network.product, in_dims=(None, 0, 0)), in_dims=(0, None, None))
        along, squares = [], torch.zeros(len(probes.index), len(probes.index), dtype=torch.float64)
        crossed, squares_paired = squares.clone(), squares.clone()
        chunk = max(1, min(CHUNK, NUMBERS // probes.vectors.size))
        v_all = torch.cat(directions, dim=1)
        for rows in over(n, chunk, progress, "checking"):
            own, changed = (tuple(a[index] for a in fed) for index in (torch.arange(n)[rows], other[rows]))
            along.append(every(directions, x[rows].tree, fitted.targets[rows], own, changed))
            if "E_h2" in analysis.names:
                hv = moved(directions, x[rows].tree, fitted.targets[rows])
                squares += torch.einsum("ind,jnd->ij", hv, hv)
                squares_paired += torch.einsum("ind,jnd->ij", hv[:, paired[rows]], hv[:, paired[rows]])
                crossed += torch.einsum("ind,jd->ij", hv, v_all)
    except (RuntimeError, NotImplementedError) as error:
        raise ValueError(
            f"This network cannot be differentiated twice ({str(error).splitlines()[0]}), so its numbers "
            "cannot be checked this way. The tests of this program check them on networks that can."
        ) from error
    g, h, v, u, f, odds, lost = torch.cat(along, dim=1).unbind(dim=2)
    pairs = max(int(paired.sum()), 1)
    anew = _Anew(about.batch_size, g, h, v[:, paired], u[:, paired], f, odds, lost, squares / n, squares_paired / pairs)
    one = _checks(analysis, probes.index, anew.matrices(analysis), crossed / n if "E_h2" in analysis.names else None)
    return (*one, *consistency.checks(analysis, anew.along_probes(n)))


@dataclass(frozen=True)
class _Anew:
    """Of directions (j) and samples (n), of v and u those that have partners: see `_Network.along`."""

    batch_size: int
    g: Tensor
    h: Tensor
    v: Tensor
    u: Tensor
    fisher: Tensor
    odds: Tensor
    lost: Tensor
    squares: Tensor
    squares_paired: Tensor

    def matrices(self, analysis: Analysis) -> dict[str, Tensor]:
        """Every matrix of the analysis that is made here, or where only its diagonal is, that."""
        b, names = self.batch_size, analysis.names

        def mean(x: Tensor, y: Tensor) -> Tensor:
            product = x @ y.T / max(x.shape[1], 1)
            return (product + product.T) / 2

        def means(x: Tensor, y: Tensor) -> Tensor:
            product = torch.outer(x.mean(1), y.mean(1))
            return (product + product.T) / 2

        hh, gg = ((mean(x, x) / b + (1 - 1 / b) * means(x, x)) / 2 for x in (self.v, self.u))
        hg = mean(self.v, self.u) / b + (1 - 1 / b) * means(self.v, self.u)
        there = {
            "C": (mean(self.g, self.g) - means(self.g, self.g)) / b,
            "E_h2": self.squares,
            FISHER: self.fisher.mean(1),
            "C_awd": hh + hg + gg,
            "C_hh": hh,
            "C_hg": hg,
            "C_gg": gg,
            "C_hh_sd": mean(self.v, self.v) / (2 * b),
            "C_hh_sd_wd_li": analysis.provenance.sigma_w2 / (2 * b) * self.squares_paired,
            "C_odds": self.odds.mean(1) / b,
            "C_loss": self.lost.mean(1) / b,
        }
        return {"H": self.h.mean(1)} | {name: x for name, x in there.items() if name in names}

    def along_probes(self, n: int) -> dict[str, np.ndarray]:
        """H_ii and E[h²]_ii, from which the spectra of single samples can be checked."""
        return {"H": self.h.mean(1).numpy(), "E_h2": self.squares.diagonal().numpy()}


def _analysed(analysis: Analysis, loss: LossLike | None) -> LossLike:
    """The loss that was analysed. ValueError where another one is given, or where only its name is known."""
    name = analysis.provenance.loss
    require(
        loss is None or criteria.criterion(loss).name == name,
        f"The loss {name} was analysed, not {'' if loss is None else criteria.criterion(loss).name}. Check it with the "
        "same one, or analyse again.",
    )
    require(
        analysis.loss is not None or loss is not None or not {".", "("} & set(name),
        f"Of the loss {name} this analysis, which was kept in a file, knows the name alone. Pass it: loss=….",
    )
    return analysis.loss or loss or name


def _checks(
    analysis: Analysis, index: Int[np.ndarray, " j"], anew: Mapping[str, Tensor], crossed: Tensor | None
) -> list[Check]:
    """The sums over samples beside what the analysis says; crossed: V_iᵀ H V_j."""
    checks = []
    places = [int(i) for i in index]
    for name, matrix in anew.items():
        kept = analysis.diagonal(name)[index]
        diagonal = (matrix.diagonal() if matrix.ndim == 2 else matrix).tolist()
        # What has both signs, as C_hg, may vanish where its matrix does not.
        size = float(np.abs(diagonal).max()) * 1e-4 if name in ("C_hg",) else 0.0
        checks += [
            Check(name, (i + 1,), float(x), y, size=size) for i, x, y in zip(places, kept, diagonal, strict=True)
        ]
        block = analysis.blocks.get(name)
        for (row, i), (column, j) in combinations(enumerate(places), 2):
            if block is not None and matrix.ndim == 2 and max(i, j) < len(block):
                apart = float(np.sqrt(abs(diagonal[row] * diagonal[column])))
                checks.append(
                    Check(name, (i + 1, j + 1), float(block[i, j]), float(matrix[row, column]), size=max(apart, size))
                )
                if name == "C":
                    r = commutation.correlation(block[np.ix_([i, j], [i, j])].astype(np.float64))[0, 1]
                    checks.append(
                        Check("C", (i + 1, j + 1), float(r), float(matrix[row, column]) / apart, what="R of", size=1.0)
                    )
    if crossed is not None:
        h = anew["H"].tolist()
        for (row, i), (column, j) in combinations(enumerate(places), 2):
            size = float(np.sqrt(abs(h[row] * h[column])))
            checks.append(Check("H", (i + 1, j + 1), 0.0, float(crossed[row, column]), size=size))
    return checks


@dataclass(frozen=True)
class _Network:
    """A network before its loss, the studied layers known by name; exact: its h_p is the Hessian; drawn: whether the
    true Fisher matrix is asked for; weighed: C_odds or C_loss."""

    model: nn.Module
    layers: tuple[str, ...]
    bias: bool
    loss: Loss
    exact: bool
    output: Output
    drawn: bool = False
    weighed: bool = False

    def fed(self, inputs: Inputs) -> tuple[Tensor, ...]:
        """What the first layer is fed by each sample alone, at each of its uses."""

        def one(x: Tree) -> tuple[Tensor, ...]:
            seen: list[Tensor] = []
            module = self.model.get_submodule(self.layers[0])
            handle = module.register_forward_hook(
                lambda _, args, named, __: seen.append(input_of(args, named).clone()), with_kwargs=True
            )
            try:
                self.outputs(x, {})
            finally:
                handle.remove()
            return tuple(seen)

        seen: tuple[Tensor, ...] = vmap(one)(inputs.tree)
        return seen

    def outputs(self, x: Tree, parameters: dict[str, Tensor]) -> Float[Tensor, "1 c"]:
        """Of one sample."""
        with plain_kernels():
            return picked(Inputs(*x)[None].through(self.model, parameters), self.output).flatten(1)

    def _moved(self, layer: str, step: Float[Tensor, " _"]) -> dict[str, Tensor]:
        """The layer's parameters, as far as they are studied, moved by a step."""
        module: Any = self.model.get_submodule(layer)
        weight, bias = module.weight, module.bias
        rows = step.view(weight.shape[0], -1)
        if not self.bias:
            return {"weight": weight + rows.view(weight.shape)}
        return {"weight": weight + rows[:, :-1].reshape(weight.shape), "bias": bias + rows[:, -1]}

    def _change(self, v: Float[Tensor, " _"], own: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> list[Tensor]:
        """z'(V) at each use of the first layer: z is linear in V, so that of weights moved by V less that of W."""
        module = self.model.get_submodule(self.layers[0])
        moved = self._moved(self.layers[0], v)

        def z(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
            output: Tensor = functional_call(module, parameters, (x,))
            return output

        return [(z(moved, q) - z({}, q)) - (z(moved, p) - z({}, p)) for p, q in zip(own, other, strict=True)]

    def product(self, direction: tuple[Float[Tensor, " _"], ...], x: Tree, y: Tensor) -> Float[Tensor, " d"]:
        """h_p V of one direction and sample, all weights differentiated."""
        sizes = [len(v) for v in direction]
        whole = torch.cat(direction)

        def outputs(step: Tensor) -> Tensor:
            moved = [self._moved(layer, part) for layer, part in zip(self.layers, step.split(sizes), strict=True)]
            parameters = {
                f"{layer}.{name}": value
                for layer, own in zip(self.layers, moved, strict=True)
                for name, value in own.items()
            }
            return self.outputs(x, parameters)

        def value(f: Tensor) -> Tensor:
            return self.loss.value(f[None], y[None])[0]

        zero = torch.zeros_like(whole)
        if self.exact:
            return grad(lambda step: (grad(lambda w: value(outputs(w)[0]))(step) * whole).sum())(zero)
        f, pull = vjp(lambda step: outputs(step)[0], zero)  # type: ignore[misc]
        _, moved = jvp(lambda step: outputs(step)[0], (zero,), (whole,))  # type: ignore[misc]
        (product,) = pull(hessian(value)(f) @ moved)
        return product

    def along(
        self,
        direction: tuple[Float[Tensor, " _"], ...],
        x: Tree,
        y: Tensor,
        own: tuple[Tensor, ...],
        other: tuple[Tensor, ...],
    ) -> Float[Tensor, "7"]:
        """g_p·V, Vᵀh_pV, v_p·V, u_p·V, VᵀF_pV, and VᵀJᵀAJV weighed by odds and by loss, of one direction and sample."""
        module = self.model.get_submodule(self.layers[0])
        push = [(module(q) - module(p)).detach() for p, q in zip(own, other, strict=True)]
        pull = self._change(direction[0], own, other)

        def outputs(theta: Tensor) -> Tensor:
            moved = [self._moved(layer, theta[0] * v) for layer, v in zip(self.layers, direction, strict=True)]
            parameters = {
                f"{layer}.{name}": value
                for layer, own in zip(self.layers, moved, strict=True)
                for name, value in own.items()
            }
            shifts = iter([theta[1] * a + theta[2] * b for a, b in zip(push, pull, strict=True)])
            handle = module.register_forward_hook(lambda _, __, z: z + next(shifts))
            try:
                return self.outputs(x, parameters)
            finally:
                handle.remove()

        def value(f: Tensor) -> Tensor:
            return self.loss.value(f, y[None])[0]

        def slope(theta: Tensor) -> tuple[Tensor, Tensor]:
            first = grad(lambda theta: value(outputs(theta)))(theta)
            return first, first

        # Backward, twice: torch's forward mode gets second derivatives of LayerNorm and GroupNorm wrong, in silence.
        zero = torch.zeros(3, dtype=torch.float64)
        second, first = jacrev(slope, has_aux=True)(zero)
        fisher, odds, lost = zero
        if self.drawn or self.weighed or not self.exact:
            jacobian, f = jacfwd(outputs)(zero), outputs(zero)
            curvature = hessian(lambda f: value(f[None]))(f[0])
            gauss = jacobian[0].T @ curvature @ jacobian[0]
        if not self.exact:
            second = gauss
        if self.weighed:
            slope_f = grad(lambda f: value(f[None]))(f[0])
            inverse = torch.linalg.pinv(curvature, rtol=1e-14, hermitian=True)
            odds, lost = (slope_f @ inverse @ slope_f) * gauss[0, 0], value(f) * gauss[0, 0]
        if self.drawn:
            rows, weights = self.loss.likelihood(f, jacobian[..., :1])
            fisher = (weights * rows[..., 0].square()).sum()
        return torch.stack([first[0], second[0, 0], second[0, 1], first[2], fisher, odds, lost])
