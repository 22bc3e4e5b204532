"""The dashboard as a whole: its address, what it loads, whom it serves."""

import subprocess
import sys
import tomllib
from pathlib import Path

from pages.state import selection
from pages.state.selection import Selection

ROOT = Path(__file__).parents[3]


def test_a_selection_survives_the_way_through_the_url():
    chosen = Selection(
        run="0123456789abcdef",
        epoch=5,
        layer="fc2",
        matrix="C_hh",
        matrices=("C", "E_h2"),
        k=17,
        window=(3, 400),
        draw=2,
        centred=True,
    )
    assert selection.from_url(selection.to_url(chosen)) == chosen
    assert selection.from_url(selection.to_url(Selection())) == Selection()


def test_the_dashboard_never_loads_torch():
    code = (
        "import sys\n"
        "from pages.charts import curves, heatmaps, power_law\n"
        "from pages.data import results\nfrom pages.jobs import watch\nfrom pages.shell import frame\n"
        "from pages.state import selection\nfrom pages.text import definitions\nfrom pages.ui import cards, controls\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_no_page_lets_data_write_html():
    for file in (ROOT / "app.py", *(ROOT / "pages").rglob("*.py")):
        assert "unsafe_allow_html" not in file.read_text()
    assert len((ROOT / "app.py").read_text().splitlines()) < 100


def test_the_server_listens_here_only_and_tells_nobody():
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert config["server"]["address"] == "localhost"
    assert set(config["server"]["allowedHosts"]) == {"localhost", "127.0.0.1"}
    assert config["server"]["maxUploadSize"] <= 200
    assert config["server"]["showEmailPrompt"] is False
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["showErrorDetails"] == "none"
    # A whole core, taken from the training beside it, where an environment lies in this folder.
    assert config["server"]["fileWatcherType"] == "none"
