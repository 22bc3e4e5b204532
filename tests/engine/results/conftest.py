"""What the tests of the results share: seeds, spectra, and an analysis of explicit matrices."""

import numpy as np
import pytest
from hypothesis import strategies as st

from engine.results.analysis import Analysis
from engine.results.record import Provenance
from engine.results.suppression import Spectra
from tests.reference import diagnostics, twins
from tests.reference.cases import case

seeds = st.integers(0, 2**31 - 1)
D_OUT, D_IN = 3, 4
D = D_OUT * D_IN


def falling(k, decades, seed):
    """k positive numbers, descending over exactly `decades`, at random places between."""
    places = np.random.default_rng(seed).uniform(-decades, 0, k)
    places[:2] = 0.0, -decades
    return 10 ** -np.sort(-places)


def symmetric(spectrum, seed):
    q = diagnostics.haar(len(spectrum), seed)
    return (q * spectrum) @ q.T


def matrices(seed=0):
    """H with a spectrum over four decades, and three covariances related to it more or less closely."""
    spectrum = 10 ** np.sort(np.random.default_rng(seed).uniform(-4, 0, D))[::-1]
    h = symmetric(spectrum, seed)
    noise = [symmetric(10.0 ** -np.arange(D), seed + s) for s in (1, 2, 3)]
    return {"H": h, "C": h @ h + 1e-2 * noise[0], "C_awd": h + 0.3 * noise[1], "E_h2": h @ h + noise[2]}


class Matrices:
    """A source that holds every matrix as it is, in the leading k eigenvectors of H."""

    def __init__(self, named, k=D):
        self.values, self.basis = (z[..., :k] for z in diagnostics.eigenbasis(named["H"]))
        self.blocks = {name: self.basis.T @ m @ self.basis for name, m in named.items()}
        self.asked = []

    def block(self, name: str, k: int):
        self.asked.append(name)
        return self.blocks[name][:k, :k]

    def spectrum(self, name: str):
        return np.linalg.eigvalsh(self.blocks[name])[::-1].copy()

    def spectra(self):
        return None

    def jackknife(self):
        return None

    def held_out(self, splits: int, seed: int):
        return None

    def effective_samples(self):
        return {}

    def structural_null(self, permutations: int, seed: int):
        raise NotImplementedError


def provenance(**changes):
    values = dict(
        layer="fc2",
        loss="ce",
        samples=50,
        batch_size=5,
        d_out=D_OUT,
        d_in=D_IN,
        anchors_per_class=None,
        unpaired=1,
        curvature="full",
        sigma_w2=0.25,
        mean_loss=0.1,
        accuracy=0.9,
        dtype="float64",
        device="CPU",
        seed=7,
        seconds=1.5,
    )
    return Provenance(**(values | changes))


def spectra(k=D, seed=0):
    rng = np.random.default_rng(seed)
    return Spectra(*(rng.uniform(0.1, 1, shape) for shape in ((6, 2), (6, k), (2, k), (2, k))))


def analysis(named=None, k=D, **changes):
    named = matrices() if named is None else named
    source = Matrices(named, k)
    blocks = source.blocks
    values = dict(
        eigenvalues=source.values,
        diagonals={name: np.diag(blocks[name]).copy() for name in ("E_h2", "C_awd", "C")},
        traces={name: float(np.trace(m)) for name, m in blocks.items()},
        squares={name: float(np.sum(m**2)) for name, m in blocks.items()},
        noise_floor=1e-12,
        provenance=provenance(),
        basis=source.basis,
        spectra=spectra(k),
        source=source,
    )
    return Analysis(**(values | changes))


@pytest.fixture(scope="module")
def bootstrapped():
    """The analysis of a real layer with replicates from literal resamples of its samples."""
    c = case("leaky", n=14)
    partners = twins.nearest_partner(twins.activities(c.model, c.layer, c.inputs), c.targets)
    terms = twins.sample_terms(c.model, c.layer, c.inputs, c.targets, "ce", partners)
    named = {name: m.numpy() for name, m in twins.covariances(terms, 4).items()}
    draws = np.random.default_rng(1).integers(0, 14, (15, 14)).tolist()
    values, basis = diagnostics.eigenbasis(named["H"])
    return Analysis(
        eigenvalues=values,
        diagonals={name: np.diag(basis.T @ m @ basis) for name, m in named.items() if name != "H"},
        traces={},
        squares={},
        noise_floor=1e-12,
        provenance=provenance(d_out=4, d_in=4),
        replicates=twins.bootstrap_diagonals(terms, basis, 4, draws),
    )
