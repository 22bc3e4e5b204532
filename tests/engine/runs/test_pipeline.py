"""The pipeline: interrupted equals uninterrupted, finished costs nothing, damage is repaired."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from cache.progress import Stopped
from cache.store import MANIFEST, Store
from engine import analyze
from engine.config.requests import AnalysisRequest, DataRequest, ModelRequest, RunRequest
from engine.data.datasets import load
from engine.models.networks import build
from engine.runs import library, pipeline
from engine.runs.library import chosen_epochs, default_analysis
from engine.runs.pipeline import Pipeline
from tests.engine.runs.conftest import TRAINING, Watch, watched
from tests.small import write_data


def weights(store: Store, run: str, epoch: int) -> dict[str, np.ndarray]:
    entry = store.read("runs", run, "checkpoints", library.checkpoint_name(epoch))
    assert entry is not None
    arrays = entry.arrays()
    assert arrays is not None
    return arrays


def assert_same_run(one: Store, other: Store, run: str) -> None:
    a, b = library.run(one, run), library.run(other, run)
    assert a is not None
    assert b is not None
    assert (a.checkpoints, a.finished, a.end, a.request) == (b.checkpoints, b.finished, b.end, b.request)
    for f in dataclasses.fields(a.history):
        if f.name != "seconds":
            np.testing.assert_array_equal(getattr(a.history, f.name), getattr(b.history, f.name), f.name)
    for epoch in a.checkpoints:
        x, y = weights(one, run, epoch), weights(other, run, epoch)
        assert x.keys() == y.keys()
        for name in x:
            np.testing.assert_array_equal(x[name], y[name], f"{name} at epoch {epoch}")


# -- training -------------------------------------------------------------------------------------------


def test_a_run_keeps_its_history_and_its_checkpoints(store: Store, request_: RunRequest) -> None:
    watch = Watch()
    key = watched(store, watch).train(request_)
    run = library.run(store, key)
    assert run is not None
    assert run.request == request_
    assert run.finished
    assert run.end == "All 6 epochs done."
    assert run.checkpoints == (0, 2, 4, 6)
    assert (run.samples, run.class_names, run.device) == (120, ("0", "1", "2"), "cpu")
    np.testing.assert_array_equal(run.history.epoch, np.arange(7))
    assert run.history.train_loss[-1] < 0.9 * run.history.train_loss[0]
    assert watch.trained() == list(range(7))
    assert any(name.startswith("momentum/") for name in weights(store, key, 6))
    assert library.find(store).key == library.find(store, key[:5]).key == key
    assert library.asked(library.runs(store), request_) is not None
    assert library.asked(library.runs(store), dataclasses.replace(request_, seed=1)) is None


def test_a_finished_run_is_not_trained_again(store: Store, request_: RunRequest) -> None:
    key = watched(store, Watch()).train(request_)
    version, again = store.version("runs"), Watch()
    assert watched(store, again).train(request_) == key
    assert again.trained() == []
    assert store.version("runs") == version


@pytest.mark.parametrize("epoch", [0, 1, 2, 3, 5])
def test_an_interrupted_run_goes_on_to_the_same_weights(
    store: Store, request_: RunRequest, tmp_path: Path, epoch: int
) -> None:
    whole = Store(tmp_path / "whole")
    key = watched(whole, Watch()).train(request_)
    with pytest.raises(Stopped):
        watched(store, Watch("training", epoch)).train(request_)
    run = library.run(store, key)
    assert run is not None
    assert not run.finished
    assert len(run.history) >= epoch + 1
    rest = Watch()
    watched(store, rest).train(request_)
    # Only what follows the last checkpoint is trained again.
    assert rest.trained()[0] == max(e for e in run.checkpoints)
    assert_same_run(store, whole, key)


def test_a_run_that_goes_on_forgets_the_epochs_it_repeats(store: Store, request_: RunRequest) -> None:
    for epoch, recorded in ((5, 6), (4, 5)):
        with pytest.raises(Stopped):
            watched(store, Watch("training", epoch)).train(request_)
        assert len(library.find(store).history) == recorded


def test_a_run_killed_between_a_checkpoint_and_its_record_goes_on(
    store: Store, request_: RunRequest, tmp_path: Path
) -> None:
    whole = Store(tmp_path / "whole")
    key = watched(whole, Watch()).train(request_)
    with pytest.raises(Stopped):
        watched(store, Watch("training", 3)).train(request_)
    arrays = weights(whole, key, 4)
    store.write(("runs", key, "checkpoints", "00004"), {"epoch": 4}, {"main": arrays})
    watched(store, Watch()).train(request_)
    assert_same_run(store, whole, key)


@pytest.mark.parametrize("lost", [0, 2, 6])
def test_a_checkpoint_lost_to_damage_is_trained_again(
    store: Store, request_: RunRequest, tmp_path: Path, lost: int
) -> None:
    whole = Store(tmp_path / "whole")
    key = watched(whole, Watch()).train(request_)
    watched(store, Watch()).train(request_)
    damage(store, key, lost)
    result = watched(store, Watch()).analyze(AnalysisRequest(key, lost, spectra=0))
    assert_same_run(store, whole, key)
    expected = watched(whole, Watch()).analyze(AnalysisRequest(key, lost, spectra=0))
    np.testing.assert_array_equal(result.eigenvalues, expected.eigenvalues)
    assert len(store.damage_log()) == 1


def damage(store: Store, run: str, epoch: int) -> None:
    folder = store.root / "runs" / run / "checkpoints" / library.checkpoint_name(epoch)
    (file,) = folder.glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def test_a_run_whose_record_is_damaged_is_trained_again(store: Store, request_: RunRequest) -> None:
    key = watched(store, Watch()).train(request_)
    (store.root / "runs" / key / MANIFEST).write_text("nonsense")
    assert library.runs(store) == ()
    again = Watch()
    assert watched(store, again).train(request_) == key
    assert again.trained() == list(range(7))


def test_a_diverged_run_says_so_and_keeps_what_was_finite(store: Store, request_: RunRequest) -> None:
    wild = dataclasses.replace(TRAINING, learning_rate=1e30, clip_norm=None)
    key = watched(store, Watch()).train(dataclasses.replace(request_, training=wild))
    run = library.run(store, key)
    assert run is not None
    assert run.finished
    assert "the learning rate 1e+30 is too high for this run" in run.end
    assert run.checkpoints[-1] == run.history.epoch[-1] < 6
    assert np.isfinite(run.history.train_loss).all()
    assert all(np.isfinite(a).all() for a in weights(store, key, run.last_epoch).values())


def test_a_network_that_does_not_fit_the_data_is_refused_with_the_one_that_does(
    store: Store, request_: RunRequest
) -> None:
    for model, sentence in (
        (ModelRequest(widths=(784, 5, 10)), "takes 784 inputs and knows 10 classes; three has 6 and 3. .* 6-5-3"),
        (ModelRequest("cnn", (1, 3)), r"The CNN needs images, and the samples of three have shape \(6,\)"),
    ):
        with pytest.raises(ValueError, match=sentence):
            watched(store, Watch()).train(dataclasses.replace(request_, model=model))
    assert library.runs(store) == ()


# -- analysis -------------------------------------------------------------------------------------------


@pytest.fixture
def trained(store: Store, request_: RunRequest) -> str:
    return watched(store, Watch()).train(request_)


def test_an_analysis_comes_back_from_the_cache_as_it_was(store: Store, trained: str) -> None:
    request = AnalysisRequest(trained, 6, bootstrap=5)
    first = watched(store, Watch()).analyze(request)
    again = Watch()
    second = watched(store, again).analyze(request)
    assert again.heard == []
    anew = watched(store, again).analyze(request, again=True)
    assert again.heard, "wanted again, it is made again"
    assert anew.distance("C", "H") == first.distance("C", "H")
    (made,) = library.analyses(store, trained)
    assert made.request == request
    assert made.has_spectra
    small = library.load_analysis(store, trained, made.key)
    assert small is not None
    assert small.spectra is None
    curves = library.load_analysis(store, trained, made.key, blocks=False)
    assert curves is not None
    assert curves.fit("C") == first.fit("C")
    with pytest.raises(ValueError, match="keeps the leading 0 directions"):
        curves.projected("C", 5)
    large = library.load_analysis(store, trained, made.key, spectra=True)
    assert large is not None
    for other in (second, large):
        assert other.suppress().stiff == first.suppress().stiff
    for other, kept in ((second, first), (small, anew), (large, anew)):
        assert other.fit("C") == first.fit("C")
        assert other.provenance == kept.provenance
        assert other.commutator("C_awd") == first.commutator("C_awd")
        np.testing.assert_array_equal(other.projected("E_h2", 5), first.projected("E_h2", 5))
        np.testing.assert_array_equal(other.random_correlation("C", 5), first.random_correlation("C", 5))


def test_every_setting_names_another_analysis(store: Store, trained: str) -> None:
    base = AnalysisRequest(trained, 6, spectra=0)
    changes = [{}, {"epoch": 4}, {"layer": "fc1"}, {"batch_size": 9}, {"samples": 60}, {"dtype": "float64"}]
    for change in changes:
        watched(store, Watch()).analyze(dataclasses.replace(base, **change))
    analyses = library.analyses(store, trained)
    assert len(analyses) == len(changes)
    assert [a.request.epoch for a in analyses] == [4, 6, 6, 6, 6, 6]


def test_a_sample_of_the_data_is_drawn_by_the_seed(store: Store, trained: str, request_: RunRequest) -> None:
    request = AnalysisRequest(trained, 6, samples=60, spectra=0)
    one = watched(store, Watch()).analyze(request)
    run, data = library.find(store), load(DataRequest(request_.data.name))
    model = build(run.request.model, 0)
    arrays = weights(store, trained, 6)
    model.load_state_dict({k: torch.from_numpy(a) for k, a in arrays.items() if "momentum" not in k})
    rows = np.sort(np.random.default_rng(0).permutation(120)[:60])
    direct = analyze(model, data.train_x[rows], data.train_y[rows], "fc2", batch_size=50, device="cpu", spectra=0)
    np.testing.assert_allclose(one.eigenvalues, direct.eigenvalues)
    np.testing.assert_allclose(one.diagonal("C_awd"), direct.diagonal("C_awd"))
    assert one.provenance.samples == 60
    other = watched(store, Watch()).analyze(dataclasses.replace(request, seed=1))
    assert not np.allclose(one.eigenvalues, other.eigenvalues, rtol=1e-3)
    everything = watched(store, Watch()).analyze(dataclasses.replace(request, samples=10**6))
    assert everything.provenance.samples == 120


@pytest.mark.parametrize("name", ["main", "blocks", "spectra"])
def test_a_damaged_analysis_is_computed_anew(store: Store, trained: str, name: str) -> None:
    request = AnalysisRequest(trained, 6)
    first = watched(store, Watch()).analyze(request)
    (made,) = library.analyses(store, trained)
    files = (store.root / "runs" / trained / "analyses" / made.key).glob(f"{name}-*")
    file = max(files, key=lambda f: f.stat().st_mtime_ns)  # an older version stays for its readers
    file.write_bytes(file.read_bytes()[:-3])
    second = watched(store, Watch()).analyze(request)
    np.testing.assert_allclose(second.eigenvalues, first.eigenvalues)
    assert len(store.damage_log()) == 1
    assert library.load_analysis(store, trained, made.key, spectra=True) is not None


def test_a_stopped_analysis_leaves_nothing_behind(store: Store, trained: str) -> None:
    watch = Watch("eigenvectors")
    with pytest.raises(Stopped):
        watched(store, watch).analyze(AnalysisRequest(trained, 6))
    assert any(stage == "eigenvectors" for stage, _, _ in watch.heard)
    assert library.analyses(store, trained) == ()


def test_the_data_are_loaded_once_for_all(store: Store, request_: RunRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    loads, real = [], pipeline.load
    monkeypatch.setattr(pipeline, "load", lambda *args, **kw: loads.append(1) or real(*args, **kw))
    jobs = watched(store, Watch())
    key = jobs.train(request_)
    for epoch in (6, 4):
        jobs.analyze(AnalysisRequest(key, epoch, spectra=0))
    assert loads == [1]


def test_data_that_changed_since_the_run_are_refused(store: Store, trained: str, request_: RunRequest) -> None:
    write_data(Path(request_.data.name), seed=1)
    with pytest.raises(ValueError, match=f"The data three have changed since run {trained} was trained"):
        watched(store, Watch()).analyze(AnalysisRequest(trained, 6))
    assert watched(store, Watch()).train(request_) != trained


def test_the_default_analysis_and_the_order_of_epochs(store: Store, trained: str) -> None:
    run = library.find(store)
    assert default_analysis(run, 4) == AnalysisRequest(trained, 4, "fc2", 16)
    assert chosen_epochs(("last", "all"), run) == (6, 4, 2, 0)
    assert chosen_epochs(("2", "last", "2"), run) == (2, 6)
    with pytest.raises(ValueError, match="no checkpoint of epoch 3; it has 0, 2, 4, 6"):
        chosen_epochs(("3",), run)


def test_runs_that_are_not_there_are_named(store: Store, request_: RunRequest) -> None:
    with pytest.raises(ValueError, match=r"There is no run yet\. Train one first"):
        library.find(store)
    key = watched(store, Watch()).train(request_)
    with pytest.raises(ValueError, match=f"No runs begin with 'xyz'.*the newest are: {key}"):
        library.find(store, "xyz")
    with pytest.raises(ValueError, match="no checkpoint of epoch 5; it has 0, 2, 4, 6"):
        watched(store, Watch()).analyze(AnalysisRequest(key, 5))
    assert library.run(store, "nothing") is None
    assert library.load_analysis(store, key, "nothing") is None


@pytest.mark.parametrize("stage", ["resampling", "spectra"])
def test_an_analysis_ended_after_its_first_look_is_completed(store: Store, trained: str, stage: str) -> None:
    request = AnalysisRequest(trained, 6)
    watch = Watch(stage)
    with pytest.raises(Stopped):
        watched(store, watch).analyze(request)
    (made,) = library.analyses(store, trained)
    first = library.load_analysis(store, trained, made.key, spectra=True)
    assert first is not None
    assert first.spectra is None
    assert first.fit("C", 10).interval is None
    assert first.random_correlation("C", 3).shape == (3, 3), "a first look shows R_rand"
    whole = watched(store, Watch()).analyze(request)
    assert whole.spectra is not None
    assert set(whole.wholes) == set(whole.names)
    assert {whole.blocks[name].shape for name in whole.names} == {(20, 20)}


def test_an_analysis_kept_without_intervals_still_loads_and_gets_them_when_asked_for_again(
    store: Store, trained: str
) -> None:
    request = AnalysisRequest(trained, 6)
    interval = watched(store, Watch()).analyze(request).fit("C", 10).interval
    assert interval is not None
    (made,) = library.analyses(store, trained)
    path = ("runs", trained, "analyses", made.key)
    entry = store.read(*path)
    assert entry is not None
    files = {name: entry.arrays(name) or {} for name in ("main", "blocks", "spectra")}
    files["main"] = {name: a for name, a in files["main"].items() if not name.startswith("jackknife")}
    store.write(path, dict(entry.meta), files)
    old = library.load_analysis(store, trained, made.key)
    assert old is not None
    assert old.fit("C", 10).interval is None
    assert watched(store, Watch()).analyze(request).fit("C", 10).interval == interval


# -- other samples ----------------------------------------------------------------------------------------


def test_how_it_holds_on_other_samples_is_kept_below_the_analysis(store, trained):
    run = library.find(store, trained)
    request = default_analysis(run, 6)
    watch = Watch()
    there = watched(store, watch).cross_fit(request, splits=2)
    assert [done for stage, done, total in watch.heard if stage == "other samples" and total == 4][-1] == 3
    (made,) = library.analyses(store, trained)
    kept = library.load_analysis(store, trained, made.key)
    assert kept.held_out.to_arrays().keys() == there.to_arrays().keys()
    fit = kept.cross_fit("C", seed=request.seed)
    assert [gammas.samples for gammas in (fit.whole, fit.half, fit.crossed, fit.test)] == [120, 60, 60, 30]
    model, inputs, targets = Pipeline(store).restore(trained, 6)
    fresh = analyze(model, inputs, targets, run.studied, batch_size=16)
    assert fresh.cross_fit("C", splits=2).crossed.gamma == pytest.approx(fit.crossed.gamma, rel=1e-4)
    # Test samples alone, along the directions of all training samples.
    unseen = load(run.request.data)
    v = torch.from_numpy(fresh.basis)
    alone = analyze(model, unseen.test_x, unseen.test_y, run.studied, batch_size=16)
    turned = torch.from_numpy(alone.basis) @ torch.diag(torch.from_numpy(alone.eigenvalues)) @ alone.basis.T
    np.testing.assert_allclose(kept.held_out.test.diagonals["H"], np.diag(v.T @ turned @ v), rtol=1e-3, atol=1e-6)
    again = Watch()
    watched(store, again).cross_fit(request, splits=1)
    assert not [stage for stage, _, _ in again.heard if stage == "other samples"], "fewer splits are there"
    with pytest.raises(ValueError, match="layer by layer"):
        Pipeline(store).cross_fit(dataclasses.replace(request, layer="fc1+fc2"))


def test_looking_at_other_samples_can_be_stopped(store, trained):
    request = default_analysis(library.find(store, trained), 6)
    with pytest.raises(Stopped):
        watched(store, Watch("other samples", 2)).cross_fit(request, splits=2)
    (made,) = library.analyses(store, trained)
    assert library.held_out(store, trained, made.key) is None
