"""Every named matrix of `analyze` against its brute-force twin, on small random networks."""

import numpy as np
import pytest
import torch

from engine import analyze
from engine.device import resolve
from engine.duality import dual, minimal_weight_change, partners
from engine.factors import Tail
from tests.reference import twins
from tests.reference.cases import CASES, LOSSES, case, lonely, silent

B = 3


def run(c, loss, **settings):
    settings = {"dtype": "float64", "device": "cpu", "batch_size": B, "anchors_per_class": None} | settings
    return analyze(c.model, c.inputs, c.targets, c.layer, loss, **settings)


def expected(c, loss, bias=False):
    partner = twins.nearest_partner(twins.activities(c.model, c.layer, c.inputs), c.targets)
    terms = twins.sample_terms(c.model, c.layer, c.inputs, c.targets, loss, partner, bias)
    return {name: m.numpy() for name, m in twins.covariances(terms, B).items()}, terms


def same_matrices(result, matrices, skip=(), rtol=1e-9):
    """Vᵀ M V of every matrix, its diagonal and norm, and H itself rebuilt from its eigenpairs."""
    v = result.basis
    twins.compare(v.T @ v, np.eye(v.shape[1]), 1e-10, "orthonormal basis")
    twins.compare(v @ np.diag(result.eigenvalues) @ v.T, matrices["H"], rtol, "H")
    assert set(matrices) - {"H"} == set(result.names)
    for name in result.names:
        if name in skip:
            continue
        k = v.T @ matrices[name] @ v
        twins.compare(result.projected(name, result.k), k, rtol, name)
        twins.compare(result.diagonal(name), np.diag(k), rtol, f"diagonal of {name}")
        twins.compare(result.frobenius(name), np.linalg.norm(matrices[name]), rtol, f"norm of {name}")


def degenerate(c, loss):
    """Every per-sample eigenvalue equal, so that an eigensolver's choice of vectors is arbitrary."""
    return loss == "linear_mse" and c.layer == c.model[-1:]._get_name()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", CASES)
def test_every_matrix_equals_its_twin(name, loss):
    c = case(name)
    matrices, terms = expected(c, loss)
    last = [n for n, m in c.model.named_modules() if isinstance(m, torch.nn.Linear)][-1] == c.layer
    skip = ("C_hh_sd_wd",) if loss == "linear_mse" and last else ()  # every κ of a sample is the same number
    result = run(c, loss)
    same_matrices(result, matrices, skip)
    if not skip:
        twins.compare(result.provenance.sigma_w2, twins.sigma_w2(terms), 1e-9, "σ_w²")
    assert result.provenance.curvature == ("gauss-newton" if c.piecewise else "full")
