"""Tests of predictors against references, with standard errors over sequences.

Every function takes arrays (B, T) or (B, T, O) of one evaluation and returns z-scores, the mean
over its standard error: the claims that end every experiment are about these.
"""

from typing import NamedTuple

import numpy as np

ROUNDING = 1e-9
"""Losses that differ by less are the same."""


class Floor(NamedTuple):
    """How far a predictor lies above the genie; negative beyond noise is a leak or a wrong oracle.

    average: z of the risk difference averaged over positions; lowest: the least z of a position.
    """

    average: float
    lowest: float


def floor(loss: np.ndarray, genie_loss: np.ndarray) -> Floor:
    """z-scores of the excess from losses (B, T): `average` must be >= -3 and `lowest` >= -4.5.

    Positions at which both always agree, but for rounding, say nothing and are left out.
    """
    difference = np.asarray(loss, float) - np.asarray(genie_loss, float)
    moved = difference[:, np.abs(difference).max(axis=0) > ROUNDING]
    if moved.shape[1] == 0:
        return Floor(0.0, 0.0)
    return Floor(z_score(moved.mean(axis=1)), float(min(z_score(column) for column in moved.T)))


def orthogonality(y: np.ndarray, bayes: np.ndarray, predictions: np.ndarray) -> float:
    """z of (y - m)(m - f), summed over coordinates and averaged over positions.

    0 for every predictor f of the inputs where m is their Bayes predictor; significantly negative
    where f knows something that m does not. Arrays (B, T, O), y one-hot for symbols.
    """
    y, m, f = (np.asarray(a, float) for a in (y, bayes, predictions))
    return z_score(((y - m) * (m - f)).sum(axis=-1).mean(axis=1))


def z_score(values: np.ndarray) -> float:
    """Mean over its standard error; 0 where all values are 0."""
    spread = values.std(ddof=1) / np.sqrt(len(values))
    if spread == 0:
        return 0.0 if values.mean() == 0 else float(np.sign(values.mean()) * np.inf)
    return float(values.mean() / spread)
