"""Curves and meters are drawn as they were given."""

import numpy as np
import pytest

from engine.results import commutation
from pages.charts import curves
from tests.pages.charts.conftest import RESULT
from tests.pages.conftest import decode, traces

# -- curves and meters ------------------------------------------------------------------------------------


def test_gamma_over_epochs_shows_each_value_at_its_epoch():
    figure = curves.over_epochs([0, 10, 100], {"C": np.array([1.0, 1.1, 1.2])}, marked=10)
    (trace,) = traces(figure, meta="C")
    np.testing.assert_allclose(decode(trace["x"]), np.log10([1, 11, 101]))
    np.testing.assert_allclose(decode(trace["y"]), [1.0, 1.1, 1.2])
    levels = {s.y0: s.line.dash for s in figure.layout.shapes if s.y0 == s.y1}
    assert levels == {1: "dot", 2: "dash"}


def test_epoch_labels_keep_apart_and_the_last_is_among_them():
    figure = curves.over_epochs([0, 1, 2, 5, 10, 20, 30, 50, 70, 95, 100], {})
    assert figure.layout.xaxis.ticktext[-1] == "100"
    assert np.diff(figure.layout.xaxis.tickvals).min() >= 0.15


def test_training_draws_its_records():
    records = {
        "epoch": np.arange(3),
        "train_loss": np.array([2.0, 1.0, 0.5]),
        "train_accuracy": np.array([0.1, 0.5, 0.9]),
    }
    figure = curves.training(records, epochs=100)
    np.testing.assert_array_equal(decode(traces(figure, meta="train_loss")[0]["y"]), records["train_loss"])
    np.testing.assert_array_equal(decode(traces(figure, meta="train_accuracy")[0]["y"]), records["train_accuracy"])
    assert figure.layout.xaxis.range == (0, 100)


def test_a_meter_shows_values_beside_chance():
    figure = curves.meter({"whole layer": 0.16, "top 100": 0.08}, 1.4, "chance", "error", "#d9730d", 1.6)
    (bar,) = traces(figure, type="bar")
    assert list(decode(bar["x"])) == [0.16, 0.08]
    assert figure.layout.shapes[0].x0 == 1.4


# -- off the diagonal, and through the epochs -------------------------------------------------------------


def test_sizes_off_the_diagonal_are_shares_of_pairs_and_a_band_over_draws():
    real = commutation.off_diagonal(RESULT.correlation("C", 50)).counts[-1]
    random = np.stack([commutation.off_diagonal(RESULT.random_correlation("C", 50, s)).counts[-1] for s in range(20)])
    figure = curves.off_diagonal(real, random, "#d9730d")
    (bars,) = traces(figure, meta="measured")
    assert decode(bars["y"]).sum() == pytest.approx(1)
    (middle,) = traces(figure, meta="by chance")
    (band,) = traces(figure, meta="band")
    high, low = np.split(decode(band["y"]), 2)
    assert np.all(low[::-1] <= decode(middle["y"]))
    assert np.all(decode(middle["y"]) <= high)
    # The mean size, read off the bars, is that of the matrix, to half a bar.
    x = decode(bars["x"])
    upper = np.abs(RESULT.correlation("C", 50)[np.triu_indices(50, 1)])
    assert x @ decode(bars["y"]) == pytest.approx(upper.mean(), abs=bars["width"] / 2)
    alone = curves.off_diagonal(real, None, "#d9730d")
    assert [t["meta"] for t in traces(alone)] == ["measured"]
