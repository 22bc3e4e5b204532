"""What the page says in words: what is drawn, and the answer from the numbers."""

import numpy as np

from pages.data.depth import Columns
from pages.state.palette import LOOKS

NETWORK = r"""
**Layers that can be studied**, in the order in which a sample uses them: linear layers and convolutions with weights
$W$ of $d_\mathrm{out} \times d_\mathrm{in}$, at $T$ places of a sample (tokens, or positions of an image). A block is
wide by the logarithm of $D = d_\mathrm{out}\,d_\mathrm{in}$ and high by that of its outputs. Each is analysed by
itself: $H$ and $C$ are $D \times D$.

**How the Hessian of a sample is taken.** *Exact* where what follows the layer is piecewise linear; *full second
derivative* where it is smooth; *Gauss–Newton* where it is smooth and the layer is used at too many places: that is not
the Hessian, and every figure that shows it says so.
"""

DEPTH = r"""
**γ along depth.** The exponent of $C_{ii} \propto H_{ii}^{\gamma}$, and that of $\mathrm{E}[h^2]$, of each layer by
itself, with 95 % intervals over training samples. A layer is fitted over the window chosen above, as far as it has
directions: of wide layers only the leading ones are kept. γ hangs on the window, so compare layers over one that all
of them have. The paper's second version says that the exponent depends on the layer.
"""

TRACES = r"""
**tr C / tr H**: how much noise there is for the curvature there is, over the directions kept. $C$ has a factor $1/B$,
for a batch drawn with replacement; drawn without, as in training, it is $(N-B)/(N-1)$ times as large.
"""

DISTANCE = r"""
**Is C proportional to E[h²]?** The paper proposes so; slopes alone would not tell. The relative distance at the best
scale,

$$\min_s \frac{\lVert C - s\,\mathrm{E}[h^2]\rVert_F}{\lVert C\rVert_F},$$

is 0 where it is, and 1 where they have nothing in common. It is taken over all directions kept.
"""


def number(value: float, digits: int = 2) -> str:
    """A number in a sentence."""
    return f"{value:.{digits}f}".replace("-", "−")


def answer(epoch: int, names: list[str], columns: Columns) -> str:
    """Whether the exponents differ between these layers, from the numbers."""
    known = np.flatnonzero(np.isfinite(columns.gamma))
    if not known.size:
        return f"No layer has an exponent at epoch {epoch} yet."
    if known.size == 1:
        (only,) = known
        return (
            f"At epoch {epoch} γ of $C$ is **{number(columns.gamma[only])}** in {names[only]}, and no other layer has "
            "one to compare it with."
        )
    ranges = [_range(tex, values, names) for tex, values in _exponents(columns) if np.isfinite(values).sum() > 1]
    return f"At epoch {epoch} {', '.join(ranges)}. {_told_apart(names, columns)}"


def _exponents(columns: Columns) -> tuple[tuple[str, np.ndarray], ...]:
    return (LOOKS["C"].tex, columns.gamma), (LOOKS["E_h2"].tex, columns.gamma_E_h2)


def _range(tex: str, values: np.ndarray, names: list[str]) -> str:
    low, high = int(np.nanargmin(values)), int(np.nanargmax(values))
    ends = (f"**{number(values[i])}** ({names[i]})" for i in (low, high))
    return f"γ of ${tex}$ lies between {' and '.join(ends)}"


def _told_apart(names: list[str], columns: Columns) -> str:
    """Whether two intervals of C lie apart."""
    known = np.isfinite(columns.low) & np.isfinite(columns.high)
    if known.sum() < 2:
        return "No intervals over samples are kept to say whether layers differ by more than chance."
    highest, lowest = (int(i) for i in (np.nanargmax(columns.low), np.nanargmin(columns.high)))
    if columns.low[highest] <= columns.high[lowest]:
        return "All 95 % intervals overlap: by these samples no two layers can be told apart."
    return (
        f"The 95 % intervals do not all overlap: {names[highest]} is at least {number(columns.low[highest], 3)}, "
        f"{names[lowest]} at most {number(columns.high[lowest], 3)}, so the exponent depends on the layer. Each "
        f"interval speaks for its own layer: none is widened for there being {known.sum()}."
    )
