"""Gradient descent in one layer alone, with noise of a chosen shape:

    w ← w − η(∇L + ξ),  ξ ~ N(0, X)

Where what follows the layer is a sequence its inputs do not depend on what moves: they are kept, and a step costs the
layer and what follows. Elsewhere it costs the whole network. The experiment's numbers: engine.results.noise.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from engine.curvature import covariances
from engine.curvature.accumulate import over
from engine.curvature.analyze import surveyed
from engine.curvature.autodiff import copied
from engine.curvature.eigensolver import leading_eigenpairs
from engine.curvature.gaussian import drawn, haar, root
from engine.curvature.inputs import Inputs, Output, picked
from engine.curvature.kronecker import Kronecker, Vectors
from engine.curvature.layers import computed
from engine.curvature.tail import Tail
from engine.errors import require
from engine.losses import LossLike
from engine.progress import Progress, silent
from engine.results.noise import EVERY, LIMIT, NONE, SGD, SHAPES, Descents
from engine.training.sgd import order

CHUNK = 2048  # samples that go through the network at a time
TOLERANCE = 1e-4  # of ‖H v − λ_1 v‖, relative to λ_1, which then errs by its square


# -- the layer -----------------------------------------------------------------------------------------------


def following(model: nn.Module, layer: str) -> list[nn.Module] | None:
    """A layer and all that follows it, where whatever holds it runs its parts one after the other; else None."""
    holder = model
    parts: list[nn.Module] = []
    for name in layer.split("."):
        if type(holder).forward is not nn.Sequential.forward or name not in holder._modules:
            return None
        names = list(holder._modules)
        parts = [holder.get_submodule(other) for other in names[names.index(name) + 1 :]] + parts
        holder = holder.get_submodule(name)
    return [holder, *parts]


class Layer:
    """The loss as a function of the weights w of one layer of a network, all else frozen, in evaluation mode.

    Takes what engine.curvature.tail.Tail takes, with the same refusals; ValueError besides for weights that are
    computed from others, and where the bias is studied as well.
    """

    def __init__(
        self, model: nn.Module, layer: str, inputs: Any, targets: Tensor, loss: LossLike, *, output: Output = None,
        device: torch.device, dtype: torch.dtype = torch.float32, curvature: str = "auto",
        bias: bool = False,
    ):  # fmt: skip
        require(not bias, "Descents move the weights of a layer and no bias. Analyse it without its bias.")
        self.name, self.output, self.device, self.dtype = layer, output, device, dtype
        self.whole = copied(model).to(device=device, dtype=dtype).requires_grad_(False)
        self.parts = following(self.whole, layer)
        given = self._there(inputs)
        if self.parts is not None and not self._is_whole(given[:CHUNK]):
            self.parts = None
        self.studied = self.whole if self.parts is None else nn.Sequential(*self.parts)
        layer = layer if self.parts is None else "0"
        how: dict[str, Any] = {"curvature": curvature, "output": output}
        self.settings: dict[str, Any] = how | {"layer": layer, "loss": loss}
        self.tail = Tail(self.studied, layer, self.fed(given), targets, loss, device=device, dtype=dtype, **how)
        require(
            not computed(self.tail.sites[0].module),
            f"The weights of layer {self.name!r} are computed from others, which training moves instead. Choose "
            "another layer.",
        )
        self.model = copied(self.tail.model)
        module: Any = self.model.get_submodule(self.tail.layers[0])
        self.weight: Tensor = module.weight.requires_grad_(True)
        self.start = self.weight.detach().clone()
        self.inputs, self.targets = self._there(self.tail.inputs), self.tail.targets.to(device)

    @torch.no_grad()
    def fed(self, inputs: Inputs) -> Inputs:
        """What reaches the layer, where the network is cut there; else the inputs themselves."""
        if self.parts is None:
            return inputs
        read: list[Tensor] = []
        hook = self.parts[0].register_forward_pre_hook(lambda _, args: read.append(args[0].clone()))
        for rows in over(len(inputs), CHUNK):
            inputs[rows].through(self.whole)
        hook.remove()
        return Inputs.of(torch.cat(read))

    @torch.no_grad()
    def _is_whole(self, some: Inputs) -> bool:
        """Whether the layer and what follows give what the network gives."""
        assert self.parts is not None, "it is cut"
        given, fed = some.through(self.whole), self.fed(some)
        if len(fed) != len(some) or not isinstance(given, Tensor):
            return False
        again = fed.through(nn.Sequential(*self.parts))
        return given.shape == again.shape and bool(torch.allclose(given, again, rtol=1e-3, atol=1e-6))

    def _there(self, inputs: Any) -> Inputs:
        return Inputs.of(inputs).floating(self.dtype).each(lambda x: x.to(self.device))

    def outputs(self, inputs: Inputs) -> Float[Tensor, "n k"]:
        return picked(inputs.through(self.model), self.output).flatten(1)

    def gradient(self, rows: Tensor | None = None) -> Tensor:
        """∇L at the present weights, of some samples or of all."""
        n = len(self.targets) if rows is None else len(rows)
        total = torch.zeros_like(self.weight)
        for part in over(n, CHUNK):
            index = part if rows is None else rows[part]
            loss = self.tail.loss.value(self.outputs(self.inputs[index]), self.targets[index]).sum() / n
            (own,) = torch.autograd.grad(loss, self.weight)
            total = own if n <= CHUNK else total + own
        return total

    @torch.no_grad()
    def look(self, inputs: Inputs, targets: Tensor) -> tuple[float, float]:
        """Mean loss and share of right answers, at the present weights."""
        total = np.zeros(2)
        for rows in over(len(targets), CHUNK):
            f = self.outputs(inputs[rows])
            both = self.tail.loss.value(f, targets[rows]), self.tail.loss.correct(f, targets[rows])
            total += [float(x.double().sum()) for x in both]
        loss, accuracy = total / len(targets)
        return float(loss), float(accuracy)

    def curvature(self) -> tuple[float, float, float]:
        """tr H, the largest eigenvalue of H, and E‖g‖² − ‖ḡ‖², B tr C, at the present weights."""
        tail, n, d = self.tail, len(self.targets), self.weight.numel()
        with torch.no_grad():
            tail.sites[0].module.weight.copy_(self.weight)
        tail.watched = False  # that was told when it was cut
        parts, traces, lengths, mean = [], 0.0, 0.0, torch.zeros(d, dtype=torch.float64, device=self.device)
        for rows in over(n, tail.chunk):
            x, core, g = factors(tail, rows)
            traces += float((core * _gram(x)).sum())
            lengths += float(_gram(g).sum())
            mean += g.sum() / n
            parts.append((x, core.to(tail.dtype)))

        def apply(v: Float[Tensor, "d b"]) -> Float[Tensor, "d b"]:
            return sum(x.back(core @ x.along(x.pushed(v))) for x, core in parts) / n  # type: ignore[return-value]

        leading = leading_eigenpairs(apply, d, 1, device=self.device, dtype=tail.dtype, tolerance=TOLERANCE)
        return traces / n, float(leading.values[0]), lengths / n - float(mean @ mean)


def factors(tail: Tail, rows: slice) -> tuple[Vectors, Float[Tensor, "n r r"], Vectors]:
    """Vectors x and numbers A of some samples with h_p = Σ_kl A_kl x_k x_lᵀ, and their g_p."""
    if tail.kind == "full":
        factors = tail.factors(rows, dual=False)
        return factors.vectors("x"), torch.diag_embed(factors.curvature).double(), factors.vectors("g")
    here = tail.around(rows)
    both = (tail.by_place(z.to(here.a.dtype))[0] for z in (here.jacobian, here.delta[:, None]))
    x, g = (Kronecker(left, here.a) for left in both)
    return x, here.hessian, g


def _gram(x: Vectors) -> Float[Tensor, "n r r"]:
    """x_k · x_l of each sample, float64."""
    if isinstance(x, Kronecker) and x.single:
        left = x.left.flatten(2).double()
        return left @ left.mT * x.right.double().square().sum(dim=(1, 2, 3))[:, None, None]
    rows = x.written_out().double()
    return rows @ rows.mT


# -- the experiment ------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Experiment:
    """Descents from where a layer is. roots: of each X, by its name; trace: tr C, to which all are scaled; notes: which
    have none, and why; unseen: inputs and targets of test samples, None without; epoch: that the order of mini-batches
    goes on from."""

    layer: Layer
    batch_size: int
    rate: float
    epoch: int
    unseen: tuple[Inputs, Tensor] | None
    trace: float
    roots: Mapping[str, Float[Tensor, "d d"]]
    notes: tuple[str, ...]
    _first: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, layer: Layer, batch_size: int, rate: float, *, epoch: int = 0, unseen: tuple[Any, Tensor] | None = None,
        progress: Progress = silent,
    ) -> "Experiment":  # fmt: skip
        """With every X of engine.results.noise.SHAPES at the layer's weights that there is. ValueError for more than
        LIMIT weights."""
        d = layer.weight.numel()
        require(
            d <= LIMIT,
            f"Layer {layer.name!r} has {d:,} weights. Noise of every shape needs the root of a matrix of that many "
            f"rows and columns, and is drawn for up to {LIMIT:,}. Choose a smaller layer.",
        )
        named = _matrices(layer, batch_size, progress)
        trace = float(named["C"].diagonal().sum())
        require(
            trace > 0,
            "The gradients of all samples are equal here: there is no noise. Choose an earlier checkpoint.",
        )
        roots, notes = {}, []
        for done, name in enumerate(SHAPES):
            progress("roots", done, len(SHAPES))
            if name in named:
                try:
                    roots[name] = root(named[name], trace, name)
                except ValueError as error:
                    notes.append(f"{name} is left out: {error}")
        roots["isotropic"] = torch.eye(d, dtype=torch.float64, device=layer.device) * (trace / d) ** 0.5
        if unseen is not None:
            inputs, targets = unseen
            unseen = layer.fed(layer._there(inputs)), targets.to(layer.device)
        return cls(layer, batch_size, rate, epoch, unseen, trace, roots, tuple(notes))

    @property
    def shapes(self) -> tuple[str, ...]:
        """The X there are, by name."""
        return tuple(name for name in SHAPES if name in self.roots or name == "turned")

    def run(self, seed: int, steps: int, still: bool, advance: Callable[[int], None] = lambda steps: None) -> Descents:
        """One seed of each noise; still: of none at all as well. advance hears how many steps were made."""
        values: dict[str, dict[str, np.ndarray]] = {measure: {} for measure in EVERY}
        for name in (SGD, *self.shapes, *(NONE,) * still):
            for measure, row in self._descend(name, seed, steps, advance).items():
                values[measure][name] = row[None]
        samples = len(self.layer.targets)
        return Descents(steps, self.rate, self.batch_size, samples, self.trace, self.notes, values)

    def _descend(self, name: str, seed: int, steps: int, advance: Callable[[int], None]) -> dict[str, np.ndarray]:
        """The measures along one descent."""
        layer = self.layer
        batches = self._batches(seed) if name == SGD else None
        noise = None if name in (SGD, NONE) else drawn(self._root(name, seed).to(layer.weight.dtype), seed, name)
        rows = {measure: np.full(steps // every + 1, np.nan) for measure, every in EVERY.items()}
        with torch.no_grad():
            layer.weight.copy_(layer.start)
        for step in range(steps + 1):
            due = [measure for measure, every in EVERY.items() if step % every == 0]
            if due:
                for measure, value in self._measured(due, step == 0).items():
                    rows[measure][step // EVERY[measure]] = value
                advance(min(EVERY.values()) if step else 0)
            if step == steps or not np.isfinite(rows["loss"][step // EVERY["loss"]]):
                break
            gradient = layer.gradient(None if batches is None else next(batches))
            with torch.no_grad():
                if noise is not None:
                    gradient = gradient + next(noise).view_as(gradient)
                layer.weight.add_(gradient, alpha=-self.rate)
        return rows

    def _measured(self, due: list[str], first: bool) -> dict[str, float]:
        """What is due at the present weights, NaN where they are not finite; at first the same for all."""
        if first and self._first:
            return self._first
        layer = self.layer
        loss, _ = layer.look(layer.inputs, layer.targets)
        values = dict.fromkeys(due, np.nan) | {"loss": loss}
        if np.isfinite(loss):
            if self.unseen is not None:
                values["accuracy"] = layer.look(*self.unseen)[1]
            if "hessian" in due:
                trace, sharpness, noise = layer.curvature()
                values |= {"hessian": trace, "sharpness": sharpness, "noise": noise / self.batch_size}
        if first:
            self._first = values
        return values

    def _root(self, name: str, seed: int) -> Float[Tensor, "d d"]:
        if name != "turned":
            return self.roots[name]
        lengths = torch.linalg.vector_norm(self.roots["C"], dim=0)
        return haar(len(lengths), seed).to(lengths.device) * lengths

    def _batches(self, seed: int) -> Iterator[Tensor]:
        """Mini-batches, epoch by epoch, as training draws them."""
        for epoch in range(self.epoch + 1, 2**31):
            yield from order(len(self.layer.targets), seed, epoch).to(self.layer.device).split(self.batch_size)


def _matrices(layer: Layer, batch_size: int, progress: Progress) -> dict[str, Float[Tensor, "d d"]]:
    """The named matrices among SHAPES."""
    tail = layer.tail
    about = surveyed(
        layer.studied, tail.inputs, tail.targets, progress, **layer.settings | {"device": str(layer.device)},
        batch_size=batch_size, anchors_per_class=None, top_k=None, dtype=str(tail.dtype).split(".")[1], seed=0,
        bias=False, spectra=0, bootstrap=0, names=("C",),
    )  # fmt: skip
    assert about.tail is None or isinstance(about.tail, Tail), "one layer"
    known = covariances.combinations(batch_size, about.survey)  # type: ignore[arg-type]
    named = {name: combination for name, combination in known.items() if name in SHAPES}
    moments = covariances.moments(about.tail, about.survey, named)  # type: ignore[arg-type]
    dense, means = moments.dense(about.work.expand, progress), moments.means()

    def mean(x: str, y: str) -> Tensor:
        product = torch.outer(means[x], means[y])
        return (product + product.mT) / 2

    return {name: each.evaluate(lambda m: dense[m].double(), mean) for name, each in named.items()}
