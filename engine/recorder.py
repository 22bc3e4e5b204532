"""A training script of one's own, recorded: its weights and what they measure, beside all other runs.

    from engine import Recorder
    recorder = Recorder("my run", model, data=(images, labels), loss="ce", batch_size=64, layers=["fc2", "conv2"])
    for epoch in range(1, epochs + 1):
        train_one_epoch(...)
        recorder.record(epoch, loss=..., accuracy=...)

Training is the same with and without it, bit for bit. What is recorded is kept at once; the matrices of an analysis are
made from its factors by a process of its own (engine.runs.matrices), which needs nothing of the script.
"""

import os
import secrets
import sys
import time
import warnings
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import index
from pathlib import Path
from typing import Any, SupportsFloat, SupportsIndex

import torch
from torch import nn

from cache.foreign import typed
from cache.store import Store
from engine.config.fields import declared
from engine.config.requests import SPLITS, AnalysisRequest, DataRequest, joined
from engine.curvature.analyze import matrices, surveyed
from engine.curvature.autodiff import copied
from engine.curvature.inputs import Output
from engine.curvature.layers import check_layers
from engine.device import resolve
from engine.errors import require
from engine.losses import LossLike
from engine.progress import silent
from engine.results.analysis import Analysis
from engine.results.cross_fit import HeldOut
from engine.results.noise import Descents
from engine.results.record import Check
from engine.runs import depth, descents, library, noise, plane
from engine.runs.brought import Brought, keep_samples, samples, unwrapped
from engine.runs.library import checkpoint_name
from engine.runs.matrices import Maker
from engine.runs.pipeline import Pipeline, drawn, settings
from engine.runs.recorded import Optimizer, begun, by_hand, ended, untouched
from engine.runs.run import Run
from engine.samples import collect
from engine.units import counted, words

# Factors above it are not handed over: the script makes the matrices itself, and waits.
HANDED_BYTES = 2**30
WAITING = 2  # analyses that may wait for their matrices before the script waits for them
_SETTINGS = {name for name in declared(AnalysisRequest) if name not in ("layer", "batch_size")}
_MEASURED = {"train_loss": "mean_loss", "train_accuracy": "accuracy"}


class Recorder:
    """Records the training of `model`. key: of its run; pipeline: with the network, to ask it for more.

    name: of the run, on all pages. data: what H and C are means over: (inputs, targets) as `engine.analyze` takes them,
    a Dataset or a DataLoader that does not shuffle, read once, or the name or path of a data set. It is fingerprinted,
    and kept only if keep_data. loss, output, device: as `engine.analyze` takes them. batch_size: B of the training.
    layers: analysed at every `record`, "all" for each there is; those joined by "+" jointly. optimizer: torch's, or its
    name. files: where network, data and loss are to be had again, such as {"model": "mynet.py:build", "data":
    "mydata.py:load"}: the commands that pages show can then be typed as they are. Further settings are those of an
    analysis: top_k, samples, anchors_per_class, dtype, bias, curvature, spectra, bootstrap, seed.

    Raises ValueError or TypeError, before anything is recorded, for what cannot be analysed and for data that are
    others when they are read again.
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        data: Any,
        loss: LossLike = "ce",
        batch_size: int = 50,
        layers: str | Sequence[str] = (),
        *,
        optimizer: Optimizer = None,
        output: Output = None,
        device: str = "auto",
        keep_data: bool = False,
        files: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        unknown = sorted(more.keys() - _SETTINGS)
        if unknown:
            raise TypeError(f"A recorder has no setting {', '.join(unknown)}; it has {', '.join(sorted(_SETTINGS))}.")
        self.key, self.model, self.optimizer, self._more = secrets.token_hex(8), unwrapped(model), optimizer, more
        with untouched():
            asked = _asked(data)
            brought = Brought(self.model, None if asked else samples(data), loss, output)
            self.pipeline = Pipeline(Store(), device, brought=brought)
            store, given = self.pipeline.store, brought.samples or self.pipeline.stored(asked or DataRequest())
            self._meta = begun(
                self.model, brought, given, asked or DataRequest(given.name), batch_size, optimizer, files or {},
                str(resolve(device)),
            )  # fmt: skip
            self._layers = self._chosen(layers)
            self._meta["studied"] = next((n for n in self._layers if n in self._meta["layers"]), self._meta["studied"])
            store.write(("runs", self.key), self._meta)
            library.rename(store, self.key, name)
            if keep_data and brought.samples is not None:
                keep_samples(store, self.key, brought.samples)
                del self._meta["recorded"]["bring"]["data"]
                store.write(("runs", self.key), self._meta)
        self._shapes = {n: w.shape for n, w in self.model.state_dict().items() if isinstance(w, torch.Tensor)}
        self._maker, self._since = Maker(store.root / "handed" / self.key), time.monotonic()
        # At the latest when the script ends; where it is killed, pages see that its process is gone.
        self._end = weakref.finalize(self, ended, store, self.key, os.getpid())

    def __repr__(self) -> str:
        return f"Recorder of run {self.key}, epochs {', '.join(map(str, self._meta['kept'])) or 'none yet'}"

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- while it trains -----------------------------------------------------------------------------------

    def record(
        self,
        epoch: SupportsIndex,
        loss: SupportsFloat | None = None,
        accuracy: SupportsFloat | None = None,
        *,
        test_loss: SupportsFloat | None = None,
        test_accuracy: SupportsFloat | None = None,
        learning_rate: SupportsFloat | None = None,
        layers: str | Sequence[str] | None = None,
    ) -> None:
        """Keep the weights as they are now, and analyse the layers asked for; `layers`: others this once.

        epoch: a whole number, higher than before. loss, accuracy (0 … 1): of the training samples as the script knows
        them; left out they are measured where a layer is analysed. An analysis that is refused does not end the
        training: it is a warning, and a sentence on the page Runs.
        """
        epoch, before = index(epoch), self._meta["kept"]
        require(
            epoch > (before[-1] if before else -1),
            f"Epochs are counted from 0 and rise; {epoch} was given{f' after {before[-1]}' if before else ''}. Count "
            "steps where you record within an epoch.",
        )
        for share in (accuracy, test_accuracy):
            require(share is None or not float(share) > 1, f"An accuracy is a share, 0 … 1; {share} was given. Divide "
                    "percents by 100.")  # fmt: skip
        if learning_rate is None and isinstance(self.optimizer, torch.optim.Optimizer):
            learning_rate = self.optimizer.param_groups[0]["lr"]
        numbers = {
            "train_loss": loss, "train_accuracy": accuracy, "test_loss": test_loss, "test_accuracy": test_accuracy,
            "learning_rate": learning_rate, "seconds": time.monotonic() - self._since,
        }  # fmt: skip
        entry: dict[str, Any] = {n: None if x is None else float(x) for n, x in numbers.items()} | {"epoch": epoch}
        with untouched():
            state = {n: w for n, w in self.model.state_dict().items() if isinstance(w, torch.Tensor)}
            self._compare({n: w.shape for n, w in state.items()})
            weights = {n: w.float() if w.dtype == torch.bfloat16 else w for n, w in state.items()}
            place = ("runs", self.key, "checkpoints", checkpoint_name(epoch))
            self.pipeline.keep_weights(place, {"epoch": epoch}, weights)
            self._meta["records"].append(entry)
            before.append(epoch)
            self._meta["request"]["training"] |= {"epochs": epoch, "checkpoints": before}
            self._write()
            for layer in self._layers if layers is None else self._chosen(layers):
                origin = self._analyse(epoch, layer)
                entry |= {n: origin.get(of) for n, of in _MEASURED.items() if entry[n] is None}
                self._write()
        self._since = time.monotonic()

    def close(self) -> None:
        """Wait for the matrices that are still being made, and say that the training has ended."""
        if self._maker.alive and self._maker.waiting:
            waiting = counted(len(self._maker.waiting), "analysis", "analyses")
            print(f"Waiting for the matrices of {waiting}; all else is kept already.", file=sys.stderr)
        self._maker.finish()
        self._end()

    # -- what takes the network ----------------------------------------------------------------------------

    @property
    def run(self) -> Run:
        """The run as it is kept."""
        return library.find(self.pipeline.store, self.key)

    def analyze(self, epoch: int, layer: str | None = None, **more: Any) -> Analysis:
        """The analysis of a recorded epoch, of the layer that is studied for None: as it is kept, or made now."""
        with untouched():
            return self.pipeline.analyze(replace(self._request(epoch, layer or self.run.studied), **more))

    def cross_fit(self, epoch: int, layer: str | None = None, splits: int = SPLITS) -> HeldOut:
        """How that analysis holds on other samples, as it is kept, or found now."""
        with untouched():
            return self.pipeline.cross_fit(self._request(epoch, layer or self.run.studied), splits)

    def check(self, epoch: int, layer: str | None = None) -> tuple[Check, ...]:
        """Some numbers of that analysis once more, by brute force, for the pages."""
        with untouched():
            return self.pipeline.check(self.key, epoch, layer or self.run.studied)

    def look(self, epoch: int, layer: str | None = None, pairs: Sequence[tuple[int, int]] = ()) -> None:
        """Look at every sample of a recorded epoch, for the pages on single samples and pairs; and closely at these
        samples with their partners, −1 for none, of a layer that is used at several places."""
        with untouched():
            table = collect.keep(self.pipeline, self.key, epoch, layer)
            if pairs:
                collect.keep_close_ups(self.pipeline, self.key, table, pairs)

    def descend(self, epoch: int, layer: str | None = None, **more: Any) -> Descents:
        """Descents in the layer under noise of different shapes from a recorded epoch, for the page that compares them;
        more: steps, seeds, and rate, η, for other than the one recorded there."""
        with untouched():
            analysed = library.analyses(self.pipeline.store, self.key)
            made = noise.start(self.run, analysed, layer or self.run.studied, epoch)
            return descents.keep(self.pipeline, self.run, made, **more)

    def plane(self, epoch: int, layer: str | None = None, pairs: Sequence[tuple[int, int]] | None = None) -> None:
        """Measure the loss over pairs of eigen-directions of a recorded epoch, the usual ones for None, for the picture
        on the start page."""
        with untouched():
            analysed = library.analyses(self.pipeline.store, self.key)
            plane.keep(
                self.pipeline, self.run, noise.start(self.run, analysed, layer or self.run.studied, epoch), pairs
            )

    # -- inside --------------------------------------------------------------------------------------------

    def _compare(self, shapes: dict[str, torch.Size]) -> None:
        """Warn where the network is no longer the one that it was."""
        changed = [n for n in {**self._shapes, **shapes} if self._shapes.get(n) != shapes.get(n)]
        if changed:
            warnings.warn(
                f"The network has changed since its recorder began ({', '.join(changed[:3])}): pages list its layers "
                "as they were, and epochs of before can no longer be analysed. Give the changed one its own recorder.",
                stacklevel=3,
            )
        self._shapes = shapes

    def _chosen(self, layers: str | Sequence[str]) -> tuple[str, ...]:
        """The layers meant; ValueError or TypeError names those there are."""
        if layers == "all":
            if self._meta["left_out"]:
                warnings.warn(depth.without(self._meta["left_out"]), stacklevel=4)
            return tuple(self._meta["layers"])
        chosen = (layers,) if isinstance(layers, str) else tuple(layers)
        for layer in chosen:
            check_layers(copied(self.model).eval(), layer)
            there = self._meta["layers"]
            unused = [name for name in joined(layer) if name not in there]
            require(not unused, f"The model does not use {', '.join(unused)}; it uses {', '.join(there)}.")
        return chosen

    def _request(self, epoch: int, layer: str) -> AnalysisRequest:
        (usual,) = depth.requests(self.run, epoch, layer)
        one = depth.usual_analysis(self.run, epoch, layer) if layer in self._meta["layers"] else usual
        return replace(one, **self._more)

    def _analyse(self, epoch: int, layer: str) -> Mapping[str, Any]:
        """The analysis of the weights as they are; what is known of it at once."""
        request, pipeline = self._request(epoch, layer), self.pipeline
        try:
            inputs, targets = pipeline.samples(self.run)
            chosen = drawn(len(targets), request.samples, request.seed)
            about = surveyed(
                copied(self.model).eval(), inputs[chosen], targets[chosen], silent, loss=pipeline.loss(self.run),
                device=pipeline.device, output=pipeline.brought.output, **settings(request),
            )  # fmt: skip
            if 0 < about.size <= HANDED_BYTES:
                while self._maker.alive and len(self._maker.waiting) >= WAITING:
                    time.sleep(0.05)
                self._maker.hand(request, replace(about, tail=None))
                return about.origin
            if about.size:
                warnings.warn(
                    f"The factors of layer {layer} take {words(about.size)}, so this process makes the matrices, and "
                    "training waits. Fewer samples (samples=2000) avoid that.",
                    stacklevel=4,
                )
            pipeline.keep(self.run, request, matrices(about))
            return about.origin
        except Exception as error:  # nobody's training ends for an analysis
            library.refuse(pipeline.store, request, str(error) or type(error).__name__)
            warnings.warn(f"Epoch {epoch}, layer {layer} is not analysed: {error}", stacklevel=4)
            return {}

    def _write(self) -> None:
        self.pipeline.store.write(("runs", self.key), self._meta)


def keep(result: Analysis, name: str, epoch: int = 0) -> str:
    """Put an analysis made by hand among the runs, under a name; the key of its run. Its weights and samples are not
    kept: pages show what the analysis holds."""
    require(epoch >= 0, f"Epochs are counted from 0; {epoch} was given.")
    pipeline, key = Pipeline(Store(), "cpu"), secrets.token_hex(8)
    store, origin = pipeline.store, result.provenance
    store.write(("runs", key), by_hand(origin, epoch))
    pipeline.keep_weights(("runs", key, "checkpoints", checkpoint_name(epoch)), {"epoch": epoch}, {})
    library.rename(store, key, name)
    curvature = AnalysisRequest.curvature if origin.exact else "gauss-newton"
    spectra = 0 if origin.shapes or (result.source is None and result.spectra is None) else AnalysisRequest.spectra
    request = AnalysisRequest(
        key, epoch, origin.layer, origin.batch_size, top_k=None if result.k == origin.dimension else result.k,
        anchors_per_class=origin.anchors_per_class, dtype=origin.dtype, bias=origin.bias, seed=origin.seed,
        curvature=curvature, spectra=spectra,
    )  # fmt: skip
    pipeline.keep(library.find(store, key), request, result)
    return key


def _asked(data: Any) -> DataRequest | None:
    """The request of a data set by its name or path; None for samples themselves."""
    if isinstance(data, DataRequest):
        return data
    if not isinstance(data, str | Path):
        return None
    path = typed(data)
    return DataRequest(str(path.resolve()) if path.exists() else str(data))
