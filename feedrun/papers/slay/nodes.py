"""Other nodes and weights than Gauss-Laguerre's for K(x) = int_0^inf e^{-C s} x^2 e^{2 s x} ds.

None is the paper's.
"""

import jax
import numpy as np
from jaxtyping import Array, Float64, Key
from scipy.optimize import minimize, nnls

from feedrun.maths.quadrature import Rule, reciprocal_sum
from feedrun.papers.slay import theory


def whole_sphere(count: int, eps: float) -> Rule:
    """Nodes for every x in [-1, 1], the peak too: exponential sum for 1 / y, y in [eps, 4 + eps].

    For `peaked_kernel`. Needs factors without noise: at s ~ 1/eps positive features have
    variance e^{8s}.
    """
    return reciprocal_sum(count, eps, 4 + eps)


def peaked_kernel(rule: Rule, x: theory.Real, eps: float) -> theory.Real:
    """sum_r w_r x^2 e^{-s_r (C - 2x)}: unlike a Laguerre rule's, these weights hold no e^{-C s}."""
    decay = np.multiply.outer(2 + eps - 2 * np.asarray(x), rule.nodes)
    return np.asarray(x) ** 2 * (np.exp(-decay) @ rule.weights)


def fitted(x: Float64[np.ndarray, "N"], eps: float, *, count: int, prf: float) -> Rule:
    """The `count` nodes with the least squared bias plus variance, summed over the cosines x.

    Variance is that of `prf` positive features a node under an exact square (math.inf: none), so
    that noise pushes the nodes to small s. Weights by nonnegative least squares, nodes by search.
    """
    start = np.log(theory.laguerre_nodes(count, eps).nodes)
    best = minimize(lambda u: _weights(np.exp(u), x, eps, prf)[1], start, method="Nelder-Mead")
    nodes = np.sort(np.exp(best.x))
    return Rule(nodes, _weights(nodes, x, eps, prf)[0])


def _weights(s, x, eps: float, prf: float):
    """Nonnegative weights for given nodes, and the root of the sum of squares they leave."""
    columns = x[:, None] ** 2 * np.exp(2 * np.outer(x, s))
    relative = theory.exponential_variance(x[:, None], s[None]) / prf
    noise = np.diag(np.sqrt(np.sum(columns**2 * relative, axis=0)))
    target = np.concatenate([x**2 / (2 + eps - 2 * x), np.zeros(len(s))])
    return nnls(np.concatenate([columns, noise]), target)


def sampled(key: Key[Array, ""], count: int, eps: float) -> Rule:
    """Nodes drawn from the mixture, s ~ Exp(C), weight 1 / (count C): unbiased for K itself.

    But one positive feature a node has infinite variance wherever x >= (C - 4) / 8, about -1/4.
    """
    s = np.asarray(jax.random.exponential(key, (count,), float)) / (2 + eps)
    return Rule(s, np.full(count, 1 / (count * (2 + eps))))
