"""The losses, each an object; all that the project knows of a loss is told here, once.

    ce          −log softmax(f)_y
    mse         1/K Σ_k (softmax(f)_k − onehot_k)²
    linear_mse  1/K Σ_k (f_k − onehot_k)²

f: the K outputs of a sample, y its label; the mean over samples is taken by the caller. Formulas serve NumPy arrays and
torch tensors alike, and torch is loaded for tensors alone: pages do without it. Derivatives are closed forms in
float64: near the end of training 1 − p_y is tiny, and its rounding would be the whole curvature.
Source: theory.md sections 1, 2 and 6.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from engine.errors import require

Array = Any  # numpy.ndarray or torch.Tensor
Outputs = Float[Array, "*n c"]
# Labels, one a sample, in all losses here.
Targets = Shaped[Array, "*y"] | int


@dataclass(frozen=True)
class Loss:
    """A loss ℓ(f, y) of a sample's outputs f and its target y. Samples are the leading axes of f (*n, K).

    name: in requests; label: in menus and names of runs; short: in names of a sweep's rows; noun: in sentences of a
    results page; words: as a definition; symbol: plotly's marker of its points, since colours belong to matrices.
    value(f, y): ℓ (*n), in the precision of f; differentiable, and torch.func maps and differentiates it.
    derivatives(f, y): ∂ℓ/∂f (*n, K) and ∂²ℓ/∂f² (*n, K, K), float64.
    hessian_of: what ∂²ℓ/∂f² depends on, of "outputs" and "targets".
    likelihood(f, J): with ℓ read as −log p(y | f) + const, the rows r_m (*n, m, d) and weights w_m (*n, m) of
        E_{y ~ p(·|f)}[∇log p ∇log pᵀ] = Σ_m w_m r_m r_mᵀ, float64; ∇ is in whatever J = ∂f/∂· (*n, K, d) is taken in.
    gaussian: that likelihood is a Gaussian around the outputs, or their softmax, of variance K/2.
    two_classes(p): d²ℓ/ds² of a network with two classes whose logits differ by s, where the right one has probability
        p (n): the part of a sample's curvature that its confidence sets.
    """

    name: str
    label: str
    short: str
    noun: str
    words: str
    symbol: str
    value: Callable[[Array, Array], Array]
    derivatives: Callable[[Array, Array], tuple[Array, Array]]
    hessian_of: tuple[str, ...]
    likelihood: Callable[[Array, Array], tuple[Array, Array]]
    gaussian: bool
    two_classes: Callable[[Array], Array]


# A loss, its name, or a function of one's own.
LossLike = Loss | str | Callable[[Any, Any], Any]


def lookup(loss: LossLike) -> Loss:
    """What is meant by a loss. ValueError, naming those there are, for an unknown name."""
    if isinstance(loss, Loss):
        return loss
    if callable(loss):
        return own(loss)
    require(loss in LOSSES, f"There is no loss {loss!r}; there are {', '.join(LOSSES)}.")
    return LOSSES[loss]


def own(function: Callable[[Any, Any], Any]) -> Loss:
    """A user's own loss ℓ(f, y) → one number, in torch operations on the outputs f (K) of one sample and its target y,
    a label or whatever else. torch.func maps it over samples and differentiates it; nothing more is known of it.

    Using the loss raises ValueError, with the remedy, where torch.func cannot.
    """
    from torch.func import grad, hessian, vmap  # for such a loss alone

    kind = function if hasattr(function, "__qualname__") else type(function)
    name = f"{kind.__module__}.{kind.__qualname__}"  # never one of LOSSES, which have no dot

    def each(derivative: Callable[[Any, Any], Any], f: Outputs, y: Array) -> Array:
        try:
            return vmap(derivative)(f, y)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"The loss {name} cannot be mapped over samples and differentiated twice. Write it in torch operations "
                "on the outputs f (K,) of one sample and its target y, giving one number; f.gather(0, y[None])[0] in "
                "place of f[y], torch.where in place of if."
            ) from error

    def value(f: Outputs, y: Array) -> Array:
        return each(function, f, y)

    def derivatives(f: Outputs, y: Array) -> tuple[Array, Array]:
        f = _double(f)
        return each(grad(function), f, y), each(hessian(function), f, y)

    def unknown(*_: Array) -> Any:
        raise ValueError(f"Of the loss {name} its values and derivatives are known, and no likelihood.")

    return Loss(
        name=name,
        label=name,
        short=name,
        noun=name,
        words=name,
        symbol="circle",
        value=value,
        derivatives=derivatives,
        hessian_of=("outputs", "targets"),
        likelihood=unknown,
        gaussian=False,
        two_classes=unknown,
    )


# -- NumPy and torch alike -----------------------------------------------------------------------------------


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


def _softmax(f: Outputs) -> Outputs:
    if not isinstance(f, np.ndarray):
        return f.softmax(-1)
    exp = np.exp(f - f.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


def _eye(f: Outputs) -> Float[Array, "c c"]:
    return _namespace(f).eye(f.shape[-1], dtype=f.dtype, device=f.device)


# -- value and derivatives -----------------------------------------------------------------------------------


def _of_softmax(f: Outputs, y: Targets) -> tuple[Outputs, Outputs, Float[Array, "*n c c"]]:
    """p = softmax(f), e = p − onehot and P = ∂p/∂f = diag(p) − ppᵀ, float64."""
    f = _double(f)
    p, eye = _softmax(f), _eye(f)
    # 1 − p_k as the sum of the others, exact where p_k is close to 1.
    other = p @ (1 - eye)
    residual = _namespace(f).where(_onehot(f, y) > 0, -other, p)
    return p, residual, (p * other)[..., :, None] * eye - (1 - eye) * (p[..., :, None] * p[..., None, :])


def _cross_entropy(f: Outputs, y: Targets) -> Array:
    if not isinstance(f, np.ndarray):  # in one kernel: training takes it at every step
        return _namespace(f).nn.functional.cross_entropy(f, y, reduction="none")
    f = f - f.max(axis=-1, keepdims=True)
    return np.log(np.exp(f).sum(axis=-1)) - (_onehot(f, y) * f).sum(axis=-1)


def _cross_entropy_derivatives(f: Outputs, y: Targets) -> tuple[Array, Array]:
    """e and P."""
    _, residual, covariance = _of_softmax(f, y)
    return residual, covariance


def _squares(f: Outputs, y: Targets) -> Array:
    return ((f - _onehot(f, y)) ** 2).mean(axis=-1)


def _squares_derivatives(f: Outputs, y: Targets) -> tuple[Array, Array]:
    """(2/K)(f − onehot) and (2/K) I."""
    f, k = _double(f), f.shape[-1]
    return (f - _onehot(f, y)) * (2 / k), _namespace(f).broadcast_to(_eye(f) * (2 / k), (*f.shape, k))


def _softmax_squares(f: Outputs, y: Targets) -> Array:
    return _squares(_softmax(f), y)


def _softmax_squares_derivatives(f: Outputs, y: Targets) -> tuple[Array, Array]:
    """(2/K) P e = (2/K) p_i w_i with w_i = e_i − p·e, and (2/K) {w_i P_ij + p_i (P_ij − [P(e + p)]_j)}."""
    p, residual, covariance = _of_softmax(f, y)
    w = residual - (p * residual).sum(axis=-1)[..., None]
    drift = _namespace(p).einsum("...ij,...j->...i", covariance, residual + p)
    hessian = w[..., :, None] * covariance + p[..., :, None] * (covariance - drift[..., None, :])
    hessian = (hessian + hessian.mT) / 2
    return p * w * (2 / f.shape[-1]), hessian * (2 / f.shape[-1])


# -- as likelihoods ------------------------------------------------------------------------------------------


def _of_log_softmax(f: Outputs, jacobian: Float[Array, "*n c d"]) -> tuple[Outputs, Float[Array, "*n c d"]]:
    """π = softmax(f) and the rows ∇log π_k = ∇f_k − Σ_j π_j ∇f_j."""
    p, jacobian = _softmax(_double(f)), _double(jacobian)
    return p, jacobian - _namespace(p).einsum("...k,...ko->...o", p, jacobian)[..., None, :]


def _drawn_labels(f: Outputs, jacobian: Float[Array, "*n c d"]) -> tuple[Array, Array]:
    """The softmax is the likelihood: Σ_k π_k ∇log π_k ∇log π_kᵀ."""
    p, rows = _of_log_softmax(f, jacobian)
    return rows, p


def _gaussian(f: Outputs, jacobian: Float[Array, "*n c d"]) -> tuple[Array, Array]:
    """A Gaussian around f of variance K/2: (2/K) Σ_k ∇f_k ∇f_kᵀ."""
    return _double(jacobian), _namespace(f).full_like(_double(f), 2 / f.shape[-1])


def _gaussian_of_softmax(f: Outputs, jacobian: Float[Array, "*n c d"]) -> tuple[Array, Array]:
    """A Gaussian around π = softmax(f) of variance K/2: (2/K) Σ_k ∇π_k ∇π_kᵀ, with ∇π_k = π_k ∇log π_k."""
    p, rows = _of_log_softmax(f, jacobian)
    return p[..., :, None] * rows, _namespace(f).full_like(p, 2 / f.shape[-1])


# -- all of them ---------------------------------------------------------------------------------------------

CROSS_ENTROPY = Loss(
    name="ce",
    label="cross‑entropy",
    short="CE",
    noun="cross-entropy",
    words="cross-entropy",
    symbol="circle",
    value=_cross_entropy,
    derivatives=_cross_entropy_derivatives,
    hessian_of=("outputs",),
    likelihood=_drawn_labels,
    gaussian=False,
    two_classes=lambda p: p * (1 - p),
)
SOFTMAX_SQUARES = Loss(
    name="mse",
    label="softmax MSE",
    short="MSE",
    noun="softmax-MSE",
    words="squared error behind a softmax",
    symbol="circle-open",
    value=_softmax_squares,
    derivatives=_softmax_squares_derivatives,
    hessian_of=("outputs", "targets"),
    likelihood=_gaussian_of_softmax,
    gaussian=True,
    two_classes=lambda p: 2 * p * (1 - p) ** 2 * (3 * p - 1),
)
SQUARES = Loss(
    name="linear_mse",
    label="linear MSE",
    short="linear MSE",
    noun="linear MSE",
    words="plain squared error",
    symbol="diamond-open",
    value=_squares,
    derivatives=_squares_derivatives,
    hessian_of=(),
    likelihood=_gaussian,
    gaussian=True,
    two_classes=lambda p: 0 * p + 0.5,
)
LOSSES = {loss.name: loss for loss in (CROSS_ENTROPY, SOFTMAX_SQUARES, SQUARES)}
