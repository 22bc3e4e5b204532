"""The page across networks over planted cells: what is shown, where it leads, what is taken away."""

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from engine.config.requests import to_json
from engine.losses import LOSSES
from engine.sweeps import grid, status
from engine.sweeps.means import groups, latex, mean
from engine.sweeps.rows import FOLLOWED, Law, to_csv
from pages.rooms.sweeps import figures, table
from pages.state import selection
from tests.pages.conftest import button, chart, charts, metrics, opened, press, texts
from tests.pages.sweeps.conftest import PAGE, marks, shown
from tests.planted import add_sweep, fill, row

# -- what is shown ----------------------------------------------------------------------------------------


def test_an_empty_cache_offers_the_first_sweep(store):
    at = opened(PAGE)
    assert at.selectbox(key="table.sweep").value == "tiny"
    assert "takes less than a minute" in texts(at)
    assert marks(shown(at)) == ["waiting"] * 8
    assert button(at, "Start").proto.type == "primary"
    assert "8 cells, 8 runs to train" in texts(at)
    assert "agreement" not in charts(at)


def test_numbers_are_those_of_the_table_over_seeds(store):
    fill(store)
    rows = add_sweep(store)
    at = opened(PAGE)
    body = shown(at)
    assert body["classes"] == [3, 10]
    assert [line["name"] for line in body["rows"]] == list(groups(rows))
    for line in body["rows"]:
        for count, cell in zip(body["classes"], line["cells"], strict=True):
            for name, number in zip(("C", "C_awd"), cell["numbers"], strict=True):
                average = mean(groups(rows)[line["name"]][count], name)
                assert (number["text"], number["spread"]) == (f"{average.mean:.3f}", "")  # two seeds tell none
                assert f"{average.low:.3f} … {average.high:.3f}" in number["told"]
            assert cell["count"] == "2 seeds"
    assert marks(body) == ["done"] * 8
    assert "All 8 cells are measured" in texts(at)
    assert "table.start" not in [b.key for b in at.button]


def test_networks_that_have_not_learned_are_marked_and_left_out_unless_asked(store):
    rows = add_sweep(store)
    cells = grid.open_sweep("tiny").cells
    status.keep(store, cells[0], row(cells[0], 3.0, rows[0].run, train_accuracy=0.34))
    at = opened(PAGE, sweep="tiny")
    cell = shown(at)["rows"][0]["cells"][0]
    assert cell["numbers"][0]["text"] == f"{rows[1].laws['C'].gamma:.3f}"
    assert "1 seed, directions 1 … 100." in cell["numbers"][0]["told"]
    assert marks(shown(at)) == ["unlearned"] + ["done"] * 7
    assert "It has not learned: 34.0% of its training samples right." in cell["seeds"][0]["told"]
    (note,) = [phrase for letter, phrase in shown(at)["notes"] if letter in cell["notes"]]
    assert "is left out of the mean" in note
    at = press(at, "toggle", "Count networks that have not learned", True)
    cell = shown(at)["rows"][0]["cells"][0]
    assert cell["numbers"][0]["text"] == f"{(3.0 + rows[1].laws['C'].gamma) / 2:.3f}"


def test_every_row_names_its_window(store):
    add_sweep(store)
    at = opened(PAGE, sweep="tiny")
    assert [line["window"] for line in shown(at)["rows"]] == ["𝒩 = 100"] * 2
    assert "Count networks that have not learned" not in [t.label for t in at.toggle]


def test_a_part_of_the_grid_says_how_much_of_it_is_there(store):
    add_sweep(store, count=3)
    at = opened(PAGE)
    body = shown(at)
    assert sorted(marks(body)) == ["done"] * 3 + ["waiting"] * 5
    assert [c["count"] for c in body["rows"][0]["cells"]] == ["2 seeds", "1 of 2"]
    assert "±" not in body["rows"][0]["cells"][1]["numbers"][0]["spread"]
    assert button(at, "Go on")
    assert "5 of 8 cells to measure" in texts(at)


def test_a_run_in_training_tells_its_epoch(store):
    (cell, *_) = grid.open_sweep("tiny").cells
    run = fill(store, epochs=())
    entry = store.read("runs", run)
    records = entry.meta["records"][:13]
    store.write(("runs", run), dict(entry.meta) | {"request": to_json(cell.run), "finished": False, "records": records})
    (state, *_) = status.states(store, grid.open_sweep("tiny"))
    assert state.epoch == 12
    mark = table.laid_out(grid.open_sweep("tiny"), [state], at_work=True)["rows"][0]["cells"][0]["seeds"][0]
    assert (mark["is"], mark["share"], mark["told"]) == ("training", 0.4, "Seed 0: training, epoch 12 of 30.")
    stopped = table.laid_out(grid.open_sweep("tiny"), [state], at_work=False)["rows"][0]["cells"][0]["seeds"][0]
    assert stopped["told"] == "Seed 0: stopped, epoch 12 of 30."
    done = [replace(state, trained=True)]
    trained = table.laid_out(grid.open_sweep("tiny"), done, at_work=False)["rows"][0]["cells"][0]["seeds"][0]
    assert (trained["is"], trained["told"]) == ("trained", "Seed 0: trained, not yet analysed.")


def test_a_failed_cell_says_why_once(store):
    first, second, *rest = grid.open_sweep("tiny").cells
    for cell in (first, second):
        status.keep_failure(store, cell, "mnist is not in <data>: download it.")
    at = opened(PAGE)
    assert marks(shown(at)).count("failed") == 2
    (warning,) = at.warning
    assert "2 cells failed" in warning.value
    assert r"mnist is not in \<data\>\: download it\." in warning.value
    assert button(at, "Start")
    for cell in rest:
        status.keep(store, cell, row(cell))
    assert button(opened(PAGE), "Try the failed again")


def test_departures_are_notes_below_the_table():
    text = """[[grid]]
set = { preset = "MNIST MLP, CE", per_class = 500 }
vary = { classes = [3, 10] }
[[grid]]
set = { preset = "MNIST MLP, MSE", classes = 3 }
[[grid]]
set = { preset = "MNIST MLP, MSE", classes = 10, epochs = 5, analyze = ["last"] }
"""
    sweep = grid.read(text)
    body = table.laid_out(sweep, [status.State(cell) for cell in sweep.cells], at_work=False)
    notes = dict(body["notes"])
    assert [notes[letter] for letter in body["rows"][0]["notes"]] == ["500 samples per class in place of 2,000"]
    assert body["rows"][1]["notes"] == []
    assert [[notes[n] for n in cell["notes"]] for cell in body["rows"][1]["cells"]] == [
        [],
        ["5 epochs in place of 100"],
    ]


def test_an_exponent_outside_the_bounds_is_marked_and_not_shaded():
    sweep = grid.open_sweep("tiny")
    one = sweep.cells[0]
    state = status.State(
        one, replace(row(one), laws=dict.fromkeys(FOLLOWED, Law()) | {"C": Law(0.9), "C_awd": Law(2.0)})
    )
    low, high = table.laid_out(sweep, [state], at_work=False)["rows"][0]["cells"][0]["numbers"]
    assert (low["outside"], high["outside"]) == (True, False)
    assert low["shade"].endswith(",0)")
    assert high["shade"].endswith(f",{table.SHADE})")
    assert "95 %" not in low["told"]


def test_the_figure_holds_every_seed_and_every_mean(store):
    rows = add_sweep(store)
    at = opened(PAGE)
    drawn = {trace["meta"]: trace for trace in chart(at, "agreement")["data"]}
    assert set(drawn) == {"ce seeds", "ce means", "mse seeds", "mse means"}
    states = status.states(store, grid.open_sweep("tiny"))
    figure = figures.agreement(states)
    by_name = {trace.meta: trace for trace in figure.data}
    gammas = [r.laws["C"].gamma for s, r in zip(states, rows, strict=True) if s.cell.run.loss == "ce"]
    assert list(by_name["ce seeds"].y) == gammas
    assert list(by_name["ce means"].y) == [sum(gammas[i : i + 2]) / 2 for i in (0, 2)]
    assert list(by_name["ce means"].x) == pytest.approx([y - 0.1 for y in by_name["ce means"].y])
    assert figures.distances(states) == [("ce", 2, pytest.approx(0.1)), ("mse", 2, pytest.approx(0.1))]
    assert metrics(at) == {f"{LOSSES[loss].label}, 2 cells": "0.10" for loss in ("ce", "mse")}


# -- where a cell leads -----------------------------------------------------------------------------------


def test_a_cell_leads_to_the_power_law_of_its_runs_as_it_was_fitted(store):
    rows = add_sweep(store)
    cell = shown(opened(PAGE, sweep="tiny", large="yes"))["rows"][0]["cells"][0]
    page, _, query = cell["href"].partition("?")
    assert page == "power_law"
    selected = selection.from_url(dict(parse_qsl(query)))
    assert selected == selection.Selection(
        run=rows[0].run,
        runs=(rows[1].run,),
        epoch=100,
        layer="fc2",
        matrices=("C", "C_awd"),
        window=(1, 100),
        sweep="tiny",
        large=True,
    )
    alone = selection.from_url(dict(parse_qsl(cell["seeds"][1]["href"].partition("?")[2])))
    assert (alone.run, alone.runs) == (rows[1].run, None)


# -- what is taken away -----------------------------------------------------------------------------------


def test_the_files_are_those_of_the_engine(store, monkeypatch):
    rows = add_sweep(store, count=5)
    given = {}
    monkeypatch.setattr("streamlit.download_button", lambda label, data, **more: given.update({label: (data, more)}))
    opened(PAGE)
    assert given["CSV"][0] == to_csv(rows)
    assert given["LaTeX"][0]() == latex("A first sweep", rows)
    assert given["CSV"][1]["file_name"] == "gammascope-a-first-sweep.csv"


def test_of_an_empty_table_a_sentence_is_told(store):
    at = opened(PAGE)
    assert not at.get("download_button")
    assert "Once a cell is measured here, the table can be taken away" in texts(at)
