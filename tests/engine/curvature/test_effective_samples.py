"""How many samples carry a diagonal, against its definition one sample at a time, and in closed form."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import analyze
from engine.curvature import memory
from engine.curvature.covariances import combinations
from engine.curvature.kronecker import Moment, Rows
from engine.curvature.moments import LayerMoments, Terms
from engine.curvature.resampling import effective_samples
from engine.progress import silent
from tests.reference import twins
from tests.reference.cases import case, lonely

B = 3
analysis = sys.modules["engine.curvature.analyze"]  # its package names the function alike


def run(c, loss="ce", **more):
    how = {"dtype": "float64", "device": "cpu", "batch_size": B, "anchors_per_class": None} | more
    return analyze(c.model, c.inputs, c.targets, c.layer, loss, **how)


def of(x):
    """N_eff of the columns."""
    return x.sum(axis=0) ** 2 / (x**2).sum(axis=0)


def literal(g, h, v):
    """x_p of H, C and E[h²] (n, k)."""
    g, h = g.numpy(), h.numpy()
    return {
        "H": np.stack([np.diag(v.T @ one @ v) for one in h]),
        "C": np.stack([((one - g.mean(axis=0)) @ v) ** 2 for one in g]) / B,
        "E_h2": np.stack([np.diag(v.T @ one @ one @ v) for one in h]),
    }


def same(effective, x, told_apart=slice(None), name=""):
    twins.compare(effective.by_direction[told_apart], of(x)[told_apart], 1e-6, f"N_eff of {name}")
    twins.compare(effective.whole, of(x.sum(axis=1)), 1e-6, f"N_eff of tr {name}")
    for i in np.arange(effective.carriers.shape[0])[told_apart]:
        order = np.argsort(-abs(x[:, i]), kind="stable")[: effective.carriers.shape[1]]
        twins.compare(effective.shares[i], x[order, i] / x[:, i].sum(), 1e-6, f"shares of {name} in direction {i}")
        twins.compare(x[effective.carriers[i], i], x[order, i], 1e-9, f"carriers of {name} in direction {i}")


@pytest.mark.parametrize(
    ("name", "loss"),
    [("relu_bias", "ce"), ("gelu", "mse"), ("tokens", "ce"), ("conv2d_groups", "mse"), ("conv_twice", "ce")],
)
def test_shares_are_those_of_single_samples(name, loss):
    c = case(name)
    result = run(c, loss)
    g, h = twins.per_sample(c.model, c.layer, c.inputs, c.targets, loss)
    clear = np.abs(result.eigenvalues) > 1e-6 * result.eigenvalues[0]
    for matrix, x in literal(g, h, result.basis).items():
        same(result.effective_samples(matrix), x, clear, matrix)


@pytest.mark.parametrize(("name", "top_k"), [("relu_bias", None), ("conv2d", 3)])
def test_neither_chunks_nor_what_is_kept_enter(name, top_k, monkeypatch):
    c = case(name)
    kept = run(c, top_k=top_k)
    plan = memory.plan
    monkeypatch.setattr(analysis, "plan", lambda **how: replace(plan(**how), keep=False, along=4))
    anew = run(c, top_k=top_k)
    clear = np.abs(kept.eigenvalues) > 1e-6 * kept.eigenvalues[0]
    for matrix in ("H", *kept.names):
        one, other = (result.effective_samples(matrix) for result in (kept, anew))
        twins.compare(other.by_direction[clear], one.by_direction[clear], 1e-6, matrix)
        twins.compare(other.whole, one.whole, 1e-6, matrix)
        twins.compare(other.shares[clear], one.shares[clear], 1e-6, matrix)


def test_several_layers_jointly_have_them_too():
    c = case("relu_bias")
    result = analyze(c.model, c.inputs, c.targets, ("fc1", "fc2"), dtype="float64", device="cpu", batch_size=B)
    g, h = twins.per_sample(c.model, ["fc1", "fc2"], c.inputs, c.targets, "ce")
    clear = np.abs(result.eigenvalues) > 1e-6 * result.eigenvalues[0]
    for matrix, x in literal(g, h, result.basis).items():
        same(result.effective_samples(matrix), x, clear, matrix)


def test_of_a_product_of_means_the_share_is_how_the_mean_answers_to_the_sample():
    """Leaving one sample out changes M_ii by (M_ii − x_p)/(N − 1), to first order: here against a tiny change of its
    weight, the unpaired sample's being nothing."""
    c = lonely()
    result = run(c)
    partners = twins.nearest_partner(twins.activities(c.model, c.layer, c.inputs), c.targets)
    t = twins.sample_terms(c.model, c.layer, c.inputs, c.targets, "ce", partners)
    v, samples = result.basis[:, :4], torch.nonzero(t.paired).flatten().tolist()

    def weighted(w):
        """C_hh along the v_i, samples counting so much."""
        x = t.v.numpy() @ v
        mean = (w[:, None] * x).sum(axis=0) / w.sum()
        return ((w[:, None] * x**2).sum(axis=0) / w.sum() / B + (1 - 1 / B) * mean**2) / 2

    even, step, x = t.paired.double().numpy(), 1e-6, np.zeros((len(t.paired), 4))
    for p in samples:
        up, down = even.copy(), even.copy()
        up[p], down[p] = 1 + step, 1 - step
        x[p] = weighted(even) + len(samples) * (weighted(up) - weighted(down)) / (2 * step)
    twins.compare(x.sum(axis=0) / len(samples), result.diagonal("C_hh")[:4], 1e-6, "their mean")
    twins.compare(result.effective_samples("C_hh").by_direction[:4], of(x), 1e-6, "N_eff")


def planted(h, chunk=5):
    """Effective samples of H whose samples have these curvatures (n, k) along the axes."""
    n, k = h.shape
    x, weight = torch.eye(k, dtype=torch.float64).expand(n, k, k), torch.as_tensor(h)

    def terms(rows):
        return Terms({"h": Moment(Rows(x[rows]), weight[rows])})

    moments = LayerMoments(terms, lambda rows: terms(rows).quadratic["h"], n)
    named = {"H": combinations(1)["H"]}
    return effective_samples(moments, named, torch.eye(k, dtype=torch.float64), chunk, silent)["H"]


def test_equal_shares_count_all_samples_and_a_single_one_counts_one():
    n = 37
    h = np.ones((n, 3))
    h[:, 1] = 0
    h[11, 1] = 5
    h[:, 2] = np.where(np.arange(n) < 7, 2.0, 0.0)
    made = planted(h)
    np.testing.assert_allclose(made.by_direction, [n, 1, 7])
    assert (made.carriers[1, 0], made.shares[1, 0]) == (11, 1.0)
    np.testing.assert_allclose(made.shares[0], 1 / n)
    assert set(made.carriers[2]) < set(range(7))
    assert made.carriers.shape == (3, 6)


def test_samples_that_cancel_each_other_make_no_mean():
    h = np.array([[1.0], [-0.9], [0.1]])
    made = planted(h)
    assert made.by_direction[0] == pytest.approx(0.04 / 1.82)
    assert made.shares[0, 0] == pytest.approx(5.0)
    assert np.isnan(planted(np.zeros((3, 1))).by_direction[0])


@given(st.integers(0, 10_000), st.integers(2, 30), st.floats(1e-3, 1e3), st.integers(1, 12))
@settings(max_examples=30)
def test_it_lies_between_one_and_n_and_no_scale_and_no_order_changes_it(seed, n, scale, chunk):
    rng = np.random.default_rng(seed)
    h = rng.exponential(1, (n, 4)) ** 3
    made, turned = planted(h), planted(scale * h[rng.permutation(n)], chunk)
    assert np.all((made.by_direction >= 1 - 1e-9) & (made.by_direction <= n + 1e-9))
    np.testing.assert_allclose(turned.by_direction, made.by_direction, rtol=1e-9)
    np.testing.assert_allclose(turned.whole, made.whole, rtol=1e-9)
    np.testing.assert_allclose(np.abs(turned.shares).sum(axis=1), np.abs(made.shares).sum(axis=1), rtol=1e-9)


def test_it_tells_how_sure_a_mean_is():
    """The relative variance of the mean over samples is 1/N_eff − 1/N, up to N/(N − 1)."""
    x = np.random.default_rng(0).lognormal(0, 1.5, (400, 1))
    expected = x.var(ddof=1) / 400 / x.mean() ** 2
    made = planted(x)
    assert (1 / made.by_direction[0] - 1 / 400) * 400 / 399 == pytest.approx(expected)


def test_a_kept_analysis_says_what_to_do():
    result = run(case("relu"))
    with pytest.raises(ValueError, match="no matrix 'D'"):
        result.effective_samples("D")
    with pytest.raises(
        ValueError, match=r"keeps the effective samples of no matrix, not of C.*analyze --cross-fit --layer fc2"
    ):
        result.portable().effective_samples("C")
