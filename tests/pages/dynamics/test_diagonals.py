"""The diagonals at one epoch: the parts of the prediction and its approximations."""

import numpy as np
import pytest

from tests.pages.conftest import decode, fine, result, url
from tests.pages.dynamics.conftest import by_name


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("parts", ("C_awd", "C_hh", "C_hg", "C_gg")),
        ("approximations", ("C_awd", "C_hh_sd", "C_hh_sd_wd", "C_hh_sd_wd_li")),
    ],
)
def test_the_epoch_moves_the_diagonals(at, store, run, key, names):
    for epoch in (100, 10):
        if epoch != 100:
            fine(at.select_slider[0].set_value(epoch).run())
        at_epoch, drawn = result(store, run, epoch), by_name(at, key)
        assert tuple(drawn) == names
        for name in names:
            index = decode(drawn[name]["x"])
            np.testing.assert_allclose(decode(drawn[name]["y"]), np.abs(at_epoch.diagonal(name)[index - 1]))
    assert url(at)["epoch"] == "10"


def test_the_captions_tell_the_shares_of_the_parts_and_the_sizes_of_the_approximations(at, store, run):
    a = result(store, run, 100)
    share = a.diagonal("C_hh").sum() / a.diagonal("C_awd").sum()
    assert any(f"$C_{{hh}}$ {share:.1%}" in c.value for c in at.caption)
    assert any("positive in all" in c.value for c in at.caption)
    assert any(f"Shaded: {(a.eigenvalues <= a.noise_floor).sum()} directions" in c.value for c in at.caption)
