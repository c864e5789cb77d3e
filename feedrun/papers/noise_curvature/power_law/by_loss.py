"""What the paper says of one loss or another, and the metrics by which those claims are judged.

A claim about one loss names its metric "<metric>_<loss>". Under another loss that metric is absent,
and the claim is not measured.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from feedrun.experiment import Claim

SUPPLEMENT_WIDTHS = (784, 50, 50, 50, 50, 10)
SUPPLEMENT = {1: 1.39, 2: 1.30, 3: 1.24, 4: 1.11}
"""The supplement's exponents of C against H, by layer of its deep network, with cross-entropy."""

STATE = (
    Claim(
        "interpolates",
        "training with cross-entropy reaches 100% accuracy on the training set",
        "the published code's stop criterion",
        "paper",
        "train_accuracy_cross_entropy",
        low=0.9999,
    ),
    Claim(
        "fits_under_softmax_mse",
        "training with softmax and MSE reaches 95% accuracy on the training set",
        "the published code's stop criterion",
        "paper",
        "train_accuracy_softmax_mse",
        low=0.95,
    ),
    Claim(
        "fits_under_logit_mse",
        "training with MSE on the logits reaches 95% accuracy on the training set",
        "the published code's stop criterion",
        "paper",
        "train_accuracy_logit_mse",
        low=0.95,
    ),
)

CLAIMS = (
    Claim(
        "superlinear_under_cross_entropy",
        "with cross-entropy the exponent of C against H is above 1, up to about 1.4",
        "Table 1",
        "paper",
        "gamma_emp_cross_entropy",
        low=1,
        high=1.45,
    ),
    Claim(
        "linear_under_softmax_mse",
        "with softmax and MSE the exponent of C against H is about 1",
        "Table 1",
        "paper",
        "gamma_emp_softmax_mse",
        low=0.95,
        high=1.05,
    ),
    Claim(
        "power_law_is_wide",
        "with cross-entropy the power law holds over five decades of curvature or more",
        "Fig. 3",
        "paper",
        "decades_cross_entropy",
        low=5,
    ),
    Claim(
        "bends_at_the_stiff_end",
        "with cross-entropy the stiffest tenth of the directions has a smaller local exponent",
        "supplement",
        "paper",
        "stiff_bend_cross_entropy",
        high=0,
    ),
    Claim(
        "matches_supplement",
        "a layer of the deep network has the supplement's exponent, within 0.05",
        "supplement, per-layer table: cross-entropy, 20,000 images",
        "paper",
        "supplement_gap",
        low=-0.05,
        high=0.05,
    ),
)

RIVAL = (
    Claim(
        "exponent_is_finite_sample",
        "with cross-entropy the cross-fit exponent is near 1: the sample chooses superlinearity",
        "the sample chooses its eigenvectors",
        "rival",
        "gamma_emp_crossfit_cross_entropy",
        low=0.95,
        high=1.05,
    ),
)


def of_one_loss(loss: str, summary: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of the claims about this one loss: `gamma_emp` as `gamma_emp_softmax_mse`."""
    names = {c.metric for c in STATE + CLAIMS + RIVAL if c.metric.endswith(f"_{loss}")}
    return {name: summary[name.removesuffix(f"_{loss}")] for name in sorted(names)}


def supplement_gap(
    loss: str, widths: Sequence[int], layer: int, gammas: Sequence[float]
) -> dict[str, list[float]]:
    """Exponents fitted layer by layer, less the published one; empty where none is published."""
    if loss != "cross_entropy" or tuple(widths) != SUPPLEMENT_WIDTHS or layer not in SUPPLEMENT:
        return {}
    return {"supplement_gap": [gamma - SUPPLEMENT[layer] for gamma in gammas]}
