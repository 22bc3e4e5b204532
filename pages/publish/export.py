"""Figures as files: the app's figures on white paper, drawn by plotly.js in the system's Chromium."""

import re
from collections.abc import Mapping
from pathlib import Path

import plotly.graph_objects as go

INK, PAPER = "#1b2430", "#ffffff"
FONT = "Helvetica, Arial, sans-serif"
# Pixels of a file to one of the figure: sharp on a screen with two to a point, where it matters.
SCALES = {".png": 2, ".svg": 1}


def on_paper(figure: go.Figure, width: int) -> go.Figure:
    """A copy in the light theme, so many pixels wide."""
    font = (figure.layout.font.to_plotly_json() if figure.layout.font else {}) | {"family": FONT, "color": INK}
    copy = go.Figure(figure)
    return copy.update_layout(template="none", width=width, paper_bgcolor=PAPER, plot_bgcolor=PAPER, font=font)


def write(figures: Mapping[Path, go.Figure]) -> None:
    """Write every figure to its file, in the format its name ends in. ValueError, one sentence, without a Chromium."""
    import plotly.io
    from kaleido.errors import ChromeNotFoundError

    for path in figures:
        path.parent.mkdir(parents=True, exist_ok=True)
    if not figures:
        return
    try:
        plotly.io.write_images(
            list(figures.values()), list(map(str, figures)), scale=[SCALES[path.suffix] for path in figures]
        )
    except (ChromeNotFoundError, RuntimeError) as error:
        raise ValueError(
            f"Chromium, which draws the files, could not be used ({error}). Install it (Debian: apt-get install "
            "chromium)."
        ) from error
    for path in figures:
        if path.suffix == ".svg":
            path.write_text(steady(path.read_text(encoding="utf-8")), encoding="utf-8")


def steady(svg: str) -> str:
    """The same picture with names of its parts that are not drawn by lot: a figure that has not changed is the same
    file."""
    drawn = dict.fromkeys(re.findall(r"(?:defs-|\btrace)([0-9a-f]{6})\b", svg))
    for place, name in enumerate(drawn):
        svg = svg.replace(name, f"{place:06}")
    return svg
