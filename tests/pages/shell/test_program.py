"""The command `gammascope`."""

import sys
from pathlib import Path

import pytest

import engine
from pages.shell import program

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("words", [[], ["--server.port", "8600"]])
def test_alone_or_with_streamlits_flags_it_is_the_dashboard(words, monkeypatch):
    started = []
    monkeypatch.setattr(sys, "argv", ["gammascope", *words])
    monkeypatch.setattr("streamlit.web.cli.main", lambda: started.append(sys.argv[1:]))
    assert program.main() == 0
    assert started == [["run", str(ROOT / "app.py"), *words]]


def test_with_a_subcommand_it_is_the_engine(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gammascope", "--version"])
    with pytest.raises(SystemExit, match="0"):
        program.main()
    assert capsys.readouterr().out == f"gammascope {engine.__version__}\n"
    monkeypatch.setattr(sys, "argv", ["gammascope", "analyze", "--run", "none"])
    assert program.main() == 1  # an empty cache holds no run
