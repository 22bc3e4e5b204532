"""A text that is written on a page, or opened from a file."""

from dataclasses import dataclass
from typing import Any

import streamlit as st


@dataclass(frozen=True)
class Draft:
    """Where a page keeps its text while it is written: the widget forgets its own when the page is left."""

    page: str

    @property
    def text(self) -> str | None:
        """The text as it is changed; None untouched."""
        return st.session_state.get(f"{self.page}.draft")

    def field(self, label: str, text: str, **more: Any) -> None:
        """The field that shows and changes it."""
        key = f"{self.page}.text"
        if st.session_state.get(key) != text:
            st.session_state[key] = text
        st.text_area(label, key=key, on_change=self._take, args=(key,), **more)

    def file(self) -> None:
        """The way to a file in its place."""
        key = f"{self.page}.file"
        st.file_uploader(
            "Or open a file of yours", type=["toml"], key=key, on_change=self._take, args=(key,), max_upload_size=1
        )

    def undo(self) -> None:
        """Forget all changes."""
        st.session_state.pop(f"{self.page}.draft", None)

    def _take(self, key: str) -> None:
        value = st.session_state[key]
        if value is not None:
            text = value if isinstance(value, str) else value.getvalue().decode("utf-8", errors="replace")
            st.session_state[f"{self.page}.draft"] = text
