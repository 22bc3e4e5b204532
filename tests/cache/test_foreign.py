"""What others wrote: whatever a parser raises is one sentence, and bounds hold before anything unfolds."""

import json
import os
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from cache.foreign import parsing, read_json, read_toml, shown, typed
from cache.jobs import Jobs
from cache.progress import read_progress
from engine.data import files
from engine.sweeps import grid


@pytest.mark.parametrize(
    "error",
    [RecursionError("deep"), MemoryError(), zipfile.BadZipFile("a"), RuntimeError("a"), OverflowError("a"),
     KeyError("a"), zlib.error("a"), UnicodeDecodeError("utf-8", b"", 0, 1, "a")],
)  # fmt: skip
def test_whatever_a_parser_raises_is_one_sentence(error):
    with pytest.raises(ValueError, match=r"^a\.x cannot be read \(.+\): save it again\.$") as raised, \
         parsing("a.x cannot be read", "save it again"):  # fmt: skip
        raise error
    assert type(raised.value) is ValueError


def test_an_error_of_the_disk_passes(tmp_path):
    with pytest.raises(FileNotFoundError), parsing("It cannot be read"):
        open(tmp_path / "none").close()


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a" + ".a" * 30_000 + " = 1", "a = " + "9" * 5000])
def test_toml_that_unfolds_is_a_sentence(text):
    with pytest.raises(ValueError, match=r"^The sweep is no valid TOML \("):
        read_toml(text, "The sweep")


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "1", "", '{"a": 1' + "0" * 30 + "}"])
def test_json_that_is_no_record_is_a_sentence(text):
    with pytest.raises(ValueError, match=r"^It is no "):
        read_json(text)


@pytest.mark.parametrize("change", [{"pid": 10**30}, {"created": "x"}, {"argv": 3}, {"title": ["a"]}, {"request": 1}])
def test_a_job_of_wrong_types_costs_only_itself(tmp_path, change):
    record = {"argv": [], "title": "Good", "created": 1.0, "run": "", "pid": 1, "started": 1.0}
    for name, values in (("good", record), ("bad", record | change)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "job.json").write_text(json.dumps(values))
    assert sorted(job.title for job in Jobs(tmp_path).jobs()) == ["Good", "Unreadable job"]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"done": "x"}', '{"state": "asleep"}', '{"seconds_left": NaN}'])
def test_progress_of_wrong_types_is_none(tmp_path, text):
    (tmp_path / "progress.json").write_text(text)
    assert read_progress(tmp_path) is None


@pytest.mark.parametrize(
    ("line", "words"), [("set = { classes = 1000000000000 }", "two to 10,000"), ("set = 1", "tables")]
)
def test_a_range_in_a_sweep_is_bounded(line, words):
    with pytest.raises(ValueError, match=words):
        grid.read(f"[[grid]]\n{line}")


def test_an_npz_is_refused_before_it_unfolds(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "FREE_BYTES", 1000)
    zeros = np.zeros((100_000, 4))
    np.savez_compressed(tmp_path / "a.npz", x_train=zeros, y_train=zeros[:, 0].astype(int))
    monkeypatch.setattr(np, "load", None)
    with pytest.raises(ValueError, match="unfolds to"):
        files.read(tmp_path / "a.npz")


def test_names_of_others_are_shown_and_found():
    assert typed("~nobody-here/a") == Path("~nobody-here/a")
    assert shown(os.fsdecode(b"a\xff")).encode() == b"a?"


@pytest.mark.parametrize("coding", ["ascii", "gbk"])
def test_a_terminal_of_another_code_page_gets_its_answer(coding, tmp_path):
    environment = os.environ | {"PYTHONIOENCODING": coding, "GAMMASCOPE_CACHE": str(tmp_path)}
    words = [sys.executable, "-m", "engine", "sweep", "no such λ"]
    done = subprocess.run(words, env=environment, capture_output=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 1
    assert b"There is no sweep" in done.stderr
