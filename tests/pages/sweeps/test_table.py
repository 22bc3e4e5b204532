"""The page of Table 1 over planted cells: what is shown, started, kept and taken away."""

import dataclasses
import json
import os
import shlex
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from cache.jobs import Jobs
from engine.config.command_line import parse
from engine.config.commands import SweepCommand
from engine.config.requests import to_json
from engine.losses import LOSSES
from engine.runs import estimate
from engine.sweeps import grid, status, workers
from engine.sweeps.rows import FOLLOWED, Law, Row, from_csv, groups, latex, mean, to_csv
from engine.units import duration, rounded
from pages.rooms.sweeps import choice, figures, progress, published, table
from pages.state import selection
from tests.pages.test_every_page import button, chart, charts, fine, opened, url
from tests.pages.train.test_train import CALIBRATION, write_job
from tests.planted import fill

PAGE = "pages/table.py"
OWN = """name = "Mine"
about = "A sweep of my own."
[[grid]]
set = { data = "mnist5k", per_class = 100, widths = [784, 20, 20, 10], epochs = 2 }
vary = { seed = [0, 1] }
"""


@pytest.fixture
def started(store, monkeypatch):
    """What would be started is noted, and its record written."""
    noted = []

    def start(self, argv, title, run="", queue=True, request=None):
        noted.append((tuple(argv), queue))
        return write_job(self.root, f"noted-{len(noted)}", argv, title, os.getpid(), queue=queue, request=request)

    monkeypatch.setattr(Jobs, "start", start)
    return noted


def row(cell, gamma=1.2, run="0" * 16, **more):
    laws = {
        name: Law(gamma=gamma - 0.1 * place, low=gamma - 0.2, high=gamma + 0.2) for place, name in enumerate(FOLLOWED)
    }
    columns = {f.name: f.type for f in dataclasses.fields(Row) if f.name != "laws"}
    plain = {
        name: {"str": "", "int": 0, "float": 0.0, str: "", int: 0, float: 0.0}[kind] for name, kind in columns.items()
    }
    known = {"row": cell.row, "classes": cell.classes, "seed": cell.run.seed, "layer": "fc2", "run": run, "epoch": 100}
    return Row(**(plain | known | {"window": cell.window} | more), laws=laws)


def plant(store, name="tiny", count=None):
    """Measured cells of a sweep, γ rising from cell to cell; the rows."""
    cells = grid.open_sweep(name).cells[:count]
    rows = [row(cell, 1.1 + 0.03 * place, f"{place:016x}") for place, cell in enumerate(cells)]
    for cell, one in zip(cells, rows, strict=True):
        status.keep(store, cell, one)
    return rows


def shown(at):
    """What the browser gets for the table."""
    (component,) = [c for c in at.get("bidi_component") if c.proto.id.endswith("-table1")]
    return json.loads(component.proto.json)


def marks(body):
    return [seed["is"] for line in body["rows"] for cell in line["cells"] if cell for seed in cell["seeds"]]


def texts(at):
    return "\n".join(e.value for e in (*at.markdown, *at.caption, *at.warning, *at.info))


# -- what is shown ----------------------------------------------------------------------------------------


def test_an_empty_cache_offers_the_first_sweep(store):
    at = opened(PAGE)
    assert at.selectbox(key="table.sweep").value == "tiny"
    assert "takes a minute or two" in texts(at)
    assert marks(shown(at)) == ["waiting"] * 8
    assert button(at, "Start").proto.type == "primary"
    assert "8 cells, 8 runs to train" in texts(at)
    assert "agreement" not in charts(at)


def test_numbers_are_those_of_the_table_over_seeds(store):
    fill(store)
    rows = plant(store)
    at = opened(PAGE)
    body = shown(at)
    assert body["classes"] == [3, 10]
    assert [line["name"] for line in body["rows"]] == list(groups(rows))
    for line in body["rows"]:
        for count, cell in zip(body["classes"], line["cells"], strict=True):
            for name, number in zip(("C", "C_awd"), cell["numbers"], strict=True):
                average = mean(groups(rows)[line["name"]][count], name)
                assert (number["text"], number["spread"]) == (f"{average.mean:.3f}", f"± {average.deviation:.3f}")
                assert f"{average.low:.3f} … {average.high:.3f}" in number["told"]
            assert cell["count"] == "2 seeds"
    assert marks(body) == ["done"] * 8
    assert "All 8 cells are measured" in texts(at)
    assert "table.start" not in [b.key for b in at.button]


def test_cells_that_came_with_the_program_are_shown_as_such_until_they_are_measured_here(store):
    rows = {(r.row, r.classes, r.seed): r for r in from_csv(published.FILE.read_text(encoding="utf-8"))}
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
    monkeypatch.setattr(published, "FILE", tmp_path / "none.csv")
    at = opened(PAGE, sweep="results")
    assert set(marks(shown(at))) == {"waiting"}
    assert "came with the program" not in texts(at)


def test_a_part_of_the_grid_says_how_much_of_it_is_there(store):
    plant(store, count=3)
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
        one, replace(row(one), laws={n: Law(gamma=g) for n, g in zip(FOLLOWED, (0.9, 2.0, 1.5), strict=True)})
    )
    low, high = table.laid_out(sweep, [state], at_work=False)["rows"][0]["cells"][0]["numbers"]
    assert (low["outside"], high["outside"]) == (True, False)
    assert low["shade"].endswith(",0)")
    assert high["shade"].endswith(f",{table.SHADE})")
    assert "95 %" not in low["told"]


def test_the_figure_holds_every_seed_and_every_mean(store):
    rows = plant(store)
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
    assert {m.label: m.value for m in at.metric} == {f"{LOSSES[loss].label}, 2 cells": "0.10" for loss in ("ce", "mse")}


# -- where a cell leads -----------------------------------------------------------------------------------


def test_a_cell_leads_to_the_power_law_of_its_runs_as_it_was_fitted(store):
    rows = plant(store)
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


# -- starting and stopping --------------------------------------------------------------------------------


def test_start_starts_exactly_the_shown_command_once(started, store):
    at = opened(PAGE)
    at.number_input(key="table.workers").set_value(1).run()
    (code,) = at.code
    at.button(key="table.start").click().run()
    fine(at)
    ((argv, queue),) = started
    assert shlex.split(code.value) == ["python", "-m", "engine", *argv]
    assert parse(argv) == SweepCommand("tiny", workers=1)
    assert not queue
    assert "table.start" not in [b.key for b in at.button]
    assert button(at, "Stop")
    at.run()
    assert len(started) == 1


def test_stop_asks_the_sweep_to_stop(store, monkeypatch):
    asked = []
    monkeypatch.setattr(Jobs, "cancel", lambda self, job: asked.append(job.argv))
    write_job(store.root / "jobs", "work", ("sweep", "tiny", "--workers", "2"), "Sweep", os.getpid(), queue=False)
    at = opened(PAGE)
    button(at, "Stop").click().run()
    assert asked == [("sweep", "tiny", "--workers", "2")]


def test_the_sweep_at_work_is_shown_first_and_told_on_other_pages(store):
    write_job(store.root / "jobs", "work", ("sweep", "table1"), "Sweep", os.getpid(), queue=False)
    at = opened(PAGE)
    assert at.selectbox(key="table.sweep").value == "table1"
    assert f"0 of {len(grid.open_sweep('table1').cells)} cells" in at.get("progress")[0].proto.text
    links = [link.proto.label for link in opened("pages/runs.py").get("page_link")]
    assert any("0%" in label for label in links)
    other = opened(PAGE, sweep="tiny")
    assert "Another sweep is at work" in texts(other)
    assert button(other, "Start")


def test_data_from_the_internet_are_fetched_only_where_that_is_allowed(started, store):
    at = opened(PAGE, sweep="table1")
    at.checkbox(key="table.download").check().run()
    at.button(key="table.start").click().run()
    assert started[0][0][-1] == "--download"
    assert not [c for c in opened(PAGE, sweep="tiny").checkbox if c.key == "table.download"]


def test_how_a_sweep_ended_is_told(store):
    argv = ("sweep", "tiny", "--workers", "1")
    write_job(
        store.root / "jobs",
        "gone",
        argv,
        "Sweep",
        0,
        queue=False,
        state="cancelled",
        message="Finished cells are kept.",
    )
    assert "Finished cells are kept" in texts(opened(PAGE)).replace("\\", "")


def test_the_time_is_estimated_from_the_shapes_and_the_speed_of_this_machine(started, store):
    at = opened(PAGE)
    assert "about" not in " ".join(c.value for c in at.caption)
    button(at, "How long will it take?").click().run()
    assert started == [(("calibrate",), False)]
    estimate.keep_calibration(store, CALIBRATION)
    cells = grid.open_sweep("tiny").cells
    expected = 0.0
    for cell in cells:
        samples = 100 * cell.classes
        expected += estimate.training(cell.run, samples, calibration=CALIBRATION).seconds
        expected += estimate.analysis(estimate.subject(cell.run.model, "fc2"), samples, calibration=CALIBRATION).seconds
    states = status.states(store, grid.open_sweep("tiny"))
    assert progress.seconds_left(states) == pytest.approx(expected)
    assert f"about {duration(rounded(expected + progress.WAKING_SECONDS))}" in texts(opened(PAGE))
    plant(store, count=8)
    assert progress.seconds_left(status.states(store, grid.open_sweep("tiny"))) == 0


def test_a_cell_that_is_tried_again_has_not_failed_yet(store):
    tiny, seen = grid.open_sweep("tiny"), []
    first, second, *_ = tiny.cells
    status.keep_failure(store, first, "It failed.")
    status.keep(store, second, row(second))

    def pool():
        seen.extend(status.states(store, tiny))
        raise InterruptedError

    with pytest.raises(InterruptedError):
        workers.fill(store, tiny, pool)
    assert not any(state.failure for state in seen)
    assert [state.cell for state in seen if state.row is not None] == [second]


def test_a_grid_of_too_many_cells_is_refused_before_it_is_laid_out():
    many = list(range(100))
    text = f"[[grid]]\nvary = {{ seed = {many}, data_seed = {many} }}"
    with pytest.raises(ValueError, match="10,000 cells; 5,000 are the most"):
        choice.checked(text)


# -- which sweep ------------------------------------------------------------------------------------------


def test_the_address_chooses_the_sweep(store):
    at = opened(PAGE, sweep="results")
    assert at.selectbox(key="table.sweep").value == "results"
    assert len(marks(shown(at))) == len(grid.open_sweep("results").cells)
    at.selectbox(key="table.sweep").set_value("table1").run()
    fine(at)
    assert url(at)["sweep"] == "table1"
    assert len(marks(shown(at))) == len(grid.open_sweep("table1").cells)


@pytest.mark.parametrize("name", ["own-0123456789ab", "nothing", "..%2Ftiny"])
def test_a_sweep_that_is_not_here_is_said_kindly(store, name):
    at = opened(PAGE, sweep=name)
    assert at.selectbox(key="table.sweep").value == "tiny"
    assert bool([i for i in at.info if "does not have" in i.value]) == ("%" not in name)


def test_ones_own_sweep_is_checked_kept_and_started_by_its_path(started, store):
    at = opened(PAGE)
    at.text_area(key="table.text").set_value(OWN.replace("epochs", "epoch")).run()
    fine(at)
    assert "grid 1 has no setting epoch" in texts(at).replace("\\", "")
    assert at.button(key="table.use").disabled
    at.text_area(key="table.text").set_value(OWN).run()
    assert "2 cells, 2 runs to train" in texts(at).replace("\\", "")
    at.button(key="table.use").click().run()
    fine(at)
    assert at.selectbox(key="table.sweep").value == url(at)["sweep"]
    path = store.root / "sweeps" / f"{url(at)['sweep']}.toml"
    assert path.read_text() == OWN
    assert marks(shown(at)) == ["waiting"] * 2
    assert r"A sweep of my own\." in texts(at)
    at.button(key="table.start").click().run()
    assert parse(started[0][0]).sweep == str(path)
    at = opened(PAGE, sweep=path.stem)
    assert at.selectbox(key="table.sweep").value == path.stem
    at.button(key="table.forget").click().run()
    fine(at)
    assert at.selectbox(key="table.sweep").value == "tiny"
    assert not path.exists()
    assert "table.forget" not in [b.key for b in at.button]


def test_a_text_that_is_written_outlives_a_look_at_another_page(store):
    at = opened(PAGE)
    at.text_area(key="table.text").set_value(OWN).run()
    at.switch_page("pages/runs.py").run()
    at.switch_page(PAGE).run()
    assert at.text_area(key="table.text").value == OWN
    at.button(key="table.undo").click().run()
    assert at.text_area(key="table.text").value == grid.shipped()["tiny"].read_text()


def test_a_file_is_taken_into_the_text(store):
    at = opened(PAGE)
    at.file_uploader[0].set_value(("mine.toml", OWN.encode(), "application/toml")).run()
    fine(at)
    assert at.text_area(key="table.text").value == OWN


def test_ones_own_data_lie_where_files_may_be_opened(store, tmp_path, monkeypatch):
    monkeypatch.setenv("GAMMASCOPE_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.npz").touch()
    (tmp_path / "else.npz").touch()
    inside = OWN.replace("mnist5k", "mine.npz")
    assert len(choice.checked(inside).cells) == 2
    for name in (str(tmp_path / "else.npz"), "../else.npz", "../../etc/x.npz"):
        with pytest.raises(ValueError, match="lies outside the folders"):
            choice.checked(OWN.replace("mnist5k", name))


# -- what is taken away -----------------------------------------------------------------------------------


def test_the_files_are_those_of_the_engine(store, monkeypatch):
    rows = plant(store, count=5)
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
