"""The fuzzer itself, a short run of it, and, slow, a longer one over every parser."""

import pytest

from tests import fuzz
from tests.fuzz import PARSERS, Parser, cases, finds, outcome


def raising(error):
    def read(folder, content):
        raise error

    return Parser(lambda folder: [b"a"], read)


UNICODE = UnicodeDecodeError("utf-8", b"", 0, 1, "")


@pytest.mark.parametrize("error", [TypeError("a"), RecursionError(), KeyError("a"), ValueError(""), UNICODE])
def test_what_is_no_sentence_is_a_find(tmp_path, error):
    assert outcome(raising(error), tmp_path, b"")


def test_a_sentence_is_none(tmp_path):
    assert not outcome(raising(ValueError("The file is damaged.")), tmp_path, b"")
    assert not outcome(raising(FileNotFoundError("There is no file.")), tmp_path, b"")


def test_a_canary_that_flew_is_a_find(tmp_path):
    parser = Parser(lambda folder: [b""], lambda folder, content: (folder / fuzz.CANARY).touch())
    assert outcome(parser, tmp_path, b"") == "the canary flew"


def test_one_seed_makes_the_same_cases(tmp_path):
    first, second, other = (cases(PARSERS["sweep"], seed, tmp_path) for seed in ("0", "0", "1"))
    contents = [[next(one) for _ in range(40)] for one in (first, second, other)]
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize("name", ["entry", "address"])
def test_a_few_cases(tmp_path, name):
    assert finds(name, 0, 100, 5, tmp_path)[0] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_many_cases(tmp_path, name):
    assert finds(name, 1, 1000, 30, tmp_path)[0] == []
