"""The true Fisher matrix of one layer, from gradients for labels that the network itself would draw.

The loss is read as a negative log-likelihood −log p(y | x) + const; then F = E_p E_{y ~ p(·|x_p)}[∇ log p ∇ log pᵀ].

    ce          the softmax is the likelihood: F = E[Σ_k π_k g^(k) g^(k)ᵀ], g^(k) the gradient for label k
    mse         a Gaussian around π = softmax(f) of variance K/2: F = (2/K) E[Σ_k ∇π_k ∇π_kᵀ]
    linear_mse  a Gaussian around f of variance K/2: F = (2/K) E[Σ_k ∇f_k ∇f_kᵀ]

As every matrix here it is a moment: E[Σ_m w_m (l_m ⊗ a)(l_m ⊗ a)ᵀ]. For ce and linear_mse behind a piecewise-linear
tail it equals H, since the loss' Hessian in f does not depend on the label; nothing of that is used here.
"""

import torch
from torch import Tensor

from engine.config.requests import check_loss
from engine.curvature.accumulate import over
from engine.curvature.autodiff import rows_of_derivative
from engine.curvature.factors import Tail
from engine.curvature.kronecker import Moment, Vectors
from engine.progress import Progress, silent

CHUNK = 512


def true_fisher(tail: Tail, activity: Tensor, progress: Progress = silent) -> Moment:
    """F as a moment. activity: a_p (n, t, d_in), as in LayerFactors."""
    check_loss(tail.loss)
    lefts, weights = [], []
    n = activity.shape[0]
    for rows in over(n, CHUNK, progress, "Fisher matrix"):
        _, z, f = tail.forward(tail.inputs[rows])
        jacobian, classes = rows_of_derivative(f, z).double(), f.shape[1]
        p = f.detach().double().softmax(dim=1)
        share = torch.full_like(p, 2 / classes)
        if tail.loss == "linear_mse":
            left = jacobian
        else:
            centred = jacobian - torch.einsum("nk,nko->no", p, jacobian)[:, None]
            # ∇ log π_k, or ∇π_k = π_k ∇ log π_k.
            left, share = (centred, p) if tail.loss == "ce" else (p[:, :, None] * centred, share)
        lefts.append(left.to(activity.dtype))
        weights.append(share.to(activity.dtype))
    return Moment(Vectors(torch.cat(lefts)[:, :, None], activity), torch.cat(weights))
