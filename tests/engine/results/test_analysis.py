"""An Analysis against questions put to the explicit matrices it stands for."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.results import power_law, suppression
from tests.engine.results.conftest import D, analysis, matrices, provenance, seeds
from tests.reference import diagnostics
from tests.reference.twins import compare

quick = settings(max_examples=15, deadline=None)

# -- questions --------------------------------------------------------------------------------------------


@quick
@given(seed=seeds, k=st.integers(1, D))
def test_every_question_is_answered_as_by_the_matrices_themselves(seed, k):
    named = matrices(seed)
    result = analysis(named)
    h, (values, v) = named["H"], diagnostics.eigenbasis(named["H"])
    compare(result.diagonal("H"), values, 1e-12, "H_ii")
    for name in result.names:
        m = named[name]
        block = v.T @ m @ v
        compare(result.diagonal(name), [v[:, i] @ m @ v[:, i] for i in range(D)], 1e-12, f"diagonal of {name}")
        compare(result.projected(name, k), block[:k, :k], 1e-12, f"K of {name}")
        compare(result.correlation(name, k), diagnostics.correlation(block[:k, :k]), 1e-10, f"R of {name}")
        compare(result.commutator(name), diagnostics.commutator_error(h, m), 1e-9, f"commutator of {name}")
        compare(
            result.commutator(name, "top", k),
            diagnostics.commutator_error(np.diag(values[:k]), block[:k, :k]),
            1e-9,
            f"commutator of the top of {name}",
        )
        compare(
            result.commutator(name, "bulk", k - 1),
            diagnostics.commutator_error(np.diag(values[k - 1 :]), block[k - 1 :, k - 1 :]),
            1e-9,
            f"commutator of the bulk of {name}",
        )
        compare(result.frobenius(name), np.linalg.norm(m), 1e-12, f"norm of {name}")
        compare(
            result.alignment(name),
            sum((v[:, i] @ m @ v[:, i]) ** 2 for i in range(D)) / np.sum(m**2),
            1e-12,
            f"alignment of {name}",
        )
        x = diagnostics.haar(D, seed, k)
        rotated = x.T @ np.diag(np.linalg.eigvalsh(m)[::-1]) @ x
        compare(result.random_correlation(name, k, seed), diagnostics.correlation(rotated), 1e-7, f"R_rand of {name}")
        compare(result.whole(name).spectrum, np.linalg.eigvalsh(m)[::-1], 1e-10, f"spectrum of {name}")


@quick
@given(seed=seeds, top_k=st.one_of(st.none(), st.integers(4, D)), first=st.integers(0, 1))
def test_fits_are_those_of_the_window_above_the_noise_floor(seed, top_k, first):
    result = analysis(matrices(seed))
    result = dataclasses.replace(result, noise_floor=float(result.eigenvalues[-3]))
    x, y = result.eigenvalues[: min(top_k or D, D - 3)], result.diagonal("C")[: min(top_k or D, D - 3)]
    fit = result.fit("C", top_k, first)
    compare(fit.gamma, diagnostics.slope(x[first:], y[first:]), 1e-9, "γ")
    assert fit.n == len(x) - first
    assert fit.discarded == (top_k or D) - len(x)
    assert fit.interval is None
    assert result.theil_sen("C", top_k)[0] == power_law.theil_sen(x, y).gamma
    assert np.isnan(result.theil_sen("C", top_k)[1:]).all(), "no interval without samples"
    gap = np.argsort(np.argsort(x)) - np.argsort(np.argsort(y))
    compare(result.spearman("C", top_k), 1 - 6 * np.sum(gap**2) / (len(x) * (len(x) ** 2 - 1)), 1e-12, "ranks")
    above = diagnostics.slope(result.eigenvalues[: D - 3], result.diagonal("C")[: D - 3])
    compare(result.gamma_by_window("C")[-3:], [above] * 3, 1e-9, "γ by window, below the noise floor")
    compare(result.gamma_by_window("C")[len(x) - 1], diagnostics.slope(x, y), 1e-9, "γ by window")


@pytest.mark.parametrize("k", [D, 5])
def test_random_baselines_are_means_over_rotations_of_what_is_kept(k):
    """With the leading k directions alone, traces and norms are those of the span: so is the rotation."""
    result = analysis(k=k)
    values, block = result.eigenvalues, result.projected("C", k)
    draws = 4000
    errors, norms, aligned = (np.empty(draws) for _ in range(3))
    for s in range(draws):
        q = diagnostics.haar(k, s, k)
        x = q @ block @ q.T
        product = values[:, None] * x
        errors[s], norms[s] = np.sum((product - product.T) ** 2), np.sum(product**2)
        aligned[s] = np.sum(np.diag(x) ** 2) / np.sum(block**2)
    ratio = errors.mean() / norms.mean()
    spread = np.std(errors - ratio * norms) / norms.mean() / np.sqrt(draws)
    assert abs(ratio - result.random_commutator("C") ** 2) < 4 * spread
    assert abs(aligned.mean() - result.random_alignment("C")) < 4 * aligned.std() / np.sqrt(draws)


def test_effective_curvature_is_a_ratio_above_the_noise_floor():
    result = analysis(noise_floor=1e-3)
    kappa = result.effective_curvature()
    above = result.eigenvalues > 1e-3
    assert 0 < above.sum() < D
    compare(kappa[above], (result.diagonals["E_h2"] / result.eigenvalues)[above], 1e-12, "κ_eff")
    assert np.isnan(kappa[~above]).all()
    window = dataclasses.replace(result, noise_floor=0.0)
    slope = diagnostics.slope(window.eigenvalues, window.effective_curvature())
    compare(window.fit("E_h2").gamma - 1, slope, 1e-9, "slope of κ_eff")


def test_spearman_of_less_than_two_directions_is_undefined():
    assert np.isnan(analysis().spearman("C", top_k=1))
    assert np.isnan(analysis(noise_floor=10.0).spearman("C"))


def test_suppression_is_that_of_the_stored_spectra():
    result = analysis()
    chosen = dict(keep=1, tail=0.5, stiff_ratio=0.6, damp=0.25, homogenise=True)
    ours, expected = result.suppress(**chosen), suppression.suppress(result.spectra, **chosen)
    for field in dataclasses.fields(expected):
        compare(getattr(ours, field.name), getattr(expected, field.name), 0.0, field.name)
    plain = result.suppress()
    assert np.abs(plain.hessian_diagonal - ours.hessian_diagonal).max() > 1e-3


def test_names_are_ordered_and_described():
    result = analysis()
    assert result.names == ("C", "C_awd", "E_h2")
    assert (result.k, analysis(k=5).k) == (D, 5)
    assert provenance().dimension == D


def test_an_analysis_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        analysis().noise_floor = 1.0


# -- the bootstrap ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["C", "C_awd", "E_h2"])
@pytest.mark.parametrize(("first", "last"), [(0, 6), (1, 5)])
def test_the_interval_is_that_of_slopes_of_literal_resamples(bootstrapped, name, first, last):
    slopes = [
        diagnostics.slope(h[first:last], c[first:last])
        for h, c in zip(bootstrapped.replicates["H"], bootstrapped.replicates[name], strict=True)
    ]
    fit = bootstrapped.fit(name, last, first)
    compare(fit.interval, np.percentile(slopes, [2.5, 97.5]), 1e-9, f"interval of {name}")
    assert fit.interval[0] < fit.interval[1]


def test_a_direction_enters_the_interval_as_it_enters_the_fit(bootstrapped):
    result = bootstrapped
    replicates = {name: r[:, :6].copy() for name, r in result.replicates.items()}

    def interval(columns):
        slopes = [
            diagnostics.slope(h[columns], c[columns]) for h, c in zip(replicates["H"], replicates["C"], strict=True)
        ]
        return np.percentile(slopes, [2.5, 97.5])

    floor = float(result.eigenvalues[4])
    cut = dataclasses.replace(result, replicates=replicates, noise_floor=floor)
    compare(cut.fit("C", 6).interval, interval([0, 1, 2, 3]), 1e-9, "above the noise floor")
    replicates["C"][3, 2] = 0.0
    compare(
        dataclasses.replace(result, replicates=replicates).fit("C", 6).interval,
        interval([0, 1, 3, 4, 5]),
        1e-9,
        "without a direction that loses its variance in a resample",
    )
    replicates["C"][3, :4] = 0.0
    assert dataclasses.replace(result, replicates=replicates).fit("C", 6).interval is None


def test_there_is_no_interval_without_replicates_of_the_window(bootstrapped):
    result = bootstrapped
    short = {name: r[:, :5] for name, r in result.replicates.items()}
    result = dataclasses.replace(result, replicates=short)
    assert result.fit("C", 5).interval is not None
    assert result.fit("C", 6).interval is None
    without = dataclasses.replace(result, replicates={"H": short["H"]})
    assert without.fit("C", 5).interval is None


# -- errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda r: r.diagonal("Fisher"), r"There is no matrix 'Fisher'; there are C, C_awd, E_h2\."),
        (lambda r: r.diagonal("C_hh"), "There is no matrix 'C_hh'"),
        (lambda r: r.projected("Fisher", 3), "There is no matrix"),
        (lambda r: r.fit("Fisher"), "There is no matrix"),
        (lambda r: r.frobenius("Fisher"), "There is no matrix"),
        (lambda r: r.alignment("Fisher"), "There is no matrix"),
        (lambda r: r.random_commutator("Fisher"), "There is no matrix"),
        (lambda r: r.random_alignment("Fisher"), "There is no matrix"),
        (lambda r: r.commutator("Fisher"), "There is no matrix"),
        (lambda r: r.random_correlation("Fisher", 2), "There is no matrix"),
        (lambda r: r.projected("C", 0), r"k must lie in 1 … 12, the directions of this analysis; not 0\."),
        (lambda r: r.correlation("C", 13), r"k must lie in 1 … 12, .* not 13\."),
        (lambda r: r.random_correlation("C", 13), "k must lie in 1 … 12"),
        (lambda r: r.commutator("C", "top", 13), "k must lie in 1 … 12"),
        (lambda r: r.commutator("C", "bulk", 12), r"The bulk starts at a direction 0 … 11, not 12\."),
        (lambda r: r.commutator("C", "bulk", -1), "not -1"),
        (lambda r: r.commutator("C", "top"), r"The top block needs k, the number of leading directions\."),
        (lambda r: r.commutator("C", "middle", 3), "part is 'whole', 'top' or 'bulk', not 'middle'"),
        (lambda r: r.fit("C", 0), "top_k must be at least 1, not 0"),
        (lambda r: r.spearman("C", -3), "top_k must be at least 1, not -3"),
        (lambda r: r.fit("C", first=-3), "first must be at least 0, not -3"),
        (lambda r: r.fit("C", 5, first=5), "has 0 of 0"),
        (lambda r: r.fit("C", 2), "A slope needs at least 3 directions"),
        (lambda r: r.suppress(keep=0), "keep must be a whole number"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_possible(ask, sentence):
    with pytest.raises(ValueError, match=sentence):
        ask(analysis())
