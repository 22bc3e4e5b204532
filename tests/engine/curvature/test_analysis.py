"""Every named matrix of `analyze` against its brute-force twin, on small random networks."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from engine import analyze
from engine.curvature import memory
from engine.curvature.layers import names
from engine.device import resolve
from engine.results.analysis import Analysis
from tests.reference import twins
from tests.reference.cases import CASES, LOSSES, case, lonely, silent

B = 3
analysis = sys.modules["engine.curvature.analyze"]  # its package names the function alike


def run(c, loss, **settings):
    settings = {"dtype": "float64", "device": "cpu", "batch_size": B, "anchors_per_class": None} | settings
    return analyze(c.model, c.inputs, c.targets, c.layer, loss, **settings)


def expected(c, loss, bias=False):
    partner = twins.nearest_partner(twins.activities(c.model, c.layer, c.inputs), c.targets)
    terms = twins.sample_terms(c.model, c.layer, c.inputs, c.targets, loss, partner, bias)
    named = twins.covariances(terms, B) | twins.weighted(c.model, c.layer, c.inputs, c.targets, loss, B, bias)
    return {name: m.numpy() for name, m in named.items()}, terms


def redrawn(c, terms, basis, draws):
    """The diagonals of every matrix for literal resamples of the samples."""
    again = [twins.weighted(c.model, c.layer, c.inputs[draw], c.targets[draw], "ce", B) for draw in draws]
    weighted = {name: np.stack([np.diag(basis.T @ one[name].numpy() @ basis) for one in again]) for name in again[0]}
    return twins.bootstrap_diagonals(terms, basis, B, draws) | weighted


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


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", CASES)
def test_every_matrix_equals_its_twin(name, loss):
    c = case(name)
    matrices, terms = expected(c, loss)
    last = names(c.model)[-1] == c.layer
    skip = ("C_hh_sd_wd",) if loss == "linear_mse" and last else ()  # every κ of a sample is the same number
    result = run(c, loss)
    same_matrices(result, matrices, skip)
    if not skip:
        twins.compare(result.provenance.sigma_w2, twins.sigma_w2(terms), 1e-9, "σ_w²")
    assert result.provenance.curvature == ("gauss-newton" if c.piecewise else "full")


@pytest.mark.parametrize("name", ["relu_bias", "gelu", "conv_after", "relu_last"])
def test_the_bias_can_be_included(name):
    c = case(name)
    matrices, _ = expected(c, "ce", bias=True)
    result = run(c, "ce", bias=True)
    same_matrices(result, matrices)
    assert result.provenance.d_in == c.model.get_submodule(c.layer).in_features + 1


@pytest.mark.parametrize("name", ["relu_bias", "conv2d", "tokens_smooth"])
@pytest.mark.parametrize("top_k", [None, 3])
def test_factors_made_anew_give_what_kept_ones_give(name, top_k, monkeypatch):
    monkeypatch.setattr("engine.curvature.memory.DENSE_LIMIT", 0)
    c = case(name)
    kept = run(c, "ce", spectra=5, top_k=top_k)
    plan = memory.plan
    monkeypatch.setattr(analysis, "plan", lambda **how: replace(plan(**how), keep=False, expand=4, along=4))
    anew = run(c, "ce", spectra=5, top_k=top_k)
    twins.compare(anew.eigenvalues, kept.eigenvalues, 1e-10, "H_ii")
    told_apart = np.abs(kept.eigenvalues) > 1e-6 * kept.eigenvalues[0]
    for matrix in kept.names:
        twins.compare(anew.diagonal(matrix)[told_apart], kept.diagonal(matrix)[told_apart], 1e-8, matrix)
        twins.compare(anew.frobenius(matrix), kept.frobenius(matrix), 1e-9, matrix)
    second = [result.sample_spectra().second[:, told_apart] for result in (anew, kept)]
    twins.compare(*second, 1e-8, "spectra")


def test_what_has_to_be_known_of_the_numbers_is_told():
    assert run(case("relu"), "ce").provenance.notes == ()
    assert run(case("conv_one_place"), "ce").provenance.notes == ()
    (note,) = run(case("tanh"), "ce", curvature="gauss-newton").provenance.notes
    assert "Gauss–Newton matrix here, not the Hessian" in note
    crowded = run(case("tokens_many"), "ce")
    (note,) = crowded.provenance.notes
    assert "used at 5 places" in note
    assert f"misses {crowded.provenance.fit[0]:.0%} of the change" in note


def test_a_smooth_tail_of_many_outputs_is_gauss_newton_by_name(monkeypatch):
    c = case("tokens_smooth")
    exact = run(c, "ce")
    monkeypatch.setattr("engine.curvature.tail.FULL_LIMIT", 5)
    named, forced = run(c, "ce"), run(c, "ce", curvature="gauss-newton")
    assert (exact.provenance.curvature, exact.provenance.exact) == ("full", True)
    assert (named.provenance.curvature, named.provenance.exact) == ("gauss-newton", False)
    twins.compare(named.eigenvalues, forced.eigenvalues, 1e-12, "H_ii")
    assert abs(named.eigenvalues[0] - exact.eigenvalues[0]) > 1e-3 * exact.eigenvalues[0]


def test_the_matrices_wanted_are_those_computed():
    c = case("relu_bias")
    whole = run(c, "ce")
    for chosen in (("C",), ("C", "E_h2"), ("C_hh_sd_wd_li",), ()):
        some = run(c, "ce", names=chosen)
        assert set(some.names) == set(chosen)
        twins.compare(some.eigenvalues, whole.eigenvalues, 1e-10, "H_ii")
        for name in chosen:
            twins.compare(some.diagonal(name), whole.diagonal(name), 1e-9, name)
    assert run(c, "ce", names=("C",)).provenance.unpaired == len(c.inputs)
    with pytest.raises(ValueError, match="no matrix 'D'; there are C, C_awd"):
        run(c, "ce", names=("C", "D"))
    with pytest.raises(ValueError, match="No sample has a partner, so there is no C_hh"):
        run(alone(c), "ce", names=("C_hh",))


def alone(c):
    """Three samples, each the only one of its class."""
    return replace(c, inputs=c.inputs[:3], targets=torch.arange(3))


@pytest.mark.parametrize("c", [lonely(), silent()], ids=["no partner", "no activity"])
def test_samples_left_out_of_duality_stay_in_h_and_c(c):
    matrices, _ = expected(c, "ce")
    result = run(c, "ce")
    same_matrices(result, matrices)
    assert result.provenance.unpaired >= 1


@pytest.mark.parametrize("top_k", [1, 4, 9])
def test_the_projected_ways_equal_the_dense_one(top_k, monkeypatch):
    c, stages = case("relu_bias", n=12), []

    def results():
        return run(c, "ce", top_k=top_k, progress=lambda stage, *_: stages.append(stage))

    whole, dense = run(c, "ce"), results()
    monkeypatch.setattr("engine.curvature.memory.DENSE_LIMIT", 0)
    by_products = results()
    monkeypatch.setattr("engine.curvature.memory.GRAM_LIMIT", 10_000)
    by_rows = results()
    assert dense.provenance.dimension == 16
    assert [stage for stage in dict.fromkeys(stages) if stage.startswith(("directions", "leading"))] == [
        "directions from a dense matrix",
        "leading directions by Lanczos, 2 vectors at a time",
        "leading directions from the Gram matrix of 36 rows",
    ], "said before the work"
    for result in (dense, by_products, by_rows):
        assert result.k == top_k
        assert result.k < result.provenance.dimension
        assert result.residuals.shape == (top_k,)
        assert result.residuals.max() < 1e-8
        twins.compare(result.eigenvalues, whole.eigenvalues[:top_k], 1e-8, "H_ii")
        for name in whole.names:
            block = whole.projected(name, top_k)
            twins.compare(np.abs(result.projected(name, top_k)), np.abs(block), 1e-6, name)
            twins.compare(result.frobenius(name), np.linalg.norm(block), 1e-6, f"norm of {name}")
        spectrum = np.linalg.eigvalsh(whole.projected("C", top_k))[::-1]
        twins.compare(result.whole("C").spectrum, spectrum, 1e-6, "spectrum of C in the span")


def test_a_layer_too_wide_for_a_dense_matrix_in_float32():
    """LeNet's second fully connected layer: what the products' rounding once kept from converging."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
    inputs, targets = torch.rand(1000, 120), torch.arange(1000) % 10
    result = analyze(model, inputs, targets, "0", top_k=20, device="cpu", spectra=0)
    arrays, meta = result.to_arrays()
    assert Analysis.from_arrays(arrays, meta).residuals.max() == result.residuals.max() < 2e-5
    del arrays["residuals"]
    assert Analysis.from_arrays(arrays, meta).residuals is None, "as kept before there were any"


def test_samples_in_any_order_and_chunk_give_the_same_numbers(monkeypatch):
    c = case("tanh", n=13)
    one = run(c, "mse", spectra=13)
    order = torch.randperm(13, generator=torch.Generator().manual_seed(1))
    shuffled = analyze(
        c.model, c.inputs[order], c.targets[order], c.layer, "mse",
        dtype="float64", device="cpu", batch_size=B, anchors_per_class=None, spectra=13,
    )  # fmt: skip
    monkeypatch.setattr("engine.curvature.memory.CHUNK_BYTES", 5000)
    ragged = run(c, "mse", spectra=13)
    for other in (shuffled, ragged):
        twins.compare(other.eigenvalues, one.eigenvalues, 1e-10, "H_ii")
        for name in one.names:
            twins.compare(other.diagonal(name), one.diagonal(name), 1e-9, name)
        twins.compare(other.sample_spectra().second, one.sample_spectra().second, 1e-9, "spectra")


def test_the_names_of_classes_do_not_matter():
    """Relabelled classes with the output rows permuted alike: the same network under another name."""
    c = case("relu_bias", n=14)
    one = run(c, "ce", anchors_per_class=2)
    order = torch.tensor([2, 0, 1])
    renamed = case("relu_bias", n=14)
    last = renamed.model[-1]
    with torch.no_grad():
        last.weight[order] = c.model[-1].weight.clone()
        last.bias[order] = c.model[-1].bias.clone()
    other = analyze(
        renamed.model, c.inputs, order[c.targets], c.layer, "ce",
        dtype="float64", device="cpu", batch_size=B, anchors_per_class=2,
    )  # fmt: skip
    known = one.eigenvalues > 1e-9  # inside a null space of H the basis is arbitrary
    twins.compare(other.eigenvalues, one.eigenvalues, 1e-10, "H_ii")
    for name in one.names:
        twins.compare(other.diagonal(name)[known], one.diagonal(name)[known], 1e-9, name)
        twins.compare(other.frobenius(name), one.frobenius(name), 1e-10, f"norm of {name}")


def test_closed_form_of_a_linear_layer():
    """linear_mse on a single linear layer: H = (2/K) I ⊗ E[a aᵀ], whatever the labels."""
    c = case("linear", n=20)
    result = run(c, "linear_mse")
    h = torch.kron(torch.eye(3, dtype=torch.float64) * 2 / 3, c.inputs.T @ c.inputs / 20)
    twins.compare(result.eigenvalues, torch.linalg.eigvalsh(h).flip(0), 1e-12, "H_ii")


def test_parts_add_up():
    result = run(case("gelu"), "ce")
    total = sum(result.projected(name, result.k) for name in ("C_hh", "C_hg", "C_gg"))
    twins.compare(result.projected("C_awd", result.k), total, 1e-12, "C_hh + C_hg + C_gg")


def test_one_sample_and_no_gradient():
    c = case("relu", n=1)
    alone = run(c, "ce")
    assert {"H", *alone.names} == set(expected(c, "ce")[0])
    assert "C_awd" not in alone.names, "nothing to pair"
    assert np.abs(alone.diagonal("C")).max() < 1e-15
    perfect = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False)).double()
    perfect[0].weight.data = torch.eye(3, dtype=torch.float64)
    inputs = torch.eye(3, dtype=torch.float64).repeat(3, 1)
    flat = analyze(perfect, inputs, torch.arange(9) % 3, "0", "linear_mse", dtype="float64", bootstrap=5)
    assert np.all(flat.diagonal("C") == 0)
    assert np.isnan(flat.correlation("C", 3)).all()
    assert np.isnan(flat.commutator("C"))
    with pytest.raises(ValueError, match="at least 3 directions"):
        flat.fit("C")


def test_spectra_are_those_of_the_per_sample_hessians():
    c = case("tanh", n=8)
    result = run(c, "mse", spectra=100)
    _, h = twins.per_sample(c.model, c.layer, c.inputs, c.targets, "mse")
    expected_kappa = torch.stack([x[x.abs().argsort(descending=True)][:4] for x in torch.linalg.eigvalsh(h)])
    ours = result.sample_spectra().kappa[np.argsort(result.sample_spectra().kappa[:, 0])]
    twins.compare(ours, expected_kappa[expected_kappa[:, 0].argsort()], 1e-9, "κ")
    plain = result.suppress(keep=None)
    twins.compare(plain.hessian_diagonal, result.eigenvalues, 1e-6, "E[Σ κ α] = H_ii")
    twins.compare(plain.noise_diagonal, result.diagonal("E_h2"), 1e-6, "E[Σ κ² α] = E[h²]_ii")
    lone = result.suppress(keep=1, tail=0.0, damp=0.0, homogenise=True)
    kappa = abs(result.sample_spectra().kappa[:, 0])
    assert lone.stiff == np.mean(kappa >= 1e-3 * kappa.max())
    ratio = lone.noise_diagonal / lone.hessian_diagonal
    twins.compare(ratio, np.full_like(ratio, ratio[0]), 1e-6, "one curvature left: γ = 1")


def test_bootstrap_replicates_are_literal_resamples():
    c = lonely("gelu", n=9)
    result = run(c, "ce", bootstrap=6, seed=4)
    _, terms = expected(c, "ce")
    draws = torch.randint(9, (6, 9), generator=torch.Generator().manual_seed(4)).tolist()
    literal = redrawn(c, terms, result.basis, draws)
    # σ_w² is a common factor of C_hh_sd_wd_li, left at its value on the whole sample: no slope depends on it.
    factor = literal["C_hh_sd_wd_li"].sum(axis=1, keepdims=True) / result.replicates["C_hh_sd_wd_li"].sum(
        1, keepdims=True
    )
    for name in ("H", *result.names):
        ours = result.replicates[name] * (factor if name == "C_hh_sd_wd_li" else 1)
        twins.compare(ours, literal[name], 1e-5, name)
    fit = result.fit("E_h2")
    assert fit.interval is not None
    assert fit.interval[0] < fit.interval[1]


def test_work_that_cannot_fit_is_refused_before_it_starts(monkeypatch):
    c = case("relu")
    monkeypatch.setattr("engine.curvature.analyze.free_memory", lambda _: 10_000)
    with pytest.raises(MemoryError, match=r"16 weights and 9 samples needs about .* are free\. Set top_k"):
        run(c, "ce")
    monkeypatch.setattr("engine.curvature.analyze.free_memory", lambda _: 1_000)
    with pytest.raises(MemoryError, match=r"4 directions .* Reduce top_k"):
        run(c, "ce", top_k=4)


def test_progress_is_told_and_may_stop_the_work():
    stages = []

    def stop(stage, done, total):
        stages.append(stage)
        assert 0 <= done <= total
        if stage == "eigenvectors":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(case("relu"), "ce", progress=stop)
    assert stages[:2] == ["directions from a dense matrix", "pairs"]
    assert {"factors", "pairs", "moments", "eigenvectors"} == set(stages[1:])


def test_the_same_seed_gives_the_same_anchors():
    c = case("relu", n=30)
    a, b, other = (run(c, "ce", anchors_per_class=1, seed=s).diagonal("C_awd") for s in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.allclose(a, other)
    assert resolve("auto").type in ("cpu", "cuda")


def test_quadratic_forms_of_matrices_large_enough_to_be_cut(monkeypatch):
    whole = run(case("relu_bias"), "ce")
    monkeypatch.setattr("engine.curvature.projection.LEAF", 3)
    cut = run(case("relu_bias"), "ce")
    for name in whole.names:
        twins.compare(cut.diagonal(name), whole.diagonal(name), 1e-12, name)
