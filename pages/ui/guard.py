"""A sentence in place of a traceback, for a page and for a fragment."""

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import streamlit as st

from engine.errors import of_disk
from pages.data.snapshot import snapshot
from pages.state import selection

P = ParamSpec("P")

R = TypeVar("R")


@contextmanager
def sentences() -> Iterator[None]:
    """Show an exception as a sentence: the engine's ValueErrors explain themselves, the rest is logged."""
    try:
        yield
    except ValueError as error:
        st.warning(str(error), icon=":material/info:")
    except OSError as error:
        st.error(f"The cache could not be read or written. {of_disk(error)}", icon=":material/folder_off:")
    except Exception:
        # Streamlit's own control flow is no Exception and passes.
        logging.getLogger("gammascope").exception("A page failed")
        st.error(
            "Something on this page failed; that is our fault, not yours. Results in the cache are untouched. "
            "Reload the page; the terminal that runs the dashboard shows the details.",
            icon=":material/error:",
        )


def guarded(function: Callable[P, R]) -> Callable[P, R | None]:
    """The same for a fragment, which runs again without the page around it; the URL follows what was chosen."""

    @functools.wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R | None:
        with snapshot(), sentences():
            selection.publish()
            return function(*args, **kwargs)
        return None

    return inner
