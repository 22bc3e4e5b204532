"""γ over the seeds of a cell, and the LaTeX table of these means."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import require
from engine.sweeps.rows import Row, SomeRow, learned

# Seeds from which on their standard deviation is told.
SEVERAL = 3


@dataclass(frozen=True)
class Mean:
    """γ of one matrix over seeds: mean, standard deviation (NaN for one seed), the number of seeds measured, and
    the hull of the 95 % intervals over samples."""

    mean: float
    deviation: float
    seeds: int
    low: float
    high: float

    def spread(self, sign: str = "±") -> str:
        """ " ± standard deviation"; nothing for fewer than SEVERAL seeds, which hardly tell it: of two it lies between
        0.03 and 2.2 times the true one in 95 of 100 cases."""
        return f" {sign} {self.deviation:.3f}" if self.seeds >= SEVERAL else ""


def mean(rows: Sequence[Row], name: str, unlearned: bool = False) -> Mean | None:
    """γ of a matrix over rows that differ in the seed alone; None where none was measured. unlearned: count networks
    that have not learned, too."""
    laws = [row.laws[name] for row in rows if math.isfinite(row.laws[name].gamma) and (unlearned or learned(row))]
    if not laws:
        return None
    gammas = np.array([one.gamma for one in laws])
    deviation = float(gammas.std(ddof=1)) if gammas.size > 1 else math.nan
    low, high = (f([getattr(one, side) for one in laws]) for f, side in ((np.min, "low"), (np.max, "high")))
    return Mean(float(gammas.mean()), deviation, gammas.size, float(low), float(high))


def groups(rows: Iterable[SomeRow]) -> dict[str, dict[int, list[SomeRow]]]:
    """Rows of one name by number of classes, in their order; each list holds the seeds."""
    table: dict[str, dict[int, list[SomeRow]]] = {}
    for row in rows:
        table.setdefault(row.row, {}).setdefault(row.classes, []).append(row)
    return table


def cells(rows: Iterable[SomeRow]) -> list[list[SomeRow]]:
    """The rows of each cell, which differ in the seed."""
    return [cell for by_classes in groups(rows).values() for cell in by_classes.values()]


_SYMBOLS = {"C": r"$\gamma_C$", "C_awd": r"$\gamma_\mathrm{AWD}$"}

# Letters in names of rows that LaTeX has no glyph for.
_LETTERS = str.maketrans({"𝒩": r"$\mathcal{N}$", "η": r"$\eta$", "–": "--"})


def latex(name: str, rows: Iterable[Row]) -> str:
    """The table as LaTeX (booktabs): a row each, for every number of classes γ of C and of C_AWD, mean ± deviation
    over seeds. ValueError where no cell is measured."""
    import pandas as pd  # slow to import, and of all that reads rows only this needs it

    table = groups(rows)
    require(bool(table), f"No cell of “{name}” is measured: there is no table to write.")
    classes = sorted({count for cells in table.values() for count in cells})
    exponents = pd.DataFrame(
        {
            (f"{count} classes", symbol): [_pair(mean(cells.get(count, []), matrix)) for cells in table.values()]
            for count in classes
            for matrix, symbol in _SYMBOLS.items()
        },
        index=list(table),
    )
    names = exponents.style.format_index(lambda row: row.translate(_LETTERS), escape="latex")
    text = names.to_latex(column_format="l" + "cc" * len(classes), multicol_align="c", hrules=True)
    # The one thing that Styler cannot draw: a rule under each number of classes.
    rules = " ".join(rf"\cmidrule(lr){{{2 * i + 2}-{2 * i + 3}}}" for i in range(len(classes)))
    title = f"{' '.join(name.split())}: exponents of C_ii ~ H_ii^gamma, mean and standard deviation over seeds"
    out = sum(not learned(row) for by_classes in table.values() for some in by_classes.values() for row in some)
    title += f"; {out} left out, which have not learned" if out else ""
    return f"% {title}\n" + text.replace("\\\\\n", f"\\\\\n{rules}\n", 1)


def _pair(summary: Mean | None) -> str:
    if summary is None:
        return "--"
    return f"${summary.mean:.3f}" + summary.spread(r"\pm") + "$"
