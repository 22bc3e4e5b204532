"""What the tests of the figures draw."""

import numpy as np

from pages.charts.power_law import Cloud
from tests.pages.conftest import decode, traces
from tests.planted import analysis

RESULT = analysis()


def large(k, seed=0):
    x = np.random.default_rng(seed).standard_normal((k, k))
    return x + x.T


def clouds(**window):
    more = {"floor": RESULT.noise_floor} | window
    return [Cloud(n, RESULT.eigenvalues, RESULT.diagonal(n), RESULT.fit(n), **more) for n in ("C", "C_awd")]


def ringed(figure):
    (trace,) = traces(figure, meta="marked")
    return list(zip(decode(trace["x"]).tolist(), decode(trace["y"]).tolist(), strict=True))
