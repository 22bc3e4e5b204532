"""A whole run as one HTML file that opens anywhere, without a network: figures that move and zoom, tables, words.

`python -m pages.publish.run_report RUN --to FILE` writes it.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from plotly.offline import get_plotlyjs
from streamlit.logger import set_log_level

from engine.config.command_line import line
from engine.config.commands import AnalyzeCommand, TrainCommand
from engine.results.names import NAMES
from engine.results.power_law import Fit
from engine.runs import library
from engine.units import words
from pages.data import results
from pages.data.results import View
from pages.jobs import elsewhere
from pages.publish import panels
from pages.publish.panels import Chapter, Frame
from pages.rooms.dynamics.panels import WIDTH, interval, milestone
from pages.state import selection
from pages.state.palette import LOOKS
from pages.text import confidence, definitions, markdown, numbers, run_facts, structural
from pages.text.run_names import describe, makeup
from pages.ui.cards import fit_or_none, usual_window
from pages.ui.controls import provenance, usual_matrices

HEATMAP = 100
# Panels that take a whole row.
WIDE = (
    "play-C",
    "play-C_awd",
    "play-power",
    "alignment",
    "structural",
    "power",
    "power-approximations",
    "residuals",
    "gammas",
    "training",
)
INTERVALS = "95 % intervals are over training samples where they were kept, else from the standard error"
TEMPLATE, STYLE, SCRIPT = (Path(__file__).with_suffix(kind) for kind in (".html.jinja", ".css", ".js"))

CHAPTERS: Sequence[tuple[str, str, str, Chapter]] = (
    ("idea", "What do noise and curvature look like?", definitions.H + definitions.C, panels.idea),
    (
        "directions",
        "Do noise and curvature share their directions?",
        definitions.H
        + definitions.C
        + definitions.C_AWD
        + definitions.K
        + definitions.R
        + definitions.OFF_DIAGONAL
        + definitions.COMMUTATOR
        + structural.STRUCTURAL
        + definitions.ALIGNMENT,
        panels.commutativity,
    ),
    (
        "power_law",
        "By which power does noise grow with curvature?",
        definitions.GAMMA
        + definitions.FLOOR
        + definitions.FITS
        + definitions.RESIDUALS
        + definitions.WINDOW
        + definitions.EFFECTIVE
        + definitions.SIZE,
        panels.power_law,
    ),
    (
        "dynamics",
        "How does the law arise during training?",
        definitions.LEARNED
        + definitions.SPEARMAN
        + definitions.NORMS
        + definitions.PARTS
        + definitions.APPROXIMATIONS
        + definitions.ACCURACY,
        panels.dynamics,
    ),
    (
        "suppression",
        "Which curvatures make the exponent?",
        definitions.SPECTRA
        + definitions.SUPPRESSION
        + definitions.NEW_ON_OLD
        + definitions.BOUNDS
        + definitions.CARRIED
        + definitions.STIFF,
        panels.suppression,
    ),
)


def html(view: View) -> str:
    """The report of the run in view, at the epoch in view and over all epochs.

    Everything is in it: plotly.js once, the figures' numbers, the formulas as MathML. Its own policy forbids it
    to load anything."""
    # As the definitions take it, so that both tell the same numbers.
    first, last = selection.current().window or (1, usual_window(view.analysis))
    frame = Frame(view, first - 1, min(last, view.analysis.k), min(HEATMAP, view.analysis.k))
    chapters = [(key, name, numbers.fill(about, view), list(chapter(frame))) for key, name, about, chapter in CHAPTERS]
    return _template().render(
        view=view,
        frame=frame,
        name=describe(view.run),
        makeup=makeup(view.run),
        milestone=milestone(view),
        provenance=provenance(view),
        date=time.strftime("%d %B %Y"),
        cards=_cards(view),
        settings=run_facts.settings(view.run),
        analysed=view.chosen.request,
        layer=selection.layer_name(view.chosen.request.layer),
        chapters=[chapter for chapter in chapters if chapter[3]],
        intervals=INTERVALS,
        fits=[(name, fit_or_none(view.analysis, name, frame.last, frame.first)) for name in view.analysis.names],
        sure="\n\n".join(confidence.of_view(view, name, frame.last, frame.first) for name in usual_matrices(view)),
        epochs=[f"epoch {epoch}" for epoch in view.epochs],
        course=_course(frame),
        again=run_facts.again(view.run),
        commands=_commands(view),
        plotly=Markup(get_plotlyjs()),
    )


def _template() -> Template:
    """The page. All that is written into it is text unless it is marked as markup; a name it lacks is an error."""
    files = FileSystemLoader(TEMPLATE.parent)
    page = Environment(loader=files, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.globals.update(
        markdown=markdown,
        names=NAMES,
        wide=WIDE,
        symbol=lambda name: markdown.formula(LOOKS[name].tex),
        interval=_interval,
        numbers=_numbers,
        style=Markup(STYLE.read_text(encoding="utf-8")),
        script=Markup(SCRIPT.read_text(encoding="utf-8")),
    )
    return page.get_template(TEMPLATE.name)


def _cards(view: View) -> list[tuple[str, str, str, str]]:
    """The headline: colour of the edge, title, number, note."""
    a, cards = view.analysis, []
    titles = {"C": "Noise exponent γ", "C_awd": "Predicted exponent γ", "E_h2": "Exponent γ of E[h²]"}
    for name in usual_matrices(view):
        fit = fit_or_none(a, name, usual_window(a))
        over = f"Directions 1 … {usual_window(a):,}."
        number, note = ("—", "") if fit is None else (f"{fit.gamma:.2f}", f"{confidence.brief(fit)} {over}")
        cards.append((LOOKS[name].colour, titles[name], number, note))
    others = [
        ("Alignment", f"{a.alignment('C'):.2f}", f"by chance {a.random_alignment('C'):.2f}"),
        ("Accuracy", run_facts.share(a.provenance.accuracy), "on the training samples"),
    ]
    if "C" in a.wholes:
        others.insert(0, ("Commutator error", f"{a.commutator('C'):.2f}", f"by chance {a.random_commutator('C'):.2f}"))
    return cards + [("var(--line)", *other) for other in others]


def _interval(fit: Fit) -> tuple[float, float]:
    return fit.interval or (fit.gamma - WIDTH * fit.stderr, fit.gamma + WIDTH * fit.stderr)


def _course(frame: Frame) -> list[tuple[str, list[tuple[float, float, float]]]]:
    """γ of every covariance at every epoch, with its interval; NaN where nothing could be fitted."""
    view = frame.view
    if len(view.epochs) < 2:
        return []
    courses = {name: results.course(view, name, frame.last, frame.first) for name in view.analysis.names}
    return [(name, list(zip(c.gamma, *interval(c), strict=True))) for name, c in courses.items()]


def _numbers(figure: go.Figure) -> Markup:
    """The figure for plotly.js with its frames, without Plotly's own template; nothing in it can end the script it
    stands in."""
    spec = json.loads(figure.to_json())
    spec["layout"].pop("template", None)
    return Markup(json.dumps(spec, separators=(",", ":")).replace("<", "\\u003c"))


def _commands(view: View) -> list[str]:
    """The commands that make this run and this analysis."""
    # Weights from files have no command that trains them.
    train = [] if view.run.request.weights or view.run.recorded else [line(TrainCommand(view.run.request))]
    return [*train, elsewhere.command(view.run, AnalyzeCommand.of(view.chosen.request))]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report of a run; returns the exit code: 0 done, 1 failed (2, wrong usage, exits)."""
    asked = _parser().parse_args(argv)
    # The figures come from a program that is usually a server; here there is none, and nothing is amiss.
    set_log_level("ERROR")
    try:
        selection.choose(epoch=asked.epoch)
        run = results.chosen_run() if asked.run is None else library.find(results.store(), asked.run)
        view = None if run is None else results.view_of(run)
        if view is None:
            missing = "python -m engine train" if run is None else f"python -m engine analyze --run {run.key}"
            raise ValueError(f"Nothing is analysed yet that a report could show. First: {missing}.")
        if asked.epoch not in (None, view.epoch):
            raise ValueError(f"Epoch {asked.epoch} is not analysed; {', '.join(map(str, view.epochs))} are.")
        asked.to.write_text(html(view), encoding="utf-8")
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{asked.to} shows {describe(view.run)}, epoch {view.epoch}: {words(asked.to.stat().st_size)}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m pages.publish.run_report", description=html.__doc__)
    parser.add_argument("run", nargs="?", help="the key of a run or its beginning; left out: the one that opens first")
    parser.add_argument("--epoch", type=int, help="the epoch that is shown first; left out: the last one analysed")
    parser.add_argument("--to", type=Path, default=Path("gammascope.html"), help="the file that is written")
    return parser


if __name__ == "__main__":
    sys.exit(main())
