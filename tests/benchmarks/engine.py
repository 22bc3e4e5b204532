"""How fast and how large: python -m tests.benchmarks.engine [--samples 20000] [--width 50] [--rounds 3]

The analysis is timed against the products and the eigen-decomposition that it cannot do without, in turn
within one run, so that the ratios hold on a machine whose speed drifts:

    reference = 10 products (n × t)ᵀ(n × t), t = d(d+1)/2, + one float64 eigh of D = d² + 8 quadratic forms of D³

and against what else there is, timed on a few samples or columns and extrapolated: per-sample Hessians and per-sample
gradients by torch.func; C as one product of gradients that are known already; H by columns of Hessian-vector products.
H and C alone are timed too, and other samples: a split in halves, read both ways, and nested subsets. Peak memory is
that of a fresh process that does nothing but the analysis. Where there is a GPU it is timed as well.
"""

import argparse
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, jvp, vmap
from torch.nn.functional import cross_entropy

from engine import analyze
from engine.curvature import cross_fit, eigensolver
from engine.curvature.source import Fresh
from engine.results.analysis import Analysis


def problem(samples: int, width: int) -> tuple[nn.Module, Tensor, Tensor]:
    """An untrained 784-d-d-10 ReLU network and random digits: no cost depends on the values."""
    torch.manual_seed(0)
    layers = [nn.Linear(784, width, bias=False), nn.ReLU(), nn.Linear(width, width, bias=False), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(width, 10, bias=False))
    return model, torch.rand(samples, 784), torch.arange(samples) % 10


def seconds(work: Callable[[], object], device: str = "cpu") -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def reference(samples: int, width: int, device: str) -> float:
    """Seconds of the products and the eigen-decomposition named above."""
    triangle, d = width * (width + 1) // 2, width * width
    tall, square = torch.rand(samples, triangle, device=device), torch.rand(d, d, device=device)
    symmetric = (square + square.T).double()
    product = seconds(lambda: [tall.T @ tall for _ in range(10)], device)
    eigh = seconds(lambda: eigensolver.eigenpairs(symmetric), device)
    return product + eigh + seconds(lambda: [((square @ square) * square).sum(dim=0) for _ in range(8)], device)


def others(model: nn.Module, inputs: Tensor, targets: Tensor) -> dict[str, float]:
    """Seconds for the middle layer by other means, extrapolated to all samples and columns."""
    weight, n = model[2].weight.detach(), len(targets)

    def loss(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(functional_call(model, {"2.weight": w}, (x[None],))[0], y)

    def mean_loss(w: Tensor) -> Tensor:
        return cross_entropy(functional_call(model, {"2.weight": w}, (inputs,)), targets)

    few, some, d = 3, slice(0, 1000), weight.numel()
    gradients = vmap(grad(loss), in_dims=(None, 0, 0))
    direction = torch.randn_like(weight)
    rows = torch.randn(1000, d)
    return {
        "per-sample Hessians by torch.func": n
        / few
        * seconds(lambda: [hessian(loss)(weight, inputs[p], targets[p]) for p in range(few)]),
        "H by columns of Hessian-vector products": d
        / few
        * seconds(lambda: [jvp(grad(mean_loss), (weight,), (direction,)) for _ in range(few)]),
        "per-sample gradients by torch.func": n
        / 1000
        * seconds(lambda: gradients(weight, inputs[some], targets[some])),
        "C as a product of gradients that are known": n / 1000 * seconds(lambda: rows.T @ rows),
    }


def on_other_samples(source: Fresh, ours: float, device: str) -> None:
    """Halves and nested subsets of the samples, in units of the analysis."""
    with patch.object(cross_fit, "SHARES", ()):
        one = seconds(lambda: source.compare_halves(1, 0), device)
        two = seconds(lambda: source.compare_halves(2, 0), device)
    every = seconds(lambda: source.compare_halves(1, 0), device)
    for what, taken, most in (
        ("one split both ways", one, 2),
        ("each further one", two - one, 1.5),
        ("γ(N) over four subsets", every - one, 3),
    ):
        print(f"{what}: {taken / ours:.2f} of the analysis (at most {most} wanted)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--width", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    model, inputs, targets = problem(options.samples, options.width)

    def analysis(device: str, names: tuple[str, ...] | None = None) -> Callable[[], Analysis]:
        return lambda: analyze(model, inputs, targets, "2", device=device, names=names)

    if options.memory_only:
        analysis("cpu")()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
        return

    print(f"{_processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}, {platform.platform()}")
    print(f"n = {options.samples:,}, d = {options.width}, D = {options.width**2:,}, float32, every named matrix")
    # First: Linux counts what the parent has reached as the child's own peak.
    command = [sys.executable, "-m", "tests.benchmarks.engine", "--memory-only"]
    command += ["--samples", str(options.samples), "--width", str(options.width)]
    peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(f"peak memory of a process that runs one analysis: {float(peak):.2f} GiB (at most 1.2 wanted)")
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        seconds(analysis(device), device)  # warm-up
        rounds = [
            (seconds(analysis(device), device), reference(options.samples, options.width, device))
            for _ in range(options.rounds)
        ]
        ours, theirs = (median(column) for column in zip(*rounds, strict=True))
        ratio = median(a / b for a, b in rounds)
        name = "CPU" if device == "cpu" else torch.cuda.get_device_name()
        print(f"{name}: analysis {ours:.2f} s, reference {theirs:.2f} s, ratio {ratio:.2f} (at most 1.2 wanted)")
        print(f"H and C alone: {seconds(analysis(device, ('C',)), device) / ours:.2f} of the analysis (about half)")
        on_other_samples(analysis(device)().source, ours, device)
        if device == "cpu":
            for what, time in others(model, inputs, targets).items():
                print(f"{what}: {time:,.0f} s for all, {time / ours:,.1f} times the whole analysis")


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
