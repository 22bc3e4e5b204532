"""engine.data.files: data as people have them, and the same data whatever they are kept in."""

import gzip
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.config.requests import DataRequest
from engine.data.datasets import load
from engine.data.files import KEYS
from engine.data.sources import read
from tests.engine.data.test_tables import table
from tests.small import pixels, saved

# -- arrays ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", KEYS, ids=lambda names: names[0])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_arrays_by_other_names_are_the_same_data(tmp_path, names, case):
    arrays = pixels()
    expected = read(saved(tmp_path, **arrays))
    part = dict(zip(map(case, names), arrays.values(), strict=True))
    again = read(saved(tmp_path, **part, class_names=np.array(["a", "b", "c"]), val_images=np.zeros(3)))
    for attribute in ("train_x", "train_y", "test_x", "test_y"):
        np.testing.assert_array_equal(getattr(again, attribute), getattr(expected, attribute))
    assert again.class_names == ("a", "b", "c")


def test_the_usual_names_outrank_others(tmp_path):
    arrays = pixels()
    again = read(saved(tmp_path, **arrays, data=np.zeros((3, 2)), target=np.zeros(3)))
    np.testing.assert_array_equal(again.train_x, arrays["x_train"])


def test_a_test_part_or_samples_are_not_passed_over_in_silence(tmp_path):
    arrays = pixels()
    x, y = arrays["x_train"], arrays["y_train"]
    with pytest.raises(ValueError, match=r"own\.npz holds .*: which test_x, test_y are is not clear\. Name all four"):
        read(saved(tmp_path, images=x, labels=y, test_x=x, test_y=y))
    with pytest.raises(ValueError, match=r"own\.npz holds X, x, y, x also in other letters: delete one"):
        read(saved(tmp_path, X=x, x=x[::-1], y=y))


LABELS = {
    "(n, 1)": (lambda y: y[:, None], ("0", "1", "2")),
    "one-hot": (lambda y: np.eye(3)[y], ("0", "1", "2")),
    "one-hot, whole": (lambda y: np.eye(3, dtype=np.int8)[y], ("0", "1", "2")),
    "1 … K": (lambda y: y + 1, ("1", "2", "3")),
    "1 … K as float": (lambda y: (y + 1).astype(float), ("1", "2", "3")),
    "words": (lambda y: np.array(["ant", "bee", "cat"])[y], ("ant", "bee", "cat")),
    "bytes": (lambda y: np.array([b"ant", b"bee", b"cat"])[y], ("ant", "bee", "cat")),
    "uint8": (lambda y: y.astype(np.uint8), ("0", "1", "2")),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_in_every_convention_are_the_same_classes(tmp_path, kind):
    change, names = LABELS[kind]
    arrays = pixels()
    changed = read(saved(tmp_path, **arrays | {part: change(arrays[part]) for part in ("y_train", "y_test")}))
    np.testing.assert_array_equal(changed.train_y, arrays["y_train"])
    np.testing.assert_array_equal(changed.test_y, arrays["y_test"])
    assert changed.class_names == names


def test_minus_one_and_one_are_two_classes(tmp_path):
    arrays = pixels(classes=2)
    signs = {part: 2 * arrays[part] - 1 for part in ("y_train", "y_test")}
    changed = read(saved(tmp_path, **arrays | signs))
    np.testing.assert_array_equal(changed.train_y, arrays["y_train"])
    assert changed.class_names == ("-1", "1")


def test_labels_of_the_test_part_that_are_not_trained_are_refused(tmp_path):
    arrays = pixels()
    words = {part: np.array(["ant", "bee", "cat"])[arrays[part]] for part in ("y_train", "y_test")}
    words["y_test"][0] = "dog"
    with pytest.raises(ValueError, match=r"y_test of own\.npz holds the label \['dog'\] that is not trained"):
        read(saved(tmp_path, **arrays | words))


def test_words_are_numbered_as_the_names_of_classes_stand(tmp_path):
    arrays, names = pixels(), np.array(["dog", "cat", "ant"])
    words = {part: names[arrays[part]] for part in ("y_train", "y_test")}
    found = read(saved(tmp_path, **arrays | words, classes=names))
    np.testing.assert_array_equal(found.train_y, arrays["y_train"])
    np.testing.assert_array_equal(found.test_y, arrays["y_test"])
    assert found.class_names == ("dog", "cat", "ant")
    with pytest.raises(ValueError, match=r"the label \['ant'\] that classes does not name"):
        read(saved(tmp_path, **arrays | words, classes=np.array(["dog", "cat", "eel"])))


def test_words_beside_numbers_are_refused(tmp_path):
    arrays = pixels()
    with pytest.raises(ValueError, match=r"y_test of own\.npz is .* but the training labels are int64: label both"):
        read(saved(tmp_path, **arrays | {"y_test": arrays["y_test"].astype(str)}))


def test_pixels_stay_so_beside_a_dark_test_part(tmp_path):
    arrays = {name: array.astype(np.int64) for name, array in pixels().items()}
    assert read(saved(tmp_path, **arrays | {"x_test": 0 * arrays["x_test"]})).train_x.dtype == np.uint8


@pytest.mark.parametrize("kind", [np.int64, np.float32, np.float64, np.int16])
def test_whole_numbers_up_to_255_are_pixels(tmp_path, kind):
    arrays = pixels(shape=(4, 4, 3))
    expected = load(DataRequest(saved(tmp_path, **arrays)))
    same = load(DataRequest(saved(tmp_path, **{key: array.astype(kind) for key, array in arrays.items()})))
    assert same.fingerprint == expected.fingerprint
    assert same.train_x.max() <= 1
    flat = {key: array.reshape(len(array), -1) for key, array in arrays.items() if key.startswith("x")}
    assert load(DataRequest(saved(tmp_path, **arrays | flat))).train_x.max() <= 1


@pytest.mark.parametrize("x", [np.eye(12), np.arange(24.0).reshape(12, 2), np.full((12, 4, 4), 0.5)])
def test_counts_and_fractions_are_no_pixels(tmp_path, x):
    data = load(DataRequest(saved(tmp_path, x_train=x, y_train=np.arange(12) % 3)))
    assert data.train_x.max() == x.max()


@pytest.mark.parametrize("shape", [(8, 8, 3), (4, 4, 3), (4, 4, 1), (8, 8, 6)])
def test_channels_that_come_first_move_last(tmp_path, shape):
    arrays = pixels(shape=shape)
    first = {key: arrays[key].transpose(0, 3, 1, 2) for key in ("x_train", "x_test")}
    expected = load(DataRequest(saved(tmp_path, **arrays))).fingerprint
    assert load(DataRequest(saved(tmp_path, **arrays | first))).fingerprint == expected


@pytest.mark.parametrize(
    ("samples", "labels"),
    [("X.npy", "y.npy"), ("x_train.npy", "y_train.npy"), ("Train-Images.npy", "train-labels.npy")],
)
def test_samples_and_labels_in_two_files(tmp_path, samples, labels):
    arrays = pixels()
    np.save(tmp_path / samples, arrays["x_train"])
    np.save(tmp_path / labels, arrays["y_train"])
    found = read(str(tmp_path / samples))
    np.testing.assert_array_equal(found.train_x, arrays["x_train"])
    np.testing.assert_array_equal(found.train_y, arrays["y_train"])
    assert not len(found.test_x)
    if "train" in samples.lower():
        for name, part in ((samples, "x_test"), (labels, "y_test")):
            np.save(tmp_path / re.sub("train", "test", name, flags=re.IGNORECASE), arrays[part])
        np.testing.assert_array_equal(read(str(tmp_path / samples)).test_y, arrays["y_test"])


@pytest.mark.parametrize("test", ["x_test.npy", "test_x.npy"])
def test_the_test_part_beside_samples_without_train_in_their_name(tmp_path, test):
    arrays = pixels()
    for name, part in (
        ("x.npy", "x_train"),
        ("y.npy", "y_train"),
        (test, "x_test"),
        (test.replace("x", "y"), "y_test"),
    ):
        np.save(tmp_path / name, arrays[part])
    np.testing.assert_array_equal(read(str(tmp_path / "x.npy")).test_y, arrays["y_test"])


def test_samples_without_their_labels_are_told_how_they_would_be_found(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"Beside x\.npy there is no file of its labels: call the two x\.npy and y"):
        read(str(tmp_path / "x.npy"))
    np.save(tmp_path / "y.npy", np.array([{}, 1, 2], dtype=object))
    with pytest.raises(ValueError, match=r"y\.npy cannot be read"):
        read(str(tmp_path / "x.npy"))


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "x.npy", "t.npz"])
def test_what_is_no_such_file_is_told_in_a_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00\xff no table")
    (tmp_path / "y.npy").write_bytes(b"none")
    with pytest.raises(ValueError, match=re.escape(name.split("#")[0])):
        read(str(tmp_path / name))


def test_other_files_are_told_what_can_be_read(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"t\.xlsx is none of the files that can be read: \.npz, \.npy, \.csv"):
        read(str(tmp_path / "t.xlsx"))
    with pytest.raises(ValueError, match="There is no data set 'mnits'; choose one of mnist5k"):
        read("mnits")


# -- images ---------------------------------------------------------------------------------------------


def folders(root: Path, parts=("",), mode="RGB", size=(6, 5)):
    rng = np.random.default_rng(0)
    shape = size[::-1] + (3,) * (mode == "RGB")
    arrays = {}
    for part in parts:
        for name in ("cats", "dogs"):
            (root / part / name).mkdir(parents=True)
            for number in range(3):
                arrays[part, name, number] = rng.integers(0, 256, shape, dtype=np.uint8)
                Image.fromarray(arrays[part, name, number]).save(root / part / name / f"{number}.png")
    return arrays


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_folder_for_each_class(tmp_path, mode):
    arrays = folders(tmp_path, mode=mode)
    (tmp_path / "cats" / "notes.txt").write_text("no image")
    found = read(str(tmp_path))
    np.testing.assert_array_equal(found.train_x, np.stack(list(arrays.values())))
    assert found.train_y.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.class_names == ("cats", "dogs")


@pytest.mark.parametrize("test", ["test", "val"])
def test_folders_to_train_with_and_to_test_on(tmp_path, test):
    arrays = folders(tmp_path, ("train", test))
    found = read(str(tmp_path))
    np.testing.assert_array_equal(found.test_x, np.stack([a for (part, *_), a in arrays.items() if part == test]))
    assert len(found.train_x) == 6


def test_links_to_other_folders_are_followed_and_those_that_lead_nowhere_refused(tmp_path):
    folders(tmp_path / "outside")
    (tmp_path / "own").mkdir()
    for name in ("cats", "dogs"):
        (tmp_path / "own" / name).symlink_to(tmp_path / "outside" / name)
    assert read(str(tmp_path / "own")).class_names == ("cats", "dogs")
    (tmp_path / "own" / "eels").symlink_to(tmp_path / "gone")
    with pytest.raises(ValueError, match="own holds eels, a link that leads nowhere: mend or delete it"):
        read(str(tmp_path / "own"))
    (tmp_path / "own" / "eels").unlink()
    (tmp_path / "own" / "loop").symlink_to(tmp_path / "own" / "loop")
    with pytest.raises(ValueError, match="own holds loop, a link that leads nowhere"):
        read(str(tmp_path / "own"))


def test_parts_by_other_names_are_no_classes(tmp_path):
    folders(tmp_path, ("training_set", "test_set"))
    with pytest.raises(ValueError, match="test_set holds 2 folders of images, as a part to train or test with does"):
        read(str(tmp_path))


def test_folders_without_images_and_images_of_many_bits_are_refused(tmp_path):
    folders(tmp_path, ("train",))
    (tmp_path / "test").mkdir()
    with pytest.raises(ValueError, match="test holds no image of any class"):
        read(str(tmp_path))
    (tmp_path / "train" / "eels").mkdir()
    with pytest.raises(ValueError, match="train holds no image of eels"):
        read(str(tmp_path))
    Image.fromarray(np.full((5, 6), 1000, np.uint16)).save(tmp_path / "train" / "eels" / "0.png")
    with pytest.raises(ValueError, match=r"eels/0\.png has more than 8 bits a pixel"):
        read(str(tmp_path / "train"))


def test_wrong_folders_are_told_in_a_sentence(tmp_path):
    (tmp_path / "one" / "cats").mkdir(parents=True)
    with pytest.raises(ValueError, match="one holds 1 folders of images"):
        read(str(tmp_path / "one"))
    folders(tmp_path / "two")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "two" / "dogs" / "9.png")
    with pytest.raises(ValueError, match=r"dogs/9\.png is 9 × 9 pixels but cats/0\.png 6 × 5: make all images of one"):
        read(str(tmp_path / "two"))
    (tmp_path / "two" / "dogs" / "9.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"dogs/9\.png cannot be read as an image"):
        read(str(tmp_path / "two"))
    folders(tmp_path / "three", ("train", "test"))
    (tmp_path / "three" / "test" / "eels").mkdir()
    with pytest.raises(ValueError, match="test holds the class eels that is not trained"):
        read(str(tmp_path / "three"))


# -- torchvision's sets as they lie about ---------------------------------------------------------------


def idx(array):
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("place", ["MNIST/raw", "mnist/raw", "MNIST", "mnist", "."])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("dotted", [True, False])
def test_mnist_flat_packed_and_in_small_letters(tmp_path, place, packed, dotted):
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for part, n in (("train", 20), ("t10k", 10)):
        x, y = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), (np.arange(n) % 10).astype(np.uint8)
        for kind, array in (("images-idx3", x), ("labels-idx1", y)):
            name = f"{part}-{kind.replace('-', '.') if dotted else kind}-ubyte"
            content = gzip.compress(idx(array)) if packed else idx(array)
            (tmp_path / place / (name + ".gz" * packed)).write_bytes(content)
    data = load(DataRequest("mnist"), folder=tmp_path)
    np.testing.assert_array_equal(data.test_x.numpy(), (x[:, None] / np.float32(255)).astype(np.float32))
    assert data.test_y.tolist() == y.tolist()


# -- not taken for what they are not --------------------------------------------------------------------


def test_zeros_and_ones_are_no_pixels_and_large_whole_numbers_are_asked_about(tmp_path):
    arrays = pixels()
    dark = {key: arrays[key] % 2 for key in ("x_train", "x_test")}
    assert load(DataRequest(saved(tmp_path, **arrays | dark))).train_x.max() == 1
    deep = {key: arrays[key].astype(np.uint16) * 200 for key in ("x_train", "x_test")}
    with pytest.raises(ValueError, match=r"whole numbers up to .*: divide them"):
        load(DataRequest(saved(tmp_path, **arrays | deep)))


def test_a_mark_in_a_name_of_its_own_is_no_column(tmp_path):
    Path(tmp_path / "a#b").mkdir()
    assert len(read(saved(tmp_path / "a#b", **pixels())).train_x) == 12
    table().to_csv(tmp_path / "a#b" / "t.csv", index=False)
    assert read(str(tmp_path / "a#b" / "t.csv#label")).class_names == ("x", "y", "z")


def test_whole_numbers_that_float32_does_not_tell_apart_are_refused(tmp_path):
    time = 1_600_000_000 + np.arange(12)
    table().assign(b=time).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match=r"Feature 2 of x_train of t\.csv runs from 1600000000 to 1600000011, which"):
        read(str(tmp_path / "t.csv"))
    table().assign(b=time * np.arange(1, 13), c=7).to_csv(tmp_path / "t.csv", index=False)
    assert read(str(tmp_path / "t.csv")).train_x.shape == (12, 3)
