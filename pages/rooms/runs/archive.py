"""A run as one zip: settings, history, diagonals and checkpoints in formats that any program reads."""

import dataclasses
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO

import numpy as np
from numpy import ndarray
from safetensors.numpy import save

from cache.store import Store
from engine.config.requests import to_json
from engine.results.analysis import Analysis
from engine.runs import library
from engine.runs.run import History, Run
from pages.plot.download import csv, npz

README = """{name}

settings.json                what was asked for: data, network, loss, training, seed
manifest.json                the run's record as Gammascope keeps it
history.csv                  loss, accuracy and learning rate, epoch by epoch
diagonals/epoch-….csv, .npz  H_ii and C_ii of every covariance, direction by direction, of one analysed checkpoint
checkpoints/epoch-….safetensors  the weights, by name

    from safetensors.torch import load_file
    model.load_state_dict(load_file("checkpoints/epoch-00100.safetensors"))
"""


def write(store: Store, run: Run, file: IO[bytes]) -> None:
    """Write the zip of a run; its entries pass through memory one at a time."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in _entries(store, run):
            # Weights do not shrink.
            kind = zipfile.ZIP_STORED if name.endswith(".safetensors") else zipfile.ZIP_DEFLATED
            archive.writestr(f"gammascope-{run.key[:8]}/{name}", content, kind)


def _entries(store: Store, run: Run) -> Iterator[tuple[str, bytes]]:
    title = f"Run {run.key}" + (f", {run.label}" if run.label else "")
    yield "README.txt", README.format(name=title).encode()
    yield "settings.json", _json(to_json(run.request))
    record = store.read("runs", run.key)
    if record is not None:
        yield "manifest.json", _json(record.meta)
    yield "history.csv", _table({f.name: getattr(run.history, f.name) for f in dataclasses.fields(History)})
    for made in library.analyses(store, run.key):
        analysis = library.load_analysis(store, run.key, made.key)
        if analysis is not None:
            stem = f"diagonals/epoch-{made.request.epoch:05d}-{made.request.layer}-{made.key[:8]}"
            arrays = diagonals(analysis)
            yield f"{stem}.csv", _table({"direction": np.arange(1, analysis.k + 1)} | arrays)
            yield f"{stem}.npz", npz(arrays)
    for epoch in run.checkpoints:
        entry = store.read("runs", run.key, "checkpoints", library.checkpoint_name(epoch))
        weights = None if entry is None else entry.arrays()
        if weights is not None:
            yield f"checkpoints/epoch-{library.checkpoint_name(epoch)}.safetensors", save(weights)


def diagonals(analysis: Analysis) -> dict[str, ndarray]:
    """H_ii and C_ii of every covariance (k)."""
    return {"H": analysis.eigenvalues} | {name: analysis.diagonal(name) for name in analysis.names}


def _table(columns: Mapping[str, ndarray]) -> bytes:
    return csv(columns).encode()


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
