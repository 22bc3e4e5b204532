"""Leading eigenpairs of wide layers: python -m tests.benchmarks.wide [--case 784x50] [--epochs 20]

Each layer of a ReLU network, fed random blobs of ten classes, is analysed in a process of its own, and so is scipy's
eigsh (ARPACK) on the same product to the same residuals, one after the other: the ratios hold on a machine whose
speed drifts. Peak memory is that of each process.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from engine import analyze
from engine.curvature import covariances
from engine.curvature.factors import Tail
from engine.curvature.memory import plan
from engine.curvature.moments import LayerMoments
from engine.device import free_memory

# Inputs and outputs of the layer, samples, top_k; the first is LeNet's.
CASES = {
    "120x84": (120, 84, 1_000, 20),
    "784x50": (784, 50, 20_000, 100),
    "784x300": (784, 300, 5_000, 50),
    "3072x1000": (3072, 1000, 5_000, 100),
}
CPU = torch.device("cpu")


@dataclass
class Counted:
    """H V of the moments it counts."""

    calls: int = 0
    columns: int = 0
    seconds: float = 0.0

    def count(self) -> None:
        apply = LayerMoments.apply

        def counted(moments: LayerMoments, v: Tensor, chunk: int) -> Tensor:
            began = time.perf_counter()
            image = apply(moments, v, chunk)
            self.calls, self.columns = self.calls + 1, self.columns + v.shape[1]
            self.seconds += time.perf_counter() - began
            return image

        LayerMoments.apply = counted


def problem(case: str, epochs: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A network with that layer, its samples and labels."""
    d_in, width, samples, _ = CASES[case]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(d_in, width, bias=False), nn.ReLU(), nn.Linear(width, 10, bias=False))
    targets = torch.arange(samples) % 10
    inputs = (torch.rand(10, d_in)[targets] + 0.4 * torch.randn(samples, d_in)).clamp(0, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(epochs):
        for rows in torch.randperm(samples).split(50):
            sgd.zero_grad()
            cross_entropy(model(inputs[rows]), targets[rows]).backward()
            sgd.step()
    return model, inputs, targets


def ours(case: str, epochs: int) -> dict[str, float]:
    """The whole analysis; when its eigenvectors were there is seen by the stages it tells."""
    counted, stages = Counted(), {}
    model, inputs, targets = problem(case, epochs)
    counted.count()
    began = time.perf_counter()

    def progress(stage: str, *_: int) -> None:
        stages.setdefault(stage, time.perf_counter())

    result = analyze(model, inputs, targets, "0", top_k=CASES[case][3], device="cpu", spectra=0, progress=progress)
    whole = time.perf_counter() - began
    return vars(counted) | {
        "solver": stages["projections"] - stages["eigenvectors"],
        "whole": whole,
        "residual": float(result.residuals.max()),
        "last": float(result.eigenvalues[-1] / result.eigenvalues[0]),
    }


def arpack(case: str, epochs: int, residual: float, last: float) -> dict[str, float]:
    """eigsh, whose tolerance is relative to each eigenvalue; its residuals by one more product."""
    model, inputs, targets = problem(case, epochs)
    tail = Tail(model, "0", inputs, targets, "ce", device=CPU, dtype=torch.float32)
    d, k = tail.weight.numel(), CASES[case][3]
    work = plan(n=len(inputs), d=d, size=tail.memory(k), top_k=k, free=free_memory(CPU))
    moments = covariances.moments(tail, tail.survey(work.keep), {})
    counted = Counted()
    counted.count()

    def product(v: np.ndarray) -> np.ndarray:
        return moments.apply(torch.from_numpy(v.reshape(-1, 1)), work.along).numpy()[:, 0]

    began = time.perf_counter()
    operator = LinearOperator((d, d), matvec=product, dtype=np.float32)
    values, vectors = eigsh(operator, k=k, which="LA", tol=residual / last)
    solver, cost = time.perf_counter() - began, dict(vars(counted))
    worst = 0.0
    for i in range(0, k, 10):
        v, lambdas = torch.from_numpy(vectors[:, i : i + 10].copy()), torch.from_numpy(values[i : i + 10].copy())
        image = moments.apply(v, work.along)
        worst = max(worst, float(torch.linalg.norm(image - v * lambdas, dim=0).max()))
    return cost | {"solver": solver, "residual": worst / float(values[-1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--epochs", type=int, default=0, help="of training before")
    parser.add_argument("--alone", choices=("ours", "arpack"), help=argparse.SUPPRESS)
    parser.add_argument("--reached", type=float, nargs=2, default=(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        work = {"ours": ours, "arpack": arpack}[options.alone]
        cost = work(options.case[0], options.epochs, *options.reached)
        cost["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps(cost))
        return
    for case in options.case or CASES:
        command = [sys.executable, "-m", "tests.benchmarks.wide", "--case", case, "--epochs", str(options.epochs)]

        def alone(name: str, *reached: float, command: list[str] = command) -> dict[str, float]:
            more = ["--alone", name, *(["--reached", *map(str, reached)] if reached else [])]
            return json.loads(subprocess.run(command + more, check=True, stdout=subprocess.PIPE, text=True).stdout)

        mine = alone("ours")
        theirs = alone("arpack", mine["residual"], mine["last"])
        d_in, width, samples, k = CASES[case]
        print(f"{d_in} × {width}, N = {samples:,}, k = {k}, {options.epochs} epochs, H_kk/H_11 {mine['last']:.1e}")
        for name, cost in (("ours", mine), ("eigsh", theirs)):
            print(
                f"  {name}: {cost['calls']:.0f} products of {cost['columns']:.0f} columns, {cost['seconds']:.1f} of "
                f"{cost['solver']:.1f} s, residual {cost['residual']:.1e}, peak {cost['peak']:.2f} GiB"
            )
        print(f"  everything projected: {mine['whole']:.1f} s")
        print(
            f"  ratios to eigsh: calls {mine['calls'] / theirs['calls']:.2f}, columns "
            f"{mine['columns'] / theirs['columns']:.2f} (at most 1.5 wanted), time "
            f"{mine['solver'] / theirs['solver']:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
