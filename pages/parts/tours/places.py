"""What a stop of a tour may point at: parts of each page by the key they are drawn under, each in words."""

from collections.abc import Mapping

_EPOCHS = "the slider over epochs"
_HEATMAPS = {"K": "the heatmap of K", "R_real": "the heatmap of R_real", "R_rand": "the heatmap of R_rand"}

PLACES: Mapping[str, Mapping[str, str]] = {
    "start": {
        "start-epochs": _EPOCHS,
        "card-C": "the measured exponent",
        "card-C_awd": "the predicted exponent",
        "card-commutator": "the commutator error",
        "card-alignment": "the alignment",
        "card-accuracy": "the accuracy",
        **_HEATMAPS,
        "power": "the power law",
        "gammas": "γ along training",
        "training": "loss and accuracy",
    },
    "train": {"train-side": "the data, the network and what it costs"},
    "commutativity": {
        "commutativity-epochs": _EPOCHS,
        "commutativity.matrix": "the choice of a covariance",
        "commutativity.k": "the slider over k",
        **_HEATMAPS,
        "off_diagonal": "the test against chance",
        "commutator": "the commutator errors",
        "alignment": "the alignment of every covariance",
    },
    "power_law": {
        "power_law-epochs": _EPOCHS,
        "power_law.matrices": "the choice of covariances",
        "power_law.window": "the slider over directions fitted",
        "power": "the power law",
        "heading-the-fits-in-numbers": "the fits in numbers",
        "residuals": "the residuals",
        "gamma_by_window": "γ against 𝒩",
        "effective": "the effective curvature",
        "gammas": "γ along training",
    },
    "table": {"table1": "the table", "agreement": "predicted against measured exponents"},
    "dynamics": {
        "dynamics-epochs": _EPOCHS,
        "gammas": "γ along training",
        "commutators": "the commutator error along training",
        "alignments": "the alignment along training",
        "spearman": "the rank correlation along training",
        "norms": "the sizes along training",
        "training": "loss and accuracy",
        "parts": "the three parts of C_AWD",
        "approximations": "its approximations",
    },
    "suppression": {
        "suppression-epochs": _EPOCHS,
        "suppression-presets": "the settings of Fig. 3",
        "new_on_old": "new against old noise",
        "both": "the power law after the edit",
        "samples": "the curvatures of single samples",
        "cumulative": "the share of the noise by m",
    },
    "sandbox": {
        "sandbox.correlation": "the slider over the correlation",
        "law": "the power law",
        "map": "the map of γ",
        "seen": "what a direction sees",
        "spectra": "the spectra",
        "sandbox.proof": "the steps of the proof",
        "wedge": "the bounds",
    },
}
