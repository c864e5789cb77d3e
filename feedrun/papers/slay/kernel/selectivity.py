"""How spread attention is, when tokens attend to one another: entropy over ln T.

Tokens sqrt(c) g + sqrt(1 - c) n_i share one Gaussian g: c is the cosine that two of them have on
average. Queries are keys.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from feedrun.papers.slay.attention.mechanisms import Sizes
from feedrun.papers.slay.kernel import fidelity, signs


@partial(jax.jit, static_argnames=("tokens", "dimension"))
def draw(
    keys: Key[Array, "R"], similarities: Float[Array, "N"], *, tokens: int, dimension: int
) -> Float[Array, "R N T D"]:
    """Tokens of every repeat at every similarity."""

    def one(key):
        normals = jax.random.normal(key, (1 + tokens, dimension))
        c = similarities[:, None, None]
        return jnp.sqrt(c) * normals[None, :1] + jnp.sqrt(1 - c) * normals[None, 1:]

    return jax.lax.map(one, keys)


@partial(jax.jit, static_argnames=("name", "sizes"))
def entropies(
    key: Key[Array, ""], x: Float[Array, "R N T D"], *, name: str, sizes: Sizes
) -> Float[Array, "R N"]:
    """Mean over queries of the entropy of their weights over ln T."""

    def one(key, x):
        p = weights(name, key, sizes, x)
        return jnp.mean(jnp.sum(jax.scipy.special.entr(p), axis=1)) / np.log(len(x))

    flat = x.reshape(-1, *x.shape[2:])
    keys = jax.random.split(key, len(flat))
    return jax.lax.map(lambda row: one(*row), (keys, flat)).reshape(x.shape[:2])


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
    token_key, draw_key = jax.random.split(key)
    keys, found = jax.random.split(token_key, repeats), {}
    x = draw(keys, jnp.asarray(similarities), tokens=tokens, dimension=dimension)
    for name in names:
        values = entropies(fidelity.own_key(draw_key, name), x, name=name, sizes=sizes)
        columns = zip(similarities, np.asarray(values, float).T, strict=True)
        found |= {f"entropy_{name}_{c:g}": column.tolist() for c, column in columns}
    return found
