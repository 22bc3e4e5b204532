"""How fast and how large: python -m tests.benchmarks.engine [--samples 20000] [--width 50] [--rounds 3]

The analysis is timed against the products and the eigen-decomposition that it cannot do without, in turn
within one run, so that the ratios hold on a machine whose speed drifts:

    reference = 6 products (n × t)ᵀ(n × t), t = d(d+1)/2, + one float64 eigh of D = d² + 2 products of D³

and against per-sample Hessians by torch.func, timed on a few samples and extrapolated to n. Peak memory is
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

import torch
from torch import Tensor, nn
from torch.func import functional_call, hessian
from torch.nn.functional import cross_entropy

from engine import analyze
from engine.curvature import eigensolver


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
    product = seconds(lambda: [tall.T @ tall for _ in range(6)], device)
    eigh = seconds(lambda: eigensolver.eigenpairs(symmetric), device)
    return product + eigh + seconds(lambda: [square @ square for _ in range(2)], device)


def hessians_by_torch_func(model: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    """Seconds a sample for h_p of the middle layer, D × D, by torch.func."""
    weight = model[2].weight.detach()

    def loss(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(functional_call(model, {"2.weight": w}, (x[None],))[0], y)

    few = 3
    return seconds(lambda: [hessian(loss)(weight, inputs[p], targets[p]) for p in range(few)]) / few


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--width", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    model, inputs, targets = problem(options.samples, options.width)

    def analysis(device: str) -> Callable[[], object]:
        return lambda: analyze(model, inputs, targets, "2", device=device)

    if options.memory_only:
        analysis("cpu")()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
        return

    print(f"{_processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}, {platform.platform()}")
    print(f"n = {options.samples:,}, d = {options.width}, D = {options.width**2:,}, float32, every named matrix")
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        seconds(analysis(device), device)  # warm-up
        rounds = [
            (seconds(analysis(device), device), reference(options.samples, options.width, device))
            for _ in range(options.rounds)
        ]
        ours, theirs = (median(column) for column in zip(*rounds, strict=True))
        ratio = median(a / b for a, b in rounds)
        name = "CPU" if device == "cpu" else torch.cuda.get_device_name()
        print(f"{name}: analysis {ours:.2f} s, reference {theirs:.2f} s, ratio {ratio:.2f} (at most 2.0 wanted)")
        if device == "cpu":
            each = hessians_by_torch_func(model, inputs, targets)
            print(
                f"per-sample Hessians by torch.func: {each:.2f} s a sample, {each * options.samples / 3600:.1f} h for "
                f"all: {each * options.samples / ours:,.0f} times the whole analysis (over 1,000 wanted)"
            )
    command = [sys.executable, "-m", "tests.benchmarks.engine", "--memory-only"]
    command += ["--samples", str(options.samples), "--width", str(options.width)]
    peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(f"peak memory of a process that runs one analysis: {float(peak):.2f} GiB (at most 2 wanted)")


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
