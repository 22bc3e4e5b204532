"""Shooting a film: some epochs of SGD exactly as engine.training.sgd makes them, an exact analysis, and again.

A film whose settings nobody changes has the weights of the ordinary run, epoch for epoch. What is finished is kept:
a worker that ends at any moment loses at most the frame it was at.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from cache.progress import Stopped
from engine.config.requests import AnalysisRequest, RunRequest, TrainingRequest
from engine.device import resolve, threads
from engine.models.architectures import shapes, studied_layer
from engine.models.networks import build
from engine.results import commutation, power_law
from engine.results.analysis import Analysis
from engine.results.names import USUAL_WINDOW
from engine.runs import eviction
from engine.runs.pipeline import Pipeline
from engine.runs.recording import (
    BLOCK,
    KEPT_FRAMES,
    MATRICES,
    Change,
    Control,
    Film,
    Frame,
    ask,
    check,
    control,
    film_key,
    frame_name,
    keep,
    looked,
    read,
)
from engine.training import schedule
from engine.training.sgd import EpochRecord, Step, steadily, train

# Nobody has looked for so long: the film ends itself.
IDLE_SECONDS = 180.0
# A wish is looked for this often, and a frame stays at least so long: the eye follows, and the browser keeps up.
LOOK_SECONDS, FRAME_SECONDS = 0.15, 0.6
KEPT_WEIGHTS = 2
# Up to so many weights one thread is as quick as several, and does not wait for the others on a busy machine.
FEW_WEIGHTS = 1000


class Camera:
    """What shoots the film of one run. film: as far as it is, None before its first frame."""

    def __init__(
        self, pipeline: Pipeline, request: RunRequest, idle: float = IDLE_SECONDS, pace: float = FRAME_SECONDS
    ) -> None:
        """idle, pace: as IDLE_SECONDS and FRAME_SECONDS. ValueError where the request cannot be met."""
        self.pipeline, self.request, self.idle, self.pace = pipeline, request, idle, pace
        self.store, self.key = pipeline.store, film_key(request)
        self.data = pipeline.fitting(request)
        schedule.check(request.training, len(self.data.train_y))
        self.model = build(request.model, request.seed)
        self.film: Film | None = None
        self.weights: dict[str, Tensor] | None = None
        self._resume()
        # The time of day may be set: a look is told by its stamp, which is then another one.
        self.seen, self.look = time.monotonic(), looked(self.store, self.key)
        # Started from a terminal, with no page that looks: it runs to its end by itself.
        self.alone = abs(time.time() - self.look) >= idle

    def shoot(self) -> str:
        """Obey what is wished until nobody looks any more, or to the end of the run where nobody ever did; a sentence
        on how it ended. Raises Stopped."""
        eviction.few_films(self.store, spare=self.key)
        for wish in self._wishes():
            began = time.monotonic()
            if self.film is None or self.film.control.take != wish.take:
                self._begin(wish)
            elif self._awaited(wish):
                self._shoot(self.film, wish, self.film.last.epoch + wish.stride)
            elif self.alone:
                return self.film.message or f"The film rests at epoch {self.film.last.epoch}."
            else:
                self._rest(LOOK_SECONDS)
                continue
            self._rest(self.pace + began - time.monotonic() if wish.playing and not self.alone else 0.0)
        epoch = self.film.last.epoch if self.film is not None else 0
        return f"Nobody has looked for a while, so the film rests at epoch {epoch}. Go on when you like."

    # -- wishes ---------------------------------------------------------------------------------------------

    def _wishes(self) -> Iterator[Control]:
        """What is wished, again and again; where it cannot be met that is told, and the wish before it stands."""
        wish = Control() if self.film is None else replace(self.film.control, playing=False)
        while self.alone or time.monotonic() - self.seen < self.idle:
            self._go_on()
            if (look := looked(self.store, self.key)) != self.look:
                self.seen, self.look, self.alone = time.monotonic(), look, False
            try:
                asked = control(self.store, self.key)
                check(asked, self.request, len(self.data.train_y))
            except ValueError as error:
                self._tell(str(error))
            else:
                self.seen = time.monotonic() if asked != wish else self.seen
                wish = asked
            yield wish

    def _awaited(self, wish: Control) -> bool:
        """Whether a frame is wished that is not shot yet."""
        return self.film is None or wish.playing or wish.steps > self.film.control.steps

    def _rest(self, seconds: float) -> None:
        """Sleep, but hear the wish to stop."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._go_on()
            time.sleep(min(left, LOOK_SECONDS))

    def _go_on(self) -> None:
        """Raise Stopped if asked to stop."""
        if self.pipeline.should_stop():
            raise Stopped

    def _tell(self, message: str) -> None:
        if self.film is not None and self.film.message != message:
            self.film = replace(self.film, message=message)
            keep(self.store, self.film)

    # -- frames ---------------------------------------------------------------------------------------------

    def _begin(self, wish: Control) -> None:
        """Epoch 0 of a new take."""
        self.model = build(self.request.model, self.request.seed)
        self.weights, ended = None, self.film
        for part in ("frames", "weights"):
            self.store.delete("films", self.key, part)
        layer = studied_layer(self.request.model)
        blank = Film(
            key=self.key,
            request=self.request,
            fingerprint=self.data.fingerprint,
            layer=layer,
            shape=shapes(self.request.model)[layer],
            samples=len(self.data.train_y),
            device=str(resolve(self.pipeline.device)),
            changed=time.time(),
            # A take of one frame is nothing to compare with.
            before=() if ended is None else ended.frames if len(ended.frames) > 1 else ended.before,
        )
        self._shoot(blank, wish, 0)

    def _shoot(self, shot: Film, wish: Control, until: int) -> None:
        """Train to epoch `until`, analyse, keep the frame, and what the next one starts from."""
        began, request, plan = time.perf_counter(), self.request, self.request.training.epochs
        first = shot.last.epoch if shot.frames else 0
        # Single frames are made one by one, however fast they are asked for.
        steps = wish.steps if wish.playing else min(shot.control.steps + bool(shot.frames), wish.steps)
        # Without an end of its own: those who watch decide.
        settings = replace(wish.settings(request.training), epochs=until, stop_loss=None, checkpoints=())
        start = None if self.weights is None else (first, self.weights)
        with steadily(request.model.kind):
            for step in train(self.model, self.data, request.loss, settings, request.seed, self.pipeline.device, start):
                self._go_on()
                self.pipeline.progress("training", step.record.epoch, max(plan, until))
        message = ""
        if step.record.epoch < until:
            message = step.end or ""
        elif first < plan <= until:
            message = f"All {plan} epochs of this run are done. Go on, and it trains further."
        if step.record.epoch > first or not shot.frames:
            try:
                shot = self._framed(shot, step, settings, wish, began)
                self.weights = step.checkpoint
            except ValueError as error:  # a network that died: what was sound stays
                if not shot.frames:
                    raise
                message = str(error)
        self.film = replace(shot, control=replace(wish, steps=steps), message=message, changed=time.time())
        keep(self.store, self.film)
        self._forget(self.film)
        if message:
            ask(self.store, self.key, playing=False)

    def _framed(self, shot: Film, step: Step, settings: TrainingRequest, wish: Control, began: float) -> Film:
        """The film with one more frame, whose pictures and weights are kept."""
        few, epoch = math.prod(shot.shape) <= FEW_WEIGHTS, step.record.epoch

        def tell(stage: str, done: int, total: int) -> None:
            self._go_on()
            if not few:
                self.pipeline.progress(f"analysing epoch {epoch}: {stage}", done, total)

        with threads(1 if few else torch.get_num_threads()):
            request = AnalysisRequest(self.key, epoch, shot.layer, settings.batch_size, spectra=0)
            network = self.model.eval(), self.data.train_x, self.data.train_y
            result = self.pipeline.measure(*network, self.request.loss, request, tell).sampled()
        name = frame_name(epoch)
        block = result.correlation("C", min(BLOCK, result.k)).astype(np.float32)
        arrays = {"H": result.eigenvalues, "R": block, **{n: result.diagonal(n) for n in MATRICES if n in result.names}}
        self.store.write(("films", self.key, "frames", name), {"noise_floor": result.noise_floor}, {"main": arrays})
        assert step.checkpoint is not None  # of the last step there always is one
        self.pipeline.keep_weights(("films", self.key, "weights", name), {}, step.checkpoint)
        frame = _frame(step.record, result, settings, time.perf_counter() - began)
        frames = (*shot.frames, frame)[-KEPT_FRAMES:]
        return replace(shot, frames=frames, changes=(*shot.changes, *_changes(shot, frame, wish)))

    def _forget(self, shot: Film) -> None:
        """Remove what is no longer shown."""
        shown = [frame_name(frame.epoch) for frame in shot.frames]
        for part, names in (("frames", shown), ("weights", shown[-KEPT_WEIGHTS:])):
            for name in set(self.store.list("films", self.key, part)) - set(names):
                self.store.delete("films", self.key, part, name)

    def _resume(self) -> None:
        """Take up the film where it is, unless the data have changed or its weights are lost."""
        shot = read(self.store, self.key)
        if shot is None or shot.fingerprint != self.data.fingerprint:
            return
        weights = self.pipeline.weights("films", self.key, "weights", frame_name(shot.last.epoch))
        if weights is not None:
            self.film, self.weights = shot, weights


def _frame(record: EpochRecord, result: Analysis, settings: TrainingRequest, seconds: float) -> Frame:
    assert record.learning_rate is not None  # it was trained here
    h, c = result.eigenvalues, result.diagonal("C")
    data = power_law.fittable(h, c, result.noise_floor)
    (gamma, interval), (gamma_awd, interval_awd) = (_exponent(result, name) for name in MATRICES)
    return Frame(
        **(vars(record) | {"seconds": seconds}),
        batch_size=settings.batch_size,
        gamma=gamma,
        gamma_awd=gamma_awd,
        interval=interval,
        interval_awd=interval_awd,
        commutator=_number(commutation.commutator_curves(h, result.projected("C", result.k)).top[-1]),
        commutator_random=_number(result.random_commutator("C")),
        extent=tuple(float(z) for v in (h[data], c[data]) for z in (v.min(), v.max())) if data.any() else (),
    )


def _exponent(result: Analysis, name: str) -> tuple[float | None, tuple[float, ...]]:
    """γ over the usual window and its interval over samples."""
    try:
        fit = result.fit(name, min(USUAL_WINDOW, result.k))
    except ValueError:
        return None, ()
    return fit.gamma, fit.interval or ()


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _changes(shot: Film, frame: Frame, wish: Control) -> list[Change]:
    """What was set otherwise than before this frame."""
    if not shot.frames:
        return []
    training = shot.request.training
    old, new = shot.control.settings(training), wish.settings(training)
    changes = []
    if wish.learning_rate != shot.control.learning_rate:
        changes.append(Change(shot.last.epoch, "learning_rate", old.learning_rate, new.learning_rate))
    if shot.last.batch_size != frame.batch_size:
        changes.append(Change(shot.last.epoch, "batch_size", float(shot.last.batch_size), float(frame.batch_size)))
    return changes
