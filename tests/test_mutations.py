"""Bent formulas are caught: eight here, all of them where asked for."""

import pytest

from tests.mutations import MUTATIONS, ROOT, caught

QUICK = [m for m in MUTATIONS if m.quick]


def test_each_bends_one_line_that_is_there():
    assert len(MUTATIONS) >= 40
    assert len(set(MUTATIONS)) == len(MUTATIONS)
    for mutation in MUTATIONS:
        source = (ROOT / "engine" / mutation.file).read_text(encoding="utf-8")
        assert mutation.old in source, mutation
        assert "\n" not in mutation.old + mutation.new
        assert mutation.old != mutation.new


def test_the_sound_engine_is_not_accused():
    assert caught(None) == ""


@pytest.mark.parametrize("mutation", QUICK, ids=lambda m: m.new)
def test_a_quick_one_is_caught(mutation):
    assert caught(mutation, mutation.by)


@pytest.mark.slow
@pytest.mark.parametrize("mutation", [m for m in MUTATIONS if not m.quick], ids=lambda m: m.new)
def test_every_other_is_caught(mutation):
    assert caught(mutation, mutation.by)


def test_there_are_eight_quick_ones():
    assert len(QUICK) == 8
