"""The comparisons of arms that the claims of icl_markov are about."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from feedrun.papers.ssm_icl.arms.results import ArmResult

SIDES = {"with_conv": ("ssd+conv", "linear+conv+rope"), "without_conv": ("ssd", "linear+rope")}
"""The selective SSM and the linear Transformer (which has positions) it is compared with."""


def comparisons(arm_results: Mapping[str, ArmResult], *, length: int) -> dict[str, list[float]]:
    """Paired over seeds, for the arms that are there: differences, speeds, extrapolation.

    Differences are of KL to Bayes, averaged over the positions of training.
    """
    found: dict[str, Any] = {}
    final = {name: one.excess[:, :length].mean(axis=1) for name, one in arm_results.items()}
    for side, (ssd, linear) in SIDES.items():
        if ssd in arm_results and linear in arm_results:
            found[f"linear_minus_ssd_{side}"] = final[linear] - final[ssd]
            found[f"faster_{side}"] = _log_area(arm_results[linear]) - _log_area(arm_results[ssd])
    for metric, (more, less) in {
        "ssd_without_minus_linear_with": ("ssd", "linear+conv+rope"),
        "softmax_minus_ssd_with_conv": ("softmax+conv+rope", "ssd+conv"),
        "ssd_without_minus_ssd_with": ("ssd", "ssd+conv"),
    }.items():
        if more in final and less in final:
            found[metric] = final[more] - final[less]
    for name, metric in {"ssd+conv": "ssd", "softmax+conv+rope": "softmax"}.items():
        if name in arm_results:
            found[f"{metric}_extrapolation"] = beyond(arm_results[name].excess, length=length)
    return {metric: np.asarray(value, float).tolist() for metric, value in found.items()}


def beyond(excess: Float[np.ndarray, "R T"], *, length: int) -> Float[np.ndarray, "R"]:
    """Excess in the last eighth of a sequence, over that in the last eighth of training's length.

    Averages, because one position is noisy; 1 where the evaluation set is no longer than training.
    """
    window, end = max(1, length // 8), excess.shape[1]
    far = excess[:, end - max(1, end // 8) :].mean(axis=1)
    return far / excess[:, length - window : length].mean(axis=1)


def _log_area(one: ArmResult) -> Float[np.ndarray, "R"]:
    """log of the KL to Bayes on held-out sequences, averaged over training."""
    return np.log(one.trained.curves[:, 1]).mean(axis=0)


def one_layer(
    excess: Mapping[str, Float[np.ndarray, "R"]],
    truth: Mapping[str, Float[np.ndarray, "R"]],
    lines: Mapping[str, float],
) -> dict[str, list[float]]:
    """One layer at one position: KL to Bayes with the convolution, where KL to truth lies without.

    0 is Bayes' own KL to the truth and 1 the unigram predictor's, both in `lines`.
    """
    found: dict[str, list[float]] = {}
    if "ssd+conv" in excess:
        found["kl_with_conv"] = excess["ssd+conv"].tolist()
    if "ssd" in truth:
        part = (truth["ssd"] - lines["bayes"]) / (lines["unigram"] - lines["bayes"])
        found["toward_unigram_without_conv"] = part.tolist()
    return found
