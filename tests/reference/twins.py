"""Brute-force twins: every quantity of the engine, written from its definition, one sample at a time.

Nothing here knows the factored form h_p = M_p ⊗ a_p a_pᵀ and nothing is imported from the engine: that is
what makes agreement with it evidence. Derivatives come from torch.func, matrices are explicit D × D, means
are explicit loops, and everything is float64. Use small sizes only.

Notation: w is the layer's weight flattened row-major (with bias=True the augmented matrix [W b], whose
activity is [a 1]); D = d_out · d_in; g_p = ∇_w ℓ_p and h_p = ∇²_w ℓ_p of sample p's own loss.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev

from tests.reference.losses import hessian, sample_loss, sample_odds


def derivatives(value: Callable[..., Tensor], at: Tensor, *samples: Sequence[Any]) -> tuple[Tensor, Tensor]:
    """Gradient (n, D) and Hessian (n, D, D) of value(at, one sample), sample by sample."""
    g, h = ([d(value)(at, *one) for one in zip(*samples, strict=True)] for d in (grad, hessian))
    return torch.stack(g).detach(), torch.stack(h).detach()


# -- losses and derivatives of one sample -------------------------------------------------------------


def layer_weight(model: nn.Module, layer: str, bias: bool = False) -> Tensor:
    """W (d_out × d_in), or [W b] (d_out × (d_in + 1)); of a convolution the kernels, row by row."""
    module = model.get_submodule(layer)
    weight = module.weight.detach().flatten(1).clone()
    return torch.cat([weight, module.bias.detach()[:, None]], 1) if bias else weight


def layer_parameters(model: nn.Module, layer: str, w: Tensor, bias: bool = False) -> dict[str, Tensor]:
    """The layer's own parameters, its weight (or [W b]) being w (D)."""
    shape = model.get_submodule(layer).weight.shape
    matrix = w.reshape(shape[0], -1)
    if not bias:
        return {"weight": matrix.reshape(shape)}
    return {"weight": matrix[:, :-1].reshape(shape), "bias": matrix[:, -1]}


def loss_of_weight(
    model: nn.Module, layers: str | Sequence[str], loss: str, bias: bool = False
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The function (w, x, y) → ℓ: loss of one sample x (no batch axis), the layer's weight being w (D), or those of
    several layers, one after the other."""
    outputs = outputs_of_weight(model, layers, bias)

    def value(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return sample_loss(outputs(w, x), y, loss)

    return value


def outputs_of_weight(
    model: nn.Module, layers: str | Sequence[str], bias: bool = False
) -> Callable[[Tensor, Tensor], Tensor]:
    """The function (w, x) → f: outputs of one sample x (no batch axis), the layer's weight being w (D), or those of
    several layers, one after the other."""
    layers = [layers] if isinstance(layers, str) else layers
    sizes = [layer_weight(model, layer, bias).numel() for layer in layers]

    def outputs(w: Tensor, x: Tensor) -> Tensor:
        parameters = {
            f"{layer}.{name}": p
            for layer, own in zip(layers, w.split(sizes), strict=True)
            for name, p in layer_parameters(model, layer, own, bias).items()
        }
        return functional_call(model, parameters, (x[None],))[0]

    return outputs


def gauss_newton(
    model: nn.Module, layer: str, inputs: Tensor, targets: Tensor, loss: str, bias: bool = False
) -> Tensor:
    """Γᵀ A Γ of each sample (n, D, D), Γ = ∂f/∂w and A = ∂²ℓ/∂f²."""
    outputs, w = outputs_of_weight(model, layer, bias), layer_weight(model, layer, bias).flatten()
    each = []
    for x, y in zip(inputs, targets, strict=True):
        slope = jacrev(outputs)(w, x).detach()
        a = hessian(lambda f, y=y: sample_loss(f, y, loss))(outputs(w, x).detach())
        each.append(slope.T @ a @ slope)
    return torch.stack(each)


def weighted(
    model: nn.Module, layer: str, inputs: Tensor, targets: Tensor, loss: str, batch_size: int, bias: bool = False
) -> dict[str, Tensor]:
    """C_odds = (1/B) E[rᵀA⁺r Γᵀ A Γ] and C_loss = (1/B) E[ℓ Γᵀ A Γ], as far as the loss has them."""
    outputs, w = outputs_of_weight(model, layer, bias), layer_weight(model, layer, bias).flatten()
    curvature = gauss_newton(model, layer, inputs, targets, loss, bias)
    logits = [outputs(w, x).detach() for x in inputs]
    weights = {"ce": {"C_odds": sample_odds, "C_loss": sample_loss}, "linear_mse": {"C_odds": sample_odds}}
    return {
        name: mean([weight(f, y, loss) * h for f, y, h in zip(logits, targets, curvature, strict=True)]) / batch_size
        for name, weight in weights.get(loss, {}).items()
    }


def per_sample(
    model: nn.Module, layers: str | Sequence[str], inputs: Tensor, targets: Tensor, loss: str, bias: bool = False
) -> tuple[Tensor, Tensor]:
    """Gradients g (n, D) and Hessians h (n, D, D) of each sample's loss in the weight of a layer, or of several
    jointly."""
    names = [layers] if isinstance(layers, str) else layers
    w = torch.cat([layer_weight(model, layer, bias).flatten() for layer in names])
    return derivatives(loss_of_weight(model, layers, loss, bias), w, inputs, targets)


def per_sample_of(
    model: nn.Module, layer: str, losses: Sequence[Callable[[Callable[..., Any]], Tensor]]
) -> tuple[Tensor, Tensor]:
    """g and h of samples whose losses are functions of the network as it is called: any inputs, outputs and targets."""
    w = layer_weight(model, layer).flatten()

    def value(w: Tensor, loss: Callable[[Callable[..., Any]], Tensor]) -> Tensor:
        parameters = {f"{layer}.{name}": p for name, p in layer_parameters(model, layer, w).items()}
        return loss(lambda *args, **named: functional_call(model, parameters, args, named))

    return derivatives(value, w, losses)


def layer_inputs(model: nn.Module, layer: str, inputs: Tensor) -> list[list[Tensor]]:
    """What the layer is fed for each sample alone, use by use, seen by a forward hook."""
    seen: list[list[Tensor]] = []
    handle = model.get_submodule(layer).register_forward_hook(lambda _, args, __: seen[-1].append(args[0]))
    with torch.no_grad():
        for x in inputs:
            seen.append([])
            model(x[None])
    handle.remove()
    return seen


def activities(model: nn.Module, layer: str, inputs: Tensor, bias: bool = False) -> Tensor:
    """The layer's input as one row a sample, a (n, d_in) where it is fed one vector; with bias, [a 1]."""
    a = torch.stack([torch.cat([x.flatten() for x in fed]) for fed in layer_inputs(model, layer, inputs)])
    return torch.cat([a, torch.ones_like(a[:, :1])], 1) if bias else a


def moved(module: nn.Module, shift: Tensor, run: Callable[[], Tensor]) -> Tensor:
    """What `run` gives with the shift added to the module's outputs, those of all its uses one after the other."""
    left = shift.flatten()

    def move(_: nn.Module, __: tuple, z: Tensor) -> Tensor:
        nonlocal left
        own, left = left[: z.numel()], left[z.numel() :]
        return z + own.view_as(z)

    handle = module.register_forward_hook(move)
    try:
        return run()
    finally:
        handle.remove()


def loss_of_shift(model: nn.Module, layer: str, loss: str) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The function (ε, x, y) → ℓ: loss of one sample when ε (d_out, or as many as all its uses have) is added to the
    layer's output z."""

    def value(shift: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return moved(model.get_submodule(layer), shift, lambda: sample_loss(model(x[None])[0], y, loss))

    return value


def per_preactivation(
    model: nn.Module, layer: str, inputs: Tensor, targets: Tensor, loss: str
) -> tuple[Tensor, Tensor]:
    """δ_p = ∂ℓ_p/∂z_p (n, d_out) and M_p = ∂²ℓ_p/∂z_p² (n, d_out, d_out) at the layer's output z_p."""
    zero = torch.zeros(model.get_submodule(layer).out_features, dtype=inputs.dtype)
    return derivatives(loss_of_shift(model, layer, loss), zero, inputs, targets)


# -- duality ------------------------------------------------------------------------------------------


def nearest_partner(a: Tensor, targets: Tensor, pool: Tensor | Sequence[int] | None = None) -> list[int]:
    """For each p the nearest other sample of its class by ‖a_q − a_p‖, the lowest index on ties; −1 if none.

    pool restricts the candidates: indices, a mask (n), or a mask (n, n) whose row p is p's own pool. None
    takes all samples. p itself is excluded by index: a duplicate of p at distance 0 is a partner.
    """
    n = len(a)
    pool = range(n) if pool is None else pool
    partners = []
    for p in range(n):
        if isinstance(pool, Tensor) and pool.dtype == torch.bool:
            candidates = torch.nonzero(pool[p] if pool.ndim == 2 else pool).flatten().tolist()
        else:
            candidates = sorted(int(q) for q in pool)
        others = [q for q in candidates if q != p and targets[q] == targets[p]]
        partners.append(min(others, key=lambda q, p=p: float(torch.linalg.norm(a[q] - a[p])), default=-1))
    return partners


def minimal_weight_change(weight: Tensor, a: Tensor, delta_a: Tensor) -> Tensor:
    """ΔW (d_out × d_in) of least ‖ΔW‖_F with (W + ΔW) a = W (a + Δa), found numerically.

    Row i of the constraint on vec(ΔW) reads Σ_j a_j ΔW_ij = (W Δa)_i; the pseudo-inverse gives the least
    solution. Undefined where a = 0.
    """
    d_out, d_in = weight.shape
    constraint = torch.kron(torch.eye(d_out, dtype=weight.dtype), a[None])
    return (torch.linalg.pinv(constraint) @ (weight @ delta_a)).reshape(d_out, d_in)


@dataclass(frozen=True)
class Terms:
    """What the covariances are made of, sample by sample.

    g (n, D), h (n, D, D), delta_w (n, D) the flattened minimal weight change, v (n, D) and u (n, D) the first-order
    terms; paired (n) is False where there is no partner or no activity (delta_w, v and u are 0 there).
    """

    g: Tensor
    h: Tensor
    delta_w: Tensor
    v: Tensor
    u: Tensor
    paired: Tensor

    def take(self, indices: Sequence[int]) -> "Terms":
        """The terms of these samples, repetitions allowed: a bootstrap resample taken literally."""
        i = torch.as_tensor(list(indices))
        return Terms(self.g[i], self.h[i], self.delta_w[i], self.v[i], self.u[i], self.paired[i])


def sample_terms(
    model: nn.Module,
    layer: str,
    inputs: Tensor,
    targets: Tensor,
    loss: str,
    partners: Sequence[int],
    bias: bool = False,
) -> Terms:
    """Terms of every sample, the layer's input x_p changed into that of its partner (−1: none); with bias, w is [W b].

    z(V, x) is the layer's output with the weights V, at all its uses, and z' = z(W, x_q) − z(W, x_p) the change that
    the partner's input makes. Δw is the least one with z(ΔW, x_p) nearest to z', v the derivative of ∂ℓ/∂w as z moves
    by z', and u·V that of ℓ as z moves by z(V, x_q) − z(V, x_p). Nothing here knows at which places a layer is used.
    """
    module, w = model.get_submodule(layer), layer_weight(model, layer, bias).flatten()
    nothing = {} if bias or module.bias is None else {"bias": torch.zeros_like(module.bias)}

    def z(v: Tensor, fed: list[Tensor]) -> Tensor:
        parameters = layer_parameters(model, layer, v, bias) | nothing
        return torch.cat([functional_call(module, parameters, (x,)).flatten() for x in fed])

    g, h = per_sample(model, layer, inputs, targets, loss, bias)
    fed = layer_inputs(model, layer, inputs)
    value, shifted = loss_of_weight(model, layer, loss, bias), loss_of_shift(model, layer, loss)
    delta_w, v, u = torch.zeros_like(g), torch.zeros_like(g), torch.zeros_like(g)
    paired = torch.zeros(len(g), dtype=torch.bool)
    for p, q in enumerate(partners):
        if q < 0 or not (bias or any(x.count_nonzero() for x in fed[p])):
            continue
        change = (z(w, fed[q]) - z(w, fed[p])).detach()
        constraint = jacrev(z)(w, fed[p]).detach()
        delta_w[p] = torch.linalg.pinv(constraint, rcond=1e-7) @ change

        def slope(t: Tensor, p: int = p, change: Tensor = change) -> Tensor:
            """∂ℓ/∂w with z moved by t z'."""
            return moved(module, t * change, lambda: grad(value)(w, inputs[p], targets[p]))

        v[p] = jacrev(slope)(torch.zeros((), dtype=w.dtype)).detach()
        delta = grad(shifted)(torch.zeros_like(change), inputs[p], targets[p])
        u[p] = grad(lambda v, d=delta, p=p, q=q: (d * (z(v, fed[q]) - z(v, fed[p]))).sum())(w).detach()
        paired[p] = True
    return Terms(g, h, delta_w, v, u, paired)


# -- covariances --------------------------------------------------------------------------------------


def mean(terms: Sequence[Tensor]) -> Tensor:
    """Plain mean of a list of tensors."""
    return sum(terms[1:], terms[0]) / len(terms)


def hessian_and_noise(g: Tensor, h: Tensor, batch_size: int) -> dict[str, Tensor]:
    """H = E[h], C = (1/B)(E[g gᵀ] − ḡ ḡᵀ) and E_h2 = E[h²], over all samples."""
    gradient = mean(list(g))
    second = mean([torch.outer(g_p, g_p) for g_p in g])
    return {
        "H": mean(list(h)),
        "C": (second - torch.outer(gradient, gradient)) / batch_size,
        "E_h2": mean([h_p @ h_p for h_p in h]),
    }


def sigma_w2(terms: Terms) -> float:
    """σ_w² = E[Σ_m κ_m² ω_m²] / E[Σ_m κ_m²] over the paired samples, ω_m = u_m · Δw_p."""
    numerator = denominator = 0.0
    for p in torch.nonzero(terms.paired).flatten().tolist():
        kappa, vectors = torch.linalg.eigh(terms.h[p])
        for m in range(len(kappa)):
            numerator += float(kappa[m] ** 2 * (vectors[:, m] @ terms.delta_w[p]) ** 2)
            denominator += float(kappa[m] ** 2)
    return numerator / denominator


def covariances(terms: Terms, batch_size: int) -> dict[str, Tensor]:
    """Every named matrix of theory.md section 3 (D × D), with "H", "C" and "E_h2".

    H, C and E_h2 are means over all samples; the AWD matrices are means over the paired ones, and are left
    out where there is none. C_hh_sd_wd depends on the basis an eigensolver picks inside a degenerate
    non-zero eigenvalue of h_p (linear_mse on the last layer: every eigenvalue): compare it only where the
    spectra are simple; its trace shares that fate, C_hh_sd and E_h2 do not.
    """
    named = hessian_and_noise(terms.g, terms.h, batch_size)
    samples = torch.nonzero(terms.paired).flatten().tolist()
    if not samples:
        return named
    b = batch_size
    v = {p: terms.v[p] for p in samples}
    u = {p: terms.u[p] for p in samples}
    v_mean, u_mean = mean(list(v.values())), mean(list(u.values()))

    vv = mean([torch.outer(v[p], v[p]) for p in samples])
    uu = mean([torch.outer(u[p], u[p]) for p in samples])
    cross = mean([torch.outer(v[p], u[p]) + torch.outer(u[p], v[p]) for p in samples])
    cross_of_means = torch.outer(v_mean, u_mean) + torch.outer(u_mean, v_mean)
    named["C_hh"] = (vv / b + (1 - 1 / b) * torch.outer(v_mean, v_mean)) / 2
    named["C_hg"] = (cross / b + (1 - 1 / b) * cross_of_means) / 2
    named["C_gg"] = (uu / b + (1 - 1 / b) * torch.outer(u_mean, u_mean)) / 2
    named["C_awd"] = named["C_hh"] + named["C_hg"] + named["C_gg"]
    named["C_hh_sd"] = vv / (2 * b)

    diagonal_change = []
    for p in samples:
        kappa, vectors = torch.linalg.eigh(terms.h[p])
        total = torch.zeros_like(terms.h[p])
        for m in range(len(kappa)):
            omega = vectors[:, m] @ terms.delta_w[p]
            total += (kappa[m] * omega) ** 2 * torch.outer(vectors[:, m], vectors[:, m])
        diagonal_change.append(total)
    named["C_hh_sd_wd"] = mean(diagonal_change) / (2 * b)
    squared = mean([terms.h[p] @ terms.h[p] for p in samples])
    named["C_hh_sd_wd_li"] = sigma_w2(terms) / (2 * b) * squared
    return named


def bootstrap_diagonals(
    terms: Terms, basis: np.ndarray, batch_size: int, draws: Sequence[Sequence[int]]
) -> dict[str, np.ndarray]:
    """v_iᵀ M v_i (draws, k) of every named matrix M rebuilt from each literal resample of the samples, along
    the fixed directions `basis` (D, k)."""
    rows: dict[str, list[np.ndarray]] = {}
    for indices in draws:
        for name, matrix in covariances(terms.take(indices), batch_size).items():
            rows.setdefault(name, []).append(np.diag(basis.T @ matrix.numpy() @ basis))
    return {name: np.stack(row) for name, row in rows.items()}


# -- comparison ---------------------------------------------------------------------------------------


def compare(actual, expected, rtol: float, name: str) -> None:
    """AssertionError with both values unless max |actual − expected| ≤ rtol · max |expected|.

    An expected value of exactly 0 makes rtol absolute. NaN anywhere is a failure.
    """
    a, e = (np.asarray(x.detach().cpu() if isinstance(x, Tensor) else x, dtype=np.float64) for x in (actual, expected))
    if a.shape != e.shape:
        raise AssertionError(f"{name}: shape {a.shape}, expected {e.shape}")
    if a.size == 0:
        raise AssertionError(f"{name}: nothing to compare, both are empty")
    difference = np.abs(a - e)
    scale = float(np.abs(e).max()) or 1.0
    worst = np.unravel_index(int(np.argmax(difference)), a.shape)  # argmax finds a NaN first
    error = float(difference[worst]) / scale
    if not error <= rtol:
        where = f" at {tuple(int(i) for i in worst)}" if a.ndim else ""
        raise AssertionError(
            f"{name}: relative error {error:.3g} above {rtol:.3g}{where}: got {a[worst]!r}, "
            f"expected {e[worst]!r}; scale {scale:.6g}\nactual:\n{a}\nexpected:\n{e}"
        )
