"""A results page as Markdown: rows in, text out. No number and no claim in it is written by hand."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from engine.sweeps.means import SEVERAL, cells
from engine.units import counted
from pages.publish import beyond, claims, tables
from pages.publish.paper_figures import Board, boards
from pages.publish.rows import Claim, Row, cell, last, listed, span, table

FOLDER = "results"
BESIDE = (
    "What the paper's text and captions tell of γ of $C$, and what is measured here with the most classes. "
    f"Beside it, whether they differ by less than {tables.CLOSE}, and whether our interval excludes the paper's number."
)
ALONG = "γ of $C$ at every analysed checkpoint, and the training accuracy there; means over seeds."
QUALIFIED = (
    "n directions of the window are fitted, the rest left out; γ again over half and twice the window; "
    "slopes of the second-order fit at the sharp and at the flat end; commutator error and alignment of the whole "
    "matrix."
)


def page(
    name: str,
    sweep: str,
    rows: Sequence[Row],
    drawn: Collection[str],
    missing: Sequence[str] = (),
    about: str = "",
) -> str:
    """The page of a sweep. name, about: as its file tells; sweep: how the command line calls it; drawn: the files
    there are in FOLDER; missing: a sentence for every cell that is not measured."""
    finals = last(rows)
    assessed = claims.claims(rows)
    holds, fails = ([claim for claim in assessed if claim.holds is side] for side in (True, False))
    course = tables.over_epochs(rows)
    paper = tables.against_paper(rows)
    further = beyond.overview(rows)
    parts = [
        f"# {name}",
        _opening(sweep, finals),
        about,
        _bullets(missing, "Not measured yet:"),
        "## Table 1",
        _reading(finals),
        tables.exponents(rows),
        "## What holds",
        _paragraphs(holds, "Of what was asked, nothing holds in every run."),
        "## What does not hold, or not everywhere",
        _paragraphs(fails, "All that was asked holds in every run."),
        *(("## Beside the paper", BESIDE, paper) if paper else ()),
        *((f"## {beyond.TITLE}", beyond.ABOUT, further) if further else ()),
        *(("## γ along training", ALONG, course) if course else ()),
        *(part for board in boards(rows) if drawn for part in _board(board, drawn)),
        "## What qualifies every γ",
        QUALIFIED,
        _folded("All runs", tables.details(rows)),
        "## Settings and commands",
        _origin(finals),
        tables.settings(rows),
        _folded("The commands that train each run and read its γ", _commands(finals)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _opening(sweep: str, rows: Sequence[Row]) -> str:
    return (
        "SGD's gradient noise has a covariance $C$, the loss a Hessian $H$. In the eigenbasis of $H$ the paper (arXiv "
        "2602.05600; its figures are numbered here as in version 1) finds $C_{ii} \\propto H_{ii}^{\\gamma}$ with "
        "$1 \\le \\gamma \\le 2$. It proposes why: activity-weight duality (AWD) gives a covariance "
        "$C_\\mathrm{AWD}$, and both should go with $\\mathrm{E}[h^2]$, the mean squared per-sample Hessian. The "
        "theory bounds every point between slopes 1 and 2, not a fitted slope. All is measured on the training set, as "
        "SGD sees it. Here this is put to "
        f"{counted(len(rows), 'run')} of this program. The page is written by a command, from "
        "[results.csv](results.csv); whether a claim holds is decided by the numbers, none of which is typed by "
        "hand:\n\n"
        f"```sh\npython -m engine sweep {sweep}\npython -m pages.publish {sweep} --measure\n```"
    )


def _reading(rows: Sequence[Row]) -> str:
    counts = {len(some) for some in cells(rows)}
    text = "γ by number of classes"
    if max(counts) > 1:
        text += f": mean over {span(counts, 0)} seeds"
        text += ", ± their standard deviation where there are three or more" if max(counts) >= SEVERAL else ""
    if any(np.isfinite(law.low) for row in rows for law in row.laws.values()):
        text += ", and below it the hull of the 95 % intervals over training samples"
    text += ". Fitted over the leading 𝒩 eigen-directions that lie above the noise floor, 𝒩 as under “Settings”."
    if any(row.departures for row in rows):
        text += " Superscripts tell where the settings depart from the paper's."
    return text


def _paragraphs(selected: Iterable[Claim], nothing: str) -> str:
    return "\n\n".join(f"**{claim.title}.** {claim.text}" for claim in selected) or nothing


def _bullets(sentences: Sequence[str], head: str) -> str:
    return "\n".join([head, "", *(f"- {sentence}" for sentence in sentences)]) if sentences else ""


def _board(board: Board, drawn: Collection[str]) -> Iterable[str]:
    yield f"## {board.title}"
    yield board.about
    for group in board.groups:
        names = " · ".join(f"{cell(row)}, epoch {row.epoch}" for row in group)
        files = {key: board.file(group, key) for key, _ in board.panels}
        if not set(files.values()) & set(drawn):
            yield f"**{names}**: not drawn, for want of its analysis."
            continue
        yield f"**{names}**"
        for start in range(0, len(board.panels), board.columns):
            panels = board.panels[start : start + board.columns]
            pictures = [
                f"![{_plain(title)} of {names}]({FOLDER}/{files[key]})" if files[key] in drawn else "not drawn"
                for key, title in panels
            ]
            yield table([title for _, title in panels], [pictures], left=len(panels))


def _plain(title: str) -> str:
    """A title without formula marks, for those who hear it."""
    return title.replace("$", "").replace("\\mathrm{", "").replace("}", "").replace("{", "")


def _origin(rows: Sequence[Row]) -> str:
    machines, versions = (sorted({getattr(row, field) for row in rows}) for field in ("machine", "version"))
    return (
        f"Measured on {listed(machines)}, with {listed(versions)}. N samples, mini-batches of B, 𝒩 "
        "directions; loss and accuracy at the epoch analysed, seconds as they passed, beside other work."
    )


def _commands(rows: Sequence[Row]) -> str:
    lines = ["\n".join(filter(None, (f"# {cell(row)}", row.command, row.reading))) for row in rows]
    return "```sh\n" + "\n".join(lines) + "\n```"


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
