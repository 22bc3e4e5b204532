"""engine.curvature.descent: noise of a given covariance, and descents in one layer, against their definitions."""

import numpy as np
import pytest
import torch
from torch import nn

from engine.config.requests import TrainingRequest
from engine.curvature import descent
from engine.curvature.analyze import analyze
from engine.curvature.descent import Experiment, Layer
from engine.curvature.gaussian import drawn, haar, root
from engine.losses import lookup
from engine.models.networks import build
from engine.results.noise import EVERY, NONE, SGD, SHAPES
from engine.training.sgd import train
from tests.reference import cases
from tests.small import SMALL, dataset

CPU = torch.device("cpu")


def spd(d=6, seed=0):
    x = torch.randn(d, 2 * d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x @ x.mT


def layer_of(model, name="fc2", data=None, **how):
    data = data or dataset()
    return Layer(model.eval(), name, data.train_x, data.train_y, "ce", **{"device": CPU, "dtype": torch.float64} | how)


def experiment(model=None, name="fc2", rate=0.1, **more):
    data = dataset()
    layer = layer_of(model or build(SMALL, 1), name)
    return Experiment.of(layer, 8, rate, unseen=(data.test_x, data.test_y), **more)


# -- noise ------------------------------------------------------------------------------------------------


def test_noise_has_the_covariance_that_is_asked_for():
    """E‖S − X‖² = (‖X‖² + (tr X)²)/n for the covariance S of n normal vectors."""
    x, n = spd(), 20_000
    noise = drawn(root(x, float(x.trace()), "X"), seed=3, name="X")
    rows = torch.stack([next(noise) for _ in range(n)])
    off = float((rows.mT @ rows / n - x).square().sum())
    expected = float((x.square().sum() + x.trace() ** 2) / n)
    assert 0.2 * expected < off < 3 * expected
    assert rows.mean(dim=0).norm() < 4 * (x.trace() / n).sqrt()


def test_noise_follows_from_its_seed_and_name_alone():
    factor = torch.eye(4, dtype=torch.float64)
    draws = [next(drawn(factor, *how)) for how in ((0, "C"), (0, "C"), (1, "C"), (0, "H"))]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert not torch.equal(draws[0], draws[3])


def test_every_shape_is_scaled_to_the_trace_of_c():
    made = experiment()
    for name, factor in [*made.roots.items(), ("turned", made._root("turned", 2))]:
        assert float(factor.square().sum()) == pytest.approx(made.trace, rel=1e-12), name


def test_shapes_are_the_matrices_of_the_analysis():
    data, made = dataset(), experiment()
    result = analyze(build(SMALL, 1).eval(), data.train_x, data.train_y, "fc2", batch_size=8, dtype="float64")
    assert set(made.roots) >= {"C", "E_h2", "H", "isotropic"}
    for name in set(made.roots) - {"isotropic"}:
        block = np.diag(result.eigenvalues) if name == "H" else result.projected(name, result.k)
        matrix = result.basis @ block @ result.basis.T
        factor = made.roots[name].numpy()
        np.testing.assert_allclose(factor @ factor.T, matrix * made.trace / np.trace(matrix), atol=1e-9 * made.trace)
    assert made.trace == pytest.approx(result.traces["C"], rel=1e-9)


def test_turning_keeps_the_spectrum_and_is_another_for_each_seed():
    made = experiment()
    spectra = [torch.linalg.eigvalsh(f @ f.mT) for f in (made.roots["C"], made._root("turned", 0))]
    torch.testing.assert_close(*spectra, atol=1e-9 * made.trace, rtol=0)
    q = haar(5, 0)
    torch.testing.assert_close(q @ q.mT, torch.eye(5, dtype=torch.float64))
    assert not torch.allclose(made._root("turned", 0), made._root("turned", 1))


def test_with_one_weight_all_shapes_are_one():
    data = dataset(sample=(1,), classes=2)
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 2))
    made = Experiment.of(Layer(model, "0", data.train_x, data.train_y, "ce", device=CPU, dtype=torch.float64), 8, 0.1)
    lengths = {name: abs(float(made._root(name, 0))) for name in [*made.roots, "turned"]}
    assert set(lengths) >= {"C", "isotropic", "turned"}
    np.testing.assert_allclose(list(lengths.values()), made.trace**0.5, rtol=1e-12)


def test_what_is_no_covariance_is_refused_and_left_out():
    values = torch.tensor([1.0, 0.5, -1e-9], dtype=torch.float64)
    factor = root(torch.diag(values), 2.0, "X")
    torch.testing.assert_close((factor @ factor.mT).diagonal(), 2 * values.clamp_min(0) / 1.5)
    with pytest.raises(ValueError, match="curves downwards along some directions"):
        root(torch.diag(torch.tensor([1.0, -0.01])), 1.0, "H")
    with pytest.raises(ValueError, match="H is zero here"):
        root(torch.zeros(2, 2), 1.0, "H")
    case = cases.case("tanh")
    made = Experiment.of(Layer(case.model, case.layer, case.inputs, case.targets, "mse", device=CPU), 8, 0.1)
    assert "H" not in made.roots
    assert made.notes[0].startswith("H is left out: H curves downwards")


# -- descents ---------------------------------------------------------------------------------------------


def test_one_step_is_its_definition():
    """Twin: the whole network's own gradient, and the noise drawn once more."""
    made = experiment()
    layer, data, loss = made.layer, dataset(), lookup("ce")
    model = build(SMALL, 1).double()
    for name in ("C", "isotropic", "turned"):
        made._descend(name, 4, 1, lambda _: None)
        value = loss.value(model(data.train_x.double()), data.train_y).mean()
        (gradient,) = torch.autograd.grad(value, model.fc2.weight)
        xi = next(drawn(made._root(name, 4), 4, name)).view_as(gradient)
        torch.testing.assert_close(layer.weight, model.fc2.weight - 0.1 * (gradient + xi))


def test_without_noise_it_is_gradient_descent_bit_by_bit():
    data, model = dataset(), build(SMALL, 1)
    made = Experiment.of(layer_of(build(SMALL, 1), dtype=torch.float32), 8, 0.3)
    made.run(0, 20, still=True)
    optimiser = torch.optim.SGD([model.fc2.weight], lr=0.3)
    for _ in range(20):
        optimiser.zero_grad()
        lookup("ce").value(model(data.train_x), data.train_y).mean().backward()
        optimiser.step()
    assert torch.equal(made.layer.weight, model.fc2.weight)  # the last that ran


def test_sgd_in_the_layer_is_training_with_the_others_frozen():
    data, model = dataset(), build(SMALL, 1)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name == "fc2.weight")
    plan = TrainingRequest(
        epochs=5, batch_size=8, learning_rate=0.2, final_rate_ratio=1.0, clip_norm=None, stop_loss=None
    )
    *_, last = train(model, data, "ce", plan, seed=3, device="cpu")
    made = Experiment.of(layer_of(build(SMALL, 1), dtype=torch.float32), 8, 0.2)
    made._descend(SGD, 3, 5 * 4, lambda _: None)  # 27 samples: four mini-batches an epoch, the last ragged
    torch.testing.assert_close(made.layer.weight.detach(), last.checkpoint["fc2.weight"], rtol=1e-5, atol=1e-7)


def test_what_is_measured_is_what_an_analysis_measures(monkeypatch):
    monkeypatch.setattr(descent, "CHUNK", 10)  # ragged
    made, data = experiment(rate=0.5), dataset()
    values = made.run(1, 50, still=False).values
    model = build(SMALL, 1).double().eval()
    with torch.no_grad():
        model.fc2.weight.copy_(made.layer.weight)  # the last descent's
    (last,) = list(values["loss"])[-1:]
    result = analyze(model, data.train_x, data.train_y, "fc2", batch_size=8, dtype="float64")
    ends = {measure: rows[last][0, -1] for measure, rows in values.items()}
    assert ends["loss"] == pytest.approx(result.provenance.mean_loss, rel=1e-9)
    assert ends["hessian"] == pytest.approx(result.traces["H"], rel=1e-9)
    assert ends["sharpness"] == pytest.approx(result.eigenvalues[0], rel=1e-6)
    assert ends["noise"] == pytest.approx(result.traces["C"], rel=1e-9)
    right = (model(data.test_x.double()).argmax(dim=1) == data.test_y).double().mean()
    assert ends["accuracy"] == float(right)


@pytest.mark.parametrize("name", cases.CASES)
def test_curvature_is_that_of_the_analysis_for_every_layer(name):
    case = cases.case(name)
    made = Layer(case.model, case.layer, case.inputs, case.targets, "ce", device=CPU, dtype=torch.float64)
    result = analyze(case.model, case.inputs, case.targets, case.layer, batch_size=4, dtype="float64")
    hessian, sharpness, noise = made.curvature()
    assert hessian == pytest.approx(result.traces["H"], rel=1e-8)
    assert sharpness == pytest.approx(result.eigenvalues[0], rel=1e-6)
    assert noise / 4 == pytest.approx(result.traces["C"], rel=1e-8)


def test_the_network_is_cut_where_it_is_a_sequence_and_run_whole_elsewhere():
    assert layer_of(build(SMALL, 1)).parts is not None
    tokens = cases.case("tokens")
    assert Layer(tokens.model, tokens.layer, tokens.inputs, tokens.targets, "ce", device=CPU).parts is None
    folded = cases.case("conv2d")
    assert Layer(folded.model, folded.layer, folded.inputs, folded.targets, "ce", device=CPU).parts is not None

    class Doubled(nn.Sequential):
        def __call__(self, x):
            return 2 * super().__call__(x)

    model = Doubled(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 3))
    assert layer_of(model, "2").parts is None  # its parts alone do not give what it gives


def test_all_is_the_same_for_the_same_seed_and_starts_alike():
    one, again = (experiment().run(2, 50, still=True) for _ in range(2))
    for measure, every in EVERY.items():
        assert set(one.values[measure]) == {SGD, NONE, "turned", "isotropic"} | set(one.values[measure]) & set(SHAPES)
        for name, rows in one.values[measure].items():
            assert rows.shape == (1, 50 // every + 1)
            np.testing.assert_array_equal(rows, again.values[measure][name])
            assert rows[0, 0] == one.values[measure][SGD][0, 0]


def test_a_descent_that_diverges_is_no_number():
    values = experiment(rate=float("inf")).run(0, 50, still=False).values
    assert np.isfinite(values["loss"]["C"][0, 0])
    assert np.isnan(values["loss"]["C"][0, -1])


def test_what_cannot_be_moved_alone_is_refused():
    data = dataset(sample=(60,))
    wide = nn.Sequential(nn.Linear(60, 50), nn.ReLU(), nn.Linear(50, 3))
    with pytest.raises(ValueError, match=r"Layer '0' has 3,000 weights\. .*up to 2,500\. Choose a smaller layer\."):
        Experiment.of(Layer(wide, "0", data.train_x, data.train_y, "ce", device=CPU), 8, 0.1)
    with pytest.raises(ValueError, match="no bias"):
        layer_of(build(SMALL, 1), bias=True)
    normed = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 3)), nn.Linear(3, 3))
    with pytest.raises(ValueError, match="computed from others"):
        layer_of(normed, "0")
