"""An analysis whose answers are known: γ, mixing and spectrum are planted, nothing is trained.

Small enough for a test, complete enough for every page.
"""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import psutil
from numpy import ndarray

from cache.jobs import birth
from cache.store import Store
from engine import units
from engine.config.requests import (
    AnalysisRequest,
    DataRequest,
    ModelRequest,
    RunRequest,
    TrainingRequest,
    key,
    to_json,
)
from engine.results import commutation
from engine.results.analysis import Analysis
from engine.results.cross_fit import HeldOut, Reading, Split
from engine.results.effective_samples import EffectiveSamples
from engine.results.jackknife import Jackknife
from engine.results.names import NAMES
from engine.results.noise import EVERY, SHAPES, Descents
from engine.results.noise import STEPS as WHOLE
from engine.results.null import Permuted
from engine.results.record import MatrixSummary, Provenance
from engine.results.suppression import Spectra
from engine.runs import library, noise, recording
from engine.runs import preview as previews
from engine.runs.estimate import Calibration
from engine.runs.library import checkpoint_name
from engine.runs.preview import Preview
from engine.runs.recording import Film, Frame
from engine.sweeps import grid, status
from engine.sweeps.grid import Cell
from engine.sweeps.rows import FOLLOWED, Law, Row

SIDE = 20
RANK, SAMPLES = 4, 60
LOOKED = 120  # samples of the network that are looked at
SCALES: Mapping[str, float] = {"C": 0.02, "C_awd": 0.6, "E_h2": 3.0, "C_odds": 0.03, "C_loss": 0.025}
# Speeds of this machine that nobody measured.
CALIBRATION = Calibration("CPU", units.host(), 1.0, 2.0, 1e-4, 4e10, 5e10, 3e-10)
DIGITS = Preview("mnist5k", tuple("0123456789"), (450,) * 10, (50,) * 10, (1, 28, 28), None)
# Of the film that is planted.
TINY = recording.EXAMPLE


@cache
def analysis(gamma: float = 1.2, mixing: float = 0.1, seed: int = 0, accuracy: float = 1.0) -> Analysis:
    """H_ii falls over six decades; every matrix is scale · H_ii^γ, turned a little by `mixing`."""
    d = SIDE * SIDE
    rng = np.random.default_rng(seed)
    h = 10 ** np.linspace(0.3, -6, d)
    diagonals: dict[str, ndarray] = {}
    blocks: dict[str, ndarray] = {}
    traces, squares = {"H": float(h.sum())}, {"H": float((h**2).sum())}
    wholes, overlaps = {}, {}
    for place, name in enumerate(NAMES):
        power = gamma - 0.02 * place
        root = np.sqrt(SCALES.get(name, 0.3) * h**power)
        turned = np.eye(d) + mixing * rng.standard_normal((d, d)) / np.sqrt(d)
        block = root[:, None] * (turned @ turned.T) * root
        # The diagonal is planted exactly, so that γ is.
        np.fill_diagonal(block, root**2)
        if name == "C":
            noise, overlaps["H"] = block, float(h @ np.diag(block))
        overlaps[name] = float((noise * block).sum())
        diagonals[name], blocks[name] = np.diag(block).copy(), block[:300, :300].astype(np.float32)
        traces[name], squares[name] = float(np.trace(block)), float((block**2).sum())
        if name in ("C", "C_awd"):
            curves = commutation.commutator_curves(h, block)
            wholes[name] = MatrixSummary(np.linalg.eigvalsh(block)[::-1].copy(), curves.top, curves.bulk)
    return Analysis(
        eigenvalues=h,
        diagonals=diagonals,
        traces=traces,
        squares=squares,
        overlaps=overlaps,
        noise_floor=2e-6,
        blocks=blocks,
        wholes=wholes,
        provenance=Provenance(
            layer="fc2",
            loss="ce",
            samples=5000,
            batch_size=50,
            d_out=SIDE,
            d_in=SIDE,
            anchors_per_class=20,
            unpaired=0,
            curvature="gauss-newton",
            sigma_w2=1e-3,
            mean_loss=0.01,
            accuracy=accuracy,
            dtype="float32",
            device="cpu",
            seed=0,
            seconds=1.0,
        ),
    )


def fill(
    store: Store,
    epochs: tuple[int, ...] = (0, 10, 100),
    finished: bool = True,
    seed: int = 0,
    request: RunRequest | None = None,
) -> str:
    """Write the demo's run, or another, into a store with planted analyses at these epochs; the run's key."""
    request = request or RunRequest(seed=seed)
    run = key(request, "planted")
    records = [
        {
            "epoch": e,
            "train_loss": 2.3 * np.exp(-e / 15) + 1e-3,
            "train_accuracy": 1 - 0.9 * np.exp(-e / 8),
            "test_loss": 2.2 * np.exp(-e / 12) + 0.2,
            "test_accuracy": 0.93 - 0.83 * np.exp(-e / 8),
            "learning_rate": 0.1,
            "seconds": 0.06 * e,
        }
        for e in range(101)
    ]
    meta = {
        "request": to_json(request),
        "fingerprint": "planted",
        "data_name": "mnist5k",
        "samples": 5000,
        "class_names": [str(c) for c in range(10)],
        "device": "cpu",
        "created": 1.0 + seed,
        "finished": finished,
        "end": "All 100 epochs are done." if finished else "",
        "records": records,
    }
    store.write(("runs", run), meta)
    for epoch in epochs:
        store.write(("runs", run, "checkpoints", checkpoint_name(epoch)), {"epoch": epoch})
        add_analysis(store, run, epoch)
    return run


def recorded(store: Store, epochs: tuple[int, ...] = (1, 2, 3), analysed: bool = True, **more: Any) -> str:
    """Write a run that a script has recorded, of a network of its own, with a planted analysis of its layer "fc2"; the
    run's key. more: of what is known of the script."""
    training = TrainingRequest(epochs=epochs[-1], batch_size=50, checkpoints=epochs)
    request = RunRequest(DataRequest("own samples"), ModelRequest("__main__.Net", (1, 10)), "mine.focal", training)
    run, unseen = f"{len(epochs):x}" * 16, {"test_loss": None, "test_accuracy": None}
    meta = {
        "request": to_json(request),
        "fingerprint": "recorded",
        "data_name": "own samples",
        "samples": 5000,
        "class_names": [str(c) for c in range(10)],
        "layers": {"conv1": (8, 9), "fc2": (SIDE, SIDE)},
        "order": ["conv1", "fc2"],
        "places": {"conv1": 784, "fc2": 1},
        "kinds": {"conv1": "convolution", "fc2": "linear"},
        "studied": "fc2",
        "device": "cpu",
        "created": 5.0,
        "finished": False,
        "end": "",
        "records": [
            {"epoch": e, "train_loss": None, "train_accuracy": 0.9, "learning_rate": None, "seconds": 1.0} | unseen
            for e in epochs
        ],
        "recorded": {
            "optimizer": "Adam",
            "plain": False,
            "bring": {"model": "", "data": "", "loss": ""},
            "process": os.getpid(),
            "began": birth(psutil.Process()),
            **more,
        },
    }
    store.write(("runs", run), meta)
    library.rename(store, run, "my run")
    for epoch in epochs:
        store.write(("runs", run, "checkpoints", checkpoint_name(epoch)), {"epoch": epoch})
        if analysed:
            add_analysis(store, run, epoch)
    return run


def add_analysis(store: Store, run: str, epoch: int, layer: str = "fc2") -> None:
    """One more planted analysis; γ rises from 1 to 1.2 along training."""
    request = AnalysisRequest(run=run, epoch=epoch, layer=layer)
    result = analysis(gamma=1 + 0.1 * np.log10(1 + epoch), seed=epoch)
    arrays, meta = result.to_arrays()
    store.write(
        ("runs", run, "analyses", key(request)),
        {"request": to_json(request), "created": float(epoch), "result": meta},
        {"main": arrays},
    )


def planted_spectra(k: int, seed: int = 0, sign: float = 1.0) -> Spectra:
    """Sharp samples point along sharp directions, so that γ > 1; the tail falls fast."""
    rng = np.random.default_rng(seed)
    leading = 10 ** rng.uniform(-4, 1, SAMPLES)
    kappa = leading[:, None] * np.array([1.0, 0.2 * sign, 0.05, 0.01])
    # One weight a sample and direction; steeper over the directions where the sample is sharper.
    fall = 10 ** np.linspace(0, -4, k)
    alignment = fall ** (0.8 + 0.1 * np.log10(leading))[:, None] * rng.uniform(0.9, 1.1, (SAMPLES, k)) / k
    others = [np.roll(alignment, m, axis=0) for m in range(RANK)]
    first, second = (np.stack([(kappa[:, m] ** p) @ others[m] / SAMPLES for m in range(RANK)]) for p in (1, 2))
    return Spectra(kappa, alignment, first, second)


def add_spectra(store: Store, run: str, epoch: int) -> None:
    """Give the planted analysis of this epoch its per-sample spectra."""
    path = ("runs", run, "analyses", key(AnalysisRequest(run=run, epoch=epoch)))
    entry = store.read(*path)
    assert entry is not None
    large = {f"spectra/{name}": value for name, value in vars(planted_spectra(analysis().k)).items()}
    store.write(path, dict(entry.meta), {"main": entry.arrays(), "spectra": large})


def jackknife(h: ndarray, gamma: float, scatter: float = 0.02, groups: int = 40) -> Jackknife:
    """Without a group of samples the slope is another one, by a deviation of `scatter`."""
    left = gamma + scatter / np.sqrt(groups) * np.random.default_rng(0).standard_normal(groups)
    places = np.arange(h.size + 1)
    return Jackknife(places, {"H": np.tile(h, (groups, 1)), **{name: h ** left[:, None] for name in NAMES}})


def held_out(own: float = 1.3, crossed: float = 1.0, test: bool = True) -> HeldOut:
    """Three halvings of 5,000 samples, two subsets, test samples; noise of a planted slope along 400 directions."""
    rng, h = np.random.default_rng(0), analysis().eigenvalues

    def reading(samples: int, gamma: float, place: int = 0) -> Reading:
        along = h * np.exp(0.2 * rng.standard_normal(h.size))
        drawn = None if place else jackknife(along, gamma)
        effective = {"H": samples / 20, "E_h2": samples / 200}
        return Reading(samples, {"H": along, "C": 0.02 * along**gamma, "E_h2": along**gamma}, 2e-6, effective, drawn)

    halves = [Split(reading(2500, own, i // 2), reading(2500, crossed + 0.01 * i, i // 2)) for i in range(6)]
    few = [Split(reading(n, own + 0.2 * i, 1), reading(n, crossed + 0.02, 1)) for n, i in ((625, 2), (1250, 1))]
    effective = {}
    for place, name in enumerate(("H", "C", "E_h2")):
        carriers, shares = rng.permuted(np.tile(np.arange(LOOKED), (100, 1)), axis=1)[:, :6], np.full((100, 6), 0.1)
        by_direction = 2000 / (1 + place) * np.arange(1, h.size + 1) ** -0.7
        effective[name] = EffectiveSamples(by_direction, 900.0 / (1 + place), carriers, shares)
    unseen = reading(500, crossed - 0.02) if test else None
    return HeldOut(tuple(halves), tuple(few), unseen, effective=effective, structural={"C": permuted()})


def permuted(commutator: float = 0.3, permutations: int = 20) -> Permuted:
    """Permuted gradients whose noise commutes as badly as that, and hardly grows with curvature."""
    rng, h = np.random.default_rng(0), analysis().eigenvalues
    worse = commutator * rng.uniform(0.9, 1.1, (permutations, 1)) * np.ones(h.size)
    slopes = rng.uniform(0.6, 0.7, (permutations, 1))
    return Permuted(
        0.02 * h**slopes, worse, worse, rng.uniform(0.5, 0.6, permutations), worse[:, :300] / 4, classes=10, seed=0
    )


def add_held_out(store: Store, run: str, epoch: int, **changes: Any) -> None:
    """Give the planted analysis of this epoch its intervals, and how it holds on other samples."""
    name = key(AnalysisRequest(run=run, epoch=epoch))
    entry = store.read("runs", run, "analyses", name)
    assert entry is not None
    drawn = jackknife(analysis().eigenvalues, 1.2)
    more = {"jackknife/edges": drawn.edges} | {f"jackknife/diagonals/{n}": d for n, d in drawn.diagonals.items()}
    arrays = {part: entry.arrays(part) for part in ("main", "spectra") if entry.has(part)}
    store.write(("runs", run, "analyses", name), dict(entry.meta), {**arrays, "main": {**arrays["main"], **more}})
    library.keep_held_out(store, run, name, held_out(**changes))


def descents(seeds: int = 5, odds: bool = True, shift: float = 0.02) -> Descents:
    """What descents may look like: the noises that follow curvature end so much higher in loss, all else is alike."""
    rng, values = np.random.default_rng(0), {}
    shapes = [name for name in SHAPES if odds or name != "C_odds"]
    sharp = {name: shift for name in shapes if name not in ("isotropic", "turned")} | {"sgd": shift / 2}
    for measure, every in EVERY.items():
        t = np.arange(0, WHOLE + 1, every) / WHOLE
        start, end = {"loss": (0.2, 0.1), "accuracy": (0.9, 0.91)}.get(measure, (2.0, 1.0))
        fall = end + (start - end) * np.exp(-4 * t)
        values[measure] = {"none": fall[None]}
        for name in ("sgd", *shapes):
            extra = sharp.get(name, 0.0) * (1 - np.exp(-10 * t)) * (measure == "loss")
            values[measure][name] = fall + extra + 0.002 * end * rng.standard_normal((seeds, t.size)) * (t > 0)
    return Descents(WHOLE, 0.1, 50, 5000, 0.2, (), values)


def add_noise(store: Store, run: str, epoch: int = 10, seeds: int = 5) -> None:
    """Give the planted run descents from this epoch."""
    (made,) = [a for a in library.analyses(store, run) if (a.request.epoch, a.request.layer) == (epoch, "fc2")]
    noise.write(store, noise.place(run, made.key), descents(seeds))


def add_preview(store: Store, name: str = "mnist5k", preview: Preview = DIGITS) -> None:
    """What was looked at of data, with pictures of every class."""
    lists = {field: list(getattr(preview, field)) for field in ("class_names", "train", "test", "shape")}
    images = np.arange(len(preview.train) * 8 * 28 * 28).reshape(-1, 8, 28, 28).astype(np.uint8)
    more = {"targets": preview.targets, "numbers": preview.numbers} if preview.numbers else {}
    store.write(
        previews.place(name), {"name": name, **lists, **more}, {"main": {} if preview.numbers else {"images": images}}
    )


# -- a film -----------------------------------------------------------------------------------------------


def filmed(epoch: int) -> Analysis:
    """What the planted film measures at an epoch."""
    return analysis(gamma=1 + epoch / 100, seed=epoch)


def interval(result: Analysis, name: str) -> tuple[float, float]:
    gamma = result.fit(name).gamma
    return gamma - 0.02, gamma + 0.03


def frame(epoch: int) -> Frame:
    result = filmed(epoch)
    h, c = result.eigenvalues, result.diagonal("C")
    data = h > result.noise_floor
    return Frame(
        epoch=epoch, train_loss=2.0 / (1 + epoch), train_accuracy=epoch / 50, test_loss=None, test_accuracy=None,
        learning_rate=0.1, batch_size=50, gamma=result.fit("C").gamma, gamma_awd=result.fit("C_awd").gamma,
        interval=interval(result, "C"), interval_awd=interval(result, "C_awd"),
        commutator=0.3, commutator_random=1.4, seconds=0.2,
        extent=(h[data].min(), h[data].max(), c[data].min(), c[data].max()),
    )  # fmt: skip


def add_film(store: Store, epochs: Iterable[int] = range(4), request: RunRequest = TINY, **more: Any) -> Film:
    """A film of planted frames, as a worker leaves it."""
    key = recording.film_key(request)
    for epoch in epochs:
        result = filmed(epoch)
        arrays = {"H": result.eigenvalues, "R": result.correlation("C", 100).astype(np.float32)}
        arrays |= {name: result.diagonal(name) for name in recording.MATRICES}
        place = ("films", key, "frames", recording.frame_name(epoch))
        store.write(place, {"noise_floor": result.noise_floor}, {"main": arrays})
    made = Film(
        key=key, request=request, fingerprint="planted", layer="fc2", shape=(20, 20), samples=1000, device="cpu",
        changed=time.time(), frames=tuple(frame(e) for e in epochs), **more,
    )  # fmt: skip
    recording.keep(store, made)
    return made


# -- a sweep ----------------------------------------------------------------------------------------------


def row(cell: Cell, gamma: float = 1.2, run: str = "0" * 16, **more: Any) -> Row:
    """A measured cell: γ of this size, a tenth less for each matrix after C; whatever else is told is empty."""
    laws = {
        name: Law(gamma=gamma - 0.1 * place, low=gamma - 0.2, high=gamma + 0.2) for place, name in enumerate(FOLLOWED)
    }
    empty = {"str": "", "int": 0, "float": 0.0, str: "", int: 0, float: 0.0}
    plain = {field.name: empty[field.type] for field in fields(Row) if field.name != "laws"}
    known = {"row": cell.row, "classes": cell.classes, "seed": cell.run.seed, "layer": "fc2", "run": run, "epoch": 100}
    known |= {"samples": 1000, "train_accuracy": 1.0}
    return Row(**(plain | known | {"window": cell.window} | more), laws=laws)


def add_sweep(store: Store, name: str = "tiny", count: int | None = None) -> list[Row]:
    """Measured cells of a sweep, γ rising from cell to cell; the rows."""
    cells = grid.open_sweep(name).cells[:count]
    rows = [row(cell, 1.1 + 0.03 * place, f"{place:016x}") for place, cell in enumerate(cells)]
    for cell, one in zip(cells, rows, strict=True):
        status.keep(store, cell, one)
    return rows
