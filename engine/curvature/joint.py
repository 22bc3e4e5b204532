"""JointFactors: what several fully connected layers keep together of every sample.

Shift the pre-activation of every studied layer m by ε_m. With a_m and δ_m = ∂ℓ/∂ε_m as for one layer,
𝓜 = ∂²ℓ/∂ε∂ε over all studied layers at once and G = ∂a/∂ε, the response of later activities to earlier shifts,
the second derivative of ℓ along a change V = (V_1, V_2, …) of the weights is

    Σ_lm p_lᵀ 𝓜_lm p_m + 2 Σ_{l<m} r_mᵀ G_ml p_l,    p_l = V_l a_l,  r_m = V_mᵀ δ_m

since ε_m = V_m a_m, and a_m itself answers to the layers before. So, with U the map u = Uᵀv = (p; r),

    h_p = U Q Uᵀ,  Q = [[𝓜, Gᵀ], [G, 0]]        h_p² = U Q S Q Uᵀ,  S = UᵀU        g_p = U (δ; 0)

and nothing of size D × D exists per sample. r has no part of the first layer, whose activity nothing moves. Where
one layer is studied alone, G is empty and h_p = 𝓜 ⊗ a aᵀ of theory.md section 2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from engine.curvature import accumulate, guards
from engine.curvature.autodiff import ShiftedNetwork, is_curved, rows_of_derivative, second_derivative
from engine.curvature.memory import Memory, joint_memory
from engine.progress import Progress, silent


@dataclass(frozen=True)
class JointFactors:
    """Factors of some samples. activities: a_m of each layer (n, d_in of it); deltas: δ_m (n, d_out of it);
    core: Q, whose first axes are the outputs of all layers and whose last are the inputs of all but the first."""

    activities: tuple[Float[Tensor, "n _"], ...]
    deltas: tuple[Float[Tensor, "n _"], ...]
    core: Float[Tensor, "n q q"]

    @property
    def samples(self) -> int:
        return self.core.shape[0]

    @property
    def sizes(self) -> list[int]:
        """How the axes of Q, U and S are cut: outputs of each layer, then inputs of each but the first."""
        return [z.shape[1] for z in (*self.deltas, *self.activities[1:])]

    def split(self, u: Float[Tensor, "n q k"]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """(p_l of each layer, r_m of each but the first)."""
        parts, layers = u.split(self.sizes, dim=1), len(self.deltas)
        return parts[:layers], parts[layers:]

    def along(self, v: Float[Tensor, "d k"]) -> Float[Tensor, "n q k"]:
        """u = Uᵀ v_i."""
        shapes = [(d.shape[1], a.shape[1]) for a, d in zip(self.activities, self.deltas, strict=True)]
        parts = v.split([d_out * d_in for d_out, d_in in shapes])
        directions = [part.unflatten(0, shape) for part, shape in zip(parts, shapes, strict=True)]
        p = [
            (a @ v.transpose(0, 1).flatten(1)).unflatten(1, (v.shape[0], v.shape[2]))
            for a, v in zip(self.activities, directions, strict=True)
        ]
        r = [(d @ v.flatten(1)).unflatten(1, v.shape[1:]) for d, v in zip(self.deltas[1:], directions[1:], strict=True)]
        return torch.cat([*p, *r], dim=1)

    def back(self, w: Float[Tensor, "n q k"]) -> Float[Tensor, "d k"]:
        """Σ_p U_p w_p, one layer after the other: x_l a_lᵀ + δ_l y_lᵀ."""
        x, y = self.split(w)
        k = w.shape[2]
        parts = []
        for place, (a, d, out) in enumerate(zip(self.activities, self.deltas, x, strict=True)):
            total = (out.flatten(1).mT @ a).view(-1, k, a.shape[1]).transpose(1, 2)
            if place:
                total = total + (d.mT @ y[place - 1].flatten(1)).view(-1, a.shape[1], k)
            parts.append(total.flatten(0, 1))
        return torch.cat(parts)

    def gram(self, w: Float[Tensor, "n q k"]) -> Float[Tensor, "n q k"]:
        """S w, S = UᵀU: ‖a_l‖² x_l + δ_l (a_l·y_l) and ‖δ_l‖² y_l + a_l (δ_l·x_l)."""
        x, y = self.split(w)
        upper, lower = [], []
        for place, (a, d, out) in enumerate(zip(self.activities, self.deltas, x, strict=True)):
            a, d = a[:, :, None], d[:, :, None]
            upper.append(a.square().sum(dim=1, keepdim=True) * out)
            if place:
                into = y[place - 1]
                upper[-1] = upper[-1] + d * (a.mT @ into)
                lower.append(d.square().sum(dim=1, keepdim=True) * into + a * (d.mT @ out))
        return torch.cat([*upper, *lower], dim=1)

    def slope(self, u: Float[Tensor, "n q k"]) -> Float[Tensor, "n k"]:
        """g_p·v_i = δ·p."""
        delta = torch.cat(self.deltas, dim=1)
        return (delta[:, None] @ u[:, : delta.shape[1]])[:, 0]


@dataclass(frozen=True)
class JointSurvey:
    """What one look at all samples tells: mean loss, share of right answers, mean gradient (D), flattened layer by
    layer, each row-major."""

    mean_loss: float
    accuracy: float
    gradient: Float[Tensor, " d"]


class JointTail(ShiftedNetwork):
    """The network cut open at several layers, in the order of their use.

    curvature: as for engine.curvature.tail.Tail; `survey` decides it for "auto" on all samples.
    """

    def __init__(self, *args: Any, **how: Any):
        super().__init__(*args, **how)
        guards.check(self)

    def memory(self, top_k: int | None) -> Memory:
        """What an analysis takes."""
        return joint_memory(self.shapes, top_k, torch.finfo(self.dtype).bits // 8)

    def survey(self, progress: Progress = silent, chunk: int = 1024) -> JointSurvey:
        """Loss, accuracy and mean gradient over all samples, and whether any M_p needs the full derivative."""

        def look(rows: slice) -> Iterator[tuple[str, Tensor]]:
            activities, shift, f = self.forward(self.inputs[rows])
            targets = self.targets[rows].to(self.device)
            slope = self.loss.derivatives(f.detach(), targets)[0].to(f.dtype)
            if self.probing and self.kind != "full" and is_curved(f, shift, slope):
                self.kind = "full"
            (delta,) = torch.autograd.grad((f * slope).sum(), shift)
            pairs = zip(_single(activities), self._by_layer(delta), strict=True)
            yield "loss", self.loss.value(f.detach().double(), targets).sum()
            yield "correct", self.loss.correct(f.detach(), targets).double().sum()
            yield "gradient", torch.cat([(d.mT.double() @ a.detach().double()).flatten() for a, d in pairs])

        n = self.targets.shape[0]
        sums = accumulate.sums(look, n, chunk, progress, "factors")
        return JointSurvey(float(sums["loss"]) / n, float(sums["correct"]) / n, sums["gradient"] / n)

    def factors(self, rows: slice) -> JointFactors:
        """The factors of some samples. Costs K backward passes through the part of the network after the first layer,
        one more for each input of the later layers, and Σ d_out more for "full"."""
        activities, shift, f = self.forward(self.inputs[rows])
        slope, hessian = self.loss.derivatives(f.detach(), self.targets[rows].to(self.device))
        jacobian = rows_of_derivative(f, shift)
        curvature = jacobian.double().mT @ hessian @ jacobian.double()
        if self.kind == "full":
            curvature = curvature + second_derivative(f, shift, slope.to(f.dtype)).double()
        response = torch.cat([rows_of_derivative(a, shift) for a in _single(activities)[1:]], dim=1)
        outputs, q = shift.shape[1], shift.shape[1] + response.shape[1]
        core = shift.new_zeros(shift.shape[0], q, q, requires_grad=False)
        core[:, :outputs, :outputs] = ((curvature + curvature.mT) / 2).to(f.dtype)
        core[:, outputs:, :outputs] = response
        core[:, :outputs, outputs:] = response.mT
        delta = torch.einsum("nc,nco->no", slope, jacobian.double()).to(f.dtype)
        return JointFactors(tuple(a.detach() for a in _single(activities)), self._by_layer(delta), core)

    def _by_layer(self, z: Float[Tensor, "n d_out"]) -> tuple[Tensor, ...]:
        return z.split([w.shape[0] for w in self.weights], dim=1)


def _single(activities: tuple[Float[Tensor, "n 1 1 _"], ...]) -> tuple[Float[Tensor, "n _"], ...]:
    """Those of layers with one place and one group."""
    return tuple(a[:, 0, 0] for a in activities)
