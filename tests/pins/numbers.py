"""One analysis of every layer of every reference case, in numbers that survive the signs of eigenvectors.

What a rounding error of relative size ε of H and M may change is known to first order: an eigenvalue by ε‖H‖, a
diagonal v_iᵀMv_i by ε‖M‖(1 + 2‖H‖/gap_i), gap_i being the distance of H_ii to its neighbours; all else follows. So
directions that H does not tell apart are compared as loosely as they are defined, and all others to ε.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import nn

from engine import Analysis, analyze
from tests.reference.cases import ONE_PLACE, Case, case, lonely, silent

GOLDENS = Path(__file__).with_name("goldens.npz")
# Relative error of a matrix against its Frobenius norm.
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
EDITS: tuple[dict[str, Any], ...] = ({}, {"keep": 2, "tail": 0.1}, {"homogenise": True})
SUBJECTS: Mapping[str, Callable[[], Case]] = {
    **{name: lambda name=name: case(name) for name in ONE_PLACE},
    "lonely": lonely,
    "silent": silent,
}
# Directions that a law is fitted over: those whose curvature is more than this share of the largest.
DATA = 1e-2


def analyses(name: str, dtype: str) -> Iterator[tuple[str, Analysis]]:
    """Every pinned analysis of a case with its name, on one thread: of each layer, loss and setting."""
    subject = SUBJECTS[name]()
    layers = [n for n, module in subject.model.named_modules() if isinstance(module, nn.Linear)]
    jobs: dict[str, dict[str, Any]] = {layer: {"layer": layer} for layer in layers}
    own = {"layer": subject.layer}
    jobs |= {loss: {**own, "loss": loss} for loss in ("mse", "linear_mse")}
    jobs |= {"leading": {**own, "top_k": 4}, "bootstrap": {**own, "bootstrap": 3}}
    # The curvature that "auto" does not take.
    forced = "full" if subject.piecewise else "gauss-newton"
    jobs |= {"whole class": {**own, "anchors_per_class": None}, forced: {**own, "curvature": forced}}
    if subject.bias:
        jobs["bias"] = {**own, "bias": True}
    if len(layers) > 1:
        jobs["joint"] = {"layer": layers}
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for job, settings in jobs.items():
            how = {"batch_size": 3, "anchors_per_class": 2, "dtype": dtype, "device": "cpu", "seed": 1} | settings
            yield f"{name}/{job}", analyze(subject.model, subject.inputs, subject.targets, **how)
    finally:
        torch.set_num_threads(before)


def numbers(result: Analysis) -> dict[str, ndarray]:
    """What is kept of an analysis, by name."""
    d, k = result.provenance.dimension, result.k
    probes = np.random.default_rng(0).standard_normal((d, 3))
    seen = result.basis.T @ probes
    p = result.provenance
    by_name = {
        "eigenvalues": result.eigenvalues,
        "facts": np.array([p.samples, p.d_out, p.d_in, p.unpaired, p.sigma_w2, p.mean_loss, p.accuracy]),
    }
    for name in ("H", *result.names):
        values = [result.traces[name], result.squares[name]]
        if name != "H":
            values += [result.commutator(name), result.random_commutator(name)]
            values += [result.alignment(name), result.random_alignment(name)]
            by_name[f"{name}/diagonal"] = result.diagonal(name)
            by_name[f"{name}/law"] = law(result, name)
        by_name[f"{name}/numbers"] = np.array(values)
        if k == d:
            # wᵀMz for a few fixed w and z: the whole matrix, whatever the basis.
            by_name[f"{name}/forms"] = (seen.T @ result.projected(name, k) @ seen)[np.triu_indices(3)]
        if name in result.replicates:
            by_name[f"{name}/replicates"] = result.replicates[name].flatten()
    if not result.provenance.shapes:
        for place, edit in enumerate(EDITS):
            edited = result.suppress(**edit)
            by_name[f"suppressed {place}/hessian"] = edited.hessian_diagonal
            by_name[f"suppressed {place}/noise"] = edited.noise_diagonal
    return by_name


def law(result: Analysis, name: str) -> ndarray:
    """γ, its intercept and both ends of its interval over samples; NaN where nothing can be fitted, and for the
    interval where some samples make all of a direction's noise: without them it is rounding."""
    window, result = data(result.eigenvalues), result.sampled()
    try:
        fit = result.fit(name, window)
    except ValueError:
        return np.full(4, np.nan)
    resampled = [z[name][:, :window] for z in (result.jackknife.diagonals, result.replicates) if name in z]
    sound = all(np.all(z > DATA * result.diagonal(name)[:window]) for z in resampled)
    return np.array([fit.gamma, fit.intercept, *(fit.interval if fit.interval and sound else (np.nan, np.nan))])


def data(eigenvalues: ndarray) -> int:
    """Leading directions whose curvature is far above rounding."""
    return max(1, int((eigenvalues > DATA * eigenvalues[0]).sum()))


def allowed(kept: Mapping[str, ndarray], error: float) -> dict[str, ndarray]:
    """How far each kept number may move where H and all M change by `error` of their norms."""
    h = kept["eigenvalues"]
    norm_h = np.sqrt(kept["H/numbers"][1])
    steps = np.abs(np.diff(h))
    # Below the last of the leading directions there may be any other.
    gap = np.minimum(np.append(np.inf, steps), np.append(steps, np.inf))
    gap[-1] = min(gap[-1], abs(h[-1])) if h.size > 1 else norm_h
    turn = 1 + 2 * norm_h / np.maximum(gap, 1e-100)
    bounds = {"eigenvalues": np.full(h.size, error * norm_h), "facts": error * (1 + np.abs(kept["facts"]))}
    norms = {n: np.sqrt(kept[f"{n}/numbers"][1]) for n in matrices(kept)}
    for name, norm in norms.items():
        trace, square = error * norm * np.sqrt(h.size), 2 * error * norm**2
        if f"{name}/forms" in kept:
            bounds[f"{name}/forms"] = np.full(6, error * norm * 100)
        bounds[f"{name}/numbers"] = np.array([trace, square])
        moves = error * norm * turn
        if f"{name}/replicates" in kept:
            bounds[f"{name}/replicates"] = np.tile(10 * moves, kept[f"{name}/replicates"].size // h.size)
        if name == "H":
            continue
        diagonal = kept[f"{name}/diagonal"]
        product = np.sqrt((h**2 * diagonal**2).sum())
        ratios = [8 * error * norm_h * norm / max(product, 1e-300), 100 * error]
        ratios += [2 * float((np.abs(diagonal) * moves).sum()) / norm**2 + 2 * error, 100 * error]
        bounds[f"{name}/diagonal"] = moves
        bounds[f"{name}/numbers"] = np.append(bounds[f"{name}/numbers"], ratios)
        bounds[f"{name}/law"] = _law(kept, name, moves, error * norm_h)
    for name in kept:
        if name.startswith("suppressed"):
            # Edited curvatures are at most those of the samples: E[h²]_ii bounds them.
            scale = norms["E_h2"] if name.endswith("noise") else np.sqrt(norms["E_h2"] * np.sqrt(h.size))
            scale = max(scale, float(np.abs(kept[name]).max()))
            bounds[name] = error * scale * turn
    return bounds


def _law(kept: Mapping[str, ndarray], name: str, moves: ndarray, move: float) -> ndarray:
    h, c = kept["eigenvalues"], kept[f"{name}/diagonal"]
    window = slice(0, data(h))
    gamma = kept[f"{name}/law"][0]
    u, v = np.log10(h[window]), np.maximum(np.abs(c[window]), 1e-100)
    du, shift = u - u.mean(), (moves[window] / v + np.abs(gamma) * move / h[window]) / np.log(10)
    slope = np.sqrt((shift**2).sum() / max((du**2).sum(), 1e-30))
    # An interval is a multiple of the spread of slopes without a few samples: theirs err as much.
    return np.array([slope, shift.max() + slope * np.abs(u).max(), 10 * slope, 10 * slope])


def matrices(kept: Mapping[str, ndarray]) -> list[str]:
    """Names of the matrices that numbers are kept of."""
    return [name.removesuffix("/numbers") for name in kept if name.endswith("/numbers")]


def compare(ours: Mapping[str, ndarray], kept: Mapping[str, ndarray], error: float, what: str) -> None:
    """Raise AssertionError naming each number that moved further than an error of that relative size allows."""
    assert ours.keys() == kept.keys(), f"{what}: {sorted(ours.keys() ^ kept.keys())} are kept on one side only"
    bounds, moved = allowed(kept, error), []
    for name, golden in kept.items():
        assert ours[name].shape == golden.shape, f"{what}, {name}: {ours[name].shape}, kept {golden.shape}"
        defined = np.isfinite(bounds[name]) & np.isfinite(golden)
        assert np.array_equal(np.isfinite(golden), np.isfinite(ours[name])), f"{what}, {name}: {ours[name]}, {golden}"
        distance = np.where(defined, np.abs(ours[name] - golden) / np.where(defined, bounds[name], 1), 0)
        if distance[worst := int(distance.argmax())] > 1:
            moved.append(f"{name}[{worst}] is {ours[name][worst]!r}, kept {golden[worst]!r}: {distance[worst]:.3g} ×")
    assert not moved, f"{what} moved beyond {error}:\n" + "\n".join(moved)


def read() -> dict[str, dict[str, ndarray]]:
    """The kept numbers of every analysis, by its name."""
    with np.load(GOLDENS) as file:
        values, layout = file["values"], json.loads(str(file["layout"]))
    parts = iter(np.split(values, np.cumsum([size for sizes in layout.values() for size in sizes.values()])))
    return {analysis: {name: next(parts) for name in sizes} for analysis, sizes in layout.items()}


def renew() -> None:
    """Write the goldens anew."""
    made = {name: numbers(result) for subject in SUBJECTS for name, result in analyses(subject, "float64")}
    values = np.concatenate([value for by_name in made.values() for value in by_name.values()])
    layout = {analysis: {name: value.size for name, value in by_name.items()} for analysis, by_name in made.items()}
    np.savez_compressed(GOLDENS, values=values, layout=np.array(json.dumps(layout)))
