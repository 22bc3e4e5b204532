"""A form: one frozen value in the session, made of requests and of what is typed beside them.

It outlives a change of page, a preset replaces it as a whole, and widgets are given its values before they are drawn.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, Generic, TypeVar

import streamlit as st

from engine.config.fields import Field, settings
from engine.errors import require

F = TypeVar("F", bound=Any)


def numbers(text: str, refusal: str) -> tuple[int, ...]:
    """Whole numbers as typed, with commas or blanks between them. ValueError, the refusal, where they are none."""
    words = [word for word in re.split(r"[\s,;]+", text) if word]
    require(all(word.isdecimal() and len(word) < 7 for word in words), refusal)
    return tuple(map(int, words))


def _replaced(part: F, path: tuple[str, ...], value: Any) -> F:
    name, *rest = path
    return dataclasses.replace(part, **{name: _replaced(getattr(part, name), tuple(rest), value) if rest else value})


@dataclass(frozen=True)
class FormState(Generic[F]):
    """A form's place in the session.

    key: its name there, before the dot of its widgets' keys; first: what it holds untouched; every_run: whether
    widgets are told their values in every run, not only where these differ. A value goes by its name: a field of the
    form itself, else a setting of its requests under the name a user types, of the last one that has it.
    """

    key: str
    first: F
    every_run: bool = False

    @cached_property
    def settings(self) -> Mapping[str, tuple[tuple[str, ...], Field]]:
        """The settings of the form's requests by name, each with the way to it."""
        return {field.name: (path, field) for path, field, _ in settings(self.first)}

    def current(self) -> F:
        """The form as it is."""
        form: F = st.session_state.setdefault(self.key, self.first)
        return form

    def put(self, form: F) -> None:
        """Replace the form."""
        st.session_state[self.key] = form

    def changed(self, form: F, **values: Any) -> F:
        """A form with some values changed."""
        for name, value in values.items():
            form = _replaced(form, self._path(name), value)
        return form

    def change(self, **values: Any) -> None:
        """Change some values."""
        self.put(self.changed(self.current(), **values))

    def bound(self, name: str) -> dict[str, Any]:
        """Arguments that tie a widget to a value of the form."""
        key = f"{self.key}.{name}"
        value: Any = reduce(getattr, self._path(name), self.current())

        def taken() -> None:
            chosen = st.session_state[key]
            self.change(**{name: tuple(chosen) if isinstance(chosen, list) else chosen})

        # Several choices are a list to Streamlit.
        value = list(value) if isinstance(value, tuple) else value
        if self.every_run or key not in st.session_state or st.session_state[key] != value:
            st.session_state[key] = value
        return {"key": key, "on_change": taken}

    def widget(self, name: str, **more: Any) -> dict[str, Any]:
        """Arguments of the widget of a setting as it is declared, and what a page says otherwise or more of it."""
        field = self.settings[name][1]
        setting = field.setting
        arguments: dict[str, Any] = {"label": setting.label}
        if setting.choices:
            arguments["options"] = setting.choices
        elif field.kind in (int, float):
            lowest, highest = (
                next((field.kind(bound) for bound in bounds if bound is not None), None)
                for bounds in ((setting.low, setting.above), (setting.high, setting.below))
            )
            arguments |= {"min_value": lowest, "max_value": highest, "step": setting.step}
            arguments |= {"value": None, "placeholder": setting.none} if field.optional else {}
        return arguments | self.bound(name) | more

    def _path(self, name: str) -> tuple[str, ...]:
        return (name,) if name in vars(self.first) else self.settings[name][0]
