"""Several layers jointly: H, C and E[h²] with their cross blocks, against brute force and closed forms."""

import dataclasses
from itertools import accumulate, pairwise

import numpy as np
import pytest
import torch
from torch import nn

from engine import analyze
from engine.curvature.accumulate import over
from engine.curvature.joint import JointTail
from engine.curvature.resampling import left_out
from engine.curvature.verify import verify
from engine.results.analysis import Analysis
from tests.reference import diagnostics, twins
from tests.reference.cases import LOSSES, case, mlp

B = 3
CPU = torch.device("cpu")


class Branches(nn.Module):
    """Two layers side by side, a third that sees both, and a way around it."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(4, 3), nn.Linear(4, 2)
        self.top, self.out = nn.Linear(5, 4), nn.Linear(4, 3)

    def forward(self, x):
        y = torch.cat([torch.tanh(self.left(x)), torch.relu(self.right(x))], dim=1)
        return self.out(torch.relu(self.top(y)) + x)


def _planted(model, shape, layers, n=8):
    model = model.double().eval()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.weight.data *= 1.5
    return model, torch.randn(n, *shape, dtype=torch.float64), torch.arange(n) % 3, layers


def net(name, n=8):
    """(model, inputs, targets, layers): small, seeded, in double precision."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if name == "cnn":
            c = case("conv_before", n)
            return c.model, c.inputs, c.targets, ("fc1", "fc2")
        if name == "normalised":
            c = case("normalised", n)
            return c.model, c.inputs, c.targets, ("fc1", "fc2", "fc3")
        build = {
            "relu": lambda: (mlp((5, 4, 3, 4, 3), nn.ReLU), (5,), ("fc1", "fc2", "fc3")),
            "bias": lambda: (mlp((5, 4, 3, 4, 3), nn.ReLU, bias=True), (5,), ("fc2", "fc4")),
            "tanh": lambda: (mlp((4, 3, 4, 3), nn.Tanh, bias=True), (4,), ("fc1", "fc2", "fc3")),
            "in place": lambda: (mlp((4, 3, 4, 3), lambda: nn.ReLU(inplace=True)), (4,), ("fc1", "fc2", "fc3")),
            "branches": lambda: (Branches(), (4,), ("left", "right", "top", "out")),
        }
        return _planted(*build[name](), n)


NETS = ("relu", "bias", "tanh", "in place", "branches", "cnn", "normalised")


def run(planted, loss="ce", **settings):
    model, inputs, targets, layers = planted
    return analyze(
        model, inputs, targets, layers, loss, **({"dtype": "float64", "device": "cpu", "batch_size": B} | settings)
    )


def expected(planted, loss="ce", bias=False):
    model, inputs, targets, layers = planted
    g, h = twins.per_sample(model, layers, inputs, targets, loss, bias)
    return {name: m.numpy() for name, m in twins.hessian_and_noise(g, h, B).items()}


def tail(planted, loss="ce", **more):
    model, inputs, targets, layers = planted
    return JointTail(model, layers, inputs, targets, loss, device=CPU, dtype=torch.float64, **more)


def rebuilt(result, name):
    """The named matrix in the coordinates of the weights."""
    return result.basis @ result.projected(name, result.k) @ result.basis.T


def blocks(shapes):
    """Where each layer lies."""
    return [slice(*pair) for pair in pairwise(accumulate((a * b for a, b in shapes), initial=0))]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", NETS)
def test_every_matrix_equals_its_twin(name, loss):
    planted = net(name)
    result, matrices = run(planted, loss), expected(planted, loss)
    assert {"H", *result.names} == set(matrices)
    assert result.k == result.provenance.dimension
    for own, matrix in matrices.items():
        twins.compare(rebuilt(result, own), matrix, 1e-9, own)
    for own in result.names:
        twins.compare(result.diagonal(own), np.diag(result.projected(own, result.k)), 1e-9, f"diagonal of {own}")
        twins.compare(result.frobenius(own), np.linalg.norm(matrices[own]), 1e-9, f"norm of {own}")
        error = diagnostics.commutator_error(matrices["H"], matrices[own])
        twins.compare(result.commutator(own), error, 1e-8, f"commutator of {own}")
    places = blocks(result.provenance.sizes)
    cross = matrices["H"][places[0], places[-1]]
    assert np.abs(cross).max() > 1e-3 * np.abs(matrices["H"]).max(), "without cross blocks nothing is tested"


@pytest.mark.parametrize("name", ["bias", "tanh", "branches"])
def test_biases_can_be_included(name):
    planted = net(name)
    result, matrices = run(planted, bias=True), expected(planted, bias=True)
    for own, matrix in matrices.items():
        twins.compare(rebuilt(result, own), matrix, 1e-9, own)


@pytest.mark.parametrize("loss", ["ce", "linear_mse"])
@pytest.mark.parametrize("name", NETS)
def test_each_sample_has_the_hessian_of_its_twin_block_by_block(name, loss):
    """h_p = U Q Uᵀ and g_p = U (δ; 0), with the columns of U written out."""
    planted = net(name, n=5)
    cut = tail(planted, loss)
    cut.survey()
    model, inputs, targets, layers = planted
    g, h = twins.per_sample(model, layers, inputs, targets, loss)
    units = torch.eye(h.shape[1], dtype=torch.float64)
    places = blocks(cut.shapes)
    for rows in over(len(targets), 2):
        factors = cut.factors(rows)
        u = factors.along(units)
        ours = u.mT @ factors.core @ u
        for at, layer in zip(places, layers, strict=True):
            for other, second in zip(places, layers, strict=True):
                twins.compare(ours[:, at, other], h[rows][:, at, other], 1e-9, f"h, block {layer} {second}")
        twins.compare(factors.slope(u), g[rows], 1e-10, "g")
        twins.compare(factors.core @ factors.gram(factors.core), factors.core @ u @ u.mT @ factors.core, 1e-9, "Q S Q")
        w = torch.randn(u.shape[0], u.shape[1], 2, dtype=torch.float64)
        twins.compare(factors.back(w), torch.einsum("nqd,nqk->dk", u, w), 1e-10, "U w")


def test_closed_form_of_a_deep_linear_network():
    """One sample, f = W_2 W_1 x, linear_mse ℓ = |f − t|²/K with residual e = f − t:

    H_11 = (2/K) W_2ᵀW_2 ⊗ x xᵀ,  H_22 = (2/K) I ⊗ z zᵀ,  z = W_1 x,
    ∂²ℓ/∂W_1[i,t]∂W_2[j,s] = (2/K) x_t (W_2[j,i] z_s + e_j δ_is).
    """
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Linear(3, 2, bias=False)).double()
    first, second = (layer.weight.detach() for layer in model)
    x = torch.randn(4, dtype=torch.float64)
    z = first @ x
    e = second @ z - torch.tensor([0.0, 1.0], dtype=torch.float64)
    unit = torch.eye(3, dtype=torch.float64)
    cross = torch.einsum("t,ji,s->itjs", x, second, z) + torch.einsum("t,j,is->itjs", x, e, unit)
    h = torch.zeros(18, 18, dtype=torch.float64)
    h[:12, :12] = torch.kron(second.T @ second, torch.outer(x, x))
    h[12:, 12:] = torch.kron(torch.eye(2, dtype=torch.float64), torch.outer(z, z))
    h[:12, 12:] = cross.reshape(12, 6)
    h[12:, :12] = h[:12, 12:].T
    result = analyze(model, x[None], torch.tensor([1]), ("0", "1"), "linear_mse", dtype="float64", device="cpu")
    twins.compare(rebuilt(result, "H"), h, 1e-12, "H")
    twins.compare(rebuilt(result, "E_h2"), h @ h, 1e-12, "h²")


@pytest.mark.parametrize("name", ["relu", "tanh", "cnn"])
def test_its_diagonal_blocks_are_those_of_the_layers_alone(name):
    planted = net(name)
    joint = run(planted)
    for at, layer in zip(blocks(joint.provenance.sizes), planted[3], strict=True):
        alone = run((*planted[:3], layer))
        for own in ("H", "C"):
            twins.compare(rebuilt(joint, own)[at, at], rebuilt(alone, own), 1e-10, f"{own} of {layer}")
        # A later or earlier layer adds to h² what its cross block carries over and back.
        excess = rebuilt(joint, "E_h2")[at, at] - rebuilt(alone, "E_h2")
        assert np.linalg.eigvalsh(excess).min() > -1e-9
        assert np.trace(excess) > 1e-6


@pytest.mark.parametrize("budget", [1, 4_000, 10_000])
def test_a_chunk_enters_no_number(budget, monkeypatch):
    planted = net("tanh", n=11)
    one = run(planted, bootstrap=4)
    monkeypatch.setattr("engine.curvature.memory.CHUNK_BYTES", budget)
    ragged, leading = run(planted, bootstrap=4), run(planted, top_k=5)
    twins.compare(ragged.eigenvalues, one.eigenvalues, 1e-11, "H_ii")
    for name in one.names:
        twins.compare(rebuilt(ragged, name), rebuilt(one, name), 1e-11, name)
        twins.compare(leading.diagonal(name), one.diagonal(name)[:5], 1e-8, f"leading {name}")
    twins.compare(ragged.replicates["C"][:, :8], one.replicates["C"][:, :8], 1e-5, "replicates")


@pytest.mark.parametrize("name", ["relu", "tanh", "cnn"])
def test_the_projected_way_equals_the_dense_one(name, monkeypatch):
    planted = net(name, n=12)
    whole, dense = run(planted), run(planted, top_k=6)
    monkeypatch.setattr("engine.curvature.memory.DENSE_LIMIT", 0)
    projected = run(planted, top_k=6, bootstrap=3)
    for result in (dense, projected):
        assert result.k == 6
        assert result.k < result.provenance.dimension
        twins.compare(result.eigenvalues, whole.eigenvalues[:6], 1e-8, "H_ii")
        for own in whole.names:
            twins.compare(np.abs(result.projected(own, 6)), np.abs(whole.projected(own, 6)), 1e-6, own)


def test_bootstrap_replicates_are_literal_resamples():
    planted = net("tanh", n=9)
    result = run(planted, bootstrap=6, seed=4)
    model, inputs, targets, layers = planted
    g, h = twins.per_sample(model, layers, inputs, targets, "ce")
    draws = torch.randint(9, (6, 9), generator=torch.Generator().manual_seed(4))
    for row, drawn in enumerate(draws):
        for name, matrix in twins.hessian_and_noise(g[drawn], h[drawn], B).items():
            diagonal = np.diag(result.basis.T @ matrix.numpy() @ result.basis)
            twins.compare(result.replicates[name][row], diagonal, 1e-5, name)
    assert result.fit("C").interval is not None


def test_the_jackknife_leaves_samples_out_literally():
    planted = net("tanh", n=9)
    result = run(planted, seed=4).sampled()
    model, inputs, targets, layers = planted
    g, h = twins.per_sample(model, layers, inputs, targets, "ce")
    for row, counts in enumerate(left_out(9, 100, seed=4).bool()):
        for name, matrix in twins.hessian_and_noise(g[counts], h[counts], B).items():
            diagonal = np.diag(result.basis.T @ matrix.numpy() @ result.basis)
            twins.compare(result.jackknife.diagonals[name][row], diagonal, 1e-5, name)


def test_names_joined_by_a_plus_mean_the_same_and_one_name_means_one_layer():
    planted = net("relu")
    joint, written = run(planted), run((*planted[:3], "fc1+fc2+fc3"))
    assert np.array_equal(joint.eigenvalues, written.eigenvalues)
    origin = joint.provenance
    assert origin.layer == "fc1+fc2+fc3"
    assert origin.sizes == ((4, 5), (3, 4), (4, 3))
    assert (origin.d_out, origin.d_in, origin.dimension) == (11, 12, 44)
    alone, listed = run((*planted[:3], "fc2")), run((*planted[:3], ("fc2",)))
    assert "C_awd" in alone.names
    assert dataclasses.replace(alone.provenance, seconds=0.0) == dataclasses.replace(listed.provenance, seconds=0.0)
    assert np.array_equal(alone.diagonal("C_awd"), listed.diagonal("C_awd"))


def test_what_is_kept_comes_back_and_older_entries_too():
    kept = run(net("relu")).kept(("C", "E_h2"))
    arrays, meta = kept.to_arrays()
    again = Analysis.from_arrays(arrays, meta)
    assert again.provenance == kept.provenance
    assert again.k == again.provenance.dimension
    older = run((*net("relu")[:3], "fc2")).kept(("C",))
    arrays, meta = older.to_arrays()
    del meta["provenance"]["shapes"]
    assert Analysis.from_arrays(arrays, meta).provenance == older.provenance


def test_float32_agrees_with_float64():
    planted = net("relu", n=60)
    fine, coarse = run(planted), run(planted, dtype="float32")
    twins.compare(coarse.eigenvalues, fine.eigenvalues, 1e-5, "H_ii")
    twins.compare(coarse.diagonal("C")[:5], fine.diagonal("C")[:5], 1e-4, "C_ii")


def test_the_gauss_newton_matrix_of_a_smooth_tail_can_be_forced():
    planted = net("tanh")
    full, forced = run(planted), run(planted, curvature="gauss-newton")
    assert (full.provenance.curvature, forced.provenance.curvature) == ("full", "gauss-newton")
    assert run(net("relu")).provenance.curvature == "gauss-newton"
    twins.compare(
        run(net("relu"), curvature="full").eigenvalues, run(net("relu")).eigenvalues, 1e-10, "full on a ReLU tail"
    )
    assert np.abs(full.eigenvalues - forced.eigenvalues).max() > 1e-3 * full.eigenvalues[0]


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.fc, self.cut = (nn.Linear(4, 4, bias=False) for _ in range(3))

    def forward(self, x):
        y = torch.relu(self.one(x))
        return self.fc(torch.relu(self.fc(y))) + self.cut(y).detach()


@pytest.mark.parametrize(
    ("model", "layer", "settings", "sentence"),
    [
        (lambda: mlp((4, 4, 4), nn.ReLU), "fc1+fc9", {}, "no layer 'fc9'; the layers that can be studied are fc1, fc2"),
        (lambda: mlp((4, 4, 4), nn.ReLU), "fc1+fc1", {}, "'fc1' is named twice"),
        (lambda: mlp((4, 4, 4), nn.ReLU), "fc2+fc1", {}, r"named in the order of their use: fc1\+fc2"),
        (lambda: mlp((4, 4, 4), nn.ReLU), (), {}, "No layer is named"),
        (lambda: mlp((4, 4, 4), nn.ReLU), "fc1+fc2", {"bias": True}, "'fc1' has no bias"),
        (lambda: mlp((4, 4, 4), nn.ReLU), "fc1+fc2", {"top_k": 33}, r"1 … 32, the weights of layers 'fc1\+fc2'"),
        (lambda: mlp((4, 4, 4), nn.ReLU), "fc1+fc2", {"curvature": "exact"}, "curvature is one of"),
        (Twice, "one+fc", {}, "fed one vector per sample, once"),
        (Twice, "one+cut", {}, "does not depend on layer 'cut'"),
    ],
)
def test_what_cannot_be_studied_jointly_is_told(model, layer, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        analyze(model(), torch.randn(6, 4), torch.arange(6) % 4, layer, **settings)


def test_work_that_cannot_fit_is_refused(monkeypatch):
    monkeypatch.setattr("engine.curvature.analyze.free_memory", lambda _: 10_000)
    with pytest.raises(MemoryError, match=r"44 weights and 8 samples needs about .* are free\. Set top_k"):
        run(net("relu"))


def test_suppression_is_told_to_be_of_single_layers():
    with pytest.raises(ValueError, match="layer by layer"):
        run(net("relu")).suppress(keep=1)


@pytest.mark.parametrize(("name", "bias"), [("relu", False), ("tanh", True), ("branches", True), ("cnn", False)])
def test_the_check_confirms_sound_numbers_and_finds_a_wrong_one(name, bias):
    planted = net(name)
    kept = run(planted, bias=bias).kept(("C",))
    checks = verify(*planted[:3], kept)
    assert {"H", "C", "E_h2"} <= {c.symbol for c in checks}
    assert max(c.error for c in checks if len(c.directions) == 1) < 1e-6
    bent = kept.eigenvalues.copy()
    bent[0] *= 1.001
    wrong = {c.directions: c.error for c in verify(*planted[:3], dataclasses.replace(kept, eigenvalues=bent))[:1]}
    assert wrong[(1,)] == pytest.approx(1e-3, rel=1e-2)
