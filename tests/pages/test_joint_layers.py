"""Layers studied jointly on the pages: found in the menu, shown as far as they are defined, offered on the form."""

import dataclasses

import pytest

from cache.jobs import Jobs
from cache.store import Store
from engine.config.command_line import parse
from engine.config.commands import AnalyzeCommand
from engine.config.requests import AnalysisRequest, key, to_json
from engine.runs import library
from pages.data import results
from pages.publish import run_report
from tests.pages.conftest import button, charts, fine, metrics, opened, url
from tests.planted import SIDE, analysis, fill

JOINT = "fc1+fc2"
SHAPES = ((SIDE, SIDE // 2), (SIDE // 2, SIDE))


def add_joint(store: Store, run: str, epoch: int) -> None:
    """A planted analysis as a joint one is kept: C and E[h²] alone, its shapes told."""
    request = AnalysisRequest(run=run, epoch=epoch, layer=JOINT)
    whole = analysis(gamma=1.3, seed=epoch)

    def of(group):
        return {name: value for name, value in group.items() if name in ("H", "C", "E_h2")}

    origin = dataclasses.replace(whole.provenance, layer=JOINT, shapes=SHAPES, unpaired=5000, anchors_per_class=None)
    groups = ("diagonals", "blocks", "traces", "squares", "wholes")
    joint = dataclasses.replace(whole, provenance=origin, **{name: of(getattr(whole, name)) for name in groups})
    arrays, meta = joint.to_arrays()
    store.write(
        ("runs", run, "analyses", key(request)),
        {"request": to_json(request), "created": 1000.0 + epoch, "result": meta},
        {"main": arrays},
    )


@pytest.fixture
def planted(store) -> str:
    run = fill(store)
    for epoch in (0, 10, 100):
        add_joint(store, run, epoch)
    return run


PAGES = ("app.py", *(f"pages/{name}.py" for name in ("commutativity", "power_law", "dynamics", "suppression", "runs")))


def test_halves_of_the_samples_are_compared_before_one_layer(planted):
    at = opened("pages/held_out.py", layer=JOINT)
    assert any("Halves of the samples are compared before one layer" in i.value for i in at.info)
    assert not [b for b in at.button if b.label == "Look at other samples"]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_what_there_is(page, planted):
    at = opened(page, layer=JOINT)
    assert not at.warning, [w.value for w in at.warning]
    if page == "pages/runs.py":
        return
    sentences = " ".join(i.value for i in at.info)
    if page == "pages/suppression.py":
        assert "curvatures of single samples, which are defined layer by layer" in sentences
        return
    assert f"Layers fc1 and fc2 jointly: H has the cross blocks of all {SIDE * SIDE} weights" in sentences
    assert charts(at)
    # Chosen singly, the same page says nothing of it.
    alone = opened(page, layer="fc2")
    assert "jointly" not in " ".join(i.value for i in alone.info)


def test_the_menu_offers_single_layers_first(planted, store):
    at = opened("pages/power_law.py")
    (box,) = at.sidebar.selectbox
    assert box.options == ["fc2", "fc1 + fc2 (jointly)"]
    assert box.value == "fc2"
    fine(box.set_value(JOINT).run())
    assert url(at)["layer"] == JOINT
    assert "layers fc1 + fc2 jointly" in " ".join(c.value for c in at.caption).replace("\xa0", " ")


def test_the_law_is_that_of_the_joint_analysis(planted):
    at = opened("pages/power_law.py", layer=JOINT)
    (pressed,) = (p for p in at.button_group if p.label == "Covariances")
    assert len(pressed.options) == 2
    cards = metrics(opened("app.py", layer=JOINT))
    assert cards["Noise exponent γ"] == "1.30"
    assert "γ of E[h²]" in cards
    assert "Predicted γ" not in cards


def test_the_table_of_runs_tells_of_single_layers_and_of_joint_ones_alone(planted, store):
    (run,) = results.runs()
    epoch, fit = results.last_fit(run, "C_awd")
    assert epoch == 100
    assert fit.gamma < 1.25, "of fc2, not of the joint analysis"
    bare = fill(store, epochs=(), seed=1)
    add_joint(store, bare, 10)
    alone = library.find(store, bare)
    assert results.last_fit(alone, "C")[1].gamma == pytest.approx(1.3, abs=0.01)
    assert results.last_fit(alone, "C_awd")[1] is None


def test_a_report_tells_what_there_is(store):
    run = fill(store, epochs=())
    for epoch in (0, 10):
        add_joint(store, run, epoch)
    text = run_report.html(results.view_of(library.find(store, run)))
    assert "fc1 + fc2 (jointly)" in text
    assert "Exponent γ of E[h²]" in text
    assert "Predicted exponent" not in text
    assert 'id="power"' in text


def test_layers_are_chosen_to_be_studied_jointly(store, monkeypatch):
    noted = []

    def start(self, argv, *_, **__):
        if argv[0] == "analyze":
            noted.append(tuple(argv))

    monkeypatch.setattr(Jobs, "start", start)
    run = fill(store, epochs=(0,))
    at = opened("pages/load.py")
    at.segmented_control(key="loading.way").set_value("run").run()
    assert metrics(at)["D"] == "2,500"
    alone = metrics(at)["Memory"]
    box = at.multiselect(key="loading.jointly")
    assert box.options == ["fc1", "fc3"]
    fine(box.set_value(["fc3", "fc1"]).run())
    shown = metrics(at)
    assert shown["D"] == f"{784 * 50 + 50 * 50 + 50 * 10:,}"
    assert shown["Memory"] != alone
    button(at, "Measure").click().run()
    command = parse(noted[-1])
    assert isinstance(command, AnalyzeCommand)
    assert command.layer == "fc1+fc2+fc3"
    assert command.settings.top_k == 300, "too many weights for the whole basis"
    # The layer chosen is no longer one of the others.
    fine(at.selectbox(key="loading.layer").set_value("fc3").run())
    assert at.multiselect(key="loading.jointly").value == ["fc1"]
    button(at, "Measure").click().run()
    assert parse(noted[-1]).layer == "fc1+fc3"
    assert run in noted[-1]
