"""Formulas bent one line at a time in a copy of the engine, and who must catch each.

check: one analysis compared with its network. selftest: those of every kind of layer. reference: tests beside the
definitions. WORD: mutations whose file or text has it. `python -m tests.mutations [WORD…]` ends with 1
where one survives.
"""

import functools
import multiprocessing
import multiprocessing.connection
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 30
TESTS = {
    "curvature": ("tests/engine/curvature/test_analysis.py", "every_matrix and relu_bias"),
    "results": ("tests/engine/results/test_commutation.py", ""),
    "law": ("tests/engine/results/test_power_law.py", ""),
}


@dataclass(frozen=True)
class Mutation:
    """One line: its file below engine, what stands there once, and what shall; by: who must catch it."""

    file: str
    old: str
    new: str
    by: str = "check"
    quick: bool = False


_C, _F, _R = "curvature/covariances.py", "formulas.py", "results/commutation.py"
_L, _S = "results/power_law.py", "results/suppression.py"
MUTATIONS = (
    Mutation(_C, '((one, "gg"),), ((-one, "g", "g"),)', '((one, "gg"),), ((0.0, "g", "g"),)', quick=True),
    Mutation(_C, '((-one, "g", "g"),)', '((one, "g", "g"),)'),
    Mutation(_C, '((one, "gg"),)', '((1.0, "gg"),)'),
    Mutation(_C, 'Combination(((1.0, "h"),))', 'Combination(((2.0, "h"),))'),
    Mutation(_C, 'Combination(((1.0, "h2"),))', 'Combination(((2.0, "h2"),))', quick=True),
    Mutation(_C, "squared = factors.curvature * factors.kappa()", "squared = factors.curvature * factors.curvature"),
    Mutation(_C, 'Combination(((one, "odds"),))', 'Combination(((1.0, "odds"),))', quick=True),
    Mutation(_C, 'Combination(((one, "loss"),))', 'Combination(((1.0, "loss"),))'),
    Mutation(_C, '((one / 2, "vv"),), ((rest / 2, "v", "v"),)', '((one, "vv"),), ((rest / 2, "v", "v"),)'),
    Mutation(_C, '((rest / 2, "v", "v"),)', '((rest, "v", "v"),)'),
    Mutation(_C, '((one / 2, "vu"),)', '((one, "vu"),)'),
    Mutation(_C, '((rest, "v", "u"),)', '((rest / 2, "v", "u"),)', quick=True),
    Mutation(_C, '((one / 2, "uu"),)', '((one, "uu"),)'),
    Mutation(_C, '((rest / 2, "u", "u"),)', '((rest, "u", "u"),)'),
    Mutation(_C, '"C_awd": hh + hg + gg', '"C_awd": hh + gg'),
    Mutation(_C, '"C_hh_sd": Combination(((one / 2, "vv"),))', '"C_hh_sd": Combination(((one, "vv"),))'),
    Mutation(_C, "(one / 2 * survey.sigma_w2,", "(one * survey.sigma_w2,"),
    Mutation(_C, '((one / 2, "wd"),)', '((one, "wd"),)', "curvature"),
    Mutation(_C, "(factors.curvature * factors.along).square()", "(factors.curvature * factors.along)", "curvature"),
    Mutation(_C, "one, rest = 1 / batch_size, 1 - 1 / batch_size", "one, rest = 1 / batch_size, 1.0"),
    Mutation(_F, "return slope, total[..., None] * _covariance(p, other)", "return slope * 1.1, total[..., None] * _covariance(p, other)"),  # noqa: E501
    Mutation(_F, "return slope, total[..., None] * _covariance(p, other)", "return slope, _covariance(p, p)"),
    Mutation(_F, "return _over(slope, total * p).sum(axis=-1)", "return _over(slope, p * p).sum(axis=-1)"),
    Mutation(_F, "* (2 / k), _namespace(f).broadcast_to", "* (1 / k), _namespace(f).broadcast_to", "selftest"),
    Mutation(_F, "broadcast_to(_eye(f) * (2 / k)", "broadcast_to(_eye(f) * (1 / k)", "selftest"),
    Mutation(_F, "return 2 * squares(_double(f), y)", "return squares(_double(f), y)", "selftest"),
    Mutation(_F, "residual + p)", "residual - p)", "selftest"),
    Mutation(_F, "w = residual - (p * residual)", "w = residual + (p * residual)", "selftest"),
    Mutation("curvature/factors.py", "self.curvature * self.norm2[:, None]", "self.curvature * self.norm2[:, None].sqrt()"),  # noqa: E501
    Mutation(_R, "scale = np.sqrt(np.clip(np.diag(block), 0.0, None))", "scale = np.clip(np.diag(block), 0.0, None)", quick=True),  # noqa: E501
    Mutation(_R, "error[side, rows] = 2 * (", "error[side, rows] = (", quick=True),
    Mutation(_R, "np.subtract.outer(h[rows], h[columns]) ** 2", "np.add.outer(h[rows], h[columns]) ** 2"),
    Mutation(_R, "np.sum(diagonal**2)) / frobenius**2", "np.sum(diagonal**2)) / frobenius", quick=True),
    Mutation(_R, "denominator = d * (d - 1) * (d + 2)", "denominator = d * (d - 1) * (d + 1)", "results"),
    Mutation(_R, "(a_square + a_trace**2)", "(a_square - a_trace**2)", "results"),
    Mutation(_R, "return d * (p + 2 * q) / square", "return d * (p + q) / square", "results"),
    Mutation(_L, "gamma = float(du @ dv / (du @ du))", "gamma = float(du @ dv / (dv @ dv))", quick=True),
    Mutation(_L, "(residual / (u.size - 2) / (du @ du))", "(residual / u.size / (du @ du))", "law"),
    Mutation(_L, "r2=1 - residual /", "r2=residual /", "law"),
    Mutation(_S, "np.stack([edited, edited**2])", "np.stack([edited, edited])"),
    Mutation(_S, "factor**2 @ second", "factor @ second / 2"),
)  # fmt: skip


def _caught(by: str) -> str:
    """What catches it, in words; "" where nothing does. In the copy, whose engine is not yet imported."""
    if by in TESTS:
        import pytest

        file, words = TESTS[by]
        code = pytest.main(["-n", "0", "-q", "-x", "--disable-warnings", file, *(["-k", words] if words else [])])
        return {0: "", 1: file}.get(int(code), f"exit code {int(code)}")
    import torch

    torch.set_num_threads(1)
    from engine.curvature import selftest

    selftest.TOLERANCES = {"float64": selftest.TOLERANCES["float64"]}
    if by != "selftest":
        selftest.KINDS, selftest.LOSSES = {"linear": selftest.KINDS["linear"]}, {"ce": None}
    return next((v.worst.words for v in selftest.verdicts("cpu") if not v.holds), "")


def _child(mutation: Mutation | None, by: str, answer: "multiprocessing.connection.Connection") -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("engine", "tests", "cache"):
            shutil.copytree(ROOT / name, Path(folder) / name, ignore=shutil.ignore_patterns("contents", "__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        if mutation is not None:
            file = Path(folder) / "engine" / mutation.file
            source = file.read_text(encoding="utf-8")
            file.write_text(source.replace(mutation.old, mutation.new, 1), encoding="utf-8")
        for name in [name for name in sys.modules if name.split(".")[0] in ("engine", "tests", "cache")]:
            del sys.modules[name]
        # pytest's checks of types compare with the classes of the engine that was loaded first.
        sys.meta_path[:] = [f for f in sys.meta_path if not type(f).__module__.startswith("jaxtyping")]
        os.chdir(folder)
        sys.path[:] = [folder, *(p for p in sys.path if p and Path(p).resolve() != ROOT)]
        answer.send(_caught(by))


@functools.cache
def _warm() -> None:
    """What takes seconds to load, once: forks have it, and load the engine alone anew."""
    from engine.curvature import selftest
    from engine.device import threads

    with threads(1):
        next(selftest.verdicts("cpu"))


def caught(mutation: Mutation | None, by: str = "check") -> str:
    """What catches it, "" where it survives; None: the engine as it is."""
    _warm()
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe()
    child = context.Process(target=_child, args=(mutation, by, theirs))
    child.start()
    theirs.close()
    try:
        return str(mine.recv()) if mine.poll(SECONDS) else ""
    except EOFError as error:  # a crash proves nothing of the number
        raise RuntimeError(f"The copy with {mutation} crashed.") from error
    finally:
        child.kill()
        child.join()


def main(words: list[str]) -> int:
    survivors = 0
    for mutation in MUTATIONS:
        if words and not any(word in f"{mutation.file} {mutation.old} {mutation.by}" for word in words):
            continue
        start = time.monotonic()
        by = caught(mutation, mutation.by)
        survivors += not by
        took = f"{time.monotonic() - start:.1f} s"
        print(
            f"{mutation.file}: {mutation.old} → {mutation.new}\n  {by or 'SURVIVES'} ({mutation.by}, {took})",
            flush=True,
        )
    print(f"{survivors} survive.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
