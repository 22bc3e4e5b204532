"""Where the numbers of a figure come from, in the line under it and on a terminal."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from engine.cli.console import table
from pages.ui.controls import provenance
from tests import planted


def test_how_near_leading_directions_are_to_eigenvectors_is_said() -> None:
    whole = planted.analysis()
    leading = replace(whole, residuals=np.linspace(0, 7e-6, whole.k))
    sentence = f"the leading {whole.k:,} directions, eigenvectors of H to within 7e-06 of H_11"
    for analysis, said in ((leading, True), (whole, False)):
        chosen = SimpleNamespace(request=SimpleNamespace(layers=("fc2",)))
        view = SimpleNamespace(analysis=analysis, run=SimpleNamespace(key="0" * 16), epoch=1, chosen=chosen)
        assert (sentence in provenance(view).replace("\u00a0", " ")) == said
        assert (sentence in table(analysis).splitlines()[0]) == said
