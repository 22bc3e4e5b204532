"""A user's own data as they occur: arrays in .npz and .npy, tables in .csv and .parquet, images in a folder for each
class. Every reader answers with x_train, y_train and, where there are, x_test, y_test and classes, what these are
called there and in which file; engine.data.raw judges them. Nothing is unpickled.
"""

import gzip
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cache.foreign import check_bytes
from engine.data.raw import FORMAT, RawData, raw_data
from engine.errors import require

if TYPE_CHECKING:
    from pandas import DataFrame

Arrays = dict[str, np.ndarray]
Read = tuple[Arrays, str, dict[str, str]]

PARTS = ("x_train", "y_train", "x_test", "y_test")
# What others call these four in an .npz, in the order of preference; case does not count.
KEYS = (
    PARTS,
    ("train_x", "train_y", "test_x", "test_y"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("train_data", "train_labels", "test_data", "test_labels"),
    ("train_data", "train_targets", "test_data", "test_targets"),
    ("images", "labels", "images_test", "labels_test"),
    ("data", "labels", "data_test", "labels_test"),
    ("data", "target", "data_test", "target_test"),
    ("data", "targets", "data_test", "targets_test"),
    ("features", "labels", "features_test", "labels_test"),
    ("inputs", "targets", "inputs_test", "targets_test"),
    ("x", "y", "x_test", "y_test"),
    ("arr_0", "arr_1", "arr_2", "arr_3"),
)
CLASSES = ("classes", "class_names", "target_names", "label_names")
# How the file of labels is called beside one of samples.
BESIDE = (("x", "y"), ("images", "labels"), ("data", "labels"), ("data", "targets"), ("data", "target"),
          ("features", "labels"), ("inputs", "targets"))  # fmt: skip
# Columns that hold the targets where none is named.
TARGETS = ("label", "labels", "target", "class", "classes", "y", "species")
TRAIN, TEST = ("train", "training"), ("test", "testing", "val", "valid", "validation")
MOST_LINE = 4 << 20
TABLES = (".csv", ".csv.gz", ".parquet")
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
MOST_BYTES = 4 << 30
# What is packed more than this is a slip or an attack, once it is large.
MOST_PACKED, FREE_BYTES = 200, 256 << 20


def read(path: Path, column: str | None = None, targets: str = "") -> RawData:
    """The data in a file, or in a folder of images. column: of a table, that holds the targets; targets: "classes" or
    "numbers" where that is told. ValueError or FileNotFoundError, one sentence, for whatever is wrong."""
    if path.is_dir():
        return raw_data(_folder(path), path.name)
    require_file(path)
    reader = next((reader for end, reader in READERS.items() if path.name.lower().endswith(end)), None)
    if reader is None:
        raise ValueError(f"{path.name} is none of the files that can be read: {', '.join(READERS)}, or a folder with "
                         "a folder of images for each class.")  # fmt: skip
    return raw_data(*reader(path, column), targets)


def require_file(path: Path) -> None:
    """FileNotFoundError unless it is one."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}: choose an existing .npz, or mnist5k.")


# -- arrays ---------------------------------------------------------------------------------------------


def _npz(path: Path, column: str | None) -> Read:
    """Arrays by name."""
    require(
        zipfile.is_zipfile(path),
        f"{path.name} is no .npz, or was cut off: save it with numpy.savez; {FORMAT}.",
    )
    try:
        with zipfile.ZipFile(path) as parts:
            _check_unpacked(path, sum(part.file_size for part in parts.infolist()))
        with np.load(path, allow_pickle=False) as archive:
            there = list(archive.files)
            keys = _keys(there)
            arrays = {name: np.asarray(archive[key]) for name, key in keys.items()}
    except Exception as error:  # a damaged archive fails in zipfile, zlib or NumPy, each in its own way
        reason = "it holds Python objects, which could run code" if "pickle" in str(error) else f"{error}"
        raise ValueError(f"{path.name} cannot be read ({reason}): save plain arrays; {FORMAT}.") from error
    contents = f"{path.name} holds {', '.join(sorted(there)) or 'nothing'}"
    require({"x_train", "y_train"} <= keys.keys(), f"{contents}: {FORMAT}.")
    require(("x_test" in keys) == ("y_test" in keys), f"{contents}: x_test and y_test belong together.")
    lower = [key.casefold() for key in there]
    twins = [key for key in there if key in keys.values() and lower.count(key.casefold()) > 1]
    require(not twins, f"{contents}, {', '.join(twins)} also in other letters: delete one of the two.")
    tests = [] if "x_test" in keys else [key for key in there if re.search("(?<![a-z])test", key, re.IGNORECASE)]
    require(not tests, f"{contents}: which {', '.join(tests)} are is not clear. Name all four parts alike, such as "
            "x_train, y_train, x_test and y_test, or delete the others.")  # fmt: skip
    return arrays, path.name, keys


def _check_unpacked(path: Path, size: int) -> None:
    """ValueError where a packed file would unfold to more than can be read, or than such numbers pack to."""
    check_bytes(path.name, size, min(MOST_BYTES, max(FREE_BYTES, MOST_PACKED * path.stat().st_size)))


def _keys(there: list[str]) -> dict[str, str]:
    """What the file calls the four parts and the names of classes."""
    by_name = {key.casefold(): key for key in there}
    known = next((names for names in KEYS if {*names[:2]} <= by_name.keys()), PARTS)
    keys = {part: by_name[name] for part, name in zip(PARTS, known, strict=True) if name in by_name}
    names = next((by_name[name] for name in CLASSES if name in by_name), None)
    return keys if names is None else keys | {"classes": names}


def _npy(path: Path, column: str | None) -> Read:
    """Samples in one file, labels in the one beside it, and the test part where both are there too."""
    files = {"x_train": path, "y_train": _labels_beside(path)}
    for train, test in (("train", "test"), (r"(?=\.npy$)", "_test"), ("^", "test_")):
        tests = [file.with_name(re.sub(train, test, file.name, flags=re.IGNORECASE)) for file in files.values()]
        if len(files) == 2 and all(one not in files.values() and one.is_file() for one in tests):
            files |= dict(zip(PARTS[2:], tests, strict=True))
    arrays = {}
    for name, file in files.items():
        try:
            arrays[name] = np.load(file, allow_pickle=False)
        except Exception as error:  # as above
            raise ValueError(f"{file.name} cannot be read ({error}): save a plain array with numpy.save.") from error
        require(isinstance(arrays[name], np.ndarray), f"{file.name} is an .npz by its content: name it so.")
    return arrays, f"{path.parent.name}/", {name: file.name for name, file in files.items()}


def _labels_beside(path: Path) -> Path:
    names = [
        re.sub(rf"(?<![a-z]){samples}(?![a-z])", labels, path.name, count=1, flags=re.IGNORECASE)
        for samples, labels in BESIDE
    ]
    others = {one.name.casefold(): one for one in path.parent.iterdir()}
    there = [others[name.casefold()] for name in names if name != path.name and name.casefold() in others]
    require(bool(there), f"Beside {path.name} there is no file of its labels: call the two x.npy and y.npy, or "
            "images.npy and labels.npy, the test part the same with test in place of train.")  # fmt: skip
    return there[0]


# -- tables ---------------------------------------------------------------------------------------------


def _csv(path: Path, column: str | None) -> Read:
    import pandas  # slow to load: only for tables

    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else open(path, "rb") as file:
            first = len(file.readline(MOST_LINE))
            require(first < MOST_LINE, f"its first line has more than {MOST_LINE:,} characters")
            while isinstance(file, gzip.GzipFile) and file.read(1 << 20):
                _check_unpacked(path, file.tell())
        table = pandas.read_csv(path)
        if _is_sample([str(name) for name in table.columns]):  # from the first line on
            table = pandas.read_csv(path, header=None).rename(columns=str)
        else:  # as they stand there: pandas gives a name that is there twice, or missing, one of its own
            table.columns = pandas.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0]
    except Exception as error:  # a damaged or compressed file fails in many ways
        raise ValueError(f"{path.name} cannot be read as a table ({str(error).strip()}).") from error
    return _table(table, path.name, column)


def _is_sample(names: list[str]) -> bool:
    """Whether a first line is a sample rather than the names of columns: numbers, and a word for its class at most, but
    not 0, 1, 2 …, which are names too."""
    numbers = [name for name in names if re.fullmatch(r"[-+]?\d*\.?\d+([eE][-+]?\d+)?(\.\d+)?", name)]
    counted = len(numbers) > 1 and numbers == [str(i) for i in range(len(numbers))]
    return len(numbers) >= max(len(names) - 1, 1) and not counted


def _parquet(path: Path, column: str | None) -> Read:
    import pandas  # slow to load: only for tables

    try:
        from pyarrow.parquet import read_metadata

        about = read_metadata(path)
        _check_unpacked(path, 8 * about.num_rows * about.num_columns)
        table = pandas.read_parquet(path)
    except Exception as error:  # as above
        raise ValueError(f"{path.name} cannot be read as Parquet ({str(error).strip()}).") from error
    return _table(table, path.name, column)


def _table(table: "DataFrame", file: str, target: str | None) -> Read:
    """The target's column are the targets, all others the features; columns named as pixels are those of a square."""
    columns = [str(name) for name in table.columns]
    listed = ", ".join(columns[:8]) + (f", … ({len(columns)} columns)" if len(columns) > 8 else "")
    require(len(set(columns)) == len(columns), f"{file} has two columns of one name: {listed}.")
    require("" not in columns, f"A column of {file} has no name, as the line numbers that pandas writes, which are no "
            "features: save it with index=False, or name it.")  # fmt: skip
    table.columns = columns
    guesses = [name for name in columns if name.casefold() in TARGETS]
    column = target if target is not None else guesses[0] if len(guesses) == 1 else None
    asked = "which of them holds the class is not clear" if target is None else f"none is called {target}"
    require(column in columns, f"{file} has the columns {listed}; {asked}: name it behind a #, {file}#column.")
    labels = table[column]
    features = table.drop(columns=[column])
    require(not bool(labels.isna().any()), f"Column {column} of {file} has empty cells: drop those lines.")
    for name in features.columns:
        numbers = features[name].dtype.kind in "uifb"
        require(numbers, f"Column {name} of {file} holds no numbers ({features[name].dtype}): drop it or number it.")
        require(not bool(features[name].isna().any()), f"Column {name} of {file} has empty cells: fill or drop them.")
    require(features.shape[1] > 0, f"{file} has no column beside {column}: samples need numbers.")
    x = features.to_numpy()
    side = round(x.shape[1] ** 0.5)
    if side * side == x.shape[1] and all(re.fullmatch(r"pixel.?\d+|\d+x\d+", name, re.I) for name in features.columns):
        places = [[int(number) for number in re.findall(r"\d+", name)] for name in features.columns]
        x = x[:, sorted(range(len(places)), key=places.__getitem__)].reshape(-1, side, side)
    words = labels.dtype.kind not in "uifb"
    y = labels.astype(str).to_numpy(dtype=np.str_) if words else labels.to_numpy()
    return {"x_train": x, "y_train": y}, file, {"y_train": f"column {column}"}


# -- images ---------------------------------------------------------------------------------------------


def _folder(path: Path) -> Arrays:
    """A folder for each class, in train and test (or val) or alone, as torchvision's ImageFolder has it."""
    folders = {one.name.casefold(): one for one in sorted(path.iterdir()) if one.is_dir() and one.name[0] != "."}
    train = next((folders[name] for name in TRAIN if name in folders), None)
    test = next((folders[name] for name in TEST if name in folders), None) if train is not None else None
    classes = _class_folders(train or path)
    require(len(classes) > 1, f"{(train or path).name} holds {len(classes)} folders of images: there is one for each "
            "class, such as cats/ and dogs/, or these in train/ and test/.")  # fmt: skip
    arrays = {"classes": np.array([one.name for one in classes])}
    for part, folder in (("train", train or path), ("test", test)):
        if folder is None:
            continue
        files = {
            one.name: sorted(file for file in one.rglob("*") if file.suffix.lower() in IMAGES)
            for one in _class_folders(folder)
        }
        names = arrays["classes"].tolist()
        unknown = files.keys() - set(names)
        require(not unknown, f"{folder.name} holds the class {', '.join(sorted(unknown))} that is not trained.")
        for name, images in files.items():
            below = {image.relative_to(folder / name).parts[0] for image in images}
            mixed = len(below) > 1 and not below & {image.name for image in images}
            require(not mixed, f"{folder.name}/{name} holds {len(below)} folders of images, as a part to train or test "
                    "with does: call the parts train and test, or put all images of a class side by side.")  # fmt: skip
        bare = [name for name, images in files.items() if not images]
        require(any(files.values()) and not bare, f"{folder.name} holds no image of {', '.join(bare) or 'any class'}: "
                f"put some there ({', '.join(IMAGES)}), or delete the empty folder.")  # fmt: skip
        numbered = [(file, number) for number, name in enumerate(names) for file in files.get(name, [])]
        arrays[f"x_{part}"] = _images([file for file, _ in numbered])
        arrays[f"y_{part}"] = np.array([number for _, number in numbered], dtype=np.int64)
    return arrays


def _class_folders(path: Path) -> list[Path]:
    lost = [one.name for one in sorted(path.iterdir()) if not one.exists()]
    require(not lost, f"{path.name} holds {', '.join(lost[:3])}, a link that leads nowhere: mend or delete it.")
    return sorted(one for one in path.iterdir() if one.is_dir() and one.name[0] != ".")


def _images(files: list[Path]) -> np.ndarray:
    """All of one size; grey where every one is."""
    from PIL import Image  # only for folders of images

    pictures: list[np.ndarray] = []
    for file in files:
        try:
            with Image.open(file) as image:
                size = len(files) * image.width * image.height * 3
                require(size <= MOST_BYTES, f"{len(files):,} images of {image.width} × {image.height} pixels are "
                        f"{size / 2**30:.1f} GiB: make them smaller.")  # fmt: skip
                require(image.mode[0] not in "IF", f"{file.parent.name}/{file.name} has more than 8 bits a pixel, of "
                        "which 255 would be the most: save it with 8, or bring the numbers as an .npz.")  # fmt: skip
                pictures.append(np.asarray(image.convert("L" if image.mode in ("L", "1") else "RGB")))
        except Exception as error:  # as above
            raise ValueError(f"{file.parent.name}/{file.name} cannot be read as an image ({error}).") from error
        first = pictures[0]
        require(pictures[-1].shape[:2] == first.shape[:2], f"{file.parent.name}/{file.name} is "
                f"{pictures[-1].shape[1]} × {pictures[-1].shape[0]} pixels but {files[0].parent.name}/{files[0].name} "
                f"{first.shape[1]} × {first.shape[0]}: make all images of one size.")  # fmt: skip
    if any(one.ndim == 3 for one in pictures):
        pictures = [one if one.ndim == 3 else np.repeat(one[..., None], 3, axis=2) for one in pictures]
    return np.stack(pictures)


READERS: Mapping[str, Callable[[Path, str | None], Read]] = {
    ".npz": _npz,
    ".npy": _npy,
    ".csv": _csv,
    ".csv.gz": _csv,
    ".parquet": _parquet,
}
