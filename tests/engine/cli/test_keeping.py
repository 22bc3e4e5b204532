"""What is in the cache and at work, from a terminal: runs, jobs, stop, export."""

import sys

import numpy as np
import pandas as pd
import pytest

from cache.jobs import Jobs
from engine import Analysis
from engine.__main__ import main
from engine.runs import library


@pytest.fixture
def jobs(store):
    """The dashboard's jobs, with a worker that only sleeps."""
    root = Jobs(store.root / "jobs", lambda argv, folder: [sys.executable, "-c", "import time; time.sleep(60)"])
    yield root
    for job in root.running():
        root.kill(job)


def test_runs_are_listed_with_what_is_analysed(store, train, capsys):
    assert main(["runs"]) == 0
    assert f"0 runs in {store.root}." in capsys.readouterr().err
    assert main([*train, "--epochs", "2", "--analyze", "last"]) == 0
    capsys.readouterr()
    assert main(["runs"]) == 0
    out, err = capsys.readouterr()
    run = library.find(store)
    head, line = out.splitlines()
    assert head.split()[:5] == ["run", "data", "network", "loss", "epochs"]
    assert line.split()[:5] == [run.key, run.data_name, "6-5-4-3", "ce", "2"]
    assert f"accuracy {run.history.train_accuracy[-1]:.2%}" in line
    assert line.endswith("  2")
    assert "1 run in" in err


def test_jobs_are_listed_and_stopped_by_the_beginning_of_their_id(store, jobs, capsys):
    first, second = (jobs.start([name], f"The {name} job", queue=False) for name in ("first", "second"))
    assert main(["jobs"]) == 0
    out, err = capsys.readouterr()
    assert {tuple(line.split()[:2]) for line in out.splitlines()[1:]} == {(j.id, "running") for j in (first, second)}
    assert "2 jobs, 2 at work or waiting." in err
    assert main(["stop", "nothing"]) == 1
    assert f"No jobs at work begin with 'nothing'. At work: {second.id}, {first.id}." in capsys.readouterr().err
    assert main(["stop", first.id[:8]]) == 0
    assert "Stopped: The first job. What was finished is kept." in capsys.readouterr().err
    assert [job.id for job in jobs.running()] == [second.id]
    assert main(["stop", "all"]) == 0
    assert jobs.running() == ()
    assert main(["stop", "all"]) == 0
    assert "No job is at work." in capsys.readouterr().err


def test_an_analysis_is_written_to_a_file(store, train, tmp_path, capsys):
    assert main([*train, "--epochs", "2", "--analyze", "0,2"]) == 0
    run = library.find(store)
    kept = library.load_analysis(store, run.key, library.analyses(store, run.key)[-1].key)
    assert main(["export", str(tmp_path / "noise.csv")]) == 0
    table = pd.read_csv(tmp_path / "noise.csv", index_col="direction")
    assert list(table) == ["H", *kept.names]
    assert table["C"].to_numpy() == pytest.approx(kept.diagonal("C"))
    assert main(["export", str(tmp_path / "first.safetensors"), "--epoch", "0"]) == 0
    first = library.load_analysis(store, run.key, library.analyses(store, run.key)[0].key)
    np.testing.assert_array_equal(Analysis.load(tmp_path / "first.safetensors").eigenvalues, first.eigenvalues)
    capsys.readouterr()
    for words, sentence in (
        ([str(tmp_path / "no" / "noise.csv")], "There is no folder"),
        ([str(tmp_path / "noise.csv"), "--layer", "fc9"], "fc9"),
        ([str(tmp_path / "noise.csv"), "--epoch", "all"], "One analysis goes into one file"),
    ):
        assert main(["export", *words]) == 1
        assert sentence in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["export", str(tmp_path / "noise.pdf")])
    assert "ends in neither .csv nor .safetensors" in capsys.readouterr().err


def test_a_sweep_whose_data_are_missing_says_so_once_and_before_it_starts(store, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GAMMASCOPE_DATA", str(tmp_path / "nothing"))
    assert main(["sweep", "table1"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("is not in") == 1
    assert "cells need mnist, and it is not to be had." in err
    assert "Fetch it: python -m engine sweep table1 --download." in err
