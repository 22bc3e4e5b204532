"""A recorder's second process, which makes the matrices: what it is not handed, and what outlives whom."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from cache.store import Store
from engine import Recorder
from engine.runs import library
from tests.engine.test_recorder import QUICK, ROOT, Net, samples


def test_large_factors_are_not_handed_over_and_that_is_said(store, monkeypatch):
    monkeypatch.setattr("engine.recorder.HANDED_BYTES", 100)
    recorder = Recorder("mine", Net(), samples(), layers="fc2", **QUICK)
    with pytest.warns(UserWarning, match="this process makes the matrices"):
        recorder.record(1)
    assert recorder._maker.process is None
    assert len(library.analyses(store, recorder.key)) == 1


def test_a_process_that_dies_of_an_analysis_is_mourned_and_replaced(store):
    recorder = Recorder("mine", Net(), samples(), layers="fc2", **QUICK)
    recorder.record(1)
    recorder._maker.finish()
    (recorder._maker.folder).mkdir(parents=True)
    request = library.analyses(store, recorder.key)[0].request
    (recorder._maker.folder / "000009.json").write_text(json.dumps(vars(request)))
    recorder.record(2)
    recorder.close()
    assert "was killed" in library.refusals(store, recorder.key)[0]
    assert len(library.analyses(store, recorder.key)) == 2


def test_a_script_that_is_killed_keeps_what_it_recorded(tmp_path):
    script = tmp_path / "elsewhere.py"
    script.write_text(
        textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {str(ROOT)!r})
        import torch
        from engine import Recorder
        model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
        x = torch.randn(20, 4)
        recorder = Recorder("killed", model, (x, torch.arange(20) % 2), layers="2", spectra=0)
        recorder.record(1, loss=1.0, accuracy=0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    )
    cache = tmp_path / "cache"
    killed = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=os.environ | {"GAMMASCOPE_CACHE": str(cache)}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    store = Store(cache)
    (run,) = library.runs(store)
    assert run.checkpoints == (1,)
    assert not run.finished
    assert not run.recorded.alive
    for _ in range(600):  # the matrices were handed over, and are made all the same
        if library.analyses(store, run.key) and not list((cache / "handed").glob("*")):
            break
        signal.sigtimedwait([], 0.1)
    assert len(library.analyses(store, run.key)) == 1


def test_a_script_that_waits_for_matrices_says_so(capsys):
    recorder = Recorder("mine", Net().eval(), samples(), batch_size=10, layers=["fc1"], **QUICK)
    recorder.record(1)
    recorder.close()  # a process takes longer to begin than a line
    assert "Waiting for the matrices of 1 analysis" in capsys.readouterr().err
    assert library.analyses(Store(), recorder.key)
