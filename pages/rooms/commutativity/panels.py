"""Whether a covariance shares its directions with the curvature: its pictures, and meters beside chance."""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import streamlit as st
from numpy import ndarray

from pages.charts import curves, heatmaps
from pages.charts.heatmaps import Raster, Scale
from pages.data import random_draws, results
from pages.data.results import View
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.plot.plot import Leading
from pages.state.palette import LOOKS
from pages.text import definitions
from pages.ui import controls, marker

CELL = 195

K = Head("K", "$K$ – the noise", "the heatmap of K", definitions.K)
R_REAL = Head("R_real", "$R_\\mathrm{real}$ – measured", "the heatmap of R_real", definitions.R)
R_RAND = Head("R_rand", "$R_\\mathrm{rand}$ – by chance", "the heatmap of R_rand", definitions.R)
COMMUTATOR = Head("commutator", "Do they commute?", "the commutator errors", definitions.COMMUTATOR)
ALIGNMENT = Head(
    "alignment",
    "Which covariances are diagonal in the eigenbasis of H?",
    "the alignment of every covariance",
    definitions.ALIGNMENT,
)


def random_twin(view: View, name: str, k: int, seed: int) -> ndarray | None:
    """R_rand, or None where the spectrum was not kept."""
    try:
        return random_draws.random_correlation(view, name, k, seed)
    except ValueError:
        return None


def no_twin(view: View, name: str) -> None:
    """What to say where R_rand should be."""
    st.info(
        f"This analysis kept no spectrum of ${LOOKS[name].tex}$, so there is no random twin of it yet. One that is "
        "still at work brings it with its last step; an older one has it when it is made again.",
        icon=":material/info:",
    )


def heatmaps_of(
    view: View,
    name: str,
    k: int,
    seed: int,
    shown: Raster | None = None,
    marked: int | None = None,
    slider: str = "",
    colours: Scale | None = None,
) -> list[Panel]:
    """K, R_real and, where the spectrum was kept, R_rand. shown: the cells, the leading k directions unless told
    otherwise; slider: up to heatmaps.AHEAD directions the pictures follow it while it moves; colours: of K,
    symmetric-log unless told otherwise."""
    a, tex = view.analysis, LOOKS[name].tex
    shown = shown or heatmaps.raster(k)
    follows = None
    if slider and k <= heatmaps.AHEAD:
        shown = heatmaps.ahead(k, a.blocks[name].shape[0] if name in a.blocks else k)
        follows = Leading(slider, (k,), max(k, shown.stop))
    n = max(k, shown.stop)

    def picture(head: Head, matrix: ndarray, call: str, alt: str, caption: str) -> Panel:
        key = head.key
        return Panel(
            head,
            f"{key.replace('_', '-')}-{name}-{view.epoch}",
            heatmaps.covariance(matrix, a.eigenvalues, shown, marked, colours)
            if head is K
            else heatmaps.correlation(matrix, a.eigenvalues, f"R<sub>{key[2:]}</sub>", shown, marked),
            alt,
            caption,
            arrays=lambda: {key: matrix[:k, :k], "H": a.eigenvalues[:k]},
            code=lambda: reproduce.one(view, f"H = result.eigenvalues[:{k}]", f"{key} = result.{call}"),
            on_click=marker.at,
            follows=follows,
        )

    pictures = [
        picture(
            K,
            a.projected(name, n),
            f'projected("{name}", {k})',
            f"Heatmap of the leading {k} by {k} block of {name} in the eigenbasis of H, "
            f"{'colours by its square root' if colours and colours.low is None else 'symmetric-log colours'}.",
            f"${tex}$ in the axes of curvature, strongest first.",
        ),
        picture(
            R_REAL,
            a.correlation(name, n),
            f'correlation("{name}", {k})',
            f"Heatmap of the correlation of {name} between {k} eigen-directions of H.",
            "The same as correlations: near 0 off the diagonal if directions are shared.",
        ),
    ]
    random = random_twin(view, name, n, seed)
    if random is not None:
        pictures.append(
            picture(
                R_RAND,
                random,
                f'random_correlation("{name}", {random_draws.drawn_size(view, n)}, seed={seed})[:{k}, :{k}]',
                "Heatmap of the correlation after a random rotation, on the same scale.",
                "What the same spectrum gives when it is turned at random.",
            )
        )
    return pictures


def logarithmic(page: str) -> bool:
    """Whether K is coloured by its symmetric logarithm."""
    return st.toggle(
        "K on a logarithmic scale",
        key=f"{page}.log",
        help="Symmetric-log colours: all decades of K alike, and with them whatever is left off its diagonal.",
    )


def three_heatmaps(
    page: str, view: View, name: str, k: int, seed: int, shown: Raster | None = None, roots: bool = True
) -> None:
    """K, R_real and R_rand side by side; shown: the cells, the leading k directions unless told otherwise; roots:
    whether K is coloured by its square root, which shows its diagonal, or by its symmetric logarithm."""
    shown = shown or heatmaps.raster(k)
    playing = controls.playing(page)
    colours = heatmaps.scale(*_blocks(view, name, k, shown, every=playing), roots=roots)
    pictures = heatmaps_of(view, name, k, seed, shown, marker.pointed(view), f"{page}.k", colours)
    grid = st.grid(3, min_column_width=CELL, gap="small")
    for head, picture in zip_longest((K, R_REAL, R_RAND), pictures):
        with grid.cell():
            st.markdown(f"**{head.title}**")
            if picture is None:
                no_twin(view, name)
            else:
                picture.show()
    if shown.step > 1:
        st.caption(
            f":material/grid_view: {k:,} × {k:,} entries are shown as means over {shown.step} × {shown.step} of them. "
            "“Cell by cell” above shows a part of them as they are."
        )
    if playing:
        st.caption("One colour scale of K for every epoch that is played: K fades as the noise does, R does not.")


def _blocks(view: View, name: str, k: int, shown: Raster, every: bool) -> list[ndarray]:
    """What of K is seen, at the epoch in view or at every analysed one."""
    there = [results.analysis(view.run.key, made) for made in view.analysed] if every else [view.analysis]
    return [shown.cells(a.projected(name, k)) for a in there if a is not None and name in a.names]


def resolution(page: str, k: int) -> Raster:
    """How much of a large matrix is shown: all of it as means, or a part of it cell by cell."""
    left, right = st.columns([1, 2], gap="large", vertical_alignment="center")
    with left:
        cell_by_cell = st.toggle(
            "Cell by cell",
            key=f"{page}.cells",
            help=f"A window of {heatmaps.EXACT} directions as they are, in place of means over all {k:,}.",
        )
    if not cell_by_cell:
        return heatmaps.raster(k)
    with right:
        start = st.slider("First direction of the window", 1, k - heatmaps.EXACT + 1, key=f"{page}.from")
    return heatmaps.raster(k, start - 1)


def commutator(view: View, name: str, k: int) -> Panel | None:
    """How far H and the matrix are from commuting: everywhere, inside the leading block, and in the rest; None where
    its spectrum was not kept."""
    a = view.analysis
    if name not in a.wholes:
        return None
    whole, chance = a.whole(name), a.random_commutator(name)
    rows = {"all directions": a.commutator(name)}
    if k < a.k:
        rows |= {f"leading {k}": a.commutator(name, "top", k), "the rest": a.commutator(name, "bulk", k)}
    return Panel(
        COMMUTATOR,
        f"commutator-{name}-{view.epoch}",
        curves.meter(
            rows,
            chance,
            f"turned at random: {chance:.2f}",
            "commutator error",
            LOOKS[name].colour,
            1.1 * max(chance, 1),
        ),
        f"Commutator errors: {', '.join(f'{part} {v:.2f}' for part, v in rows.items())}; at random {chance:.2f}.",
        arrays=lambda: {"leading": whole.top, "rest": whole.bulk, "random": np.array([chance])},
        code=lambda: reproduce.one(
            view,
            f'leading, rest = result.whole("{name}").top, result.whole("{name}").bulk',
            f'random = [result.random_commutator("{name}")]',
        ),
    )


def alignment(view: View, names: Sequence[str] = ()) -> Panel:
    """Alignment of these matrices, every one unless told otherwise, with the eigenbasis of H; each has its own value at
    random."""
    a = view.analysis
    values = {name: (a.alignment(name), a.random_alignment(name)) for name in names or a.names}
    return Panel(
        ALIGNMENT,
        f"alignment-{view.epoch}",
        curves.alignments(values),
        "Alignment: " + ", ".join(f"{name} {value:.2f}" for name, (value, _) in values.items()),
        arrays=lambda: {
            "matrix": np.array(list(values)),
            "alignment": np.array([v for v, _ in values.values()]),
            "random": np.array([r for _, r in values.values()]),
        },
        code=lambda: reproduce.one(
            view,
            f"alignment = [result.alignment(name) for name in {tuple(values)!r}]",
            f"random = [result.random_alignment(name) for name in {tuple(values)!r}]",
        ),
    )
