"""The knobs of the sandbox: one distribution of curvatures and one correlation, chosen and shared through the URL."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import streamlit as st

from pages.state import selection
from pages.state.selection import bound

DISTRIBUTIONS: Mapping[str, str] = MappingProxyType(
    {
        "log_normal": "log-normal",
        "power_law": "power-law tail",
        "exponential": "exponential",
        "few_stiff": "few stiff samples",
    }
)
NARROWEST, WIDEST = 0.1, 1.5
RAREST = 0.8


@dataclass(frozen=True)
class Setting:
    """What the sandbox is made of, as engine.results.synthetic takes it."""

    distribution: str = "log_normal"
    decades: float = 0.5
    correlation: float = 0.4
    rarity: float = 0.0
    seed: int = 0

    @property
    def code(self) -> tuple[str, ...]:
        """The engine calls that make it."""
        return (
            "from engine.results import synthetic as sandbox",
            "",
            f'kappa = sandbox.curvatures("{self.distribution}", decades={self.decades:g}, seed={self.seed})',
            f"found = sandbox.correlated(kappa, {self.correlation:g}, rarity={self.rarity:g})",
        )


def chosen() -> Setting:
    """The setting that is selected, as far as there is such a one."""
    setting = selection.selected(Setting())
    return setting if setting.distribution in DISTRIBUTIONS else replace(setting, distribution=Setting.distribution)


def knobs(page: str) -> Setting:
    """Everything that can be turned, in one row."""
    now = chosen()

    with st.grid(5, min_column_width=150, gap="medium", vertical_alignment="bottom") as grid:
        with grid.cell():
            correlation = st.slider(
                "Correlation r of κ with α",
                0.0,
                1.0,
                step=0.01,
                help="How strongly the curvature κ of a sample correlates with its alignment α: with how sharp the "
                "directions are that it lies along. 0: the one has nothing to do with the other. 1: every direction "
                "is curved by samples of one curvature only.",
                **bound(page, "correlation", now.correlation),
            )
        with grid.cell():
            distribution = st.selectbox(
                "Curvatures κ",
                list(DISTRIBUTIONS),
                format_func=DISTRIBUTIONS.__getitem__,
                help="How κ is spread over the samples. Power-law tail: a few samples far above all others. "
                "Exponential: a long tail towards flat samples. Few stiff: one sample in twenty is stiff.",
                **bound(page, "distribution", now.distribution),
            )
        with grid.cell():
            decades = st.slider(
                "Width of κ, decades",
                NARROWEST,
                WIDEST,
                step=0.05,
                help="The standard deviation of log₁₀ κ: how wide the distribution is, and how heavy its tail.",
                **bound(page, "decades", now.decades),
            )
        with grid.cell():
            rarity = st.slider(
                "Rarity β of sharp samples",
                0.0,
                RAREST,
                step=0.05,
                help="A share ∝ κ^−β of all samples has curvature κ. 0: every direction owns an equal share. Above 0 "
                "sharp samples are rarer, and perfect alignment gives γ = (2 − β) / (1 − β), more than 2.",
                **bound(page, "rarity", now.rarity),
            )
        with grid.cell():
            seed = st.number_input(
                "Seed of the draw",
                0,
                10**6,
                step=1,
                help="Another one draws other samples of the same distribution.",
                **bound(page, "seed", now.seed),
            )
    width, r, beta = (round(float(z), 3) for z in (decades, correlation, rarity))
    return Setting(distribution, width, r, beta, int(seed))
