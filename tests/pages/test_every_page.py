"""Every page over a small planted cache: no exception, and what is there is shown."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import ROOT, button, charts, fine, opened, url

PAGES = ("pages/commutativity.py", "pages/power_law.py")


# -- every page -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["commutativity", "power_law", "dynamics", "suppression", "duality", "held_out"])
def test_a_page_without_results_says_what_to_press(store, page):
    at = opened(f"pages/{page}.py")
    assert "Open the start page" in at.info[0].value
    assert not charts(at)


@pytest.mark.parametrize("page", ["app.py", *PAGES])
def test_a_page_shows_the_last_epoch_with_its_provenance(run, page):
    at = opened(page)
    assert charts(at)
    assert any(f"Run\u00a0{run[:8]}" in c.value and "epoch\u00a0100" in c.value for c in at.caption)


@pytest.mark.parametrize("page", ["app.py", *PAGES])
def test_a_deep_link_opens_what_it_names(run, page):
    at = opened(page, run=run, epoch="10", k="30", matrix="C_awd")
    assert any("epoch\u00a010" in c.value for c in at.caption)
    assert url(at)["epoch"] == "10"


@pytest.mark.parametrize(
    "params",
    [{"run": "../../etc"}, {"run": "0" * 16}, {"epoch": "-3"}, {"epoch": "7"}, {"k": "1e9"}, {"matrix": "<b>"}],
)
def test_a_link_to_what_is_not_there_opens_what_is(run, params):
    at = opened("pages/commutativity.py", **params)
    assert charts(at)


def test_what_a_link_names_and_is_not_here_is_said_kindly(run):
    at = opened("pages/commutativity.py", run="0" * 16, runs="1" * 16, layer="fc9")
    sentences = [i.value for i in at.info]
    assert any("run 00000000 and 11111111, which this machine does not have" in t for t in sentences)
    assert any("Layer fc9 is not analysed in this run; fc2 is shown." in t for t in sentences)
    assert charts(at)
    assert not [i for i in opened("pages/commutativity.py", run=run).info if "link" in i.value]


def test_the_nearest_epoch_is_shown_and_said_for_one_that_is_missing(run):
    at = opened(epoch="7")
    assert at.select_slider[0].value == 10
    assert any("Epoch 7 is not analysed here" in c.value for c in at.caption)


def test_an_error_becomes_a_sentence(run, monkeypatch):
    def broken(*_):
        raise ValueError("The knob is stuck. Turn another one.")

    monkeypatch.setattr("pages.data.results.view", broken)
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not at.exception
    assert at.warning[0].value == "The knob is stuck. Turn another one."


def test_a_fault_of_the_program_shows_no_internals(run, monkeypatch):
    def broken(*_):
        raise KeyError("secret_name")

    monkeypatch.setattr("pages.data.results.view", broken)
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not at.exception
    assert "our fault" in at.error[0].value
    assert "secret_name" not in at.error[0].value


# -- commutativity ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["app.py", *PAGES])
def test_keys_step_from_epoch_to_epoch(run, page):
    at = opened(page, epoch="10")
    fine(button(at, "Previous epoch").click().run())
    assert url(at)["epoch"] == "0"
    assert button(at, "Previous epoch").disabled
    for _ in range(2):
        button(at, "Next epoch").click().run()
    assert url(at)["epoch"] == "100"
    assert button(at, "Next epoch").disabled
