"""engine.runs.estimate: seconds that follow earlier work on this machine, else its measured speeds; and memory."""

import dataclasses
import time

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cache.store import Store
from engine import units
from engine.config.command_line import parse
from engine.config.commands import CalibrateCommand
from engine.config.requests import AnalysisRequest, DataRequest, ModelRequest, RunRequest, TrainingRequest
from engine.models.architectures import shapes
from engine.models.networks import build
from engine.runs import estimate, library
from engine.runs.benchmark import measure
from engine.runs.estimate import Calibration, Earlier
from engine.runs.library import Analysed
from engine.runs.pipeline import Pipeline
from engine.runs.run import History, Run
from tests.planted import CALIBRATION
from tests.small import pixels, saved

NETS = [
    (ModelRequest(), (784,), (28, 28)),
    (ModelRequest(widths=(30, 20, 4)), (30,), (28, 28)),
    (ModelRequest("cnn", (3, 10)), (3, 16, 20), (16, 20)),
]


def slower(factor: float) -> Calibration:
    """The same machine as if it were so many times slower."""
    c = CALIBRATION
    return dataclasses.replace(
        c, step=c.step * factor, dense=c.dense / factor, product=c.product / factor, eigen=c.eigen * factor
    )


def trained(seconds: float, samples: int = 4500, device: str = "cpu", **changes) -> Run:
    """An earlier run whose epochs took so long."""
    request = dataclasses.replace(RunRequest(), **changes)
    records = [
        {"epoch": e, "train_loss": 1.0, "train_accuracy": 0.5, "test_loss": None, "test_accuracy": None}
        | {"learning_rate": 0.1, "seconds": 0.0 if e == 0 else seconds}
        for e in range(6)
    ]
    return Run(
        "0" * 16, request, "", "", tuple("0123456789"), samples, device, 1.0, True, "", History.of(records), (5,),
        layers=shapes(request.model),
    )  # fmt: skip


def analysed(seconds: float | None, layer: str = "fc2", **changes) -> Analysed:
    """An earlier analysis that took so long."""
    return Analysed("a", AnalysisRequest("0" * 16, 5, layer, **changes), 1.0, False, seconds)


@pytest.mark.parametrize(("net", "shape", "image"), NETS)
def test_operations_are_those_torch_counts(net: ModelRequest, shape: tuple[int, ...], image: tuple[int, int]) -> None:
    model, x = build(net, 0), torch.randn(6, *shape)
    with FlopCounterMode(display=False) as counter:
        loss = nn.functional.cross_entropy(model(x), torch.zeros(6, dtype=torch.long))
    forward = 6 * estimate.forward_operations(net, image)
    assert counter.get_total_flops() == pytest.approx(forward, rel=1e-12)
    with counter:
        loss.backward()
    # The way back counts twice, but for the input's gradient.
    assert 1.5 * forward < counter.get_total_flops() + forward <= 3 * forward


# -- training -----------------------------------------------------------------------------------------------


def test_training_is_linear_in_epochs_and_in_the_speed_of_the_machine() -> None:
    request = RunRequest()
    once = estimate.training(request, 4500, calibration=CALIBRATION)
    twice = dataclasses.replace(request, training=TrainingRequest(epochs=200))
    assert estimate.training(twice, 4500, calibration=CALIBRATION).seconds == pytest.approx(2 * once.seconds)
    assert not once.measured
    assert estimate.training(request, 4500).seconds is None
    assert estimate.training(request, 4500, calibration=slower(0.1)).seconds == pytest.approx(once.seconds / 10)
    with pytest.raises(ValueError, match="at least 1 sample"):
        estimate.training(request, 0)


NOTHING = Earlier()


def seconds_of(earlier=NOTHING, samples=4500, widths=(784, 50, 50, 10), batch=50, **more):
    request = RunRequest(model=ModelRequest(widths=widths), training=TrainingRequest(batch_size=batch))
    return estimate.training(request, samples, earlier=earlier, calibration=CALIBRATION, **more).seconds


@pytest.mark.parametrize("earlier", [NOTHING, estimate.earlier([(trained(0.25), ())])], ids=["speeds", "earlier"])
def test_training_is_monotone_in_its_shape(earlier) -> None:
    for changes in (
        [{"samples": n} for n in (1000, 3000, 4500, 20_000, 60_000)],
        [{"batch": b} for b in (1000, 200, 50, 20)],
        [{"widths": (784, w, 50, 10)} for w in (20, 50, 100)],
    ):
        seconds = [seconds_of(earlier, **change) for change in changes]
        assert seconds == sorted(seconds)
        assert seconds[0] < seconds[-1]


def test_earlier_runs_of_the_same_shape_tell_their_own_seconds() -> None:
    runs = [trained(0.2), trained(0.3), trained(0.4), trained(9.0, samples=500)]
    cost = estimate.training(RunRequest(), 4500, earlier=estimate.earlier([(run, ()) for run in runs]))
    assert (cost.seconds, cost.measured) == (pytest.approx(30.0), True)


def test_earlier_runs_of_a_similar_shape_are_scaled() -> None:
    earlier = estimate.earlier([(trained(0.25), ())])
    cost = estimate.training(RunRequest(), 9000, earlier=earlier)
    assert (cost.seconds, cost.measured) == (pytest.approx(50.0), False)
    cnn = dataclasses.replace(RunRequest(), model=ModelRequest("cnn", (1, 10)))
    assert estimate.training(cnn, 4500, earlier=earlier).seconds is None
    elsewhere = estimate.earlier([(trained(0.25, device="cuda"), ()), (trained(7.0), ())])
    assert estimate.training(RunRequest(), 4500, earlier=elsewhere).seconds == pytest.approx(25.0)
    loaded = estimate.earlier([(trained(7.0, weights=("0" * 64,)), ())])
    assert estimate.training(RunRequest(), 4500, earlier=loaded).seconds is None, "it was not trained here"


# -- analyses -----------------------------------------------------------------------------------------------


def one(layer="fc2", samples=4500, widths=(784, 50, 50, 10), earlier=NOTHING, calibration=CALIBRATION, **more):
    subject = estimate.subject(ModelRequest(widths=widths), layer)
    return estimate.analysis(subject, samples, calibration=calibration, earlier=earlier, **more)


@pytest.mark.parametrize(
    "earlier", [NOTHING, estimate.earlier([(trained(0.2), (analysed(6.0),))])], ids=["speeds", "earlier"]
)
def test_an_analysis_is_monotone_in_its_shape_and_its_settings(earlier) -> None:
    for changes in (
        [{"samples": n} for n in (10, 4500, 9000, 60_000)],
        [{"widths": (784, 50, w, 10)} for w in (10, 50, 60, 200)],
        [{"bootstrap": b} for b in (0, 100, 1000)],
        [{"top_k": k} for k in (20, 300, None)],
        [{"dtype": t} for t in ("float32", "float64")],
    ):
        seconds = [one(earlier=earlier, **change).seconds for change in changes]
        assert seconds == sorted(seconds)
        assert seconds[0] < seconds[-1]


def test_an_analysis_takes_more_memory_for_more_samples_and_weights() -> None:
    subject = estimate.subject(ModelRequest(), "fc2")
    assert (subject.d_out, subject.d_in, subject.rank, subject.dimension) == (50, 50, 10, 2500)
    assert one().bytes < one(samples=9000).bytes < one(samples=9000, widths=(784, 50, 60, 10)).bytes
    assert estimate.analysis(subject, 4500).seconds is None
    large = estimate.Subject(1000, 1000, 10, 10)
    few = estimate.analysis(large, 100, top_k=20, calibration=CALIBRATION)
    assert few.bytes < 3 * 2**30
    assert few.seconds < estimate.analysis(large, 100, calibration=CALIBRATION).seconds


def test_earlier_analyses_tell_their_own_seconds_and_are_scaled() -> None:
    run = trained(0.2)
    earlier = estimate.earlier([(run, (analysed(5.0), analysed(6.0), analysed(9.0), analysed(None, "fc3")))])
    same = one(earlier=earlier, calibration=None)
    assert (same.seconds, same.measured) == (pytest.approx(6.0), True)
    more = one(samples=5000, earlier=earlier, calibration=None)
    assert 6.0 < more.seconds < 6.0 * 5000 / 4500
    assert not more.measured
    near = estimate.earlier([(run, (analysed(6.0), analysed(0.4, "fc3")))])
    assert one("fc3", samples=4000, earlier=near, calibration=None).seconds < 0.4


def test_a_stale_calibration_cannot_win_over_measured_work() -> None:
    earlier = estimate.earlier([(trained(0.25), (analysed(6.0),))])
    for factor in (1e-3, 1.0, 1e3):
        stale = slower(factor)
        for samples in (4500, 6000):
            fresh = estimate.training(RunRequest(), samples, earlier=earlier).seconds
            assert estimate.training(RunRequest(), samples, earlier=earlier, calibration=stale).seconds == fresh
            fresh = one(samples=samples, earlier=earlier, calibration=None).seconds
            assert one(samples=samples, earlier=earlier, calibration=stale).seconds == fresh


def test_a_smooth_tail_has_full_rank() -> None:
    smooth = ModelRequest(widths=(8, 7, 6, 3), activation="tanh")
    assert estimate.subject(smooth, "fc2").rank == 6
    assert estimate.subject(smooth, "fc3").rank == 3
    with pytest.raises(ValueError, match="its layers are fc1, fc2, fc3"):
        estimate.subject(smooth, "fc9")


def test_a_joint_analysis_costs_more_than_its_layers() -> None:
    net = ModelRequest(widths=(784, 50, 50, 50, 50, 10))
    joint = estimate.subject(net, "fc2+fc3+fc4")
    assert (joint.d_out, joint.d_in, joint.rank, joint.dimension) == (150, 150, 10, 7500)
    alone = estimate.analysis(estimate.subject(net, "fc2"), 20_000, calibration=CALIBRATION)
    cost = estimate.analysis(joint, 20_000, calibration=CALIBRATION)
    pair = estimate.analysis(estimate.subject(net, "fc2+fc3"), 20_000, calibration=CALIBRATION)
    assert alone.seconds * 3 < pair.seconds < cost.seconds < alone.seconds * 100
    assert alone.bytes < pair.bytes < cost.bytes < 10 * 2**30
    few = estimate.analysis(estimate.subject(net, "fc1+fc2+fc3+fc4"), 20_000, top_k=100, calibration=CALIBRATION)
    assert few.bytes < 4 * 2**30
    assert estimate.subject(dataclasses.replace(net, activation="tanh"), "fc2+fc3").rank == 100
    with pytest.raises(ValueError, match="no layer 'fc9'"):
        estimate.subject(net, "fc2+fc9")


# -- recorded times -----------------------------------------------------------------------------------------

# Of one thread of one machine, in seconds of its processor: its speeds, epochs of 784-w-w-10 in batches of 50, and
# analyses of 784-w-w-10.
RECORDED = Calibration("CPU", "", 1.0, 2.0, step=2.36e-4, dense=9.27e10, product=1.17e11, eigen=2.33e-10)
EPOCHS = ((20, 1000, 0.0172), (30, 1000, 0.0183))
ANALYSES = (
    (20, 1000, "fc2", {}, 0.337),
    (20, 1000, "fc3", {}, 0.150),
    (20, 1000, "fc2", {"bootstrap": 300}, 0.552),
    (30, 1000, "fc2", {}, 1.368),
    (30, 1000, "fc2", {"dtype": "float64"}, 2.204),
    (30, 1000, "fc2", {"top_k": 100}, 0.334),
    (30, 1000, "fc2", {"bootstrap": 500}, 2.224),
    (30, 1000, "fc2+fc3", {}, 1.184),
)


@pytest.mark.parametrize(("width", "samples", "seconds"), EPOCHS)
def test_recorded_epochs_are_estimated_within_a_factor_of_two(width, samples, seconds) -> None:
    request = RunRequest(model=ModelRequest(widths=(784, width, width, 10)), training=TrainingRequest(epochs=1))
    assert 0.5 < estimate.training(request, samples, calibration=RECORDED).seconds / seconds < 2


@pytest.mark.parametrize(("width", "samples", "layer", "settings", "seconds"), ANALYSES)
def test_recorded_analyses_are_estimated_within_a_factor_of_two(width, samples, layer, settings, seconds) -> None:
    widths = (784, width, width, 10)
    assert 0.5 < one(layer, samples, widths, calibration=RECORDED, **settings).seconds / seconds < 2


@pytest.mark.parametrize("here", range(len(ANALYSES)))
def test_a_recorded_analysis_tells_the_others_within_a_factor_of_three(here) -> None:
    """With one of them as the only earlier work, whatever the machine."""
    width, samples, layer, settings, seconds = ANALYSES[here]
    run = trained(0.2, samples, model=ModelRequest(widths=(784, width, width, 10)))
    earlier = estimate.earlier([(run, (analysed(seconds, layer, **settings),))])
    for other, n, studied, changes, took in ANALYSES:
        cost = one(studied, n, (784, other, other, 10), earlier=earlier, calibration=None, **changes)
        assert 1 / 3 < cost.seconds / took < 3


def test_what_an_analysis_took_is_kept_with_it(tmp_path) -> None:
    store, name = Store(tmp_path / "cache"), saved(tmp_path, **pixels(40))
    pipeline = Pipeline(store, "cpu")
    training = TrainingRequest(epochs=1, batch_size=8, checkpoints=(), stop_loss=None)
    run = pipeline.train(RunRequest(DataRequest(name), ModelRequest(widths=(16, 6, 5, 3)), training=training))
    began = time.perf_counter()
    pipeline.analyze(AnalysisRequest(run, 1, "fc2"))
    whole = time.perf_counter() - began
    (made,) = library.analyses(store, run)
    kept = library.load_analysis(store, run, made.key)
    assert kept.provenance.seconds < made.seconds < whole
    earlier = estimate.earlier([(library.find(store), (made,))])
    cost = estimate.analysis(
        estimate.subject_of(library.find(store), "fc2"), library.find(store).samples, earlier=earlier
    )
    assert (cost.seconds, cost.measured) == (pytest.approx(made.seconds), True)


# -- calibration --------------------------------------------------------------------------------------------


def test_a_calibration_is_kept_for_its_own_computer(tmp_path) -> None:
    store = Store(tmp_path)
    assert estimate.calibration(store) is None
    estimate.keep_calibration(store, CALIBRATION)
    assert estimate.calibration(store) == CALIBRATION
    estimate.keep_calibration(store, dataclasses.replace(CALIBRATION, host="another computer"))
    assert estimate.calibration(store) is None
    store.write(("calibration",), {"device": "CPU", "speed": 1})
    assert estimate.calibration(store) is None


def test_the_record_of_an_earlier_version_is_read(tmp_path) -> None:
    store, more = Store(tmp_path), {"convolution": 2e10, "factors": 3e-5, "traffic": 1e10}
    store.write(("calibration",), dataclasses.asdict(CALIBRATION) | more)
    assert estimate.calibration(store) == CALIBRATION


def test_measuring_gives_speeds_and_can_be_stopped() -> None:
    stages = []

    def stop(stage: str, done: int, total: int) -> None:
        stages.append(stage)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure("cpu", stop)
    assert stages == ["measuring small steps", "measuring large steps", "measuring products"]
    speeds = measure("cpu", start=2.5)
    assert (speeds.device, speeds.host, speeds.start) == ("CPU", units.host(), 2.5)
    assert all(value > 0 for value in dataclasses.astuple(speeds)[4:])
    assert parse(["calibrate", "--device", "cpu"]) == CalibrateCommand(device="cpu")
