"""Planes of the loss that are made up below a planted run: bowls with the curvatures and variances of its analyses."""

import numpy as np

from cache.store import Store
from engine.results.plane import ANGLES, POINTS, Plane, turn
from engine.runs import library
from engine.runs import plane as planes

TWIN = 1e-3  # curvature and variance along random directions, of those along direction 1


def bowl(hessian, noise, pair=(1, 10), rate=0.1, batch_size=50, tilt=0.0, here=0.5) -> Plane:
    """L = here + ½ xᵀHx; mini-batches drawn from N(0, C). hessian, noise: along v_i, v_j; tilt: their correlation."""
    h, c = (np.diag([*map(float, two), TWIN * two[0], TWIN * two[0]]) for two in (hessian, noise))
    c[0, 1] = c[1, 0] = tilt * np.sqrt(c[0, 0] * c[1, 1])
    reach = float(np.sqrt(2 * here / h[0, 0]))
    x, y = np.meshgrid(*[np.linspace(-reach, reach, POINTS)] * 2)
    at = np.stack([x, y], axis=-1)
    loss = np.stack([here + np.einsum("yxi,ij,yxj->yx", at, turn(a).T @ h @ turn(a), at) / 2 for a in ANGLES])
    batches = np.random.default_rng(0).multivariate_normal(np.zeros(4), c, size=40)
    return Plane(pair, reach, 200, batch_size, rate, loss, h, c, np.zeros(4), batches)


def add_planes(store: Store, run: str, *epochs: int, pairs=planes.PAIRS) -> None:
    """Give the analyses of these epochs their planes."""
    for made in library.analyses(store, run):
        if made.request.epoch not in epochs:
            continue
        analysis = library.load_analysis(store, run, made.key)
        assert analysis is not None
        for i, j in pairs:
            two = [i - 1, j - 1]
            one = bowl(analysis.eigenvalues[two], analysis.diagonal("C")[two], (i, j))
            arrays, meta = one.to_arrays()
            store.write(planes.place(run, made.key, i, j), meta, {"main": arrays})
