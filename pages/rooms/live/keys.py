"""Keys of widgets that others turn too: the worker, another tab, another widget of the page.

A value that is written into a widget's state can be lost: a browser that is still drawing the page may get the widget
once more before it has shown it, and then answers with the widget's lowest value, as if somebody had turned it. So a
widget here is given its value as its default, and a new key where that has changed without it.
"""

from typing import Any

import streamlit as st


def key(name: str) -> str:
    """The present key of a widget."""
    return f"{name}.{st.session_state.setdefault(f'{name}.count', 0)}"


def renew(name: str) -> None:
    """Let a widget start anew from its default."""
    st.session_state[f"{name}.count"] = st.session_state.get(f"{name}.count", 0) + 1


def fresh(name: str, value: Any) -> str:
    """The key of a widget that shows this value."""
    if st.session_state.get(key(name), value) != value:
        renew(name)
    return key(name)
