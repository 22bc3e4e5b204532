"""Files of weights made to lead their reader astray: little time, little memory, a sentence."""

import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from engine.models import files, weight_files
from engine.models.weight_files import parse
from tests.engine.models.test_weight_files import STATE, saved


def spinning(path: Path) -> Path:
    """A pickle of 1 KB whose key takes 4 ** 40 steps to hash."""
    nested = b"".join(b"(" + 4 * bytes((ord("h"), i)) + b"tq" + bytes([i + 1]) for i in range(40))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02)q\x00" + nested + b"}h\x28K\x01s.")
        archive.writestr("a/version", "3\n")
        archive.writestr("a/byteorder", "little")
    return path


def test_a_small_file_gets_little_time(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(weight_files, "SECONDS_AT_LEAST", 1)
    with pytest.raises(ValueError, match=r"spin\.pt: reading it took more than 1 s or 1 GB of memory"):
        weight_files.read(spinning(tmp_path / "spin.pt"))


def test_time_and_memory_are_those_of_the_file_and_its_shards(tmp_path: Path) -> None:
    gb = 2**30
    assert weight_files._memory(weight_files._size(saved(tmp_path / "net.pt", STATE))) == gb
    assert weight_files._memory(gb) == 4 * gb
    (tmp_path / "net.index.json").write_text("[" * 100_000)
    assert weight_files._size(tmp_path / "net.index.json") == files.LARGEST_BYTES


def cyclic() -> dict:
    content: dict = {}
    content["a"] = content
    return content


def deep() -> dict:
    content: dict = {"a": 1}
    for _ in range(400):
        content = {"a": content}
    return content


@pytest.mark.parametrize(("content", "words"), [(cyclic, "it holds itself"), (deep, "holds no weights")])
def test_what_holds_itself_is_a_sentence(tmp_path: Path, content, words: str) -> None:
    with pytest.raises(ValueError, match=rf"net\.pt: .*{words}"):
        parse(saved(tmp_path / "net.pt", content()))


def test_a_damaged_directory_is_a_sentence(tmp_path: Path) -> None:
    content = bytearray(saved(tmp_path / "net.pt", STATE).read_bytes())
    start = content.rfind(b"PK\x01\x02")
    content[start + 4 : start + 30] = b"\xff" * 26
    (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"net\.pt: "):
        parse(tmp_path / "net.pt")


def test_a_parser_that_spins_ends_without_the_process_that_asked() -> None:
    spins = "from engine.models.weight_files import _limit\n_limit(1 << 30, 1)\nwhile True: pass"
    ended = subprocess.run([sys.executable, "-c", spins], cwd=Path(__file__).parents[3], timeout=300, check=False)
    assert ended.returncode == -signal.SIGXCPU
