"""C_odds, which the noise never exceeds, and C_loss: what holds of them, and where there are none."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from engine import analyze
from engine.curvature.criteria import over_places
from engine.curvature.tail import Tail
from engine.losses import cross_entropy, lookup
from engine.results.analysis import Analysis
from tests.reference import losses, twins
from tests.reference.cases import case, mlp

B = 3
# A rank-one matrix may exceed its bound by rounding alone.
ROUNDING = 1e-12


def run(c, loss="ce", **settings):
    how = {"dtype": "float64", "device": "cpu", "batch_size": B, "spectra": 0} | settings
    return analyze(c.model, c.inputs, c.targets, c.layer, loss, **how)


def whole(result, name):
    return result.basis @ result.projected(name, result.k) @ result.basis.T


# -- the bound -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["ce", "linear_mse"])
@pytest.mark.parametrize("name", ["relu_bias", "tanh", "conv2d_smooth"])
@given(seed=st.integers(0, 10_000), gain=st.floats(0.5, 8))
@settings(max_examples=4, deadline=None)
def test_no_noise_exceeds_c_odds(name, loss, seed, gain):
    c = case(name, n=7, seed=seed, gain=gain)
    g, _ = twins.per_sample(c.model, c.layer, c.inputs, c.targets, loss)
    odds = whole(run(c, loss), "C_odds") * B
    left = np.linalg.eigvalsh(odds - (g.T @ g / len(g)).numpy())
    assert left[0] > -ROUNDING * np.abs(odds).max(), "E[g gᵀ] exceeds E[odds · h]"
    assert left[-1] > 0, "and is not it"


@pytest.mark.parametrize("name", ["relu_bias", "gelu", "conv2d"])
def test_of_two_classes_c_odds_is_the_mean_square_of_the_gradient(name):
    c = case(name, n=8)
    model = nn.Sequential(c.model, nn.Linear(3, 2).double())
    c = replace(c, model=model, layer=f"0.{c.layer}", targets=torch.arange(8) % 2)
    g, _ = twins.per_sample(c.model, c.layer, c.inputs, c.targets, "ce")
    twins.compare(whole(run(c), "C_odds") * B, g.T @ g / 8, 1e-10, "E[g gᵀ]")


def test_the_whole_hessian_of_a_smooth_tail_bounds_nothing():
    """So that C_odds is made of its Gauss–Newton part."""
    c = case("tanh", gain=4)
    g, h = twins.per_sample(c.model, c.layer, c.inputs, c.targets, "ce")
    f = [c.model(x[None])[0].detach() for x in c.inputs]
    odds = [losses.sample_odds(x, y, "ce") * one for x, y, one in zip(f, c.targets, h, strict=True)]
    bound = twins.mean(odds)
    assert np.linalg.eigvalsh(bound - g.T @ g / len(g))[0] < -1e-2 * bound.abs().max()
    assert run(c).provenance.curvature == "full"


# -- closed forms --------------------------------------------------------------------------------------------


def test_of_a_network_that_knows_nothing():
    """π = 1/K for all: odds K − 1, ℓ = log K, A = (1 − 1 1ᵀ/K)/K."""
    c = case("linear", n=20)
    c.model.fc1.weight.data.zero_()
    result, k = run(c), 3
    curvature = np.kron((np.eye(k) - 1 / k) / k, (c.inputs.T @ c.inputs / 20).numpy())
    twins.compare(whole(result, "C_odds"), (k - 1) / B * curvature, 1e-12, "C_odds")
    twins.compare(whole(result, "C_loss"), np.log(k) / B * curvature, 1e-12, "C_loss")


def test_odds_of_weights_places_answers_and_shares():
    f = torch.randn(4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p, y = f[:, :3].softmax(1), torch.tensor([0, 1, 2, 1])
    own = p.gather(1, y[:, None])[:, 0]
    weight = torch.tensor([0.5, 0.0, 2.0]).double()
    twins.compare(lookup("ce").odds(f[:, :3], y), (1 - own) / own, 1e-12, "(1 − p)/p")
    twins.compare(cross_entropy(weight.tolist()).odds(f[:, :3], y), weight[y] * (1 - own) / own, 1e-12, "w (1 − p)/p")
    shares = torch.tensor([[0.2, 0.3, 0.5]], dtype=torch.float64).expand(4, 3)
    twins.compare(lookup("ce").odds(f[:, :3], shares), (shares**2 / p).sum(1) - 1, 1e-12, "χ²")
    tokens = torch.stack([y, torch.tensor([1, -100, 0, 2])], dim=1)
    each = torch.stack([lookup("ce").odds(f[:, :3], tokens[:, 0]), lookup("ce").odds(f[:, 3:], tokens[:, 1])], dim=1)
    counted = (tokens != -100).double()
    mean = (each.nan_to_num() * counted).sum(1) / counted.sum(1)
    twins.compare(over_places(lookup("ce"), (2, 3)).odds(f, tokens), mean, 1e-12, "the mean over places")
    answers = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]).double()
    chance = torch.where(answers > 0.5, f[:, :2].sigmoid(), 1 - f[:, :2].sigmoid())
    twins.compare(
        lookup("bce").odds(f[:, :2], answers), ((1 - chance) / chance).mean(1), 1e-12, "the mean over answers"
    )
    twins.compare(lookup("linear_mse").odds(f, f * 0), 2 * f.square().mean(1), 1e-12, "2 ℓ")


def test_the_mean_over_places_is_what_bounds_the_noise_of_a_sample():
    """rᵀA⁺r of all its outputs together, whose A has a block for each place."""
    f = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    labels = torch.tensor([[0, 2, 1, -100]])
    loss = over_places(lookup("ce"), (4, 3))
    r, a = loss.derivatives(f.flatten(1), labels)
    twins.compare(
        loss.odds(f.flatten(1), labels)[0], r[0] @ torch.linalg.pinv(a[0], hermitian=True) @ r[0], 1e-9, "odds"
    )


@pytest.mark.parametrize("gap", [-100.0, -60.0, -40.0, -20.0, 20.0, 40.0, 60.0, 100.0])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_certain_samples_keep_their_digits(gap, dtype):
    """Against the definition in a hundred digits, of a sample whose right class is `gap` above another, wrong or right
    with near certainty; the third is beside the lower of the two."""
    logits = [gap, 0.0, 1.0 if gap > 0 else gap + 1]
    with mpmath.workdps(100):
        p = [mpmath.exp(z) for z in logits]
        p = [z / sum(p) for z in p]
        odds = (1 - p[0]) / p[0]
        a = [[odds * p[i] * ((1 if i == j else 0) - p[j]) for j in range(3)] for i in range(3)]
        lost = [[float(-mpmath.log(p[0]) / odds * z) for z in row] for row in a]
        a = [[float(z) for z in row] for row in a]
    model = nn.Sequential(nn.Linear(1, 3, bias=False)).double()
    model[0].weight.data = torch.tensor(logits).double()[:, None]
    inputs, targets = torch.tensor([[1.0], [0.01]]), torch.tensor([0, 1])
    tail = Tail(model, "0", inputs, targets, "ce", device=torch.device("cpu"), dtype=getattr(torch, dtype))
    factors = tail.factors(slice(0, 1))
    x = factors.vectors("x").written_out()[0].double()
    near = 1e-10 if dtype == "float64" else 1e-5
    for name, expected, weight in (("odds", a, factors.by_odds), ("loss", lost, factors.by_loss)):
        if np.abs(expected).max() > 1e-30 or dtype == "float64":  # below, its square is nothing in float32
            twins.compare(x.T @ (weight[0].double()[:, None] * x), expected, near, name)
    g = factors.vectors("g").written_out()[0, 0].double().numpy()
    if dtype == "float64":
        assert np.linalg.eigvalsh(a - np.outer(g, g))[0] > -near * np.abs(a).max()


def test_odds_that_a_precision_does_not_hold_are_refused():
    """A third class that is e^70 times as likely as the right one."""
    model = nn.Sequential(nn.Linear(1, 3, bias=False)).double()
    model[0].weight.data = torch.tensor([[-90.0], [0.0], [-20.0]]).double()
    inputs, targets = torch.ones(4, 1), torch.tensor([0, 1, 1, 1])
    inputs[1:] = 0.01
    result = analyze(model, inputs, targets, "0", dtype="float32", device="cpu")
    assert "C_odds" not in result.names
    assert "C_loss" in result.names
    with pytest.raises(ValueError, match=r"certain and wrong, its trace is 5e\+30, whose square float32 does not hold"):
        result.fit("C_odds")
    sound = analyze(model, inputs, targets, "0", dtype="float64", device="cpu")
    assert sound.provenance.largest["C_odds"] > 0.999


# -- where there are none ------------------------------------------------------------------------------------


def smooth(f, y):
    return F.smooth_l1_loss(f, (torch.arange(3) == y).to(f))


SOFT = torch.rand(9, 3, generator=torch.Generator().manual_seed(0)).double().softmax(1)
ABSENT = {
    "softmax-MSE": ("mse", None, {"C_odds": "never negative in the outputs", "C_loss": "labels alone"}),
    "linear MSE": ("linear_mse", None, {"C_loss": "Of the loss linear_mse there is no C_loss"}),
    "own": (smooth, None, {"C_odds": "as is known of ce, nll, bce", "C_loss": "labels alone"}),
    "soft": ("ce", SOFT, {"C_loss": "Of the loss ce with soft labels there is no C_loss"}),
    "smoothed": (nn.CrossEntropyLoss(label_smoothing=0.1), None, {"C_loss": "smoothing=0.1.* there is no C_loss"}),
    "answers": ("bce", (SOFT > 0.3).double(), {"C_loss": "Of the loss bce there is no C_loss"}),
}


@pytest.mark.parametrize("name", ABSENT)
def test_where_they_do_not_apply_a_sentence_says_why(name):
    loss, targets, sentences = ABSENT[name]
    c = case("relu_bias")
    c = c if targets is None else replace(c, targets=targets)
    result = run(c, loss)
    assert {"C_odds", "C_loss"} - set(result.names) == set(sentences)
    for matrix, sentence in sentences.items():
        with pytest.raises(ValueError, match=sentence):
            result.diagonal(matrix)
        with pytest.raises(ValueError, match=sentence):
            run(c, loss, names=("C", matrix))


def test_of_several_layers_jointly_there_are_none():
    c = case("relu_bias")
    result = analyze(c.model, c.inputs, c.targets, ("fc1", "fc2"), dtype="float64")
    with pytest.raises(ValueError, match=r"Of several layers jointly there is no C_odds: it weighs JᵀAJ"):
        result.fit("C_odds")


def test_the_largest_share_is_that_of_the_most_confident_mistake():
    torch.manual_seed(0)
    model = mlp((5, 4, 4, 3), nn.ReLU).double()
    inputs, targets = torch.randn(40, 5).double(), torch.arange(40) % 3
    result = analyze(model, inputs, targets, "fc2", dtype="float64", batch_size=1)
    curvature = twins.gauss_newton(model, "fc2", inputs, targets, "ce")
    odds = torch.stack(
        [losses.sample_odds(model(x[None])[0].detach(), y, "ce") for x, y in zip(inputs, targets, strict=True)]
    )
    shares = odds * curvature.diagonal(dim1=1, dim2=2).sum(1)
    twins.compare(result.provenance.largest["C_odds"], shares.max() / shares.sum(), 1e-9, "the largest share")
    twins.compare(result.traces["C_odds"], shares.mean(), 1e-9, "tr C_odds")


# -- distances -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("top_k", [None, 5])
@pytest.mark.parametrize("loss", ["ce", "mse"])
def test_distances_of_all_predictors_are_those_of_the_matrices(loss, top_k):
    c = case("relu_bias", n=12)
    result = run(c, loss, top_k=top_k)
    arrays, meta = result.kept(()).to_arrays()
    kept = Analysis.from_arrays(arrays, meta)
    noise, mean = result.projected("C", result.k), result.provenance.mean_loss
    assert set(result.predictors) == {*result.names, "H", "E_loss_H"} - {"C"}
    for name in result.predictors:
        factor = {"H": 1 / B, "E_loss_H": mean / B}.get(name, 1)
        x = factor * result.projected("H" if name == "E_loss_H" else name, result.k)
        scale = np.linalg.lstsq(x.reshape(-1, 1), noise.flatten(), rcond=None)[0][0]
        size = np.linalg.norm(noise)
        twin = np.linalg.norm(noise - x) / size, np.linalg.norm(noise - scale * x) / size, scale
        for one in (result, kept):
            ours = one.distance("C", name)
            twins.compare((ours.absolute, ours.scaled, ours.scale), twin, 1e-8, name)
    with pytest.raises(ValueError, match="python -m engine analyze --again --layer fc2"):
        replace(kept, overlaps={}).distance("C", "H")
    with pytest.raises(ValueError, match="Distances are those of C, not of C_awd"):
        result.distance("C_awd", "C")
