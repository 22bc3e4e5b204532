"""Figures as files: the app's figures on white paper, drawn by plotly.js in the system's Chromium."""

from collections.abc import Mapping
from pathlib import Path

import plotly.graph_objects as go

INK, PAPER = "#1b2430", "#ffffff"
FONT = "Helvetica, Arial, sans-serif"
# Pixels of a file to one of the figure: sharp on a screen with two to a point.
SCALE = 2
# A third of the bytes, and no difference to the eye.
COLOURS = 256


def on_paper(figure: go.Figure, width: int | None = None) -> go.Figure:
    """A copy in the light theme, so many pixels wide, or as wide as its place."""
    font = (figure.layout.font.to_plotly_json() if figure.layout.font else {}) | {"family": FONT, "color": INK}
    copy = go.Figure(figure)
    return copy.update_layout(template="none", width=width, paper_bgcolor=PAPER, plot_bgcolor=PAPER, font=font)


def write(figures: Mapping[Path, go.Figure]) -> None:
    """Write every figure to its PNG file. ValueError, one sentence, without a Chromium."""
    import plotly.io  # with kaleido, slow to load: only to write pictures
    from kaleido.errors import ChromeNotFoundError
    from PIL import Image

    for path in figures:
        path.parent.mkdir(parents=True, exist_ok=True)
    if not figures:
        return
    try:
        # Unless they are told, sizes are plotly's own.
        sizes = {side: [figure.layout[side] for figure in figures.values()] for side in ("width", "height")}
        plotly.io.write_images(list(figures.values()), list(map(str, figures)), scale=SCALE, **sizes)
    except (ChromeNotFoundError, RuntimeError) as error:
        raise ValueError(
            f"Chromium, which draws the files, could not be used ({error}). Install it (Debian: apt-get install "
            "chromium)."
        ) from error
    for path in figures:
        picture = Image.open(path).convert("RGB")
        picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
