"""Runs that a script of the user's own trained: their network is there, and the command that brings it is shown."""

from dataclasses import replace

import streamlit as st

from engine.config.command_line import line
from engine.config.commands import BringingCommand
from engine.runs.library import BY_HAND
from engine.runs.run import PLACES, Run


def command(run: Run, asked: BringingCommand) -> str:
    """A command on a run as it is typed, with what it must be given for a recorded one."""
    return line(replace(asked, **run.bring))


def explain(run: Run, asked: BringingCommand, call: str) -> bool:
    """Whether the network of a run is elsewhere. The page then says so, and how the recorder is called and what is
    typed in place of its button."""
    if run.recorded is None:
        return False
    if run.by_hand:
        st.info(BY_HAND, icon=":material/terminal:")
        return True
    open_ = [word for word in run.bring.values() if word in PLACES.values()]
    where = f" with your files and functions in place of {' and '.join(open_)}" if open_ else ""
    st.info(
        f"This run was trained by a script of your own, and its network is there. In the script, `recorder.{call}`; or "
        f"in a terminal{where}:",
        icon=":material/terminal:",
    )
    st.code(command(run, asked), language="bash", wrap_lines=True)
    return True
