"""Hostile bytes for every parser of what others wrote, and for the reader of addresses: each case ends in what was
meant or in a sentence; never in a traceback, in more than 5 s, in more than 1 GB, or in the canary's flight.

    python -m tests.fuzz --seed 0 --cases 100000 --seconds 600 [sweep npz …]

Prints a line for each parser and for each find, whose bytes lie in the folder that is named. Exit code 1 where there
are finds. The same seed makes the same cases; parsers take turns, in a process that the system bounds.
"""

import argparse
import contextlib
import gzip
import io
import json
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SECONDS, MEMORY = 5, 1 << 30  # of one case
FILE, CANARY = "case", "canary"


@dataclass(frozen=True)
class Parser:
    """seeds: contents that are well formed, or nearly; read: reads such a content that lies in a folder; seconds: that
    this may take."""

    seeds: Callable[[Path], list[bytes]]
    read: Callable[[Path, bytes], Any]
    seconds: int = SECONDS


# -- contents -----------------------------------------------------------------------------------------------


def _toml(_: Path) -> list[bytes]:
    files = [*(ROOT / "engine" / "sweeps").glob("*.toml"), *(ROOT / "pages" / "rooms" / "tours").glob("*.toml")]
    presets = (ROOT / "engine" / "config" / "presets.toml").read_bytes()
    grid = b'[[grid]]\nset = { preset = "MNIST MLP, CE" }\nvary = { classes = [3, 10], seed = [0, 1] }\n'
    return [grid, presets[:2000], *(file.read_bytes()[:4000] for file in sorted(files))]


def _json(_: Path) -> list[bytes]:
    job = {"argv": ["train"], "title": "", "created": 1.0, "run": "", "queue": True, "pid": 1, "started": 1.0}
    progress = {"stage": "training", "done": 1, "total": 2, "seconds_left": None, "state": "running", "message": ""}
    manifest = {"meta": {"a": 1}, "files": {"main": {"sha256": "0" * 64, "size": 8}}, "digest": "0" * 64}
    index = {"weight_map": {"fc.weight": "a.safetensors"}}
    return [json.dumps(one).encode() for one in (job, progress, manifest, index)]


def _arrays() -> dict[str, np.ndarray]:
    return {"x_train": np.arange(48, dtype=np.float32).reshape(12, 4), "y_train": np.arange(12) % 3}


def _npz(_: Path) -> list[bytes]:
    plain, packed = io.BytesIO(), io.BytesIO()
    np.savez(plain, **_arrays())
    np.savez_compressed(packed, **_arrays())
    return [plain.getvalue(), packed.getvalue()]


def _npy(_: Path) -> list[bytes]:
    np.save(file := io.BytesIO(), _arrays()["x_train"])
    return [file.getvalue()]


def _csv(_: Path) -> list[bytes]:
    return [b"a,b,label\n1,2,0\n3,4,1\n5,6,0\n", b"1,2,x\n3,4,y\n", b'"a\nb",label\n1,0\n2,1\n']


def _parquet(_: Path) -> list[bytes]:
    import pandas

    pandas.DataFrame({"a": [1.0, 2.0, 3.0], "label": [0, 1, 0]}).to_parquet(file := io.BytesIO())
    return [file.getvalue()]


def _idx(_: Path) -> list[bytes]:
    return [b"\0\0\x08\x03" + struct.pack(">3I", 2, 2, 2) + bytes(8), b"\0\0\x08\x01" + struct.pack(">I", 3) + bytes(3)]


def _image(_: Path) -> list[bytes]:
    from PIL import Image

    files = []
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"):
        Image.new("RGB", (6, 5), "red").save(file := io.BytesIO(), kind)
        files.append(file.getvalue())
    return files


def _weights(folder: Path) -> list[bytes]:
    import torch

    state = {"fc1.weight": torch.ones(4, 3), "fc1.bias": torch.ones(4), "fc2.weight": torch.ones(2, 4)}
    files = []
    for content, zipped in ((state, True), ({"model": state, "epoch": 3}, False)):
        torch.save(content, file := io.BytesIO(), _use_new_zipfile_serialization=zipped)
        files.append(file.getvalue())
    touch = f"cbuiltins\nopen\n(S'{folder / CANARY}'\nS'w'\ntR.".encode()
    with zipfile.ZipFile(bird := io.BytesIO(), "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + touch)
        archive.writestr("a/version", "3\n")
    return [*files, bird.getvalue(), touch]


def _safetensors(_: Path) -> list[bytes]:
    from safetensors.numpy import save

    return [save({"fc.weight": np.ones((2, 3), np.float32)}, {"gammascope": "{}"})]


def _addresses(_: Path) -> list[bytes]:
    return [b"run=0123456789abcdef&epoch=3&k=40&matrix=C&window=1,100", b"matrices=C,C_AWD&layer=fc1&large=1&stop=2"]


# -- parsers ------------------------------------------------------------------------------------------------


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _placed(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _of_data(name: str) -> Callable[[Path, bytes], Any]:
    def read(folder: Path, content: bytes) -> Any:
        from engine.data import files

        return files.read(_placed(folder, name, content))

    return read


def _of_images(folder: Path, content: bytes) -> Any:
    from engine.data import files

    for name in ("cats", "dogs"):
        path = _placed(folder, f"images/{name}/one.png", content)
    return files.read(path.parents[1])


def _of_arrays(folder: Path, content: bytes) -> Any:
    from engine.data import files

    np.save(folder / "y.npy", _arrays()["y_train"])
    return files.read(_placed(folder, "x.npy", content))


def _of_idx(folder: Path, content: bytes) -> Any:
    from engine.data import sources

    packed = gzip.compress(content, 1) if len(content) % 2 else content
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    shutil.rmtree(folder / "MNIST", ignore_errors=True)
    for name in names:
        _placed(folder, f"MNIST/raw/{name}" + ".gz" * (len(content) % 2), packed)
    return sources.read("mnist", folder=folder)


def _of_weights(name: str) -> Callable[[Path, bytes], Any]:
    def read(folder: Path, content: bytes) -> Any:
        from engine.models import weight_files

        return weight_files.parse(_placed(folder, name, content))

    return read


def _of_analysis(folder: Path, content: bytes) -> Any:
    from engine import Analysis

    return Analysis.load(_placed(folder, "a.safetensors", content))


def _of_sweep(folder: Path, content: bytes) -> Any:
    from engine.sweeps import grid

    return grid.open_sweep(str(_placed(folder, "a.toml", content)))


def _of_presets(folder: Path, content: bytes) -> Any:
    from engine.config import presets

    return presets.read(_text(content))


def _of_tour(folder: Path, content: bytes) -> Any:
    from pages.rooms.tours import format

    return format.read(_text(content))


def _of_entry(folder: Path, content: bytes) -> Any:
    from cache.store import Store

    store = Store(folder / "store")
    _placed(store.root, "runs/a/manifest.json", content)
    entry = store.read("runs", "a")
    return [entry.arrays(file.name) for file in entry.files] if entry else None


def _of_job(folder: Path, content: bytes) -> Any:
    from cache.jobs import Jobs

    for name in ("job", "progress", "exit"):
        _placed(folder, f"jobs/{name}/{name}.json", content)
    return [(job.title, job.progress.fraction, f"{job.progress.seconds_left}") for job in Jobs(folder / "jobs").jobs()]


def _of_address(folder: Path, content: bytes) -> Any:
    from pages.state import selection

    chosen = selection.from_url(dict(urllib.parse.parse_qsl(_text(content), keep_blank_values=True)))
    if selection.from_url(selection.to_url(chosen)) != chosen:
        raise AssertionError("it is spelled another way than it is read")
    return chosen


PARSERS: Mapping[str, Parser] = {
    "sweep": Parser(_toml, _of_sweep),
    "presets": Parser(_toml, _of_presets),
    "tour": Parser(_toml, _of_tour),
    "entry": Parser(_json, _of_entry),
    "job": Parser(_json, _of_job),
    "index": Parser(_json, _of_weights("a.index.json")),
    "npz": Parser(_npz, _of_data("a.npz")),
    "npy": Parser(_npy, _of_arrays),
    "csv": Parser(_csv, _of_data("a.csv")),
    "parquet": Parser(_parquet, _of_data("a.parquet")),
    "idx": Parser(_idx, _of_idx),
    "image": Parser(_image, _of_images),
    "pickle": Parser(_weights, _of_weights("a.pt"), 20),
    "safetensors": Parser(_safetensors, _of_weights("a.safetensors")),
    "analysis": Parser(_safetensors, _of_analysis),
    "address": Parser(_addresses, _of_address),
}


# -- cases --------------------------------------------------------------------------------------------------

_WORDS = (
    *(b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"0", b"-1", b"1e999", b"nan", b"Infinity", b"null", b"true", b"''"),
    *(b"9" * 19, b"1000000000000", b"9" * 5000, b"[" * 3000, b'{"a":' * 3000, b"(" * 300, b"a" + b".a" * 300, b"~no/"),
    *(b"../" * 9, b"<script>", b"\n", b"=", b",", b"[]", b"{}", b'["a"]', b"1979-05-27", b"%00", b"\x80\x02", b"\xff"),
)  # fmt: skip


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The content after a few accidents."""
    body = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 12))):
        at, end = sorted(rng.randrange(len(body) + 1) for _ in range(2))
        end = min(end, at + rng.choice((1, 4, 40, 400)))
        match rng.randrange(7):
            case 0:
                body[at:end] = rng.randbytes(end - at)
            case 1:
                del body[at:end]
            case 2:
                body[at:at] = body[at:end] * rng.choice((1, 2, 50))
            case 3:
                body[at:at] = rng.choice(_WORDS)
            case 4:
                body[at:end] = rng.choice(_WORDS)
            case 5:
                del body[at:]
            case _ if body:
                body[at - 1] ^= 1 << rng.randrange(8)
    return bytes(body[:200_000])


def cases(parser: Parser, seed: str, folder: Path) -> Iterator[bytes]:
    """Its seeds, then what becomes of them."""
    rng, seeds = random.Random(seed), parser.seeds(folder)
    yield from seeds
    while True:
        yield mutated(rng.choice(seeds), rng)


def outcome(parser: Parser, folder: Path, content: bytes) -> str:
    """What is wrong with how a case ends; "" where nothing is."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.alarm(parser.seconds)  # nobody hears it: it ends the process, whatever that is at
    try:
        parser.read(folder, content)
    except FileNotFoundError as error:
        if not str(error):
            return "FileNotFoundError without a word"
    except ValueError as error:
        plain = not isinstance(error, UnicodeError | json.JSONDecodeError) and "TOML" not in type(error).__name__
        if not plain or not str(error).strip():
            return f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    if grown > MEMORY:
        return f"{grown / 2**30:.1f} GB of memory"
    return "the canary flew" if (folder / CANARY).exists() else ""


def work(name: str, seed: int, first: int, cases_: int, seconds: float, folder: Path) -> None:
    """In a process of its own: try the cases from `first` on, and tell of each find in a line of JSON."""
    parser = PARSERS[name]
    with contextlib.suppress(Exception):  # what is loaded by now is not the parser's
        parser.read(folder, parser.seeds(folder)[0])
    most, end = _held() + 3 * MEMORY, time.monotonic() + seconds
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for number, content in enumerate(cases(parser, f"{seed} {name}", folder)):
        if number >= cases_ or time.monotonic() > end:
            print(json.dumps({"ended": number}), flush=True)
            return
        if number < first:
            continue
        (folder / FILE).write_bytes(content)
        if number % 50 == 0 or number == first:
            print(json.dumps({"at": number}), flush=True)
        if wrong := outcome(parser, folder, content):
            print(json.dumps({"number": number, "wrong": wrong[:300]}), flush=True)
            shutil.copy(folder / FILE, folder / f"{name}-{seed}-{number}")


def _held() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def finds(name: str, seed: int, cases_: int, seconds: float, folder: Path) -> tuple[list[str], int]:
    """What is wrong, and how many cases were tried."""
    wrong: list[str] = []
    first, end = 0, time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        words = ("--worker", name, "--seed", seed, "--first", first, "--cases", cases_, "--seconds", left)
        child = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", *map(str, words), "--folder", str(folder)],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        lines = [json.loads(line) for line in child.stdout.splitlines() if line.startswith("{")]
        wrong += [f"{name} {line['number']}: {line['wrong']}" for line in lines if "wrong" in line]
        if lines and "ended" in lines[-1]:
            return wrong, lines[-1]["ended"]
        at = max((line.get("at", line.get("number", first)) for line in lines), default=first)
        slow = f"more than {PARSERS[name].seconds} s" if child.returncode == -signal.SIGALRM else ""
        reason = slow or child.stderr.strip()[-300:] or f"ended with code {child.returncode}"
        wrong.append(f"{name} {at} or up to 50 later: {reason}")
        shutil.copy(folder / FILE, folder / f"{name}-{seed}-ended-{at}")
        first = at + 50
        if first >= cases_ or time.monotonic() > end or len(wrong) > 100:
            return wrong, first


def main(argv: list[str] | None = None) -> int:
    words = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    words.add_argument("parsers", nargs="*", choices=[[], *PARSERS], help="all where none is named")
    for name, usual in (("seed", 0), ("cases", 100_000), ("first", 0)):
        words.add_argument(f"--{name}", type=int, default=usual)
    words.add_argument("--seconds", type=float, default=600)
    words.add_argument("--folder", type=Path)
    words.add_argument("--worker")
    asked = words.parse_args(argv)
    if asked.worker:
        work(asked.worker, asked.seed, asked.first, asked.cases, asked.seconds, asked.folder)
        return 0
    folder, names = asked.folder or Path(tempfile.mkdtemp(prefix="fuzz-")), asked.parsers or list(PARSERS)
    total = 0
    for name in names:
        wrong, tried = finds(name, asked.seed, asked.cases // len(names), asked.seconds / len(names), folder)
        print(f"{name:12} {tried:8,} cases, {len(wrong)} finds", *wrong[:10], sep="\n  ", flush=True)
        total += len(wrong)
    print(f"{total} finds; their bytes lie in {folder}." if total else "Nothing was found.")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
