"""What a result tells in a notebook, and how it leaves the process."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import nn

from cache.store import Store
from engine import Analysis, analyze, keep
from engine.runs import library


@pytest.fixture(scope="module")
def result():
    """A fresh analysis, with its source."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=generator)
    inputs = torch.randn(60, 6, generator=generator)
    return analyze(model, inputs, torch.arange(60) % 3, layer="0", loss="ce", batch_size=10)


def test_its_line_and_its_table_tell_the_exponents_of_fit(result):
    assert repr(result).startswith("<Analysis of 0 (5 × 6), 60 samples, loss ce, B = 10, 30 directions, γ of C ")
    assert f"γ of C_AWD {result.fit('C_awd').gamma:.2f}" in repr(result)
    table = result._repr_html_()
    for name in result.names:
        assert f"<b>{result.fit(name).gamma:.3f}</b>" in table
    low, high = result.sampled().fit("C").interval
    assert f"{low:.3f} … {high:.3f}" in table


def test_warnings_are_in_the_table_and_what_a_user_named_is_escaped(result):
    odd = replace(result, provenance=replace(result.provenance, exact=False, layer="<b>fc</b>", accuracy=float("nan")))
    table = odd._repr_html_()
    assert "Gauss–Newton matrix here, not the Hessian" in table
    assert "&lt;b&gt;fc&lt;/b&gt;" in table
    assert "accuracy" not in table


def test_a_result_without_fits_says_so(result):
    flat = replace(result, noise_floor=1e9, source=None)
    assert "γ" not in repr(flat)
    assert "No matrix has three directions" in flat._repr_html_()


def test_a_row_for_each_direction(result):
    frame = result.to_dataframe()
    assert frame.index.tolist() == list(range(1, 31))
    assert list(frame) == ["H", *result.names]
    np.testing.assert_array_equal(frame["C"], result.diagonal("C"))


def back_from_file(result, folder):
    result.save(folder / "kept.safetensors")
    return Analysis.load(folder / "kept.safetensors")


@pytest.mark.parametrize("away_and_back", [back_from_file, lambda result, _: pickle.loads(pickle.dumps(result))])
def test_saved_or_pickled_it_answers_the_same(result, away_and_back, tmp_path):
    again = away_and_back(result, tmp_path)
    assert again.provenance == result.provenance
    for name in result.names:
        assert again.exponent(name) == result.exponent(name)
        assert again.commutator(name) == pytest.approx(result.commutator(name), rel=1e-12)
        np.testing.assert_allclose(again.correlation(name, 30), result.correlation(name, 30), atol=1e-6)
        np.testing.assert_array_equal(again.random_correlation(name, 9), result.random_correlation(name, 9))
    assert repr(again.sampled()) == repr(result.sampled())


def test_what_is_no_saved_analysis_is_refused(tmp_path):
    file = tmp_path / "x.safetensors"
    for content in (
        b"",
        b"nothing of the kind",
        safetensors.numpy.save({"a": np.zeros(3)}),
        safetensors.numpy.save({"a": np.zeros(3)}, {"gammascope-analysis": json.dumps({"provenance": []})}),
        safetensors.numpy.save({"a": np.zeros(3)}, {"gammascope-analysis": "[" * 100_000}),
    ):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="no analysis that was written by save"):
            Analysis.load(file)
    with pytest.raises(ValueError, match="There is no file"):
        Analysis.load(tmp_path / "none")


def test_kept_under_a_name_it_is_a_run_with_these_numbers(result):
    key = keep(result, "by hand", epoch=7)
    run = library.find(Store(), key)
    assert (run.label, run.samples, run.checkpoints, run.studied) == ("by hand", 60, (7,), "0")
    assert run.layers == {"0": (5, 6)}
    assert run.history.train_loss.tolist() == [result.provenance.mean_loss]
    (analysed,) = library.analyses(Store(), key)
    again = library.load_analysis(Store(), key, analysed.key)
    for name in result.names:
        assert again.exponent(name) == result.exponent(name)
    with pytest.raises(ValueError, match="Epochs are counted from 0; -1 was given"):
        keep(result, "by hand", epoch=-1)
