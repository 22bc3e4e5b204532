"""Bytes and names that others wrote: whatever a parser of them raises becomes one sentence, and what they unfold to is
bounded before it is unfolded."""

import contextlib
import json
import math
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_DEEPEST, _LARGEST = 32, 2**63
_SEGMENT = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
# A key of many parts takes memory with their square.
_LONG_KEY = re.compile(rf"(?<![\w-]){_SEGMENT}(?:[ \t]*\.[ \t]*{_SEGMENT}){{{_DEEPEST}}}")


@contextlib.contextmanager
def parsing(what: str, remedy: str = "", own: bool = False) -> Iterator[None]:
    """ValueError, “what (reason): remedy.”, for whatever a parser raises; only errors of the disk itself pass, and of
    a parser of our own its ValueErrors, which are sentences."""
    try:
        yield
    except Exception as error:
        if own and isinstance(error, ValueError):
            raise
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"{what} ({_reason(error)}){f': {remedy}' if remedy else ''}.") from error


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError) and not str(error):
        return "it takes more memory than there is"
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__


def check_bytes(name: str, size: int, most: int) -> None:
    """ValueError where something would unfold to more than can be read."""
    if size > most:
        raise ValueError(f"{name} unfolds to {size / 2**30:,.1f} GB; {most / 2**30:,.1f} GB are the most. Keep less.")


def read_json(content: bytes | str) -> dict[str, Any]:
    """The object written in JSON; ValueError where it is none."""
    with parsing("It is no JSON"):
        body = json.loads(content)
        _check_values(body)
    if not isinstance(body, dict):
        raise ValueError(f"It is no object of JSON but a {type(body).__name__}.")
    return body


def read_toml(text: str, file: str) -> dict[str, Any]:
    """The table written in TOML; ValueError, a sentence that begins with the file."""
    with parsing(f"{file} is no valid TOML"):
        if _LONG_KEY.search(text):
            raise ValueError(f"a key has more than {_DEEPEST} parts")
        body = tomllib.loads(text)
        _check_values(body)
    return body


def text(value: Any) -> str:
    """The text as it can be shown; ValueError where it is none."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.100} is no text")
    return shown(value)


def finite(value: Any) -> float:
    """The number; ValueError where it is none."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} is no number")
    return number


def _check_values(value: Any, depth: int = 0) -> None:
    """ValueError for what is nested deeper, or numbers larger, than anything written here."""
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            _check_values(one, depth + 1)
    elif isinstance(value, int) and abs(value) >= _LARGEST:
        raise ValueError("it holds a whole number of more than 64 bits")


def typed(text: str | os.PathLike[str]) -> Path:
    """The path a person typed; ~ of somebody who is not known here stays as it stands."""
    return Path(os.path.expanduser(text))


def shown(name: str) -> str:
    """A name of a file as it can be shown: bytes that are no UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")
