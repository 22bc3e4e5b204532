"""Whether a covariance shares its directions with the curvature: its pictures, and meters beside chance."""

import numpy as np
import streamlit as st
from numpy import ndarray

from pages.charts import animation, curves, heatmaps
from pages.charts.heatmaps import Raster
from pages.data import random_draws, results
from pages.data.results import View
from pages.plot import reproduce
from pages.plot.plot import Leading, draw
from pages.state.palette import LOOKS
from pages.ui import cards, marker
from pages.ui.controls import provenance

CELL = 195


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


def three_heatmaps(page: str, view: View, name: str, k: int, seed: int, shown: Raster | None = None) -> None:
    """K, R_real and R_rand side by side; shown: the cells, the leading k directions unless told otherwise. Up to
    heatmaps.AHEAD directions the pictures follow the page's slider while it moves."""
    a, tex, marked = view.analysis, LOOKS[name].tex, marker.pointed(view)
    shown = shown or heatmaps.raster(k)
    if k <= heatmaps.AHEAD:
        shown = heatmaps.ahead(k, a.blocks[name].shape[0] if name in a.blocks else k)
    n = max(k, shown.stop)
    block, real, random = a.projected(name, n), a.correlation(name, n), random_twin(view, name, n, seed)
    grid = st.grid(3, min_column_width=CELL, gap="small")

    asked = {
        "K": f'result.projected("{name}", {k})',
        "R_real": f'result.correlation("{name}", {k})',
        "R_rand": f'result.random_correlation("{name}", {random_draws.drawn_size(view, n)}, seed={seed})[:{k}, :{k}]',
    }

    def picture(key: str, title: str, matrix: ndarray, alt: str, words: str) -> None:
        st.markdown(title)
        figure = (
            heatmaps.covariance(matrix, a.eigenvalues, shown, marked)
            if key == "K"
            else heatmaps.correlation(matrix, a.eigenvalues, f"R<sub>{key[2:]}</sub>", shown, marked)
        )
        draw(
            figure,
            key,
            f"{key.replace('_', '-')}-{name}-{view.epoch}",
            alt,
            follows=Leading(f"{page}.k", k, n) if k <= heatmaps.AHEAD else None,
            arrays=lambda: {key: matrix[:k, :k], "H": a.eigenvalues[:k]},
            code=lambda: reproduce.one(view, f"H = result.eigenvalues[:{k}]", f"{key} = {asked[key]}"),
            on_click=marker.at,
        )
        st.caption(words)

    with grid.cell():
        picture(
            "K",
            "**$K$ – the noise**",
            block,
            f"Heatmap of the leading {k} by {k} block of {name} in the eigenbasis of H, symmetric-log colours.",
            f"${tex}$ in the axes of curvature, strongest first.",
        )
    with grid.cell():
        picture(
            "R_real",
            "**$R_\\mathrm{real}$ – measured**",
            real,
            f"Heatmap of the correlation of {name} between {k} eigen-directions of H.",
            "The same as correlations: near 0 off the diagonal if directions are shared.",
        )
    with grid.cell():
        if random is None:
            st.markdown("**$R_\\mathrm{rand}$ – by chance**")
            no_twin(view, name)
        else:
            picture(
                "R_rand",
                "**$R_\\mathrm{rand}$ – by chance**",
                random,
                "Heatmap of the correlation after a random rotation, on the same scale.",
                "What the same spectrum gives when it is turned at random.",
            )
    if shown.step > 1:
        st.caption(
            f":material/grid_view: {k:,} × {k:,} entries are shown as means over {shown.step} × {shown.step} of them. "
            "“Cell by cell” above shows a part of them as they are."
        )


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


def play(view: View, name: str, wanted: int, seed: int) -> None:
    """K and R_real at every analysed epoch, one after the other inside one figure, beside R_rand."""
    k = min(wanted, animation.MOST)
    frames = _frames(view, name, k)
    random = random_twin(view, name, k, seed)
    draw(
        animation.play(frames, view.epoch, random, marker.pointed(view)),
        "play",
        f"epochs-{name}",
        f"K and R of {name} for the leading {k} directions at epochs {', '.join(str(f.epoch) for f in frames)}, "
        "one after the other.",
        arrays=lambda: {
            "epoch": np.array([f.epoch for f in frames]),
            "K": np.stack([f.block for f in frames]),
            "R_real": np.stack([f.correlation for f in frames]),
            **({} if random is None else {"R_rand": random}),
        },
        code=lambda: reproduce.along(
            view,
            f'K, R_real = result.projected("{name}", {k}), result.correlation("{name}", {k})',
            f'print(made.request.epoch, result.fit("{name}").gamma, result.commutator("{name}"))',
        ),
        on_click=marker.at,
    )
    few = f" Of {len(view.epochs)} epochs {len(frames)} are shown." if len(frames) < len(view.epochs) else ""
    fewer = f" At most {animation.MOST} directions are shown here." if wanted > k else ""
    st.caption(
        "Each epoch in its own eigenbasis of H; one colour scale for all of them. "
        f"$R_\\mathrm{{rand}}$ is of epoch {view.epoch}.{few}{fewer} {provenance(view)}"
    )


def _frames(view: View, name: str, k: int) -> list[animation.Frame]:
    frames = []
    by_epoch = {made.request.epoch: made for made in view.analysed}
    for epoch in animation.fewer(view.epochs):
        a = results.analysis(view.run.key, by_epoch[epoch])
        if a is None:
            continue
        fit = cards.fit_or_none(a, name, cards.usual_window(a))
        numbers = [] if fit is None else [f"γ = {fit.gamma:.2f}"]
        if name in a.wholes:
            numbers.append(f"commutator error {a.commutator(name):.2f}, by chance {a.random_commutator(name):.2f}")
        frames.append(animation.Frame(epoch, a.projected(name, k), a.correlation(name, k), " · ".join(numbers)))
    return frames


def commutator(view: View, name: str, k: int) -> None:
    """How far H and the matrix are from commuting: everywhere, inside the leading block, and in the rest."""
    a = view.analysis
    chance = a.random_commutator(name)
    try:
        rows = {"all directions": a.commutator(name)}
        if k < a.k:
            rows |= {f"leading {k}": a.commutator(name, "top", k), "the rest": a.commutator(name, "bulk", k)}
    except ValueError:
        st.caption("The commutator of a matrix is kept with its spectrum.")
        return
    whole = a.whole(name)
    draw(
        curves.meter(
            rows,
            chance,
            f"turned at random: {chance:.2f}",
            "commutator error",
            LOOKS[name].colour,
            1.1 * max(chance, 1),
        ),
        "commutator",
        f"commutator-{name}-{view.epoch}",
        f"Commutator errors: {', '.join(f'{part} {v:.2f}' for part, v in rows.items())}; at random {chance:.2f}.",
        arrays=lambda: {"leading": whole.top, "rest": whole.bulk, "random": np.array([chance])},
        code=lambda: reproduce.one(
            view,
            f'leading, rest = result.whole("{name}").top, result.whole("{name}").bulk',
            f'random = [result.random_commutator("{name}")]',
        ),
    )
    st.caption(provenance(view))


def alignment(view: View) -> None:
    """Alignment of every matrix with the eigenbasis of H; each has its own value at random."""
    a = view.analysis
    values = {name: (a.alignment(name), a.random_alignment(name)) for name in a.names}
    draw(
        curves.alignments(values),
        "alignment",
        f"alignment-{view.epoch}",
        "Alignment: " + ", ".join(f"{name} {value:.2f}" for name, (value, _) in values.items()),
        arrays=lambda: {
            "matrix": np.array(list(values)),
            "alignment": np.array([v for v, _ in values.values()]),
            "random": np.array([r for _, r in values.values()]),
        },
        code=lambda: reproduce.one(
            view,
            "alignment = [result.alignment(name) for name in result.names]",
            "random = [result.random_alignment(name) for name in result.names]",
        ),
    )
    st.caption(provenance(view))
