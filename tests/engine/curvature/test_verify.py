"""The check agrees with sound numbers, and with no others."""

import dataclasses

import numpy as np
import pytest
import torch

from engine import analyze
from engine.curvature.verify import verify
from engine.samples.collect import look
from tests.reference import cases


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
    return result.kept(("C",))


@pytest.mark.parametrize("loss", cases.LOSSES)
@pytest.mark.parametrize("name", [*cases.CASES, "lonely", "silent"])
def test_sound_numbers_are_confirmed(name, loss):
    case = {"lonely": cases.lonely, "silent": cases.silent}.get(name, lambda: cases.case(name))()
    result = analysed(case, loss)
    checks = verify(case.model, case.inputs, case.targets, result)
    assert {c.symbol for c in checks} == {"H", "C", "C_awd"}
    assert any(len(c.directions) == 2 for c in checks)
    for check in checks:
        if len(check.directions) == 1:
            assert check.error < 1e-6, check
        else:
            # Off the diagonal C may vanish; blocks are kept in float32.
            size = np.sqrt(np.prod([result.diagonal("C")[i - 1] for i in check.directions]))
            assert abs(check.kept - check.anew) < 1e-6 * size, check


@pytest.mark.parametrize("name", cases.CASES)
def test_the_fisher_matrix_of_every_kind_is_confirmed(name):
    case = cases.case(name)
    result = analysed(case, "mse", names=("C", "fisher"))
    assert result.names == ("C", "fisher")
    checks = [c for c in verify(case.model, case.inputs, case.targets, result) if len(c.directions) == 1]
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
    errors = {(c.symbol, c.directions): c.error for c in verify(case.model, case.inputs, case.targets, wrong)}
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
