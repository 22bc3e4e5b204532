"""The training page beside data whose targets are numbers to predict."""

from cache.store import Store
from engine.runs.preview import Preview
from pages.rooms.train.form import FORM
from tests.pages.conftest import fine, texts
from tests.pages.train.conftest import asked
from tests.planted import add_preview


def test_the_form_fits_numbers_to_predict(at, started, tmp_path):
    name = str(tmp_path / "prices.csv#price")
    numbers = Preview(name, (), (300,), (20,), (4,), None, "with 2 numbers to predict a sample, from 0 to 9", 2)
    for data in (name, f"{name}:numbers"):
        add_preview(Store(), data, numbers)
    form = FORM.changed(at.session_state["train"], data=name, classes=(0, 1), per_class=5)
    at.session_state["train"] = form.fitted(numbers)
    fine(at.run())
    assert not at.pills
    assert "with 2 numbers to predict a sample, from 0 to 9, as they stand in the file" in texts(at)
    assert at.selectbox(key="train.loss").value == "linear_mse"
    fine(at.segmented_control(key="train.targets").set_value("numbers").run())
    command = asked(at, started)
    assert command.request.data.name == f"{name}:numbers"
    assert (command.request.loss, command.request.model.widths) == ("linear_mse", (4, 50, 50, 2))
    assert (command.request.data.classes, command.request.data.per_class) == (None, None)
