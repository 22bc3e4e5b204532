"""What the tests of the pages share: opening one, reading what it drew and says, and noting what it would start."""

import base64
import json
import os
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from streamlit.testing.v1 import AppTest

from cache.jobs import Jobs
from engine.config.command_line import parse
from engine.config.commands import to_json
from engine.runs import estimate, library
from tests.planted import CALIBRATION, add_film, add_noise, add_preview, add_spectra, add_sweep
from tests.planted_plane import add_planes
from tests.planted_samples import add_samples

ROOT = Path(__file__).parents[2]


# -- a page -----------------------------------------------------------------------------------------------


def opened(page="app.py", **params):
    """A page after its first run, as a deep link with these parameters opens it."""
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    if page != "app.py":
        at.switch_page(page)
    for name, value in params.items():
        at.query_params[name] = value
    return fine(at.run())


def fine(at):
    """The page, which must show neither an exception nor an error."""
    assert not at.exception, at.exception
    assert not at.error, [e.value for e in at.error]
    for text in (*at.markdown, *at.caption):
        assert "Traceback" not in text.value
    return at


def url(at):
    """The parameters of the page's address."""
    return {k: v[0] if isinstance(v, list) else v for k, v in at.query_params.items()}


def texts(at):
    """All that the page says outside its figures."""
    return "\n".join(e.value for e in (*at.markdown, *at.caption, *at.info, *at.warning, *at.success))


def shows(at, part):
    """The texts of the page that hold a part."""
    return [text.value for text in (*at.caption, *at.markdown) if part in text.value]


def metrics(at):
    """The large numbers of the page by their labels."""
    return {m.label: m.value for m in at.metric}


def widget(at, kind, label):
    """The first widget of a kind whose label begins so."""
    return next(w for w in getattr(at, kind) if w.label.startswith(label))


def press(at, kind, label, value):
    """Give this widget a value."""
    return fine(widget(at, kind, label).set_value(value).run())


def button(at, label):
    """The button with this label."""
    return next(b for b in at.button if b.label == label)


# -- its figures ------------------------------------------------------------------------------------------


def charts(at):
    """The keys of all figures on the page."""
    drawn = (c.proto for c in at.get("bidi_component") if c.proto.component_name.endswith("gammascope_plot"))
    return [proto.id.rsplit("-", 1)[1] for proto in drawn]


def sent(at, key):
    """What the browser gets for the figure under a key."""
    components = [c for c in at.get("bidi_component") if c.proto.id.endswith(f"-{key}")]
    assert len(components) == 1, charts(at)
    return json.loads(components[0].proto.bytes)


def chart(at, key):
    """The figure under a key, as the browser gets it."""
    return sent(at, key)["figure"]


def by_meta(at, key):
    """The traces of a figure by what they stand for; the first, where several stand for the same."""
    return {t["meta"]: t for t in reversed(chart(at, key)["data"]) if isinstance(t.get("meta"), str)}


def heat(at, key):
    """The cells of a heatmap that are inside its axes."""
    figure = chart(at, key)
    ends = figure["layout"]["xaxis"]["range"]
    count = round(max(ends) - min(ends))
    return decode(figure["data"][0]["z"])[:count, :count]


def decode(value):
    """An array of a figure's JSON, as the browser reads it."""
    if isinstance(value, dict) and "bdata" in value:
        flat = np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"])
        return flat.reshape([int(n) for n in str(value.get("shape", flat.size)).split(",")])
    return np.array(value)


def traces(figure, **fields):
    """The traces of a figure with these properties; there must be one."""
    those = [t for t in json.loads(figure.to_json())["data"] if all(t.get(k) == v for k, v in fields.items())]
    assert those, f"no trace with {fields}"
    return those


def slope(trace):
    """Of a line on log axes, between its ends."""
    x, y = decode(trace["x"]), decode(trace["y"])
    return np.log10(y[-1] / y[0]) / np.log10(x[-1] / x[0])


# -- what is there and what is started --------------------------------------------------------------------


def result(store, run, epoch):
    """The analysis of an epoch."""
    (made,) = [a for a in library.analyses(store, run) if a.request.epoch == epoch]
    return library.load_analysis(store, run, made.key)


@pytest.fixture
def prepared(store):
    """The preview of the digits and a calibration are in the cache: nothing has to be looked at or measured first."""
    add_preview(store)
    estimate.keep_calibration(store, CALIBRATION)


@pytest.fixture
def whole(store, run, prepared):
    """The key of a planted run beside everything that pages may ask for: spectra, samples, a film, a table."""
    add_spectra(store, run, 100)
    add_samples(store, run, 0, 10, 100)
    add_noise(store, run)
    add_planes(store, run, 0, 10, 100)
    add_film(store)
    add_sweep(store)
    return run


@pytest.fixture
def started(store, monkeypatch):
    """Command and whether it is queued of each job that the page would start; its record alone is written."""
    noted = []

    def start(self, argv, title, run="", queue=True, request=None):
        noted.append((tuple(argv), queue))
        return write_job(self.root, f"noted-{len(noted)}", argv, title, os.getpid(), queue=queue, request=request)

    monkeypatch.setattr(Jobs, "start", start)
    return noted


def write_job(root, id, argv, title, pid, queue=True, created=None, request=None, **progress):
    """The record of a job, as it is kept."""
    folder = root / id
    folder.mkdir(parents=True)
    begun = psutil.Process(pid).create_time() if psutil.pid_exists(pid) and pid else 1.0
    record = {"argv": list(argv), "title": title, "created": created or time.time(), "run": "", "queue": queue}
    record |= {"request": to_json(parse(argv)) if request is None else request, "pid": pid, "started": begun}
    (folder / "job.json").write_text(json.dumps(record))
    if progress:
        (folder / "progress.json").write_text(json.dumps(progress))
    job = Jobs(root).job(id)
    assert job is not None
    return job
