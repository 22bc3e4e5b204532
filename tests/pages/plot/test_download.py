"""What leaves a figure is what is behind it."""

import io

import numpy as np
import pandas as pd
from streamlit.testing.v1 import AppTest

from pages.plot import download

ARRAYS = {"H": np.array([3.0, 1e-12, 2.5e7]), "gamma": np.float64(1.25), "K": np.arange(4.0).reshape(2, 2)}


def test_csv_holds_every_number_under_its_name():
    read = pd.read_csv(io.StringIO(download.csv(ARRAYS)))
    assert list(read) == ["H", "gamma", "K[1]", "K[2]"]
    np.testing.assert_array_equal(read["H"], ARRAYS["H"])
    assert read["gamma"].dropna().tolist() == [1.25]
    np.testing.assert_array_equal(read[["K[1]", "K[2]"]].dropna(), ARRAYS["K"])


def test_npz_gives_the_arrays_back_without_pickle():
    with np.load(io.BytesIO(download.npz(ARRAYS)), allow_pickle=False) as read:
        assert set(read.files) == set(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(read[name], array)


def test_the_dialog_offers_both_files_and_the_code():
    def page():
        import numpy as np

        from pages.plot import download

        download.offer("f", "A line.", lambda: {"x": np.arange(3)}, lambda: "print(1)")

    at = AppTest.from_function(page, default_timeout=60).run()
    assert not at.exception
    assert "x (3)" in at.caption[0].value
    assert at.code[0].value == "print(1)"
    assert len(at.get("download_button")) == 2
