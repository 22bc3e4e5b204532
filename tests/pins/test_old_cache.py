"""A cache written by an earlier version still opens, on every page, and nothing of it is computed anew.

tests/pins/cache was written by commit 6a4da6f, by these commands among others, in a folder of data of its own:

    python -m engine train --data small.npz --model 49-4-4-3 --batch-size 6 --learning-rate 0.5 --epochs 12 \\
        --checkpoints 0,4 --analyze last,all --every-sample last,0,4
    python -m engine analyze --layer fc2+fc3
    python -m engine check
    python -m engine film … and python -m engine sweep tests/pins/cache/sweeps/own-ac38f9406e5f.toml

It is never written again: a later version may only add another.
"""

import os
import shutil
from pathlib import Path

import pytest

from cache.jobs import Jobs
from cache.store import Store
from engine.__main__ import main
from engine.runs import estimate, library
from engine.runs.recording import read as read_film
from engine.samples import table
from engine.sweeps.grid import open_sweep
from engine.sweeps.status import states
from pages.state.menu import MENU
from tests.pages.conftest import button, opened, url, write_job
from tests.planted import CALIBRATION

RUN, OTHER, FILM, SWEEP = "dd1ecfa24c2591bd", "db2d70bed08a2f06", "30f6c353b4cb597a", "own-ac38f9406e5f"
WRITTEN = Path(__file__).with_name("cache")
TRAIN = "train --data small.npz --model 49-4-4-3 --batch-size 6 --learning-rate 0.5 --epochs 12 --checkpoints 0,4"
FILES = {entry.name: entry.file for group in MENU.values() for entry in group}
# What a page of its time says of the run.
SEEN = {
    "start": "γ of $C$ is **1.115**, 95 % 1.033 … 1.197.",
    "train": "Key dd1ecfa2",
    "load": "Key dd1ecfa2",
    "commutativity": "Root mean square 0.469, by chance 0.649",
    "power_law": "| $C$ | **1.115** ± 0.036 | 1.033 … 1.197 |",
    "layers": "At epoch 12 γ of $C$ is **1.12** in fc2, and no other layer has one to compare it with.",
    "table": "of C 1.128, C_AWD 1.018.",
    "dynamics": "From epoch 0 to 12: $C$ **0.93 → 1.12**; $C_\\mathrm{AWD}$ **0.55 → 0.81**.",
    "suppression": "γ of $\\mathrm{E}[h^2]$ is **1.067**, 95 % 1.028 … 1.105.",
    "duality": "\\ell(a;\\,W + t\\Delta W^*) &= 0.0956083",
    "sample": "makes up **31.03%** of $H_{1,1}$",
    "sandbox": "A run of long ago",
    "fisher": "at epoch 0 B·C is in sum 0.68 H, γ = 0.93; at epoch 12 B·C is in sum 0.19 H, γ = 1.12",
    "film": "**Epoch 6** · **γ = 0.95** (C_AWD 0.56) · commutator error 0.36 (chance 1.18)",
    "tours": "A tour of long ago",
    "glossary": "$H_{11} = 0.198$, $H_{10,10} = 3.82\\cdot 10^{-4}$",
    "runs": "A run of long ago",
}
# γ of C and its interval over samples, γ of E[h²] and the commutator error of C, by epoch and layer.
MEASURED = {
    (0, "fc2"): (0.9347243530883604, 0.8730615737638984, 0.9963871324128225, 1.0970009573333104, 0.25425472061684995),
    (4, "fc2"): (0.9057887876395794, 0.8312705899975743, 0.9803069852815844, 1.2104698649479404, 0.46745640868069216),
    (12, "fc2"): (1.1151810678070122, 1.033090480339204, 1.1972716552748204, 1.0665525518778565, 0.4287859911599689),
    (12, "fc2+fc3"): (
        1.0927707816138799,
        0.7499806107259512,
        1.4355609525018085,
        0.7304274915147493,
        0.375506865727319,
    ),
}


@pytest.fixture
def started(monkeypatch):
    """The commands of the jobs that were to be started; none is."""
    noted = []

    def start(self, argv, *_, **__):
        noted.append(tuple(argv))
        raise OSError("No job is started here.")

    monkeypatch.setattr(Jobs, "start", start)
    return noted


@pytest.fixture
def old(tmp_path, monkeypatch, started):
    """A copy of the old cache that the pages take for theirs."""
    root = tmp_path / "cache"
    shutil.copytree(WRITTEN, root)
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(root))
    monkeypatch.setenv("GAMMASCOPE_DATA", str(root / "data"))
    # The speed of this machine is none of what was kept.
    estimate.keep_calibration(Store(root), CALIBRATION)
    return Store(root)


def words(at):
    """All that a page says, in its figures too."""
    texts = [*at.markdown, *at.caption, *at.info, *at.success, *at.metric]
    drawn = [str(part.proto) for part in at.get("bidi_component")]
    return "\n".join([*(str(text.value) for text in texts), *(str(box.options) for box in at.selectbox), *drawn])


def test_every_page_of_its_time_is_there():
    assert set(SEEN) <= set(FILES)


@pytest.mark.parametrize("page", FILES)
def test_a_page_shows_an_old_run_and_starts_nothing(old, started, page):
    at = opened(FILES[page], run=RUN, film=FILM, sweep=SWEEP)
    assert SEEN.get(page, "") in words(at)
    assert started == []
    assert url(at)["run"] == RUN
    assert old.damage_log() == ()


def test_layers_that_were_studied_jointly_are_shown(old):
    assert "**1.093**" in words(opened(FILES["power_law"], run=RUN, layer="fc2+fc3"))
    assert old.damage_log() == ()


LACKING = dict.fromkeys(("duality", "sample", "fisher"), "Look at every sample") | {"held_out": "Look at other samples"}


@pytest.mark.parametrize("page", [*LACKING, "suppression", "start", "power_law", "commutativity", "dynamics"])
def test_what_an_entry_lacks_is_offered_and_not_made(old, started, page):
    """As versions wrote it that kept no samples, no spectra, no jackknife and no eigenvectors to be checked."""
    old.delete("runs", RUN, "samples")
    for name in old.list("runs", RUN, "analyses"):
        path = ("runs", RUN, "analyses", name)
        entry = old.read(*path)
        main = {n: array for n, array in entry.arrays().items() if not n.startswith(("jackknife", "probes"))}
        old.write(path, dict(entry.meta), {"main": main, "blocks": entry.arrays("blocks")})
    at = opened(FILES[page], run=RUN)
    assert started == []
    if page in LACKING:
        button(at, LACKING[page]).click().run()
        ((command, *_),) = started
        assert command == ("analyze" if page == "held_out" else "samples")


def test_the_numbers_of_an_old_run(old):
    other, run = sorted(library.runs(old), key=lambda r: bool(r.label))
    assert (run.key, run.label, run.checkpoints, run.finished) == (RUN, "A run of long ago", (0, 4, 12), True)
    assert (other.key, other.request.loss, other.request.model.activation) == (OTHER, "mse", "tanh")
    assert len(run.history) == 13
    assert run.history.train_loss[-1] == 0.08417151217711055
    made = {(a.request.epoch, a.request.layer): a for a in library.analyses(old, RUN)}
    assert set(made) == set(MEASURED)
    for place, numbers in MEASURED.items():
        result = library.load_analysis(old, RUN, made[place].key, spectra=True)
        fit = result.fit("C")
        read = (fit.gamma, *fit.interval, result.fit("E_h2").gamma, result.commutator("C"))
        assert read == pytest.approx(numbers, rel=1e-12), place
        assert (result.spectra is None) == (place[1] == "fc2+fc3")
    assert library.checks(old, RUN, made[12, "fc2"].key)[0].anew == 0.19845189456988388
    looked = table.read(old, run, 12, "fc2")
    assert looked.kappa[0, 0] == pytest.approx(0.12711501121520996, rel=1e-12)
    assert table.pictures(old, run).shape == (36, 7, 7)


def test_an_old_film_an_old_sweep_and_an_old_job(old):
    film = read_film(old, FILM)
    assert [frame.epoch for frame in film.frames] == [0, 2, 4, 6]
    assert film.last.gamma == 0.9476967215765304
    assert [change.words for change in film.changes] == ["η 0.5 → 0.1", "B 6 → 3"]
    cells = states(old, open_sweep(str(old.root / "sweeps" / f"{SWEEP}.toml")))
    assert [cell.row.laws["C"].gamma for cell in cells] == [
        1.1046246405230273,
        1.127886948415845,
        0.9440531448516455,
        1.0005873227252982,
    ]
    (job,) = Jobs(old.root / "jobs").jobs()
    assert (job.state, job.argv[:3], job.request) == ("done", ("train", "--data", "small.npz"), {})


def test_an_old_job_shows_its_title_and_how_it_ended_and_can_go_on(old, started):
    """Its record holds no request, so nothing is said of its run."""
    (record,) = (old.root / "jobs").glob("*/job.json")
    at = opened(FILES["train"], run=RUN)
    assert "**Done**] Train 49\\-4\\-4\\-3 on small\\.npz and analyse it" in words(at)
    assert not [b for b in at.button if b.key.startswith(("look-", "again-"))]
    record.with_name("progress.json").write_text('{"state": "cancelled", "message": "Stopped."}')
    at = opened(FILES["train"], run=RUN)
    button(at, "Go on").click().run()
    ((*command,),) = started
    assert command[:3] == ["train", "--data", "small.npz"]


def test_an_old_demo_that_ended_is_not_started_anew(old, started):
    shutil.rmtree(old.root / "runs")
    demo = ("train", "--analyze", "last,all", "--every-sample", "last,0,20")
    write_job(old.root / "jobs", "demo", demo, "The demo", 0, request={}, state="cancelled", message="Stopped.")
    assert [b.label for b in opened().button] == ["Start the demo again"]
    assert started == []


def test_an_old_sweep_at_work_is_shown_first_and_can_be_stopped(old):
    argv = ("sweep", str(old.root / "sweeps" / f"{SWEEP}.toml"), "--workers", "2")
    write_job(old.root / "jobs", "sweep", argv, "Sweep", os.getpid(), queue=False, request={})
    at = opened(FILES["table"])
    assert at.selectbox(key="table.sweep").value == SWEEP
    assert button(at, "Stop")
    assert [link.proto.label for link in opened(FILES["runs"]).get("page_link") if "0%" in link.proto.label]


@pytest.mark.parametrize(
    "command",
    [
        f"{TRAIN} --analyze last,all",
        f"{TRAIN} --seed 1 --loss mse --activation tanh --analyze last --every-sample last",
        f"analyze --run {RUN} --layer fc2+fc3",
        f"samples --run {RUN} --epoch 0,4,12",
        f"sweep CACHE/sweeps/{SWEEP}.toml --table",
    ],
)
def test_the_same_command_finds_what_is_kept(old, command):
    """Its keys, with the fingerprint of its data in them, are still the same."""
    before = old.version("runs"), old.version("cells")
    assert main(command.replace("CACHE", str(old.root)).split()) == 0
    assert (old.version("runs"), old.version("cells")) == before
