"""What is read off the picture of the loss, in sentences with its numbers."""

import math

from engine.results.plane import Plane
from pages.state.palette import number

WAITING = (
    "Here the loss will be drawn over two directions of the network’s weights, with a point for every mini-batch: "
    "where it would throw the weights. It is the picture behind all numbers below."
)
# Along directions whose curvatures differ by less no power can be read off two points.
APART = 2.0


def headline(there: Plane) -> str:
    """The point of the picture."""
    i, j = there.pair
    h, c = there.hessian.diagonal(), there.noise.diagonal()
    if min(*h[:2], *c[:2]) <= 0:
        return f"Along directions {i} and {j} there is nothing to compare"
    return f"{_times(h[0] / h[1])} times as sharp, {_times(c[0] / c[1])} times as noisy"


def _times(ratio: float) -> str:
    return number(float(ratio), 2 if ratio < 100 else 3)


def answer(there: Plane) -> str:
    """The answer of this pair, from its two curvatures and variances."""
    i, j = there.pair
    h, c = there.hessian.diagonal(), there.noise.diagonal()
    if min(h[0], h[1]) <= 0 or min(c[0], c[1]) <= 0:
        return (
            f"Along direction {i} or {j} the loss does not bend upwards here, or there is no noise: nothing to compare."
        )
    bend, noise = float(h[0] / h[1]), float(c[0] / c[1])
    if bend < APART:
        return (
            f"Directions {i} and {j} bend nearly alike ({_times(bend)} : 1), and so is the noise along them "
            f"({_times(noise)} : 1). Choose a flatter second direction to see a difference."
            if 1 / APART < noise < APART
            else f"Directions {i} and {j} bend nearly alike ({_times(bend)} : 1), but the noise differs "
            f"({_times(noise)} : 1): one pair is not the law."
        )
    yes = "Yes" if noise > 1 else "Not for this pair"
    return (
        f"{yes}: direction {i} bends **{_times(bend)} times** as sharply as direction {j}, and the noise along it "
        f"has **{_times(noise)} times** the variance: {_times(bend)} to the power **{there.exponent():.2f}**. "
        "Over all directions that power is γ."
    )


def legend(there: Plane) -> str:
    """What in the picture is what."""
    tilt = there.correlation(0.0)
    known = "" if math.isnan(tilt) else f" Here $R = {tilt:.2f}$."
    return (
        "- **Contours close together**: the loss bends sharply, $H_{ii}$ is large.\n"
        "- **Points spread far**: mini-batches disagree, $C_{ii}$ is large.\n"
        f"- **The ellipse tilted**: the noise along both directions is correlated, $R_{{ij}} \\ne 0$.{known}\n"
        f"- **The slider** turns both axes to random directions: {_by_chance(there)}."
    )


def _by_chance(there: Plane) -> str:
    """How much of direction i's curvature and noise a random direction has."""
    shares = [float(m[2, 2] / m[0, 0]) if m[0, 0] > 0 else math.nan for m in (there.hessian, there.noise)]
    if not all(math.isfinite(share) for share in shares):
        return "what chance would show"
    bend, noise = (f"{share:.1%}" if abs(share) < 0.1 else f"{share:.0%}" for share in shares)
    return f"the first has {bend} of the curvature and {noise} of the noise"


def provenance(there: Plane, times: float) -> str:
    """What was measured, and how it is drawn."""
    steps = f"Steps η(∇L_B − ∇L) of single mini-batches of {there.batch_size}"
    if not math.isfinite(there.rate):
        steps = f"Gradients ∇L_B − ∇L of single mini-batches of {there.batch_size}, η not known"
    drawn = "as they are" if times == 1 else f"{number(times)} times as large"
    return (
        f"Loss: mean over {there.samples:,} samples at {there.loss.shape[1]} × {there.loss.shape[2]} points, measured. "
        f"{steps}, drawn {drawn}."
    )
