"""engine.data.files: tables, and numbers to predict."""

import numpy as np
import pandas as pd
import pytest

from engine.config.requests import DataRequest
from engine.data.datasets import load
from engine.data.sources import joined, read, split
from tests.small import pixels, saved


def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(12, 3)), columns=["a", "b", "c"]).assign(label=["x", "y", "z"] * 4)


WRITE = {
    "t.csv": lambda t, path: t.to_csv(path, index=False),
    "t.csv.gz": lambda t, path: t.to_csv(path, index=False),
    "T.CSV": lambda t, path: t.to_csv(path, index=False),
    "t.parquet": lambda t, path: t.to_parquet(path),
}


@pytest.mark.parametrize("name", WRITE)
def test_a_table_is_features_and_a_column_of_classes(tmp_path, name):
    WRITE[name](table(), tmp_path / name)
    found = read(str(tmp_path / name))
    np.testing.assert_allclose(found.train_x, table()[["a", "b", "c"]], rtol=1e-6)
    assert found.train_y.tolist() == [0, 1, 2] * 4
    assert found.class_names == ("x", "y", "z")


def test_the_column_of_classes_is_named_behind_a_mark(tmp_path):
    other = table().rename(columns={"label": "kind"})
    other.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match=r"t\.csv has the columns a, b, c, kind; .* t\.csv#column"):
        read(str(tmp_path / "t.csv"))
    with pytest.raises(ValueError, match="none is called sort: name it"):
        read(str(tmp_path / "t.csv#sort"))
    assert read(str(tmp_path / "t.csv#kind")).class_names == ("x", "y", "z")


def test_a_table_of_digits_without_names_of_columns(tmp_path):
    arrays = pixels(shape=(28 * 28,))
    rows = np.column_stack([arrays["y_train"], arrays["x_train"]])
    np.savetxt(tmp_path / "digits.csv", rows, fmt="%d", delimiter=",")
    found = read(str(tmp_path / "digits.csv#0"))
    np.testing.assert_array_equal(found.train_x, arrays["x_train"])
    assert found.train_x.dtype == np.uint8
    named = pd.DataFrame(rows, columns=["label", *(f"pixel{i}" for i in range(784))])
    named.to_csv(tmp_path / "named.csv", index=False)
    assert read(str(tmp_path / "named.csv")).train_x.shape == (12, 28, 28)


BAD = {
    "empty cell": (lambda t: t.assign(a=[np.nan] + [1.0] * 11), r"Column a of t\.csv has empty cells"),
    "words": (lambda t: t.assign(b="red"), r"Column b of t\.csv holds no numbers"),
    "no label": (lambda t: t.assign(label=[None] + ["x", "y"] * 5 + ["z"]), r"Column label of t\.csv has empty cells"),
    "alone": (lambda t: t[["label"]], r"t\.csv has no column beside label"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_tables_are_told_in_a_sentence(tmp_path, case):
    change, words = BAD[case]
    change(table()).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match=words):
        read(str(tmp_path / "t.csv"))


@pytest.mark.parametrize(
    ("head", "words"), [("a,label,label", "two columns of one name: a, label, label"), (",a,label", "has no name")]
)
def test_columns_that_pandas_would_name_itself_are_refused(tmp_path, head, words):
    (tmp_path / "t.csv").write_text(f"{head}\n" + "".join(f"{i},{i % 2},{i % 2}\n" for i in range(4)))
    with pytest.raises(ValueError, match=words):
        read(str(tmp_path / "t.csv#label"))


MEASURED = np.linspace(-2, 5, 12)

TAKEN = {
    "fractions": (MEASURED, "", MEASURED[:, None]),
    "several": (np.outer(MEASURED, [1, 2]), "", np.outer(MEASURED, [1, 2])),
    "whole, with gaps among many": (7.0 * np.arange(30), "", 7.0 * np.arange(30)[:, None]),
    "whole": (np.arange(12) % 3, "numbers", (np.arange(12) % 3)[:, None]),
    "several answers": (np.ones((12, 3)), "numbers", np.ones((12, 3))),
    "few whole floats": (np.arange(12) % 3 * 1.0, "", None),
    "many whole floats without gaps": (np.arange(30.0), "", None),
    "told to be classes": (7.0 * np.arange(30), "classes", None),
}


@pytest.mark.parametrize("case", TAKEN)
def test_targets_are_numbers_by_what_they_are_or_as_told(tmp_path, case):
    y, told, numbers = TAKEN[case]
    raw = read(joined(saved(tmp_path, x_train=np.zeros((len(y), 2)), y_train=y), targets=told))
    assert raw.numbers == (numbers is not None)
    assert bool(raw.class_names) == (numbers is None)
    if numbers is not None:
        np.testing.assert_array_equal(raw.train_y, numbers.astype(np.float32))
        data = load(DataRequest(joined(saved(tmp_path, x_train=np.zeros((len(y), 2)), y_train=y), targets=told)))
        assert (data.outputs, data.numbers, data.name) == (numbers.shape[1], True, "own")


def test_a_column_of_numbers_and_what_a_name_means(tmp_path):
    table().assign(label=MEASURED).to_csv(tmp_path / "t.csv", index=False)
    np.testing.assert_allclose(read(str(tmp_path / "t.csv")).train_y[:, 0], MEASURED, rtol=1e-6)
    assert split("a/t.csv#b:numbers") == ("a/t.csv", "b", "numbers")
    assert split("x.npz:classes") == ("x.npz", "", "classes")
    assert all(joined(*split(name)) == name for name in ("t.csv#b", "x.npz:numbers", "mnist", "t.csv#b:classes"))


NO_NUMBERS = {
    "NaN": ({"y_train": np.full(12, np.nan)}, "", "y_train of .* no whole numbers"),
    "NaN, told": ({"y_train": np.full(12, np.nan)}, "numbers", "y_train of .* holds 12 NaN or infinite values"),
    "words": ({"y_train": np.array(["a"] * 12)}, "numbers", r"y_train of .* numbers to predict are \(n,\)"),
    "classes": ({}, "classes", "no whole numbers"),
    "another width": ({"x_test": np.zeros((3, 2)), "y_test": np.ones((3, 2))}, "", "y_test .* 2 numbers a sample but"),
    "alike in float32": ({"y_train": 1.7e9 + MEASURED}, "", "Number 1 of y_train .* float32 does not tell apart"),
}


@pytest.mark.parametrize("case", NO_NUMBERS)
def test_what_are_no_numbers_to_predict_is_told(tmp_path, case):
    change, told, words = NO_NUMBERS[case]
    name = saved(tmp_path, **{"x_train": np.zeros((12, 2)), "y_train": MEASURED} | change)
    with pytest.raises(ValueError, match=words):
        read(joined(name, targets=told))


@pytest.mark.parametrize("change", [{"classes": (0, 1)}, {"per_class": 3}, {"label_noise": 0.1}])
def test_of_numbers_there_are_no_classes_to_choose(tmp_path, change):
    name = saved(tmp_path, x_train=np.zeros((12, 2)), y_train=MEASURED)
    with pytest.raises(ValueError, match="numbers to predict, of which there are no"):
        load(DataRequest(name, **change))


def test_a_column_without_a_one_stays_a_class(tmp_path):
    arrays = pixels(classes=2)
    hot = {part: np.eye(3)[arrays[part] + 1] for part in ("y_train", "y_test")}
    changed = read(saved(tmp_path, **arrays | hot))
    np.testing.assert_array_equal(changed.train_y, arrays["y_train"] + 1)
    np.testing.assert_array_equal(changed.test_y, arrays["y_test"] + 1)


def test_a_first_line_that_is_a_sample_is_kept(tmp_path):
    (tmp_path / "iris.data.csv").write_text("5.1,3.5,setosa\n4.9,3.0,setosa\n6.3,2.5,virginica\n")
    found = read(str(tmp_path / "iris.data.csv#2"))
    assert found.train_x.shape == (3, 2)
    assert found.class_names == ("setosa", "virginica")
    (tmp_path / "named.csv").write_text("0,1,label\n4.9,3.0,a\n6.3,2.5,b\n")
    assert read(str(tmp_path / "named.csv")).train_x.shape == (2, 2)


def test_pixels_are_placed_by_their_numbers(tmp_path):
    values = np.arange(9) * 20
    order = [0, 1, 8, 2, 3, 4, 5, 6, 7]
    frame = pd.DataFrame([values[order]] * 2, columns=[f"pixel{i}" for i in order]).assign(label=["a", "b"])
    frame.to_csv(tmp_path / "p.csv", index=False)
    np.testing.assert_array_equal(read(str(tmp_path / "p.csv")).train_x[0].ravel(), values)
