"""What an installation needs: requirements for all that is imported, and every file beside the Python."""

import ast
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROGRAM, DEV = (
    {re.split(r"[^\w-]", line)[0].lower() for line in part.splitlines() if re.match(r"\w", line)}
    for part in (ROOT / "requirements.txt").read_text(encoding="utf-8").split("# tests and checks\n")
)


def imported() -> set[str]:
    """The packages that engine, pages and cache import, by their names in requirements."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for top in ("engine", "pages", "cache")
             for path in (ROOT / top).rglob("*.py") if "contents" not in path.parts]  # fmt: skip
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    tops = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"engine", "pages", "cache"}
    known = packages_distributions()
    return {known.get(top, [top])[0].lower() for top in tops}


def test_what_is_imported_is_required_and_nothing_for_developers_is_imported():
    assert imported() <= PROGRAM | {"timm"}  # an extra
    assert not imported() & DEV
    assert {"pytest", "ruff", "mypy"} <= DEV


def test_every_file_beside_the_python_is_installed():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    names = subprocess.run(
        ["git", "ls-files", "engine", "pages", "cache"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert [n for n in names if not n.endswith(".py") and not any(fnmatch(n, p) for p in patterns)] == []
