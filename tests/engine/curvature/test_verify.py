"""The check agrees with sound numbers, and with no others."""

import dataclasses

import numpy as np
import pytest
import torch

from engine import analyze
from engine.__main__ import main
from engine.curvature.verify import verify
from engine.results.names import NAMES
from engine.runs import library
from engine.samples.collect import look
from tests.reference import cases
from tests.small import pixels, saved


def analysed(case, loss="ce", dtype="float64", **more):
    result = analyze(
        case.model,
        case.inputs,
        case.targets,
        layer=case.layer,
        loss=loss,
        batch_size=5,
        dtype=dtype,
        device="cpu",
        bias=case.bias,
        **more,
    )
    return dataclasses.replace(result.kept(("C",)), spectra=result.sample_spectra())


NAMED = [*cases.CASES, "lonely", "silent"]


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        # Every case before one loss, and before the others where all is tried.
        pytest.param(name, loss, marks=[pytest.mark.slow] * ((i - j) % len(cases.LOSSES) != 0))
        for i, name in enumerate(NAMED)
        for j, loss in enumerate(cases.LOSSES)
    ],
)
def test_sound_numbers_are_confirmed(name, loss):
    case = {"lonely": cases.lonely, "silent": cases.silent}.get(name, lambda: cases.case(name))()
    result = analysed(case, loss)
    checks = verify(case.model, case.inputs, case.targets, result)
    elements = [c for c in checks if not c.what]
    assert {c.symbol for c in elements} == {"H", *result.names} - {"C_hh_sd_wd"}
    assert any(len(c.directions) == 2 for c in elements)
    assert not [c for c in checks if not c.agrees]
    assert max(c.error for c in elements) < 1e-6, "blocks are kept in float32"


@pytest.mark.parametrize("name", cases.CASES)
def test_the_fisher_matrix_of_every_kind_is_confirmed(name):
    case = cases.case(name)
    result = analysed(case, "mse", names=("C", "fisher"))
    assert result.names == ("C", "fisher")
    checks = [c for c in verify(case.model, case.inputs, case.targets, result) if not c.what]
    checks = [c for c in checks if len(c.directions) == 1]
    assert {c.symbol for c in checks} == {"H", "C", "fisher"}
    assert max(c.error for c in checks) < 1e-6


def test_of_several_layers_there_is_no_fisher_matrix():
    case = cases.case("relu_bias")
    with pytest.raises(ValueError, match="Of several layers jointly there is no fisher"):
        analyze(case.model, case.inputs, case.targets, ("fc1", "fc2"), names=("C", "fisher"))


def test_a_wrong_number_is_found():
    case = cases.case("relu_bias")
    result = analysed(case)
    bent = result.diagonal("C").copy()
    bent[0] *= 1.001
    wrong = dataclasses.replace(result, diagonals={**result.diagonals, "C": bent})
    checks = verify(case.model, case.inputs, case.targets, wrong)
    errors = {(c.symbol, c.directions): c.error for c in checks if not c.what}
    assert errors["C", (1,)] == pytest.approx(1e-3, rel=1e-3)
    assert errors["H", (1,)] < 1e-9


def test_samples_without_labels_are_refused():
    case = cases.case("relu_bias")
    result = analysed(case)
    with pytest.raises(ValueError, match="There are 8 inputs but 9 targets"):
        verify(case.model, case.inputs[1:], case.targets, result)
    with pytest.raises(ValueError, match="There are 8 inputs but 9 targets"):
        look(case.model, case.inputs[1:], case.targets, case.layer, "ce", 5, 0, tuple("abc"), "cpu")


def test_float32_numbers_agree_to_their_precision():
    case = cases.case("relu_bias")
    result = analysed(case, dtype="float32")
    assert max(c.error for c in verify(case.model, case.inputs, case.targets, result) if len(c.directions) == 1) < 1e-3


def test_other_samples_are_refused():
    case = cases.case("relu_bias")
    with pytest.raises(ValueError, match="were analysed, but"):
        verify(case.model, case.inputs[:-1], case.targets[:-1], analysed(case))


def test_the_command_fails_on_a_wrong_number(tmp_path, store, monkeypatch, capsys):
    data = saved(tmp_path, **pixels(60))
    assert main(["train", "--data", data, "--model", "16-6-5-3", "--epochs", "2", "--batch-size", "20"]) == 0
    assert main(["analyze", "--device", "cpu"]) == 0
    assert main(["check", "--device", "cpu"]) == 0
    assert "Not anew: σ_w²" in capsys.readouterr().err
    load = library.load_analysis

    def bent(*where):
        result = load(*where)
        return dataclasses.replace(result, diagonals=scaled(result.diagonals, "E_h2"))

    monkeypatch.setattr(library, "load_analysis", bent)
    assert main(["check", "--device", "cpu"]) == 1
    assert "numbers do not agree with the network: E[h²][1] of epoch 2 (off by 5%)" in capsys.readouterr().err


def test_an_analysis_without_probes_says_so():
    case = cases.case("relu_bias")
    without = dataclasses.replace(analysed(case), probes=None)
    with pytest.raises(ValueError, match="no directions to check"):
        verify(case.model, case.inputs, case.targets, without)


def test_probes_are_eigenvectors_that_survive_the_cache():
    case = cases.case("relu_bias")
    result = analysed(case)
    arrays, meta = result.to_arrays()
    again = type(result).from_arrays(arrays, meta)
    np.testing.assert_array_equal(again.probes.vectors, result.probes.vectors)
    np.testing.assert_allclose(
        again.probes.vectors.T @ again.probes.vectors, np.eye(again.probes.index.size), atol=1e-9
    )
    assert again.probes.index[0] == 0
    assert torch.from_numpy(again.probes.vectors).dtype == torch.float64


BENT = ("C", "E_h2", "C_awd", "C_hh", "C_hg", "C_gg", "C_hh_sd", "C_hh_sd_wd_li", "C_odds", "C_loss")


def scaled(mapping, name, factor=1.05):
    return {**mapping, name: mapping[name] * factor}


def bends():
    """A change of one thing that an analysis holds, and which numbers must not agree then."""

    def diagonal(name):
        return lambda r: {"diagonals": scaled(r.diagonals, name)}

    def whole(part):
        def bent(r):
            there = r.wholes["C"]
            return {"wholes": {"C": dataclasses.replace(there, **{part: getattr(there, part) * 1.05})}}

        return bent

    def off_diagonal(r):
        block = r.blocks["C"].copy()
        (i, j), c = r.probes.index[:2], np.sqrt(np.prod(np.diag(r.blocks["C"])[r.probes.index[:2]]))
        block[i, j] = block[j, i] = block[i, j] + 0.05 * c
        return {"blocks": {**r.blocks, "C": block}}

    def turned(r):
        vectors = r.probes.vectors.copy()
        vectors[:, :2] = vectors[:, :2] @ np.array([[0.8, -0.6], [0.6, 0.8]])
        return {"probes": dataclasses.replace(r.probes, vectors=vectors)}

    def nan(r):
        values = r.diagonals["C"].copy()
        values[-1] = np.nan
        return {"diagonals": {**r.diagonals, "C": values}}

    def unsuppressed(r):
        return {"spectra": dataclasses.replace(r.spectra, second=r.spectra.second * 1.05)}

    yield from ((name, diagonal(name), name) for name in BENT)
    yield "H", lambda r: {"eigenvalues": r.eigenvalues * 1.05}, "H"
    yield "a trace", lambda r: {"traces": scaled(r.traces, "E_h2")}, "tr E[h²]"
    yield "a square", lambda r: {"squares": scaled(r.squares, "C")}, "alignment of C"
    yield "a commutator", whole("top"), "commutator of C"
    yield "a spectrum", whole("spectrum"), "‖·‖² of C"
    yield "off the diagonal, R", off_diagonal, "R of C"
    yield "directions", turned, "H[1"
    yield "NaN", nan, "NaN in C"
    yield "suppression", unsuppressed, "unsuppressed E[h²]"


@pytest.mark.parametrize(("change", "words"), [pytest.param(c, w, id=n) for n, c, w in bends()])
def test_whatever_is_bent_is_found(change, words):
    case = cases.case("relu_bias")
    result = analysed(case)
    assert all(c.agrees for c in verify(case.model, case.inputs, case.targets, result))
    bent = dataclasses.replace(result, **change(result))
    wrong = [c for c in verify(case.model, case.inputs, case.targets, bent) if not c.agrees]
    expected = NAMES[words][0] if words in NAMES else words
    assert any(c.words.startswith(expected) for c in wrong), [c.words for c in wrong]


def test_a_wrong_slope_is_found(monkeypatch):
    case = cases.case("relu_bias")
    result = analysed(case)
    fit = type(result).fit
    monkeypatch.setattr(
        type(result), "fit", lambda *args: dataclasses.replace(fit(*args), gamma=fit(*args).gamma + 0.05)
    )
    wrong = [c for c in verify(case.model, case.inputs, case.targets, result) if not c.agrees]
    assert {c.what for c in wrong} == {"γ of"}
