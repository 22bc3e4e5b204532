"""What is kept of an Analysis answers as before, and the rest is refused."""

import dataclasses
import io
import json

import numpy as np
import pytest

from engine.results.analysis import Analysis
from engine.results.jackknife import Jackknife
from tests.engine.results.conftest import D, analysis, provenance
from tests.reference.twins import compare

# -- keeping ----------------------------------------------------------------------------------------------


def assert_same(a, b):
    """The two analyses hold the same arrays and values."""
    (arrays, meta), (others, other_meta) = a.to_arrays(), b.to_arrays()
    assert set(arrays) == set(others)
    for name, value in arrays.items():
        assert value.dtype == others[name].dtype, name
        np.testing.assert_array_equal(value, others[name])
    assert meta == other_meta
    for name in ("provenance", "noise_floor", "traces", "squares", "names"):
        assert getattr(a, name) == getattr(b, name), name


@pytest.mark.parametrize("kept", [False, True])
def test_an_analysis_survives_the_cache(kept, bootstrapped):
    replicates = {name: bootstrapped.replicates[name][:, :D] for name in ("H", "C")}
    jackknife = Jackknife(np.arange(D + 1), replicates)
    changes = {"replicates": replicates, "jackknife": jackknife}
    result = analysis(**changes, provenance=provenance(anchors_per_class=None, bias=True))
    if kept:
        result = result.kept(["C", "C_awd"], block=6)
    arrays, meta = result.to_arrays()
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        back = Analysis.from_arrays(dict(stored), json.loads(json.dumps(meta)))
    assert_same(back, result)
    assert (back.names, back.source) == (result.names, None)
    assert back.basis is not None
    assert back.basis.dtype == (np.float32 if kept else np.float64)
    assert set(back.wholes) == ({"C", "C_awd"} if kept else set())
    assert back.fit("C") == result.fit("C")
    assert back.fit("C").interval is not None
    without = [dataclasses.replace(a, replicates={}).fit("C") for a in (back, result)]
    assert without[0] == without[1]
    assert without[0].interval != back.fit("C").interval, "that of the jackknife"
    compare(back.suppress(keep=1).noise_diagonal, result.suppress(keep=1).noise_diagonal, 0.0, "suppression")
    if kept:
        assert back.commutator("C_awd", "top", 4) == result.commutator("C_awd", "top", 4)


def test_an_analysis_without_spectra_survives_the_cache():
    back = Analysis.from_arrays(*analysis(spectra=None).to_arrays())
    assert back.spectra is None
    assert_same(back, analysis(spectra=None))


def test_what_is_kept_answers_as_before():
    whole = analysis()
    kept = whole.kept(["C"], block=6)
    assert kept.source is None
    assert kept.basis is not None
    np.testing.assert_allclose(kept.basis, whole.basis, atol=1e-7)
    assert {b.shape for b in kept.blocks.values()} == {(6, 6)}
    for name in whole.names:
        compare(kept.projected(name, 6), whole.projected(name, 6), 1e-6, f"K of {name}")
        assert kept.projected(name, 4).dtype == np.float64
        compare(kept.projected(name, 4), kept.projected(name, 6)[:4, :4], 0.0, f"smaller K of {name}")
        assert kept.fit(name) == whole.fit(name)
        assert kept.alignment(name) == whole.alignment(name)
        assert kept.random_commutator(name) == whole.random_commutator(name)
    for part, k in (("whole", None), ("top", 9), ("bulk", 9)):
        assert kept.commutator("C", part, k) == whole.commutator("C", part, k)
    compare(kept.random_correlation("C", 8, 3), whole.random_correlation("C", 8, 3), 0.0, "R_rand")
    again = kept.kept(["C"], block=6)
    assert_same(again, kept)


def test_a_small_analysis_keeps_all_its_directions():
    kept = analysis(k=5).kept([])
    assert {b.shape for b in kept.blocks.values()} == {(5, 5)}
    assert not kept.wholes


def test_whole_matrix_numbers_are_only_computed_when_asked_for():
    result = analysis()
    result.fit("C")
    result.alignment("C")
    result.random_commutator("C_awd")
    assert result.source.asked == []
    result.kept(["C"], block=3)
    assert sorted(result.source.asked) == ["C", "C", "C_awd", "E_h2"]


# -- errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (
            lambda r: r.projected("C", 7),
            r"Of C this analysis keeps the leading 6 directions, not 7\. Choose a smaller k",
        ),
        (lambda r: r.correlation("C", 7), "keeps the leading 6 directions"),
        (lambda r: r.commutator("E_h2"), r"only of C, C_awd, not of E_h2\. Choose one of them"),
        (lambda r: r.random_correlation("E_h2", 3), "whole-matrix numbers only of C, C_awd"),
        (lambda r: dataclasses.replace(r, wholes={}).whole("C"), "only of no matrix"),
        (lambda r: dataclasses.replace(r, blocks={}).projected("C", 2), "keeps the leading 0 directions"),
        (lambda r: dataclasses.replace(r, spectra=None).suppress(), "kept no per-sample spectra. Analyse again"),
    ],
)
def test_what_was_not_kept_is_said(ask, sentence):
    with pytest.raises(ValueError, match=sentence):
        ask(analysis().kept(["C", "C_awd"], block=6))


def test_leading_directions_are_kept_as_far_as_they_are_few_numbers(monkeypatch):
    monkeypatch.setattr("engine.results.matrices.LEADING", 5)
    kept = analysis().kept([], block=6)
    assert kept.basis is not None
    assert kept.basis.shape == (D, 5)
    probes = kept.portable().probes
    assert kept.kept([], block=6).probes is probes, "not those of the leading directions alone"
    monkeypatch.setattr("engine.results.matrices.NUMBERS", 2 * D + 1)
    few = analysis().kept([], block=6)
    assert few.basis is not None
    assert few.basis.shape == (D, 2)
