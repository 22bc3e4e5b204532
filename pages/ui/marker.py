"""The one direction that is pointed at: clicked in any figure, marked in all of them."""

from pages.data.results import View
from pages.state import palette, selection
from pages.state.palette import LOOKS


def at(direction: int) -> None:
    """Point at a direction (from 1), as a click on it does."""
    selection.choose(direction=direction)


def away() -> None:
    """Point at nothing."""
    selection.choose(direction=None)


def pointed(view: View) -> int | None:
    """The direction pointed at (from 1), if this analysis has it."""
    direction = selection.current().direction
    return direction if direction is not None and direction <= view.analysis.k else None


def sentence(view: View, names: tuple[str, ...], direction: int, shown: int | None = None) -> str:
    """What is known of a direction. shown: leading directions that the page's pictures have."""
    a = view.analysis
    i = direction - 1
    values = ", ".join(f"${_symbol(name)}_{{ii}}$ = {palette.number(a.diagonal(name)[i])}" for name in ("H", *names))
    louder = f" and {ordinal(1 + int((a.diagonal('C') > a.diagonal('C')[i]).sum()))} noisiest" if "C" in a.names else ""
    place = f"the {ordinal(direction)} sharpest{louder} of {a.k:,} directions."
    below = " Its curvature is below the noise floor." if a.eigenvalues[i] <= a.noise_floor else ""
    beyond = f" It is beyond the {shown:,} shown." if shown is not None and direction > shown else ""
    return f"**Direction {direction:,}**: {values}; {place}{below}{beyond}"


def _symbol(name: str) -> str:
    tex = LOOKS[name].tex
    return f"({tex})" if "_" in tex else tex


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th …"""
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n:,}{ending}"
