"""How often every interval that is shown holds the true γ, and how often a true line is called bent:
`python -m tests.benchmarks.coverage` prints the table of docs/statistics.md, some minutes on two cores.

Made-up samples in place of a network, whose true law is known. Sample p has one curvature κ_p, log-normal; it gives
κ_p w_i(κ_p) z² to H_ii and κ_p² w_i(κ_p) z² z'² to C_ii, with z, z' normal, drawn for each sample and direction. The
windows w_i(κ) = exp(a_i − (log κ − m_i)² / 2ε²) overlap, so that directions share samples and their distances from
the line are smooth. The a_i make the expected curve, log E[C_ii] on log E[H_ii], a line of slope GAMMA exactly. The
directions are given, not found on the samples: what that adds is the page “Would it hold on other samples?”.
"""

import argparse
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from engine.results.bend import LEVEL, bend
from engine.results.jackknife import GROUPS, Jackknife, places, stretches, student
from engine.results.power_law import bootstrap_interval, by_decade, interval, power_law, theil_sen

GAMMA, DRAWS, RESAMPLES = 1.3, 400, 300


@dataclass(frozen=True)
class World:
    """samples, directions; spread: of log κ; width: ε; sharpest, flattest: m of the first and the last direction."""

    name: str
    samples: int
    spread: float
    width: float
    sharpest: float
    flattest: float
    directions: int = 200


WORLDS = (
    World("many samples a direction", 5000, 1.0, 1.5, 2.0, -2.0),
    World("few", 2000, 1.5, 1.5, 3.0, -2.0),
)
# What is shown of a law, and which share of draws should be counted of each.
COVERED = (
    "γ, jackknife",
    "γ, bootstrap",
    "γ, every decade alike",
    "γ by Theil–Sen",
    "γ in a bin of H",
    "γ ± 2 standard errors of the line",
)
REJECTED = ("bend, leaving samples out", "bend, by blocks of directions")
COUNTED = {
    "effective": "effective samples in $C_{ii}$, median over directions",
    "carried": f"of {GROUPS} groups, those that carry the slope",
}


def samples(world: World, seed: int) -> tuple[ndarray, ndarray]:
    """What each sample gives to H_ii and to C_ii, (samples, directions)."""
    rng = np.random.default_rng(seed)
    log = rng.normal(0, world.spread, world.samples).astype(np.float32)[:, None]
    # More directions are flat than sharp, as in a network.
    m = world.sharpest - (world.sharpest - world.flattest) * np.sqrt(np.linspace(0, 1, world.directions))
    both, pull = world.width**2 + world.spread**2, world.spread**2
    # log E[H_ii] = (pull / both + b) m and log E[C_ii] = (2 pull / both + b) m, up to constants: slope GAMMA.
    b = pull / both * (2 - GAMMA) / (GAMMA - 1)
    m = m.astype(np.float32)
    shares = np.exp(m**2 / (2 * both) + b * m - (log - m) ** 2 / (2 * world.width**2))
    z, other = (rng.standard_normal(shares.shape, dtype=np.float32) ** 2 for _ in range(2))
    h = np.exp(log) * shares * z
    return h, np.exp(log) * h * other


def draw(world: World, seed: int) -> dict[str, float]:
    """Of one draw: whether each interval holds GAMMA (a share of the bins), whether a bend is found, and the median
    over directions of the effective number of samples in C_ii, and how many groups carry the slope."""
    h, c = (z.astype(np.float64) for z in samples(world, seed))
    x, y = h.mean(axis=0), c.mean(axis=0)
    edges, keep = stretches(world.directions), np.ones(world.directions, bool)
    without = Jackknife(edges, {name: left_out(z)[:, places(edges)] for name, z in (("H", h), ("C", c))}).without(
        "C", x, y, keep
    )
    assert without is not None
    counts = np.random.default_rng(seed).multinomial(
        world.samples, np.full(world.samples, 1 / world.samples), RESAMPLES
    )
    resampled = bootstrap_interval(*(counts @ z / world.samples for z in (h, c)))
    fit, law, blind = power_law(x, y), bend(x, y, 0.0, without), bend(x, y)
    line = (fit.gamma - 2 * fit.stderr, fit.gamma + 2 * fit.stderr)
    ends = (interval(fit.gamma, without), resampled, by_decade(x, y, 0.0, without).interval,
            theil_sen(x, y, 0.0, without).interval)  # fmt: skip
    holds = [float(low <= GAMMA <= high) for low, high in (pair for pair in ends if pair is not None)]
    t = student(GROUPS - 1)
    bins = [abs(b.gamma - GAMMA) <= t * b.stderr for b in law.local if b.stderr is not None]
    covered = (*holds, float(np.mean(bins)), float(line[0] <= GAMMA <= line[1]))
    return (
        dict(zip(COVERED, covered, strict=True))
        | dict(zip(REJECTED, (float(law.p <= LEVEL), float(blind.p <= LEVEL)), strict=True))
        | {"effective": float(np.median(c.sum(axis=0) ** 2 / (c**2).sum(axis=0))), "carried": without.effective}
    )


def left_out(z: ndarray) -> ndarray:
    """Means without each of GROUPS groups."""
    sums = np.stack([part.sum(axis=0) for part in np.split(z, GROUPS)])
    return (sums.sum(axis=0) - sums) / (len(z) - len(z) // GROUPS)


def rates(world: World, draws: int = DRAWS) -> dict[str, float]:
    """Means over draws of all that `draw` tells."""
    each = [draw(world, seed) for seed in range(draws)]
    return {name: float(np.mean([one[name] for one in each])) for name in each[0]}


def table(found: dict[str, dict[str, float]]) -> str:
    """The rates by world, in per cent."""
    lines = [f"| of 100 draws | should be | {' | '.join(found)} |", f"|:--|--:|{'--:|' * len(found)}"]
    for names, wanted in ((COVERED, "95 hold γ"), (REJECTED, "5 find a bend")):
        lines += [
            f"| {n} | {wanted} | {' | '.join(f'{100 * some[n]:.0f}' for some in found.values())} |" for n in names
        ]
    lines += [f"| {n} | | {' | '.join(f'{some[key]:.0f}' for some in found.values())} |" for key, n in COUNTED.items()]
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.coverage", description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS)
    draws = parser.parse_args().draws
    print(table({world.name: rates(world, draws) for world in WORLDS}))


if __name__ == "__main__":
    main()
