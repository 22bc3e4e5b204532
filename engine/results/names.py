"""The named matrices of an analysis, and how many leading directions are usually fitted."""

from collections.abc import Mapping
from types import MappingProxyType

# Every named matrix: symbol and what it is, in words (theory.md sections 1 and 3).
NAMES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "C": ("C", "covariance of the mini-batch gradient"),
        "C_awd": ("C_AWD", "covariance that activity-weight duality predicts"),
        "C_hh": ("C_hh", "its Hessian-weight part"),
        "C_hg": ("C_hg", "its cross part"),
        "C_gg": ("C_gg", "its gradient-activity part"),
        "C_hh_sd": ("C_hh, sd", "Hessian-weight part, samples independent"),
        "C_hh_sd_wd": ("C_hh, sd+wd", "… and the weight change diagonal in each sample's eigenbasis"),
        "C_hh_sd_wd_li": ("C_hh, sd+wd+li", "… and locally isotropic: σ_w²/2B · E[h²], the theorem"),
        "E_h2": ("E[h²]", "mean squared per-sample Hessian"),
        "C_odds": ("C_odds", "curvature weighted by each sample's odds of being wrong: no noise exceeds it"),
        "C_loss": ("C_loss", "curvature weighted by each sample's loss"),
    }
)

# Made where it is chosen by name alone.
FISHER = "fisher"
ON_REQUEST: Mapping[str, tuple[str, str]] = MappingProxyType(
    {FISHER: ("F", "true Fisher matrix: targets drawn from the network's own outputs")}
)

# What else may predict C: H alone, over B.
PREDICTORS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "H": ("H/B", "mean per-sample Hessian, over B"),
        "E_loss_H": ("E[ℓ] H/B", "the same times the mean loss"),
    }
)

# 𝒩, the leading directions fitted unless the user says otherwise: the paper's for ten classes of digits.
USUAL_WINDOW = 1000
