"""What the cache holds, in the engine's terms: runs, their history, their checkpoints and analyses.

Imports no torch: pages ask here. engine.runs.pipeline writes the runs that are read here; only the names that users
give to them are written here.
"""

import dataclasses
import math
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from numpy import ndarray

from cache.store import Entry, Store
from engine.config.kinds import KINDS, has_activation
from engine.config.requests import AnalysisRequest, RunRequest, analysis_request, key, run_request
from engine.curvature.memory import DENSE_LIMIT
from engine.errors import require
from engine.models.architectures import shapes, usual_layer
from engine.results.analysis import Analysis
from engine.results.cross_fit import HeldOut
from engine.results.record import Check
from engine.runs.run import History, Recorded, Run, Trial

# Arrays of an analysis that are files of their own: most readers need only some.
BLOCKS, SPECTRA, BASIS = LARGE = ("blocks", "spectra", "basis")
# The entries below an analysis: of its check, and of how it holds on other samples.
CHECK, HELD_OUT = "check", "held-out"
# What a run takes from its record as it stands there.
_AS_WRITTEN = ("fingerprint", "data_name", "samples", "device", "created", "finished", "end")
PAPERS = ("mlp", "cnn")
LEADING = 100  # directions of a larger layer that are analysed unasked
# Characters of a name: what a menu shows in one line.
LABEL_LENGTH = 60

Made = TypeVar("Made")


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
            left_out=meta.get("left_out", {}),
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


def load(
    store: Store, where: tuple[str, ...], make: Callable[[dict[str, ndarray], Mapping[str, Any]], Made]
) -> Made | None:
    """What an entry's arrays and record make; None while there is nothing, or it was damaged, or another version of
    this program wrote it."""
    entry = store.read(*where)
    arrays = None if entry is None else entry.arrays()
    if entry is None or arrays is None:
        return None
    try:
        return make(arrays, entry.meta)
    except (KeyError, TypeError, ValueError):
        return None


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
    return load(store, ("runs", run, "analyses", analysis, HELD_OUT), lambda arrays, _: HeldOut.from_arrays(arrays))


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
