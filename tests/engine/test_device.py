"""What can be taken of a machine, and of a container on it."""

import psutil
import torch

from engine.device import free_memory, granted


def test_a_container_is_granted_what_its_limit_leaves(tmp_path):
    assert list(granted(tmp_path)) == []
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 150\n")
    assert list(granted(tmp_path)) == []
    (tmp_path / "memory.max").write_text("1000\n")
    assert list(granted(tmp_path)) == [450]
    older = tmp_path / "memory"
    older.mkdir()
    for name, text in (
        ("limit_in_bytes", "600\n"), ("usage_in_bytes", "590\n"), ("stat", "cache 8\ntotal_inactive_file 5\n"),
    ):  # fmt: skip
        (older / f"memory.{name}").write_text(text)
    assert list(granted(tmp_path)) == [450, 15]
    (tmp_path / "memory.current").write_text("9000\n")
    assert next(granted(tmp_path)) == 0


def test_no_more_is_free_than_the_machine_has(monkeypatch):
    cpu = torch.device("cpu")
    assert 0 < free_memory(cpu) <= psutil.virtual_memory().total
    monkeypatch.setattr("engine.device.granted", lambda _: iter([1234]))
    assert free_memory(cpu) == 1234
