"""What the entries of a legend stand for: plain words under the pointer, the same in every figure.

A trace's meta is its key in WORDS; a second word after it tells traces of one key apart ("kappa 1", "fisher fit").
"""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.losses import LOSSES
from pages.state.palette import LOOKS, plain_label

_CURVATURE = "H – curvature, the Hessian of the loss"
_CHANCE = "The same spectrum turned at random, which destroys even what C and H share by construction."
_MEASURED = "As it is in the network, nothing edited."
_EXPONENT = "The exponent of this covariance against H, frame by frame."
_BOUND = "A bound that the theorem proves for every point, with its slope on log axes."
_INPUT = "What the layer receives: before, on the way, and the change."
_CELL = "Large: the mean of a cell over its seeds; small: each seed."

WORDS: Mapping[str, str] = {
    **{name: plain_label(name) for name in LOOKS if name != "H"},
    "H": _CURVATURE,
    # The power law and what it hangs on.
    "slope 1": "What γ = 1 would look like: noise proportional to curvature. A slope, not a bound of one.",
    "slope 2": "What γ = 2 would look like: noise as the square of curvature. A slope, not a bound of one.",
    "fit": "The least-squares line through the directions fitted, on log axes.",
    "running-median": "The median of neighbouring residuals: zero where one power holds.",
    "kappa_eff": "Mean curvature of samples along a direction, weighted by curvature: E[h²] over H.",
    "between": "Every point lies between the two bounds; the slope fitted to them need not.",
    "bound": "The effective curvature of a direction cannot be less than its curvature.",
    "marked": "The direction that is pointed at, in every figure.",
    # The loss over two directions.
    "plane-loss": "The loss at weights that are moved so far; lines join equal losses, pale is low.",
    "mini-batch": "Where a single mini-batch would throw the weights, beyond the mean of all.",
    "ellipse": "Two standard deviations of the noise: C in these directions.",
    # On other samples.
    "in-sample": "Directions, noise and curvature from the same samples.",
    "crossed": "Directions from these samples, noise and curvature from as many others.",
    # What predicts the noise.
    "exact": "Where a predictor gives the noise itself, size and all.",
    "absolute": "The predictor as it is, without a free constant.",
    "scaled": "The predictor times the one number that brings it nearest.",
    "E_loss_H": "E[ℓ] H/B – curvature times the mean loss, over B",
    # Layer by layer.
    "analysed": "Layers that are analysed at this epoch.",
    "missing": "No analysis of this layer at this epoch is kept.",
    "gauss-newton": "The Gauss–Newton matrix stands in for the Hessian: what follows is smooth, the layer too wide.",
    # Beside chance.
    "measured": _MEASURED,
    "by chance": _CHANCE,
    "permuted": "Each sample has the gradient of another of its class: what is left without its tie to curvature.",
    "band": "Nine of ten random rotations lie in this band.",
    # Suppression.
    "before": _MEASURED,
    "after": "After the edit that is set above.",
    "unchanged": "New noise equal to the old: the edit took nothing away.",
    "5 … 95 % of samples": "Nine of ten samples lie in this band.",
    "25 … 75 %": "Half of the samples lie in this band.",
    "median": "Half of the samples lie above, half below.",
    "single": "A few samples from the least to the most curved.",
    "threshold": "Samples above this curvature count as stiff.",
    # Training and the film.
    "train_loss": "Measured on the samples that the network is trained on.",
    "test_loss": "Measured on samples that training never uses.",
    "gamma": _EXPONENT,
    "gamma_awd": _EXPONENT,
    "commutator": "0 if H and C share their directions.",
    "commutator_random": _CHANCE,
    "learning_rate": "The learning rate.",
    "batch_size": "The batch size.",
    # γ by hand.
    "by hand": "A line through the middle of the cloud, of the slope that you choose.",
    "local slope": "The slope in a window of one decade of H.",
    # One sample.
    "right": "Samples that the network classifies correctly.",
    "wrong": "Samples that the network classifies wrongly.",
    "two classes": "What confidence alone would make of the curvature, with two classes.",
    "mean": "The average over every training sample.",
    # The sandbox.
    "sandbox": "The made-up samples, as the sliders are set.",
    "run": "The measured samples of the run in view.",
    "γ = 1": "Every direction sees the same samples, so that γ is 1.",
    "γ = 2": "A direction ten times sharper is made of samples ten times sharper, so that γ is 2.",
    "kappa": "The curvatures of single samples, largest first.",
    "hessian": _CURVATURE,
    "noise": plain_label("E_h2"),
    "lower": _BOUND,
    "upper": _BOUND,
    "law": "The least-squares line on log axes.",
    # The Fisher argument.
    "fisher": "True Fisher matrix: the mean of g gᵀ over labels that the network would draw.",
    "empirical": "Empirical Fisher matrix: the mean of g gᵀ over the data's labels.",
    "BC": "The noise C, times the batch size B.",
    # A pair of samples.
    "by_activity": "The loss when the layer's input moves towards the partner's.",
    "by_weight": "The loss when the layer's weights move by the dual change: the same curve.",
    "label_of_partner": "The loss when the partner's own label is asked for.",
    "actual": "How far the gradient really moves.",
    "first_order": "How far first order says that it moves.",
    "curvature": "The part that the sample's Hessian predicts.",
    "activity": "The part of the activity itself.",
    "error": "The difference between the true change and first order.",
    "relative": "The relative error of first order for this pair.",
    "input": _INPUT,
    "actual_along": "The covariance of the gradients' true differences between partners.",
    "first_order_along": "The same of their differences to first order: what C_AWD is made of.",
    # Descents under noise.
    "sgd": "SGD itself, its mini-batches drawn in this layer as training draws them.",
    "turned": "Gaussian noise with the spectrum of C in random directions, other ones for each seed.",
    "isotropic": "Gaussian noise that is equal in all directions.",
    "none": "The whole gradient, and no noise.",
    # A sweep.
    **dict.fromkeys(LOSSES, _CELL),
}


def entries(traces: Iterable[Any]) -> dict[str, str]:
    """Words for the entries of a legend by their text, where their trace has a key."""
    shown = [trace for trace in traces if trace.name and trace.showlegend is not False]
    return {trace.name: text for trace in reversed(shown) if (text := words(trace.meta))}


def words(key: Any) -> str:
    """What a key stands for; empty where there is none."""
    if not isinstance(key, str):
        return ""
    return WORDS.get(key) or WORDS.get(key.partition(" ")[0], "")
