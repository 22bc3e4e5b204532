"""Errors of the operating system in sentences."""

import errno
import os
from pathlib import Path

import pytest

from cache.store import Store
from engine.errors import of_disk


def test_a_full_disk_is_told_with_the_file_and_what_to_do(tmp_path, monkeypatch):
    if not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    monkeypatch.setattr("cache.store.open", lambda *_: open("/dev/full", "wb"), raising=False)  # noqa: SIM115
    with pytest.raises(OSError, match="No space left") as caught:
        Store(tmp_path).write(("runs", "a"), {"n": 1})
    sentence = of_disk(caught.value)
    assert sentence.startswith(f"The disk has no room left for {tmp_path / 'runs' / 'a'}")
    assert "GAMMASCOPE_CACHE" in sentence


def test_a_locked_folder_and_any_other_error_are_told():
    locked = OSError(errno.EROFS, os.strerror(errno.EROFS), "/kept/manifest.json")
    assert of_disk(locked).startswith("/kept/manifest.json may not be written or read (Read-only file system).")
    assert of_disk(OSError("the line is dead")) == "the line is dead"
    assert of_disk(OSError()) == "OSError"
