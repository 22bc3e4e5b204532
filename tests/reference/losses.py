"""The losses of one sample, their likelihood and odds, from their definitions."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad, jacrev


def sample_loss(
    logits: Tensor,
    target: Tensor,
    loss: str,
    weight: Sequence[float] | None = None,
    smoothing: float = 0.0,
    positive: Sequence[float] | None = None,
) -> Tensor:
    """ℓ of one sample from its logits f (K) and its label, or K numbers; weight: of classes or outputs, positive: of
    the answer yes."""
    k = len(logits)
    onehot = target.to(logits.dtype)
    if target.ndim == 0:
        onehot = torch.zeros_like(logits)
        onehot[target] = 1.0
    weights = torch.tensor([1.0] * k if weight is None else weight, dtype=logits.dtype)
    if loss in ("ce", "nll"):
        log_p = logits - torch.logsumexp(logits, 0)
        own = -(weights * onehot * log_p).sum()
        return (1 - smoothing) * own - smoothing / k * (weights * log_p).sum()
    if loss == "bce":
        yes = torch.tensor([1.0] * k if positive is None else positive, dtype=logits.dtype)
        answers = yes * onehot * nn.functional.logsigmoid(logits) + (1 - onehot) * nn.functional.logsigmoid(-logits)
        return -(weights * answers).mean()
    if loss == "mse":
        return ((torch.softmax(logits, 0) - onehot) ** 2).mean()
    if loss == "linear_mse":
        return ((logits - onehot) ** 2).mean()
    raise ValueError(f"no loss {loss!r}")


def sample_fisher(outputs: Callable[[Tensor], Tensor], w: Tensor, loss: str) -> Tensor:
    """E_{y ~ p(y | x)}[∇ log p ∇ log pᵀ] of one sample with the logits outputs(w), label by label where the softmax is
    the likelihood; a Gaussian of variance K/2 around o has the Fisher information (2/K) Σ ∇o_k ∇o_kᵀ."""
    total = torch.zeros(len(w), len(w), dtype=torch.float64)
    classes = len(outputs(w))
    for k in range(classes):

        def drawn(v: Tensor, k: int = k) -> Tensor:
            f = outputs(v)
            return {"ce": f.log_softmax(0), "mse": f.softmax(0), "linear_mse": f}[loss][k]

        g = grad(drawn)(w).detach()
        total += (outputs(w).softmax(0)[k].detach() if loss == "ce" else 2 / classes) * torch.outer(g, g)
    return total


def sample_odds(logits: Tensor, target: Tensor, loss: str, **settings: Any) -> Tensor:
    """rᵀA⁺r of one sample, r and A the derivatives of its loss in the logits."""

    def value(f: Tensor) -> Tensor:
        return sample_loss(f, target, loss, **settings)

    r, a = grad(value)(logits), hessian(value)(logits)
    return r @ torch.linalg.pinv(a, hermitian=True, rcond=1e-13) @ r


def hessian(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Second derivatives by two passes backward: torch's forward mode gets those of GroupNorm wrong."""
    return jacrev(grad(f))
