"""Signs of estimated scores and of the denominators that they add up to.

Random Gaussian queries and keys, all keys visible. Also the two exact kernels, for the scale.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from feedrun.maths import kernel_sums
from feedrun.papers.slay import theory
from feedrun.papers.slay.attention import mechanisms
from feedrun.papers.slay.attention.mechanisms import KERNELS, SIGNED, Sizes
from feedrun.papers.slay.kernel import fidelity


@partial(jax.jit, static_argnames=("name", "sizes", "tokens", "dimension"))
def lows(
    keys: Key[Array, "R"], *, name: str, sizes: Sizes, tokens: int, dimension: int
) -> Float[Array, "R 3"]:
    """For each key: least score, least denominator, share of negative denominators."""

    def one(key):
        q_key, k_key, draw_key = jax.random.split(key, 3)
        q = jax.random.normal(q_key, (tokens, dimension))
        k = jax.random.normal(k_key, (tokens, dimension))
        weights = scores(name, draw_key, sizes, q, k)
        total = jnp.sum(weights, axis=1)
        return jnp.stack([jnp.min(weights), jnp.min(total), jnp.mean(total < 0)])

    return jax.lax.map(one, keys)


def scores(
    name: str, key: Key[Array, ""], sizes: Sizes, q: Float[Array, "T D"], k: Float[Array, "S D"]
) -> Float[Array, "T S"]:
    """Weights before normalisation: a kernel of KERNELS, `yat`, or `yat_raw` of plain vectors."""
    if name == "yat":
        return mechanisms.yat_scores(q, k, sizes.eps)
    if name == "yat_raw":
        return theory.yat(q, k, sizes.eps)
    return kernel_sums.scores(KERNELS[name](key, q.shape[1], sizes), q, k)


def measured(
    key: Key[Array, ""],
    names: list[str],
    sizes: Sizes,
    *,
    tokens: int,
    dimension: int,
    repeats: int,
) -> dict[str, float | list[float]]:
    """Least denominators and negative shares, one a repeat, and the least score of all that are
    positive by construction."""
    found: dict[str, float | list[float]] = {}
    lowest = [np.inf]
    for name in names:
        keys = jax.random.split(fidelity.own_key(key, name), repeats)
        rows = lows(keys, name=name, sizes=sizes, tokens=tokens, dimension=dimension)
        score, total, share = np.asarray(rows, float).T
        found[f"denominator_{name}"] = total.tolist()
        if name in SIGNED:
            found[f"negative_{name}"] = share.tolist()
        else:
            lowest.append(float(score.min()))
    return found | ({"lowest_score": min(lowest)} if len(lowest) > 1 else {})
