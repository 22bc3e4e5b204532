"""What is given as a loss, as targets and as inputs: each way to ask against autograd, one sample at a time."""

import copy
import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from engine import analyze
from engine.curvature import criteria
from engine.curvature.inputs import Inputs
from engine.curvature.verify import verify
from engine.losses import LOSSES, OTHERS, cross_entropy, logistic, lookup
from engine.results.record import Provenance
from tests.reference import losses, twins
from tests.reference.given import GIVEN
from tests.reference.given import given as given_case

WEIGHTS = (0.5, 2.0, 1.5)
double = torch.float64
# A loss with its settings, and the same for the twin.
SETTINGS = {
    "ce": (lookup("ce"), {}),
    "ce weighted": (cross_entropy(WEIGHTS), {"weight": WEIGHTS}),
    "ce smoothed": (cross_entropy(smoothing=0.2), {"smoothing": 0.2}),
    "ce both": (cross_entropy(WEIGHTS, 0.2), {"weight": WEIGHTS, "smoothing": 0.2}),
    "mse": (lookup("mse"), {}),
    "linear_mse": (lookup("linear_mse"), {}),
    "bce": (lookup("bce"), {}),
    "bce weighted": (logistic(WEIGHTS), {"weight": WEIGHTS}),
    "bce positive": (logistic(WEIGHTS, (3.0, 0.5, 1.0)), {"weight": WEIGHTS, "positive": (3.0, 0.5, 1.0)}),
}


def targets_of(name, kind, n, rng):
    if name.startswith("bce"):
        return rng.integers(0, 2, (n, 3)).astype(float) if kind == "labels" else rng.uniform(size=(n, 3))
    if kind == "labels":
        return rng.integers(0, 3, n)
    y = rng.exponential(size=(n, 3))
    return y if name == "linear_mse" else y / y.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("array", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("kind", ["labels", "numbers"])
@pytest.mark.parametrize("name", SETTINGS)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 5))
@settings(max_examples=15)
def test_values_and_derivatives_equal_their_twins(name, kind, array, seed, scale):
    rng, (loss, chosen) = np.random.default_rng(seed), SETTINGS[name]
    f, y = rng.normal(size=(4, 3)) * scale, targets_of(name, kind, 4, rng)
    value, (slope, curvature) = loss.value(array(f), array(y)), loss.derivatives(array(f), array(y))
    for p in range(4):
        logits, target = torch.from_numpy(f[p]), torch.as_tensor(y[p])

        def twin(f, y=target):
            return losses.sample_loss(f, y, name.split()[0], **chosen)

        twins.compare(1 + value[p], 1 + twin(logits), 1e-12, "value")
        twins.compare(slope[p], torch.func.grad(twin)(logits), 1e-8, "gradient")
        twins.compare(curvature[p], torch.func.hessian(twin)(logits), 1e-8, "Hessian")
        if loss.odds is not None and scale < 2:  # beyond, the inverse of A has no digits left
            odds = losses.sample_odds(logits, target, name.split()[0], **chosen)
            twins.compare(loss.odds(array(f), array(y))[p], odds, 1e-4, "odds")


@pytest.mark.parametrize("name", ["ce weighted", "bce positive", "nll"])
@pytest.mark.parametrize("gap", [-40.0, 40.0])
def test_derivatives_keep_their_digits_at_gaps_of_forty(name, gap):
    """Against the same in twice as many digits, written by hand: e^-40 is no rounding."""
    small = math.exp(-40) / (1 + math.exp(-40))
    if name == "bce positive":
        loss = logistic((2.0,), (3.0,))
        for y, weight in ((1.0, 6.0), (0.0, 2.0)):
            slope, curvature = loss.derivatives(torch.tensor([[gap]]), torch.tensor([[y]]))
            up = 1 - small if gap > 0 else small
            down = small if gap > 0 else 1 - small
            twins.compare(slope[0, 0], -weight * down if y else weight * up, 1e-12, "gradient")
            twins.compare(curvature[0, 0, 0], weight * small * (1 - small), 1e-12, "Hessian")
        return
    loss = cross_entropy((2.0, 1.0)) if name == "ce weighted" else lookup("nll")
    weight = 2.0 if name == "ce weighted" else 1.0
    slope, curvature = loss.derivatives(torch.tensor([[gap, 0.0]]), torch.tensor([0]))
    expected = -weight * (small if gap > 0 else 1 - small)
    twins.compare(slope[0], torch.tensor([expected, -expected], dtype=double), 1e-12, "gradient")
    twins.compare(curvature[0, 0, 0], weight * small * (1 - small), 1e-12, "Hessian")


@given(seed=st.integers(0, 1000))
@settings(max_examples=15)
def test_the_fisher_matrix_of_answers_is_the_curvature(seed):
    """Each output a Bernoulli observation: E over its answers of ∇log p ∇log pᵀ, the mean over outputs."""
    rng = np.random.default_rng(seed)
    f, jacobian = rng.normal(size=(2, 3)), rng.normal(size=(2, 3, 4))
    rows, weights = lookup("bce").likelihood(f, jacobian)
    for p in range(2):
        brute = np.zeros((4, 4))
        for k in range(3):
            chance = 1 / (1 + np.exp(-f[p, k]))
            for answer, share in ((1, chance), (0, 1 - chance)):
                slope = (answer - chance) * jacobian[p, k]
                brute += share * np.outer(slope, slope) / 3
        twins.compare(np.einsum("m,mi,mj->ij", weights[p], rows[p], rows[p]), brute, 1e-10, "Fisher matrix")


@pytest.mark.parametrize("loss", [cross_entropy(WEIGHTS), logistic(WEIGHTS)])
def test_weights_leave_no_likelihood(loss):
    with pytest.raises(ValueError, match="no likelihood"):
        loss.likelihood(np.zeros((1, 3)), np.zeros((1, 3, 1)))


# -- cases: a network with its inputs, targets and loss as they are given -----------------------------------


@pytest.mark.parametrize("name", GIVEN)
def test_h_and_c_of_every_case_are_those_of_autograd(name):
    c = given_case(name)
    result = analyze(
        c.model, c.inputs, c.targets, c.layer, c.loss, dtype="float64", device="cpu", batch_size=3,
        anchors_per_class=None, output=c.output,
    )  # fmt: skip
    g, h = twins.per_sample_of(c.model, c.layer, c.each)
    named = twins.hessian_and_noise(g, h, 3)
    v = torch.from_numpy(result.basis.copy())
    twins.compare(v @ torch.diag(torch.from_numpy(result.eigenvalues.copy())) @ v.T, named["H"], 1e-9, "H")
    for matrix in ("C", "E_h2"):
        twins.compare(result.projected(matrix, result.k), v.T @ named[matrix] @ v, 1e-9, matrix)
    checks = verify(c.model, c.inputs, c.targets, result.kept(("C",)), output=c.output)
    assert max(check.error for check in checks if len(check.directions) == 1) < 1e-6
    assert {"H", "C", "C_awd", "E_h2"} <= {check.symbol for check in checks}
    remarks = " ".join(result.provenance.notes)
    assert ("among all samples" in remarks) == (not c.labelled), remarks


def test_a_check_is_made_with_the_loss_that_was_analysed():
    c = given_case("weights and smoothing")
    result = analyze(c.model, c.inputs, c.targets, c.layer, c.loss, dtype="float64").kept(("C",))
    filed = type(result).from_arrays(*result.to_arrays())
    with pytest.raises(ValueError, match="knows the name alone"):
        verify(c.model, c.inputs, c.targets, filed)
    again = verify(c.model, c.inputs, c.targets, filed, loss=c.loss)
    assert again == verify(c.model, c.inputs, c.targets, result)
    for other in ("ce", nn.CrossEntropyLoss(weight=c.loss.weight, label_smoothing=0.2)):
        for kept in (result, filed):
            with pytest.raises(ValueError, match=r"was analysed, not ce.*Check it with the same one"):
                verify(c.model, c.inputs, c.targets, kept, loss=other)


def test_the_twin_is_blind_to_no_setting():
    """Each case's loss is not that of another: what is checked above is the setting."""
    c = given_case("weights and smoothing")
    h = analyze(c.model, c.inputs, c.targets, c.layer, "ce", dtype="float64").eigenvalues
    own = analyze(c.model, c.inputs, c.targets, c.layer, c.loss, dtype="float64").eigenvalues
    assert abs(own[0] / h[0] - 1) > 0.01


def test_partners_without_classes_are_the_nearest_of_all():
    c = given_case("real targets")
    result = analyze(c.model, c.inputs, c.targets, c.layer, c.loss, dtype="float64", anchors_per_class=None)
    ones = torch.zeros(len(c.targets), dtype=torch.long)
    partner = twins.nearest_partner(twins.activities(c.model, c.layer, c.inputs), ones)
    assert result.provenance.unpaired == partner.count(-1) == 0
    tail = criteria.fit("bce", (1,), torch.tensor([0.0, 1.0, 1.0]), Inputs.of(torch.zeros(3, 2)))
    assert tail.kinds.tolist() == [0, 1, 1], "one answer a sample is a class"
    assert not criteria.fit("bce", (2,), torch.zeros(3, 2), Inputs.of(torch.zeros(3, 2))).kinds.any()


@pytest.mark.parametrize("convert", [
    lambda x, y: (x, y.to(torch.int8)),
    lambda x, y: (x, y.to(torch.int32)),
    lambda x, y: (x.numpy(), y.numpy().astype(np.uint16)),
    lambda x, y: (TensorDataset(x, y), None),
    lambda x, y: (DataLoader(TensorDataset(x, y), batch_size=4), None),
    lambda x, y: (DataLoader([{"0": a, "labels": b} for a, b in zip(x, y, strict=True)], batch_size=4), None),
    lambda x, y: (TensorDataset(x), y),
    lambda x, y: ((x,), y),
])  # fmt: skip
def test_samples_are_taken_as_they_come(convert):
    c = given_case("weights and smoothing")

    class Named(nn.Module):
        """Takes its input by any name."""

        def __init__(self):
            super().__init__()
            self.net = c.model

        def forward(self, *args, **named):
            return self.net(*args, *named.values())

    plain = analyze(c.model, c.inputs, c.targets, "fc2", dtype="float64")
    inputs, targets = convert(c.inputs, c.targets)
    twins.compare(
        analyze(Named(), inputs, targets, "net.fc2", dtype="float64").eigenvalues, plain.eigenvalues, 1e-12, "H"
    )


def test_bytes_become_numbers_and_a_shuffle_is_told():
    c = given_case("weights and smoothing")
    pixels = (c.inputs * 50).abs().to(torch.uint8)
    result = analyze(c.model, pixels, c.targets, "fc2", dtype="float64")
    expected = analyze(c.model, pixels.double(), c.targets, "fc2", dtype="float64")
    twins.compare(result.eigenvalues, expected.eigenvalues, 1e-12, "H")
    assert "0 … 255, not scaled" in result.provenance.notes[0]
    again = Provenance.of(dataclasses.asdict(result.provenance))
    assert again.notes == result.provenance.notes
    with pytest.warns(UserWarning, match="shuffles"):
        shuffled = analyze(
            c.model, DataLoader(TensorDataset(c.inputs, c.targets), shuffle=True), layer="fc2", dtype="float64"
        )
    assert "in which they were read" in shuffled.provenance.notes[0]


# -- warned of, and refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "loss", "targets"),
    [
        (nn.Softmax(1), "ce", lambda n: torch.arange(n) % 3),
        (nn.Softmax(1), "mse", lambda n: torch.arange(n) % 3),
        (nn.Sigmoid(), "bce", lambda n: torch.ones(n, 3)),
    ],
)
def test_outputs_that_are_probabilities_already_are_warned_of(end, loss, targets):
    c = given_case("weights and smoothing")
    model = nn.Sequential(copy.deepcopy(c.model), end)
    with pytest.warns(UserWarning, match="is applied twice"):
        result = analyze(model, c.inputs, targets(len(c.inputs)), "0.fc2", loss)
    assert any("applied twice" in note for note in result.provenance.notes)


def refusals():
    c = given_case("weights and smoothing")
    n, x, y = len(c.inputs), c.inputs, c.targets
    tokens = given_case("labels of tokens")

    def ask(model=c.model, inputs=x, targets=y, layer="fc2", loss="ce", **more):
        return lambda: analyze(model, inputs, targets, layer, loss, **more)

    wide = nn.Sequential(nn.Linear(5, 1200)).double()
    square = nn.Sequential(nn.Linear(20, 20)).double()
    at = torch.arange(n)
    empty = torch.where(at[:, None] == 4, -100, tokens.targets)
    masked = {"model": tokens.model, "inputs": tokens.inputs, "layer": tokens.layer}
    threes = torch.full((n, 3), 3.0) * (at % 2)[:, None]
    return {
        "1,024 can be studied": ask(wide, layer="0"),
        "sum to 1 over the classes": ask(targets=torch.rand(n, 3) + 1),
        "at least 0": ask(targets=torch.tensor([[2.0, -1.0, 0.0]]).expand(n, 3)),
        r"bce takes targets of shape \(n, 3\), not \(9,\)": ask(loss="bce"),
        "shares between, of each output; these run from 0 to 3": ask(loss="bce", targets=threes),
        "log-probabilities, whose exponentials sum to 1": ask(loss="nll"),
        "as an autoencoder does": ask(square, torch.randn(50, 20), torch.arange(50) % 3, "0", "linear_mse"),
        r"takes targets of shape \(n, 3\)": ask(loss=nn.MSELoss()),
        "Say by output= which": ask(output="scores"),
        r"labels \(n, 4\) would go with it": ask(**masked),
        "every label is masked, of the first sample number 4": ask(**masked, targets=empty),
        "Of 1 samples every label is masked, of the first sample number 4": ask(targets=y.where(at != 4, -100)),
        "There are no targets": ask(targets=None),
        "3 inputs but 9 targets": ask(inputs=(x, x[:3])),
        "targets contain NaN": ask(loss="linear_mse", targets=torch.full((n, 3), torch.nan)),
        "none of labels": ask(inputs=DataLoader([{"a": a} for a in x]), targets=None),
        "has no targets": ask(inputs=TensorDataset(x), targets=None),
        "different shapes": ask(inputs=DataLoader([(torch.zeros(k), 0) for k in (3, 4)]), targets=None),
        "weights are of outputs, not of samples": ask(
            loss=nn.BCEWithLogitsLoss(weight=torch.ones(n, 1)), targets=torch.ones(n, 3)
        ),
    }  # fmt: skip


@pytest.mark.parametrize("sentence", refusals())
def test_what_does_not_go_together_is_refused(sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        refusals()[sentence]()


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_other_reductions_are_of_ones_own(reduction):
    loss = criteria.criterion(nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS), reduction=reduction))
    assert loss.name.endswith("CrossEntropyLoss")
    f, y = torch.randn(4, 3, dtype=double), torch.arange(4) % 3
    twins.compare(loss.value(f.float(), y), cross_entropy(WEIGHTS).value(f, y), 1e-6, "value")


def test_every_named_loss_has_a_name_of_its_own():
    assert not LOSSES.keys() & OTHERS.keys()
    assert all(lookup(name).name == name for name in (*LOSSES, *OTHERS))
