"""The numbers of every reference case stay what they were."""

import numpy as np
import pytest

from tests.pins import numbers


@pytest.fixture(scope="module")
def goldens():
    return numbers.read()


@pytest.mark.parametrize("dtype", numbers.TOLERANCE)
@pytest.mark.parametrize("subject", numbers.SUBJECTS)
def test_numbers_stay(subject, dtype, goldens):
    """float32 against the same goldens: to 1e-5 of each matrix's norm."""
    made = dict(numbers.analyses(subject, dtype))
    assert set(made) == {name for name in goldens if name.split("/")[0] == subject}
    for name, result in made.items():
        numbers.compare(numbers.numbers(result), goldens[name], numbers.TOLERANCE[dtype], f"{name} in {dtype}")


def test_a_number_that_moves_is_seen(goldens):
    """Every array of an analysis that is kept is compared as finely as it is defined."""
    kept = goldens["tanh/fc2"]
    numbers.compare(kept, kept, 1e-12, "itself")
    for name, values in kept.items():
        moved = kept | {name: values * (1 + (1e-2 if name.endswith("law") else 1e-7))}
        with pytest.raises(AssertionError, match=name):
            numbers.compare(moved, kept, 1e-12, "moved")
    with pytest.raises(AssertionError, match="one side only"):
        numbers.compare({n: v for n, v in kept.items() if n != "C/law"}, kept, 1e-12, "lost")
    with pytest.raises(AssertionError, match="C/law"):
        numbers.compare(kept | {"C/law": np.full(4, np.nan)}, kept, 1e-12, "gone")
