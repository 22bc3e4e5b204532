"""Which runs are a sweep's."""

from cache.store import Store
from engine.sweeps import grid, status
from tests.planted import fill, row


def test_a_run_that_a_sweep_began_is_its_own_and_stays_so(tmp_path):
    store = Store(tmp_path)
    first, second = grid.open_sweep("tiny").cells[:2]
    new = "a" * 16
    status.begin(store, first, new, "A first sweep")
    assert status.trained(store) == {new: "A first sweep"}
    assert status.state(store, first).row is None
    # It is there now, and another cell or a second try is of the same run.
    store.write(("runs", new), {})
    status.begin(store, second, new, "A first sweep")
    status.keep_failure(store, second, "It failed.")
    status.forget_failure(store, second)
    assert not status.state(store, second).failure
    status.keep(store, second, row(second, run=new))
    assert [one.run for one in status.measured([status.state(store, second)])] == [new]
    assert status.trained(store) == {new: "A first sweep"}


def test_a_run_that_was_there_before_its_sweep_is_its_users(tmp_path):
    store, cell = Store(tmp_path), grid.open_sweep("tiny").cells[0]
    mine = fill(store)
    status.begin(store, cell, mine, "A first sweep")
    status.keep(store, cell, row(cell, run=mine))
    assert status.trained(store) == {}


def test_a_cell_that_an_earlier_version_measured_has_a_sweep_without_a_name(tmp_path):
    store, cell = Store(tmp_path), grid.open_sweep("tiny").cells[0]
    status.keep(store, cell, row(cell, run="b" * 16))
    assert status.trained(store) == {"b" * 16: ""}
