"""Values, derivatives and likelihoods of the losses, for engine.losses; of NumPy arrays and torch tensors alike.

torch is loaded for tensors alone: pages do without it. Derivatives are closed forms in float64: near the end of
training 1 − p_y is tiny, and its rounding would be the whole curvature.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

Array = Any  # numpy.ndarray or torch.Tensor
Outputs = Float[Array, "*n c"]
# Labels, one a sample, or as many numbers as there are outputs.
Targets = Shaped[Array, "*y"] | int


def _namespace(x: Array) -> Any:
    if isinstance(x, np.ndarray):
        return np
    import torch  # it is loaded where there are tensors

    return torch


def _cast(x: Array, dtype: Any) -> Array:
    return x.astype(dtype) if isinstance(x, np.ndarray) else x.to(dtype)


def _double(x: Array) -> Array:
    return _cast(x, _namespace(x).float64)


def _onehot(f: Outputs, y: Targets) -> Array:
    # By comparison, since torch.nn.functional.one_hot reads values and so cannot be vmapped.
    xp = _namespace(f)
    return _cast(xp.asarray(y)[..., None] == xp.arange(f.shape[-1], device=f.device), f.dtype)


def _numbers(f: Outputs, y: Targets) -> Array:
    """The target as numbers beside the outputs: the one-hot row of a label, and all else as it is."""
    y = _namespace(f).asarray(y)
    return _onehot(f, y) if y.ndim < f.ndim else _cast(y, f.dtype)


def _softmax(f: Outputs) -> Outputs:
    if not isinstance(f, np.ndarray):
        return f.softmax(-1)
    exp = np.exp(f - f.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


def _over(r: Array, a: Array) -> Array:
    """r²/a, and 0 where r is."""
    return r * (r / _namespace(r).where(r == 0, 1.0, a))


def _eye(f: Outputs) -> Float[Array, "c c"]:
    return _namespace(f).eye(f.shape[-1], dtype=f.dtype, device=f.device)


# -- value and derivatives -----------------------------------------------------------------------------------


def _of_softmax(f: Outputs) -> tuple[Outputs, Outputs]:
    """p = softmax(f), and 1 − p as the sum of the others, exact where p_k is close to 1."""
    p = _softmax(f)
    return p, p @ (1 - _eye(f))


def _covariance(p: Outputs, other: Outputs) -> Float[Array, "*n c c"]:
    """P = ∂p/∂f = diag(p) − ppᵀ."""
    eye = _eye(p)
    return (p * other)[..., :, None] * eye - (1 - eye) * (p[..., :, None] * p[..., None, :])


def _pull(f: Outputs, y: Targets, weight: Sequence[float] | None, smoothing: float) -> Array:
    """t_k = w_k {(1 − ε) y_k + ε/K}, with which cross-entropy is −Σ_k t_k log p_k."""
    t = _numbers(f, y)
    if smoothing:
        t = t * (1 - smoothing) + t.sum(axis=-1)[..., None] * (smoothing / f.shape[-1])
    return t if weight is None else t * _namespace(f).asarray(weight, dtype=f.dtype, device=f.device)


def cross_entropy(f: Outputs, y: Targets, weight: Sequence[float] | None = None, smoothing: float = 0.0) -> Array:
    if not isinstance(f, np.ndarray):  # in one kernel: training takes it at every step
        xp = _namespace(f)
        w = None if weight is None else xp.asarray(weight, dtype=f.dtype, device=f.device)
        y = xp.asarray(y)
        y = _cast(y, f.dtype) if y.dtype.is_floating_point else y
        return xp.nn.functional.cross_entropy(f, y, weight=w, label_smoothing=smoothing, reduction="none")
    f, t = f - f.max(axis=-1, keepdims=True), _pull(f, y, weight, smoothing)
    return t.sum(axis=-1) * np.log(np.exp(f).sum(axis=-1)) - (t * f).sum(axis=-1)


def cross_entropy_derivatives(
    f: Outputs, y: Targets, weight: Sequence[float] | None = None, smoothing: float = 0.0
) -> tuple[Array, Array]:
    """T p − t and T P with T = Σ_k t_k."""
    slope, total, p, other = _of_cross_entropy(f, y, weight, smoothing)
    return slope, total[..., None] * _covariance(p, other)


def cross_entropy_odds(f: Outputs, y: Targets, weight: Sequence[float] | None = None, smoothing: float = 0.0) -> Array:
    """Σ_k (T p_k − t_k)²/(T p_k): the odds w (1 − p_y)/p_y against a label, T (Σ_k q_k²/p_k − 1) of shares q = t/T."""
    slope, total, p, _ = _of_cross_entropy(f, y, weight, smoothing)
    return _over(slope, total * p).sum(axis=-1)


def cross_entropy_of_odds(f: Outputs, y: Targets, weight: Sequence[float] | None = None) -> Array:
    """Cross-entropy against labels as T log(1 + odds/T), which keeps its digits where p_y is close to 1."""
    total = _pull(_double(f), y, weight, 0.0).sum(axis=-1)
    xp = _namespace(f)
    return total * xp.log1p(cross_entropy_odds(f, y, weight) / xp.where(total > 0, total, 1.0))


def _of_cross_entropy(
    f: Outputs, y: Targets, weight: Sequence[float] | None, smoothing: float
) -> tuple[Outputs, Array, Outputs, Outputs]:
    """T p − t, T, p and 1 − p."""
    f = _double(f)
    p, other = _of_softmax(f)
    t = _pull(f, y, weight, smoothing)
    total = t.sum(axis=-1)[..., None]
    return _namespace(f).where(2 * t > total, (total - t) - total * other, total * p - t), total, p, other


def squares(f: Outputs, y: Targets) -> Array:
    return ((f - _numbers(f, y)) ** 2).mean(axis=-1)


def squares_derivatives(f: Outputs, y: Targets) -> tuple[Array, Array]:
    """(2/K)(f − y) and (2/K) I."""
    f, k = _double(f), f.shape[-1]
    return (f - _numbers(f, y)) * (2 / k), _namespace(f).broadcast_to(_eye(f) * (2 / k), (*f.shape, k))


def squares_odds(f: Outputs, y: Targets) -> Array:
    """Twice the loss."""
    return 2 * squares(_double(f), y)


def softmax_squares(f: Outputs, y: Targets) -> Array:
    return squares(_softmax(f), y)


def softmax_squares_derivatives(f: Outputs, y: Targets) -> tuple[Array, Array]:
    """With e = p − y: (2/K) P e = (2/K) p_i w_i, w_i = e_i − p·e, and (2/K) {w_i P_ij + p_i (P_ij − [P(e + p)]_j)}."""
    f = _double(f)
    p, other = _of_softmax(f)
    covariance, t = _covariance(p, other), _numbers(f, y)
    residual = _namespace(f).where(t > 0.5, (1 - t) - other, p - t)
    w = residual - (p * residual).sum(axis=-1)[..., None]
    drift = _namespace(p).einsum("...ij,...j->...i", covariance, residual + p)
    hessian = w[..., :, None] * covariance + p[..., :, None] * (covariance - drift[..., None, :])
    hessian = (hessian + hessian.mT) / 2
    return p * w * (2 / f.shape[-1]), hessian * (2 / f.shape[-1])


def _softplus(f: Outputs) -> Outputs:
    xp = _namespace(f)
    return xp.logaddexp(xp.zeros_like(f), f)


def _sigmoid(f: Outputs) -> Outputs:
    return np.exp(-_softplus(-f)) if isinstance(f, np.ndarray) else f.sigmoid()


def _answers(f: Outputs, y: Targets, weight: Sequence[float] | None, positive: Sequence[float] | None) -> list[Outputs]:
    """What a yes and a no of each output weigh: w_k y_k/K, times the weight of a yes, and w_k (1 − y_k)/K."""
    scale = partial(_namespace(f).asarray, dtype=f.dtype, device=f.device)
    y, each = _cast(y, f.dtype), scale(1.0 if weight is None else weight) / f.shape[-1]
    return [each * y * scale(1.0 if positive is None else positive), each * (1 - y)]


def logistic(
    f: Outputs, y: Targets, weight: Sequence[float] | None = None, positive: Sequence[float] | None = None
) -> Array:
    yes, no = _answers(f, y, weight, positive)
    return (yes * _softplus(-f) + no * _softplus(f)).sum(axis=-1)


def logistic_derivatives(
    f: Outputs, y: Targets, weight: Sequence[float] | None = None, positive: Sequence[float] | None = None
) -> tuple[Array, Array]:
    """no σ(f) − yes σ(−f) and (yes + no) σ(f) σ(−f)."""
    f = _double(f)
    yes, no = _answers(f, y, weight, positive)
    up, down = _sigmoid(f), _sigmoid(-f)
    return no * up - yes * down, ((yes + no) * up * down)[..., None] * _eye(f)


def logistic_odds(
    f: Outputs, y: Targets, weight: Sequence[float] | None = None, positive: Sequence[float] | None = None
) -> Array:
    """Σ_k (no σ(f_k) − yes σ(−f_k))²/((yes + no) σ(f_k) σ(−f_k)), the mean of the odds against hard answers."""
    f = _double(f)
    yes, no = _answers(f, y, weight, positive)
    root = _namespace(f).exp(f / 2)
    return _over(no * root - yes / root, yes + no).sum(axis=-1)


# -- what outputs tell ---------------------------------------------------------------------------------------


def largest(f: Outputs, y: Targets) -> Array:
    """The class of the largest output is the label, or the largest of a soft one."""
    y = _namespace(f).asarray(y)
    return f.argmax(-1) == (y if y.ndim < f.ndim else y.argmax(-1))


def of_labels(f: Outputs, y: Targets) -> Array:
    """The same of labels; of other targets it is not known."""
    y = _namespace(f).asarray(y)
    return largest(f, y) if y.ndim < f.ndim else f.sum(-1) * float("nan")


def signs(f: Outputs, y: Targets) -> Array:
    """The share of outputs on the right side of 0."""
    return _cast((f > 0) == (y > 0.5), _namespace(f).float64).mean(-1)


# -- as likelihoods ------------------------------------------------------------------------------------------


def _of_log_softmax(f: Outputs, jacobian: Float[Array, "*n c d"]) -> tuple[Outputs, Float[Array, "*n c d"]]:
    """π = softmax(f) and the rows ∇log π_k = ∇f_k − Σ_j π_j ∇f_j."""
    p, jacobian = _softmax(_double(f)), _double(jacobian)
    return p, jacobian - _namespace(p).einsum("...k,...ko->...o", p, jacobian)[..., None, :]


def drawn_labels(f: Outputs, jacobian: Float[Array, "*n c d"]) -> tuple[Array, Array]:
    """The softmax is the likelihood: Σ_k π_k ∇log π_k ∇log π_kᵀ."""
    p, rows = _of_log_softmax(f, jacobian)
    return rows, p


def gaussian(f: Outputs, jacobian: Float[Array, "*n c d"]) -> tuple[Array, Array]:
    """A Gaussian around f of variance K/2: (2/K) Σ_k ∇f_k ∇f_kᵀ."""
    return _double(jacobian), _namespace(f).full_like(_double(f), 2 / f.shape[-1])


def gaussian_of_softmax(f: Outputs, jacobian: Float[Array, "*n c d"]) -> tuple[Array, Array]:
    """A Gaussian around π = softmax(f) of variance K/2: (2/K) Σ_k ∇π_k ∇π_kᵀ, with ∇π_k = π_k ∇log π_k."""
    p, rows = _of_log_softmax(f, jacobian)
    return p[..., :, None] * rows, _namespace(f).full_like(p, 2 / f.shape[-1])


def drawn_answers(f: Outputs, jacobian: Float[Array, "*n c d"]) -> tuple[Array, Array]:
    """Each output is a Bernoulli observation of its own, and their mean is taken: 1/K Σ_k σ(f_k) σ(−f_k) ∇f_k ∇f_kᵀ."""
    f = _double(f)
    return _double(jacobian), _sigmoid(f) * _sigmoid(-f) / f.shape[-1]
