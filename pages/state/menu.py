"""The pages: name, file, label and icon, as a path through the menu."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One page of the menu: its name in the code, its file, its label and icon."""

    name: str
    file: str
    label: str
    icon: str


# The path: what is seen is measured, explained, doubted, and tried on one's own.
MENU: dict[str, tuple[Entry, ...]] = {
    "See it": (
        Entry("start", "app.py", "Start", ":material/play_circle:"),
        Entry("tours", "pages/tours.py", "Tours", ":material/signpost:"),
        Entry("film", "pages/film.py", "Live", ":material/movie:"),
    ),
    "Measure it": (
        Entry("commutativity", "pages/commutativity.py", "Commutativity", ":material/grid_on:"),
        Entry("power_law", "pages/power_law.py", "Power law", ":material/trending_up:"),
        Entry("dynamics", "pages/dynamics.py", "Dynamics", ":material/timeline:"),
        Entry("layers", "pages/layers.py", "Layers", ":material/layers:"),
        Entry("table", "pages/table.py", "Across networks", ":material/table_chart:"),
    ),
    "Explain it": (
        Entry("duality", "pages/duality.py", "Duality lab", ":material/swap_horiz:"),
        Entry("sample", "pages/sample.py", "One sample", ":material/center_focus_strong:"),
        Entry("suppression", "pages/suppression.py", "Suppression", ":material/filter_alt:"),
        Entry("sandbox", "pages/sandbox.py", "What sets γ", ":material/tune:"),
        Entry("glossary", "pages/glossary.py", "Glossary", ":material/dictionary:"),
    ),
    "Doubt it": (
        Entry("held_out", "pages/held_out.py", "Other samples", ":material/call_split:"),
        Entry("predictors", "pages/predictors.py", "What predicts C", ":material/query_stats:"),
        Entry("fisher", "pages/fisher.py", "Is C = H/B?", ":material/balance:"),
        Entry("noise", "pages/noise.py", "Shape of noise", ":material/grain:"),
    ),
    "The lab": (
        Entry("train", "pages/train.py", "Train", ":material/model_training:"),
        Entry("load", "pages/load.py", "Load", ":material/upload_file:"),
        Entry("runs", "pages/runs.py", "Runs", ":material/folder_open:"),
    ),
}


def entry(name: str) -> Entry:
    """The page of this name."""
    return next(e for group in MENU.values() for e in group if e.name == name)
