"""Sweeps: a grid of runs and analyses, written in TOML. Nothing here imports torch.

    name = "Seeds and batch sizes"

    [[grid]]
    set = { preset = "MNIST MLP, CE", per_class = 500 }               # one value for every cell
    vary = { classes = [3, 10], batch_size = [25, 50], seed = [0, 1] }  # every combination is a cell

Each cell is one `train` and one `analyze` of the existing kind: engine.sweeps.workers does the work, engine.sweeps.rows
measures and tabulates it.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cache.foreign import parsing, read_toml, typed
from engine.config import fields
from engine.config.fields import is_count
from engine.config.kinds import KINDS
from engine.config.presets import CLASSES, Preset, preset
from engine.config.requests import (
    DATASETS,
    SETTINGS,
    AnalysisRequest,
    DataRequest,
    ModelRequest,
    RunRequest,
    TrainingRequest,
    default_model,
    key,
    usual_model,
)
from engine.data.sources import located
from engine.errors import require
from engine.losses import lookup
from engine.models import architectures
from engine.results.names import USUAL_WINDOW
from engine.training import schedule

FOLDER = Path(__file__).parent
MOST_CELLS = 5000  # of one grid: more is a slip of the pen
MOST_CLASSES = 10_000

OWN = ("preset", "window", "analyze")
# What a row's name says anyway, or its column: of a row without a name or a preset, and of the others.
_TOLD = {"data", "model", "widths", "loss"}
_PLACED = {"preset", "classes", "seed"}
_LABELS = {"mnist5k": "5,000 digits", "mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}


@dataclass(frozen=True)
class Cell:
    """One cell: a run to train and an analysis of its last checkpoint.

    row: what it is called, the same for all its numbers of classes and seeds; classes: how many; analysis: with
    run and epoch not yet filled in; window: 𝒩; analyze: the checkpoints analysed, in the words of the command
    line; departures: what differs from the preset it is named after, a phrase each."""

    row: str
    classes: int
    run: RunRequest
    analysis: AnalysisRequest
    window: int = USUAL_WINDOW
    analyze: tuple[str, ...] = ("last",)
    departures: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Names what is measured of it in the cache. A file's own date and size are part of it: the table never
        shows numbers of data that have changed."""
        return key(replace(self, row="", departures=()), _stamp(self.run.data.name))

    @property
    def group(self) -> "Cell":
        """What it shares with the cells that differ in the seed alone; other checkpoints do not change its γ."""
        return replace(self, run=replace(self.run, seed=0), analyze=("last",))


@dataclass(frozen=True)
class Sweep:
    """Cells in the order of the file; about: what its reader should know; text: the file itself."""

    name: str
    cells: tuple[Cell, ...]
    text: str = ""
    about: str = ""


def shipped() -> dict[str, Path]:
    """The sweeps that come with the project, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def open_sweep(name: str) -> Sweep:
    """A sweep by its path, or by the name of one that comes with the project. ValueError or FileNotFoundError, one
    sentence, says what is wrong."""
    path = typed(name)
    if not path.is_file():
        path = shipped().get(name, path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no sweep {name!r}: give the path of a TOML file, or one of {', '.join(shipped())}."
        )
    with parsing(f"{path.name} is no text", "a sweep is written in TOML"):
        text = path.read_text(encoding="utf-8")
    return read(text, path.name)


def read(text: str, file: str = "The sweep") -> Sweep:
    """The sweep written in TOML. ValueError names the grid and the setting that is unknown, of the wrong type or
    impossible, or the two cells that are one."""
    body = read_toml(text, file)
    fields.check_names(body, ("name", "about", "grid"), file)
    name, about = _text(body, "name", f"{file}: ", Path(file).stem), _text(body, "about", f"{file}: ")
    grids = body.get("grid", [])
    require(
        isinstance(grids, list) and bool(grids) and all(isinstance(g, dict) for g in grids),
        f"{file} has no grid. Write one as [[grid]] with set = {{ … }} and vary = {{ … }}.",
    )
    cells: dict[str, Cell] = {}
    for number, grid in enumerate(grids, 1):
        require(
            len(cells) <= MOST_CELLS,
            f"{file} has more than {MOST_CELLS:,} cells before grid {number}. Make several sweeps of it.",
        )
        for cell in _grid(grid, f"{file}, grid {number}"):
            twin = cells.setdefault(cell.key, cell)
            require(
                twin is cell,
                f"{file}, grid {number}: {cell.row}, {cell.classes} classes, seed {cell.run.seed} is there twice. "
                "Remove one.",
            )
    places: dict[tuple[str, int], Cell] = {}
    for cell in cells.values():
        first = places.setdefault((cell.row, cell.classes), cell)
        require(
            first.group == cell.group,
            f"{file}: two grids have a row {cell.row!r} with {cell.classes} classes and other settings, so that their "
            "mean would mix them. Give one of the grids a name.",
        )
    return Sweep(name, tuple(cells.values()), text, " ".join(about.split()))


def _grid(grid: Mapping[str, Any], where: str) -> list[Cell]:
    fields.check_names(grid, ("name", "set", "vary"), where)
    fixed, varied = grid.get("set", {}), grid.get("vary", {})
    require(isinstance(fixed, dict) and isinstance(varied, dict), f"{where}: set and vary are tables, {{ … }}.")
    name = _text(grid, "name", f"{where}: ")
    fields.check_names(fixed | varied, (*OWN, *SETTINGS), where)
    both = sorted(set(fixed) & set(varied))
    require(not both, f"{where}: {', '.join(both)} is both set and varied. Keep one of them.")
    for axis, values in varied.items():
        require(
            isinstance(values, list) and len(values) > 0,
            f"{where}: {axis} varies over a list of values such as [0, 1], not {values!r}.",
        )
    count = math.prod(map(len, varied.values()))
    require(count <= MOST_CELLS, f"{where} has {count:,} cells; {MOST_CELLS:,} are the most. Vary less at a time.")
    cells = []
    for combination in itertools.product(*varied.values()):
        values = fixed | dict(zip(varied, combination, strict=True))
        try:
            named = _PLACED if "preset" in values or "name" in grid else _PLACED | _TOLD
            cells += _cells(values, name, [axis for axis in varied if axis not in named])
        except ValueError as error:
            settings = ", ".join(f"{axis} = {value}" for axis, value in zip(varied, combination, strict=True))
            raise ValueError(f"{where}{' (' + settings + ')' if settings else ''}: {error}") from error
    return cells


def _cells(values: Mapping[str, Any], name: str, varied: Sequence[str]) -> list[Cell]:
    """The cell of these settings; one for each layer where the preset studies several."""
    base = preset(_text(values, "preset")) if "preset" in values else None
    if base is None or "layer" in values or not base.layers:
        return [_cell(values, base, name, varied)]
    return [_cell({**values, "layer": layer}, base, name, [*varied, "layer"]) for layer in base.layers]


def _cell(values: Mapping[str, Any], base: Preset | None, name: str, varied: Sequence[str]) -> Cell:
    given = {n: SETTINGS[n].read(v) for n, v in values.items() if n not in OWN and n != "classes"}
    labels = _labels(values.get("classes"))
    run = _run(given, base, labels)
    classes = run.model.widths[-1]
    _check(run, classes)

    usual = AnalysisRequest("", -1, architectures.studied_layer(run.model), run.training.batch_size)
    analysis = replace(usual, **_of(AnalysisRequest, given))
    layers = architectures.shapes(run.model)
    unknown = [layer for layer in analysis.layer.split("+") if layer not in layers]
    require(not unknown, f"There is no layer {', '.join(unknown)} in this network; it has {', '.join(layers)}.")

    own = base.window.get(classes, USUAL_WINDOW) if base is not None else USUAL_WINDOW
    window = values.get("window", own)
    require(is_count(window) and window >= 3, f"The window 𝒩 is a whole number from 3 on, not {window!r}.")
    analyze = values.get("analyze", ["last"])
    planned = {"last", "all", *map(str, (*run.training.checkpoints, run.training.epochs))}
    require(
        isinstance(analyze, list) and "last" in analyze and all(str(word) in planned for word in analyze),
        f"analyze is a list with last in it, and all or epochs of the checkpoints beside it, not {analyze!r}.",
    )
    shown = {**given, "window": window}
    title = name or (base.name if base else _named(run))
    row = ", ".join([title, *(_phrase(n, shown[n]) for n in varied if n in shown)])
    return Cell(row, classes, run, analysis, window, tuple(map(str, analyze)), _departures(run, base, classes))


def _run(given: Mapping[str, Any], base: Preset | None, labels: tuple[int, ...] | None) -> RunRequest:
    data = _of(DataRequest, given)
    if base is None:
        request = DataRequest(**data, classes=labels)
        run = RunRequest(request, default_model(request))
    else:
        known = next((count for count in CLASSES if labels == tuple(range(count))), None)
        run = base.request if known is None else base.run(known)
        if labels is not None and known is None:
            data["classes"] = labels
        run = replace(run, data=replace(run.data, **data))
    model = _of(ModelRequest, given)
    kind = model.get("kind", run.model.kind)
    if kind != run.model.kind and kind in KINDS and "widths" not in model:
        model["widths"] = (*usual_model(kind, run.data).widths[:-1], run.model.widths[-1])
    if labels is not None:
        # The widths given are those for all classes, as in a preset.
        model["widths"] = (*model.get("widths", run.model.widths)[:-1], len(labels))
    return replace(
        run,
        model=replace(run.model, **model),
        training=replace(run.training, **_of(TrainingRequest, given)),
        **_of(RunRequest, given),
    )


def _of(cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the given settings that belong to a request of this type, under its own names."""
    return {SETTINGS[n].attribute: value for n, value in given.items() if SETTINGS[n].request is cls}


def _check(run: RunRequest, classes: int) -> None:
    """ValueError for what can be told to be impossible without the data."""
    fields.check(run)
    architectures.check(run.model)
    require(run.model.kind in KINDS, f"{run.model.kind} can be loaded, not trained.")
    require(
        run.data.classes is None or len(run.data.classes) == classes,
        f"The network ends in {classes} outputs, and {len(run.data.classes or ())} classes are kept. Give both alike.",
    )
    schedule.check(run.training, samples=2**62 if run.data.per_class is None else run.data.per_class * classes)


def _labels(classes: Any) -> tuple[int, ...] | None:
    """3 means the first three labels; a list the labels themselves."""
    if classes is None or classes == "all":
        return None
    if is_count(classes):
        require(classes >= 2, f"A classifier needs at least two classes, not {classes}.")
        require(classes <= MOST_CLASSES, f"A classifier has two to {MOST_CLASSES:,} classes, not {classes:,}.")
        return tuple(range(classes))
    require(
        isinstance(classes, list) and len(classes) >= 2 and all(map(is_count, classes)),
        f"classes is how many, or a list of at least two labels, not {classes!r}.",
    )
    return tuple(classes)


def _text(values: Mapping[str, Any], name: str, where: str = "", default: str = "") -> str:
    text = values.get(name, default)
    require(isinstance(text, str), f"{where}{name} is a text, not {text!r}.")
    return str(text)


def _named(run: RunRequest) -> str:
    data = _LABELS.get(run.data.name, Path(run.data.name).stem)
    kind = KINDS[run.model.kind]
    net = " ".join(filter(None, (kind.short, "-".join(map(str, run.model.widths[:-1])) if kind.hidden else "")))
    return f"{data}, {net}, {lookup(run.loss).short}"


def _shown(value: Any) -> str:
    text = "off" if value is None else f"{value:,}" if is_count(value) else str(value)
    return text.replace("+", " + ")


def _phrase(name: str, value: Any) -> str:
    phrase = "𝒩 = {}" if name == "window" else SETTINGS[name].setting.phrase
    return (phrase or name.replace("_", " ") + " = {}").format(_shown(value))


def _departures(run: RunRequest, base: Preset | None, classes: int) -> tuple[str, ...]:
    if base is None or classes not in CLASSES:
        return ()
    mine, theirs = fields.by_name(run), fields.by_name(base.run(classes))
    compared = [name for name, field in SETTINGS.items() if field.request in (DataRequest, TrainingRequest)]
    return tuple(
        f"{_phrase(name, mine[name])} in place of {_shown(theirs[name])}"
        for name in compared
        if name not in ("data", "classes", "checkpoints") and mine[name] != theirs[name]
    )


def _stamp(name: str) -> str:
    if name in DATASETS:
        return ""
    try:
        stat = located(name).stat()
    except OSError:
        return ""
    return f"{stat.st_size} {stat.st_mtime_ns}"
