"""Gradients dealt anew within their class: against the definition, in closed form, and where the answer is known."""

import dataclasses
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad

from engine import analyze
from engine.curvature import memory, null
from engine.curvature.covariances import combinations
from engine.curvature.kronecker import Kronecker, Moment
from engine.curvature.memory import Memory
from engine.curvature.moments import LayerMoments, Terms
from engine.curvature.null import Gradients, dealt, permuted
from engine.curvature.projection import in_eigenbasis
from engine.results import commutation
from engine.results.null import Against
from tests.reference import diagnostics, twins
from tests.reference.cases import case
from tests.reference.given import given

B = 3
analysis = sys.modules["engine.curvature.analyze"]  # its package names the function alike


def run(c, loss="ce", **more):
    how = {"dtype": "float64", "device": "cpu", "batch_size": B, "names": ("C",)} | more
    return analyze(c.model, c.inputs, c.targets, c.layer, loss, **how)


def rebuilt(c, loss, to):
    """C of the gradients of δ_to(p) · z(w, x_p) in w: nothing here knows at which places a layer is used."""
    module, w = c.model.get_submodule(c.layer), twins.layer_weight(c.model, c.layer).flatten()
    nothing = {} if module.bias is None else {"bias": torch.zeros_like(module.bias)}
    fed, shifted = twins.layer_inputs(c.model, c.layer, c.inputs), twins.loss_of_shift(c.model, c.layer, loss)

    def z(v, x):
        parameters = twins.layer_parameters(c.model, c.layer, v) | nothing
        return torch.cat([functional_call(module, parameters, (part,)).flatten() for part in x])

    deltas = [
        grad(shifted)(torch.zeros_like(z(w, x)), one, y) for x, one, y in zip(fed, c.inputs, c.targets, strict=True)
    ]
    g = torch.stack([grad(lambda v, p=p: (deltas[to[p]] * z(v, fed[p])).sum())(w) for p in range(len(to))])
    return twins.hessian_and_noise(g, torch.zeros(len(to), 1, 1), B)["C"].detach().numpy()


CHECKED = [("relu_bias", "ce"), ("tanh", "mse"), ("tokens", "ce"), ("conv2d_groups", "ce"), ("conv_twice", "mse"),
           ("windows", "ce")]  # fmt: skip


@pytest.mark.parametrize(("name", "loss"), CHECKED)
def test_each_permutation_is_its_definition(name, loss):
    c = case(name, n=11)
    result = run(c, loss)
    made = result.source.structural_null(5, 3)
    v = result.basis
    for row, to in enumerate(dealt(c.targets, 5, 3)):
        k = v.T @ rebuilt(c, loss, to.tolist()) @ v
        twins.compare(made.diagonals[row], np.diag(k), 1e-5, "C_ii")
        twins.compare(made.alignments[row], np.sum(np.diag(k) ** 2) / np.sum(k**2), 1e-5, "alignment")
        h = np.diag(result.eigenvalues)
        twins.compare(made.top[row, -1], diagnostics.commutator_error(h, k), 1e-5, "commutator")
        twins.compare(made.top[row, 4], diagnostics.commutator_error(h[:5, :5], k[:5, :5]), 1e-5, "of five directions")
        twins.compare(made.bulk[row, 3], diagnostics.commutator_error(h[3:, 3:], k[3:, 3:]), 1e-5, "of the rest")
        r = diagnostics.correlation(k[:4, :4])[np.triu_indices(4, 1)]
        twins.compare(made.correlations[row, 3], np.sqrt(np.mean(r**2)), 1e-5, "R")
    assert (made.classes, made.permutations) == (c.classes, 5)


@pytest.mark.parametrize("name", ["relu_bias", "conv2d"])
@pytest.mark.parametrize("top_k", [None, 3])
def test_neither_chunks_nor_what_is_kept_enter(name, top_k, monkeypatch):
    monkeypatch.setattr("engine.curvature.memory.DENSE_LIMIT", 0)
    c = case(name, n=11)
    one = run(c, top_k=top_k).source.structural_null(6, 1)
    plan = memory.plan
    monkeypatch.setattr(analysis, "plan", lambda **how: replace(plan(**how), keep=False, expand=4, along=4))
    monkeypatch.setattr(null, "TOGETHER", 2)
    other = run(c, top_k=top_k).source.structural_null(6, 1)
    for part in ("diagonals", "top"):  # where H has directions of its own
        twins.compare(getattr(other, part)[:, :6], getattr(one, part)[:, :6], 1e-5, part)


def test_inside_leading_directions_it_is_the_block_of_the_whole():
    c = case("relu_bias", n=11)
    some, whole = (run(c, top_k=k).source.structural_null(2, 0) for k in (3, None))
    twins.compare(some.diagonals, whole.diagonals[:, :3], 1e-5, "C_ii")
    twins.compare(some.top, whole.top[:, :3], 1e-5, "commutator")


def test_a_sample_gets_a_gradient_of_its_own_class_and_fewer_permutations_are_the_first_of_more():
    kinds = torch.randint(4, (60,), generator=torch.Generator().manual_seed(0))
    more = dealt(kinds, 40, 7)
    for to in more:
        assert torch.equal(to.sort().values, torch.arange(60))
        assert torch.equal(kinds[to], kinds)
    assert all(torch.equal(a, b) for a, b in zip(more, dealt(kinds, 3, 7), strict=False))
    assert not torch.equal(more[0], dealt(kinds, 1, 8)[0])
    of_first = torch.stack([to[kinds == kinds[0]][0] for to in dealt(kinds, 4000, 0)])
    counts = of_first.bincount(minlength=60)[kinds == kinds[0]].float()
    assert (counts.max() - counts.min()) < 8 * counts.mean().sqrt(), "each of the class equally often"


def test_without_labels_all_samples_are_one_class():
    g = given("real targets", n=9)
    result = analyze(g.model, g.inputs, g.targets, g.layer, g.loss, dtype="float64", device="cpu", names=("C",))
    assert result.structural_null("C", permutations=2).classes == 1


# -- planted ----------------------------------------------------------------------------------------------


def planted(delta, a, x, kappa, kinds, permutations=19, seed=0, top_k=None):
    """(measured, permuted) of h_p = κ_p x_p x_pᵀ ⊗ a_p a_pᵀ and g_p = δ_p ⊗ a_p: the numbers of Measurements."""
    n = len(a)

    def of(z):
        return Kronecker(z[:, None, None, None], right)

    right = a[:, None, None]
    g, h = of(delta), Moment(of(x), kappa[:, None])
    every = Terms({"h": h, "gg": Moment(g)})

    def terms(rows):
        assert rows == slice(0, n), "one chunk"
        return every

    moments = LayerMoments(terms, lambda _: h, n, {"g": g.sum() / n})
    size = Memory(factors=0, dense=0, projected=0, made=1, triangles=1, along=1)
    work = memory.plan(n=n, d=delta.shape[1] * a.shape[1], size=size, top_k=None, free=2**30)
    named = {name: combinations(B)[name] for name in ("H", "C")}
    d = delta.shape[1] * a.shape[1]
    evaluator = in_eigenbasis(moments, named, work, d, torch.float64)
    gradients = Gradients(delta[:, None, None, None], right.__getitem__, kinds, B, n)
    made = permuted(gradients, evaluator.eigenvalues, evaluator.basis, work, permutations, seed)
    block = evaluator.block("C", d)
    return evaluator.eigenvalues.numpy(), block, made


def p_values(h, block, made):
    """Of commutator, alignment and R; the block is all there is."""
    curves = commutation.commutator_curves(h, block)
    rms = commutation.off_diagonal(commutation.correlation(block)).rms[-1]
    return [
        Against.of(curves.top[-1], made.top[:, -1], small=True).p_value,
        Against.of(commutation.alignment(np.diag(block), np.linalg.norm(block)), made.alignments, small=False).p_value,
        Against.of(rms, made.correlations[:, -1], small=True).p_value,
    ]


def network(seed, n=60, tied=False):
    """Samples of three classes. tied: δ_p points along x_p and grows with κ_p; else it is its class's alone."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    kinds = torch.arange(n) % 3
    a, x = normal(n, 3) + 2 * normal(3, 3)[kinds], normal(n, 2)
    kappa = (1.5 * normal(n)).exp()
    free = normal(n, 2) * (0.5 + kinds[:, None]) + normal(3, 2)[kinds]
    return (kappa.sqrt()[:, None] * x if tied else free), a, x, kappa, kinds


@pytest.mark.slow
def test_without_a_tie_p_is_uniform_and_with_one_it_is_small():
    """Without a tie the measured C is one more permutation, so that p takes 1/20 … 20/20 equally often."""
    free = np.array([p_values(*planted(*network(seed), seed=seed)) for seed in range(120)])
    for name, p in zip(("commutator", "alignment", "R"), free.T, strict=True):
        distance = max(abs(np.mean(p <= level / 20 + 1e-9) - level / 20) for level in range(1, 21))
        assert distance < 1.95 / np.sqrt(120), f"{name}: Kolmogorov's distance, exceeded by 1 in 1,000"
        assert np.mean(p < 0.051) < 0.15, name
    tied = np.array([p_values(*planted(*network(seed, tied=True), seed=seed)) for seed in range(12)])
    assert np.median(tied, axis=0).max() <= 0.1
    assert np.mean(tied[:, 0] < 0.051) > 0.8, "the commutator tells it nearly always"


def test_where_the_samples_of_a_class_are_alike_nothing_changes():
    delta, a, x, kappa, kinds = network(0, n=12)
    alike = torch.arange(12) % 3
    h, block, made = planted(*(z[alike] for z in (delta, a, x, kappa)), kinds[alike])
    np.testing.assert_allclose(made.diagonals, np.tile(np.diag(block), (19, 1)), rtol=1e-6)
    assert p_values(h, block, made) == [1.0, 1.0, 1.0]


def test_what_a_permutation_keeps():
    """Both sides' moments, and tr E[g gᵀ] where all ‖a‖ of a class are equal; not where they differ."""
    delta, a, _, _, kinds = network(3)
    even = a / a.norm(dim=1, keepdim=True) * (1 + kinds[:, None])
    for activity, same in ((even, True), (a, False)):
        traces = []
        for to in [torch.arange(60), *dealt(kinds, 5, 0)]:
            g = torch.einsum("no,ni->noi", delta[to], activity)
            traces.append(float(g.square().sum()))
            twins.compare(delta[to].mT @ delta[to], delta.mT @ delta, 1e-12, "E[δ δᵀ]")
        assert np.allclose(traces, traces[0], rtol=1e-12) == same


def test_no_scale_of_gradients_or_curvature_matters():
    delta, a, x, kappa, kinds = network(1)
    one, other = planted(delta, a, x, kappa, kinds), planted(1e3 * delta, a, x, 1e-2 * kappa, kinds)
    assert p_values(*one) == p_values(*other)
    twins.compare(other[2].diagonals, 1e6 * one[2].diagonals, 1e-5, "C_ii")
    twins.compare(other[2].top, one[2].top, 1e-5, "commutator")


# -- questions --------------------------------------------------------------------------------------------


def test_the_numbers_of_a_result_stand_beside_their_permutations():
    c = case("leaky", n=30)
    result = run(c, names=("C", "E_h2"))
    made = result.structural_null("C", top_k=6, permutations=7, seed=2)
    drawn = result.source.structural_null(7, 2)
    assert made.commutator.measured == result.commutator("C", "top", 6)
    assert made.alignment.measured == result.alignment("C")
    assert made.gamma.measured == result.fit("C", 6).gamma
    slopes = [diagnostics.slope(result.eigenvalues[:6], row[:6]) for row in drawn.diagonals.astype(float)]
    twins.compare(made.gamma.permuted, np.array(slopes), 1e-9, "γ")
    at_least = np.sum(np.array(slopes) >= made.gamma.measured)
    assert made.gamma.p_value == (1 + at_least) / 8
    kept = dataclasses.replace(result.portable(), held_out=None)
    with pytest.raises(ValueError, match=r"keeps none.*analyze --cross-fit --layer fc2"):
        kept.structural_null("C")


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda r: r.structural_null("E_h2"), r"permuted in C alone, not in E_h2.*Ask for C\."),
        (lambda r: r.structural_null("C", permutations=0), "from 1, not 0"),
        (lambda r: r.structural_null("C", top_k=99), "k must lie in 1 … 16"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_possible(ask, sentence):
    with pytest.raises(ValueError, match=sentence):
        ask(run(case("relu")))


def test_what_cannot_be_permuted_is_refused():
    c = case("relu")
    lone = replace(c, inputs=c.inputs[:3], targets=torch.arange(3))
    with pytest.raises(ValueError, match=r"Every class has one sample, so there is nothing to permute"):
        run(lone).structural_null("C")
    several = analyze(c.model, c.inputs, c.targets, ("fc1", "fc2"), dtype="float64", device="cpu")
    with pytest.raises(ValueError, match="permuted layer by layer"):
        several.structural_null("C")


def test_gradients_that_do_not_fit_are_refused_with_their_size(monkeypatch):
    plan = memory.plan
    monkeypatch.setattr(analysis, "plan", lambda **how: replace(plan(**how), keep=False))
    result = run(case("conv2d_groups"))
    monkeypatch.setattr(null, "free_memory", lambda _: 1000)
    with pytest.raises(MemoryError, match=r"gradients of 9 samples at \d+ places .* Analyse fewer samples"):
        result.structural_null("C")


def test_a_p_value_counts_what_is_equal_up_to_rounding():
    assert Against.of(1.0, np.array([1.0 + 1e-8, 2.0, 3.0]), small=True).p_value == 0.5
    assert Against.of(1.0, np.array([0.5, np.nan, 3.0]), small=False).p_value == pytest.approx(2 / 3)
    assert np.isnan(Against.of(float("nan"), np.array([1.0]), small=True).p_value)
