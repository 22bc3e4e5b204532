"""Brute-force twins of the diagnostics, on explicit matrices: NumPy, entry by entry."""

import numpy as np


def eigenbasis(hessian_matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (descending) and eigenvectors (columns) of a symmetric matrix."""
    values, vectors = np.linalg.eigh(hessian_matrix)
    order = sorted(range(len(values)), key=lambda i: -values[i])
    return values[order], vectors[:, order]


def haar(d: int, seed: int, k: int | None = None) -> np.ndarray:
    """First k columns (default: all) of a Haar-random orthogonal matrix: Gram–Schmidt of Gaussian columns."""
    columns = np.random.default_rng(seed).standard_normal((d, k or d))
    for j in range(columns.shape[1]):
        for i in list(range(j)) * 2:  # twice, so that rounding does not spoil orthogonality
            columns[:, j] -= (columns[:, i] @ columns[:, j]) * columns[:, i]
        columns[:, j] /= np.linalg.norm(columns[:, j])
    return columns


def commutator_error(a: np.ndarray, b: np.ndarray) -> float:
    """‖AB − BA‖_F / ‖AB‖_F."""
    return float(np.linalg.norm(a @ b - b @ a) / np.linalg.norm(a @ b))


def correlation(block: np.ndarray) -> np.ndarray:
    """R_ij = K_ij / sqrt(K_ii K_jj), entry by entry."""
    k = len(block)
    r = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            r[i, j] = block[i, j] / np.sqrt(block[i, i] * block[j, j])
    return r


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Least-squares slope of log10 y on log10 x, by solving for slope and intercept."""
    design = np.stack([np.log10(x), np.ones(len(x))], 1)
    return float(np.linalg.lstsq(design, np.log10(y), rcond=None)[0][0])
