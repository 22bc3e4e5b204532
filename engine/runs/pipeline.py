"""The long jobs: train a run, analyse its checkpoints, keep what is finished.

Both the command line and the dashboard's worker go through here, so both leave the same entries in the cache
(engine.runs.library reads them). Every finished epoch, checkpoint and analysis is kept at once: ending at any moment
loses at most the work since the last checkpoint.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cache.progress import Stopped
from cache.store import Store
from engine.config.manual import PROGRAM
from engine.config.requests import SPLITS, AnalysisRequest, DataRequest, RunRequest, key, to_json
from engine.curvature.analyze import analyze
from engine.curvature.criteria import criterion
from engine.curvature.held_out import held_out
from engine.curvature.inputs import Inputs
from engine.curvature.verify import verify
from engine.data.datasets import Dataset, load
from engine.device import resolve
from engine.errors import require
from engine.losses import LossLike
from engine.models.architectures import check_fit
from engine.models.networks import build, layers, studied_layer
from engine.progress import Progress, silent
from engine.results.analysis import Analysis
from engine.results.cross_fit import JOINTLY, HeldOut
from engine.results.record import Check
from engine.runs import eviction, library
from engine.runs.brought import Brought, Samples, kept_samples
from engine.runs.external import choose, steps
from engine.runs.library import checkpoint_name
from engine.runs.run import Run
from engine.training.sgd import MOMENTUM, Step, check_targets, steadily, train

# Directions of which the block is kept: of every matrix, and of those that are looked at most closely.
BLOCK, WIDE = 300, 1000
CLOSELY = ("C", "C_awd")
RECORD_SECONDS = 0.3  # between two writes of the epochs so far: for the eye, the checkpoints hold the work


@dataclass(frozen=True)
class Pipeline:
    """The jobs on one store and one device. progress(stage, done, total) hears how far they are; should_stop()
    is asked between epochs and stages, and ends the work with Stopped; download allows fetching data sets; brought:
    what the cache does not hold of a run that was recorded elsewhere."""

    store: Store
    device: str = "auto"
    progress: Progress = silent
    should_stop: Callable[[], bool] = lambda: False
    download: bool = False
    brought: Brought = field(default_factory=Brought, repr=False)
    _loaded: dict[DataRequest, Dataset] = field(default_factory=dict, repr=False)

    def data(self, request: DataRequest) -> Dataset:
        """The data set, loaded once for all jobs of this pipeline."""
        if request not in self._loaded:
            self.tell("loading data", 0, 1)
            self._loaded[request] = load(request, progress=self.tell, download=self.download)
        return self._loaded[request]

    def fitting(self, request: RunRequest) -> Dataset:
        """The data of a run; ValueError where its network does not fit them."""
        data = self.data(request.data)
        check_targets(data, request.loss)
        check_fit(request.model, data.shape, data.outputs, data.name, data.numbers, bool(request.weights))
        return data

    # -- training -------------------------------------------------------------------------------------

    def train(self, request: RunRequest) -> str:
        """Train, and return the key of the run.

        A finished run costs nothing. An interrupted one, or one with a checkpoint lost to damage, goes on from
        the last checkpoint before the gap to the same weights. Raises Stopped, and ValueError where the request
        cannot be met."""
        data = self.fitting(request)
        run = key(request, data.fingerprint)
        record = self._record(run)
        if record is not None and record["finished"] and not self._lost(run, record):
            return run
        record = record or self._begun(request, data)
        start = self._start(run, record)
        reached = -1 if start is None else start[0]
        record |= {"records": [r for r in record["records"] if r["epoch"] <= reached], "finished": False, "end": ""}
        model = build(request.model, request.seed)
        # Its settings are checked here: a request that cannot be met leaves no run behind.
        epochs = train(model, data, request.loss, request.training, request.seed, self.device, start)
        self.store.write(("runs", run), record)
        self._follow(run, record, epochs, "training", request)
        return run

    def load(
        self, request: RunRequest, files: Sequence[Path], part: str | None = None, reading: int | None = None
    ) -> str:
        """Keep checkpoints that were trained elsewhere as a run, with their measured loss and accuracy; its key.

        files: one for each of request.training.checkpoints, whose tensors have the SHA-256 of request.weights
        (engine.runs.external.asked); part: which of several sets of weights in them; reading: which of several networks
        that the weights allow, the best where it is left out. A loaded run costs nothing again. Raises Stopped, and
        ValueError where network, files and data do not fit."""
        self.fitting(request)
        chosen = choose(request, files[-1], part, reading, self.data, self.device, self.tell)
        request = dataclasses.replace(request, model=chosen.reading.model)
        data = self.fitting(request)
        run = key(request, data.fingerprint)
        record = self._record(run)
        if record is None or not record["finished"] or self._lost(run, record):
            record = self._begun(request, data) | {"trials": [dataclasses.asdict(trial) for trial in chosen.trials]}
            each = steps(request, files, data, self.device, part, chosen.index, chosen.guess)
            self._follow(run, record, each, "measuring", request)
        return run

    def _begun(self, request: RunRequest, data: Dataset) -> dict[str, Any]:
        """The record of a run before its first epoch."""
        parts = layers(request.model, data.image)
        return {
            "request": to_json(request),
            "fingerprint": data.fingerprint,
            "data_name": data.name,
            "class_names": list(data.class_names),
            "samples": len(data.train_x),
            **({"variance": float(data.train_y.double().var(dim=0, correction=0).mean())} if data.numbers else {}),
            "layers": {part.name: part.shape for part in parts},
            "order": [part.name for part in parts],
            "places": {part.name: part.places for part in parts},
            "kinds": {part.name: part.kind for part in parts},
            "studied": studied_layer(request.model),
            "device": str(resolve(self.device)),
            "created": time.time(),
            "finished": False,
            "end": "",
            "kept": [],
            "records": [],
        }

    def _follow(
        self, run: str, record: dict[str, Any], epochs: Iterator[Step], stage: str, request: RunRequest
    ) -> None:
        """Keep each step, and tell how far it is."""
        shown = -math.inf
        with steadily(request.model.kind):
            try:
                for step in epochs:
                    due = time.monotonic() > shown + RECORD_SECONDS
                    self._keep(run, record, step, due)
                    shown = time.monotonic() if due else shown
                    self.tell(stage, step.record.epoch, request.training.epochs)
            finally:
                # Weights that do not fit leave no run behind.
                if record["records"]:
                    self.store.write(("runs", run), record)

    def _keep(self, run: str, record: dict[str, Any], step: Step, due: bool) -> None:
        epoch = step.record.epoch
        # The checkpoint first: an epoch on record then has the weights it promises.
        if step.checkpoint is not None:
            self.keep_weights(("runs", run, "checkpoints", checkpoint_name(epoch)), {"epoch": epoch}, step.checkpoint)
            record["kept"] = sorted({*record["kept"], epoch})
        if not record["records"] or record["records"][-1]["epoch"] < epoch:
            record["records"].append(dataclasses.asdict(step.record))
        if step.end is not None:
            record |= {"finished": True, "end": step.end}
        if due or step.checkpoint is not None or step.end is not None:
            self.store.write(("runs", run), record)

    def _record(self, run: str) -> dict[str, Any] | None:
        entry = self.store.read("runs", run)
        return None if entry is None else dict(entry.meta)

    def _lost(self, run: str, record: Mapping[str, Any]) -> set[int]:
        """Checkpoints that were written and are no longer there."""
        return set(record["kept"]) - {int(name) for name in self.store.list("runs", run, "checkpoints")}

    def _start(self, run: str, record: Mapping[str, Any]) -> tuple[int, dict[str, Tensor]] | None:
        """The newest sound checkpoint with no gap before it and its epoch on record."""
        lost = self._lost(run, record)
        limit = min(lost) - 1 if lost else math.inf
        recorded = {r["epoch"] for r in record["records"]}
        for name in reversed(self.store.list("runs", run, "checkpoints")):
            if int(name) <= limit and int(name) in recorded:
                weights = self.weights("runs", run, "checkpoints", name)
                if weights is not None:
                    return int(name), weights
        return None

    def keep_weights(self, parts: tuple[str, ...], meta: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        """Keep a state of training as an entry."""
        self.store.write(parts, meta, {"main": {name: w.detach().cpu().numpy() for name, w in weights.items()}})

    def weights(self, *parts: str) -> dict[str, Tensor] | None:
        """The state of training that such an entry holds; None where there is none, or it was damaged."""
        entry = self.store.read(*parts)
        arrays = None if entry is None else entry.arrays()
        return None if arrays is None else {name: torch.from_numpy(a.copy()) for name, a in arrays.items()}

    # -- analysis -------------------------------------------------------------------------------------

    def analyze(self, request: AnalysisRequest, again: bool = False) -> Analysis:
        """The analysis as it is kept: from the cache, or computed now, again where that is wanted. Errors: see
        `restore`."""
        run = library.find(self.store, request.run)
        name = key(request, run.fingerprint)
        cached = library.load_analysis(self.store, run.key, name, spectra=True)
        if cached is not None and not again and self._complete(cached, request):
            return cached
        network = self.restore(run.key, request.epoch, request.samples, request.seed)
        result = self.measure(*network, self.loss(run), request, self.tell)
        if run.request.weights:
            remarks = (*result.provenance.remarks, *assumed(network[0]))
            result = dataclasses.replace(result, provenance=dataclasses.replace(result.provenance, remarks=remarks))
        return self.keep(run, request, result)

    def keep(self, run: Run, request: AnalysisRequest, result: Analysis) -> Analysis:
        """Keep a fresh analysis of a run; as it is kept."""
        began, name = time.perf_counter(), key(request, run.fingerprint)
        if run.recorded is not None:
            origin = result.provenance
            origin = dataclasses.replace(origin, remarks=(*origin.remarks, *run.recorded.remarks))
            result = dataclasses.replace(result, provenance=origin)
        # What a first look needs is kept first: the rest takes seconds more.
        first = result.kept(("C",), BLOCK)
        self._write(run.key, name, request, first)
        first = dataclasses.replace(first, jackknife=result.sampled().jackknife)
        spectra = result.sample_spectra() if request.keeps_spectra else None
        wholes = {}
        for done, matrix in enumerate(result.names):
            self.tell("commutators", done, len(result.names))
            wholes[matrix] = first.wholes.get(matrix) or result.whole(matrix)
        wide = min(WIDE, result.k)
        closely = {m: result.projected(m, wide).astype(np.float32) for m in CLOSELY if m in result.names}
        blocks = {**first.blocks, **closely}
        complete = dataclasses.replace(first, blocks=blocks, wholes=wholes, spectra=spectra)
        seconds = result.provenance.seconds + time.perf_counter() - began
        self._write(run.key, name, request, complete, seconds)
        eviction.make_room(self.store, spare=(run.key, name))
        return complete

    def cross_fit(self, request: AnalysisRequest, splits: int = SPLITS) -> HeldOut:
        """How an analysis holds on other samples, kept below it: from the cache, or made now, the analysis first where
        there is none. Test samples are those of the run's data set, as far as it has any. Errors: see `restore`."""
        run = library.find(self.store, request.run)
        require(len(request.layers) == 1, JOINTLY)
        name = key(request, run.fingerprint)
        self.analyze(request)
        kept = library.held_out(self.store, run.key, name)
        if kept is not None and kept.seed == request.seed and kept.splits >= splits and kept.structural:
            return kept
        network = self.restore(run.key, request.epoch, request.samples, request.seed)
        there = held_out(
            *network, unseen=self.unseen(run), splits=splits, progress=self.tell, loss=self.loss(run),
            device=self.device, output=self.brought.output, **settings(request),
        )  # fmt: skip
        library.keep_held_out(self.store, run.key, name, there)
        eviction.make_room(self.store, spare=(run.key, name))
        return there

    def unseen(self, run: Run) -> tuple[Tensor, Tensor] | None:
        """The test samples of a run's data set; None where it has none, or its script has them."""
        if run.recorded is not None:
            return None
        data = self.data(run.request.data)
        return (data.test_x, data.test_y) if len(data.test_y) else None

    def measure(
        self, model: nn.Module, inputs: Any, targets: Tensor, loss: LossLike, request: AnalysisRequest, tell: Progress,
        **more: Any,
    ) -> Analysis:  # fmt: skip
        """The analysis of a network as it is in memory, with the request's settings and more; nothing is kept."""
        more |= settings(request) | {"device": self.device, "output": self.brought.output}
        return analyze(model, inputs, targets, loss=loss, progress=tell, **more)

    @staticmethod
    def _complete(analysis: Analysis, request: AnalysisRequest) -> bool:
        """Whether an entry holds all that is kept of an analysis: not so after an interruption."""
        spectra = analysis.spectra is not None or not request.keeps_spectra
        drawn = analysis.jackknife is not None and analysis.probes is not None
        return spectra and drawn and set(analysis.names) <= set(analysis.wholes)

    def check(self, run: str, epoch: int, layer: str) -> tuple[Check, ...]:
        """Some numbers of the newest analysis of this checkpoint and layer once more, by brute force, kept
        beside it; see engine.curvature.verify. ValueError where there is none, and as `restore`."""
        trained_run = library.find(self.store, run)
        run = trained_run.key
        analysed = library.analyses(self.store, run)
        made = [one for one in analysed if (one.request.epoch, one.request.layer) == (epoch, layer)]
        asked = f"--run {run} --epoch {epoch} --layer {layer}{library.bringing(trained_run)}"
        require(
            bool(made),
            f"Epoch {epoch} of run {run}, layer {layer}, is not analysed. Analyse it first: {PROGRAM} analyze {asked}",
        )
        analysis = library.load_analysis(self.store, run, made[-1].key)
        if analysis is None:
            raise ValueError(f"The analysis of epoch {epoch} of run {run} was damaged. Analyse it again.")
        network = self.restore(run, epoch, made[-1].request.samples, made[-1].request.seed)
        loss = self.loss(trained_run)
        own = None if isinstance(loss, str) else loss
        checks = verify(*network, analysis, self.tell, own, self.brought.output)
        record = {"checks": [dataclasses.asdict(check) for check in checks]}
        self.store.write(("runs", run, "analyses", made[-1].key, library.CHECK), record)
        return checks

    def restore(self, run: str, epoch: int, samples: int | None = None, seed: int = 0) -> tuple[nn.Module, Any, Tensor]:
        """The network at a checkpoint, and the inputs (n, …) and targets (n,) that it is analysed on: the
        run's training samples, or so many of them drawn with the seed.

        A checkpoint lost to damage is trained again first. Raises Stopped, and ValueError where there is no
        such run or checkpoint, its data have changed, or its network is elsewhere."""
        trained_run = library.find(self.store, run)
        inputs, targets = self.samples(trained_run)
        weights = self._checkpoint(trained_run, epoch)
        if trained_run.recorded is None:
            model = build(trained_run.request.model, trained_run.request.seed)
            model.load_state_dict({k: v for k, v in weights.items() if not k.startswith(MOMENTUM)})
        else:
            model = self.brought.network(trained_run, weights)
        chosen = drawn(len(targets), samples, seed)
        return model.eval(), inputs[chosen], targets[chosen]

    def stored(self, request: DataRequest) -> Samples:
        """The training samples of a data set."""
        data = self.data(request)
        return Samples(data.train_x, data.train_y, data.fingerprint, data.name, data.class_names)

    def samples(self, run: Run) -> tuple[Any, Tensor]:
        """All training samples of a run. ValueError where they have changed, or are elsewhere."""
        require(not run.by_hand, library.BY_HAND)
        here = None if run.recorded is None else self.brought.samples or kept_samples(self.store, run)
        if here is None:
            require(run.recorded is None or "data" not in run.recorded.bring, library.elsewhere(run))
            here = self.stored(run.request.data)
        else:
            here = Samples.of(Inputs.of(here.inputs), here.targets)  # they may have been written to since
        require(
            here.fingerprint == run.fingerprint,
            f"The data {run.data_name} have changed since run {run.key} was trained. Train again on them.",
        )
        return here.inputs, here.targets

    def loss(self, run: Run) -> LossLike:
        """The loss of a run, brought where a name does not tell it."""
        if run.recorded is None or "loss" not in run.recorded.bring:
            return run.request.loss
        loss = self.brought.loss
        if loss is None:
            raise ValueError(library.elsewhere(run))
        name = criterion(loss).name
        require(name == run.request.loss, f"Run {run.key} has the loss {run.request.loss}, not {name}. Bring that one.")
        return loss

    def _write(
        self, run: str, name: str, request: AnalysisRequest, result: Analysis, seconds: float | None = None
    ) -> None:
        arrays, meta = result.to_arrays()
        # Each group a file of its own, so that a reader loads only what it looks at.
        files: dict[str, dict[str, np.ndarray]] = {"main": {}}
        for path, array in arrays.items():
            group = path.split("/")[0]
            files.setdefault(group if group in library.LARGE else "main", {})[path] = array
        record = {"request": to_json(request), "result": meta, "created": time.time(), "seconds": seconds}
        self.store.write(("runs", run, "analyses", name), record, files)

    def _checkpoint(self, run: Run, epoch: int) -> dict[str, Tensor]:
        parts = ("runs", run.key, "checkpoints", checkpoint_name(epoch))
        weights = self.weights(*parts)
        if weights is None and epoch in (self._record(run.key) or {}).get("kept", ()):
            require(
                not run.request.weights and run.recorded is None,
                f"The checkpoint of epoch {epoch} of run {run.key} is damaged or lost, and it was trained elsewhere: "
                "load its file again.",
            )
            self.train(run.request)
            weights = self.weights(*parts)
        if weights is None:
            raise ValueError(library.no_checkpoint(run, epoch))
        return weights

    def tell(self, stage: str, done: int, total: int) -> None:
        """Pass progress on; raises Stopped where that is asked for."""
        self.progress(stage, done, total)
        if self.should_stop():
            raise Stopped


def assumed(model: nn.Module) -> tuple[str, ...]:
    """What files of weights do not hold of a network that was loaded from them, in a sentence."""
    norms = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)
    constants = sorted({(type(m).__name__, m.eps) for m in model.modules() if isinstance(m, norms)})
    if not constants:
        return ()
    words = ", ".join(f"{eps:g} of {name}" for name, eps in constants)
    return (
        f"No file of weights holds the eps of a norm; {words} is assumed, and the accuracy hardly tells another one. "
        "Where yours differs, bring the network itself: --model file.py:build.",
    )


def settings(request: AnalysisRequest) -> dict[str, Any]:
    """What `analyze` takes of a request."""
    return {name: value for name, value in vars(request).items() if name not in ("run", "epoch", "samples")}


def drawn(available: int, samples: int | None, seed: int) -> Tensor | slice:
    """Which of the samples are analysed, drawn with the seed; all for None."""
    if samples is None or samples >= available:
        return slice(None)
    require(samples >= 1, f"samples must be at least 1, not {samples}.")
    return torch.from_numpy(np.sort(np.random.default_rng(seed).permutation(available)[:samples]))
