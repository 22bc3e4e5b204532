"""Leading eigenpairs of wide layers, convolutions and tokens: python -m tests.benchmarks.wide [--case 784x50]
[--epochs 20]

Each layer is analysed in a process of its own, and so is scipy's eigsh (ARPACK) on the same product to the same
residuals, one after the other: the ratios hold on a machine whose speed drifts. A product of H with one vector is a
call; a block counts its columns. Peak memory is that of each process; limits of time and memory count ours alone. MNIST
and CIFAR-10 are read where GAMMASCOPE_DATA or the cache has them, otherwise random blobs of ten classes take their
place, and the output says so.

On two cores of an Intel Xeon that other work had most of (times are upper bounds, calls do not depend on it), calls of
ours and of eigsh untrained and after 20 epochs: 784x50 240 of 253 and 248 of 253, 784x300 148 of 128 and 144 of 128,
conv64 200 of 202 and 204 of 202, tokens 196 of 202 and 172 of 202; residuals below 1e-5 everywhere. 3072x1000 took 248
calls, 261 s and 5.8 GiB untrained, after 20 epochs 288 and 317 s (250 s of both cores); conv16 took 85 s and
2.0 GiB, conv64 43 s and 2.7 GiB. More than 1.5 times eigsh's calls are needed where eigenvalues above the last are
there more often than a block is wide (H of linear_mse; up to 2.8 times for planted ones that are there nine times):
ours looks for every copy, eigsh trusts rounding to find them.

Dense work: eight products take two thirds of the time of the moments of a 50 × 50 layer; the rest is triangles being
formed and products being widened to float64. At several places the rows of Γ_p are formed chunk by chunk and every
moment is one product of them, lower blocks alone. How near that is to the floor was not measured.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from engine import analyze
from engine.config.requests import DataRequest
from engine.curvature import covariances
from engine.curvature.memory import plan
from engine.curvature.moments import LayerMoments
from engine.curvature.tail import Tail
from engine.data.datasets import load
from engine.device import free_memory

CPU = torch.device("cpu")


class Mean(nn.Module):
    """Over the places of a sequence."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=1)


def mlp(d_in: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(d_in, width, bias=False), nn.ReLU(), nn.Linear(width, 10, bias=False))


def convolutions(first: int, second: int, *between: nn.Module) -> nn.Sequential:
    """Two of 3 × 3, the studied one behind what lies between them, and the mean over positions."""
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(3, first, 3, padding=1), nn.ReLU(), *between),
        nn.Conv2d(first, second, 3, padding=1, bias=False),
        nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * second, 10)),
    )


def tokens() -> nn.Sequential:
    return nn.Sequential(nn.Identity(), nn.Linear(64, 128, bias=False), nn.GELU(), Mean(), nn.Linear(128, 10))


@dataclass(frozen=True)
class Case:
    """The layer "1" of a network. data: names of data sets, the first that is there is taken; k: leading directions,
    None for the whole eigenbasis; minutes, gib: what an analysis may take."""

    build: Callable[[], nn.Module]
    samples: int
    k: int | None
    data: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    curvature: str = "auto"
    minutes: float | None = None
    gib: float | None = None


MNIST, CIFAR = ("mnist", "mnist5k"), ("cifar10", "cifar10_subset.npz")
IMAGE = (3, 32, 32)
CASES = {
    "120x84": Case(lambda: mlp(120, 84), 1_000, 20, shape=(120,)),  # as LeNet's
    "784x50": Case(lambda: mlp(784, 50), 20_000, 100, MNIST, (1, 28, 28)),
    "784x300": Case(lambda: mlp(784, 300), 5_000, 50, MNIST, (1, 28, 28)),
    "3072x1000": Case(lambda: mlp(3072, 1000), 5_000, 100, CIFAR, IMAGE, minutes=5, gib=8),
    "conv16": Case(lambda: convolutions(16, 16), 5_000, None, CIFAR, IMAGE, minutes=3, gib=4),
    "conv64": Case(lambda: convolutions(32, 64, nn.MaxPool2d(2)), 2_000, 100, CIFAR, IMAGE, minutes=3),
    "tokens": Case(tokens, 2_000, 100, shape=(50, 64)),
    "tokens_full": Case(tokens, 2, 20, shape=(50, 64), curvature="full"),
}


@dataclass
class Counted:
    """H V of the moments it counts: one vector is one call."""

    calls: int = 0
    seconds: float = 0.0

    def count(self) -> None:
        apply = LayerMoments.apply

        def counted(moments: LayerMoments, v: Tensor, chunk: int) -> Tensor:
            began = time.perf_counter()
            image = apply(moments, v, chunk)
            self.calls, self.seconds = self.calls + v.shape[1], self.seconds + time.perf_counter() - began
            return image

        LayerMoments.apply = counted


def samples(case: Case) -> tuple[Tensor, Tensor, str]:
    """Inputs, targets, and what they are."""
    for name in case.data:
        try:
            data = load(DataRequest(name, per_class=case.samples // 10))
        except (FileNotFoundError, ValueError):
            continue
        return data.train_x, data.train_y, name
    targets = torch.arange(case.samples) % 10
    centres = torch.rand(10, *case.shape)
    return (centres[targets] + 0.4 * torch.randn(case.samples, *case.shape)).clamp(0, 1), targets, "random blobs"


def train(model: nn.Module, inputs: Tensor, targets: Tensor, epochs: int) -> None:
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(epochs):
        for rows in torch.randperm(len(targets)).split(50):
            sgd.zero_grad()
            cross_entropy(model(inputs[rows]), targets[rows]).backward()
            sgd.step()


Problem = tuple[nn.Module, Tensor, Tensor]


def ours(case: Case, problem: Problem) -> dict[str, float]:
    """The whole analysis; when its eigenvectors were there is seen by the stages it tells."""
    counted, ends = Counted(), {}
    counted.count()
    began = time.perf_counter()

    def progress(stage: str, *_: int) -> None:
        ends[stage] = time.perf_counter()

    result = analyze(*problem, "1", top_k=case.k, device="cpu", spectra=0, curvature=case.curvature, progress=progress)
    return vars(counted) | {
        "whole": time.perf_counter() - began,
        "solver": ends["eigenvectors"] - (ends["factors"] if case.k else ends["moments"]),
        "residual": 0.0 if result.residuals is None else float(result.residuals.max()),
        "last": float(result.eigenvalues[-1] / result.eigenvalues[0]),
    }


def arpack(case: Case, problem: Problem, residual: float, last: float) -> dict[str, float]:
    """eigsh, whose tolerance is relative to each eigenvalue; its residuals by one more product."""
    model, inputs, targets = problem
    tail = Tail(model, "1", inputs, targets, "ce", device=CPU, dtype=torch.float32, curvature=case.curvature)
    d, k = tail.weight.numel(), case.k or 1
    work = plan(n=len(inputs), d=d, size=tail.memory(k), top_k=k, free=free_memory(CPU))
    moments = covariances.moments(tail, tail.survey(work.keep), {})
    counted = Counted()
    counted.count()

    def product(v: np.ndarray) -> np.ndarray:
        return moments.apply(torch.from_numpy(v.reshape(-1, 1)), work.apply).numpy()[:, 0]

    began = time.perf_counter()
    operator = LinearOperator((d, d), matvec=product, dtype=np.float32)
    values, vectors = eigsh(operator, k=k, which="LA", tol=residual / last)
    solver, cost = time.perf_counter() - began, dict(vars(counted))
    worst = 0.0
    for i in range(0, k, 10):
        v, lambdas = torch.from_numpy(vectors[:, i : i + 10].copy()), torch.from_numpy(values[i : i + 10].copy())
        image = moments.apply(v, work.apply)
        worst = max(worst, float(torch.linalg.norm(image - v * lambdas, dim=0).max()))
    return cost | {"solver": solver, "residual": worst / float(values[-1])}


def alone(work: str, name: str, problem: Path, *reached: float) -> dict[str, float]:
    """In a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.wide", "--case", name, "--alone", work, "--problem", problem]
    answer = subprocess.run([*command, *map(str, reached)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(answer)


def report(name: str, epochs: int) -> None:
    """A case, trained for so many epochs, measured and printed."""
    case = CASES[name]
    torch.manual_seed(0)
    model, (inputs, targets, data) = case.build(), samples(case)
    train(model, inputs, targets, epochs)
    with tempfile.NamedTemporaryFile() as file:
        torch.save((model, inputs, targets), file.name)
        mine = alone("ours", name, Path(file.name))
        theirs = mine["calls"] and alone("arpack", name, Path(file.name), mine["residual"], mine["last"])
    weight = model[1].weight
    print(
        f"{name}: W {' × '.join(map(str, weight.shape))}, D = {weight.numel():,}, N = {len(targets):,}, {data}, "
        f"{epochs} epochs, k = {case.k or 'all'}, {case.curvature}, H_kk/H_11 {mine['last']:.1e}"
    )
    for whose, cost in (("ours", mine), ("eigsh", theirs)):
        if cost:
            print(
                f"  {whose}: {cost['calls']} calls, {cost['seconds']:.1f} of {cost['solver']:.1f} s, residual "
                f"{cost['residual']:.1e}, peak {cost['peak']:.2f} GiB"
            )
    limits = [f"{case.minutes} minutes"] * (case.minutes is not None) + [f"{case.gib} GiB"] * (case.gib is not None)
    allowed = f" (at most {' and '.join(limits)} wanted)" if limits else ""
    print(f"  everything projected: {mine['whole']:.1f} s, {mine['peak']:.2f} GiB{allowed}")
    if theirs:
        print(
            f"  ratios to eigsh: calls {mine['calls'] / theirs['calls']:.2f} (at most 1.5 wanted), time "
            f"{mine['solver'] / theirs['solver']:.2f}"
        )
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--epochs", type=int, action="append", help="of training before; 0 and 20 unless told")
    parser.add_argument("--alone", choices=("ours", "arpack"), help=argparse.SUPPRESS)
    parser.add_argument("--problem", help=argparse.SUPPRESS)
    parser.add_argument("reached", type=float, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        problem = torch.load(options.problem, weights_only=False)
        cost = {"ours": ours, "arpack": arpack}[options.alone](CASES[options.case[0]], problem, *options.reached)
        cost["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps(cost))
        return
    for name in options.case or CASES:
        for epochs in options.epochs or (0, 20):
            report(name, epochs)


if __name__ == "__main__":
    main()
