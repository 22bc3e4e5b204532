"""Files of weights as plain tensors. Nothing in a file is ever executed.

    from engine.models.weight_files import read
    tensors = read(Path("epoch_10.pt")).tensors        # names → float32 tensors on the CPU

safetensors holds nothing but arrays. PyTorch's own files are pickles: they are read with weights_only=True, and an
object that is neither a tensor nor a plain container is replaced by an empty one. Whatever the format, a file is parsed
by a process of its own, with little time and memory: a parser that is led astray harms nothing.
"""

import contextlib
import hashlib
import json
import math
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save_file
from torch import Tensor

from engine.errors import require
from engine.models.files import LARGEST_BYTES, SUFFIXES, check_size, is_weights, shards
from engine.models.state_dicts import SAVE, Contents, SeveralError, Stranger, unwrap

SECONDS, SECONDS_AT_LEAST = 600, 20  # for the largest file and the smallest, on a machine that is at other work too
_BYTES, _BYTES_AT_LEAST = 4 * LARGEST_BYTES, LARGEST_BYTES // 2  # for a file, its tensors, and these in float32

# Formats that hold a program beside its weights, and how these are brought.
_FOREIGN = {
    "TorchScript": "torch.save(torch.jit.load(file).state_dict(), other_file)",
    "a program of torch.export (.pt2)": "torch.save(torch.export.load(file).state_dict, other_file)",
    "ONNX": "torch.save({w.name: torch.from_numpy(onnx.numpy_helper.to_array(w).copy()) for w in "
    "onnx.load(file).graph.initializer}, other_file), or better the state_dict() of the model it was exported from",
}


def read(path: Path, part: str | None = None, merged: bool = True) -> Contents:
    """The weights of one file; see `series`."""
    with contextlib.closing(series([path], part, merged)) as files:
        return next(files)


def series(paths: Sequence[Path], part: str | None = None, merged: bool = True) -> Generator[Contents, None, None]:
    """The weights of each file (engine.models.state_dicts), read one after the other by one process.

    part: which, where a file holds several sets of weights; merged: whether a weight that is normalised or pruned is
    made one, as a network without that needs it. ValueError: no such file, too large, damaged, or holding something
    else; SeveralError: several sets."""
    root = Path(__file__).parents[2]
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-m", "engine.models.weight_files", folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=root,
        ) as child,
    ):  # fmt: skip
        try:
            assert child.stdout is not None, "piped"
            child.stdout.readline()  # torch is loaded: from here on it is the files that take the time
            for path in paths:
                yield _answer(child, (str(Path(path).absolute()), part, merged), Path(folder) / "tensors")
        finally:
            child.kill()
            with contextlib.suppress(OSError):  # what it no longer reads
                child.communicate()


def parse(path: Path, part: str | None = None, merged: bool = True) -> Contents:
    """As `read`, in this process."""
    try:
        return _parsed(Path(path), part, merged)
    except Exception as error:  # a file that leads astray fails in pickle, zipfile or torch, each in its own way
        if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
            raise  # a sentence
        reason = "it holds itself" if isinstance(error, RecursionError) else str(error) or type(error).__name__
        raise ValueError(f"{Path(path).name}: it is damaged ({reason[:200].rstrip('.')}). {SAVE}") from error


def _parsed(path: Path, part: str | None, merged: bool) -> Contents:
    kind = _kind(path)
    require(
        kind is None,
        f"{path.name} is {kind}: a program, not weights alone. Where the file is trusted, bring its weights in Python: "
        f"{_FOREIGN.get(kind or '')}.",
    )
    require(is_weights(path.name), f"{path.name} is no file of weights: they end in {', '.join(SUFFIXES)}. {SAVE}")
    require(path.is_file(), f"There is no file {path}. Check its path.")
    try:
        files = _shards(path)
        check_size(path.name, sum(file.stat().st_size for file in files))
        read = [_arrays(file) if file.suffix.lower() == ".safetensors" else _unpickled(file) for file in files]
        whole = read[0] if len(files) == 1 else {name: t for shard in read for name, t in dict(shard).items()}
        contents = unwrap(whole, part, merged)
        return replace(contents, hints=(*contents.hints, path.name))
    except SeveralError as error:
        raise SeveralError(f"{path.name}: {error}", error.parts) from error
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256, in hex, over names, types, shapes and bytes of the tensors in their order."""
    total = hashlib.sha256()
    for name, t in tensors.items():
        total.update(f"{name}\0{t.dtype}{tuple(t.shape)}".encode())
        total.update(t.contiguous().numpy().data if t.numel() else b"")
    return total.hexdigest()


# -- formats ----------------------------------------------------------------------------------------------


def _kind(path: Path) -> str | None:
    """Which of _FOREIGN a file is, by its name or by what it is made of."""
    if path.suffix.lower() == ".onnx":
        return "ONNX"
    if path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            parts = [name.split("/", 1)[-1] for name in archive.namelist()]
        if "constants.pkl" in parts or any(name.startswith("code/") for name in parts):
            return "TorchScript"
        if "archive_format" in parts or any(name.startswith(("models/", "serialized_")) for name in parts):
            return "a program of torch.export (.pt2)"
    return None


def _shards(path: Path) -> list[Path]:
    """The files that together hold the weights. ValueError where some are missing."""
    index = path.read_text(encoding="utf-8", errors="replace") if path.suffix.lower() == ".json" else ""
    files = [path.parent / name for name in shards(path.name, index)]
    if files == [path]:
        return files
    missing = [file.name for file in files if not file.is_file()]
    require(
        not missing,
        f"it is one of {len(files)} shards, and {', '.join(missing[:3])} is not beside it. Put all shards into one "
        "folder.",
    )
    return files


def _arrays(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise ValueError("it is damaged, incomplete or no safetensors file. Save or copy it again.") from error


def _unpickled(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            # A compressed archive may unfold to any size.
            check_size(path.name, sum(part.file_size for part in archive.infolist()))
    strangers: list[Any] = []
    while True:
        try:
            with torch.serialization.safe_globals(strangers):
                return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            text = str(error)
            unknown = re.search(r"GLOBAL (\S+) was not an allowed global", text)
            if unknown is None or len(strangers) > 200:
                blocked = re.search(r"GLOBAL (\S+) whose module|unrecognized function <\S*?(\w+) object", text)
                raise ValueError(
                    f"it holds code that no file of weights holds ({blocked[1] or blocked[2]}). Do not open it "
                    "elsewhere, and copy it again from whoever made it."
                    if blocked
                    else f"it is damaged, incomplete or no file of PyTorch. {SAVE}"
                ) from error
            name = unknown[1]
            for whole in (name, f"builtins.{name}"):  # torch drops this word
                strangers.append((type(name.rpartition(".")[2], (Stranger,), {"__qualname__": name}), whole))


# -- the process that parses ------------------------------------------------------------------------------


def _answer(child: "subprocess.Popen[str]", asked: tuple[str, str | None, bool], tensors: Path) -> Contents:
    """What the process says of one file; the arrays come in a file of their own."""
    assert child.stdin is not None, "piped"
    assert child.stdout is not None, "piped"
    size = _size(Path(asked[0]))
    seconds, most = _seconds(size), _memory(size)
    timer = threading.Timer(seconds, child.kill)
    timer.start()
    try:
        child.stdin.write(json.dumps(asked) + "\n")
        child.stdin.flush()
        answer = json.loads(child.stdout.readline())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{Path(asked[0]).name}: reading it took more than {seconds:.0f} s or {most / 2**30:.0f} GB of memory, "
            "and was ended. It may be damaged. Save the weights alone, in a smaller file."
        ) from error
    finally:
        timer.cancel()
    if "refusal" in answer:
        raise (
            SeveralError(answer["refusal"], tuple(answer["parts"]))
            if answer["parts"]
            else ValueError(answer["refusal"])
        )
    arrays = load(tensors.read_bytes())
    aside, parts, hints = (tuple(answer[name]) for name in ("aside", "parts", "hints"))
    tensors_by_name = {name: arrays[str(i)] for i, name in enumerate(answer["tensors"])}
    return Contents(tensors_by_name, aside, parts, hints, answer["under"], answer["prefix"])


def _serve(folder: Path) -> None:
    """Parse the files named on standard input, one a line; tell of each on standard output."""
    torch.set_num_threads(1)  # each thread would claim memory of its own
    print(flush=True)
    for line in sys.stdin:
        path, part, merged = json.loads(line)
        size = _size(Path(path))
        _limit(_memory(size), _seconds(size))
        try:
            contents = parse(Path(path), part, merged)
            save_file({str(i): t.clone() for i, t in enumerate(contents.tensors.values())}, folder / "tensors")
            answer = {**asdict(replace(contents, tensors={})), "tensors": list(contents.tensors)}
        except ValueError as error:
            answer = {"refusal": str(error), "parts": getattr(error, "parts", ())}
        print(json.dumps(answer), flush=True)


def _size(path: Path) -> int:
    """Bytes of a file, and of the shards that it is one of; as many as can be read where that cannot be told."""
    try:
        return min(sum(file.stat().st_size for file in _shards(path)), LARGEST_BYTES)
    except (OSError, ValueError, RecursionError, MemoryError):
        return LARGEST_BYTES


def _memory(size: int) -> int:
    """Bytes of memory for a file of this size."""
    return max(_BYTES * size // LARGEST_BYTES, _BYTES_AT_LEAST)


def _seconds(size: int) -> float:
    """Seconds for a file of this size."""
    return max(SECONDS * size / LARGEST_BYTES, float(min(SECONDS, SECONDS_AT_LEAST)))


def _limit(size: int, seconds: float) -> None:
    """Memory beyond what this process holds now, and seconds of the processor from now on, where the system can bound
    them: a parser that spins ends, also where the process that asked was killed."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # not on Windows

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + size, hard))
        own = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(own.ru_utime + own.ru_stime + seconds), hard))


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
