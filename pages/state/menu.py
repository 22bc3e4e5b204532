"""The pages: name, file, label and icon, in the groups of the menu."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One page of the menu: its name in the code, its file, its label and icon."""

    name: str
    file: str
    label: str
    icon: str


MENU: dict[str, tuple[Entry, ...]] = {
    "Begin": (
        Entry("start", "app.py", "Start", ":material/play_circle:"),
        Entry("train", "pages/train.py", "Train", ":material/model_training:"),
        Entry("load", "pages/load.py", "Load", ":material/upload_file:"),
    ),
    "Look": (
        Entry("commutativity", "pages/commutativity.py", "Commutativity", ":material/grid_on:"),
        Entry("power_law", "pages/power_law.py", "Power law", ":material/trending_up:"),
        Entry("held_out", "pages/held_out.py", "Other samples", ":material/call_split:"),
        Entry("layers", "pages/layers.py", "Layers", ":material/layers:"),
        Entry("table", "pages/table.py", "Table 1", ":material/table_chart:"),
    ),
    "Explain": (
        Entry("dynamics", "pages/dynamics.py", "Dynamics", ":material/timeline:"),
        Entry("predictors", "pages/predictors.py", "What predicts C", ":material/query_stats:"),
        Entry("suppression", "pages/suppression.py", "Suppression", ":material/filter_alt:"),
        Entry("noise", "pages/noise.py", "Shape of noise", ":material/grain:"),
    ),
    "Understand": (
        Entry("duality", "pages/duality.py", "Duality lab", ":material/swap_horiz:"),
        Entry("sample", "pages/sample.py", "One sample", ":material/center_focus_strong:"),
        Entry("sandbox", "pages/sandbox.py", "What sets γ", ":material/tune:"),
        Entry("fisher", "pages/fisher.py", "Is C = H/B?", ":material/balance:"),
        Entry("film", "pages/film.py", "Live", ":material/movie:"),
        Entry("tours", "pages/tours.py", "Tours", ":material/signpost:"),
        Entry("glossary", "pages/glossary.py", "Glossary", ":material/dictionary:"),
    ),
    "Keep": (Entry("runs", "pages/runs.py", "Runs", ":material/folder_open:"),),
}


def entry(name: str) -> Entry:
    """The page of this name."""
    return next(e for group in MENU.values() for e in group if e.name == name)
