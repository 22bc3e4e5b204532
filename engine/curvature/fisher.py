"""The true Fisher matrix of one layer, from gradients for labels that the network itself would draw.

The loss is read as a negative log-likelihood −log p(y | x) + const; then F = E_p E_{y ~ p(·|x_p)}[∇ log p ∇ log pᵀ],
for which engine.losses.Loss.likelihood gives the rows l_m and weights w_m of each sample.

As every matrix here it is a moment: E[Σ_m w_m (l_m ⊗ a)(l_m ⊗ a)ᵀ]. For ce and linear_mse behind a piecewise-linear
tail it equals H, since the loss' Hessian in f does not depend on the label; nothing of that is used here.
"""

import torch
from torch import Tensor

from engine.curvature.accumulate import over
from engine.curvature.autodiff import rows_of_derivative
from engine.curvature.factors import Tail
from engine.curvature.kronecker import Moment, Vectors
from engine.progress import Progress, silent

CHUNK = 512


def true_fisher(tail: Tail, activity: Tensor, progress: Progress = silent) -> Moment:
    """F as a moment. activity: a_p (n, t, d_in), as in LayerFactors."""
    lefts, weights = [], []
    n = activity.shape[0]
    for rows in over(n, CHUNK, progress, "Fisher matrix"):
        _, z, f = tail.forward(tail.inputs[rows])
        left, share = tail.loss.likelihood(f.detach(), rows_of_derivative(f, z))
        lefts.append(left.to(activity.dtype))
        weights.append(share.to(activity.dtype))
    return Moment(Vectors(torch.cat(lefts)[:, :, None], activity), torch.cat(weights))
