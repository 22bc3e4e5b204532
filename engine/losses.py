"""The losses, each an object; all that the project knows of a loss is told here, once.

    ce          −Σ_k y_k log softmax(f)_k
    nll         the same of log-probabilities: −Σ_k y_k f_k where Σ_k exp f_k = 1
    mse         1/K Σ_k (softmax(f)_k − y_k)²
    linear_mse  1/K Σ_k (f_k − y_k)²
    bce         −1/K Σ_k {y_k log σ(f_k) + (1 − y_k) log σ(−f_k)}

f: the K outputs of a sample, y its target: K numbers, or a label that stands for its one-hot row. The mean over samples
is taken by the caller. The formulas themselves are in engine.formulas. Source: theory.md sections 1, 2 and 6.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from engine import formulas
from engine.errors import require
from engine.formulas import Array


@dataclass(frozen=True)
class Loss:
    """A loss ℓ(f, y) of a sample's outputs f and its target y. Samples are the leading axes of f (*n, K).

    name: in requests; label: in menus and names of runs; short: in names of a sweep's rows; noun: in sentences of a
    results page; words: as a definition; symbol: plotly's marker of its points, since colours belong to matrices.
    value(f, y): ℓ (*n), in the precision of f; differentiable, and torch.func maps and differentiates it.
    derivatives(f, y): ∂ℓ/∂f (*n, K) and ∂²ℓ/∂f² (*n, K, K), float64.
    odds(f, y): rᵀA⁺r (*n), float64, of r = ∂ℓ/∂f in the range of A = ∂²ℓ/∂f² ⪰ 0, so that r rᵀ ⪯ rᵀA⁺r A; None where A
        may be indefinite, or nothing is known of it.
    log_odds(f, y): ℓ by the odds of a label, log(1 + odds), float64; None where ℓ is something else.
    hessian_of: what ∂²ℓ/∂f² depends on, of "outputs" and "targets".
    likelihood(f, J): with ℓ read as −log p(y | f) + const, the rows r_m (*n, m, d) and weights w_m (*n, m) of
        E_{y ~ p(·|f)}[∇log p ∇log pᵀ] = Σ_m w_m r_m r_mᵀ, float64; ∇ is in whatever J = ∂f/∂· (*n, K, d) is taken in.
    gaussian: that likelihood is a Gaussian around the outputs, or their softmax, of variance K/2.
    two_classes(p): d²ℓ/ds² of a network with two classes whose logits differ by s, where the right one has probability
        p (n): the part of a sample's curvature that its confidence sets.
    correct(f, y): whether the outputs tell the target (*n), NaN where that has no meaning.
    takes: its targets: "labels", "soft" labels (shares of the classes), "vectors" of any numbers, "shares" 0 … 1 of
        each output by itself; () for any. reads: what it takes the outputs for: "logits", "log-probabilities", logits
        "one by one", or "" for any numbers.
    axis: of a sample's outputs, along which the classes lie. masked: the label of a place that does not count.
    shaped(shape): the same loss of outputs of that shape, flattened; None for a mean over all places but the axis.
    """

    name: str
    label: str
    short: str
    noun: str
    words: str
    symbol: str
    value: Callable[[Array, Array], Array]
    derivatives: Callable[[Array, Array], tuple[Array, Array]]
    hessian_of: tuple[str, ...]
    likelihood: Callable[[Array, Array], tuple[Array, Array]]
    gaussian: bool
    two_classes: Callable[[Array], Array]
    correct: Callable[[Array, Array], Array]
    takes: tuple[str, ...] = ("labels", "soft")
    reads: str = "logits"
    axis: int = -1
    masked: int = -100
    shaped: "Callable[[tuple[int, ...]], Loss] | None" = None
    odds: Callable[[Array, Array], Array] | None = None
    log_odds: Callable[[Array, Array], Array] | None = None


# A loss, its name, or a function or torch module of one's own: see engine.curvature.criteria.
LossLike = Loss | str | Callable[[Any, Any], Any]


def lookup(loss: Loss | str) -> Loss:
    """What is meant by a loss. ValueError, naming those there are, for an unknown name."""
    if isinstance(loss, Loss):
        return loss
    named = {**LOSSES, **OTHERS}
    require(loss in named, f"There is no loss {loss!r}; there are {', '.join(named)}.")
    return named[loss]


def without_likelihood(name: str) -> Callable[..., Any]:
    """For a loss of which no likelihood is known."""

    def unknown(*_: Array) -> Any:
        raise ValueError(f"Of the loss {name} its values and derivatives are known, and no likelihood.")

    return unknown


# -- all of them ---------------------------------------------------------------------------------------------

CROSS_ENTROPY = Loss(
    name="ce",
    label="cross‑entropy",
    short="CE",
    noun="cross-entropy",
    words="cross-entropy",
    symbol="circle",
    value=formulas.cross_entropy,
    derivatives=formulas.cross_entropy_derivatives,
    hessian_of=("outputs",),
    likelihood=formulas.drawn_labels,
    gaussian=False,
    two_classes=lambda p: p * (1 - p),
    correct=formulas.largest,
    odds=formulas.cross_entropy_odds,
    log_odds=formulas.cross_entropy_of_odds,
)
LOG_PROBABILITIES = replace(
    CROSS_ENTROPY,
    name="nll",
    label="negative log-likelihood",
    short="NLL",
    noun="negative log-likelihood",
    words="cross-entropy of log-probabilities",
    reads="log-probabilities",
)
SOFTMAX_SQUARES = Loss(
    name="mse",
    label="softmax MSE",
    short="MSE",
    noun="softmax-MSE",
    words="squared error behind a softmax",
    symbol="circle-open",
    value=formulas.softmax_squares,
    derivatives=formulas.softmax_squares_derivatives,
    hessian_of=("outputs", "targets"),
    likelihood=formulas.gaussian_of_softmax,
    gaussian=True,
    two_classes=lambda p: 2 * p * (1 - p) ** 2 * (3 * p - 1),
    correct=formulas.largest,
)
SQUARES = Loss(
    name="linear_mse",
    label="linear MSE",
    short="linear MSE",
    noun="linear MSE",
    words="plain squared error",
    symbol="diamond-open",
    value=formulas.squares,
    derivatives=formulas.squares_derivatives,
    hessian_of=(),
    likelihood=formulas.gaussian,
    gaussian=True,
    two_classes=lambda p: 0 * p + 0.5,
    correct=formulas.of_labels,
    takes=("labels", "vectors"),
    reads="",
    odds=formulas.squares_odds,
)
LOGISTIC: Loss = Loss(
    name="bce",
    label="binary cross‑entropy",
    short="BCE",
    noun="binary cross-entropy",
    words="binary cross-entropy, the mean over outputs",
    symbol="diamond",
    value=formulas.logistic,
    derivatives=formulas.logistic_derivatives,
    hessian_of=("outputs",),
    likelihood=formulas.drawn_answers,
    gaussian=False,
    two_classes=lambda p: p * (1 - p),
    correct=formulas.signs,
    takes=("shares",),
    reads="one by one",
    shaped=lambda shape: LOGISTIC,
    odds=formulas.logistic_odds,
)
# Those of class labels and logits, with which networks are trained here, and the others.
LOSSES = {loss.name: loss for loss in (CROSS_ENTROPY, SOFTMAX_SQUARES, SQUARES)}
OTHERS = {loss.name: loss for loss in (LOG_PROBABILITIES, LOGISTIC)}


def _with(loss: Loss, **settings: Any) -> Loss:
    """The loss with those of its settings that are not None; what weighs samples or answers leaves no likelihood."""
    chosen = {name: value for name, value in settings.items() if value is not None}
    if not chosen:
        return loss
    setting = ", ".join(
        f"{name}={value if isinstance(value, float) else list(value)}" for name, value in chosen.items()
    )
    name, weighs = f"{loss.name}({setting})", "weight" in chosen or "positive" in chosen
    mean = ", the mean over N samples where torch divides by Σ w" if loss.takes[0] == "labels" and weighs else ""
    return replace(
        loss,
        name=name,
        words=f"{loss.words} with {setting}{mean}",
        value=partial(loss.value, **chosen),
        derivatives=partial(loss.derivatives, **chosen),
        odds=loss.odds and partial(loss.odds, **chosen),
        log_odds=None if "smoothing" in chosen else loss.log_odds and partial(loss.log_odds, **chosen),
        hessian_of=("outputs", "targets") if weighs else loss.hessian_of,
        likelihood=without_likelihood(name) if weighs else loss.likelihood,
    )


def cross_entropy(weight: Sequence[float] | None = None, smoothing: float | None = None, of: str = "ce") -> Loss:
    """ce, or nll, with class weights and label smoothing. A sample's loss is w_y times its cross-entropy, and that of
    all is the mean over N samples, where torch divides by Σ w."""
    return _with(lookup(of), weight=weight, smoothing=smoothing or None)


def logistic(weight: Sequence[float] | None = None, positive: Sequence[float] | None = None) -> Loss:
    """bce with a weight of each output, and of its answer yes."""
    return _with(LOGISTIC, weight=weight, positive=positive)
