"""How fast this machine is: the engine's own operations, timed for about three seconds.

Each is timed several times and the fastest counts: what else runs on the machine only ever slows it down.
"""

import time
from collections.abc import Callable

import numpy as np
import psutil
import torch

from cache.store import Store
from engine import units
from engine.config.requests import ModelRequest, TrainingRequest
from engine.curvature import eigensolver
from engine.data.datasets import Dataset
from engine.device import device_name, resolve
from engine.models.architectures import layers
from engine.models.networks import build
from engine.progress import Progress, silent
from engine.runs import estimate
from engine.runs.estimate import Calibration
from engine.training.sgd import train

ROUNDS = 3
SMALL, LARGE = ModelRequest(), ModelRequest(widths=(3072, 500, 50, 50, 10))
SIDE = 1000  # of the eigenproblem: a smaller one would measure how busy the machine is
SQUARE = 1600  # of the product


def measure(device: str = "auto", progress: Progress = silent, start: float = 0.0) -> Calibration:
    """Measure this machine; progress may raise to stop. start: seconds this process took to wake up."""
    where = resolve(device)
    stages = ("small steps", "large steps", "products", "eigenvectors")
    times = []
    for i, work in enumerate((_small, _large, _product, _eigen)):
        progress(f"measuring {stages[i]}", i, len(stages))
        times.append(work(where))
    small, large, product, eigen = times
    step, dense = _separate(small, large)
    return Calibration(
        device=device_name(where),
        host=units.host(),
        created=time.time(),
        start=start,
        step=step,
        dense=dense,
        product=2 * SQUARE**3 / product,
        eigen=eigen / SIDE**3,
    )


def calibrate(store: Store, device: str = "auto", progress: Progress = silent) -> Calibration:
    """Measure this machine, in a process started for it, and keep what was found for engine.runs.estimate."""
    speeds = measure(device, progress, start=time.time() - psutil.Process().create_time())
    estimate.keep_calibration(store, speeds)
    return speeds


def _separate(small: float, large: float) -> tuple[float, float]:
    """(seconds per step and layer, operations a second) from epochs of two networks: in the small one steps
    cost, in the large one arithmetic. Two linear equations."""
    steps_small, steps_large = 20 * len(layers(SMALL)), 4 * len(layers(LARGE))
    work_small, work_large = (4 * n * estimate.forward_operations(model) for n, model in ((1000, SMALL), (400, LARGE)))
    matrix = np.array([[steps_small, work_small], [steps_large, work_large]])
    step, inverse = np.linalg.solve(matrix, [small, large])
    if step <= 0 or inverse <= 0:  # one of them drowned in noise: the small network is all steps
        step, inverse = small / steps_small, large / work_large
    return float(step), float(1 / inverse)


def _best(work: Callable[[], object], where: torch.device, rounds: int = ROUNDS) -> float:
    """Seconds of the fastest of some calls after a first one."""
    times = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        work()
        if where.type == "cuda":
            torch.cuda.synchronize(where)
        times.append(time.perf_counter() - began)
    return min(times[1:])


def _epoch(model: ModelRequest, shape: tuple[int, ...], samples: int, batch: int, where: torch.device) -> float:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(samples, *shape, generator=generator), torch.arange(samples) % 10
    data = Dataset(x, y, x[:0], y[:0], tuple("0123456789"), "calibration", "calibration")
    plan = TrainingRequest(epochs=ROUNDS + 1, batch_size=batch, checkpoints=(), stop_loss=None)
    steps = train(build(model, 0), data, "ce", plan, 0, str(where))
    return min([step.record.seconds for step in steps][2:])


def _alone(work: Callable[[], float]) -> float:
    """On one thread, as small networks are trained."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return work()
    finally:
        torch.set_num_threads(before)


def _small(where: torch.device) -> float:
    return _alone(lambda: _epoch(SMALL, (784,), 1000, 50, where))


def _large(where: torch.device) -> float:
    return _alone(lambda: _epoch(LARGE, (3072,), 400, 100, where))


def _product(where: torch.device) -> float:
    square = torch.rand(SQUARE, SQUARE, device=where)
    return _best(lambda: square.T @ square, where)


def _eigen(where: torch.device) -> float:
    square = torch.rand(SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).to(where)
    symmetric = square + square.T
    return _best(lambda: eigensolver.eigenpairs(symmetric), where, 1)
