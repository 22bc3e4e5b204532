"""Which sweep is shown, and one's own."""

import os
from pathlib import Path

import pytest

from engine.config.command_line import parse
from engine.sweeps import grid
from pages.rooms.sweeps import choice
from tests.pages.conftest import fine, opened, texts, url
from tests.pages.sweeps.conftest import PAGE, marks, shown

OWN = """name = "Mine"
about = "A sweep of my own."
[[grid]]
set = { data = "mnist5k", per_class = 100, widths = [784, 20, 20, 10], epochs = 2 }
vary = { seed = [0, 1] }
"""


def test_a_grid_of_too_many_cells_is_refused_before_it_is_laid_out():
    many = list(range(100))
    text = f"[[grid]]\nvary = {{ seed = {many}, data_seed = {many} }}"
    with pytest.raises(ValueError, match="10,000 cells; 5,000 are the most"):
        choice.checked(text)


def test_a_bad_file_in_the_folder_costs_only_itself(store):
    folder = store.root / "sweeps"
    folder.mkdir(parents=True)
    (folder / "own-dangling.toml").symlink_to("nowhere")
    os.mkfifo(folder / "own-pipe.toml")
    for name, content in {
        b"own-odd\xff.toml": OWN.encode(),
        b"own-long.toml": b"#" * 10**6,
        b"own-deep.toml": b"a = " + b"[" * 20_000,
        b"own-sound.toml": OWN.encode(),
    }.items():
        Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_bytes(content)
    assert [id for id in choice.known() if id.startswith("own-")] == ["own-sound"]


def test_the_address_chooses_the_sweep(store):
    at = opened(PAGE, sweep="results")
    assert at.selectbox(key="table.sweep").value == "results"
    assert len(marks(shown(at))) == len(grid.open_sweep("results").cells)
    fine(at.selectbox(key="table.sweep").set_value("table1").run())
    assert url(at)["sweep"] == "table1"
    assert len(marks(shown(at))) == len(grid.open_sweep("table1").cells)


@pytest.mark.parametrize("name", ["own-0123456789ab", "nothing", "..%2Ftiny"])
def test_a_sweep_that_is_not_here_is_said_kindly(store, name):
    at = opened(PAGE, sweep=name)
    assert at.selectbox(key="table.sweep").value == "tiny"
    assert bool([i for i in at.info if "does not have" in i.value]) == ("%" not in name)


def test_ones_own_sweep_is_checked_kept_and_started_by_its_path(started, store):
    at = opened(PAGE)
    fine(at.text_area(key="table.text").set_value(OWN.replace("epochs", "epoch")).run())
    assert "grid 1 has no setting epoch" in texts(at).replace("\\", "")
    assert at.button(key="table.use").disabled
    at.text_area(key="table.text").set_value(OWN).run()
    assert "2 cells, 2 runs to train" in texts(at).replace("\\", "")
    fine(at.button(key="table.use").click().run())
    assert at.selectbox(key="table.sweep").value == url(at)["sweep"]
    path = store.root / "sweeps" / f"{url(at)['sweep']}.toml"
    assert path.read_text() == OWN
    assert marks(shown(at)) == ["waiting"] * 2
    assert r"A sweep of my own\." in texts(at)
    at.button(key="table.start").click().run()
    assert parse(started[0][0]).sweep == str(path)
    at = opened(PAGE, sweep=path.stem)
    assert at.selectbox(key="table.sweep").value == path.stem
    fine(at.button(key="table.forget").click().run())
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
    fine(at.file_uploader[0].set_value(("mine.toml", OWN.encode(), "application/toml")).run())
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
