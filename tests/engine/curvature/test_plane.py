"""engine.curvature.plane: the loss over two directions, and mini-batches there, against their definitions."""

import numpy as np
import pytest
import torch
from torch import nn

from engine.curvature.analyze import analyze
from engine.curvature.descent import Layer
from engine.curvature.plane import LEAST, _reach, planes, spanned_by
from engine.models.networks import build
from engine.results.plane import ANGLES, BATCHES, POINTS, turn
from tests.reference import cases
from tests.small import SMALL, dataset

CPU, B, PAIR = torch.device("cpu"), 9, (2, 4)


def studied(model, layer, inputs, targets, loss):
    """The layer, and the analysis whose directions are looked along."""
    model = model.eval()
    result = analyze(model, inputs, targets, layer, loss=loss, batch_size=B, dtype="float64")
    return Layer(model, layer, inputs, targets, loss, device=CPU, dtype=torch.float64), result


def mlp():
    data = dataset()
    return build(SMALL, 1), "fc2", data.train_x, data.train_y, "ce"


def named(name, loss="ce"):
    case = cases.case(name)
    return case.model, case.layer, case.inputs, case.targets, loss


def squared(f, y):
    return f.logsumexp(0) - 1.5 * f.gather(0, y[None])[0] + 0.1 * f.square().sum()


CASES = {
    "mlp": mlp(),
    "own": (*mlp()[:4], squared),
    "relu_bias": named("relu_bias", "mse"),
    **{name: named(name) for name in ("gelu", "conv_after", "tokens_norm", "twice", "conv2d_groups")},
}


@pytest.mark.parametrize("name", CASES)
def test_the_loss_is_that_of_the_moved_weights(name):
    model, layer_name, inputs, targets, loss = CASES[name]
    layer, result = studied(*CASES[name])
    (plane,) = planes(layer, result.basis, [PAIR], B, 0.1)
    axes = spanned_by(torch.from_numpy(result.basis[:, [PAIR[0] - 1, PAIR[1] - 1]]), PAIR)
    anew = Layer(model, layer_name, inputs, targets, loss, device=CPU, dtype=torch.float64)
    numbers = np.random.default_rng(0)
    for _ in range(6):
        angle, row, column = numbers.integers(len(ANGLES)), *numbers.integers(POINTS, size=2)
        at = np.array([plane.axis[column], plane.axis[row]])
        step = axes @ torch.from_numpy(turn(ANGLES[angle]) @ at)
        with torch.no_grad():
            anew.weight.copy_(anew.start + step.view_as(anew.start))
        assert plane.loss[angle, row, column] == pytest.approx(anew.look(anew.inputs, anew.targets)[0], rel=1e-9)
    assert plane.samples == len(anew.targets)
    assert plane.here == pytest.approx(result.provenance.mean_loss, rel=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_curvature_and_noise_are_those_of_the_analysis(name):
    layer, result = studied(*CASES[name])
    (plane,) = planes(layer, result.basis, [PAIR], B, 0.1)
    axes = spanned_by(torch.from_numpy(result.basis[:, [PAIR[0] - 1, PAIR[1] - 1]]), PAIR).numpy()
    basis, k = result.basis, result.k
    for degrees in ANGLES:
        seen = axes @ turn(degrees)
        assert np.allclose(seen.T @ seen, np.eye(2), atol=1e-9)
        for ours, block in (
            (plane.curvature(degrees), np.diag(result.eigenvalues)),
            (plane.covariance(degrees), result.projected("C", k)),
        ):
            scale = np.abs(block).max()
            np.testing.assert_allclose(ours, seen.T @ basis @ block @ basis.T @ seen, atol=1e-8 * scale)


def test_a_network_that_is_not_cut_gives_the_same():
    layer, result = studied(*mlp())
    assert layer.parts is not None, "it is cut"
    (cut,) = planes(layer, result.basis, [PAIR], B, 0.1)
    layer.parts = None
    (whole,) = planes(layer, result.basis, [PAIR], B, 0.1)
    np.testing.assert_allclose(cut.loss, whole.loss, rtol=1e-10)
    assert torch.equal(layer.weight, layer.start), "it is left as it was"


def test_mini_batches_are_those_of_training():
    """Over an epoch they average to ∇L; their covariance is (N − B)/(N − 1) C."""
    layer, result = studied(*mlp())
    (plane,) = planes(layer, result.basis, [PAIR], B, 0.1)
    n = len(layer.targets)
    assert plane.batches.shape == (BATCHES, 4)
    assert n % B == 0
    np.testing.assert_allclose(plane.batches[: n // B].mean(axis=0), plane.gradient, atol=1e-12)
    measured = plane.kicks(0.0).T @ plane.kicks(0.0) / BATCHES
    expected = plane.covariance(0.0) * (n - B) / (n - 1)
    scale = np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))
    assert np.abs((measured - expected) / scale).max() < 4 * np.sqrt(2 / BATCHES)


def test_the_weights_move_until_the_curvature_has_doubled_the_loss():
    layer, result = studied(*mlp())
    (plane,) = planes(layer, result.basis, [PAIR], B, 0.1)
    steep = plane.hessian.diagonal().max()
    doubled = np.sqrt(2 * result.provenance.mean_loss / steep)
    assert plane.reach == pytest.approx(min(doubled, float(layer.start.norm())))
    assert plane.axis[POINTS // 2] == 0


@pytest.mark.parametrize(("loss", "length", "share"), [(2.0, 0.5, 1.0), (0.0, 5.0, LEAST), (0.0, 0.0, None)])
def test_the_weights_always_move_and_never_farther_than_they_are_long(monkeypatch, loss, length, share):
    layer, _ = studied(*mlp())
    monkeypatch.setattr(layer, "look", lambda *_: (loss, 1.0))
    monkeypatch.setattr(layer, "start", layer.start * length / layer.start.norm())
    curvature = np.diag([1e-9 if loss else 4.0, 0.0, 0.0, 0.0])
    assert _reach(layer, curvature) == pytest.approx(LEAST if share is None else share * length)


def test_what_has_no_plane_is_refused():
    layer, result = studied(*mlp())
    with pytest.raises(ValueError, match="mini-batch of 10000 cannot be drawn"):
        next(planes(layer, result.basis, [PAIR], 10_000, 0.1))
    small = nn.Sequential(nn.Linear(3, 1, bias=False), nn.Linear(1, 2))
    tiny, result = studied(small, "0", torch.randn(20, 3), torch.arange(20) % 2, "ce")
    with pytest.raises(ValueError, match="at least four weights, not 3"):
        next(planes(tiny, result.basis, [(1, 2)], B, 0.1))
