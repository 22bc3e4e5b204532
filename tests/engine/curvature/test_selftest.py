"""The self-test holds on sound formulas, and falls over a bent one."""

import pytest

from engine import formulas
from engine.__main__ import main
from engine.curvature import covariances, selftest
from engine.results.record import Check

SHORT = {name: selftest.KINDS[name] for name in ("linear", "conv2d", "attention, v", "jointly")}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(selftest, "KINDS", SHORT)
    monkeypatch.setattr(selftest, "LOSSES", ("ce",))


def test_every_kind_that_is_tried_holds(capsys):
    assert main(["selftest", "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert out.count("holds") == 2 * len(SHORT)
    assert "1e-06" in out
    assert "1e-02" in out
    assert "8 analyses hold on CPU, " in err
    assert "thread" in err


def test_a_bent_formula_is_caught(monkeypatch, capsys):
    combinations = covariances.combinations

    def bent(batch_size, survey=None):
        named = dict(combinations(batch_size, survey))
        return named | {"C": covariances.Combination(named["C"].moments)}

    monkeypatch.setattr(covariances, "combinations", bent)
    assert main(["selftest", "--device", "cpu"]) == 1
    out, err = capsys.readouterr()
    assert "WRONG" in out
    assert "are wrong on CPU" in err


def test_what_is_refused_does_not_hold(monkeypatch):
    covariance = formulas._covariance
    monkeypatch.setattr(formulas, "_covariance", lambda p, other: covariance(p, other) * 1.1)
    for verdict in selftest.verdicts("cpu"):
        assert not verdict.holds
        assert "not what its factors say" in verdict.worst.words or "jointly" in verdict.kind


def test_a_number_that_is_none_does_not_hold():
    nan = Check("C", (1,), float("nan"), 1.0)
    assert not selftest.Verdict("linear", "ce", "float32", (nan,)).holds
