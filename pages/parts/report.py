"""A whole run as one HTML file that opens anywhere, without a network: figures that can be zoomed, tables, words."""

import json
import time
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
import plotly.graph_objects as go

from engine.record import NAMES
from engine.typed import analyze_arguments, arguments
from pages.parts import live, prose, report_figures, results, run_facts, selection, sure, words
from pages.parts.controls import provenance, usual_matrices
from pages.parts.dynamics_panels import WIDTH, interval, milestone
from pages.parts.frame import describe, makeup
from pages.parts.palette import LOOKS
from pages.parts.panels import fit_or_none, usual_window
from pages.parts.report_figures import Chapter, Frame, Picture
from pages.parts.results import View

HEATMAP = 100
INTERVALS = "95 % intervals are over training samples where they were kept, else from the standard error"
STYLE, SCRIPT = (Path(__file__).with_name(f"report.{kind}") for kind in ("css", "js"))

CHAPTERS: Sequence[tuple[str, str, str, Chapter]] = (
    (
        "directions",
        "Do noise and curvature share their directions?",
        words.H + words.C + words.C_AWD + words.K + words.R + words.OFF_DIAGONAL + words.COMMUTATOR + words.ALIGNMENT,
        report_figures.commutativity,
    ),
    (
        "power",
        "By which power does noise grow with curvature?",
        words.GAMMA + words.FLOOR + words.FITS + words.RESIDUALS + words.WINDOW + words.EFFECTIVE + words.SIZE,
        report_figures.power_law,
    ),
    (
        "dynamics",
        "How does the law arise during training?",
        words.LEARNED + words.SPEARMAN + words.NORMS + words.PARTS + words.APPROXIMATIONS + words.ACCURACY,
        report_figures.dynamics,
    ),
    (
        "suppression",
        "Which curvatures make the exponent?",
        words.SPECTRA + words.SUPPRESSION + words.NEW_ON_OLD + words.BOUNDS + words.CARRIED + words.STIFF,
        report_figures.suppression,
    ),
)


def html(view: View) -> str:
    """The report of the run in view, at the epoch in view and over all epochs.

    Everything is in it: plotly.js once, the figures' numbers, the formulas as MathML. Its own policy forbids it
    to load anything."""
    from plotly.offline import get_plotlyjs

    # As the definitions take it, so that both tell the same numbers.
    first, last = selection.current().window or (1, usual_window(view.analysis))
    frame = Frame(view, first - 1, min(last, view.analysis.k), min(HEATMAP, view.analysis.k))
    title = f"{describe(view.run)}, epoch {view.epoch}"
    chapters = [(key, name, live.fill(about, view), list(chapter(frame))) for key, name, about, chapter in CHAPTERS]
    chapters = [chapter for chapter in chapters if chapter[3]]
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; "
            "style-src 'unsafe-inline'; img-src data: blob:\">",
            f"<title>{escape(title)} · Gammascope</title>",
            f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n<main>",
            _head(view),
            _menu(("settings", "Settings"), *(chapter[:2] for chapter in chapters), ("again", "To have it again")),
            _settings(view),
            *(
                _chapter(*chapter, table=_fits(frame) + _sure(frame) + _course(frame) if chapter[0] == "power" else "")
                for chapter in chapters
            ),
            _again(view),
            f"</main>\n<script>{get_plotlyjs()}</script>",
            f"<script>\n{SCRIPT.read_text(encoding='utf-8')}</script>\n</body>\n</html>",
        )
    )


def _menu(*links: tuple[str, str]) -> str:
    told = (f'<a href="#{key}">{escape(name)}</a>' for key, name in links)
    return f"<nav>{''.join(told)}</nav>"


def _head(view: View) -> str:
    a = view.analysis
    cards = []
    titles = {"C": "Noise exponent γ", "C_awd": "Predicted exponent γ", "E_h2": "Exponent γ of E[h²]"}
    for name, title in ((name, titles[name]) for name in usual_matrices(view)):
        fit = fit_or_none(a, name, usual_window(a))
        cards.append(
            (
                name,
                title,
                "—" if fit is None else f"{fit.gamma:.2f}",
                "" if fit is None else sure.brief(fit),
            )
        )
    if "C" in a.wholes:
        cards.append(("", "Commutator error", f"{a.commutator('C'):.2f}", f"by chance {a.random_commutator('C'):.2f}"))
    cards.append(("", "Alignment", f"{a.alignment('C'):.2f}", f"by chance {a.random_alignment('C'):.2f}"))
    cards.append(("", "Accuracy", f"{a.provenance.accuracy:.1%}", "on the training samples"))
    return (
        f'<header><p class="brand">Gammascope</p><h1>{escape(describe(view.run))}</h1>'
        f"<p>{escape(makeup(view.run)) + '. ' if view.run.label else ''}{prose.inline(milestone(view))}</p>"
        f'<p class="quiet">{escape(provenance(view))} · report of {time.strftime("%d %B %Y")}</p>'
        '<div class="cards">'
        + "".join(
            f'<div class="card" style="--edge:{LOOKS[name].colour if name else "var(--line)"}">'
            f"<span>{title}</span><b>{value}</b><small>{note}</small></div>"
            for name, title, value, note in cards
        )
        + "</div></header>"
    )


def _settings(view: View) -> str:
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in run_facts.settings(view.run).items()
    )
    asked = view.chosen.request
    layer = escape(selection.layer_name(asked.layer))
    return (
        f'<section id="settings"><h2>Settings</h2><dl>{rows}</dl>'
        f"<p>Analysed: layer {layer} at epochs {', '.join(map(str, view.epochs))}, with B = "
        f"{asked.batch_size} and {asked.bootstrap or 'no'} bootstrap resamples. {escape(view.run.end)}</p></section>"
    )


def _chapter(key: str, name: str, about: str, pictures: Sequence[Picture], table: str) -> str:
    return (
        f'<section id="{key}"><h2>{escape(name)}</h2>'
        f"<details><summary>What these figures show, and how it is defined</summary>"
        f'<div class="about">{prose.blocks(about)}</div></details>{table}'
        f'<div class="figures">{"".join(_figure(picture) for picture in pictures)}</div></section>'
    )


def _figure(picture: Picture) -> str:
    wide = ' class="wide"' if picture.wide else ""
    height = picture.figure.layout.height
    return (
        f"<figure{wide}><h3>{prose.inline(picture.title)}</h3>"
        f'<div class="plot" id="{picture.key}" role="img" aria-label="{escape(picture.alt)}" style="height:{height}px">'
        f'</div><script type="application/json" data-for="{picture.key}">{_json(picture.figure)}</script>'
        f"<figcaption>{prose.inline(picture.caption)}</figcaption></figure>"
    )


def _json(figure: go.Figure) -> str:
    """The figure for plotly.js, without Plotly's own template; nothing in it can end the script it stands in."""
    spec = json.loads(figure.to_json())
    spec["layout"].pop("template", None)
    return json.dumps(spec, separators=(",", ":")).replace("<", "\\u003c")


def _fits(frame: Frame) -> str:
    """The table of fits at the epoch in view."""
    a, rows = frame.view.analysis, []
    for name in a.names:
        fit = fit_or_none(a, name, frame.last, frame.first)
        if fit is None:
            rows.append([_symbol(name), NAMES[name][1], *["—"] * 7])
            continue
        low, high = fit.interval or (fit.gamma - WIDTH * fit.stderr, fit.gamma + WIDTH * fit.stderr)
        between = f"{low:.3f} … {high:.3f}"
        numbers = (f"<b>{fit.gamma:.3f}</b>", f"± {fit.stderr:.3f}", between, f"{fit.r2:.4f}", f"{fit.n:,}")
        rows.append(
            [_symbol(name), NAMES[name][1], *numbers, f"{fit.discarded:,}", f"{a.spearman(name, frame.last):.4f}"]
        )
    head = ("", "covariance", "γ", "standard error", "95 % interval", "R²", "n", "left out", "rank correlation")
    title = f"The fits at epoch {frame.view.epoch}, directions {frame.first + 1} … {frame.last:,}; {INTERVALS}"
    return _table("fits", title, head, rows, left=2)


def _sure(frame: Frame) -> str:
    """What qualifies the two exponents the report is about."""
    told = "\n\n".join(sure.told(frame.view, name, frame.last, frame.first) for name in usual_matrices(frame.view))
    return f'<h3>How sure is γ?</h3><div class="about">{prose.blocks(told)}</div>'


def _course(frame: Frame) -> str:
    """γ of every covariance at every epoch, with its interval."""
    view, rows = frame.view, []
    if len(view.epochs) < 2:
        return ""
    for name in view.analysis.names:
        course = results.course(view, name, frame.last, frame.first)
        low, high = interval(course)
        cells = (
            f"{g:.3f}<small>{lo:.3f} … {hi:.3f}</small>" if np.isfinite(g) else "—"
            for g, lo, hi in zip(course.gamma, low, high, strict=True)
        )
        rows.append([_symbol(name), *cells])
    return _table("course", f"γ over the epochs; {INTERVALS}", ("", *(f"epoch {epoch}" for epoch in view.epochs)), rows)


def _symbol(name: str) -> str:
    return prose.formula(LOOKS[name].tex)


def _table(key: str, title: str, head: Iterable[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    def row(cells: Iterable[str], tag: str) -> str:
        sides = ("left" if place < left else "right" for place in range(100))
        told = (f'<{tag} class="{side}">{cell}</{tag}>' for cell, side in zip(cells, sides, strict=False))
        return f"<tr>{''.join(told)}</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    return (
        f'<div class="scroll"><table id="{key}"><caption>{title}</caption><thead>{row(head, "th")}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _again(view: View) -> str:
    """The commands that make this run and this analysis."""
    import shlex

    # Weights from files have no command that trains them.
    train = [] if view.run.request.weights else [arguments(view.run.request)]
    lines = [*train, analyze_arguments(view.chosen.request)]
    told = "\n".join(f"python -m engine {shlex.join(line)}" for line in lines)
    return (
        f'<section id="again"><h2>To have it again</h2><p>{run_facts.again(view.run)} Key of the run {view.run.key}, '
        f"of its data {escape(view.run.fingerprint[:16])}.</p><pre>{escape(told)}</pre></section>"
    )
