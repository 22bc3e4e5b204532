"""The dashboard as a whole: its address, what it loads, whom it serves."""

import subprocess
import sys
import tomllib
from pathlib import Path

from pages.state.menu import MENU

ROOT = Path(__file__).parents[3]


def test_the_dashboard_never_loads_torch():
    code = (
        "import sys\n"
        "from pages.charts import curves, heatmaps, power_law\n"
        "from pages.data import results\nfrom pages.jobs import watch\nfrom pages.shell import frame\n"
        "from pages.state import selection\nfrom pages.text import definitions\nfrom pages.ui import cards, controls\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


DRAWN = """
import sys
from pathlib import Path
from pages.shell import frame

class Drawn(BaseException): ...

def menu():
    raise Drawn

frame._menu = menu
for door in (Path("app.py"), *(f for f in Path("pages").glob("*.py") if f.name != "__init__.py")):
    try:
        exec(door.read_text())
    except Drawn:
        print(door, {"pandas", "scipy", "torch"} & sys.modules.keys() or "light")
"""


def test_the_menu_is_drawn_before_pandas_is_loaded():
    done = subprocess.run([sys.executable, "-c", DRAWN], cwd=ROOT, check=False, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == sum(map(len, MENU.values()))
    assert not [line for line in lines if not line.endswith(" light")]


def test_no_page_lets_data_write_html():
    for file in (ROOT / "app.py", *(ROOT / "pages").rglob("*.py")):
        assert "unsafe_allow_html" not in file.read_text()


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
