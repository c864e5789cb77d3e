"""How spread attention is, when tokens attend to one another: entropy over ln T (spec 4.8).

Tokens sqrt(c) g + sqrt(1 - c) n_i share one Gaussian g: c is the cosine that two of them have on
average. Queries are keys.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from feedrun.papers.slay import signs
from feedrun.papers.slay.attends import Sizes


@partial(jax.jit, static_argnames=("name", "sizes", "tokens", "dimension"))
def entropies(
    keys: Key[Array, "R"],
    similarities: Float[Array, "N"],
    *,
    name: str,
    sizes: Sizes,
    tokens: int,
    dimension: int,
) -> Float[Array, "R N"]:
    """Mean over queries of the entropy of their weights over ln T."""

    def one(key):
        shared_key, own_key, draw_key = jax.random.split(key, 3)
        shared = jax.random.normal(shared_key, (1, dimension))
        own = jax.random.normal(own_key, (tokens, dimension))

        def at(c):
            x = jnp.sqrt(c) * shared + jnp.sqrt(1 - c) * own
            p = weights(name, draw_key, sizes, x)
            return jnp.mean(jnp.sum(jax.scipy.special.entr(p), axis=1)) / np.log(tokens)

        return jax.vmap(at)(similarities)

    return jax.lax.map(one, keys)


def weights(
    name: str, key: Key[Array, ""], sizes: Sizes, x: Float[Array, "T D"]
) -> Float[Array, "T T"]:
    """Normalised weights of tokens on one another: `softmax`, or what `signs.scores` knows."""
    if name == "softmax":
        return jax.nn.softmax(x @ x.T / x.shape[1] ** 0.5, axis=1)
    scores = signs.scores(name, key, sizes, x, x)
    return scores / jnp.sum(scores, axis=1, keepdims=True)


def measured(
    key: Key[Array, ""],
    names: Sequence[str],
    similarities: Sequence[float],
    sizes: Sizes,
    *,
    tokens: int,
    dimension: int,
    repeats: int,
) -> dict[str, list[float]]:
    """entropy_NAME_SIMILARITY -> one number a repeat, every name on the same tokens."""
    keys, found = jax.random.split(key, repeats), {}
    for name in names:
        values = entropies(
            keys,
            jnp.asarray(similarities),
            name=name,
            sizes=sizes,
            tokens=tokens,
            dimension=dimension,
        )
        columns = zip(similarities, np.asarray(values, float).T, strict=True)
        found |= {f"entropy_{name}_{c:g}": column.tolist() for c, column in columns}
    return found
