"""What icl_markov claims, and the comparisons of arms that its claims are about.

Thresholds: "near the unigram line" is read as nearer to it than to Bayes (0.5), the paper's
orderings as differences above 0; the KL of 0.01 and the 20% are guesses. All were written before
the first run.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from feedrun.experiment import Claim
from feedrun.papers.ssm_icl.arms.results import LEAKS, Standing

SIDES = {"with_conv": ("ssd+conv", "linear+conv+rope"), "without_conv": ("ssd", "linear+rope")}
"""The selective SSM and the linear Transformer (which has positions) it is compared with."""

SIDE_WORDS = {"with_conv": "on both sides", "without_conv": "on neither side"}
CHAIN_WORDS = {"mc3": "random chains of 3 symbols", "switching": "the switching chain"}


def _orderings(chain: str, side: str) -> tuple[Claim, Claim]:
    """The paper's two claims on one benchmark, the convolution on both sides or on neither."""
    where = f"{CHAIN_WORDS[chain]}, the convolution {SIDE_WORDS[side]}"
    return (
        Claim(
            f"{chain}_lower_{side}",
            f"{where}: the selective SSM ends at a lower KL to Bayes than the linear Transformer: "
            "linear less selective, nats",
            "abstract",
            "paper",
            f"{chain}/linear_minus_ssd_{side}",
            low=0.0,
        ),
        Claim(
            f"{chain}_faster_{side}",
            f"{where}: it gets there faster: log of linear's KL over selective's, averaged over "
            "training",
            "abstract",
            "paper",
            f"{chain}/faster_{side}",
            low=0.0,
        ),
    )


CLAIMS = (
    Claim(
        "one_layer_with_conv",
        "one selective layer with a convolution: KL to Bayes at the 200th symbol of a chain of "
        "3, nats (a guess)",
        "arXiv 2502.10178",
        "derived",
        "one_layer/kl_with_conv",
        high=0.01,
    ),
    Claim(
        "one_layer_without_conv",
        "one selective layer without: its KL to the truth there is nearer to the unigram "
        "predictor's (1) than to Bayes' (0)",
        "arXiv 2502.10178",
        "derived",
        "one_layer/toward_unigram_without_conv",
        low=0.5,
    ),
    *_orderings("mc3", "with_conv"),
    *_orderings("mc3", "without_conv"),
    *_orderings("switching", "with_conv"),
    Claim(
        "convolution_outweighs_selection",
        "chains of 3 symbols: a linear Transformer with the convolution ends below a selective SSM "
        "without: difference of KL to Bayes, nats",
        "a pilot run",
        "rival",
        "mc3/ssd_without_minus_linear_with",
        low=0.0,
    ),
    Claim(
        "softmax_as_low",
        "chains of 3 symbols: a softmax Transformer with the convolution ends no higher than the "
        "selective SSM with it: softmax less selective, nats",
        "Theorem 1 holds for any universal learner",
        "rival",
        "mc3/softmax_minus_ssd_with_conv",
        high=0.0,
    ),
    Claim(
        "extrapolates",
        "chains of 3 symbols: the selective SSM's KL to Bayes at the end of tests longer than "
        "training is at most 1.2 of that at training's length (a guess)",
        "as on linear systems",
        "derived",
        "mc3/ssd_extrapolation",
        high=1.2,
    ),
    *LEAKS,
)


def comparisons(everyone: Mapping[str, Standing], *, length: int) -> dict[str, list[float]]:
    """Paired over seeds, for the arms that are there: differences, speeds, extrapolation.

    Differences are of KL to Bayes, averaged over the positions of training.
    """
    found: dict[str, Any] = {}
    final = {name: one.excess[:, :length].mean(axis=1) for name, one in everyone.items()}
    for side, (ssd, linear) in SIDES.items():
        if ssd in everyone and linear in everyone:
            found[f"linear_minus_ssd_{side}"] = final[linear] - final[ssd]
            found[f"faster_{side}"] = _log_area(everyone[linear]) - _log_area(everyone[ssd])
    for metric, (more, less) in {
        "ssd_without_minus_linear_with": ("ssd", "linear+conv+rope"),
        "softmax_minus_ssd_with_conv": ("softmax+conv+rope", "ssd+conv"),
        "ssd_without_minus_ssd_with": ("ssd", "ssd+conv"),
    }.items():
        if more in final and less in final:
            found[metric] = final[more] - final[less]
    for name, metric in {"ssd+conv": "ssd", "softmax+conv+rope": "softmax"}.items():
        if name in everyone:
            found[f"{metric}_extrapolation"] = beyond(everyone[name].excess, length=length)
    return {metric: np.asarray(value, float).tolist() for metric, value in found.items()}


def beyond(excess: Float[np.ndarray, "R T"], *, length: int) -> Float[np.ndarray, "R"]:
    """Excess over the last eighth of the exam, over that of the last eighth of training's length.

    Averages, because one position is noisy; 1 where the exam is no longer than training.
    """
    window, end = max(1, length // 8), excess.shape[1]
    far = excess[:, end - max(1, end // 8) :].mean(axis=1)
    return far / excess[:, length - window : length].mean(axis=1)


def _log_area(one: Standing) -> Float[np.ndarray, "R"]:
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
