"""Directions of one half, read on the other: against per-sample matrices, closed forms, and a law that is planted."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from engine import analyze
from engine.curvature import memory
from tests.reference import twins
from tests.reference.cases import case

B, N = 3, 24
analysis = sys.modules["engine.curvature.analyze"]  # its package names the function alike


def order(n=N, seed=0):
    """How the first split deals the samples: the first half of these gives directions, then the second."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def run(c, inputs=None, targets=None, **settings):
    settings = {"dtype": "float64", "device": "cpu", "batch_size": B} | settings
    x, y = (c.inputs, c.targets) if inputs is None else (inputs, targets)
    return analyze(c.model, x, y, c.layer, "ce", **settings)


def matrices(g, h):
    """H, C about its own mean, and E[h²] of some samples."""
    centred = g - g.mean(0)
    return {"H": h.mean(0), "C": centred.T @ centred / len(g) / B, "E_h2": (h @ h).mean(0)}


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("top_k", [None, 3])
@pytest.mark.parametrize("name", ["leaky", "tokens_smooth", "conv2d_groups"])
def test_both_halves_equal_their_twins(name, top_k, kept, monkeypatch):
    """Factors kept or made anew, dense or leading directions, one place or several."""
    c = case(name, N)
    g, h = (x.numpy() for x in twins.per_sample(c.model, c.layer, c.inputs, c.targets, "ce"))
    monkeypatch.setattr("engine.curvature.memory.DENSE_LIMIT", 0)
    plan = memory.plan
    monkeypatch.setattr(analysis, "plan", lambda **how: replace(plan(**how), keep=kept, expand=5, along=5))
    there = run(c, top_k=top_k).source.held_out(1, 0)
    assert [split.own.samples for split in there.growing] == [3, 6]
    parts = order().split(N // 2)
    pairs = [(parts, there.halves[0]), (parts[::-1], there.halves[1])]
    pairs += [((order()[:n], order()[n : 2 * n]), split) for n, split in zip((3, 6), there.growing, strict=True)]
    for (own, other), split in pairs:
        values, v = (x[..., ::-1] for x in np.linalg.eigh(h[own].mean(0)))
        alone = values[: top_k or len(values)] > 1e-4 * values[0]  # where an eigenvector is told from its neighbours
        for index, reading in ((own, split.own), (other, split.crossed)):
            assert reading.samples == len(index)
            for matrix, m in matrices(g[index], h[index]).items():
                direct = np.diag(v.T @ m @ v)[: len(alone)]
                scale = 1e-5 * np.abs(direct).max()
                np.testing.assert_allclose(reading.diagonals[matrix][alone], direct[alone], 1e-5, scale, err_msg=matrix)
            traces = {
                "H": np.trace(h[index], axis1=1, axis2=2),
                "E_h2": np.trace(h[index] @ h[index], axis1=1, axis2=2),
            }
            for matrix, x in traces.items():
                twins.compare(reading.effective[matrix], x.sum() ** 2 / (x**2).sum(), 1e-9, f"N_eff of {matrix}")


def test_the_jackknife_leaves_out_samples_that_were_read():
    """Of as many groups as samples: each reading without one sample, in the basis that stays."""
    c = case("leaky", N)
    g, h = (x.numpy() for x in twins.per_sample(c.model, c.layer, c.inputs, c.targets, "ce"))
    there = run(c).source.held_out(2, 0)
    own, other = order().split(N // 2)
    v = np.linalg.eigh(h[own].mean(0))[1][:, ::-1]
    drawn = there.halves[0].crossed.jackknife
    expected = []
    for left in range(len(other)):
        rest = np.delete(other.numpy(), left)
        expected.append(np.diag(v.T @ matrices(g[rest], h[rest])["C"] @ v)[0])
    twins.compare(np.sort(drawn.diagonals["C"][:, 0]), np.sort(expected), 1e-5, "C_11 without a sample")
    assert [split.crossed.jackknife is None for split in there.halves] == [False, False, True, True]


def test_halves_of_the_same_samples_are_the_whole():
    c, first = case("leaky", N), order().argsort() % (N // 2)
    fit = run(c, c.inputs[first], c.targets[first]).cross_fit("C", splits=1)
    assert fit.half.gamma == pytest.approx(fit.whole.gamma, rel=1e-5)
    assert fit.crossed.gamma == pytest.approx(fit.whole.gamma, rel=1e-5)


def test_only_which_half_a_sample_is_in_matters():
    c, turned = case("tokens_smooth", N), torch.arange(N)
    for half in order().split(N // 2):
        turned[half] = half.flip(0)
    one, other = (run(c, c.inputs[i], c.targets[i]).cross_fit("C", splits=1) for i in (torch.arange(N), turned))
    assert other.crossed.gamma == pytest.approx(one.crossed.gamma, rel=1e-6)
    assert other.half.gamma == pytest.approx(one.half.gamma, rel=1e-6)
    mixed = run(c, c.inputs.flip(0), c.targets.flip(0)).cross_fit("C", splits=1)
    assert mixed.crossed.gamma != pytest.approx(one.crossed.gamma, rel=1e-3)


def test_fewer_splits_are_the_first_of_more():
    c = case("leaky", N)
    result = run(c)
    three, one = result.cross_fit("C", splits=3), result.cross_fit("C", splits=1)
    assert three.crossed.fits[:2] == one.crossed.fits
    assert len(three.crossed.fits) == 6
    assert three.crossed.spread > 0
    assert result.cross_fit("C", splits=1, seed=1).crossed.gamma != one.crossed.gamma


def proportional(n, spread, seed=0, d=40):
    """A layer whose C is proportional to H in the population: h_p = κ aaᵀ and g_p = ±κ a with κ independent of a, so
    that H = E[κ] E[aaᵀ] and B·C = E[κ²] E[aaᵀ]. spread: deviation of log κ; the larger, the fewer samples carry it."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n, d)) * 10 ** np.linspace(0, -1, d)
    kappa = np.exp(spread * rng.standard_normal(n))
    model = nn.Sequential(nn.Linear(d, 1, bias=False))
    nn.init.zeros_(model[0].weight)
    targets = torch.from_numpy(np.stack([kappa, kappa * rng.choice([-1, 1], n)], axis=1))

    def loss(f, y):
        return y[0] * f[0] ** 2 / 2 + y[1] * f[0]

    return analyze(
        model.double(), torch.from_numpy(a), targets, "0", loss, batch_size=B, dtype="float64", device="cpu",
        names=("C", "E_h2"),
    )  # fmt: skip


def test_a_true_proportionality_of_few_samples_looks_superlinear_in_sample_alone():
    """theory.md 7.3: the winner's curse lifts γ on the samples that gave the directions, and only there."""
    few = proportional(4000, 2.0).cross_fit("C", splits=3)
    assert few.whole.gamma > 1.2
    assert few.half.gamma > few.whole.gamma, "half the samples, more of it"
    assert few.crossed.gamma == pytest.approx(1, abs=0.1)
    in_sample = [own.gamma for own, _ in few.growing]
    assert in_sample == sorted(in_sample, reverse=True), "it falls as samples are added"
    many = proportional(4000, 0.2).cross_fit("C", splits=3)
    assert many.whole.gamma == pytest.approx(1, abs=0.05)
    assert many.crossed.gamma == pytest.approx(1, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("spread", "low", "high"), [(0.3, 0.8, 1.0), (1.5, 0.2, 0.75)])
def test_the_interval_of_the_crossed_slope_holds_the_true_one(spread, low, high):
    """Of 40 draws whose C is proportional to H, with hundreds of effective samples in a half and with a hundred; the
    in-sample interval, which knows nothing of the winner's curse, fails where few samples carry H."""
    draws = [proportional(2000, spread, seed, d=20).cross_fit("C", splits=3) for seed in range(40)]
    crossed, whole = (
        np.mean([below <= 1 <= above for below, above in (part(fit).interval for fit in draws)])
        for part in (lambda fit: fit.crossed, lambda fit: fit.whole)
    )
    assert crossed >= 0.85
    assert low <= whole <= high


def test_at_initialisation_there_is_no_winners_curse():
    """Every sample has its share: on other samples the slope is the same."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 5))
    x, y = torch.randn(4000, 20), torch.arange(4000) % 5
    fit = analyze(model, x, y, "2", names=("C",)).cross_fit("C", top_k=30)
    assert fit.crossed.gamma == pytest.approx(fit.whole.gamma, abs=0.03)
    assert fit.half.gamma == pytest.approx(fit.whole.gamma, abs=0.03)


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="at least 16"):
        run(case("relu", 9)).cross_fit("C")


def test_several_layers_are_refused():
    c = case("relu", N)
    jointly = analyze(c.model, c.inputs, c.targets, "fc1+fc2", "ce", dtype="float64", device="cpu")
    with pytest.raises(ValueError, match="layer by layer, not of several layers jointly"):
        jointly.cross_fit("C")
