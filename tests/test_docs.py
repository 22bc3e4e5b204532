"""README and docs: what they tell to type can be typed, what they point to is there, README is read in two looks."""

import ast
import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from engine import __version__
from engine.config.command_line import parse
from engine.sweeps.grid import read

ROOT = Path(__file__).parents[1]
TEXTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
ALL = [pytest.param(path, id=path.name) for path in TEXTS]


def blocks(path: Path, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("path", ALL)
def test_commands_can_be_typed(path):
    for line in "".join(blocks(path, "sh")).replace("\\\n", "").splitlines():
        for command in line.split("&&"):
            program, *words = shlex.split(command, comments=True) or [""]
            if program == "python" and words[0] == "-m":
                assert importlib.util.find_spec(words[1]), command
                if words[1] == "engine":
                    parse(words[2:])  # leaves the test with SystemExit where the words are wrong


@pytest.mark.parametrize("path", ALL)
def test_python_compiles_and_takes_names_that_exist(path):
    for block in blocks(path, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)


@pytest.mark.parametrize("path", ALL)
def test_toml_is_a_sweep(path):
    for block in blocks(path, "toml"):
        assert read(block).cells


@pytest.mark.parametrize("path", ALL)
def test_what_is_pointed_to_is_there(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):  # tests are run offline
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name) if name else path
        assert there.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target
    for name in re.findall(r"`([\w./]+/[\w.]+\.(?:py|toml|md|npz|json))`", text):
        assert (ROOT / name).exists(), name


def test_readme_is_read_in_two_looks():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 90
    assert "pip install -r requirements.txt && pytest" in lines  # the gate takes the command from here
    assert "pip install -r requirements.txt && streamlit run app.py" in lines


def test_contributing_is_one_screen():
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 60


def test_the_citation_has_the_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {__version__}\n" in text
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
