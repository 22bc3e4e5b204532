"""Which of the pages' panels a report of one run holds, chapter by chapter."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from engine.results.commutation import off_diagonal
from pages.charts.plane import magnification
from pages.data import plane, results
from pages.data.results import View
from pages.data.suppression import outcome
from pages.plot.panel import Panel
from pages.publish import through_epochs
from pages.rooms.commutativity import chance
from pages.rooms.commutativity import panels as commutativity_panels
from pages.rooms.dynamics import diagonals
from pages.rooms.dynamics import panels as dynamics_panels
from pages.rooms.held_out import nulls
from pages.rooms.power_law import panels as power_law_panels
from pages.rooms.start import idea as start
from pages.rooms.start import idea_text as start_text
from pages.rooms.suppression import panels as suppression_panels
from pages.state.edit import Edit, presets
from pages.state.palette import LOOKS
from pages.ui.controls import APPROXIMATIONS, usual_matrices

# Random rotations beside one measured matrix: p = 1/20 is the smallest they can tell.
DRAWS = 19
# The numbers of directions that a slider offers.
LEADING = (10, 20, 50)


@dataclass(frozen=True)
class Frame:
    """What all figures share: the analysis in view, directions first … last − 1 fitted, k shown in heatmaps."""

    view: View
    first: int
    last: int
    k: int


def idea(frame: Frame) -> Iterator[Panel]:
    """The loss over two directions with its noise, for each pair that is kept; a slider turns both directions."""
    for pair in plane.pairs(frame.view):
        there = plane.stored(frame.view, pair)
        if there is not None:
            panel = start.panel(frame.view, there)
            words = "along directions {} and {}".format(*pair)
            yield replace(
                panel.called(f"idea-{'-'.join(map(str, pair))}", f"The loss {words}"),
                lead=f"{start_text.headline(there)}. {start_text.answer(there)}",
                caption=start_text.provenance(there, magnification(there)),
            )


Chapter = Callable[[Frame], Iterator[Panel]]


def commutativity(frame: Frame) -> Iterator[Panel]:
    """K, R_real and R_rand of C and what it is held against, through the epochs and at the one in view, their sizes
    beside chance, commutators and alignment; C beside permuted gradients, where they are kept."""
    view, k = frame.view, frame.k
    for name in usual_matrices(view):
        yield through_epochs.play(view, name, k, LEADING)
        for panel in (*three(frame, name), _off_diagonal(frame, name), commutativity_panels.commutator(view, name, k)):
            if panel is not None:
                yield panel.called(f"{panel.head.key}-{name}", f"${LOOKS[name].tex}$: {panel.head.title}")
    structural = nulls.panel(view)
    if structural is not None:
        yield structural
    yield commutativity_panels.alignment(view)


def three(frame: Frame, name: str) -> list[Panel]:
    """K, R_real and R_rand of one matrix."""
    return commutativity_panels.heatmaps_of(frame.view, name, frame.k, 0)


def _off_diagonal(frame: Frame, name: str) -> Panel:
    """How strongly different directions are correlated, measured and in many random draws."""
    a, k = frame.view.analysis, frame.k
    draws = range(DRAWS if name in a.wholes else 0)
    drawn = [off_diagonal(a.random_correlation(name, k, seed)) for seed in draws]
    return chance.off_diagonal_of(frame.view, name, k, off_diagonal(a.correlation(name, k)), drawn)


def power_law(frame: Frame) -> Iterator[Panel]:
    """The law of what is measured and predicted, of the parts and steps; its window; its cause."""
    view, first, last = frame.view, frame.first, frame.last
    by_run = {"": view}
    clouds = power_law_panels.clouds(by_run, usual_matrices(view), first, last)
    yield from through_epochs.law(view, first, last)
    yield power_law_panels.law(by_run, clouds)
    if "C_awd" in view.analysis.names:
        steps = power_law_panels.clouds(by_run, ("C_hh", *APPROXIMATIONS, "E_h2"), first, last)
        yield power_law_panels.law(by_run, steps).called(
            "power-approximations", "The prediction's steps to the theorem"
        )
    yield power_law_panels.residuals(by_run, clouds)
    yield power_law_panels.gamma_by_window(by_run, clouds, first, last)
    if "E_h2" in view.analysis.names:
        yield power_law_panels.effective_curvature(view)


def dynamics(frame: Frame) -> Iterator[Panel]:
    """Fig. 4 and 5 of the paper, a to h, as far as there is more than one epoch."""
    view, first, last = frame.view, frame.first, frame.last
    both = usual_matrices(view)
    at_last = (dynamics_panels.training(view), diagonals.parts(last, view), diagonals.approximations(last, view))
    courses: Sequence[Panel | str] = ()
    if len(view.epochs) > 1:
        courses = (
            dynamics_panels.gammas(view.analysis.names, first, last, view),
            dynamics_panels.commutator(both, view),
            dynamics_panels.alignment(both, view),
            dynamics_panels.spearman(both, last, view),
            dynamics_panels.norms(view),
        )
    for panel in (*courses, *at_last):
        if isinstance(panel, Panel):
            yield panel


def suppression(frame: Frame) -> Iterator[Panel]:
    """Fig. 3 of the paper: what the presets leave of the noise, and the curvatures they edit."""
    view, spectra = frame.view, results.spectra(frame.view)
    if spectra is None:
        return
    rank = spectra.kappa.shape[1]
    for place, (title, (edit, _)) in enumerate(presets(rank).items()):
        edited = outcome(view, edit, rank, frame.first, frame.last)
        if edited is None or edited.unchanged:
            continue
        new_on_old = suppression_panels.new_on_old(view, edited, spectra)
        both = suppression_panels.both(view, edited, spectra)
        yield replace(
            new_on_old.called(f"suppressed-{place}", f"{title}: {new_on_old.head.title}"),
            lead=f"**{suppression_panels.sentence(edited)}**",
        )
        yield both.called(f"suppressed-law-{place}", f"{title}: {both.head.title}")
    measured = outcome(view, Edit(keep=rank), rank, frame.first, frame.last)
    if measured is not None:
        yield suppression_panels.single_samples(view, measured, spectra)
        yield suppression_panels.cumulative(view, measured, spectra)
