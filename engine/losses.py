"""The losses: value per sample, and gradient and Hessian in the logits f. The only place that knows them.

    ce          −log softmax(f)_y
    mse         1/K Σ_k (softmax(f)_k − onehot_k)²
    linear_mse  1/K Σ_k (f_k − onehot_k)²

K classes; the mean over samples is taken by the caller. Gradient and Hessian are closed forms in float64:
near the end of training 1 − p_y is tiny, and its rounding would be the whole curvature.
Source: theory.md sections 1 and 2.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from engine.config.requests import check_loss


def values(name: str, logits: Float[Tensor, "n c"], targets: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Loss of each sample; differentiable."""
    check_loss(name)
    if name == "ce":
        return cross_entropy(logits, targets, reduction="none")
    output = logits.softmax(dim=1) if name == "mse" else logits
    return (output - _onehot(logits, targets)).square().mean(dim=1)


def _onehot(logits: Float[Tensor, "n c"], targets: Int[Tensor, " n"]) -> Float[Tensor, "n c"]:
    # By comparison, since torch.nn.functional.one_hot reads values and so cannot be vmapped.
    return (targets[:, None] == torch.arange(logits.shape[1], device=logits.device)).to(logits.dtype)


def _complement(p: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
    """1 − p_k as the sum of the other probabilities, exact where p_k is close to 1."""
    c = p.shape[1]
    return p @ (torch.ones(c, c, dtype=p.dtype, device=p.device) - torch.eye(c, dtype=p.dtype, device=p.device))


def gradient_and_hessian(
    name: str, logits: Float[Tensor, "n c"], targets: Int[Tensor, " n"]
) -> tuple[Float[Tensor, "n c"], Float[Tensor, "n c c"]]:
    """∂ℓ/∂f and A = ∂²ℓ/∂f², float64.

    With p = softmax(f), P = ∂p/∂f = diag(p) − ppᵀ, e = p − onehot, w_i = e_i − p·e:
    ce: e and P.  linear_mse: (2/K)(f − onehot) and (2/K) I.
    mse: (2/K) P e = (2/K) p_i w_i, and its derivative (2/K) {w_i P_ij + p_i (P_ij − [P(e + p)]_j)}.
    """
    check_loss(name)
    f = logits.double()
    k = f.shape[1]
    onehot = _onehot(f, targets)
    if name == "linear_mse":
        eye = torch.eye(k, dtype=f.dtype, device=f.device)
        return (f - onehot) * (2 / k), (eye * (2 / k)).expand(f.shape[0], k, k)

    p = f.softmax(dim=1)
    other = _complement(p)
    residual = torch.where(onehot > 0, -other, p)
    covariance = torch.diag_embed(p * other) - (1 - torch.eye(k, dtype=f.dtype, device=f.device)) * (
        p[:, :, None] * p[:, None, :]
    )
    if name == "ce":
        return residual, covariance

    w = residual - (p * residual).sum(dim=1, keepdim=True)
    drift = torch.einsum("nij,nj->ni", covariance, residual + p)
    hessian = w[:, :, None] * covariance + p[:, :, None] * (covariance - drift[:, None, :])
    hessian = (hessian + hessian.mT) / 2
    return p * w * (2 / k), hessian * (2 / k)
