"""Gammascope's engine: the covariance C of SGD's gradient noise against the Hessian H of the loss.

    from engine import analyze
    result = analyze(model, inputs, targets, layer="fc2", loss="ce", batch_size=50)
    result.fit("C", top_k=1000).gamma

Axes used in every signature:

    n       samples (of a chunk or of the whole set)
    t       places of a sample at which the layer is used; 1 for a layer fed one vector per sample
    d_in    inputs of the studied layer (one more where its bias is included)
    d_out   outputs of the studied layer
    d       D = d_out · d_in, the layer's weights, row-major
    k       leading eigen-directions of H
    r       eigenpairs kept of one sample's curvature M_p (at most d_out)
    c       classes, the logits' axis

Importing the package costs nothing: torch is loaded when `analyze` is first asked for, so that
a page can read results (engine.results.analysis) without it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.curvature.analyze import analyze
    from engine.recorder import Recorder, keep
    from engine.results.analysis import Analysis

__version__ = "0.1.0"
__all__ = ["Analysis", "Recorder", "analyze", "keep"]


def __getattr__(name: str) -> Any:
    if name == "analyze":
        from engine.curvature.analyze import analyze  # loads torch

        return analyze
    if name in ("Recorder", "keep"):
        from engine import recorder  # loads torch

        return getattr(recorder, name)
    if name == "Analysis":
        from engine.results.analysis import Analysis  # loads NumPy

        return Analysis
    raise AttributeError(f"engine has no {name!r}; it offers {', '.join(__all__)}.")
