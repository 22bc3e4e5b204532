"""What the tests of the loading page share: networks as files, and a page that reads them."""

from pathlib import Path

import pytest
import torch
from torch import nn

from cache.jobs import Jobs
from cache.store import Store
from engine.__main__ import main
from engine.config.command_line import parse
from engine.models.weight_files import parse as parse_weights
from engine.runs import estimate, external
from tests.pages.conftest import fine, opened, write_job
from tests.planted import CALIBRATION, add_preview

PAGE = "pages/load.py"


def digits_net(seed: int = 0, act: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 8), act(), nn.Linear(8, 6), act(), nn.Linear(6, 10))


def saved(path: Path, net: nn.Module) -> tuple[str, bytes, str]:
    torch.save(net.state_dict(), path)
    return path.name, path.read_bytes(), "application/octet-stream"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A cache with the digits' preview and a calibration; files are read in this process."""
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GAMMASCOPE_ROOTS", raising=False)
    here = Store(tmp_path / "cache")
    add_preview(here)
    estimate.keep_calibration(here, CALIBRATION)
    monkeypatch.setattr(
        "pages.rooms.load.source._inspected",
        lambda stamps, part: external.inspect([Path(path) for path, _, _ in stamps], part=part),
    )
    monkeypatch.setattr(external, "series", lambda files, part: (parse_weights(file, part) for file in files))
    monkeypatch.setattr(external, "read", parse_weights)
    return here


@pytest.fixture
def started(store, monkeypatch):
    """What is started is noted; a load is done at once, in this process."""
    noted = []
    # The page's script does not run in the main thread.
    monkeypatch.setattr("engine.__main__.signal.signal", lambda *_: None)

    def start(self, argv, title, run="", queue=True, request=None):
        noted.append(tuple(argv))
        code = main(argv) if argv[0] in ("load", "preview") else 0
        ended = {"state": "failed" if code else "done", "message": "It failed."}
        return write_job(self.root, f"noted-{len(noted)}", argv, title, 0, queue, request=request, **ended)

    monkeypatch.setattr(Jobs, "start", start)
    return noted


def uploaded(files, at=None):
    at = at or opened(PAGE)
    fine(at.file_uploader(key="loading.upload").set_value(files).run())
    return at


def asked(started, kind):
    """The command started last, which must be of this kind."""
    command = parse(started[-1])
    assert isinstance(command, kind)
    return command
