"""`python -m pages.publish SWEEP`: the results page of a sweep, its table and its figures."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from cache.foreign import typed
from cache.store import Store
from engine.sweeps.grid import Sweep, open_sweep
from engine.sweeps.rows import from_csv, to_csv
from pages.publish.rows import Row, in_sweep, measured, renewed, unmeasured


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed (2, wrong usage, exits)."""
    words = _parser().parse_args(argv)
    # The figures come from a program that is usually a server; here there is none, and nothing is amiss.
    logging.getLogger("streamlit").setLevel(logging.ERROR)
    try:
        usual = "docs" if words.sweep == "results" else f"docs/{Path(words.sweep).stem}"
        for sentence in publish(words.sweep, typed(words.to or usual), words.measure, words.figures):
            print(sentence)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def publish(name: str, folder: Path, measure: bool, figures: bool) -> list[str]:
    """Write results.md, its figures and, to measure, what the cache knows to results.csv; what was done and what is
    missing, in sentences."""
    from pages.publish import export, paper_figures, results_page  # slow to load: not for --help

    sweep, store, file = open_sweep(name), Store(), folder / "results.csv"
    folder.mkdir(parents=True, exist_ok=True)
    rows, missing = _rows(store, sweep, file, measure)
    sentences = [f"Not measured: {sentence}" for sentence in missing]
    pictures = folder / results_page.FOLDER
    if figures:
        drawn: dict[Path, go.Figure] = {}
        for board in paper_figures.boards(rows):
            panels, lost = paper_figures.drawn(store, board)
            sentences += lost
            drawn |= {pictures / name: export.on_paper(figure, board.width) for name, figure in panels.items()}
        export.write(drawn)
        sentences.append(f"{len(drawn)} figures are drawn.")
    drawings = {path.name for path in pictures.glob("*.*")}
    text = results_page.page(sweep.name, name, rows, drawings, missing, sweep.about)
    (folder / "results.md").write_text(text, encoding="utf-8")
    sentences.append(f"{folder / 'results.md'} is written from {len(rows)} rows.")
    if missing:
        sentences.append(f"Measure what is missing, then write the page again: python -m engine sweep {name}")
    return sentences


def _rows(store: Store, sweep: Sweep, file: Path, measure: bool) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """The rows and what is missing, from the cache, or from the file as it is."""
    if not (measure or file.is_file()):
        raise ValueError(f"There is no {file}. Write it from the cache with --measure.")
    rows = in_sweep(sweep, from_csv(file.read_text(encoding="utf-8"))) if file.is_file() else ()
    if measure:
        anew = measured(store, sweep)
        if not anew:
            raise ValueError(f"Nothing of “{sweep.name}” is measured yet. Run the sweep first.")
        rows = renewed(sweep, rows, anew)
        file.write_text(to_csv(rows), encoding="utf-8")
    return rows, unmeasured(store, sweep, rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m pages.publish", description=__doc__)
    parser.add_argument("sweep", help="a sweep's TOML file, or the name of one that comes with the project")
    parser.add_argument(
        "--to",
        help="the folder of results.csv, results.md and results/; left out: docs for results, docs/NAME for others",
    )
    parser.add_argument("--measure", action="store_true", help="first write to results.csv what the cache knows")
    parser.add_argument("--no-figures", dest="figures", action="store_false", help="keep the figures there are")
    return parser


if __name__ == "__main__":
    sys.exit(main())
