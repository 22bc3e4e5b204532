"""Names say what they hold: no two classes of a package share one, and none is a participle that fits anything."""

import ast
from collections import Counter
from pathlib import Path

from tests.test_layout import MODULES

EMPTY = {"found", "told", "wanted", "said"}


def classes(files: list[Path]) -> list[str]:
    """Every class under its package."""
    nodes = ((file, node) for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    return [f"{file.parent}: {node.name}" for file, node in nodes if isinstance(node, ast.ClassDef)]


def empty(source: str) -> list[str]:
    """The empty names that a source gives to a function, a parameter or a variable, private ones too."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.arg):
            names.append(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
    return [name for name in names if name.strip("_") in EMPTY]


def test_no_two_classes_of_a_package_share_a_name():
    assert not [name for name, count in Counter(classes(list(MODULES.values()))).items() if count > 1]


def test_names_say_what_they_hold():
    names = {module: empty(file.read_text(encoding="utf-8")) for module, file in MODULES.items()}
    assert not {module: some for module, some in names.items() if some}


def test_a_twin_and_an_empty_name_are_seen(tmp_path):
    (tmp_path / "a.py").write_text("class Twin: ...")
    (tmp_path / "b.py").write_text("if True:\n    class Twin: ...")
    assert len(set(classes([tmp_path / "a.py", tmp_path / "b.py"]))) == 1
    assert empty("def _told(found):\n    wanted = [said for said in found]") == ["_told", "found", "wanted", "said"]
