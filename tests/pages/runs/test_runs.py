"""The runs page over planted runs: what is pressed, renamed, deleted and limited is so in the cache."""

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cache.jobs import Job
from engine import units
from engine.config.command_line import parse
from engine.config.commands import to_json
from engine.runs import eviction, library
from pages.rooms.runs import cards, table
from pages.text import run_names
from tests.pages.conftest import ROOT, fine, opened, texts, url
from tests.planted import fill

PAGE = "pages/runs.py"


def pressed(at, label):
    """Press the button of that label."""
    (button,) = [b for b in at.button if b.label == label]
    fine(button.click().run())
    return at


# -- the table --------------------------------------------------------------------------------------------


def test_without_runs_it_says_what_to_press(store):
    at = opened(PAGE)
    assert "Open the start page" in at.info[0].value
    assert not at.dataframe


def test_every_run_is_a_row_with_its_numbers(store, run):
    other = fill(store, epochs=(0, 10), seed=1)
    library.rename(store, other, "the second")
    at = opened(PAGE)
    rows = at.dataframe[0].value
    assert rows["Name"].tolist() == ["the second", run[:8]]
    assert rows["Seed"].tolist() == [1, 0]
    assert rows["Epochs"].tolist() == ["100 of 100"] * 2
    assert rows["Checkpoints"].tolist() == [2, 3]
    assert rows["Analyses"].tolist() == [2, 3]
    assert rows["On disk"].tolist() == [units.words(store.size("runs", key)) for key in (other, run)]
    for name, column in (("C", "γ, C"), ("C_awd", "γ, C_AWD")):
        expected = []
        for key in (other, run):
            last = library.analyses(store, key)[-1]
            expected.append(library.load_analysis(store, key, last.key).fit(name).gamma)
        np.testing.assert_allclose(rows[column], expected)
    np.testing.assert_allclose(rows["Accuracy"], library.find(store, run).history.train_accuracy[-1])


def test_a_run_without_history_or_analysis_is_a_row_too(store):
    key = fill(store, epochs=())
    store.write(("runs", key), dict(store.read("runs", key).meta) | {"records": []})
    at = opened(PAGE)
    assert at.dataframe[0].value["Epochs"].tolist() == ["0 of 100"]
    assert "Not analysed yet." in texts(at)


def test_rows_pressed_are_the_selection_of_all_pages(store, run):
    other = fill(store, epochs=(0, 100), seed=1)
    at = opened(PAGE, run=run)
    assert at.session_state[table.KEY]["selection"]["rows"] == [1]
    at = opened(PAGE, run=run, runs=other)
    assert at.session_state[table.KEY]["selection"]["rows"] == [1, 0]
    assert "Side by side" in [h.value for h in at.subheader]
    assert "| Seed | 0 | 1 |" in texts(at)
    assert "All other settings are the same." in texts(at)


def test_the_first_pressed_stays_the_selected_run(store, run, monkeypatch):
    other = fill(store, epochs=(0, 100), seed=1)
    chosen = {}
    monkeypatch.setattr(table.selection, "choose", lambda **changes: chosen.update(changes))
    monkeypatch.setattr(table.results, "chosen_run", lambda: library.find(store, run))
    for rows, expected in (
        ([0, 1], {"run": run, "runs": (other,)}),
        ([1], {"run": run, "runs": None}),
        ([0], {"run": other, "runs": None}),
        ([], {"run": run, "runs": None}),
    ):
        state = {table.KEY: {"selection": {"rows": rows}}}
        monkeypatch.setattr(table.st, "session_state", state)
        table._select([other, run])
        assert chosen == expected


def test_the_buttons_of_a_run_open_it_there(store, run):
    fill(store, epochs=(0, 100), seed=1)
    at = opened(PAGE, run=run)
    pressed(at, "Dynamics")
    assert at.title[0].value == "How does the law arise during training?"
    assert url(at)["run"] == run


# -- names ------------------------------------------------------------------------------------------------


def test_a_new_name_is_kept_and_shown_in_the_menu(store, run):
    at = opened(PAGE)
    at.text_input[0].set_value("mine *own* $run$").run()
    pressed(at, "Rename")
    assert library.label(store, run) == "mine *own* $run$"
    assert r"**mine \*own\* \$run\$**" in [m.value for m in at.sidebar.markdown]
    at.text_input[0].set_value("").run()
    pressed(at, "Rename")
    assert library.label(store, run) == ""


def test_equal_descriptions_are_told_apart_by_what_differs(store, run):
    fill(store, seed=1)
    runs = library.runs(store)
    labels = run_names.names(runs)
    assert [labels[r.key].split(", ")[0] for r in runs] == ["seed 1", "seed 0"]
    mse = replace(runs[0], key="1" * 16, request=replace(runs[0].request, loss="mse"), class_names=("0", "1"))
    assert list(run_names.names([*runs, mse]).values())[::2] == [
        "cross‑entropy, 10 classes, seed 1, MNIST (5,000 digits), 784‑50‑50‑10",
        "softmax MSE, 2 classes, seed 1, MNIST (5,000 digits), 784‑50‑50‑10",
    ]
    for r in runs:
        library.rename(store, r.key, "twin")
    named = library.runs(store)
    assert sorted(run_names.names(named).values()) == ["twin, seed 0", "twin, seed 1"]
    # Two of one seed and one minute are told apart by their keys.
    same = [named[0], type(named[0])(**{**vars(named[0]), "key": "0" * 16})]
    assert len(set(run_names.names(same).values())) == 2
    at = opened()
    assert at.sidebar.selectbox[0].options == ["twin, seed 1", "twin, seed 0"]


# -- deleting ---------------------------------------------------------------------------------------------


def test_a_run_is_deleted_only_after_a_second_yes(store, run):
    other = fill(store, epochs=(0,), seed=1)
    at = opened(PAGE, run=run)
    size = units.words(store.size("runs", run))
    pressed(at, "Delete run")
    assert store.list("runs") == tuple(sorted((run, other)))
    assert "3 checkpoints and 3 analyses" in texts(at)
    assert size in texts(at)
    pressed(at, "Keep")
    assert store.read("runs", run) is not None
    pressed(at, "Delete run")
    pressed(at, "Delete the run")
    assert store.list("runs") == (other,)
    assert url(at).get("run") != run
    assert at.dataframe[0].value["Name"].tolist() == [other[:8]]


def test_single_analyses_are_deleted_only_after_a_second_yes(store, run):
    at = opened(PAGE)
    made = {a.request.epoch: a.key for a in library.analyses(store, run)}
    (pills,) = [g for g in at.get("button_group") if g.label == "Analyses to delete"]
    pills.set_value([made[0], made[10]]).run()
    pressed(at, "Delete 2 analyses")
    assert len(library.analyses(store, run)) == 3
    assert "(epoch 0, 10)" in texts(at)
    fine(at.button(key="runs.yes").click().run())
    assert [a.request.epoch for a in library.analyses(store, run)] == [100]
    assert library.find(store, run).checkpoints == (0, 10, 100)


@pytest.mark.parametrize(
    ("argv", "works"),
    [
        (("train", "--analyze", "last,all"), True),
        (("train", "--seed", "7"), False),
        (("analyze", "--run", "RUN", "--epoch", "10"), True),
        (("analyze", "--run", "0000", "--epoch", "10"), False),
    ],
)
def test_the_job_that_works_on_a_run_is_known(store, run, monkeypatch, argv, works):
    job = at_work(store, tuple(run[:6] if word == "RUN" else word for word in argv))
    monkeypatch.setattr("cache.jobs.Jobs.running", lambda _: (job,))
    assert (cards.working(library.find(store, run)) is job) is works


def at_work(store, argv):
    return Job("j-0001", store.root, argv, "A long job", request=to_json(parse(argv)) if argv else {})


def test_what_a_job_works_on_is_not_deleted(store, run, monkeypatch):
    monkeypatch.setattr(cards, "working", lambda _: at_work(store, ()))
    at = opened(PAGE)
    pressed(at, "Delete run")
    assert at.button(key="runs.yes").disabled
    assert "is at work on this run" in at.warning[0].value


def test_a_job_that_began_after_the_question_was_asked_is_heard(store, run, monkeypatch):
    at = opened(PAGE)
    pressed(at, "Delete run")
    monkeypatch.setattr(cards, "working", lambda _: at_work(store, ()))
    fine(at.button(key="runs.yes").click().run())
    assert "is at work on this run" in at.warning[0].value
    assert store.read("runs", run) is not None


# -- room -------------------------------------------------------------------------------------------------


def test_a_lower_limit_names_what_would_leave_and_waits_for_a_yes(store, run, monkeypatch):
    monkeypatch.setattr(eviction, "SMALLEST_LIMIT", 1_000_000)
    size = store.size()
    at = opened(PAGE)
    assert f"**{units.words(size)} of 5 GB**" in at.get("progress")[0].proto.text
    oldest = eviction.analyses(store)[0]
    limit = size / 1e9 - oldest.size / 2e9
    at.number_input[0].set_value(limit).run()
    pressed(at, "Set the limit")
    assert eviction.limit(store) == eviction.USUAL_LIMIT
    assert "1 analysis leaves the cache, oldest first" in texts(at)
    assert f"- run {run[:8]}: epoch 0" in texts(at)
    pressed(at, "Lower the limit")
    assert eviction.limit(store) == round(limit * 1e9)
    assert [a.request.epoch for a in library.analyses(store, run)] == [10, 100]
    assert "the analysis of epoch 0" in texts(at).replace("\\", "")


def test_a_higher_limit_is_set_at_once(store, run):
    at = opened(PAGE)
    at.number_input[0].set_value(7.5).run()
    pressed(at, "Set the limit")
    assert eviction.limit(store) == 7_500_000_000
    assert len(library.analyses(store, run)) == 3


def test_what_was_damaged_is_told(store, run):
    made = library.analyses(store, run)[0]
    folder = store.root / "runs" / run / "analyses" / made.key
    next(folder.glob("main-*")).unlink()
    at = opened(PAGE)
    assert "was set aside" in texts(at)


def test_a_failure_inside_is_a_sentence(store, run, monkeypatch):
    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table, "_row", broken)
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.switch_page(PAGE)
    at.run()
    assert not at.exception
    assert "The disk has no room left" in at.error[0].value
