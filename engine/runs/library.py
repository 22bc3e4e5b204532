"""What the cache holds, in the engine's terms: runs, their history, their checkpoints and analyses.

Imports no torch: pages ask here. engine.runs.pipeline writes the runs that are read here; only the names that users
give to them are written here.
"""

import dataclasses
import math
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from cache.jobs import process
from cache.store import Entry, Store
from engine.config.kinds import KINDS, has_activation
from engine.config.requests import AnalysisRequest, RunRequest, analysis_request, key, run_request
from engine.curvature.memory import DENSE_LIMIT
from engine.errors import require
from engine.models.architectures import shapes, usual_layer
from engine.results.analysis import Analysis
from engine.results.cross_fit import HeldOut
from engine.results.record import Check

# Arrays of an analysis that are files of their own: most readers need only some.
BLOCKS, SPECTRA, BASIS = LARGE = ("blocks", "spectra", "basis")
# The entries below an analysis: of its check, and of how it holds on other samples.
CHECK, HELD_OUT = "check", "held-out"
# What a run takes from its record as it stands there.
_AS_WRITTEN = ("fingerprint", "data_name", "samples", "device", "created", "finished", "end")
PAPERS = ("mlp", "cnn")
BROUGHT = ("model", "data", "loss")  # what a command may have to be given for a recorded run
PLACES = {name: f"your_{name}.py:{name}" for name in BROUGHT}  # shown where its script did not say
LEADING = 100  # directions of a larger layer that are analysed unasked
# Characters of a name: what a menu shows in one line.
LABEL_LENGTH = 60


@dataclass(frozen=True)
class History:
    """Training epoch by epoch, as columns: mean loss, share of right answers (0 … 1), both NaN where there are
    no test samples, learning rate, seconds the epoch took. Empty while nothing is recorded."""

    epoch: Int[ndarray, " e"]
    train_loss: Float[ndarray, " e"]
    train_accuracy: Float[ndarray, " e"]
    test_loss: Float[ndarray, " e"]
    test_accuracy: Float[ndarray, " e"]
    learning_rate: Float[ndarray, " e"]
    seconds: Float[ndarray, " e"]

    def __len__(self) -> int:
        return self.epoch.size

    @classmethod
    def of(cls, records: list[Mapping[str, Any]]) -> "History":
        """From the records of a manifest."""
        # None, where there are no test samples, becomes NaN.
        columns = {f.name: np.array([r[f.name] for r in records], float) for f in dataclasses.fields(cls)}
        return cls(**(columns | {"epoch": columns["epoch"].astype(np.int64)}))


@dataclass(frozen=True)
class Trial:
    """What else the weights of a file might be: in words, what that scores, its kind of network, and the settings of a
    load that take it."""

    words: str
    accuracy: float
    loss: float
    kind: str
    change: Mapping[str, Any]


@dataclass(frozen=True)
class Recorded:
    """What is known of a run that a script of its user's trained, see engine.recorder. optimizer: in words, empty where
    it was not told; plain: whether its steps are the gradient's, as in the paper; bring: what a command must be given
    to have network, data or loss again (model, data, loss: file.py:name each, empty where the script did not say);
    process, began: of the script."""

    optimizer: str
    plain: bool
    bring: Mapping[str, str]
    process: int
    began: float

    @property
    def alive(self) -> bool:
        """Whether the script is still at work."""
        return process(self.process, self.began) is not None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What has to be known of the numbers."""
        if self.plain or not self.optimizer:
            return ()
        return (
            f"Trained with {self.optimizer}: C is the noise of the mini-batch's gradient, not of the step that "
            f"{self.optimizer} makes of it.",
        )


@dataclass(frozen=True)
class Run:
    """One training run. finished: whether it reached its end, which `end` tells in a sentence; an unfinished
    one is at work or was interrupted. checkpoints: epochs whose weights are kept. fingerprint: of the data.
    label: the name its user gave it, empty without one. layers: (d_out, d_in) of the layers that can be studied, by
    name, in the order of their use; places: at how many places of a sample each is used, one where it is not told;
    kinds: linear or convolution, linear where it is not told; studied: the layer that is studied unless another one is
    named; recorded: of a run that a script of its user's trained, of others None; trials: what else a file's weights
    might be; variance: of the numbers to predict, NaN where targets are others."""

    key: str
    request: RunRequest
    fingerprint: str
    data_name: str
    class_names: tuple[str, ...]
    samples: int
    device: str
    created: float
    finished: bool
    end: str
    history: History
    checkpoints: tuple[int, ...]
    label: str = ""
    layers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    studied: str = ""
    recorded: Recorded | None = None
    trials: tuple[Trial, ...] = ()
    variance: float = math.nan

    @property
    def last_epoch(self) -> int:
        """The newest checkpoint's epoch; −1 while there is none."""
        return self.checkpoints[-1] if self.checkpoints else -1

    def ranked_trials(self) -> list[Trial]:
        """What else its weights might be, the best first: by accuracy, of numbers to predict by loss."""
        return sorted(self.trials, key=lambda trial: (-np.nan_to_num(trial.accuracy), trial.loss))

    @property
    def explained(self) -> float:
        """R² = 1 − Σ(f − y)²/Σ(y − ȳ)² over the training samples at the last epoch on record, where targets are numbers
        to predict; NaN elsewhere."""
        return (
            1 - float(self.history.train_loss[-1]) / self.variance if len(self.history) and self.variance else math.nan
        )

    @property
    def by_hand(self) -> bool:
        """Whether nothing of it is kept but an analysis."""
        return self.recorded is not None and not self.fingerprint

    @property
    def growing(self) -> bool:
        """Whether a script is at work that records it."""
        return self.recorded is not None and self.recorded.alive and not self.finished

    @property
    def bring(self) -> dict[str, Any]:
        """What a command on it must be given: file.py:name each, that of PLACES where its script did not say."""
        bring = {} if self.recorded is None else self.recorded.bring
        return {name: bring[name] or PLACES[name] for name in BROUGHT if name in bring}


@dataclass(frozen=True)
class Analysed:
    """An analysis that is in the cache: its key and what was asked for; seconds: what it took with all that is kept of
    it, None while it is not finished or where an earlier version made it."""

    key: str
    request: AnalysisRequest
    created: float
    has_spectra: bool
    seconds: float | None = None


def checkpoint_name(epoch: int) -> str:
    """Folder of a checkpoint; sorting by name is sorting by epoch."""
    return f"{epoch:05d}"


def runs(store: Store) -> tuple[Run, ...]:
    """All runs, newest first."""
    entries = (run(store, key) for key in store.list("runs"))
    return tuple(sorted((r for r in entries if r is not None), key=lambda r: r.created, reverse=True))


def run(store: Store, key: str) -> Run | None:
    """One run as it is now; None if there is none, or its manifest was damaged."""
    entry = store.read("runs", key)
    if entry is None:
        return None
    meta = entry.meta
    try:
        request = run_request(dict(meta["request"]))
        # Written before layers were kept: those of the request.
        layers = meta["layers"] if "layers" in meta else shapes(request.model)
        # JSON sorts the names of a record; one that was written before tells no order.
        own = shapes(request.model) if request.model.kind in KINDS else layers
        order = meta.get("order", [name for name in own if name in layers])
        return Run(
            key=key,
            request=request,
            class_names=tuple(meta["class_names"]),
            history=History.of(meta["records"]),
            checkpoints=tuple(int(name) for name in store.list("runs", key, "checkpoints")),
            label=label(store, key),
            layers={name: (layers[name][0], layers[name][1]) for name in order},
            places=meta.get("places", {}),
            kinds=meta.get("kinds", {}),
            studied=meta.get("studied") or usual_layer(order),
            recorded=Recorded(**meta["recorded"]) if "recorded" in meta else None,
            variance=meta.get("variance", math.nan),
            trials=tuple(Trial(**trial) for trial in meta.get("trials", ())),
            **{name: meta[name] for name in _AS_WRITTEN},
        )
    except (KeyError, TypeError, ValueError):
        # Written by another version of this program: not damaged, but not ours to read.
        return None


def label(store: Store, run: str) -> str:
    """The name a user gave to a run; empty without one."""
    entry = store.read("runs", run, "label")
    return "" if entry is None else str(entry.meta.get("label", ""))


def rename(store: Store, run: str, name: str) -> None:
    """Give a run a name; an empty one takes it back. ValueError if it is too long or there is no such run.

    It is an entry of its own below the run's, so a worker that keeps writing the run's record never loses it."""
    name = " ".join(name.split())
    require(
        len(name) <= LABEL_LENGTH,
        f"This name has {len(name)} characters; {LABEL_LENGTH} fit on a line. Choose a shorter one.",
    )
    require(store.read("runs", run) is not None, f"There is no run {run} any more. Reload the page.")
    if name:
        store.write(("runs", run, "label"), {"label": name})
    else:
        store.delete("runs", run, "label")


def pinned(store: Store) -> str | None:
    """The key of the run that opens first; None without one."""
    entry = store.read("pinned")
    return None if entry is None else str(entry.meta.get("run"))


def pin(store: Store, run: str | None) -> None:
    """Have this run open first, in place of any other; none for None."""
    if run is None:
        store.delete("pinned")
    else:
        store.write(("pinned",), {"run": run})


def find(store: Store, beginning: str | None = None) -> Run:
    """The run whose key begins so; the newest one for None. ValueError if there is none, or several."""
    if beginning is None:
        all_runs = runs(store)
        if not all_runs:
            raise ValueError("There is no run yet. Train one first: python -m engine train.")
        return all_runs[0]
    keys = [key for key in store.list("runs") if key.startswith(beginning)]
    if len(keys) != 1:
        known = ", ".join(r.key for r in runs(store)[:5]) or "none"
        raise ValueError(
            f"{len(keys) or 'No'} runs begin with {beginning!r}. Give one key, or its beginning; the newest are: "
            f"{known}."
        )
    one = run(store, keys[0])
    if one is None:
        raise ValueError(f"The record of run {keys[0]} was unreadable. Train it again; its checkpoints are kept.")
    return one


def asked(runs: Iterable[Run], request: RunRequest) -> Run | None:
    """The newest of these runs, newest first, that is of exactly this request, if there is one; needs no data."""
    return next((run for run in runs if run.request == request), None)


def loaded(runs: Iterable[Run], request: RunRequest, kind: str | None = None) -> Run | None:
    """The newest of these runs, newest first, that is of this request whose network is read off the weights; kind: of
    this one alone."""
    return next(
        (
            run
            for run in runs
            if run.request == dataclasses.replace(request, model=run.request.model)
            and (not has_activation(run.request.model.kind) or run.request.model.activation == request.model.activation)
            and kind in (None, run.request.model.kind)
        ),
        None,
    )


def siblings(runs: Iterable[Run], run: Run) -> tuple[Run, ...]:
    """Those of these runs that differ from one only in the seed of their network and their mini-batches."""
    return tuple(
        other
        for other in runs
        if other.key != run.key
        and other.fingerprint == run.fingerprint
        and other.request.seed != run.request.seed
        and dataclasses.replace(other.request, seed=run.request.seed) == run.request
    )


def default_analysis(run: Run, epoch: int) -> AnalysisRequest:
    """The analysis a run gets unasked: the layer the paper studies, the batch size it was trained with."""
    top_k = usual_directions(run.request.model.kind, math.prod(run.layers[run.studied]))
    return AnalysisRequest(run.key, epoch, run.studied, run.request.training.batch_size, top_k=top_k)


def usual_directions(kind: str, dimension: int) -> int | None:
    """How many directions of a layer are analysed unasked, None for all; of the paper's networks always all."""
    return None if kind in PAPERS or dimension <= DENSE_LIMIT else LEADING


def chosen_epochs(words: Iterable[str], run: Run) -> tuple[int, ...]:
    """Checkpoints meant by "last", "all" (newest first) and numbers, in this order, each once. ValueError names
    those the run has."""
    require(bool(run.checkpoints), f"Run {run.key} has no checkpoint yet. Train it first.")
    epochs: list[int] = []
    for word in words:
        if word == "last":
            epochs.append(run.last_epoch)
        elif word == "all":
            epochs.extend(reversed(run.checkpoints))
        else:
            require(word.isdecimal() and int(word) in run.checkpoints, no_checkpoint(run, word))
            epochs.append(int(word))
    return tuple(dict.fromkeys(epochs))


def no_checkpoint(run: Run, epoch: int | str) -> str:
    """The sentence that refuses an epoch."""
    return f"Run {run.key} has no checkpoint of epoch {epoch}; it has {', '.join(map(str, run.checkpoints)) or 'none'}."


BY_HAND = (
    "This analysis was made by hand in Python and kept without weights and samples: what takes the network is made "
    "there, and kept anew."
)


def elsewhere(run: Run) -> str:
    """The sentence that tells where the network of a recorded run is."""
    return (
        f"Run {run.key} was trained by a script of your own: its network is there, and not in the cache. Ask the "
        f"script's recorder, or name the files and functions that bring it: {bringing(run).strip()}."
    )


def bringing(run: Run) -> str:
    """The options, each behind a blank, that bring what a recorded run takes from its script."""
    return "".join(f" --{name} {shlex.quote(word)}" for name, word in run.bring.items())


def refusals(store: Store, run: str) -> tuple[str, ...]:
    """Why analyses of a recorded run were not made, a sentence each."""
    entries = (store.read("runs", run, "refusals", name) for name in store.list("runs", run, "refusals"))
    return tuple(str(entry.meta["sentence"]) for entry in entries if entry is not None)


def refuse(store: Store, request: AnalysisRequest, sentence: str) -> None:
    """Keep why an analysis of a recorded run was not made."""
    where = f"Epoch {request.epoch}, layer {request.layer}"
    store.write(("runs", request.run, "refusals", key(request)), {"sentence": f"{where}: {sentence}"})


def analyses(store: Store, run: str) -> tuple[Analysed, ...]:
    """The analyses of a run, by epoch, then by layer, newest last."""
    entries = ((key, store.read("runs", run, "analyses", key)) for key in store.list("runs", run, "analyses"))
    analysed = (_analysed(key, entry) for key, entry in entries if entry is not None)
    return tuple(sorted((a for a in analysed if a), key=lambda a: (a.request.epoch, a.request.layer, a.created)))


def load_analysis(
    store: Store, run: str, key: str, spectra: bool = False, blocks: bool = True, basis: bool = False
) -> Analysis | None:
    """One analysis, with its per-sample spectra (large; only suppression needs them) and leading directions on demand,
    and without its blocks where only curves are looked at. None if there is none, or it was damaged: it is then set
    aside, and analysing again makes it anew."""
    entry = store.read("runs", run, "analyses", key)
    if entry is None:
        return None
    arrays: dict[str, ndarray] = {}
    for name in ("main", *(BLOCKS,) * blocks, *(SPECTRA,) * spectra, *(BASIS,) * basis):
        if name == "main" or entry.has(name):
            more = entry.arrays(name)
            if more is None:
                return None
            arrays |= more
    try:
        analysis = Analysis.from_arrays(arrays, entry.meta["result"])
    except (KeyError, TypeError):
        return None
    return dataclasses.replace(analysis, held_out=held_out(store, run, key))


def held_out(store: Store, run: str, analysis: str) -> HeldOut | None:
    """How an analysis holds on other samples; None where that is not kept."""
    entry = store.read("runs", run, "analyses", analysis, HELD_OUT)
    arrays = None if entry is None else entry.arrays()
    try:
        return None if arrays is None else HeldOut.from_arrays(arrays)
    except (KeyError, TypeError, ValueError):
        return None


def keep_held_out(store: Store, run: str, analysis: str, there: HeldOut) -> None:
    """Keep that below the analysis."""
    store.write(("runs", run, "analyses", analysis, HELD_OUT), {}, {"main": there.to_arrays()})


def checks(store: Store, run: str, analysis: str) -> tuple[Check, ...]:
    """What the last check of an analysis found, number by number; nothing if it was never checked."""
    entry = store.read("runs", run, "analyses", analysis, CHECK)
    if entry is None:
        return ()
    return tuple(Check(**{**values, "directions": tuple(values["directions"])}) for values in entry.meta["checks"])


def _analysed(key: str, entry: Entry) -> Analysed | None:
    try:
        request = analysis_request(dict(entry.meta["request"]))
        return Analysed(key, request, entry.meta["created"], entry.has(SPECTRA), entry.meta.get("seconds"))
    except (KeyError, TypeError, ValueError):
        return None
