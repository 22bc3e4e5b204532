"""The Hessian of one sample beside the whole matrix, and the curve of two classes beside a network's own loss."""

import numpy as np
import pytest

from engine.samples import hessian
from tests.planted_samples import samples
from tests.reference.twins import compare


@pytest.mark.parametrize(("activation", "loss"), [("relu", "ce"), ("tanh", "mse")])
def test_everything_equals_what_the_whole_matrix_says(activation, loss):
    looked = samples(10, activation, loss)
    for p in (0, 7):
        one = hessian.of(looked, p)
        whole = np.kron(one.curvature, np.outer(one.activity, one.activity))
        own = np.linalg.eigvalsh(whole)
        own = own[np.abs(own).argsort()[::-1]][: one.kappa.size]
        compare(one.kappa, own, 1e-9, "κ of the whole matrix")
        compare(looked.kappa[p], one.kappa, 1e-4, "κ as kept")
        for m in range(3):
            u = one.eigenvector(m).ravel()
            compare(whole @ u, one.kappa[m] * u, 1e-9, "an eigenvector")
            assert np.isclose(u @ u, 1)
            expected = (looked.directions.reshape(len(looked.directions), -1) @ u) ** 2
            compare(one.alignment(looked.directions)[m], expected, 1e-6, "alignment")
        compare(looked.alignment[p], one.alignment(looked.directions)[0], 1e-3, "alignment as kept")
        assert one.rank == np.linalg.matrix_rank(whole, tol=1e-11 * abs(own[0]))
        assert np.isclose(one.probabilities[looked.targets[p]], looked.confidence[p], rtol=1e-4)


def test_a_block_is_that_part_of_the_matrix_with_its_share():
    one = hessian.of(samples(10), 3)
    whole = np.kron(one.curvature, np.outer(one.activity, one.activity))
    outputs, inputs = one.largest(36)
    assert outputs.size * inputs.size <= 36
    rows = (outputs[:, None] * one.activity.size + inputs).ravel()
    block = one.block(outputs, inputs)[2]
    compare(block, whole[np.ix_(rows, rows)], 1e-12, "the block")
    assert np.isclose(one.share(outputs, inputs), (block**2).sum() / (whole**2).sum())
    others = np.setdiff1d(np.arange(20), inputs)
    assert np.abs(one.activity[inputs]).min() >= np.abs(one.activity[others]).max()
    outputs, inputs = one.largest(400)
    assert (outputs.size, inputs.size) == (20, 20)
    assert np.isclose(one.share(outputs, inputs), 1)


@pytest.mark.parametrize("side", [1, 2, 96, 100])
@pytest.mark.parametrize("shape", [(50, 50), (3, 4), (20, 128), (2, 1)])
def test_a_block_never_has_more_rows_than_asked_for(shape, side):
    rng = np.random.default_rng(0)
    m = rng.standard_normal((shape[0], shape[0]))
    one = hessian.One(m + m.T, rng.standard_normal(shape[1]), np.ones(1), np.ones((shape[0], 1)), np.ones(2) / 2)
    outputs, inputs = one.largest(side)
    assert 1 <= outputs.size * inputs.size <= max(side, 1)
    if shape[0] * shape[1] <= side:
        assert (outputs.size, inputs.size) == shape


@pytest.mark.parametrize(("activation", "loss"), [("relu", "ce"), ("tanh", "mse")])
def test_the_terms_along_a_direction_are_those_of_single_samples_and_make_the_analysis(activation, loss):
    looked = samples(10, activation, loss)
    v = looked.directions[1].astype(float)
    terms = hessian.terms(looked, v)
    z = looked.preactivation(looked.activity)
    for p in (0, 7):
        one = hessian.of(looked, p)
        whole = np.kron(one.curvature, np.outer(one.activity, one.activity))
        compare(terms["H"][p], v.ravel() @ whole @ v.ravel(), 1e-9, "vᵀ h_p v")
    slopes = [
        np.outer(looked.chain.gradient(z[p], int(looked.targets[p])), looked.activity[p]).ravel() @ v.ravel()
        for p in range(len(looked))
    ]
    compare(terms["C"], (slopes - np.mean(slopes)) ** 2, 1e-9, "(g·v − ḡ·v)²")
    compare(terms["H"].mean(), looked.eigenvalues[1], 1e-4, "H_ii")
    compare(terms["C"].mean(), looked.batch_size * looked.diagonals["C"][1], 1e-4, "B·C_ii")
    with_bias = np.concatenate([v, np.ones((len(v), 1))], axis=1)
    push = looked.activity[3].astype(float) @ v.T + 1
    own = hessian.of(looked, 3).curvature
    compare(hessian.terms(looked, with_bias)["H"][3], push @ own @ push, 1e-9, "with the bias")
