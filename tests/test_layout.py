"""The floors of the house: an import only ever points down, and no files and no rooms import each other in a circle.

All imports count, those inside functions and those for type checking too.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from pages.state.menu import MENU

ROOT = Path(__file__).parents[1]

# From the top down; rooms of one floor may import each other, but not in a circle. pages.*: the doors; pages.rooms.*:
# each room that is not named above it.
FLOORS = (
    ("app", "pages.*"),
    ("pages.shell",),
    (
        "pages.rooms.glossary",
        "pages.rooms.runs",
        "pages.publish",
        "pages.rooms.sweeps",
        "pages.rooms.mechanism",
        "pages.rooms.start",
        "pages.rooms.tours",
    ),
    ("pages.rooms.*",),
    ("pages.jobs",),
    ("pages.ui",),
    ("pages.plot", "pages.text"),
    ("pages.data",),
    ("pages.charts",),
    ("pages.state",),
    ("engine.__main__",),
    ("engine.cli",),
    ("engine.recorder",),
    ("engine.samples", "engine.sweeps"),
    ("engine.runs",),
    ("engine.curvature",),
    ("engine.training", "engine.models", "engine.data"),
    ("engine.results",),
    ("engine.config",),
    ("engine.losses", "engine.formulas", "engine.units", "engine.device", "engine.progress", "engine.errors"),
    ("cache",),
)
# The engine's public names (engine/__init__.py) are asked for from any floor above it; packages hold words alone.
PUBLIC = ("engine", "pages", "pages.rooms")

# Promised to whoever kept a link.
ADDRESSES = (
    *("commutativity", "duality", "dynamics", "film", "fisher", "glossary", "held_out", "layers", "load"),
    *("noise", "power_law", "predictors", "runs", "sample", "sandbox", "suppression", "table", "tours", "train"),
)
DOORS = {entry.file for entries in MENU.values() for entry in entries}
# Lines of a file: what is longer is split by subject, or shortened.
LONGEST = {"engine": 420, "pages": 400, "cache": 400, "tests": 400}


def modules() -> dict[str, Path]:
    """Every file of the project by its dotted name."""
    files = [ROOT / "app.py", *(f for top in ("pages", "engine", "cache") for f in sorted((ROOT / top).rglob("*.py")))]
    named = {".".join(f.relative_to(ROOT).with_suffix("").parts): f for f in files if "contents" not in f.parts}
    return {name.removesuffix(".__init__"): file for name, file in named.items()}


MODULES = modules()


def room(module: str) -> str:
    """What of the house a module belongs to: an entry of FLOORS, or a room of pages.rooms.*."""
    if module.count(".") == 1 and module.startswith("pages.") and MODULES[module].name != "__init__.py":
        return "pages.*"
    names = {name for floor in FLOORS for name in floor}
    parts = module.split(".")
    if parts[:2] == ["pages", "rooms"]:
        return ".".join(parts[:3])
    return next(
        (name for size in range(len(parts), 0, -1) if (name := ".".join(parts[:size])) in names), f"no floor: {module}"
    )


def imports(source: str) -> dict[str, int]:
    """The project's modules that a source imports, with a line that does."""
    lines: dict[str, int] = {}
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written out, from the top"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                names.append(full if full in MODULES else str(node.module))
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        lines |= {name: node.lineno for name in names if name in MODULES}
    return lines


GRAPH = {module: imports(file.read_text(encoding="utf-8")) for module, file in MODULES.items()}
HEIGHT = {name: -number for number, floor in enumerate(FLOORS) for name in floor}
HEIGHT = {room(module): HEIGHT["pages.rooms.*"] for module in MODULES if module.startswith("pages.rooms.")} | HEIGHT


def circle(graph: dict[str, set[str]]) -> list[str]:
    """A circle in it, closed; [] where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def upward(graph: dict[str, dict[str, int]]) -> list[str]:
    """Imports that point to a higher floor."""
    return [
        f"{module}:{line} imports {target}"
        for module, targets in graph.items()
        for target, line in targets.items()
        if module not in PUBLIC and target not in PUBLIC and HEIGHT[room(target)] > HEIGHT[room(module)]
    ]


def too_long(root: Path) -> list[str]:
    """Files below it that are longer than their folder allows."""
    return [
        str(file.relative_to(root))
        for folder, most in LONGEST.items()
        for file in (root / folder).rglob("*.py")
        if len(file.read_text(encoding="utf-8").splitlines()) > most
    ]


def test_every_file_has_a_floor():
    assert not [room(module) for module in MODULES if module not in PUBLIC and room(module) not in HEIGHT]


def test_no_import_points_upwards():
    assert upward(GRAPH) == []


def test_no_files_import_each_other_in_a_circle():
    assert circle({module: set(targets) - {module} for module, targets in GRAPH.items()}) == []


def test_no_rooms_import_each_other_in_a_circle():
    rooms: dict[str, set[str]] = {}
    for module, targets in GRAPH.items():
        if module not in PUBLIC:
            rooms.setdefault(room(module), set()).update(room(t) for t in targets if t not in PUBLIC)
    assert circle({name: targets - {name} for name, targets in rooms.items()}) == []


def test_pages_holds_the_doors_of_the_menu_alone():
    """A file there is a page with an address."""
    files = {f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py") if path.name != "__init__.py"}
    assert files | {"app.py"} == DOORS
    assert {f"pages/{address}.py" for address in ADDRESSES} == files
    assert not {door for door in DOORS if len((ROOT / door).read_text(encoding="utf-8").splitlines()) > 60}


def test_doors_alone_import_the_frame_and_the_pages_behind_them():
    inside = ("pages.shell.frame", *(module for module in MODULES if module.endswith(".page")))
    assert not [
        f"{module}:{line} imports {target}"
        for module, targets in GRAPH.items()
        for target, line in targets.items()
        if target in inside and room(module) not in ("app", "pages.*")
    ]


def test_no_page_parses_a_command_line():
    """A job's record holds its request, and a row finds its cell: words are written, never read back."""
    pages = [ast.parse(file.read_text(encoding="utf-8")) for name, file in MODULES.items() if name.startswith("pages")]
    imported = {
        f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name
        for page in pages
        for node in ast.walk(page)
        if isinstance(node, ast.ImportFrom | ast.Import)
        for alias in node.names
    }
    line = "engine.config.command_line"
    assert {name for name in imported if name.startswith(("shlex", line))} == {f"{line}.line", f"{line}.words"}


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("engine.results.analysis", "from engine.curvature import moments"),
        ("pages.state.selection", "def f():\n    from pages.shell.frame import page"),
        ("pages.rooms.train.form", "from pages.rooms.runs import table"),
        ("engine.losses", "if TYPE_CHECKING:\n    from engine.runs.library import Run"),
    ],
)
def test_an_import_upwards_is_seen_wherever_it_stands(module, line):
    assert upward({module: imports(line)})


def test_no_file_is_too_long():
    assert too_long(ROOT) == []


def test_a_file_that_is_too_long_is_seen(tmp_path):
    (tmp_path / "tests" / "pages").mkdir(parents=True)
    for lines in (400, 401):
        (tmp_path / "tests" / "pages" / f"test_{lines}.py").write_text("pass\n" * lines)
    assert too_long(tmp_path) == [str(Path("tests/pages/test_401.py"))]


def test_a_circle_is_seen():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert not circle({"a": {"b", "c"}, "b": {"c"}})
