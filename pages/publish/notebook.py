"""The dashboard's figures of a result in hand, each in one call: for a notebook, or a script that saves them."""

import plotly.graph_objects as go

from engine.results.analysis import Analysis
from pages.charts import curves, heatmaps
from pages.charts import power_law as laws
from pages.charts import residuals as charts
from pages.charts.power_law import Cloud
from pages.publish.export import on_paper
from pages.ui.cards import fit_or_none, usual_window


def _drawn(result: Analysis, names: tuple[str, ...], top_k: int | None, first: int) -> list[Cloud]:
    last = usual_window(result) if top_k is None else top_k
    return [
        Cloud(name, result.eigenvalues, result.diagonal(name), fit_or_none(result, name, last, first), first, last,
              result.noise_floor)
        for name in names or tuple(name for name in ("C", "C_awd") if name in result.names)
    ]  # fmt: skip


def power_law(result: Analysis, *names: str, top_k: int | None = None, first: int = 0) -> go.Figure:
    """C_ii against H_ii on log axes with the fits over directions first … top_k − 1, as the page Power law draws
    them; names: the matrices, C and C_AWD unless told otherwise."""
    return on_paper(laws.power_law(_drawn(result, names, top_k, first)))


def residuals(result: Analysis, *names: str, top_k: int | None = None, first: int = 0) -> go.Figure:
    """How far each direction lies off the line, in decades."""
    return on_paper(charts.residuals(_drawn(result, names, top_k, first)))


def gamma_by_window(result: Analysis, *names: str) -> go.Figure:
    """γ over the first 𝒩 directions for every 𝒩."""
    return on_paper(charts.gamma_by_window(_drawn(result, names, None, 0), 0, usual_window(result)))


def covariance(result: Analysis, name: str = "C", k: int = 50) -> go.Figure:
    """K: the matrix in the leading k eigen-directions of H."""
    return on_paper(heatmaps.covariance(result.projected(name, k), result.eigenvalues))


def correlation(result: Analysis, name: str = "C", k: int = 50) -> go.Figure:
    """R_real: K scaled to ones on the diagonal."""
    return on_paper(heatmaps.correlation(result.correlation(name, k), result.eigenvalues, "R<sub>real</sub>"))


def random_correlation(result: Analysis, name: str = "C", k: int = 50, seed: int = 0) -> go.Figure:
    """R_rand: the same for a matrix of these eigenvalues that is turned at random."""
    turned = result.random_correlation(name, k, seed)
    return on_paper(heatmaps.correlation(turned, result.eigenvalues, "R<sub>rand</sub>"))


def alignments(result: Analysis) -> go.Figure:
    """How diagonal every matrix is in the eigenbasis of H, beside what chance would give."""
    return on_paper(curves.alignments({name: (result.alignment(name), result.random_alignment(name))
                                       for name in result.names}))  # fmt: skip
