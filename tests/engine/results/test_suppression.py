"""Suppression against explicit per-sample matrices: their eigenvalues edited, then averaged again."""

import inspect
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.results.power_law import power_law
from engine.results.suppression import Spectra, suppress
from tests.engine.results.conftest import seeds
from tests.reference import diagnostics
from tests.reference.twins import compare

quick = settings(max_examples=100, deadline=None)
fractions = st.sampled_from([0.0, 1e-5, 1e-3, 0.1, 0.5, 1.0])


def samples(n, d, rank, seed, signed=False):
    """κ (n, rank) by falling magnitude over six decades, and eigenvectors (n, d, rank) of n matrices h_p."""
    rng = np.random.default_rng(seed)
    kappa = 10 ** rng.uniform(-6, 0, (n, rank))
    kappa = np.take_along_axis(kappa, np.argsort(-kappa, 1), 1)
    if signed:
        kappa *= rng.choice([-1, 1], (n, rank), p=[0.3, 0.7])
    vectors = np.stack([diagnostics.haar(d, int(s), rank) for s in rng.integers(0, 2**31, n)])
    return kappa, vectors


def matrices(kappa, vectors):
    """h_p = Σ_m κ_m u_m u_mᵀ."""
    return [
        sum(k * np.outer(u, u) for k, u in zip(kappa_p, vectors_p.T, strict=True))
        for kappa_p, vectors_p in zip(kappa, vectors, strict=True)
    ]


def diagonals(kappa, vectors, basis):
    """E[h]_ii and E[h²]_ii along the columns of basis."""
    h = matrices(kappa, vectors)
    means = (sum(h) / len(h), sum(h_p @ h_p for h_p in h) / len(h))
    return tuple(np.diag(basis.T @ matrix @ basis) for matrix in means)


def reduced(kappa, vectors, basis):
    """The Spectra of these matrices, from their definition."""
    alpha = np.einsum("pdm,di->pmi", vectors, basis) ** 2
    return Spectra(
        kappa=kappa,
        alignment=alpha[:, 0],
        first=np.mean(kappa[:, :, None] * alpha, axis=0),
        second=np.mean(kappa[:, :, None] ** 2 * alpha, axis=0),
    )


def problem(n=8, d=5, rank=3, seed=0, signed=False):
    kappa, vectors = samples(n, d, rank, seed, signed)
    basis = diagnostics.eigenbasis(sum(matrices(kappa, vectors)))[1]
    return kappa, vectors, basis


def edit(kappa, keep, tail, stiff_ratio, damp, homogenise):
    """The recipe, one sample and one eigenvalue at a time."""
    n, rank = kappa.shape
    keep = rank if keep is None else keep
    largest = max(abs(k[0]) for k in kappa)
    stiff = [p for p in range(n) if abs(kappa[p, 0]) >= stiff_ratio * largest]
    edited = kappa.copy()
    for p in range(n):
        for m in range(rank):
            if m >= keep:
                edited[p, m] = tail * kappa[p, m]
            elif m == 0 and p not in stiff and (homogenise or keep < rank):
                edited[p, m] = damp * kappa[p, m]
            elif m == 0 and p in stiff and homogenise:
                edited[p, m] = sum(kappa[q, 0] for q in stiff) / len(stiff)
    return edited, len(stiff) / n


@quick
@given(
    seed=seeds,
    n=st.integers(1, 9),
    rank=st.integers(1, 4),
    keep=st.one_of(st.none(), st.integers(1, 6)),
    tail=fractions,
    stiff_ratio=fractions,
    damp=fractions,
    homogenise=st.booleans(),
    signed=st.booleans(),
)
def test_suppression_is_the_average_of_edited_matrices(
    seed, n, rank, keep, tail, stiff_ratio, damp, homogenise, signed
):
    kappa, vectors, basis = problem(n, 5, rank, seed, signed)
    ours = suppress(reduced(kappa, vectors, basis), keep, tail, stiff_ratio, damp, homogenise)
    edited, stiff = edit(kappa, keep, tail, stiff_ratio, damp, homogenise)
    hessian, noise = diagonals(edited, vectors, basis)
    compare(ours.hessian_diagonal, hessian, 1e-10, "E[h]_ii")
    compare(ours.noise_diagonal, noise, 1e-10, "E[h²]_ii")
    compare(ours.stiff, stiff, 1e-12, "share of stiff samples")


@pytest.mark.parametrize("keep", [None, 3, 7])
def test_keeping_all_changes_nothing(keep):
    kappa, vectors, basis = problem(signed=True)
    ours = suppress(reduced(kappa, vectors, basis), keep=keep)
    hessian, noise = diagonals(kappa, vectors, basis)
    compare(ours.hessian_diagonal, hessian, 1e-12, "E[h]_ii")
    compare(ours.noise_diagonal, noise, 1e-12, "E[h²]_ii")
    assert ours.stiff < 1


@quick
@given(seed=seeds)
def test_one_curvature_gives_slope_one(seed):
    """With a single κ left, every h_p is κ̄ u uᵀ: E[h²] = κ̄ E[h] and γ is exactly 1."""
    kappa, vectors, basis = problem(n=12, seed=seed)
    spectra = reduced(kappa, vectors, basis)
    ours = suppress(spectra, keep=1, tail=0.0, stiff_ratio=0.1, damp=0.0, homogenise=True)
    leading = kappa[:, 0]
    mean = leading[leading >= 0.1 * leading.max()].mean()
    compare(ours.noise_diagonal, mean * ours.hessian_diagonal, 1e-12, "E[h²] against κ̄ E[h]")
    order = np.argsort(-ours.hessian_diagonal)
    fit = power_law(ours.hessian_diagonal[order], ours.noise_diagonal[order])
    assert abs(fit.gamma - 1) < 1e-9
    assert abs(10**fit.intercept - mean) < 1e-9


def test_owned_curvatures_give_slope_two():
    """If every direction owns one curvature, E[h²]_ii = H_ii² · n / n_i: slope 2, equality in Jensen up to
    the share of samples in that direction, here the same for all."""
    d = 6
    kappa = (10.0 ** -np.arange(d))[:, None]
    vectors = np.eye(d)[:, :, None]
    ours = suppress(reduced(kappa, vectors, np.eye(d)), keep=None)
    fit = power_law(ours.hessian_diagonal, ours.noise_diagonal)
    assert abs(fit.gamma - 2) < 1e-12
    compare(ours.noise_diagonal, d * ours.hessian_diagonal**2, 1e-12, "E[h²]")


@quick
@given(seed=seeds, rank=st.integers(2, 4))
def test_more_suppression_never_raises_a_diagonal_of_positive_spectra(seed, rank):
    spectra = reduced(*problem(8, 5, rank, seed))

    def falls(settings):
        results = [suppress(spectra, **s) for s in settings]
        for weak, strong in pairwise(results):
            for name in ("hessian_diagonal", "noise_diagonal"):
                assert (getattr(strong, name) <= getattr(weak, name) * (1 + 1e-12)).all(), name
        assert (results[-1].hessian_diagonal < results[0].hessian_diagonal).all()

    falls([{"keep": m} for m in range(rank, 0, -1)])
    falls([{"tail": t} for t in (1.0, 0.5, 1e-5, 0.0)])
    falls([{"tail": 0.0, "damp": f, "stiff_ratio": 1.0} for f in (1.0, 0.1, 0.0)])
    shares = [suppress(spectra, stiff_ratio=ratio).stiff for ratio in (0.0, 1e-3, 0.5, 1.0)]
    assert shares == sorted(shares, reverse=True)
    assert (shares[0], shares[-1]) == (1.0, 1 / 8)


@quick
@given(seed=seeds, n=st.integers(1, 9), rank=st.integers(1, 5), signed=st.booleans())
def test_the_bounds_of_the_second_moment(seed, n, rank, signed):
    """H_ii² ≤ E[h²]_ii ≤ max |κ| · E[|h|]_ii along any basis; for κ ≥ 0 the last is κ_max H_ii."""
    kappa, vectors, basis = problem(n, 5, rank, seed, signed)
    for directions in (basis, diagnostics.haar(5, seed)):
        plain = suppress(reduced(kappa, vectors, directions), keep=None)
        hessian, noise = plain.hessian_diagonal, plain.noise_diagonal
        rounding = 1e-12 * np.abs(kappa).max() ** 2
        assert (hessian**2 <= noise + rounding).all()
        magnitude = diagonals(np.abs(kappa), vectors, directions)[0]  # E[|h|]_ii, H_ii itself if κ ≥ 0
        assert (noise <= np.abs(kappa).max() * magnitude + rounding).all()
        if not signed:
            compare(magnitude, hessian, 1e-12, "E[|h|]_ii")


def test_curvatures_of_both_signs_can_cancel_in_the_hessian_but_not_in_the_noise():
    """κ = ±1 along one direction: H_ii = 0 and E[h²]_ii = 1, so no multiple of H_ii is an upper bound."""
    kappa, vectors = np.array([[1.0], [-1.0]]), np.tile(np.eye(3)[:, :1], (2, 1, 1))
    plain = suppress(reduced(kappa, vectors, np.eye(3)), keep=None)
    assert (plain.hessian_diagonal[0], plain.noise_diagonal[0]) == (0.0, 1.0)


def test_one_sample_without_curvature():
    spectra = Spectra(np.zeros((1, 2)), np.full((1, 3), 0.5), np.zeros((2, 3)), np.zeros((2, 3)))
    ours = suppress(spectra, homogenise=True)
    assert (ours.hessian_diagonal == 0).all()
    assert (ours.noise_diagonal == 0).all()


def test_stored_single_precision_is_summed_in_double():
    rng = np.random.default_rng(0)
    kappa = rng.uniform(0.5, 1, (5000, 1)).astype(np.float32)
    alignment = rng.uniform(0, 1, (5000, 2)).astype(np.float32)
    moment = np.zeros((1, 2), np.float32)
    ours = suppress(Spectra(kappa, alignment, moment, moment), keep=None)
    expected = np.mean(kappa.astype(np.float64) * alignment.astype(np.float64), axis=0)
    compare(ours.hessian_diagonal, expected, 1e-12, "E[h]_ii")


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"keep": 0}, "keep must be a whole number from 1, not 0"),
        ({"keep": -2}, "keep must be a whole number from 1, not -2"),
        ({"keep": 1.5}, r"keep must be a whole number from 1, not 1\.5"),
        ({"tail": -0.1}, r"tail must lie in 0 … 1, not -0\.1"),
        ({"tail": float("nan")}, r"tail must lie in 0 … 1, not nan"),
        ({"stiff_ratio": 2.0}, r"stiff_ratio must lie in 0 … 1, not 2\.0"),
        ({"damp": 1.01}, r"damp must lie in 0 … 1, not 1\.01"),
    ],
)
def test_impossible_settings_say_what_is_possible(setting, sentence):
    spectra = reduced(*problem())
    unchecked = inspect.unwrap(suppress)  # a user's Python has no type checker in front
    with pytest.raises(ValueError, match=sentence):
        unchecked(spectra, **setting)
