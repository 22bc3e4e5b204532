"""What the table shows, in words and formulas."""

from collections.abc import Sequence

import numpy as np

from engine.sweeps.rows import learned
from engine.sweeps.status import State, measured
from engine.units import counted

TABLE_LEAD = r"""
How the exponent γ of $C_{ii} \propto H_{ii}^{\,\gamma}$ depends on data, network, loss and the number of classes: a
*sweep* trains and analyses a whole grid of settings, and the table fills cell by cell.
"""

BEYOND = r"""
Not the paper’s numbers, but this project’s. **γ by decade** gives every decade of $H_{ii}$ the same weight. **γ
crossed** takes the directions from one half of the samples and reads $H$ and $C$ along them on the other, both ways.
**N_eff** is how many samples carry $\mathrm{tr}\,H$: where they are few, every slope errs, the crossed one too.

**C to X** is $\|C - X\|_F / \|C\|_F$, how far a prediction $X$ is from the measured $C$ as a matrix: 0 if it is equal,
1 if it is no better than no noise at all. $C_\mathrm{AWD}$, $C_\mathrm{odds}$ and $C_\mathrm{loss}$ are taken with
their own size; $\mathrm{E}[h^2]$ predicts none and is taken at its best scale.
"""

TABLE = r"""
**A cell** is one kind of network with so many classes, trained once for every seed and analysed at its last epoch; each
run is a dot below the numbers. Shown are $\gamma$ of the measured noise $C$ and of the predicted $C_\mathrm{AWD}$: the
mean over seeds and, from three seeds on, **±** their standard deviation: how far another seed would be off. How sure
$\gamma$ is for one network is another matter: the 95 % interval over samples, under the pointer. Press a cell to see
its power laws.

**γ** is the slope of $\log_{10} C_{ii}$ on $\log_{10} H_{ii}$ over the leading $\mathcal N$ directions above the noise
floor. The paper finds $1 \le \gamma \le 2$: the shade deepens from 1 to 2, and a number outside is underlined. The
theory bounds points, not this slope.

**Why the paper’s numbers may differ.** Here other initial weights and batches were drawn, and small letters name the
settings that depart from the paper’s. $\gamma$ also hangs on $\mathcal N$, the number of directions fitted, and on how
far training has converged.
"""

PREDICTED = r"""
**On the diagonal** activity–weight duality predicts the exponent exactly. A large dot is the mean of a cell over its
seeds, a small one a single run; dotted and dashed lines are the slopes 1 and 2.
"""


def answer(states: Sequence[State]) -> str:
    """In how many networks the exponent is one of the paper's."""
    gammas = np.array([row.laws["C"].gamma for row in measured(states) if learned(row) and "C" in row.laws])
    gammas = gammas[np.isfinite(gammas)]
    if not gammas.size:
        return f"It is not known yet: of {counted(len(states), 'network')} none is measured that has learned."
    inside = int(((gammas >= 1) & (gammas <= 2)).sum())
    which = counted(gammas.size, "network")
    return (
        f"In **{inside} of {which}** that have learned γ of $C$ lies between 1 and 2: from **{gammas.min():.2f}** to "
        f"**{gammas.max():.2f}**, in the mean {gammas.mean():.2f}."
    )
