"""The commands at work: results in the cache, one sentence for every end, and its exit code."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cache.jobs import Jobs
from cache.store import Store
from engine.__main__ import main
from engine.config.command_line import parse
from engine.runs import library
from engine.sweeps.rows import from_csv

ROOT = Path(__file__).resolve().parents[3]


def test_numbers_to_predict_are_trained_on_and_told_as_such(store: Store, tmp_path: Path, capsys) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3)).astype(np.float32)
    np.savez(tmp_path / "own.npz", x_train=x[:60], y_train=x[:60] @ [[2.0], [1], [0]], x_test=x[60:], y_test=x[60:, :1])
    data = ["--data", str(tmp_path / "own.npz"), "--device", "cpu"]
    words = ["train", *data, "--loss", "linear_mse", "--epochs", "2", "--batch-size", "15", "--checkpoints", ""]
    assert main([*words, "--model", "3-5-2"]) == 1
    assert "gives 2 numbers; own has 3 and 1. Give the model 3-5-1" in capsys.readouterr().err
    assert main([*words, "--model", "3-5-1", "--stop-loss", "1e3"]) == 0
    run = library.find(store)
    error, test = np.sqrt(run.history.train_loss[-1]), np.sqrt(run.history.test_loss[-1])
    err = capsys.readouterr().err
    assert f"rms error {error:.3g} (test {test:.3g}), R² {1 - error**2 / run.variance:.3f}" in err
    assert "Stopped at epoch 0: converged (loss below 1000)" in err
    assert main([*words, "--model", "3-5-1", "--classes", "0,1"]) == 1
    assert "numbers to predict, of which there are no classes" in capsys.readouterr().err
    assert main(["preview", "--data", data[1]]) == 0
    assert "with 1 number to predict a sample, from" in capsys.readouterr().err


def test_train_and_analyze_leave_their_results_in_the_cache(store: Store, train: list[str], capsys) -> None:
    assert main([*train, "--epochs", "3", "--analyze"]) == 0
    out, err = capsys.readouterr()
    run = library.find(store)
    assert run.finished
    assert [a.request.epoch for a in library.analyses(store, run.key)] == [0, 2, 3]
    # The last epoch first: it is what a newcomer waits for.
    assert re.findall(r"epoch (\d+), layer", out) == ["3", "2", "0"]
    assert f"Run {run.key}: 3 epochs" in err
    assert "(no test samples)" in err
    assert "Done: 3 analyses" in err

    assert main(["analyze", "--run", run.key[:6], "--epoch", "2", "--bootstrap", "20", "--spectra", "0"]) == 0
    out, err = capsys.readouterr()
    assert "layer fc2 (4 × 5, D = 20), 90 samples, B = 15" in out
    result = library.load_analysis(store, run.key, library.analyses(store, run.key)[2].key)
    for name in ("C", "C_AWD", "C_hh", "C_hg", "C_gg", "C_hh, sd", "C_hh, sd+wd+li", "E[h²]"):
        assert re.search(rf"^{re.escape(name)}  ", out, re.MULTILINE)
    row = re.search(r"^C  .*$", out, re.MULTILINE)
    assert row is not None
    assert result is not None
    fit = result.fit("C")
    expected = (
        f"{fit.gamma:.3f} {fit.stderr:.3f} {fit.r2:.3f} {fit.n} {result.commutator('C'):.3f} "
        f"{result.random_commutator('C'):.3f} {result.alignment('C'):.3f} {result.random_alignment('C'):.3f}"
    )
    assert row.group().split()[1:] == expected.split()
    assert "gamma of C: 95 % interval over samples" in out
    assert "other half" not in out


def test_analyze_looks_at_other_samples(store: Store, train: list[str], capsys) -> None:
    assert main([*train, "--epochs", "3"]) == 0
    assert main(["analyze", "--cross-fit", "--splits", "2"]) == 0
    out, _ = capsys.readouterr()
    run = library.find(store)
    result = library.load_analysis(store, run.key, library.analyses(store, run.key)[0].key)
    assert result is not None
    fit = result.cross_fit("C")
    numbers = (fit.whole.gamma, fit.half.gamma, fit.crossed.gamma, fit.crossed.spread)
    assert "mean of 2 random halvings both ways" in out
    row = re.search(r"^gamma  .*\nC +(.*)$", out, re.MULTILINE)
    assert row is not None
    assert row.group(1).split() == [*(f"{number:.3f}" for number in numbers), "–"]
    for own, other in fit.growing:
        beside = "–" if other is None else f"{other.gamma:.3f}"
        assert re.search(rf"^{own.samples} +{own.gamma:.3f} +{beside}$", out, re.MULTILINE)
    null = result.structural_null("C").commutator
    spread = f"{null.permuted.min():.3f} … {null.permuted.max():.3f}"
    assert re.search(rf"^commutator +{null.measured:.3f} +{spread} +{null.p_value:.2f}$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("analyze", "There is no run yet. Train one first: python -m engine train."),
        ("train --data nowhere.npz", "nowhere.npz"),
        ("train --data {data}", "Give the model 6-50-50-3, or choose other data."),
        ("train --data {data} --analyze 7", "Epoch 7 is to be analysed, but no checkpoint of it is planned."),
    ],
)
def test_expected_failures_are_code_1_and_one_sentence(
    store: Store, train: list[str], words: str, sentence: str, capsys
) -> None:
    assert main([word.format(data=train[2]) for word in words.split()]) == 1
    out, err = capsys.readouterr()
    assert sentence in err.splitlines()[-1]
    assert "Traceback" not in err
    assert out == ""
    assert library.runs(store) == ()


def test_a_fault_of_the_program_shows_where_and_says_so(store: Store, train: list[str], monkeypatch, capsys) -> None:
    def broken(*args: object, **settings: object) -> None:
        raise ZeroDivisionError("of a programmer")

    monkeypatch.setattr("engine.runs.pipeline.train", broken)
    assert main(train) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("A fault of the program, not of your request (ZeroDivisionError: of a")


@pytest.mark.parametrize("error", [MemoryError("9 GiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_too_little_memory_says_what_to_reduce(store: Store, train: list[str], monkeypatch, capsys, error) -> None:
    def greedy(*args: object, **settings: object) -> None:
        raise error

    monkeypatch.setattr("engine.runs.pipeline.train", greedy)
    assert main(train) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "--per-class" in err.splitlines()[-1]


def test_a_relative_path_names_the_same_run_from_any_folder(store: Store, train: list[str], monkeypatch) -> None:
    train += ["--epochs", "1"]
    assert main(train) == 0
    monkeypatch.chdir(Path(train[2]).parent)
    train[2] = "three.npz"
    assert main(train) == 0
    assert len(library.runs(store)) == 1


def test_sigterm_ends_like_ctrl_c(store: Store, train: list[str], monkeypatch, capsys) -> None:
    monkeypatch.setattr("engine.runs.pipeline.train", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert main(train) == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith("Stopped. What was finished is kept.")


# -- real processes -------------------------------------------------------------------------------------


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"still not so after {seconds} s"
        time.sleep(0.05)


def test_ctrl_c_keeps_what_was_finished_and_says_how_to_go_on(store: Store, train: list[str]) -> None:
    words = [*train, "--epochs", "1000000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "engine", *words],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # As in a terminal; what a shell runs in the background is deaf to it, and so are its children.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        until(lambda: any(len(run.history) > 4 for run in library.runs(store)))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith("Stopped. What was finished is kept.")
    assert last.endswith(f"Go on with: python -m engine {shlex.join(words)}")
    (run,) = library.runs(store)
    assert not run.finished
    assert run.checkpoints == (0, 2)
    assert store.damage_log() == ()
    # What it says is what the dashboard would start, too.
    assert parse(shlex.split(last.split("python -m engine ")[1])) == parse(words)


def test_the_dashboards_worker_can_be_watched_and_cancelled(store: Store, train: list[str]) -> None:
    jobs = Jobs(store.root / "jobs")
    words = [*train, "--epochs", "1000000"]
    job = jobs.start(words, "training")
    try:
        until(lambda: (watched := jobs.job(job.id)) is not None and watched.progress.done > 4)
        until(lambda: library.find(store).history.epoch[-1] >= 4)
        began = time.monotonic()
        jobs.cancel(job)
        until(lambda: not jobs.running(), 4)
        assert time.monotonic() - began < 3
    finally:
        jobs.kill(job)
    watched = jobs.job(job.id)
    assert watched is not None
    assert watched.state == "cancelled"
    assert watched.message.endswith(f"Go on with: python -m engine {shlex.join(words)}")


def test_reading_and_describing_work_needs_no_torch() -> None:
    code = (
        "import sys, engine.runs.library, engine.config.command_line, engine.cli.console\n"
        "import cache.jobs, cache.store, engine.__main__\n"
        "sys.exit('torch' in sys.modules)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=False).returncode == 0


def test_a_sweep_fills_its_table_and_writes_it(store: Store, train: list[str], tmp_path: Path, capsys) -> None:
    sweep = tmp_path / "own.toml"
    sweep.write_text(
        f'name = "Own"\n[[grid]]\nset = {{ data = "{train[2]}", widths = [6, 5, 4, 3], epochs = 2, window = 12 }}\n'
        'vary = { loss = ["ce", "mse"], seed = [0, 1] }\n'
    )
    csv, tex = tmp_path / "table.csv", tmp_path / "table.tex"
    assert main(["sweep", str(sweep), "--table", "--csv", str(csv), "--latex", str(tex)]) == 0
    out, err = capsys.readouterr()
    assert "0 of 4 cells of “Own” are measured." in err
    assert out == "No cell is measured: there is no table to show or to write.\n"
    assert not csv.exists()
    assert not tex.exists()
    assert main(["sweep", str(sweep), "--workers", "1", "--device", "cpu", "--csv", str(csv), "--latex", str(tex)]) == 0
    out, err = capsys.readouterr()
    assert "4 of 4 cells of “Own” are measured." in err
    rows = from_csv(csv.read_text())
    assert [(row.row, row.seed) for row in rows] == [
        (f"three, 6-5-4, {loss}", s) for loss in ("CE", "MSE") for s in (0, 1)
    ]
    # Two epochs teach these networks nothing: no mean is told of them, neither here nor in LaTeX.
    assert "4 networks left out: training accuracy near guessing. --csv has all." in out
    assert "; 4 left out, which have not learned" in tex.read_text()
    # The command in a row trains its run again, under the same key.
    for row in rows:
        assert parse(shlex.split(row.command)[3:]).request == library.find(store, row.run).request
        capsys.readouterr()
        assert main(shlex.split(row.reading)[3:]) == 0
        assert re.search(
            rf"^C +{row.laws['C'].gamma:.3f} +{row.laws['C'].stderr:.3f} ", capsys.readouterr().out, re.M
        ), row.reading
        assert np.isfinite(row.laws["C"].crossed + row.laws["C_awd"].scaled + row.effective)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sweep", "nothing.toml"], "There is no sweep 'nothing.toml': give the path of a TOML file"),
        (["sweep", "tiny", "--scheduler", "tcp://127.0.0.1:9"], "No Dask scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_a_sweep_that_cannot_be_says_why(store: Store, words: list[str], sentence: str, capsys) -> None:
    assert main(words) == 1
    assert sentence in capsys.readouterr().err


def test_a_sweep_with_a_failed_cell_fails_and_names_it(store: Store, train: list[str], tmp_path: Path, capsys) -> None:
    sweep = tmp_path / "own.toml"
    sweep.write_text(f'[[grid]]\nset = {{ data = "{train[2]}", widths = [7, 3] }}\n')
    assert main(["sweep", str(sweep), "--workers", "1", "--device", "cpu"]) == 1
    out, err = capsys.readouterr()
    assert "three, 7, CE, 3 classes, seed 0: The network takes 7 inputs" in out
    assert "0 of 1 cells of “own” are measured. 1 failed" in err


def test_noise_is_told_as_a_table_and_where_it_starts(store: Store, train: list[str], capsys) -> None:
    assert main([*train, "--epochs", "3", "--learning-rate", "0.01", "--analyze"]) == 0
    capsys.readouterr()
    assert main(["noise", "--steps", "50", "--seeds", "3"]) == 0
    out, err = capsys.readouterr()
    assert "epoch 3, layer fc2" in out
    for name in ("sgd", "C", "E_h2", "H", "turned", "isotropic", "none"):
        assert re.search(rf"^{name} .*\d ", out, re.MULTILINE)
    assert "the last 20% of 50 steps at learning rate 0.009999, over 3 seeds" in out
    assert "Done: 3 seeds of each noise from epoch 3 of run" in err
    assert main(["noise", "--epoch", "0", "--layer", "fc1"]) == 1
    assert "Layer fc1 of run" in capsys.readouterr().err
