"""What one takes away from a figure: its numbers as CSV or NPZ, and the engine calls that make them."""

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy import ndarray


def csv(arrays: Mapping[str, ndarray]) -> str:
    """Columns side by side, shorter ones filled with blanks; a matrix gives one column a column of it."""
    columns = {}
    for name, array in arrays.items():
        array = np.asarray(array)
        if array.ndim < 2:
            columns[name] = np.atleast_1d(array)
        else:
            flat = array.reshape(array.shape[0], -1)
            columns |= {f"{name}[{j}]": flat[:, j - 1] for j in range(1, flat.shape[1] + 1)}
    return pd.DataFrame({name: pd.Series(column) for name, column in columns.items()}).to_csv(index=False)


def npz(arrays: Mapping[str, ndarray]) -> bytes:
    """The arrays by name, for numpy.load(…, allow_pickle=False)."""
    buffer = io.BytesIO()
    named: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez_compressed(buffer, allow_pickle=False, **named)
    return buffer.getvalue()


@st.dialog("Numbers and code", width="large")
def offer(
    filename: str,
    alt: str,
    arrays: Callable[[], Mapping[str, ndarray]] | None,
    code: Callable[[], str] | None,
) -> None:
    """The downloads of one figure, and the code behind it."""
    st.markdown(alt)
    if arrays is not None:
        held = arrays()
        shapes = ", ".join(f"{name} ({' × '.join(map(str, np.shape(a))) or '1'})" for name, a in held.items())
        st.caption(f"All numbers behind the figure, not only the points drawn: {shapes}.")
        with st.container(horizontal=True):
            for write, mime, icon in (
                (csv, "text/csv", ":material/table:"),
                (npz, "application/octet-stream", ":material/data_array:"),
            ):
                kind = write.__name__
                st.download_button(
                    f"Numbers as {kind.upper()}",
                    data=partial(write, held),
                    file_name=f"{filename}.{kind}",
                    mime=mime,
                    icon=icon,
                    on_click="ignore",
                )
    if code is not None:
        st.markdown("**The engine calls that make them.** They run in a Python of this installation, anywhere.")
        st.code(code(), language="python")
