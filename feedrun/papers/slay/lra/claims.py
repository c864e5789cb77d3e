"""The claims of slay_lra: accuracy on test as paired differences over seeds.

The paper has no such result, so its claims in words are taken to this benchmark. They come
without a margin: MARGIN was set before anything was trained.
An interval is over seeds (initial weights, batches and random features); the test sequences are
the same for all.
"""

import numpy as np

from feedrun.experiment import Claim, estimate

MARGIN = 0.02
"""Two points of accuracy: what "as good as" means here."""

PAIRS = (
    ("slay", "softmax"),
    ("slay", "yat"),
    ("slay", "favor_relu"),
    ("slay", "favor"),
    ("slay", "cosformer"),
    ("slay", "uniform"),
    ("square", "slay"),
    ("ours", "slay"),
    ("ours", "softmax"),
    ("uniform", "softmax"),
    ("ssd", "softmax"),
)
"""Whose accuracies are subtracted; "ours" is the config's."""

CLAIMS = (
    Claim(
        "softmax_learns",
        "the task can be learned at this size: softmax attention beats the majority class",
        "the task can be learned",
        "derived",
        "softmax/over_majority",
        low=0.0,
    ),
    Claim(
        "attention_is_needed",
        "the control that looks at nothing (uniform attention) is worse than softmax",
        "control",
        "derived",
        "uniform_minus_softmax",
        high=0.0,
    ),
    Claim(
        "slay_learns",
        "SLAY as published beats the majority class",
        "sec. 1",
        "paper",
        "slay/over_majority",
        low=0.0,
    ),
    Claim(
        "slay_like_softmax",
        "SLAY is at most two points below softmax attention",
        "abstract: the closest linear-time approximation to softmax",
        "paper",
        "slay_minus_softmax",
        low=-MARGIN,
    ),
    Claim(
        "slay_like_yat",
        "SLAY is within two points of the exact kernel that it approximates",
        "sec. 1",
        "paper",
        "slay_minus_yat",
        low=-MARGIN,
        high=MARGIN,
    ),
    Claim(
        "slay_over_performer",
        "SLAY beats the paper's Performer (ReLU features) with as many features",
        "abstract, at equal budgets",
        "paper",
        "slay_minus_favor_relu",
        low=0.0,
    ),
    Claim(
        "slay_over_favor",
        "SLAY beats FAVOR+ (positive exponential features) with as many features",
        "abstract, at equal budgets",
        "paper",
        "slay_minus_favor",
        low=0.0,
    ),
    Claim(
        "slay_over_cosformer",
        "SLAY beats cosFormer, which has fewer features",
        "abstract",
        "paper",
        "slay_minus_cosformer",
        low=0.0,
    ),
    Claim(
        "uniform_as_good_as_slay",
        "averaging all values blindly does as well as SLAY",
        "control",
        "rival",
        "slay_minus_uniform",
        high=0.0,
    ),
    Claim(
        "square_over_slay",
        "the exact square alone, with fewer features and nothing random, is no worse than SLAY",
        "control",
        "rival",
        "square_minus_slay",
        low=0.0,
    ),
    Claim(
        "ours_over_slay",
        "the exact kernel in a window and the exact square beyond it beat SLAY",
        "ours, not the paper's",
        "derived",
        "ours_minus_slay",
        low=0.0,
    ),
    Claim(
        "ours_like_softmax",
        "the same is at most two points below softmax attention",
        "ours, not the paper's",
        "derived",
        "ours_minus_softmax",
        low=-MARGIN,
    ),
    Claim(
        "state_space_over_softmax",
        "a selective state space, no attention at all, beats softmax with as many parameters",
        "state spaces lead this benchmark: arXiv 2111.00396",
        "rival",
        "ssd_minus_softmax",
        low=0.0,
    ),
)


def learned(accuracy: np.ndarray, majority: float) -> bool:
    """Are the seeds' accuracies above the majority class, by their interval where there is one?"""
    value, low, _, _ = estimate((accuracy - majority).tolist())
    return (value if low is None else low) > 0
