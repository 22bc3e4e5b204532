"""Films: what is wished of them, what they keep, and that an undisturbed one is the ordinary run."""

import dataclasses
import json
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cache.progress import Stopped
from cache.store import Store
from engine.config.requests import DataRequest, ModelRequest, RunRequest, TrainingRequest
from engine.curvature.analyze import analyze
from engine.data.datasets import load
from engine.models.networks import build
from engine.runs import eviction, example, recording
from engine.runs.camera import Camera
from engine.runs.pipeline import Pipeline
from engine.runs.recording import Control, Frame
from engine.training.sgd import train
from tests.small import assert_same, pixels, saved

PLAN = TrainingRequest(epochs=4, batch_size=8, cosine_epochs=5, stop_loss=None, momentum=0.5)


@pytest.fixture(scope="module")
def request_(tmp_path_factory):
    """A small run that can be shot."""
    name = saved(tmp_path_factory.mktemp("data"), **pixels(60))
    return RunRequest(DataRequest(name), ModelRequest(widths=(16, 6, 5, 3)), "ce", PLAN, seed=2)


class Director:
    """Somebody who watches: `script` holds what is wished before each look at the film, then the work is stopped."""

    def __init__(self, store, request, *script, **more):
        self.store, self.key, self.script = store, recording.film_key(request), list(script)
        pipeline = Pipeline(store, "cpu", should_stop=self.stop)
        self.camera = Camera(pipeline, request, pace=0.0, **more)

    def stop(self):
        """Asked all the time; when the film rests, the next wish is told."""
        shot, wish = recording.read(self.store, self.key), recording.wished(self.store, self.key)
        if shot is None or wish.take != shot.control.take or wish.steps > shot.control.steps or wish.playing:
            return False
        if not self.script:
            return True
        self.tell(self.script.pop(0))
        return False

    def tell(self, wish):
        if wish == "again":
            recording.begin_again(self.store, self.key)
        else:
            recording.ask(self.store, self.key, **wish)

    def shoot(self):
        with pytest.raises(Stopped):
            self.camera.shoot()
        return recording.read(self.store, self.key)


def shot(store, request, *script, **more):
    """The film after all of these wishes; it rests before the first."""
    recording.ask(store, recording.film_key(request), playing=False)
    return Director(store, request, *script, **more).shoot()


def steps(n):
    return [{"steps": i} for i in range(1, n + 1)]


def ordinary(request, epochs):
    """The states of the ordinary run."""
    training = replace(request.training, epochs=epochs, checkpoints=tuple(range(epochs + 1)))
    model = build(request.model, request.seed)
    return list(train(model, load(request.data), request.loss, training, request.seed, "cpu"))


def weights(store, key, epoch):
    arrays = store.read("films", key, "weights", recording.frame_name(epoch)).arrays()
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


# -- the film and the run ---------------------------------------------------------------------------------


def test_an_undisturbed_film_has_the_weights_of_the_ordinary_run(tmp_path, request_):
    store = Store(tmp_path)
    film = shot(store, request_, {"playing": True})
    run = ordinary(request_, 4)
    assert [f.epoch for f in film.frames] == [0, 1, 2, 3, 4]
    assert film.message.startswith("All 4 epochs of this run are done.")
    for frame, step in zip(film.frames, run, strict=True):
        for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate"):
            assert getattr(frame, name) == getattr(step.record, name)
    for epoch in (3, 4):
        assert_same(weights(store, film.key, epoch), run[epoch].checkpoint)


def test_a_frame_shows_what_the_engine_measures(tmp_path, request_):
    store = Store(tmp_path)
    film = shot(store, request_, *steps(2))
    model, data = build(request_.model, 0).eval(), load(request_.data)
    model.load_state_dict({k: v for k, v in ordinary(request_, 2)[2].checkpoint.items() if "/" not in k})
    analysis = analyze(model, data.train_x, data.train_y, "fc2", "ce", 8, device="cpu", spectra=0)
    picture = recording.picture(store, film.key, 2)
    np.testing.assert_allclose(picture.eigenvalues, analysis.eigenvalues)
    for name in recording.MATRICES:
        np.testing.assert_allclose(picture.diagonals[name], analysis.diagonal(name))
        assert picture.fit(name).gamma == pytest.approx(analysis.fit(name).gamma)
    np.testing.assert_allclose(picture.correlation, analysis.correlation("C", analysis.k), rtol=1e-6)
    last = film.last
    assert (last.gamma, last.gamma_awd) == pytest.approx((analysis.fit("C").gamma, analysis.fit("C_awd").gamma))
    for name, interval in (("C", last.interval), ("C_awd", last.interval_awd)):
        exponent = analysis.exponent(name)
        assert interval == pytest.approx(exponent.fit.interval)
        assert dict(picture.exponent(name, interval).windows) == pytest.approx(dict(exponent.windows))
        assert picture.exponent(name, interval).bend.slope_top == pytest.approx(exponent.bend.slope_top)
    assert last.commutator == pytest.approx(analysis.commutator("C"))
    assert last.commutator_random == pytest.approx(analysis.random_commutator("C"))
    above = (analysis.eigenvalues > analysis.noise_floor) & (analysis.diagonal("C") > 0)
    h, c = analysis.eigenvalues[above], analysis.diagonal("C")[above]
    assert last.extent == pytest.approx((h.min(), h.max(), c.min(), c.max()))


def test_a_film_of_numbers_to_predict_has_losses_in_place_of_accuracies(tmp_path, request_):
    x = np.random.default_rng(0).normal(size=(60, 16))
    np.savez(tmp_path / "prices.npz", X=x, y=x[:, :1] + 0.1 * x[:, 1:2])
    model = replace(request_.model, widths=(*request_.model.widths[:-1], 1))
    data = replace(request_.data, name=str(tmp_path / "prices.npz"), classes=None, per_class=None)
    asked = replace(request_, data=data, model=model, loss="linear_mse")
    film = shot(Store(tmp_path / "own"), asked, *steps(1))
    assert film.frames[-1].train_accuracy is None
    assert film.frames[-1].train_loss > 0


def test_a_stride_trains_several_epochs_to_the_same_weights(tmp_path, request_):
    store = Store(tmp_path)
    film = shot(store, request_, {"stride": 2, "steps": 1}, {"stride": 5, "steps": 2})
    assert [f.epoch for f in film.frames] == [0, 2, 7]
    assert_same(weights(store, film.key, 7), ordinary(request_, 7)[7].checkpoint)


# -- what is changed on the way -----------------------------------------------------------------------------


def test_a_changed_learning_rate_takes_effect_and_stays(tmp_path, request_):
    store = Store(tmp_path)
    film = shot(store, request_, *steps(2), {"learning_rate": 0.5, "steps": 3}, {"steps": 4})
    rates = [f.learning_rate for f in film.frames]
    assert rates[1] == 0.1 > rates[2]
    assert rates[3:] == [0.5, 0.5]
    assert [(c.epoch, c.words) for c in film.changes] == [(2, "η 0.1 → 0.5")]
    # By the ordinary run from the same weights.
    start = (2, ordinary(request_, 2)[2].checkpoint)
    training = replace(PLAN, learning_rate=0.5, final_rate_ratio=1.0, epochs=4)
    twin = list(train(build(request_.model, 0), load(request_.data), "ce", training, 2, "cpu", start))
    assert_same(weights(store, film.key, 4), twin[-1].checkpoint)
    plain = ordinary(request_, 4)[4].checkpoint
    assert not torch.equal(plain["fc1.weight"], twin[-1].checkpoint["fc1.weight"])


def test_a_changed_batch_size_changes_the_training_and_the_noise(tmp_path, request_):
    store = Store(tmp_path)
    film = shot(store, request_, *steps(1), {"batch_size": 30, "steps": 2})
    assert [f.batch_size for f in film.frames] == [8, 8, 30]
    assert [c.words for c in film.changes] == ["B 8 → 30"]
    start = (1, ordinary(request_, 1)[1].checkpoint)
    model, data = build(request_.model, 0), load(request_.data)
    twin = list(train(model, data, "ce", replace(PLAN, batch_size=30, epochs=2), 2, "cpu", start))
    assert_same(weights(store, film.key, 2), twin[-1].checkpoint)
    noise = recording.picture(store, film.key, 2).diagonals["C"]
    analysis = analyze(model.eval(), data.train_x, data.train_y, "fc2", batch_size=8, device="cpu", spectra=0)
    np.testing.assert_allclose(noise, analysis.diagonal("C") * 8 / 30, rtol=1e-6)


def test_begin_again_is_epoch_0_of_the_same_film_at_rest(tmp_path, request_):
    store = Store(tmp_path)
    first = shot(store, request_, *steps(1)).frames
    film = shot(store, request_, {"learning_rate": 0.2, "batch_size": 5, "steps": 2}, "again")
    assert [f.epoch for f in film.frames] == [0]
    assert film.changes == ()
    assert film.control == Control(take=1, playing=False)
    assert store.list("films", film.key, "frames") == (recording.frame_name(0),)
    # The take before stays to be compared with, until there is another that can be.
    assert [f.epoch for f in film.before] == [0, 1, 2]
    assert film.before[2].batch_size == 5
    film = shot(store, request_, "again")
    assert len(film.before) == 3
    film = shot(store, request_, *steps(1))
    assert [replace(f, seconds=0.0) for f in film.frames] == [replace(f, seconds=0.0) for f in first]


def test_steps_asked_for_at_once_are_made_one_by_one(tmp_path, request_):
    assert [f.epoch for f in shot(Store(tmp_path), request_, {"steps": 3}).frames] == [0, 1, 2, 3]


def test_a_rate_too_high_rests_with_a_sentence_and_keeps_the_last_sound_frame(tmp_path, request_):
    store = Store(tmp_path)
    film = shot(store, request_, *steps(1), {"learning_rate": 1e30, "playing": True})
    assert "learning rate 1e+30 is too high" in film.message
    assert not recording.wished(store, film.key).playing
    assert np.isfinite(film.column("train_loss")).all()


def test_a_network_that_dies_rests_with_a_sentence_and_keeps_the_last_sound_frame(tmp_path, request_):
    film = shot(Store(tmp_path), request_, *steps(1), {"learning_rate": 1.0, "batch_size": 5, "playing": True})
    assert "No gradient reaches layer 'fc2'" in film.message
    assert not recording.wished(Store(tmp_path), film.key).playing
    assert film.frames


# -- it survives ----------------------------------------------------------------------------------------------


def test_a_film_goes_on_where_its_worker_was_ended(tmp_path, request_):
    store = Store(tmp_path)
    shot(store, request_, *steps(2))
    # A frame that was written when the worker died, but is not on record, is shot again.
    store.write(("films", recording.film_key(request_), "frames", recording.frame_name(3)), {"noise_floor": 0.0})
    film = shot(store, request_, {"steps": 3}, {"steps": 4})
    assert [f.epoch for f in film.frames] == [0, 1, 2, 3, 4]
    assert_same(weights(store, film.key, 4), ordinary(request_, 4)[4].checkpoint)
    assert recording.picture(store, film.key, 3) is not None


def test_a_film_whose_weights_are_lost_begins_again(tmp_path, request_):
    store = Store(tmp_path)
    key = shot(store, request_, *steps(2)).key
    store.delete("films", key, "weights")
    assert [f.epoch for f in shot(store, request_, {"steps": 3}).frames] == [0, 1, 2, 3]


def test_a_film_nobody_looks_at_ends_itself(tmp_path, request_):
    store = Store(tmp_path)
    key = recording.film_key(request_)
    recording.ask(store, key, playing=False)
    recording.look(store, key)
    sentence = Camera(Pipeline(store, "cpu"), request_, idle=0.5).shoot()
    assert sentence.startswith("Nobody has looked for a while, so the film rests at epoch 0.")


def test_a_film_of_a_terminal_runs_to_its_end_and_says_so(tmp_path, request_):
    store = Store(tmp_path)
    sentence = Camera(Pipeline(store, "cpu"), request_, idle=1e-3, pace=0.0).shoot()
    assert sentence.startswith("All 4 epochs of this run are done.")
    assert recording.read(store, recording.film_key(request_)).last.epoch == 4


def test_the_example_is_the_film_that_is_shot_here(tmp_path):
    store, shown = Store(tmp_path), example.film()
    assert (shown.key, shown.request) == (recording.film_key(recording.EXAMPLE), recording.EXAMPLE)
    assert (shown.last.epoch, shown.message) == (example.LAST, "")
    assert example.read(store, shown.key) is shown
    example.shoot(store, last=2 * example.STRIDE)
    here = recording.read(store, shown.key)
    assert example.read(store, shown.key) == here
    for before, now in zip(shown.frames, here.frames, strict=False):
        assert now.epoch == before.epoch
        assert now.gamma == pytest.approx(before.gamma, abs=0.01)
        assert now.train_loss == pytest.approx(before.train_loss, rel=1e-3)
        picture = recording.picture(store, shown.key, now.epoch)
        kept = example._kept()[1][now.epoch]
        np.testing.assert_allclose(picture.eigenvalues[:20], kept.eigenvalues[:20], rtol=1e-2)
        np.testing.assert_allclose(picture.diagonals["C"][:20], kept.diagonals["C"][:20], rtol=2e-2)
    # γ has left 1 by its end, by more than chance.
    assert shown.frames[0].interval[0] < 1.05 < 1.1 < shown.last.interval[0]


def test_a_look_keeps_it_alive_and_is_told_seldom(tmp_path, monkeypatch):
    store, key = Store(tmp_path), "0" * 16
    assert recording.looked(store, key) == 0
    recording.look(store, key)
    looks = recording.looked(store, key)
    assert abs(looks - time.time()) < 60
    recording.look(store, key)
    assert recording.looked(store, key) == looks
    monkeypatch.setattr(recording.time, "time", lambda: looks + recording.LOOK_SECONDS)
    recording.look(store, key)
    assert recording.looked(store, key) == looks + recording.LOOK_SECONDS


def test_only_the_last_frames_and_the_newest_films_are_kept(tmp_path, request_, monkeypatch):
    monkeypatch.setattr("engine.runs.camera.KEPT_FRAMES", 3)
    monkeypatch.setattr(recording, "KEPT_FILMS", 2)
    store = Store(tmp_path)
    film = shot(store, request_, *steps(4))
    assert [f.epoch for f in film.frames] == [2, 3, 4]
    assert store.list("films", film.key, "frames") == tuple(map(recording.frame_name, (2, 3, 4)))
    assert store.list("films", film.key, "weights") == tuple(map(recording.frame_name, (3, 4)))
    store.write(("films", "0" * 16), {"frames": "of another version"})
    others = [shot(store, replace(request_, seed=seed)).key for seed in (3, 4)]
    assert store.list("films") == tuple(sorted(others))
    assert {f.key for f in recording.films(store)} == set(others)
    assert eviction.few_films(store, spare=others[0]) == ()


# -- what is wished ---------------------------------------------------------------------------------------------

wishes = st.builds(
    Control,
    take=st.integers(0, 99),
    playing=st.booleans(),
    steps=st.integers(0, 99),
    stride=st.sampled_from(recording.STRIDES),
    learning_rate=st.none() | st.floats(1e-6, 1e3),
    batch_size=st.none() | st.integers(1, 999),
)


@given(wishes)
def test_a_wish_is_read_as_it_was_written(wish):
    assert recording.as_control(json.loads(json.dumps(dataclasses.asdict(wish)))) == wish


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"stride": 3}, "The epochs of a step are one of 1, 2, 5, 10, 20; not 3"),
        ({"steps": -1}, "steps is a whole number from 0 on"),
        ({"take": True}, "take is a whole number"),
        ({"playing": 1}, "playing is true or false"),
        ({"learning_rate": 0.0}, "The learning rate is a number above 0"),
        ({"learning_rate": float("nan")}, "The learning rate is a number above 0"),
        ({"learning_rate": "0.1"}, "learning_rate is a number, not '0.1'"),
        ({"batch_size": 0}, "The batch size is a whole number from 1 on"),
        ({"batch_size": 2.5}, "batch_size is a whole number, not 2.5"),
        ({"speed": 2}, "A film has no setting speed; it has batch_size, learning_rate"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_and_changes_nothing(tmp_path, wrong, words):
    store, key = Store(tmp_path), "0" * 16
    recording.ask(store, key, learning_rate=0.3)
    with pytest.raises(ValueError, match=words):
        recording.ask(store, key, **wrong)
    assert recording.control(store, key) == Control(learning_rate=0.3)
    # Nor does a worker or a page trip over one that was written otherwise.
    store.write(("films", key, "control"), wrong)
    with pytest.raises(ValueError, match=words):
        recording.control(store, key)
    assert recording.wished(store, key) == Control()


def test_a_batch_larger_than_the_data_is_refused_by_page_and_worker(tmp_path, request_):
    store = Store(tmp_path)
    key = shot(store, request_).key
    with pytest.raises(ValueError, match="between 1 and the 60 training samples; 61 was given"):
        recording.ask(store, key, batch_size=61)
    store.write(("films", key, "control"), {"batch_size": 61, "steps": 1, "playing": False})
    assert "60 training samples" in Camera(Pipeline(store, "cpu"), request_).shoot()
    assert [f.epoch for f in recording.read(store, key).frames] == [0]


def test_a_record_of_another_version_is_no_film(tmp_path):
    store = Store(tmp_path)
    store.write(("films", "0" * 16), {"frames": "many"})
    assert recording.read(store, "0" * 16) is None
    assert recording.films(store) == ()


def test_a_number_that_is_missing_is_nan_in_its_column(tmp_path, request_):
    film = shot(Store(tmp_path), request_)
    values = {f.name: getattr(film.last, f.name) for f in dataclasses.fields(Frame)}
    gone = replace(film, frames=(Frame(**values | {"gamma": None, "extent": ()}),))
    assert np.isnan(gone.column("gamma")).all()
    assert gone.extent == ()
