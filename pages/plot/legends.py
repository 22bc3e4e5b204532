"""What the entries of a legend stand for: plain words under the pointer, the same in every figure."""

import re
from collections.abc import Iterable

from pages.state.palette import LOOKS, plain_label

# By the text of the entry; the first that fits holds.
_LINES = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"slope 1$", "What γ = 1 would look like: noise proportional to curvature. The theory's lower bound."),
        (r"slope 2$", "What γ = 2 would look like: noise as the square of curvature. The theory's upper bound."),
        (r"flat: γ = 1", "Every direction sees the same samples, so that γ is 1."),
        (r"slope 1: γ = 2", "A direction ten times sharper is made of samples ten times sharper, so that γ is 2."),
        (r"slope .*R²", "The least-squares line through the directions fitted, on log axes."),
        (r".*, slope [12]$", "A bound that the theorem proves, with its slope on log axes."),
        (r"not fitted", "Directions outside the window that is fitted, or below the noise floor."),
        (r"turned at random|by chance|.* at random$", "The same spectrum in a random basis: what chance would give."),
        (r"5 … 95 % of [\d,]+ draws", "Nine of ten random rotations lie in this band."),
        (r"measured|as measured", "As it is in the network, nothing edited."),
        (r"edited", "After the edit that is set above."),
        (r"unchanged", "New noise equal to the old: the edit took nothing away."),
        (r"direction [\d,]+", "The direction that is pointed at, in every figure."),
        (r".*running median", "The median of neighbouring residuals: zero where one power holds."),
        (r".*second-order fit", "A parabola on log axes: where one power holds it is the straight line."),
        (r"κeff$", "Mean curvature of samples along a direction, weighted by curvature: E[h²] over H."),
        (r"lower bound Hii", "The effective curvature of a direction cannot be less than its curvature."),
        (r"training samples", "Measured on the samples that the network is trained on."),
        (r"unseen samples", "Measured on samples that training never uses."),
        (r"5 … 95 % of samples", "Nine of ten samples lie in this band."),
        (r"25 … 75 %", "Half of the samples lie in this band."),
        (r"median", "Half of the samples lie above, half below."),
        (r"mean of all samples", "The average over every training sample."),
        (r"single samples", "A few samples from the least to the most curved."),
        (r"this sample|chosen", "The sample chosen above."),
        (r"stiff above", "Samples above this curvature count as stiff."),
        (r"right \(", "Samples that the network classifies correctly."),
        (r"wrong \(", "Samples that the network classifies wrongly."),
        (r"two classes", "What confidence alone would make of the curvature, with two classes."),
        (r"these κ", "The same curvatures from no correlation with the alignment to a perfect one."),
        (r"sandbox", "The made-up samples, as the sliders are set."),
        (r"this run", "The measured samples of the run in view."),
        (r"γ = ", "The least-squares line on log axes."),
        (r"κ( |$)", "The curvatures of single samples, largest first."),
        (r"F( |$)", "True Fisher matrix: the mean of g gᵀ over labels that the network would draw."),
        (r"E\[g ?g", "Empirical Fisher matrix: the mean of g gᵀ over the data's labels."),
        (r"B·C", "The noise C, times the batch size B."),
        (r"γ of C(AWD)?$", "The exponent of this covariance against H, frame by frame."),
        (r"commutator error", "0 if H and C share their directions."),
        (r"η$", "The learning rate."),
        (r"B$", "The batch size."),
        (r"ℓ\(a \+ tΔa; W\), label", "The loss when the partner's own label is asked for."),
        (r"ℓ\(a \+ tΔa", "The loss when the layer's input moves towards the partner's."),
        (r"ℓ\(a; W", "The loss when the layer's weights move by the dual change: the same curve."),
        (r"‖Δg‖", "How far the gradient really moves."),
        (r"t‖v \+ u‖", "How far first order says that it moves."),
        (r"t‖v‖", "The part that the sample's Hessian predicts."),
        (r"t‖u‖", "The part of the activity itself."),
        (r"‖Δg − ", "The difference between the true change and first order."),
        (r"t?Δa|a \+ tΔa|a$", "What the layer receives: before, on the way, and the change."),
        (r"from exact Δg", "The covariance of the gradients' true differences between partners."),
        (r"from v \+ u", "The same of their differences to first order: what C_AWD is made of."),
        (r"as predicted", "Where first order would be exact."),
        (r"nearest|median of|middle|farthest|epoch \d", "The relative error of first order for this pair."),
        (r"cross|softmax|linear", "Large: the mean of a cell over its seeds; small: each seed."),
    )
)
_TAGS = re.compile(r"<[^<>]+>")


def told(names: Iterable[str]) -> dict[str, str]:
    """Words for those entries that have any, by the text of the entry."""
    found = ((name, words(name)) for name in dict.fromkeys(names))
    return {name: said for name, said in found if said}


def words(name: str) -> str:
    """What one entry stands for; empty where it says so itself."""
    text = _TAGS.sub("", name)
    for pattern, said in _LINES:
        if pattern.match(text):
            return said
    # A covariance, alone or with its exponent and its run.
    for matrix in sorted(LOOKS, key=lambda m: -len(LOOKS[m].html)):
        symbol = LOOKS[matrix].html
        if name == symbol or re.match(re.escape(symbol) + r"(<sub>ii</sub>|\W)", name):
            return "H – curvature, the Hessian of the loss" if matrix == "H" else plain_label(matrix)
    return ""
