"""Ridge regression with an intercept, its strength chosen on held-out rows; numpy, float64.

Columns of x are standardised over the rows that are fitted, so that a penalty means the same for
all: the weights of penalty c minimise mean |y - b - x w|^2 + c |w|^2 (Hoerl and Kennard 1970).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Ridge(NamedTuple):
    """y = intercept + x weights, for x as it came; `penalties` (K,): what each column of y got."""

    weights: Float[np.ndarray, "D K"]
    intercept: Float[np.ndarray, "K"]
    penalties: Float[np.ndarray, "K"]


def path(
    x: Float[np.ndarray, "N D"], y: Float[np.ndarray, "N K"], penalties: Sequence[float]
) -> list[Ridge]:
    """A fit a penalty, from one eigendecomposition: O(N D (D + K) + D^3).

    Raises ValueError for a penalty that is not positive (columns of x may depend on each other).
    """
    if not min(penalties) > 0:
        raise ValueError(f"penalties must be positive, got {list(penalties)}")
    x, y = np.asarray(x), np.asarray(y, float)
    count, mean = len(x), x.mean(axis=0, dtype=float)
    scale = x.std(axis=0, dtype=float)
    scale = np.where(scale > 1e-12, scale, np.inf)  # a column that never moves says nothing
    z = (x - mean) / scale
    level = y.mean(axis=0)
    values, vectors = np.linalg.eigh(z.T @ z / count)
    cross = vectors.T @ (z.T @ (y - level)) / count
    found = []
    for penalty in penalties:
        weights = vectors @ (cross / (values + penalty)[:, None]) / scale[:, None]
        found.append(Ridge(weights, level - mean @ weights, np.full(y.shape[1], float(penalty))))
    return found


def chosen(
    x: Float[np.ndarray, "N D"],
    y: Float[np.ndarray, "N K"],
    x_held: Float[np.ndarray, "M D"],
    y_held: Float[np.ndarray, "M K"],
    penalties: Sequence[float],
) -> Ridge:
    """For each column of y the penalty with the least squared error on held-out rows."""
    fits = path(x, y, penalties)
    errors = np.stack([((y_held - predict(fit, x_held)) ** 2).mean(axis=0) for fit in fits])
    best, columns = errors.argmin(axis=0), np.arange(errors.shape[1])
    return Ridge(
        np.stack([fit.weights for fit in fits])[best, :, columns].T,
        np.stack([fit.intercept for fit in fits])[best, columns],
        np.asarray(penalties, float)[best],
    )


def predict(fit: Ridge, x: Float[np.ndarray, "*N D"]) -> Float[np.ndarray, "*N K"]:
    """What a fit says of rows x."""
    return x @ fit.weights + fit.intercept
