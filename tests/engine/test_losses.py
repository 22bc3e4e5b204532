"""Every loss against its brute-force twin, in NumPy and in torch; and that a loss is told in one place alone."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from engine import analyze
from engine.curvature.criteria import criterion
from engine.curvature.verify import verify
from engine.losses import LOSSES, lookup
from engine.samples.collect import chain_after, look
from engine.sweeps import grid
from engine.training import sgd
from pages.text import run_names
from tests.reference import losses, twins
from tests.reference.cases import case
from tests.small import BRIEF, dataset, run

KINDS = {"numpy": np.asarray, "torch": torch.from_numpy}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LOSSES)
@given(seed=st.integers(0, 10_000), classes=st.integers(1, 6), scale=st.floats(0.1, 3))
def test_values_derivatives_and_likelihoods_equal_their_twins(name, kind, seed, classes, scale):
    rng, loss = np.random.default_rng(seed), LOSSES[name]
    f, y = rng.normal(size=(4, classes)) * scale, rng.integers(classes, size=4)
    jacobian = rng.normal(size=(4, classes, 3))
    ours = KINDS[kind](f), KINDS[kind](y)
    value, (gradient, hessian) = loss.value(*ours), loss.derivatives(*ours)
    rows, weights = loss.likelihood(ours[0], KINDS[kind](jacobian))
    logits, targets = torch.from_numpy(f), torch.from_numpy(y)
    for p in range(4):

        def twin(f, y=targets[p]):
            return losses.sample_loss(f, y, name)

        def outputs(w, p=p):
            return logits[p] + torch.from_numpy(jacobian[p]) @ w

        twins.compare(value[p], twin(logits[p]), 1e-9, "value")
        twins.compare(gradient[p], torch.func.grad(twin)(logits[p]), 1e-8, "gradient")
        twins.compare(hessian[p], torch.func.hessian(twin)(logits[p]), 1e-8, "Hessian")
        fisher = np.einsum("m,mi,mj->ij", np.asarray(weights[p]), np.asarray(rows[p]), np.asarray(rows[p]))
        brute = losses.sample_fisher(outputs, torch.zeros(3, dtype=torch.float64), name)
        twins.compare(fisher, brute, 1e-8, "Fisher matrix")


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_said_of_a_loss_holds(name):
    loss, s, step = LOSSES[name], np.linspace(-3, 3, 13), np.array([1, -1]) / 2
    hessian = loss.derivatives(s[:, None] * step, 0)[1]
    along = np.einsum("i,nij,j->n", step, hessian, step)
    twins.compare(loss.two_classes(1 / (1 + np.exp(-s))), along, 1e-9, "two classes")
    other = loss.derivatives(s[:, None] * step, 1)[1]
    assert ("targets" in loss.hessian_of) == (not np.allclose(hessian, other))
    assert ("outputs" in loss.hessian_of) == (not np.allclose(hessian, hessian[0]))
    _, weights = loss.likelihood(s[:, None] * step, np.ones((13, 2, 1)))
    assert loss.gaussian == np.allclose(weights, 1)


@pytest.mark.parametrize("name", LOSSES)
def test_both_kinds_of_arrays_agree_up_to_certainty(name):
    rng, loss = np.random.default_rng(0), LOSSES[name]
    f = rng.normal(size=(40, 5)) * np.linspace(0.1, 40, 40)[:, None]
    y = rng.integers(0, 5, 40)
    twins.compare(loss.value(f, y), loss.value(torch.from_numpy(f), torch.from_numpy(y)), 1e-12, "loss")
    ours, theirs = loss.derivatives(f, y), loss.derivatives(torch.from_numpy(f), torch.from_numpy(y))
    for p in range(40):  # one by one: near certainty they differ by many decades
        for what, x, z in zip(("gradient", "Hessian"), ours, theirs, strict=True):
            twins.compare(x[p], z[p], 1e-10, f"{what} of sample {p}")


@pytest.mark.parametrize("name", LOSSES)
def test_torch_maps_and_differentiates_a_value(name):
    f, y = torch.randn(3, 4, dtype=torch.float64), torch.tensor([0, 3, 1])
    mapped = torch.func.vmap(torch.func.jacfwd(lambda f, y: LOSSES[name].value(f[None], y[None])[0]))(f, y)
    twins.compare(mapped, LOSSES[name].derivatives(f, y)[0], 1e-9, "gradient")


def test_curvature_survives_certainty():
    """p_y = 1 − 2e-20 in float32 logits: the curvature is p_k(1 − p_k), not the zero of 1 − p_y."""
    logits = torch.tensor([[46.0, 0.0, 0.0]])
    gradient, hessian = LOSSES["ce"].derivatives(logits, torch.tensor([0]))
    other = math.exp(-46)
    twins.compare(gradient[0], torch.tensor([-2 * other, other, other]), 1e-6, "gradient")
    twins.compare(hessian[0, 0, 0], 2 * other, 1e-6, "curvature of the certain class")


def test_arrays_need_no_torch():
    words = "LOSSES[name].derivatives(np.ones((2, 3)), np.array([0, 2])), LOSSES[name].value(np.ones(3), 1)"
    code = f"import sys, numpy as np; from engine.losses import LOSSES; [({words}) for name in LOSSES]"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'torch' not in sys.modules"], check=True)


# -- an unknown one, and a new one ------------------------------------------------------------------------

SWEEP = '[[grid]]\nset = { data = "mnist5k", widths = [784, 8, 3], loss = "focal", classes = 3 }\n'


def verified(c, loss):
    """An analysis with cross-entropy, checked as one with that loss."""
    result = analyze(c.model, c.inputs, c.targets, c.layer, dtype="float64").kept(("C",))
    about = dataclasses.replace(result.provenance, loss=loss)
    return verify(c.model, c.inputs, c.targets, dataclasses.replace(result, provenance=about, loss=None))


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: lookup("focal"),
        lambda c: analyze(c.model, c.inputs, c.targets, c.layer, "focal"),
        lambda c: analyze(c.model, c.inputs, c.targets, ["fc1", "fc2"], "focal"),
        lambda c: verified(c, "focal"),
        lambda c: look(c.model, c.inputs, c.targets, c.layer, "focal", 5, 0, ("a", "b", "c")),
        lambda c: chain_after(c.model, c.layer, "focal"),
        lambda c: sgd.train(c.model, dataset(), "focal", BRIEF, 0),
        lambda c: sgd.evaluate(c.model, dataset(), "focal", 0),
        lambda c: grid.read(SWEEP),
    ],
)
def test_an_unknown_loss_raises_wherever_it_is_given(ask):
    with pytest.raises(ValueError, match=r"There is no loss 'focal'; .* ce, mse, linear_mse"):
        ask(case("relu"))


def _halved(f, y):
    return LOSSES["ce"].value(f, y) / 2


def _halved_derivatives(f, y):
    gradient, hessian = LOSSES["ce"].derivatives(f, y)
    return gradient / 2, hessian / 2


def test_a_new_loss_is_one_object(monkeypatch):
    """It is trained with, analysed, checked and called by its name from the object alone."""
    parts = {"label": "half of it", "short": "half", "value": _halved, "derivatives": _halved_derivatives}
    monkeypatch.setitem(LOSSES, "half", dataclasses.replace(LOSSES["ce"], name="half", **parts))
    c = case("relu")
    whole, half = (analyze(c.model, c.inputs, c.targets, c.layer, loss, dtype="float64") for loss in ("ce", "half"))
    twins.compare(half.eigenvalues, whole.eigenvalues / 2, 1e-12, "H")
    twins.compare(half.traces["C"], whole.traces["C"] / 4, 1e-12, "C")
    for check in (check for check in verified(c, "half") if not check.again and not check.what):
        twins.compare(check.anew, check.kept / (2 if check.symbol == "H" else 4), 1e-6, check.symbol)
    last = [epoch.record.train_loss for epoch in run(dataset(), loss="half")][-1]
    assert last < math.log(3) / 2
    assert run_names.loss("half") == "half of it"


# -- one's own ---------------------------------------------------------------------------------------------


def focal(f, y):
    log_p = f.log_softmax(0).gather(0, y[None])[0]
    return -((1 - log_p.exp()) ** 2) * log_p


@pytest.mark.parametrize("layer", ["fc2", "fc1+fc2"])
def test_a_function_is_analysed_like_the_loss_that_it_is(layer):
    c = case("relu")
    analyses = (
        analyze(c.model, c.inputs, c.targets, layer, loss, dtype="float64") for loss in ("ce", nn.CrossEntropyLoss())
    )
    named, function = analyses
    twins.compare(function.eigenvalues, named.eigenvalues, 1e-10, "H")
    told_apart = named.eigenvalues > 1e-6 * named.eigenvalues[0]
    for name in named.names:
        twins.compare(function.diagonal(name)[told_apart], named.diagonal(name)[told_apart], 1e-8, name)
    assert function.provenance.loss == "ce"


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_a_loss_of_ones_own_has_its_own_curvature(name):
    c = case(name)
    linear = c.model.get_submodule(c.layer)

    def mean(w):
        logits = torch.func.functional_call(c.model, {f"{c.layer}.weight": w.view(linear.weight.shape)}, (c.inputs,))
        return torch.stack([focal(f, y) for f, y in zip(logits, c.targets, strict=True)]).mean()

    hessian = torch.func.hessian(mean)(linear.weight.detach().flatten())
    result = analyze(c.model, c.inputs, c.targets, c.layer, focal, dtype="float64")
    twins.compare(result.eigenvalues, torch.linalg.eigvalsh(hessian).flip(0), 1e-9, "H")
    assert result.provenance.loss == f"{__name__}.focal"


def test_targets_of_ones_own_loss_may_be_vectors():
    f, y = torch.randn(3, 4, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    loss = criterion(lambda f, y: ((f - y) ** 4).sum())
    gradient, hessian = loss.derivatives(f, y)
    twins.compare(loss.value(f, y), ((f - y) ** 4).sum(1), 1e-12, "value")
    twins.compare(gradient, 4 * (f - y) ** 3, 1e-12, "gradient")
    twins.compare(hessian, torch.diag_embed(12 * (f - y) ** 2), 1e-12, "Hessian")


@pytest.mark.parametrize("function", [lambda f, y: -f[y], lambda f, y: f - f[0], lambda f: f.sum()])
def test_a_function_that_torch_cannot_map_is_refused(function):
    c = case("relu")
    with pytest.raises(ValueError, match=r"cannot be mapped over samples and differentiated twice. Write it in torch"):
        analyze(c.model, c.inputs, c.targets, c.layer, function)


def test_a_function_is_no_likelihood():
    with pytest.raises(ValueError, match=r"focal .*no likelihood"):
        criterion(focal).likelihood(np.zeros((1, 2)), np.zeros((1, 2, 1)))
