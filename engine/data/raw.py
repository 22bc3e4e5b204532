"""Samples and their targets as arrays, judged: whatever they were read from, they pass here. NumPy only."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.errors import require

PIXELS = 255  # of the brightest
MOST_CLASSES = 10_000
MANY = 20  # values: whole floats with gaps among more are measured, and no classes
WHOLE = 2**24  # above it float32 leaves out whole numbers
FORMAT = (
    "an .npz holds x_train and y_train, optionally x_test, y_test and classes, with images as uint8 or float "
    "(n, h, w) or (n, h, w, channels), features as (n, d), and labels as whole numbers 0, 1, … or numbers to predict"
)


@dataclass(frozen=True)
class RawData:
    """Samples as stored: x (n, d), (n, h, w) or (n, h, w, channels), uint8 or float; y (n,) int64 ≥ 0, or, with no
    names of classes, (n, outputs) float32: numbers to predict."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    class_names: tuple[str, ...]

    @property
    def numbers(self) -> bool:
        """Whether targets are numbers to predict, and no classes."""
        return self.train_y.dtype.kind == "f"

    def __post_init__(self) -> None:
        check_counts(len(self.train_x), len(self.train_y), len(self.test_x), len(self.test_y))


def check_counts(train_x: int, train_y: int, test_x: int, test_y: int) -> None:
    """ValueError unless there are as many samples as labels, in both parts."""
    for part, samples, labels in (("train with", train_x, train_y), ("test on", test_x, test_y)):
        require(
            samples == labels,
            f"There are {samples:,} samples to {part} but {labels:,} labels of them: they must be as many.",
        )


def raw_data(
    arrays: Mapping[str, np.ndarray], file: str, keys: Mapping[str, str] | None = None, targets: str = ""
) -> RawData:
    """x_train, y_train and, where there are, x_test, y_test and classes, in one convention. keys: what the file calls
    them. Channels that come first move last; whole numbers up to 255 are pixels, whatever type they were stored in.
    Labels are whole numbers 0, 1, …, or 1 … K, ±1, words, or one-hot rows; other floats are numbers to predict.
    targets: "classes" or "numbers" where that is told. ValueError names file, key, what there is and what is
    possible."""
    called = {name: f"{(keys or {}).get(name, name)} of {file}" for name in ("x_train", "y_train", "x_test", "y_test")}
    tested = "x_test" in arrays
    train_x = _samples(arrays["x_train"], called["x_train"])
    test_x = _samples(arrays["x_test"], called["x_test"]) if tested else train_x[:0]
    require(len(train_x) > 0, f"{called['x_train']} is empty: training needs samples.")
    _check_rounding(arrays["x_train"], train_x, called["x_train"])
    if _are_pixels(train_x, test_x):
        train_x, test_x = train_x.astype(np.uint8), test_x.astype(np.uint8)
    elif max(train_x.max(), test_x.max(initial=0)) <= 1:  # 0 and 1 in bytes are no brightnesses
        train_x, test_x = train_x.astype(np.float32), test_x.astype(np.float32)
    require(
        test_x.shape[1:] == train_x.shape[1:] and (test_x.dtype == np.uint8) == (train_x.dtype == np.uint8),
        f"{called['x_test']} is {shape(test_x)} but x_train is {shape(train_x)}: a sample must look the same in both.",
    )
    parts = ("y_train", "y_test") if tested else ("y_train",)
    measured = targets == "numbers" or (not targets and _are_measured(arrays["y_train"]))
    labels = {part: (_numbers if measured else _column)(arrays[part], called[part]) for part in parts}
    for part, x in zip(parts, (train_x, test_x), strict=False):
        count, name = len(labels[part]), called[part].removesuffix(f" of {file}")
        require(len(x) == count, f"{called['x' + part[1:]]} has {len(x):,} samples but {name} {count:,}: they must be "
                "as many.")  # fmt: skip
    if measured:
        train_y, test_y = labels["y_train"], labels.get("y_test", labels["y_train"][:0])
        require(
            test_y.shape[1] == train_y.shape[1],
            f"{called['y_test']} has {test_y.shape[1]:,} numbers a sample but y_train {train_y.shape[1]:,}.",
        )
        return RawData(train_x, train_y, test_x, test_y, ())
    hot = arrays["y_train"].ndim == 2 and arrays["y_train"].shape[1] > 1
    train_y, names = _classes(labels["y_train"], called["y_train"], hot)
    highest = int(train_y.max())
    if "classes" in arrays:
        words, names = names, _class_names(arrays["classes"], highest, file)
        if labels["y_train"].dtype.kind == "U":
            foreign = [word for word in words if word not in names]
            require(not foreign, f"{called['y_train']} holds the label {foreign[:1]} that classes does not name.")
            train_y = np.array([names.index(word) for word in words])[train_y]
    test_y = _like(labels["y_test"], labels["y_train"], train_y, called["y_test"]) if tested else train_y[:0]
    require(
        int(test_y.max(initial=0)) < len(names),
        f"{called['y_test']} holds the label {test_y.max(initial=0)} but the training labels end at {highest}: every "
        "class must be trained.",
    )
    return RawData(train_x, train_y, test_x, test_y, names)


def shape(array: np.ndarray) -> str:
    """Shape and type, as sentences name them."""
    return f"{array.shape} {array.dtype}"


def _samples(x: np.ndarray, name: str) -> np.ndarray:
    """Checked, channels last, as uint8 or float32."""
    require(x.dtype.kind in "uifb", f"{name} is {shape(x)}, not numbers: {FORMAT}.")
    require(x.ndim in (2, 3, 4) and 0 not in x.shape[1:], f"{name} has the shape {x.shape}: {FORMAT}.")
    if x.ndim == 4 and (x.shape[3] > 4 >= x.shape[1] or x.shape[1] != x.shape[2] == x.shape[3] > 1):
        x = x.transpose(0, 2, 3, 1)
    if x.dtype == np.uint8:  # a quarter of the memory
        return x
    with np.errstate(over="ignore"):
        numbers = x.astype(np.float32)
    bad = int(np.count_nonzero(~np.isfinite(numbers)))
    require(bad == 0, f"{name} holds {bad:,} NaN or infinite values: replace or drop those samples.")
    return numbers


def _check_rounding(x: np.ndarray, numbers: np.ndarray, name: str, noun: str = "Feature") -> None:
    """ValueError for numbers, such as times in seconds, that differ by little more than their rounding to float32."""
    for i in np.flatnonzero(np.abs(numbers).max(axis=0) > WHOLE) if x.ndim == 2 and numbers.dtype != np.uint8 else ():
        column = x[:, i].astype(np.float64)
        require(
            bool(np.abs(numbers[:, i] - column).max() <= np.ptp(column) / 1000),
            f"{noun} {i + 1} of {name} runs from {column.min():.0f} to {column.max():.0f}, which float32 does not "
            "tell apart: subtract the least, or drop it.",
        )


def _are_pixels(*parts: np.ndarray) -> bool:
    """Whether these are brightnesses 0 … 255: of images whatever is whole, of features what reaches the upper half; but
    not where all are 0 or 1. ValueError for images of whole numbers above 255."""
    if max((x.max() for x in parts if x.size), default=0) <= 1:
        return False
    others = [x for x in parts if x.dtype != np.uint8 and x.size]
    least, most = min((x.min() for x in others), default=0), max((x.max() for x in others), default=PIXELS)
    images, whole = parts[0].ndim > 2, all((x == np.floor(x)).all() for x in others)
    require(
        not (images and whole and least >= 0 and most > PIXELS),
        f"The pixels are whole numbers up to {most:g}: divide them by the largest there can be, such as 65,535.",
    )
    return bool(least >= 0 and (1 if images else PIXELS // 2) < most <= PIXELS) and whole


def _are_measured(y: np.ndarray) -> bool:
    """Whether targets are numbers to predict: floats with a fraction, or whole ones with gaps among many, but no rows
    of zeros and ones or of shares."""
    if y.dtype.kind != "f" or not y.size or not np.isfinite(y).all():
        return False
    if y.ndim == 2 and y.shape[1] > 1:
        return not (
            bool(((y >= 0) & (y <= 1)).all()) and bool(np.isclose(y.sum(axis=1), 1).all() or np.isin(y, (0, 1)).all())
        )
    values = np.unique(y)
    return y.ndim <= 2 and bool(
        (values != np.floor(values)).any() or (len(values) > MANY and np.ptp(values) >= len(values))
    )


def _numbers(y: np.ndarray, name: str) -> np.ndarray:
    """Numbers to predict, (n, outputs) float32."""
    require(y.dtype.kind in "uifb" and y.ndim in (1, 2), f"{name} is {shape(y)}: numbers to predict are (n,), "
            "or (n, outputs) for several a sample.")  # fmt: skip
    rows = y.reshape(len(y), -1)
    with np.errstate(over="ignore"):
        numbers = rows.astype(np.float32)
    bad = int(np.count_nonzero(~np.isfinite(numbers)))
    require(bad == 0, f"{name} holds {bad:,} NaN or infinite values: drop those samples.")
    _check_rounding(rows, numbers, name, "Number")
    return numbers


def _column(y: np.ndarray, name: str) -> np.ndarray:
    """One label a sample; of one-hot rows the place of the one."""
    if y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "uifb":
        rows = np.asarray(y, dtype=np.float64)
        hot = bool(np.isin(rows, (0, 1)).all()) and bool((rows.sum(axis=1) == 1).all())
        require(hot, f"{name} has the shape {y.shape}: one label per sample is needed, or rows of zeros with a single "
                "one; several labels and shares are no classes. To predict them as "
                "numbers, put :numbers behind the file's name.")  # fmt: skip
        return rows.argmax(axis=1)
    require(y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1), f"{name} has the shape {y.shape}: one label per sample "
            "is needed.")  # fmt: skip
    require(y.dtype.kind in "uifbUS", f"{name} is {shape(y)}: labels are whole numbers 0, 1, …, or words.")
    y = y.reshape(-1)
    if y.dtype.kind == "S":
        return np.char.decode(y, "utf-8", "replace")
    if y.dtype.kind == "U":
        return y
    whole = y.astype(np.int64) if y.dtype.kind in "uib" or np.isfinite(y).all() else np.full(len(y), -1)
    require(
        bool((whole == y).all()),
        f"{name} holds labels that are no whole numbers: use 0, 1, … Numbers to predict hold neither NaN nor infinity, "
        "and no :classes stands behind the file's name.",
    )
    return whole


def _classes(y: np.ndarray, name: str, places: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    """Classes from 0 on, and their names: words in the order of the alphabet, −1 and 1, and 1 … K by what they are
    called. places: they are those of the ones in one-hot rows, and already counted from 0."""
    values = np.unique(y)
    least, highest = (0, 0) if y.dtype.kind == "U" else (int(y.min()), int(y.max()))
    require(least >= 0 or values.tolist() == [-1, 1], f"{name} holds the negative label {least}: labels are "
            "0, 1, … To predict these numbers, put :numbers behind the file's name.")  # fmt: skip
    require(
        max(highest, len(values)) < MOST_CLASSES,
        f"{name} holds the label {highest:,}: number the classes 0, 1, … without gaps."
        if y.dtype.kind != "U"
        else f"{name} holds {len(values):,} different words: these are no classes.",
    )
    if y.dtype.kind == "U" or least < 0 or (least == 1 and len(values) == highest and not places):
        return np.searchsorted(values, y), tuple(str(value) for value in values)
    return y, tuple(str(i) for i in range(highest + 1))


def _like(y: np.ndarray, train: np.ndarray, classes: np.ndarray, name: str) -> np.ndarray:
    """The same numbers for the same labels as in training."""
    require(
        (y.dtype.kind == "U") == (train.dtype.kind == "U"),
        f"{name} is {shape(y)} but the training labels are {train.dtype}: label both parts alike.",
    )
    values, first = np.unique(train, return_index=True)
    if np.array_equal(values, classes[first]):
        return y
    unknown = np.setdiff1d(y, values)
    require(not unknown.size, f"{name} holds the label {unknown[:1].tolist()} that is not trained: every class must be "
            "trained.")  # fmt: skip
    return classes[first][np.searchsorted(values, y)]


def _class_names(names: np.ndarray, highest: int, file: str) -> tuple[str, ...]:
    require(
        names.ndim == 1 and names.dtype.kind in "uifU",
        f"classes of {file} is {shape(names)}: it lists one name per class, as text.",
    )
    require(
        highest < len(names),
        f"The labels reach {highest} but classes of {file} names only {len(names)}: labels run from 0 to "
        f"{len(names) - 1}.",
    )
    return tuple(str(name) for name in names)
