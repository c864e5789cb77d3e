"""Families of sequences whose best predictor is known: what a family is, and every one by name."""

from feedrun.papers.ssm_icl.families.base import (
    Batch,
    Family,
    Keys,
    Predictor,
    Scalar,
    cross_entropy,
    divergence,
    excess,
    first_flag,
    keys,
    loss,
    shifted,
    squared_error,
)

__all__ = [
    "Batch",
    "Family",
    "Keys",
    "Predictor",
    "Scalar",
    "cross_entropy",
    "divergence",
    "excess",
    "first_flag",
    "keys",
    "loss",
    "shifted",
    "squared_error",
]
