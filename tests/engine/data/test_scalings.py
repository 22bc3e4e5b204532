"""Means and deviations of pixels, as settings."""

import re

import numpy as np
import pytest

from engine.config.requests import DataRequest
from engine.data.datasets import load
from tests.small import pixels, saved


@pytest.mark.parametrize(
    ("scaling", "mean", "deviation"),
    [("mnist", 0.1307, 0.3081), ("signed", 0.5, 0.5), ("0.2/0.4", 0.2, 0.4), ("-1/2", -1, 2)],
)
@pytest.mark.parametrize("divided", [False, True])
def test_mean_and_deviation_are_of_pixels_in_0_to_1(tmp_path, scaling, mean, deviation, divided):
    arrays = pixels()
    stored = {key: arrays[key] / 255 for key in ("x_train", "x_test")} if divided else {}
    data = load(DataRequest(saved(tmp_path, **arrays | stored), scaling=scaling))
    expected = (arrays["x_train"] / 255 - mean) / deviation
    np.testing.assert_allclose(data.train_x.numpy()[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_a_channel_has_its_own(tmp_path):
    arrays = pixels(shape=(4, 4, 3))
    data = load(DataRequest(saved(tmp_path, **arrays), scaling="0.1,0.2,0.3/0.4,0.5,0.6"))
    expected = (arrays["x_train"] / 255 - [0.1, 0.2, 0.3]) / [0.4, 0.5, 0.6]
    np.testing.assert_allclose(data.train_x.numpy(), expected.transpose(0, 3, 1, 2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("scaling", "words"),
    [("imagenet", "for 3 channels, and these samples have 1"), ("0.1/0", "not above 0"), ("0.1/-1", "not above 0"),
     ("0.1", "There is no scaling '0.1'"), ("a/b", "There is no scaling 'a/b'"), ("1e999/1", "no scaling"),
     ("0.1,0.2/1", "for 2 channels")],
)  # fmt: skip
def test_scalings_that_do_not_fit_are_refused(tmp_path, scaling, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        load(DataRequest(saved(tmp_path, **pixels()), scaling=scaling))
