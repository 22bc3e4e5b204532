"""`python -m engine train …` and its sisters: the dashboard's jobs without the dashboard."""

import io
import shlex
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cache.jobs import wait_for_turn
from cache.progress import Reporter, Stopped
from engine.cli.commands import work
from engine.cli.console import Ticker, expected
from engine.cli.session import Session
from engine.config.command_line import parse
from engine.config.commands import ReadingCommand
from engine.config.manual import PROGRAM

DONE, FAILED, INTERRUPTED = 0, 1, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 1 failed, 130 interrupted (2, wrong usage, exits)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal in another code page
    words = list(sys.argv[1:] if argv is None else argv)
    # Of torch about torch: nothing a reader of this terminal could act on.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\.")
    command = parse(words)
    session = Session(Ticker(sys.stderr), None if command.job is None else Reporter(Path(command.job)))
    try:
        # A worker is asked to end by SIGTERM as a person asks by Ctrl-C.
        signal.signal(signal.SIGTERM, _interrupt)
        if command.job is not None:
            wait_for_turn(Path(command.job), session.progress, session.should_stop)
        if not isinstance(command, ReadingCommand):  # it answers at once
            session.progress("starting", 0, 1)
        session.end("done", work(command, session))
        return DONE
    except (KeyboardInterrupt, Stopped):
        finished = session.finished or "What was finished is kept."
        session.end("cancelled", f"Stopped. {finished} Go on with: {PROGRAM} {shlex.join(_typed(words))}")
        return INTERRUPTED
    except Exception as error:
        sentence = expected(error)
        if sentence is None:
            session.ticker.close()
            traceback.print_exc()
            sentence = (
                f"A fault of the program, not of your request ({type(error).__name__}: {error}). The lines above "
                "say where; what was finished is kept."
            )
        session.end("failed", sentence)
        return FAILED


def _typed(words: list[str]) -> list[str]:
    """The words without the hidden flag, as a person would repeat them."""
    if "--job" in words:
        i = words.index("--job")
        return words[:i] + words[i + 2 :]
    return words


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
