"""A film: training and analysis in turn, frame by frame, while somebody watches and turns the knobs.

    films/<film>/manifest.json            the film as far as it is: the numbers of every frame, what was changed
    films/<film>/control/manifest.json    what those who watch wish
    films/<film>/watched/manifest.json    when one of them last looked
    films/<film>/frames/00012/            the pictures of the frame at epoch 12
    films/<film>/weights/00012/           what the next frame starts from (engine.runs.camera)

Imports no torch: pages read films and steer them here; engine.runs.camera shoots them.
"""

import dataclasses
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from cache.store import Store
from engine.config import fields
from engine.config.fields import Setting
from engine.config.presets import preset
from engine.config.requests import RunRequest, TrainingRequest, key, to_json
from engine.results.exponent import Exponent, exponent
from engine.results.names import USUAL_WINDOW
from engine.results.power_law import Fit, power_law
from engine.training import schedule

# Frames of a film, and films, that are kept: the newest.
KEPT_FRAMES, KEPT_FILMS = 300, 4
# Directions whose correlations are shown, and the matrices whose exponents are.
BLOCK, MATRICES = 100, ("C", "C_awd")
# Epochs from one frame to the next.
STRIDES = (1, 2, 5, 10, 20)
# What is shot unless another run is chosen: at this rate γ has left 1 after some sixteen epochs, at the preset's own
# after thirty it has hardly.
_TINY = preset("tiny, 5 seconds").run()
EXAMPLE = replace(_TINY, training=replace(_TINY.training, learning_rate=0.3))
# A look is told at most this often.
LOOK_SECONDS = 10.0


@dataclass(frozen=True)
class Control:
    """What those who watch a film wish, as a state, not as a deed: read twice it means the same, and a worker that
    starts anew knows it.

    take: raised by one to begin again at epoch 0; playing: frame after frame, otherwise rest; steps: single frames
    asked for in this take; stride: epochs from frame to frame; learning_rate: held from now on, None for the run's
    schedule; batch_size: B of the training and of the noise that is studied, None for the run's.
    """

    take: Annotated[int, Setting("Take", low=0, refusal="take is a whole number from 0 on, not {}.")] = 0
    playing: bool = True
    steps: Annotated[int, Setting("Steps", low=0, refusal="steps is a whole number from 0 on, not {}.")] = 0
    stride: Annotated[int, Setting(
        "Epochs of a step", choices=STRIDES,
        refusal=f"The epochs of a step are one of {', '.join(map(str, STRIDES))}; not {{}}.",
    )] = 1  # fmt: skip
    learning_rate: Annotated[float | None, fields.declared(TrainingRequest)["learning_rate"].setting] = None
    batch_size: Annotated[int | None, fields.declared(TrainingRequest)["batch_size"].setting] = None

    def settings(self, training: TrainingRequest) -> TrainingRequest:
        """A run's settings of SGD with what was changed."""
        if self.batch_size is not None:
            training = replace(training, batch_size=self.batch_size)
        if self.learning_rate is not None:
            training = replace(training, learning_rate=self.learning_rate, final_rate_ratio=1.0)
        return training


@dataclass(frozen=True)
class Frame:
    """The numbers of one frame. Losses and accuracies as in engine.training.sgd; learning_rate and batch_size: of the
    epochs that led to it; gamma, gamma_awd: exponents of C and C_AWD, None where there is no fit; interval,
    interval_awd: their 95 % intervals over samples, empty where there are none; the commutator error of C and what
    chance would give; extent: smallest and largest H_ii and C_ii that carry data, empty where none do; seconds: what
    training and analysis took."""

    epoch: int
    train_loss: float
    train_accuracy: float | None
    test_loss: float | None
    test_accuracy: float | None
    learning_rate: float
    batch_size: int
    gamma: float | None
    gamma_awd: float | None
    commutator: float | None
    commutator_random: float | None
    extent: tuple[float, ...]
    seconds: float
    interval: tuple[float, ...] = ()
    interval_awd: tuple[float, ...] = ()


@dataclass(frozen=True)
class Change:
    """A setting that was changed after an epoch: "learning_rate" or "batch_size"; both values as they were set, not as
    a schedule has lowered them since."""

    epoch: int
    setting: str
    before: float
    after: float

    @property
    def words(self) -> str:
        """Such as "B 50 → 10"."""
        symbol = {"learning_rate": "η", "batch_size": "B"}[self.setting]
        return f"{symbol} {self.before:.3g} → {self.after:.3g}"


@dataclass(frozen=True)
class Film:
    """A film as far as it is. control: the wish that its last frame obeyed; samples: N; shape: of the layer's
    weights; message: a sentence about why it rests, empty where somebody wished it; before: the frames of the take
    before this one, whose numbers alone are kept."""

    key: str
    request: RunRequest
    fingerprint: str
    layer: str
    shape: tuple[int, int]
    samples: int
    device: str
    changed: float
    control: Control = Control()
    frames: tuple[Frame, ...] = ()
    changes: tuple[Change, ...] = ()
    message: str = ""
    before: tuple[Frame, ...] = ()

    @property
    def last(self) -> Frame:
        return self.frames[-1]

    def intervals(self, name: str) -> tuple[Float[ndarray, " f"], Float[ndarray, " f"]]:
        """Both ends of "interval" or "interval_awd" in every frame of this take, NaN where there is none."""
        ends = [getattr(frame, name) or (math.nan, math.nan) for frame in self.frames]
        low, high = np.array(ends, dtype=float).reshape(-1, 2).T
        return low, high

    def column(self, name: str, before: bool = False) -> Float[ndarray, " f"]:
        """One number of every frame of this take or of the one before, NaN where there is none."""
        return np.array([getattr(frame, name) for frame in (self.before if before else self.frames)], dtype=float)

    @property
    def extent(self) -> tuple[float, ...]:
        """Smallest and largest H_ii and C_ii over all frames; empty where nothing carries data."""
        extents = np.array([frame.extent for frame in self.frames if frame.extent])
        if not extents.size:
            return ()
        low, high = extents.min(axis=0), extents.max(axis=0)
        return float(low[0]), float(high[1]), float(low[2]), float(high[3])


@dataclass(frozen=True)
class Picture:
    """What one frame shows: H_ii, C_ii and C_AWD,ii, and R_real of the leading directions."""

    eigenvalues: Float[ndarray, " k"]
    diagonals: Mapping[str, Float[ndarray, " k"]]
    correlation: Float[ndarray, "b b"]
    noise_floor: float

    @classmethod
    def of(cls, arrays: Mapping[str, ndarray], noise_floor: float) -> "Picture":
        """From the arrays of a frame as they are kept: H, R, and the diagonals by name."""
        return cls(arrays["H"], {name: arrays[name] for name in MATRICES if name in arrays}, arrays["R"], noise_floor)

    @property
    def window(self) -> int:
        """𝒩: the usual window, or all directions where they are fewer."""
        return min(USUAL_WINDOW, self.eigenvalues.size)

    def fit(self, name: str) -> Fit | None:
        """γ of a matrix over the window; None where too little carries data."""
        try:
            return power_law(self.eigenvalues[: self.window], self.diagonals[name][: self.window], self.noise_floor)
        except ValueError:
            return None

    def exponent(self, name: str, interval: tuple[float, ...] = ()) -> Exponent:
        """γ over the window with all that qualifies it; interval: the frame's own. ValueError where too little
        carries data."""
        h, c = self.eigenvalues, self.diagonals[name]
        fit = power_law(h[: self.window], c[: self.window], self.noise_floor)
        ends = (interval[0], interval[1]) if interval else None
        return exponent(h, c, self.noise_floor, 0, self.window, replace(fit, interval=ends))


def frame_name(epoch: int) -> str:
    """Folder of a frame; sorting by name is sorting by epoch."""
    return f"{epoch:07d}"


# -- reading ----------------------------------------------------------------------------------------------


def films(store: Store) -> tuple[Film, ...]:
    """All films, the one shot last first."""
    entries = (read(store, name) for name in store.list("films"))
    return tuple(sorted((f for f in entries if f is not None), key=lambda f: f.changed, reverse=True))


def read(store: Store, film: str) -> Film | None:
    """A film as it is now; None while it has no frame."""
    entry = store.read("films", film)
    try:
        return None if entry is None else from_json(film, entry.meta)
    except ValueError:
        # Written by another version of this program: not damaged, but not ours to read.
        return None


def from_json(film: str, values: Mapping[str, Any]) -> Film:
    """The film that as_json wrote; ValueError where another version did."""
    written: Film = fields.read(Film, {**values, "key": film}, "A film")
    return written


def picture(store: Store, film: str, epoch: int) -> Picture | None:
    """The pictures of one frame; None if it is no longer kept."""
    entry = store.read("films", film, "frames", frame_name(epoch))
    arrays = None if entry is None else entry.arrays()
    if entry is None or arrays is None:
        return None
    return Picture.of(arrays, float(entry.meta["noise_floor"]))


# -- steering ---------------------------------------------------------------------------------------------


def as_control(values: Mapping[str, Any]) -> Control:
    """The wish written as JSON; ValueError says what is wrong with it."""
    wish: Control = fields.read(Control, values, "A film")
    fields.check(wish)
    return wish


def control(store: Store, film: str) -> Control:
    """What is wished now; ValueError where it cannot be met by any film."""
    entry = store.read("films", film, "control")
    return Control() if entry is None else as_control(entry.meta)


def wished(store: Store, film: str) -> Control:
    """The same for those who turn the knobs: one that cannot be met, written elsewhere, is none."""
    try:
        return control(store, film)
    except ValueError:
        return Control()


def check(wish: Control, request: RunRequest, samples: int) -> None:
    """ValueError unless `samples` training samples can be trained on as wished."""
    schedule.check(wish.settings(request.training), samples)


def ask(store: Store, film: str, **changes: Any) -> Control:
    """Change what is wished; ValueError leaves it as it was."""
    wish = as_control(dataclasses.asdict(wished(store, film)) | changes)
    known = read(store, film)
    if known is not None:
        check(wish, known.request, known.samples)
    store.write(("films", film, "control"), dataclasses.asdict(wish))
    return wish


def begin_again(store: Store, film: str) -> Control:
    """Wish a new take: epoch 0, the run's own settings, at rest; the stride stays."""
    before = wished(store, film)
    return ask(store, film, **dataclasses.asdict(Control(before.take + 1, playing=False, stride=before.stride)))


def look(store: Store, film: str) -> None:
    """Tell that somebody is looking."""
    if abs(time.time() - looked(store, film)) >= LOOK_SECONDS:
        store.write(("films", film, "watched"), {"at": time.time()})


def looked(store: Store, film: str) -> float:
    """When somebody last looked, in seconds since 1970; 0 if nobody did."""
    entry = store.read("films", film, "watched")
    return 0.0 if entry is None else float(entry.meta.get("at", 0.0))


# -- keeping ----------------------------------------------------------------------------------------------


def film_key(request: RunRequest) -> str:
    """Name of the film of a run in the cache."""
    return key(request, "film")


def keep(store: Store, film: Film) -> None:
    """Write the film as far as it is."""
    store.write(("films", film.key), as_json(film))


def as_json(film: Film) -> dict[str, Any]:
    """The film as it is written, without its key: that is its folder's name."""
    return {
        name: to_json(value) if name == "request" else dataclasses.asdict(film)[name]
        for name, value in vars(film).items()
        if name != "key"
    }
