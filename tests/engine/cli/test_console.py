"""Progress in place on a terminal, now and then in a log."""

import io
import re

from engine.cli.console import Ticker
from engine.units import duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_rewrites_one_line_of_a_terminal() -> None:
    out, time_ = Terminal(), [0.0]
    ticker = Ticker(out, lambda: time_[0], lambda: 30)
    for i in range(101):
        time_[0] = i / 20
        ticker.progress("training", i, 100)
    ticker.say("Done.")
    text = out.getvalue()
    assert text.count("\n") == 1
    lines = text.split("\r")
    assert 20 < len(lines) < 60
    assert all(len(line.removesuffix("\x1b[K")) < 30 for line in lines[:-1])
    assert re.search(r"\rtraining  4\d/100  3 s left\x1b", text)
    assert text.endswith("\r\x1b[KDone.\n")


def test_progress_is_sparse_in_a_log() -> None:
    out, time_ = io.StringIO(), [0.0]
    ticker = Ticker(out, lambda: time_[0])
    for i in range(1000):
        time_[0] = i / 10
        ticker.progress("training", i, 1000)
    assert 8 <= len(out.getvalue().splitlines()) <= 11
    assert "\r" not in out.getvalue()


def test_durations_read_as_said() -> None:
    spoken = {0.2: "0 s", 59.4: "59 s", 60.0: "1 min", 200.0: "3 min 20 s", 7500.0: "2 h 5 min", 7200.0: "2 h"}
    assert {seconds: duration(seconds) for seconds in spoken} == spoken
