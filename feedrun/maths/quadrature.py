"""Sums of exponentials for 1/y = int_0^inf e^{-s y} ds: Gauss-Laguerre, trapezoid in log s.

Nodes and weights are few, and needed while programs are built: float64 on the host.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy.optimize import minimize
from scipy.special import roots_laguerre


class Rule(NamedTuple):
    """Nodes and nonnegative weights: int f(s) ds is about sum_r weights_r f(nodes_r)."""

    nodes: Float64[np.ndarray, "R"]
    weights: Float64[np.ndarray, "R"]


def gauss_laguerre(count: int) -> Rule:
    """Rule for int_0^inf e^{-t} f(t) dt, exact for polynomials f of degree 2 count - 1."""
    nodes, weights = roots_laguerre(count)
    return Rule(nodes, weights)


def log_trapezoid(first: float, step: float, count: int) -> Rule:
    """Trapezoid rule in ln s for int_0^inf f(s) ds: ln s = first + step r, weight step s."""
    nodes = np.exp(first + step * np.arange(count))
    return Rule(nodes, step * nodes)


def reciprocal_error(rule: Rule, low: float, high: float) -> float:
    """max |y sum_r w_r e^{-s_r y} - 1| over y in [low, high]."""
    y = np.geomspace(low, high, 2000)
    return float(np.max(np.abs(y * (np.exp(-np.outer(y, rule.nodes)) @ rule.weights) - 1)))


def reciprocal_sum(count: int, low: float, high: float) -> Rule:
    """The log-trapezoid of `count` nodes with the smallest largest relative error of 1/y.

    At fixed `count` the window has two free numbers, searched by the simplex method.
    """

    def error(window) -> float:
        return reciprocal_error(log_trapezoid(window[0], window[1], count), low, high)

    top = np.log(5 / low)  # e^{-s low} is spent beyond s = 5 / low
    guesses = [(top - step * (count - 1), step) for step in np.geomspace(0.2, 3, 12)]
    found = [
        minimize(error, guess, method="Nelder-Mead") for guess in sorted(guesses, key=error)[:3]
    ]
    first, step = min(found, key=lambda result: result.fun).x
    return log_trapezoid(first, step, count)
