"""The results pages in docs are what their tables give, byte for byte."""

import shutil
from pathlib import Path

from pages.publish.__main__ import main

DOCS = Path(__file__).parents[2] / "docs"


def written(folder, capsys):
    """The page made anew from a copy of the table in this folder."""
    shutil.copytree(DOCS / "results", folder / "results")
    assert main(["results", "--to", str(folder), "--no-figures"]) == 0, capsys.readouterr().err
    return (folder / "results.md").read_bytes()


def test_the_results_page_stays(tmp_path, capsys):
    shutil.copy(DOCS / "results.csv", tmp_path)
    assert written(tmp_path, capsys) == (DOCS / "results.md").read_bytes()


def test_the_page_of_the_designed_sweep_stays(tmp_path, capsys):
    shutil.copy(DOCS / "design" / "results.csv", tmp_path)
    assert main(["design", "--to", str(tmp_path), "--no-figures"]) == 0, capsys.readouterr().err
    assert (tmp_path / "results.md").read_bytes() == (DOCS / "design" / "results.md").read_bytes()


def test_another_table_gives_another_page(tmp_path, capsys):
    lines = (DOCS / "results.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "results.csv").write_text("".join(lines[:-1]), encoding="utf-8")
    assert written(tmp_path, capsys) != (DOCS / "results.md").read_bytes()
