"""The results pages in docs are what their tables give, byte for byte."""

import shutil
from pathlib import Path

from engine.sweeps.rows import from_csv
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


def test_what_is_told_of_crossed_slopes_is_that_of_the_designed_sweep():
    laws = [row.laws["C"] for row in from_csv((DOCS / "design" / "results.csv").read_text(encoding="utf-8"))]
    crossed, gammas = ([getattr(law, name) for law in laws] for name in ("crossed", "gamma"))
    words = " ".join((DOCS / "other-samples.md").read_text(encoding="utf-8").split())
    spans = f"{min(crossed):.2f} … {max(crossed):.2f}, where it is {min(gammas):.2f} … {max(gammas):.2f} in-sample"
    assert f"{len(laws)} small runs: {spans}" in words


def test_another_table_gives_another_page(tmp_path, capsys):
    lines = (DOCS / "results.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "results.csv").write_text("".join(lines[:-1]), encoding="utf-8")
    assert written(tmp_path, capsys) != (DOCS / "results.md").read_bytes()
