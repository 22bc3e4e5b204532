"""The figures of a report, drawn from one run's numbers: each with its title, its words and its provenance."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from engine.results.commutation import off_diagonal
from pages.charts import curves, heatmaps, residuals
from pages.charts import power_law as figures
from pages.charts.power_law import Cloud
from pages.data import results
from pages.data.results import View
from pages.data.suppression import outcome as outcome_of
from pages.rooms.commutativity import chance
from pages.rooms.commutativity import panels as directions
from pages.rooms.dynamics import diagonals
from pages.rooms.dynamics import panels as dynamics_panels
from pages.rooms.dynamics.panels import APPROXIMATIONS, Panel
from pages.rooms.power_law import panels as exponents
from pages.rooms.suppression import figures as spectra
from pages.rooms.suppression import panels as suppressing
from pages.rooms.suppression.figures import EDITED
from pages.rooms.suppression.figures import MEASURED as AS_MEASURED
from pages.state.edit import Edit, factor_label, presets
from pages.state.palette import LOOKS
from pages.ui.controls import provenance, usual_matrices

# Random rotations beside one measured matrix: p = 1/20 is the smallest they can tell.
DRAWS = 19


@dataclass(frozen=True)
class Picture:
    """A figure of the report under its key; caption in Markdown. wide: it takes a whole row."""

    key: str
    title: str
    figure: go.Figure
    alt: str
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class Frame:
    """What all figures share: the analysis in view, directions first … last − 1 fitted, k shown in heatmaps."""

    view: View
    first: int
    last: int
    k: int


def commutativity(frame: Frame) -> Iterator[Picture]:
    """K, R_real and R_rand of C and what it is held against, their sizes beside chance, commutators and alignment."""
    a, k, where = frame.view.analysis, frame.k, provenance(frame.view)
    for name in usual_matrices(frame.view):
        tex, colour = LOOKS[name].tex, LOOKS[name].colour
        yield from three(frame, name)
        yield _off_diagonal(frame, name)
        if name in a.wholes:
            chance = a.random_commutator(name)
            rows = {"all directions": a.commutator(name)}
            if k < a.k:
                rows |= {f"leading {k}": a.commutator(name, "top", k), "the rest": a.commutator(name, "bulk", k)}
            yield Picture(
                f"commutator-{name}",
                f"Do $H$ and ${tex}$ commute?",
                curves.meter(
                    rows, chance, f"turned at random: {chance:.2f}", "commutator error", colour, 1.1 * max(chance, 1)
                ),
                f"Commutator errors: {', '.join(f'{part} {v:.2f}' for part, v in rows.items())}.",
                where,
            )
    yield Picture(
        "alignment",
        "Which covariances are diagonal in the eigenbasis of $H$?",
        curves.alignments({name: (a.alignment(name), a.random_alignment(name)) for name in a.names}),
        "Alignment of every covariance with the eigenbasis of H, and its value at random.",
        where,
        wide=True,
    )


def three(frame: Frame, name: str) -> Iterator[Picture]:
    """K, R_real and R_rand of one matrix."""
    a, k, tex = frame.view.analysis, frame.k, LOOKS[name].tex
    real, random = a.correlation(name, k), directions.random_twin(frame.view, name, k, 0)
    yield Picture(
        f"K-{name}",
        f"$K$ of ${tex}$, the noise",
        heatmaps.covariance(a.projected(name, k), a.eigenvalues),
        f"Leading {k} by {k} block of {name} in the eigenbasis of H.",
        f"The leading {k} directions of ${tex}$ in the axes of curvature; symmetric-logarithmic colours.",
    )
    yield Picture(
        f"R-real-{name}",
        f"$R_\\mathrm{{real}}$ of ${tex}$, measured",
        heatmaps.correlation(real, a.eigenvalues, "R<sub>real</sub>"),
        f"Correlations of {name} between {k} eigen-directions of H.",
        "The same as correlations: near 0 off the diagonal if directions are shared.",
    )
    if random is not None:
        yield Picture(
            f"R-rand-{name}",
            f"$R_\\mathrm{{rand}}$ of ${tex}$, by chance",
            heatmaps.correlation(random, a.eigenvalues, "R<sub>rand</sub>"),
            "Correlations after a random rotation, on the same scale.",
            "What the same spectrum gives when it is turned at random.",
        )


def _off_diagonal(frame: Frame, name: str) -> Picture:
    """How strongly different directions are correlated, measured and in many random draws."""
    a, k = frame.view.analysis, frame.k
    real, counts, said = off_diagonal(a.correlation(name, k)), None, ""
    if name in a.wholes:
        drawn = [off_diagonal(a.random_correlation(name, k, seed)) for seed in range(DRAWS)]
        counts = np.array([one.counts[k - 1] for one in drawn])
        said = f"**{chance.verdict(float(real.rms[k - 1]), np.array([one.rms[k - 1] for one in drawn]))}** "
    return Picture(
        f"off-diagonal-{name}",
        f"Off the diagonal of ${LOOKS[name].tex}$",
        curves.off_diagonal(real.counts[k - 1], counts, LOOKS[name].colour),
        "Histogram of the correlations between different directions, measured and by chance.",
        f"{said}How often a correlation between two different directions has which size. {provenance(frame.view)}",
    )


def power_law(frame: Frame) -> Iterator[Picture]:
    """The law of what is measured and predicted, of the parts and steps; its window; its cause."""
    a, first, last = frame.view.analysis, frame.first, frame.last
    where = f"Fitted: directions {first + 1} … {last:,} above the noise floor. {provenance(frame.view)}"
    both = usual_matrices(frame.view)
    laws: dict[str, tuple[str, Sequence[str]]] = {"power-law": ("Measured and predicted", both)}
    if "C_awd" in a.names:
        steps = ("C_hh", *APPROXIMATIONS, "E_h2")
        laws["power-approximations"] = ("The prediction's steps to the theorem", steps)
    for key, (title, names) in laws.items():
        yield Picture(
            key,
            title,
            figures.power_law(exponents.clouds({"": frame.view}, names, first, last)),
            "Log-log plot of the noise variance against curvature, with fits and lines of slope 1 and 2.",
            where,
            wide=True,
        )
    clouds = exponents.clouds({"": frame.view}, both, first, last)
    yield Picture(
        "residuals",
        "Does one power hold over the whole window?",
        residuals.residuals(clouds),
        "Distances of the directions from the fitted line in decades, against curvature, with their running median.",
        f"Flat along zero: it does. {where}",
        wide=True,
    )
    yield Picture(
        "gamma-by-window",
        "How many directions?",
        residuals.gamma_by_window(clouds, first, last),
        "The exponent as a function of the number of leading directions fitted.",
        f"Shaded: the directions fitted above. {provenance(frame.view)}",
    )
    if "E_h2" in a.names:
        yield Picture(
            "effective",
            "What lifts γ above 1?",
            residuals.effective_curvature(a.eigenvalues, a.effective_curvature()),
            "Log-log plot of effective curvature against curvature, above its lower bound.",
            f"Flat would mean γ = 1; parallel to the dashed line, γ = 2. {provenance(frame.view)}",
        )


def dynamics(frame: Frame) -> Iterator[Picture]:
    """Fig. 4 and 5 of the paper, a to h, as far as there is more than one epoch."""
    view, first, last = frame.view, frame.first, frame.last
    both = usual_matrices(view)
    built: Sequence[tuple[str, str, Panel | str]] = ()
    if len(view.epochs) > 1:
        built = (
            ("gammas", "The exponent", dynamics_panels.gammas(view.analysis.names, first, last, view)),
            ("commutators", "Do noise and curvature commute?", dynamics_panels.commutator(both, view)),
            ("alignments", "Do they share directions?", dynamics_panels.alignment(both, view)),
            ("spearman", "Do they share the order?", dynamics_panels.spearman(both, last, view)),
            ("norms", "How large are they?", dynamics_panels.norms(view)),
        )
    for key, title, panel in (
        *built,
        ("training", "Loss and accuracy", dynamics_panels.training(view)),
        ("parts", "The parts of the prediction", diagonals.parts(last, view)),
        ("approximations", "Its approximations", diagonals.approximations(last, view)),
    ):
        if isinstance(panel, Panel):
            caption = f"{panel.said} {panel.caption}".strip()
            yield Picture(key, title, panel.figure, panel.alt, caption, wide=key in ("gammas", "training"))


def suppression(frame: Frame) -> Iterator[Picture]:
    """Fig. 3 of the paper: what the presets leave of the noise, and the curvatures they edit."""
    view, kept = frame.view, results.spectra(frame.view)
    if kept is None:
        return
    rank, where = kept.kappa.shape[1], suppressing.where(view, kept)
    for place, (title, (edit, _)) in enumerate(presets(rank).items()):
        outcome = outcome_of(view, edit, rank, frame.first, frame.last)
        if outcome is None or outcome.unchanged:
            continue
        said = f"**{suppressing.sentence(outcome)}** {where}"
        old, new = (outcome.of_data(s.noise_diagonal) for s in (outcome.old, outcome.new))
        yield Picture(
            f"suppressed-{place}",
            f"{title}: is the noise still the same?",
            spectra.new_on_old(old, new, outcome.new_on_old, frame.first, frame.last),
            "Log-log plot of the rebuilt noise against the measured one.",
            said,
        )
        before, after = (
            Cloud(
                name, outcome.of_data(s.hessian_diagonal), s.noise_diagonal, fit, frame.first, frame.last, style=style
            )
            for name, s, fit, style in (
                ("before", outcome.old, outcome.before, AS_MEASURED),
                ("after", outcome.new, outcome.after, EDITED),
            )
        )
        yield Picture(
            f"suppressed-law-{place}",
            f"{title}: and its power law?",
            spectra.both(before, after),
            "Log-log plot of noise against curvature, as measured and edited.",
            where,
        )
    edit = Edit()
    threshold = edit.stiff * float(np.abs(kept.kappa[:, 0]).max(initial=0.0))
    yield Picture(
        "samples",
        "How single samples curve",
        spectra.samples(kept.kappa, rank, "", threshold, f"stiff from {factor_label(edit.stiff)} of the largest"),
        "Per-sample curvatures by place: median, quantiles and some single samples.",
        f"As measured. {where}",
    )
    yield Picture(
        "cumulative",
        "How few carry the noise",
        spectra.cumulative(kept.second, rank, ""),
        "Share of the noise that the leading m eigenvalues of every sample carry.",
        f"As measured, summed over all directions. {where}",
    )


Chapter = Callable[[Frame], Iterator[Picture]]
