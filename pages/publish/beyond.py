"""What this project asks beyond the paper: whether γ holds on other samples, and what predicts the noise itself. Rows
in, Markdown out."""

from collections.abc import Callable, Sequence

import numpy as np

from engine.sweeps.means import cells
from pages.publish.rows import CLOSE, Claim, Row, Say, finite, last, number, share, signed_span, span, symbol, table
from pages.rooms.sweeps.beyond import OF_C, PREDICTORS, SIZED

TITLE = "Beyond the paper: other samples, and the noise itself"
ABOUT = (
    "New here, not the paper's. γ of $C$ as everywhere else, with equal weight for every decade of $H_{ii}$, and "
    "*crossed*: directions found on one half of the samples, $H$ and $C$ read along them on the other, both ways. "
    "$N_\\mathrm{eff}$: how many samples carry $\\mathrm{tr}\\,H$. Then the distance "
    "$\\|C - X\\|_F / \\|C\\|_F$ of each predictor and, behind the stroke, the same at its best scale; 1 would be "
    "reached by predicting no noise at all. Means over seeds; – is not measured."
)


def overview(rows: Sequence[Row]) -> str:
    """Both, a line a cell, as means over seeds; empty where no row has any of it."""
    finals = last(rows)
    if not any(np.isfinite(row.laws["C"].crossed) or np.isfinite(row.laws["C_awd"].scaled) for row in finals):
        return ""
    body = [
        [
            f"{some[0].row}, {some[0].classes} classes",
            *(_mean(some, of) for of in OF_C.values()),
            *(_distance(some, name) for name in PREDICTORS),
        ]
        for some in cells(finals)
    ]
    head = ["", "γ of $C$", "by decade", "crossed", "$N_\\mathrm{eff}$", *map(symbol, PREDICTORS)]
    return table(head, body)


def _mean(rows: Sequence[Row], of: Callable[[Row], float]) -> str:
    """With the standard deviation over seeds, from three on; large numbers without decimals."""
    values = finite(map(of, rows))
    if not values:
        return "–"
    digits = 2 if np.mean(values) < 10 else 0
    spread = f" ± {number(float(np.std(values, ddof=1)), digits)}" if len(values) > 2 else ""
    return f"{number(float(np.mean(values)), digits)}{spread}"


def _distance(rows: Sequence[Row], name: str) -> str:
    scaled = _mean(rows, lambda row: row.laws[name].scaled)
    return f"{_mean(rows, lambda row: row.laws[name].absolute)} / {scaled}" if name in SIZED else scaled


def crossed(rows: Sequence[Row]) -> Claim | None:
    """γ of C on other samples than gave the directions."""
    laws = [(row, row.laws["C"]) for row in last(rows)]
    known = [(row, law) for row, law in laws if np.isfinite(law.crossed - law.gamma)]
    if not known:
        return None
    gaps = [law.crossed - law.gamma for _, law in known]
    nearer = sum(abs(law.crossed - 1) < abs(law.gamma - 1) for _, law in known)
    holds = all(abs(gap) < CLOSE for gap in gaps)
    title = "γ holds on other samples" if holds else "γ does not hold on other samples everywhere"
    text = (
        "Directions found on one half of the samples, $H$ and $C$ read along them on the other: γ of $C$ is "
        f"{span(law.crossed for _, law in known)}, where it is {span(law.gamma for _, law in known)} on all samples at "
        f"once; the difference is {signed_span(gaps)}. The crossed one is nearer to 1 in "
        f"{share(nearer, len(known), 'runs')}."
    )
    effective = finite(row.effective for row, _ in known)
    if effective:
        text += (
            f" $\\mathrm{{tr}}\\,H$ is carried by {span(effective, 0)} effective samples: crossed slopes err, too, "
            "where they are few."
        )
    return Claim(holds, title, text)


def nearest(rows: Sequence[Row]) -> Claim | None:
    """Which predictor comes nearest to the measured C."""
    known = [row for row in last(rows) if len(_scaled(row)) > 1 and "C_awd" in _scaled(row)]
    if not known:
        return None
    best = [min(_scaled(row), key=_scaled(row).__getitem__) for row in known]
    holds = all(name == "C_awd" for name in best)
    title = "Duality is the best predictor of the noise" if holds else "Duality is not the best predictor of the noise"
    counts = ", ".join(
        f"{symbol(name)} in {share(best.count(name), len(known), 'runs')}" for name in PREDICTORS if name in best
    )
    medians = "; ".join(
        f"{symbol(name)} {_median(known, name, 'scaled')}"
        + (f", and {_median(known, name, 'absolute')} as it is" if name in SIZED else "")
        for name in PREDICTORS
        if any(name in _scaled(row) for row in known)
    )
    return Claim(
        holds,
        title,
        f"Nearest to $C$ as a matrix, each at its best scale: {counts}. Distances as a share of $\\|C\\|_F$, in the "
        f"median: {medians}.",
    )


def _scaled(row: Row) -> dict[str, float]:
    return {name: row.laws[name].scaled for name in PREDICTORS if np.isfinite(row.laws[name].scaled)}


def _median(rows: Sequence[Row], name: str, distance: str) -> str:
    return number(float(np.median(finite(getattr(row.laws[name], distance) for row in rows) or [np.nan])))


CLAIMS: Sequence[Say] = (crossed, nearest)
