"""One colour, one marker and one way of writing for every meaning, in every figure and sentence.

The colours are legible on the light and the dark background (contrast above 3), so a figure is the same
object in both themes; markers and dashes say the same again for those who see colours differently.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from engine.results.names import NAMES

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Look:
    """How a matrix appears: colour, marker symbol, and its name in HTML (figures) and TeX (text)."""

    colour: str
    marker: str
    html: str
    tex: str


LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "C": Look("#d9730d", "circle", "C", r"C"),
        "C_awd": Look("#7a5fdd", "diamond", "C<sub>AWD</sub>", r"C_\mathrm{AWD}"),
        "C_hh": Look("#3ba25f", "square", "C<sub>hh</sub>", r"C_{hh}"),
        "C_hg": Look("#cf4f96", "triangle-up", "C<sub>hg</sub>", r"C_{hg}"),
        "C_gg": Look("#1d6fb5", "triangle-down", "C<sub>gg</sub>", r"C_{gg}"),
        "C_hh_sd": Look("#9c8412", "cross", "C<sub>hh</sub><sup>sd</sup>", r"C_{hh}^{sd}"),
        "C_hh_sd_wd": Look("#9a5470", "x", "C<sub>hh</sub><sup>sd+wd</sup>", r"C_{hh}^{sd+wd}"),
        "C_hh_sd_wd_li": Look("#c9372c", "star", "C<sub>hh</sub><sup>sd+wd+li</sup>", r"C_{hh}^{sd+wd+li}"),
        "E_h2": Look("#0b7f7a", "hexagon", "E[h²]", r"\mathrm{E}[h^2]"),
        "C_odds": Look("#6c90d8", "bowtie", "C<sub>odds</sub>", r"C_\mathrm{odds}"),
        "C_loss": Look("#65651e", "hourglass", "C<sub>loss</sub>", r"C_\mathrm{loss}"),
        "H": Look("#83939b", "circle", "H", r"H"),
    }
)

# Beside the ten matrices of the theory: those that the Fisher argument compares them with.
FISHER_LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "fisher": Look("#8a5a44", "pentagon", "F", r"F"),
        "empirical": Look("#6b8e23", "circle-open", "E[g gᵀ]", r"\mathrm{E}[g g^{\mathsf T}]"),
    }
)

# Of what may predict the noise: H over B, as it is and times the mean loss.
PREDICTOR_LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        **LOOKS,
        "H": replace(LOOKS["H"], html="H/B", tex="H/B"),
        "E_loss_H": Look("#b235b2", "square-open", "E[ℓ] H/B", r"\mathrm{E}[\ell]\,H/B"),
    }
)

# Of descents: SGD itself, and noises of another shape than a matrix has. What is turned at random is dotted as ever.
NOISE_LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "sgd": Look("#a23df0", "solid", "SGD", r"\mathrm{SGD}"),
        "turned": Look(LOOKS["C"].colour, "dot", "C turned", r"Q C Q^{\mathsf T}"),
        "isotropic": Look("#c0507a", "dash", "isotropic", r"I"),
        "none": Look(LOOKS["H"].colour, "dashdot", "no noise", r"0"),
    }
)


def faded(colour: str, alpha: float) -> str:
    """The colour #rrggbb with an opacity of 0 … 1."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


NEGATIVE, POSITIVE = "#2a6fc9", "#d3263b"
QUIET = "#75808c"
# The direction that is pointed at, in every figure.
MARK = "#e6178f"
TRAIN, TEST = "#0e8796", "#b0852b"
SHADE = "rgba(117,128,140,0.13)"
BUTTONS = {"bgcolor": "rgba(0,0,0,0)", "color": faded(QUIET, 0.6), "activecolor": TRAIN}
GRID = "rgba(117,128,140,0.22)"

# Slopes 1 and 2 are the same two lines in every figure.
SLOPES: Mapping[int, str] = MappingProxyType({1: "dot", 2: "dash"})


# Zero is transparent and strength is opacity: nothing is drawn where there is nothing, in either theme.
_STRENGTHS = (1.0, 0.75, 0.5, 0.25, 0.1, 0.0)
DIVERGING: list[tuple[float, str]] = [
    *((0.5 - 0.5 * s, faded(NEGATIVE, s**0.8)) for s in _STRENGTHS),
    *((0.5 + 0.5 * s, faded(POSITIVE, s**0.8)) for s in reversed(_STRENGTHS)),
]


def log_tick(exponent: int) -> str:
    """10 to a whole power, in HTML."""
    return f"10<sup>{str(exponent).replace('-', '−')}</sup>"


def number(value: float, digits: int = 3) -> str:
    """A number for a sentence: plain where that is short, m × 10ⁿ where it is not."""
    if value == 0 or not abs(value) < float("inf"):
        return "0" if value == 0 else "—"
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:,.{digits}g}".replace("-", "−") if abs(value) < 1000 else f"{value:,.0f}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    powers = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} × 10{powers}".replace("-", "−")


CURVATURE = "curvature H<sub>ii</sub> along eigen-direction i"


def layout(height: int, **more: Any) -> dict[str, Any]:
    """What every figure has in common; keywords replace it."""
    base = {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 54, "b": 8},
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "xanchor": "left", "yanchor": "bottom", "font": {"size": 13}},
        "hoverlabel": {"font": {"size": 13}},
        "font": {"size": 13},
        "hovermode": "closest",
        "modebar": BUTTONS,
    }
    return base | more


def figure(traces: list[dict[str, Any]], look: dict[str, Any]) -> "go.Figure":
    """A figure of traces and a layout as plotly.js takes them, for what is drawn while a knob moves: checking every
    word of it anew takes ten times as long as making it. The tests make the check."""
    import plotly.graph_objects as go  # slow to load: after the menu

    return go.Figure(traces, look, _validate=False)


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis named in words and symbol."""
    return {
        "title": {"text": title, "font": {"size": 13}, "standoff": 8},
        "gridcolor": GRID,
        "zeroline": False,
        "automargin": True,
    } | more


def log_axis(title: str, decades: float, **more: Any) -> dict[str, Any]:
    """A logarithmic axis that spans so many decades, ticks at whole powers of ten."""
    step = 1 if decades <= 7 else 2 if decades <= 14 else 4
    return axis(title, type="log", dtick=step, exponentformat="power", **more)


def line_across(y: float, **style: Any) -> dict[str, Any]:
    """A horizontal line through the whole figure."""
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": style}


def line_up(x: float, **style: Any) -> dict[str, Any]:
    """A vertical line through the whole figure."""
    return {"type": "line", "yref": "y domain", "y0": 0, "y1": 1, "x0": x, "x1": x, "line": style}


def note(text: str, x: float, y: float, colour: str = "", size: int = 13, **place: Any) -> dict[str, Any]:
    """Words in a figure, without an arrow."""
    font = {"size": size} | ({"color": colour} if colour else {})
    return {"text": text, "x": x, "y": y, "showarrow": False, "font": font} | place


def shade(x0: float, x1: float) -> dict[str, Any]:
    """A shaded band between two places of the horizontal axis."""
    band = {"type": "rect", "yref": "y domain", "y0": 0, "y1": 1, "x0": x0, "x1": x1}
    return band | {"fillcolor": SHADE, "line": {"width": 0}, "layer": "below"}


def bounds() -> list[dict[str, Any]]:
    """The exponents 1 and 2, drawn as their slopes are."""
    return [line_across(slope, color=QUIET, width=1.6, dash=dash) for slope, dash in SLOPES.items()]


def matrix_label(name: str) -> str:
    """A matrix in TeX and words, for a choice."""
    return f"${LOOKS[name].tex}$ – {NAMES[name][1]}"


def spoken(name: str) -> str:
    """A matrix's symbol in plain letters, for buttons: of a formula a screen reader hears nothing there."""
    looks = {**PREDICTOR_LOOKS, **FISHER_LOOKS, "H": LOOKS["H"]}
    return NAMES[name][0] if name in NAMES else looks[name].html


def plain_label(name: str) -> str:
    """A matrix in plain letters and words, where TeX is not drawn."""
    return f"{NAMES[name][0]} – {NAMES[name][1]}"
