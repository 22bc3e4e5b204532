"""Every array bit for bit: of the reference cases in both precisions, and of what commands leave in a cache."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from safetensors.numpy import load_file

from engine import Analysis
from tests.pins.numbers import SUBJECTS, TOLERANCE, analyses, numbers

ROOT = Path(__file__).parents[2]
DATA = "--data mnist5k --classes 0,1,2 --per-class 60"
RUN = f"{DATA} --model 784-8-8-3 --epochs 6 --checkpoints 0,2"
COMMANDS = (
    f"train {RUN} --analyze last,all --every-sample last,0",
    f"train {DATA} --model cnn --epochs 1 --checkpoints 0 --loss mse --momentum 0.5 --seed 3",
    "analyze --top-k 5 --dtype float64 --bootstrap 4 --samples 50",
    f"train {RUN} --activation gelu --bias --loss linear_mse --label-noise 0.1",
    "analyze --layer fc2+fc3 --bias",
    "sweep SWEEP --workers 1 --csv CSV",
)
SWEEP = """
[[grid]]
set = { data = "mnist5k", per_class = 60, classes = 3, widths = [784, 8, 8, 10], epochs = 4, window = 40, spectra = 50 }
vary = { loss = ["ce", "mse"] }
"""
# What differs from day to day.
OF_THE_DAY = {"seconds", "created", "training_seconds", "analysis_seconds", "version", "machine", "device"}


def write(file: Path) -> int:
    """Keep all arrays in a file; how many they are."""
    made = dict(arrays())
    np.savez_compressed(file, **made)
    return len(made)


def differences(file: Path) -> tuple[list[str], int]:
    """What is not, bit for bit, as in the file, a sentence each; how many arrays there are."""
    made, sentences = dict(arrays()), []
    with np.load(file) as kept:
        for name in sorted({*made, *kept.files}):
            if name not in made or name not in kept.files:
                sentences.append(f"{name} is {'new' if name in made else 'gone'}.")
                continue
            ours, theirs = made[name], kept[name]
            if ours.dtype.kind == theirs.dtype.kind == "U":
                lines = unified_diff(str(theirs).splitlines(), str(ours).splitlines(), "kept", "now", n=0, lineterm="")
                sentences += ["\n    ".join([f"{name}:", *lines])] * bool(ours != theirs)
            elif (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
                sentences.append(f"{name}: {ours.dtype} {ours.shape}, kept {theirs.dtype} {theirs.shape}.")
            elif not np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f"):
                distance = np.nanmax(np.abs(ours.astype(float) - theirs.astype(float)))
                size = np.nanmax(np.abs(theirs.astype(float)))
                sentences.append(f"{name}: {distance:.3g} away from a largest of {size:.3g}.")
    return sentences, len(made)


def arrays() -> Iterator[tuple[str, ndarray]]:
    """Every array with its name."""
    for subject in SUBJECTS:
        for dtype in TOLERANCE:
            for name, result in analyses(subject, dtype):
                for part, values in _all(result).items():
                    yield f"{dtype}/{name}/{part}", values
    with tempfile.TemporaryDirectory() as folder:
        yield from _cache(Path(folder))


def _all(result: Analysis) -> dict[str, ndarray]:
    """All that an analysis can tell, under the names it is kept by."""
    whole = dataclasses.replace(result.sampled(), spectra=None if result.provenance.shapes else result.sample_spectra())
    arrays = {f"numbers/{name}": values for name, values in numbers(result).items()}
    for part, kept in (("", whole), ("kept/", whole.kept(whole.names))):
        values, meta = kept.to_arrays()
        arrays |= {f"{part}{name}": array for name, array in values.items()}
        arrays[f"{part}meta"] = np.array(_json(meta))
    return arrays


def _cache(folder: Path) -> Iterator[tuple[str, ndarray]]:
    sweep, table = folder / "sweep.toml", folder / "table.csv"
    sweep.write_text(SWEEP, encoding="utf-8")
    environment = {**os.environ, "GAMMASCOPE_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    for command in COMMANDS:
        words = command.replace("SWEEP", str(sweep)).replace("CSV", str(table)).split()
        run = [sys.executable, "-m", "engine", *words, "--device", "cpu"]
        subprocess.run(run, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    for path in sorted((folder / "cache").rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".safetensors":
            for part, values in load_file(path).items():
                yield f"{name.rsplit('-', 1)[0]}/{part}", values
        elif path.name == "manifest.json" and "jobs" not in path.parts:
            yield name, np.array(_json(json.loads(path.read_text(encoding="utf-8"))["meta"]))


def _json(values: Any) -> str:
    """JSON without what differs from day to day."""

    def lasting(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: lasting(part) for name, part in value.items() if name not in OF_THE_DAY}
        return [lasting(part) for part in value] if isinstance(value, list | tuple) else value

    return json.dumps(lasting(values), sort_keys=True, indent=1)
