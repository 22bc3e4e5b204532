"""Cells that came with the program."""

from engine.sweeps import grid, status
from engine.sweeps.means import mean
from engine.sweeps.rows import from_csv
from pages.rooms.sweeps import published
from tests.pages.conftest import opened, texts
from tests.pages.sweeps.conftest import PAGE, marks, shown
from tests.planted import row


def test_cells_that_came_with_the_program_are_shown_as_such_until_they_are_measured_here(store):
    rows = {(r.row, r.classes, r.seed): r for r in from_csv(published.FILES[0].read_text(encoding="utf-8"))}
    at = opened(PAGE, sweep="results")
    body = shown(at)
    cells = grid.open_sweep("results").cells
    assert marks(body) == ["published"] * len(cells), "docs/results.csv is of another results.toml"
    (mlp,) = [line for line in body["rows"] if line["name"] == "MNIST MLP, CE"]
    for count, cell in zip(body["classes"], mlp["cells"], strict=True):
        assert cell["published"]
        assert cell["href"] == ""
        average = mean([rows["MNIST MLP, CE", count, seed] for seed in (0, 1)], "C_awd")
        assert cell["numbers"][1]["text"] == f"{average.mean:.3f}"
    assert f"{len(cells)} cells came with the program" in texts(at)
    assert f"{len(cells)} cells, 29 runs to train" in texts(at)
    assert not at.get("download_button")

    # What is measured here takes its place, alone.
    status.keep(store, cells[0], row(cells[0], 1.7))
    body = shown(opened(PAGE, sweep="results"))
    assert sorted(marks(body)) == ["done"] + ["published"] * (len(cells) - 1)
    (cell,) = [c for line in body["rows"] for c in line["cells"] if c and not c["published"]]
    assert (cell["numbers"][0]["text"], cell["count"]) == ("1.700", "1 of 2")


def test_a_cell_that_is_analysed_otherwise_is_not_the_published_one(store):
    text = (
        '[[grid]]\nset = { preset = "MNIST MLP, CE" }\nvary = { anchors = [20, "all"], dtype = ["float32", "float64"] }'
    )
    states = status.states(store, grid.read(text))
    (key,) = published.published_rows(states)
    assert key == states[0].cell.key


def test_without_the_programs_documents_the_table_waits(store, monkeypatch, tmp_path):
    monkeypatch.setattr(published, "FILES", (tmp_path / "none.csv",))
    at = opened(PAGE, sweep="results")
    assert set(marks(shown(at))) == {"waiting"}
    assert "came with the program" not in texts(at)
