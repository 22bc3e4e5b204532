"""What an analysis tells beside its matrices, made again from what it keeps by other arithmetic: NumPy only."""

from collections.abc import Mapping

import numpy as np
from numpy import ndarray

from engine.results.analysis import Analysis
from engine.results.power_law import fittable
from engine.results.record import Check


def checks(analysis: Analysis, along: Mapping[str, ndarray]) -> list[Check]:
    """along: H_ii and E[h²]_ii of the probes, from the network."""
    made = [*_finite(analysis), *_sums(analysis), *_commutators(analysis), *_gammas(analysis)]
    return made + _suppression(analysis, along)


def _finite(analysis: Analysis) -> list[Check]:
    """Numbers that are none, in all that is kept."""
    parts: dict[str, object] = {"H": analysis.eigenvalues, **analysis.diagonals}
    parts |= {f"{name} block": x for name, x in analysis.blocks.items()}
    parts |= {f"tr {name}": x for name, x in analysis.traces.items()}
    parts |= {f"overlap {name}": x for name, x in dict(analysis.overlaps).items()}
    parts |= {f"{name} spectrum": x.spectrum for name, x in analysis.wholes.items()}
    if analysis.spectra is not None:
        parts |= {f"spectra {name}": x for name, x in vars(analysis.spectra).items()}
    counts = {name: int((~np.isfinite(np.asarray(x))).sum()) for name, x in parts.items()}
    wrong = {name: count for name, count in counts.items() if count}
    return [Check(name, (), float("nan"), 0.0, what="NaN in", again=True) for name in wrong] or [
        Check("all that is kept", (), 0.0, 0.0, what="NaN in", again=True)
    ]


def _sums(analysis: Analysis) -> list[Check]:
    """Traces; ‖M‖² of the own eigenvalues of M, the squares that alignment and distance are made of."""
    made = []
    for name in ("H", *analysis.names):
        diagonal = analysis.diagonal(name).astype(np.float64)
        size = float(np.abs(diagonal).sum())
        made.append(Check(name, (), analysis.traces[name], float(diagonal.sum()), "tr", size, again=True))
        if name == "H":
            square = float((diagonal**2).sum())
        elif name in analysis.wholes:
            square = float((analysis.wholes[name].spectrum.astype(np.float64) ** 2).sum())
        else:
            continue
        made.append(Check(name, (), analysis.squares[name], square, "‖·‖² of", again=True))
        if name != "H" and square:
            alignment = float((diagonal**2).sum()) / square
            made.append(Check(name, (), analysis.alignment(name), alignment, "alignment of", again=True))
    return made


def _commutators(analysis: Analysis) -> list[Check]:
    """Of leading blocks, by the products themselves; a block's diagonal is the matrix' own."""
    made = []
    for name, whole in analysis.wholes.items():
        block = analysis.blocks.get(name)
        if block is None:
            continue
        size = len(block)
        k, h = block.astype(np.float64), np.diag(analysis.eigenvalues[:size].astype(np.float64))
        for j in sorted({min(size, 2), size // 2 or 1, size}):
            left = h[:j, :j] @ k[:j, :j]
            norm = float(np.linalg.norm(left))
            error = float(np.linalg.norm(left - left.T)) / norm if norm else 0.0
            kept = float(whole.top[j - 1]) if norm else 0.0
            made.append(Check(name, (1, j), kept, error, "commutator of", 1e-2, again=True))
        worst = int(np.abs(k.diagonal() - analysis.diagonal(name)[:size]).argmax())
        diagonal = analysis.diagonal(name)
        # The smallest are rounding of the largest.
        of, scale = float(diagonal[worst]), 1e-3 * float(np.abs(diagonal).max())
        made.append(Check(name, (worst + 1,), float(k[worst, worst]), of, "block of", scale, again=True))
    return made


def _gammas(analysis: Analysis) -> list[Check]:
    """Slopes by NumPy's own least squares."""
    made = []
    for name in analysis.names:
        x, y = (z.astype(np.float64) for z in (analysis.eigenvalues, analysis.diagonal(name)))
        keep = fittable(x, y, analysis.noise_floor)
        if keep.sum() < 3:
            continue
        slope = float(np.polyfit(np.log10(x[keep]), np.log10(y[keep]), 1)[0])
        made.append(Check(name, (1, x.size), analysis.fit(name).gamma, slope, "γ of", 1e-2, again=True))
    return made


def _suppression(analysis: Analysis, along: Mapping[str, ndarray]) -> list[Check]:
    """With nothing suppressed the spectra of all samples give H_ii and E[h²]_ii back; of some, only their own."""
    spectra, probes = analysis.spectra, analysis.probes
    if spectra is None or probes is None or "E_h2" not in analysis.names:
        return []
    if len(spectra.kappa) < analysis.provenance.samples:
        return []
    back = analysis.suppress(keep=None)
    pairs = (("H", back.hessian_diagonal), ("E_h2", back.noise_diagonal))
    return [
        Check(name, (int(i) + 1,), float(diagonal[i]), float(along[name][row]), "unsuppressed")
        for name, diagonal in pairs
        for row, i in enumerate(probes.index)
    ]
