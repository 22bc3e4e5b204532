"""Sums over places of Kronecker vectors, on layers used at several places of a sample, against torch.func."""

import pytest
import torch
from torch import nn
from torch.func import grad, hessian, jacrev
from torch.nn.functional import conv2d, unfold

from engine.curvature.kronecker import Moment, Vectors
from engine.curvature.moments import LayerMoments
from tests.reference import twins

N, D_OUT, CLASSES = 6, 3, 3


def tokens():
    """A linear layer over the tokens of a sequence: places of a sample, and the layer as a function of its weights."""
    x = torch.randn(N, 4, 5, dtype=torch.float64)
    return x, x, lambda w, sample: sample @ w.T


def convolution():
    """A convolution of two channels by patches of 2 × 2, at every other row: its places are the unfolded patches."""
    x = torch.randn(N, 2, 4, 3, dtype=torch.float64)
    places = unfold(x, 2, stride=(2, 1)).mT

    def layer(w, sample):
        return conv2d(sample[None], w.view(D_OUT, 2, 2, 2), stride=(2, 1))[0].flatten(1).T

    return x, places, layer


@pytest.mark.parametrize("kind", [tokens, convolution])
def test_moments_of_a_layer_used_at_several_places_equal_torch_func(kind):
    torch.manual_seed(0)
    inputs, activity, layer = kind()
    weight = torch.randn(D_OUT, activity.shape[2], dtype=torch.float64) / 2
    targets = torch.arange(N) % CLASSES
    read = nn.Linear(activity.shape[1] * D_OUT, CLASSES).double().requires_grad_(False)

    def rest(z):
        return read(torch.relu(z).flatten())

    def loss(f, y):
        return twins.sample_loss(f, y, "ce")

    gradients, hessians, lefts, curvature, deltas = [], [], [], [], []
    for x, a, y in zip(inputs, activity, targets, strict=True):

        def of_weight(w, x=x, y=y):
            return loss(rest(layer(w.view_as(weight), x)), y)

        gradients.append(grad(of_weight)(weight.flatten()))
        hessians.append(hessian(of_weight)(weight.flatten()))
        # h_p = Γᵀ A Γ with Γ = Σ_t J_t ⊗ a_t, turned to the eigenvectors of A.
        z = a @ weight.T
        scale, turn = torch.linalg.eigh(hessian(loss)(rest(z), y))
        lefts.append(torch.einsum("cr,cto->rto", turn, jacrev(rest)(z)))
        curvature.append(scale)
        deltas.append(grad(lambda z, y=y: loss(rest(z), y))(z))
    g, h = torch.stack(gradients), torch.stack(hessians)
    slopes = Vectors(torch.stack(deltas)[:, None], activity)
    spectral = Moment(Vectors(torch.stack(lefts), activity), torch.stack(curvature))
    moments = LayerMoments({"h": spectral, "gg": Moment(slopes)}, {"g": slopes})
    expected = {"h": h.mean(0), "gg": g.T @ g / N}
    assert activity.shape[1] > 1
    v = torch.randn(weight.numel(), 3, dtype=torch.float64)
    projected = moments.project(v, 4)
    for name, matrix in moments.dense(4).items():
        twins.compare(matrix, expected[name], 1e-12, name)
        twins.compare(projected[name], v.T @ expected[name] @ v, 1e-12, f"{name} projected")
    twins.compare(moments.means()["g"], g.mean(0), 1e-12, "mean gradient")
    twins.compare(moments.apply(v, 4), expected["h"] @ v, 1e-12, "H V")
