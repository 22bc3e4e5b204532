"""Which run opens first, and how a link names one."""

import pytest

from engine.runs import library
from engine.sweeps import grid, status
from pages.data import results
from tests.pages.conftest import button, fine, opened, texts, url
from tests.planted import fill

LAW = "pages/power_law.py"


def first(store):
    """The key of the run that opens by itself."""
    run = results.chosen_run()
    return None if run is None else run.key


def swept(store, seed):
    """A planted run that a sweep trained; its key."""
    cell = grid.open_sweep("tiny").cells[seed]
    run = fill(store, seed=seed)
    status._keep(store, cell, {"run": run, "sweep": "A first sweep"})
    return run


@pytest.fixture
def demo(run):
    return run


def test_the_demo_opens_first_until_another_run_is_pinned(store, demo):
    other, bare = fill(store, seed=1), fill(store, epochs=(), seed=2)
    assert first(store) == demo
    library.pin(store, other)
    assert first(store) == other
    library.pin(store, bare)
    assert first(store) == bare
    store.delete("runs", bare)
    assert first(store) == demo
    library.pin(store, None)
    store.delete("runs", demo)
    assert first(store) == other


def test_a_sweeps_cells_never_open_by_themselves(store):
    cell = swept(store, 1)
    assert first(store) is None
    at = opened(LAW)
    assert "The cells of a sweep are chosen in the menu" in at.info[0].value
    own = fill(store, epochs=(), seed=5)
    assert first(store) == own
    library.pin(store, cell)
    assert first(store) == cell


def test_the_menu_keeps_the_cells_of_a_sweep_in_a_group_of_their_own(store, demo):
    cells = [swept(store, seed) for seed in (1, 2)]
    at = opened(LAW)
    (box,) = at.sidebar.selectbox
    assert (box.label, len(box.options), box.options[1]) == ("Run", 2, "A first sweep, 2 cells")
    fine(box.set_value("sweep A first sweep").run())
    assert url(at)["run"] in cells
    box, inner = at.sidebar.selectbox
    assert inner.label == "Cell"
    assert [option.split(", ")[0] for option in inner.options] == ["seed 1", "seed 2"]
    fine(inner.set_value(next(key for key in cells if key != url(at)["run"])).run())
    assert url(at)["run"] in cells
    fine(at.sidebar.selectbox[0].set_value(demo).run())
    assert url(at)["run"] == demo


def test_the_pin_is_beside_the_run_and_holds(store, demo):
    other = fill(store, seed=1)
    at = opened(LAW, run=other)
    fine(button(at, "Pin").click().run())
    assert library.pinned(store) == other
    assert opened(LAW).sidebar.selectbox[0].value == other
    fine(button(at, "Unpin").click().run())
    assert library.pinned(store) is None


def test_a_link_names_a_run_by_the_beginning_of_its_key(store, demo):
    other = fill(store, seed=1)
    at = opened(LAW, run=other[:6], runs=demo[:5])
    assert url(at)["run"] == other
    assert url(at)["runs"] == demo


def test_a_beginning_that_several_runs_share_is_told(store, demo):
    twin = demo[:6] + "0" * 10
    store.write(("runs", twin), dict(store.read("runs", demo).meta))
    at = opened(LAW, run=demo[:6])
    assert f"2 runs begin with {demo[:6]}" in texts(at)
    assert "Write more letters" in texts(at)
    assert url(at)["run"] == demo[:6]
