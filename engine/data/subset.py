"""What is taken of a data set: classes, samples per class, wrong labels. Nothing here imports torch.

Choices, in this order: classes (renumbered in the order given), per_class (training samples, drawn with the
seed; the draw of a class does not depend on the others, and a smaller one is part of a larger one), label_noise
(that fraction of the training labels, each moved to another class).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.config import fields
from engine.config.requests import DataRequest
from engine.data.raw import RawData
from engine.errors import require


def chosen_classes(request: DataRequest, counts: Sequence[int]) -> tuple[int, ...]:
    """The labels kept, given the number of training samples of every label. ValueError where the request
    cannot be met, with what is there."""
    fields.check(request)
    there = [label for label, count in enumerate(counts) if count]
    if request.classes is None:
        empty = [label for label, count in enumerate(counts) if not count]
        require(
            not empty,
            f"No training sample has the label {_list(empty)}: number the classes without gaps, or choose "
            f"classes among {_list(there)}.",
        )
        classes = tuple(there)
    else:
        classes = request.classes
        wrong = [c for c in classes if c not in there]
        require(not wrong, f"There is no class {_list(wrong)} in these data; choose among {_list(there)}.")
        require(len(set(classes)) == len(classes), f"The classes {_list(classes)} name one class twice.")
    require(
        len(classes) >= 2,
        f"Only the class {_list(classes)} is left, but a classifier needs at least two.",
    )
    if request.per_class is not None:
        few = {c: n for c in classes if (n := counts[c]) < request.per_class}
        require(
            not few,
            f"{request.per_class:,} samples per class were asked for, but there are only "
            f"{', '.join(f'{n:,} of class {c}' for c, n in few.items())}: ask for at most "
            f"{min(few.values(), default=0):,}.",
        )
    return classes


def check_numbers(request: DataRequest) -> None:
    """ValueError where something is asked for that only classes have."""
    fields.check(request)
    asked = {"classes": request.classes, "samples per class": request.per_class, "label noise": request.label_noise}
    chosen = [name for name, value in asked.items() if value]
    require(
        not chosen,
        f"The targets of these data are numbers to predict, of which there are no {' and no '.join(chosen)}: leave "
        "that out, or take them for classes by :classes behind the name of the data.",
    )


def samples(request: DataRequest, counts: Sequence[int]) -> int:
    """Training samples that are taken. ValueError: see `chosen_classes`."""
    classes = chosen_classes(request, counts)
    if request.per_class is not None:
        return request.per_class * len(classes)
    return sum(counts[c] for c in classes)


def choose(raw: RawData, request: DataRequest) -> RawData:
    """The classes, samples and labels asked for. ValueError: see `chosen_classes`."""
    if raw.numbers:
        check_numbers(request)
        return raw
    counts = np.bincount(raw.train_y, minlength=len(raw.class_names))
    classes = chosen_classes(request, counts.tolist())
    number = np.full(max(len(counts), int(raw.test_y.max(initial=0)) + 1), -1)
    number[list(classes)] = np.arange(len(classes))

    rows = np.flatnonzero(number[raw.train_y] >= 0)
    if request.per_class is not None:
        rows = _stratified(raw.train_y, classes, request.per_class, request.seed)
    train_y = number[raw.train_y[rows]]
    moved = round(request.label_noise * len(train_y))
    if moved:
        rng = np.random.default_rng((request.seed, 1))
        which = rng.permutation(len(train_y))[:moved]
        train_y[which] = (train_y[which] + rng.integers(1, len(classes), moved)) % len(classes)
    tested = number[raw.test_y] >= 0
    return replace(
        raw,
        train_x=raw.train_x[rows],
        train_y=train_y,
        test_x=raw.test_x[tested],
        test_y=number[raw.test_y[tested]],
        class_names=tuple(raw.class_names[c] for c in classes),
    )


def _stratified(labels: np.ndarray, classes: tuple[int, ...], per_class: int, seed: int) -> np.ndarray:
    """Rows of `per_class` samples of each class, ascending."""
    drawn = [np.random.default_rng((seed, 0, c)).permutation(np.flatnonzero(labels == c))[:per_class] for c in classes]
    return np.sort(np.concatenate(drawn))


def _list(values: Sequence[int]) -> str:
    shown = ", ".join(str(int(v)) for v in values[:10])
    return shown + (", …" if len(values) > 10 else "")
