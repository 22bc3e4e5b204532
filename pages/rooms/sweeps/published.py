"""Measured cells that come with the project, in docs: shown where this computer has not measured them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import streamlit as st

from engine.config.requests import AnalysisRequest
from engine.sweeps.rows import Row, from_csv, identity, row_identity
from engine.sweeps.status import State

DOCS = Path(__file__).parents[3] / "docs"
FILES = (DOCS / "results.csv", DOCS / "design" / "results.csv")


def published_rows(states: Sequence[State]) -> dict[str, Row]:
    """The published rows of the cells that are not measured here, by the cell's key."""
    known = _known()
    identities = {s.cell.key: identity(s.cell) for s in states if s.row is None and _usual(s.cell.analysis)}
    return {key: known[one] for key, one in identities.items() if one in known}


def _usual(request: AnalysisRequest) -> bool:
    """Whether it is analysed as the published cells were; their rows do not tell how."""
    return request == AnalysisRequest(request.run, request.epoch, request.layer, request.batch_size)


def origin(rows: Iterable[Row]) -> str:
    """Where they come from, in a line."""
    cells = list(rows)
    machines, versions = (", ".join(dict.fromkeys(getattr(row, name) for row in cells)) for name in _WHENCE)
    return (
        f":material/menu_book: Grey numbers are not of this computer: {len(cells)} cells came with the program, "
        f"measured on {machines} with {versions}. What is measured here takes their place."
    )


_WHENCE = ("machine", "version")


def _known() -> Mapping[tuple[object, ...], Row]:
    try:
        return _read(FILES, tuple(file.stat().st_mtime_ns for file in FILES))
    except (OSError, ValueError):
        # A copy of the program without its documents, or with others: then there is nothing to show.
        return {}


@st.cache_resource(max_entries=1, show_spinner=False)
def _read(files: Sequence[Path], versions: tuple[int, ...]) -> Mapping[tuple[object, ...], Row]:
    rows = [row for file in files for row in from_csv(file.read_text(encoding="utf-8"))]
    # Of a run that was looked at along training, the last epoch is the cell's.
    return {row_identity(row): row for row in sorted(rows, key=lambda row: row.epoch)}
