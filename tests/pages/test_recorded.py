"""A run that a script of its user's recorded, on every page: shown as others are, and where its network would be needed
the command is, in place of a button."""

import pytest
import torch
from torch import nn

from engine import Analysis, analyze, keep
from engine.config.command_line import parse
from engine.config.commands import COMMANDS, AnalyzeCommand, BringingCommand
from engine.runs import library
from pages.data import results
from pages.jobs import analyse, elsewhere
from pages.plot import reproduce
from pages.publish import run_report
from pages.state.menu import MENU
from pages.text import confidence, run_facts, run_names
from tests.pages.conftest import button, charts, opened, press, texts
from tests.planted import fill, recorded
from tests.planted_samples import add_samples

DOORS = [entry.file for entries in MENU.values() for entry in entries]
GONE = {"process": 1, "began": 1e8}


def typed(at):
    """The commands that the page shows, read as they are typed."""
    words = [code.value.split() for code in at.code if code.value.startswith("python -m engine")]
    return [parse(line[3:]) for line in words]


@pytest.mark.parametrize("analysed", [True, False])
@pytest.mark.parametrize("door", DOORS)
def test_every_page_shows_it(store, started, door, analysed):
    run = recorded(store, analysed=analysed)
    at = opened(door, run=run)
    for command in typed(at):
        if isinstance(command, BringingCommand):
            assert run.startswith(command.run)
            assert command.model == "your_model.py:model"
    assert not [argv for argv, _ in started if argv[0] not in ("train", "calibrate", "preview")]


@pytest.mark.parametrize("page", ["duality", "sample", "fisher"])
def test_single_samples_are_looked_at_by_the_script_or_by_the_command_shown(store, page):
    run = recorded(store)
    at = opened(f"pages/{page}.py", run=run)
    (command,) = typed(at)
    assert isinstance(command, COMMANDS["samples"])
    assert command.layer == "fc2"
    assert (command.data, command.loss) == ("your_data.py:data", "your_loss.py:loss")
    assert any("`recorder.look(" in i.value and "your_model.py:model and your_data.py:data" in i.value for i in at.info)
    assert not [b for b in at.button if b.label == "Look at every sample"]


def test_files_that_the_script_named_are_in_the_command(store):
    run = recorded(store, bring={"model": "/home/a b/net.py:build", "data": "/data.py:load"})
    at = opened("pages/fisher.py", run=run)
    assert any("--model '/home/a b/net.py:build' --data /data.py:load" in code.value for code in at.code)
    assert not any("in place of" in i.value for i in at.info)
    view = results.view_of(library.find(store, run))
    assert elsewhere.command(view.run, analyse.with_spectra(view)).endswith(
        " --model '/home/a b/net.py:build' --data /data.py:load"
    )


def test_samples_that_were_looked_at_are_shown(store):
    run = recorded(store)
    add_samples(store, run, 1, 2, 3)
    assert charts(opened("pages/sample.py", run=run))


def test_missing_layers_are_analysed_by_the_script_or_by_the_command_shown(store):
    run = recorded(store)
    at = opened("pages/layers.py", run=run)
    (command,) = [one for one in typed(at) if isinstance(one, AnalyzeCommand)]
    assert (command.layer, command.epochs) == ("conv1", ("3",))
    assert any('`recorder.analyze(3, "conv1")`' in i.value for i in at.info)
    assert not [b for b in at.button if b.label.startswith("Analyse")]


def test_other_samples_are_looked_at_by_the_script_or_by_the_command_shown(store):
    at = opened("pages/held_out.py", run=recorded(store))
    (command,) = [one for one in typed(at) if isinstance(one, AnalyzeCommand)]
    assert command.cross_fit
    assert any('`recorder.cross_fit(3, "fc2")`' in i.value for i in at.info)
    assert not [b for b in at.button if b.label == "Look at other samples"]


def test_its_numbers_are_checked_by_the_script_or_by_the_command_shown(store):
    at = opened("pages/power_law.py", run=recorded(store))
    button(at, "Check these numbers").click().run()
    assert not at.exception
    assert any(code.value.startswith("python -m engine check") for code in at.code)
    assert not [b for b in at.button if b.label == "Check now"]


def test_a_run_that_is_here_is_measured_where_its_network_is(store, prepared):
    run = recorded(store)
    at = press(opened("pages/load.py"), "button_group", "Where is it?", "run")
    assert any(isinstance(command, AnalyzeCommand) and command.run == run for command in typed(at))
    assert not [b for b in at.button if b.label == "Measure"]


@pytest.mark.parametrize("page", ["power_law", "dynamics", "layers", "runs"])
def test_it_grows_while_its_script_is_at_work(store, page):
    run = recorded(store)
    at = opened(f"pages/{page}.py", run=run)
    assert "Its script is at work: epoch 3 is the last" in texts(at)
    store.write(("runs", run), store.read("runs", run).meta | {"finished": True, "end": "Recorded: 3 epochs."})
    assert "at work" not in texts(opened(f"pages/{page}.py", run=run))


def test_a_script_that_is_gone_is_told(store):
    run = recorded(store, **GONE)
    assert "at work" not in texts(opened("pages/power_law.py", run=run))
    library.refuse(store, results.analysed(library.find(store, run))[0].request, "Layer 'fc2' holds NaN.")
    said = texts(opened("pages/runs.py", run=run))
    assert "Its script is gone; what it recorded is kept" in said.replace("\\", "")
    assert "holds NaN" in said


def test_words_of_it(store):
    fill(store)
    run = library.find(store, recorded(store))
    assert run_names.makeup(run) == "own samples, Net 1‑10, focal"
    assert "3 epochs recorded from a script, batches of 50, steps by Adam" in run_names.settings(run)
    facts = run_facts.settings(run)
    assert (facts["Optimiser"], facts["Batch size B"], facts["Learning rate"]) == ("Adam", "50", "the script's own")
    assert run_facts.epochs(run) == "3 so far"
    assert "Run the script with another" in confidence.of_view(results.view_of(run), "C", 100)


def test_a_seed_that_nobody_knows_is_not_named(store):
    runs = [library.find(store, recorded(store, epochs)) for epochs in ((1, 2), (1, 2, 3))]
    assert all("seed" not in name and name.startswith("my run, ") for name in run_names.names(runs).values())
    assert opened("pages/runs.py").dataframe[0].value["Seed"].isna().all()


def test_code_and_report_bring_its_network(store):
    run = library.find(store, recorded(store))
    view = results.view_of(run)
    code = reproduce.one(view, "print(result)")
    compile(code, "reproduce", "exec")
    assert "Brought.of('your_model.py:model', 'your_data.py:data', 'your_loss.py:loss')" in code
    assert "loss=brought.loss" in code
    assert "--model your_model.py:model" in run_report.html(view)


@pytest.mark.parametrize(("door", "again"), [*((door, False) for door in DOORS), ("pages/suppression.py", True)])
def test_a_result_kept_by_hand_is_on_every_page(store, started, tmp_path, door, again):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)).eval()
    result = analyze(model, torch.randn(60, 6), torch.arange(60) % 3, layer="0", batch_size=10)
    if again:
        result.save(tmp_path / "kept")
        result = Analysis.load(tmp_path / "kept")
    at = opened(door, run=keep(result, "by hand"))
    assert not [command for command in typed(at) if isinstance(command, BringingCommand)]
    assert not [argv for argv, _ in started if argv[0] not in ("train", "calibrate", "preview")]
