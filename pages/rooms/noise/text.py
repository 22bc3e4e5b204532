"""What the page on the shape of the noise says."""

import math
from collections.abc import Iterable

from engine.results.noise import ENOUGH, ISOTROPIC, LAST, NONE, SEEDS, SGD, STEPS, Descents
from engine.runs import noise
from pages.data.results import View
from pages.rooms.noise.figures import look
from pages.state.palette import number

LOSS = r"""
**Loss** of all training samples while one layer descends, $w \leftarrow w - \eta\,(\nabla L + \xi)$, and every other
layer rests. Each line is the mean over seeds, its band one standard deviation over them.
"""

ACCURACY = r"""
**Unseen samples.** The share of test samples that are classified correctly on the way, the mean over 50 steps.
"""

TRACE = r"""
**$\mathrm{tr}\,H$**, the sum of the curvature of the loss over all directions of the layer, exact, every 50 steps.
"""

SHARPNESS = r"""
**$\lambda_1$**, the curvature along the sharpest direction of the layer: the largest eigenvalue of $H$, every 50 steps.
"""

WORDS = {"loss": "the loss", "hessian": "tr H", "sharpness": "λ₁", "accuracy": "the accuracy on unseen samples"}


def listed(words: Iterable[str], last: str = "and") -> str:
    """Words in a sentence."""
    *others, end = words
    return f"{', '.join(others)} {last} {end}" if others else end


def named(name: str) -> str:
    """A shape in a sentence."""
    if name == ISOTROPIC:
        return "noise equal in all directions"
    return "$C$ turned at random" if name == "turned" else f"${look(name).tex}$"


def what_will_be_done(view: View, seeds: int, time: str) -> str:
    """What the button does."""
    share = noise.accuracy(view.run, view.epoch)
    right = f" ({share:.1%} of the training samples right)" if share == share else ""
    kept = f" {seeds} of {SEEDS} seeds are there already." if seeds else ""
    return (
        f"From epoch {view.epoch}{right} layer {view.chosen.request.layer} alone will descend {STEPS} steps, under "
        "Gaussian noise of different shapes, each as large as C, beside SGD itself and no noise; "
        f"{SEEDS} seeds each.{kept} That takes about {time}; loss, curvature and accuracy are followed, and every "
        "finished seed is kept."
    )


def where(view: View) -> str:
    """Why it starts there."""
    share = noise.accuracy(view.run, view.epoch)
    usual = noise.start(view.run, view.analysed, view.chosen.request.layer)
    if usual.request.epoch != view.epoch:
        return "Started where you chose" + (f", {share:.1%} of the training samples right." if share == share else ".")
    if share >= noise.LEARNED:
        return "Every analysed checkpoint has learned nearly all, and little noise is left: this is the last one."
    if share != share:  # NaN
        return "Started from the last analysed checkpoint: how much it has learned is not known."
    return f"Started from the last analysed checkpoint below {noise.LEARNED:.0%}: at the end the noise vanishes."


def verdict(d: Descents) -> str:
    """The answer, as far as it is more than chance."""
    if d.seeds < ENOUGH:
        return f"{d.seeds} of {SEEDS} seeds are there: what differs by chance cannot be told before {ENOUGH}."
    if not d.measures:
        return "At this learning rate a descent diverges, so that there are no ends to compare."
    return f"{_shapes(d)} {_like_sgd(d)}"


def _shapes(d: Descents) -> str:
    """Whether any shape differs from noise that is equal in all directions."""
    others = [name for name in d.shapes if name != ISOTROPIC]
    apart = {measure: [n for n in others if d.apart(measure, n, ISOTROPIC)] for measure in d.measures}
    seen = [measure for measure, names in apart.items() if names]
    if not seen:
        return (
            f"Not that it could be told here: over {d.seeds} seeds no shape of the noise leads to another "
            f"{listed((WORDS[m].removeprefix('the ') for m in d.measures), 'or')} than noise as large that is equal in "
            "all directions."
        )
    parts = [
        f"{'it' if len(seen) == 1 else WORDS[m]} ends at {_range(d, m, apart[m])} under "
        f"{listed(named(n) for n in apart[m])}, at {_value(d, m, ISOTROPIC)} under noise as large that is equal in all "
        "directions"
        for m in seen
    ]
    rest = [WORDS[m] for m in d.measures if m not in seen]
    none = f" In {listed(rest)} no shape makes a difference beyond the chance of {d.seeds} seeds." if rest else ""
    return f"Yes, in {listed(WORDS[m] for m in seen)}: {'; '.join(parts)}.{none}"


def _like_sgd(d: Descents) -> str:
    """Which noise ends where SGD does."""
    other = {m: [named(n) for n in d.shapes if d.apart(m, n, SGD)] for m in d.measures}
    parts = [
        f"in {WORDS[m]} SGD itself, at {_value(d, m, SGD)}, can be told from "
        f"{'every one of them' if len(apart) == len(d.shapes) else listed(apart, 'and from')}"
        for m, apart in other.items()
        if apart
    ]
    if not parts:
        return "None of them can be told from SGD itself."
    like = [named(n) for n in d.shapes if not d.differing(n, SGD)]
    nothing = f" From {listed(like, 'or')} the {d.seeds} seeds do not tell it." if like else ""
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}.{nothing}"


def _value(d: Descents, measure: str, name: str) -> str:
    mean = float(d.end(measure, name).mean())
    return f"{mean:.1%}" if measure == "accuracy" else number(mean, 3)


def _range(d: Descents, measure: str, names: list[str]) -> str:
    values = sorted(names, key=lambda name: d.end(measure, name).mean())
    ends = dict.fromkeys(_value(d, measure, name) for name in (values[0], values[-1]))
    return " to ".join(ends)


def fairness(view: View, d: Descents) -> str:
    """What is equal for all noises, and what is not that of training."""
    training = view.run.request.training
    left = float(d.end("noise", SGD).mean()) / d.trace
    ratio = max(d.samples - d.batch_size, 0) / max(d.samples - 1, 1)
    plain = [
        word
        for word, setting in (
            ("momentum", training.momentum),
            ("weight decay", training.weight_decay),
            ("clipping", training.clip_norm),
        )
        if setting
    ]
    without = f" Training had {listed(plain)}; these steps have none." if plain else ""
    floor = float(d.end("loss", NONE).mean())
    rest = f"ends at {number(floor)}" if math.isfinite(floor) else "diverges"
    size = f", and is {left:.0%} as large at the end" if math.isfinite(left) else ""
    notes = "".join(f"\n- {note}" for note in d.notes)
    late = noise.accuracy(view.run, view.epoch) >= noise.LEARNED
    end = " Here nearly all is learned, and little noise is left: an earlier epoch tells more." if late else ""
    return (
        f"**Equal for all:** the checkpoint, the layer, η = {number(d.rate)}, the number of steps, and the size of the "
        f"noise, $\\mathrm{{tr}}\\,X = \\mathrm{{tr}}\\,C = {number(d.trace)}$. Only the shape of $X$ differs. An "
        f"end is the mean over the last {LAST:.0%} of the steps; two ends differ where Welch's t over the seeds says "
        f"so at 5 %, shared out over all comparisons. Without noise the loss {rest}.\n\n"
        "**Not as in training:**\n"
        f"- $X$ stays as it was at epoch {view.epoch}; SGD's own noise moves with the weights{size}.{end}\n"
        "- One layer moves, all others rest: what noise does by moving them together is not seen.\n"
        "- The noise is Gaussian; that of a mini-batch has heavier tails.\n"
        "- Mini-batches of an epoch are drawn without replacement: their noise is (N − B)/(N − 1) = "
        f"{ratio:.2f} times as large, and cancels in part over an epoch of "
        f"{-(-d.samples // d.batch_size):,} steps.\n"
        f"- {d.steps:,} steps are short: what takes longer is not seen.{without}{notes}"
    )
