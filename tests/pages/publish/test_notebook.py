"""The dashboard's figures of a result in hand, and the notebook in docs."""

import ast
import json
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from engine import Analysis
from pages.publish import notebook

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def cells():
    """What the cells of the notebook in docs make, by name, and the value of each cell's last line."""
    names, values = {}, []
    for cell in json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]))
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, "cell", "exec"), names)
            values.append(last and eval(ast.unparse(last), names))
    return names, values


def test_the_notebook_in_docs_runs_to_its_end_and_shows_a_law(cells):
    names, values = cells
    assert isinstance(names["result"], Analysis)
    figures = [value for value in values if isinstance(value, go.Figure)]
    assert len(figures) >= 3
    assert any(f"γ = {names['result'].fit('C').gamma:.2f}" in str(trace.name) for trace in figures[0].data)


def test_each_figure_shows_the_numbers_of_the_result(cells, tmp_path):
    result = cells[0]["result"]
    k = 10
    names = [str(trace.name) for trace in notebook.power_law(result, "C", top_k=k).data]
    assert any(f"γ = {result.fit('C', k).gamma:.2f}" in name for name in names)
    np.testing.assert_allclose(notebook.correlation(result, "C", k).data[0].z, result.correlation("C", k), atol=1e-6)
    turned = notebook.random_correlation(result, "C", k, seed=3).data[0].z
    np.testing.assert_allclose(turned, result.random_correlation("C", k, 3), atol=1e-6)
    for figure in (notebook.residuals(result), notebook.gamma_by_window(result), notebook.covariance(result, k=k),
                   notebook.alignments(result)):  # fmt: skip
        assert figure.data
        assert figure.layout.paper_bgcolor == "#ffffff"
