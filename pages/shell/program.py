"""The command `gammascope`: the dashboard, alone or with Streamlit's flags; with a subcommand, the engine."""

import sys
from pathlib import Path

from engine.__main__ import main as engine


def main() -> int:
    """Runs either; the exit code."""
    words = sys.argv[1:]
    if words and (not words[0].startswith("--") or words[0] in ("--help", "--version")):
        return engine(words)
    from streamlit.web import cli  # a second that the engine's commands need not wait

    # Streamlit reads .streamlit/config.toml beside the script, from wherever it is started.
    sys.argv = ["streamlit", "run", str(Path(__file__).parents[2] / "app.py"), *words]
    cli.main()
    return 0
