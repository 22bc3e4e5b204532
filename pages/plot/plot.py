"""The one way a figure reaches a page: drawn in place by plotly.js, saved as a picture, taken away as numbers.

`st.plotly_chart` mounts a figure anew whenever its data change, and forgets how far one had zoomed in.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.plot import legends
from pages.state import selection

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from numpy import ndarray
    from streamlit.components.v2.types import ComponentRenderer

# Each begins with what those before it hold.
SCRIPTS = tuple(Path(__file__).with_name(name) for name in ("moving.js", "edited.js", "keys.js", "plot.js"))
NUMBERS = """export default ({ data, parentElement }) => {
  let element = parentElement.querySelector(".gammascope-numbers");
  if (!element) {
    element = document.createElement("div");
    element.className = "gammascope-numbers";
    parentElement.append(element);
  }
  element.numbers = new Float64Array(data.slice().buffer);
}"""


@dataclass(frozen=True)
class Follows:
    """A figure that the browser moves with the slider of this key at once; the server's figure, with its own colours
    and words, comes after. at: where the slider stands in it."""

    slider: str
    at: tuple[int, ...]

    def spelled(self) -> dict[str, Any]:
        """For moving.js and edited.js, which know the same kinds."""
        return vars(self) | {"slider": self.slider.replace(".", "-"), "by": type(self).__name__.lower()}


@dataclass(frozen=True)
class Leading(Follows):
    """A square figure of the leading k directions that holds `cells` of them: its axes move."""

    cells: int


@dataclass(frozen=True)
class Window(Follows):
    """A figure of fits over directions from … to: their lines move, and γ in the legend.

    clouds: see charts.power_law.movable; through: whether slopes 1 and 2 go through the first cloud's centre; band: the
    place among the shapes of one that shades these directions.
    """

    clouds: Sequence[Mapping[str, Any]] = ()
    through: bool = True
    band: int | None = None


@dataclass(frozen=True)
class Edited(Follows):
    """A figure of edited spectra, or of the measured ones with the edit marked in it.

    slider: the container of all knobs; part: which figure, as edited.js names it; knobs: the places of those that it
    hangs on; numbers: the key of the numbers behind it; about: what they are, and how the edit is written.
    """

    part: str
    knobs: Sequence[int]
    numbers: str
    about: Mapping[str, Any]


def numbers(key: str, values: "ndarray") -> None:
    """Numbers that figures of a page are moved with: sent once, though the figures come again and again."""
    st.components.v2.component("gammascope_numbers", js=NUMBERS, isolate_styles=False)(key=key, data=values.tobytes())


def draw(
    figure: "go.Figure",
    key: str,
    filename: str,
    alt: str,
    *,
    arrays: Callable[[], Mapping[str, "ndarray"]] | None = None,
    code: Callable[[], str] | None = None,
    on_click: Callable[[int], None] | None = None,
    on_box: Callable[[float, float], None] | None = None,
    follows: Follows | None = None,
) -> None:
    """Put a figure on the page: stretched, saved as SVG or PNG, and told in words to those who cannot see it.

    arrays: the numbers behind it by name, all of them, for its download; code: the engine calls that reproduce
    it; on_click: hears the direction (from 1) of a clicked point, its first customdata, or of a heatmap's row;
    on_box: the ends of a horizontal range that was drawn as a box, in the axis's own numbers; follows: the slider
    that moves it.
    """
    filename = f"gammascope-{filename}"
    options = {
        "filename": filename,
        "alt": alt,
        "scale": selection.scale(),
        "box": on_box is not None,
        "click": on_click is not None,
        "pointed": selection.current().direction if on_click is not None else None,
        "more": arrays is not None or code is not None,
        "follows": follows and follows.spelled(),
        "legend": legends.entries(figure.data),
        "library": _library(),
    }
    spec = f'{{"figure":{figure.to_json(remove_uids=False)},{json.dumps(options)[1:]}'

    def clicked() -> None:
        if on_click is not None and isinstance(direction := st.session_state[key].get("click"), int):
            on_click(direction)

    def boxed() -> None:
        ends = st.session_state[key].get("box")
        if on_box is not None and isinstance(ends, list) and len(ends) == 2:
            on_box(*sorted(map(float, ends)))

    heard = _component()(
        key=key,
        data=spec.encode(),
        on_click_change=clicked,
        on_box_change=boxed,
        on_more_change=lambda: None,
    )
    if heard.get("more"):
        from pages.plot import download  # loads pandas: only for those who ask

        download.offer(filename, alt, arrays, code)


@st.cache_resource(show_spinner=False)
def _script(version: int) -> str:
    return "\n".join(script.read_text(encoding="utf-8") for script in SCRIPTS)


def _component() -> "ComponentRenderer":
    version = max(script.stat().st_mtime_ns for script in SCRIPTS)
    return st.components.v2.component("gammascope_plot", js=_script(version), isolate_styles=False)


@st.cache_resource(show_spinner=False)
def _library() -> str:
    """The address of plotly.js, relative to a page's: the server reads it from its package, nothing comes from the
    network. A component declared with a path is served below every prefix and needs no copy beside app.py."""
    import plotly  # slow to load: a figure that is to be drawn has done it

    served = st.components.v1.declare_component("plotly", path=Path(plotly.__file__).parent / "package_data")
    return f"component/{served.name}/plotly.min.js?{plotly.__version__}"
