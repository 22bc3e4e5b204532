"""`held_out`: one call from a model, its training samples and test samples to how its analysis holds on others."""

from typing import Any

import torch
from torch import nn

from engine.config.requests import SPLITS
from engine.curvature import resampling
from engine.curvature.analyze import Surveyed, apart, gradients, surveyed
from engine.curvature.cross_fit import Divisible, Part, compare_halves
from engine.curvature.null import permuted
from engine.device import exact
from engine.errors import require
from engine.progress import Progress, silent
from engine.results.cross_fit import JOINTLY, HeldOut
from engine.results.null import PERMUTATIONS


def held_out(
    model: nn.Module,
    inputs: Any,
    targets: Any,
    unseen: tuple[Any, Any] | None = None,
    splits: int = SPLITS,
    progress: Progress = silent,
    **settings: Any,
) -> HeldOut:
    """Random halves, nested subsets, and test samples along the directions of all training samples; how many samples
    carry a direction; C of permuted gradients. unseen: inputs and targets of the test samples; settings: as `surveyed`
    takes them, of the analysis that this is about. Errors: as there."""
    require(splits >= 1, f"splits is a number of random halvings from 1, not {splits}.")
    about = _alone(model, inputs, targets, progress, settings)
    with exact():
        samples = apart(about)
        there = compare_halves(samples, splits, settings["seed"], progress)
        progress("all samples", 0, 1)
        every = _every(samples)
        test = None
        if unseen is not None and len(unseen[1]):
            progress("test samples", 0, 1)
            # The same second derivatives are taken of them.
            others = _alone(model, *unseen, progress, settings | {"curvature": about.origin["curvature"]})
            test = _every(apart(others)).reading(every, settings["seed"])
        basis = every.directions[1].to(samples.dtype)
        effective = resampling.effective_samples(
            every.moments, samples.combinations, basis, samples.work.along, progress
        )
        both, structural = gradients(about), {}
        if both.mixed:
            structural["C"] = permuted(both, *every.directions, samples.work, PERMUTATIONS, settings["seed"], progress)
    return HeldOut(there.halves, there.growing, test, there.seed, effective, structural)


def _alone(model: nn.Module, inputs: Any, targets: Any, progress: Progress, settings: dict[str, Any]) -> Surveyed:
    """A look at samples without their partners."""
    about = surveyed(model, inputs, targets, progress, **settings | {"names": ("C", "E_h2")})
    require("shapes" not in about.origin, JOINTLY)
    return about


def _every(samples: Divisible) -> Part:
    return samples.part(torch.arange(samples.count, device=samples.device))
