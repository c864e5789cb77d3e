"""Recall that an attention can fail: many pairs, a few needles, a copy; of any length.

One vocabulary for the three, so that one compiled program trains all of them: `KEYS` tokens that
are looked up or are noise, then `VALUES` tokens, then a mark. Keys are told from values by what
stands before them, so nothing depends on absolute positions and a model may be asked at lengths
that it was not trained at. (Associative recall with as many queries as pairs: Arora et al.,
arXiv 2312.04927; copying: Jelassi et al., arXiv 2402.01032.)
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from feedrun.tasks.synthetic import Example, Task, padded

KEYS, VALUES = 192, 32
SEPARATOR = KEYS + VALUES
VOCABULARY = KEYS + VALUES + 1

NEEDLES = 8
"""Pairs of `needle`, at any length."""


def pairs(key: Key[Array, ""], length: int, vocabulary: int = VOCABULARY) -> Example:
    """a 5 b 7 | b a -> . . . . | 7 5: length / 3 pairs of distinct keys, each asked for once."""
    keys_key, values_key, order_key = jax.random.split(key, 3)
    count = length // 3
    keys = jax.random.permutation(keys_key, KEYS)[:count]
    values = KEYS + jax.random.randint(values_key, (count,), 0, VALUES)
    order = jax.random.permutation(order_key, count)
    listed = jnp.stack([keys, values], axis=1).reshape(-1)
    tokens = jnp.concatenate([listed, keys[order]])
    targets = jnp.concatenate([jnp.zeros_like(listed), values[order]])
    return padded(Example(tokens, targets, jnp.arange(3 * count) >= 2 * count), length)


def needle(key: Key[Array, ""], length: int, vocabulary: int = VOCABULARY) -> Example:
    """c a 5 7 d b 2 4 | b a -> . . . . . . . . | 2 5: NEEDLES pairs, whatever the length, in noise.

    Noise is of the same keys and values, but for the keys that are asked for.
    """
    keys_key, values_key, order_key, at_key, noise_key = jax.random.split(key, 5)
    shuffled = jax.random.permutation(keys_key, KEYS)
    keys, others = shuffled[:NEEDLES], shuffled[NEEDLES:]
    values = KEYS + jax.random.randint(values_key, (NEEDLES,), 0, VALUES)
    body = length - NEEDLES
    slots = jax.random.permutation(at_key, body - NEEDLES)[:NEEDLES]  # a pair has one of them
    at = jnp.sort(slots) + jnp.arange(NEEDLES)
    listed = _noise(noise_key, others, body).at[at].set(keys).at[at + 1].set(values)
    order = jax.random.permutation(order_key, NEEDLES)
    tokens = jnp.concatenate([listed, keys[order]])
    targets = jnp.concatenate([jnp.zeros_like(listed), values[order]])
    return Example(tokens, targets, jnp.arange(length) >= body)


def duplicate(key: Key[Array, ""], length: int, vocabulary: int = VOCABULARY) -> Example:
    """a c b SEPARATOR a c -> . . . a c b: distinct tokens said again, each after the one before."""
    count = length // 2
    x = jax.random.permutation(key, KEYS)[:count]
    tokens = jnp.concatenate([x, jnp.array([SEPARATOR], x.dtype), x[:-1]])
    targets = jnp.concatenate([jnp.zeros_like(x), x])
    return padded(Example(tokens, targets, jnp.arange(2 * count) >= count), length)


TASKS = {"pairs": pairs, "needle": needle, "duplicate": duplicate}

CHANCE = {"pairs": 1 / VALUES, "needle": 1 / VALUES, "duplicate": 1 / KEYS}
"""What guessing gives, where nothing is remembered."""


def task(name: str, length: int) -> Task:
    """One of TASKS at a length; ValueError where there are not enough distinct keys for it."""
    most = {"pairs": 3 * KEYS, "needle": 10**6, "duplicate": 2 * KEYS}[name]
    least = 3 * NEEDLES if name == "needle" else 6
    if not least <= length <= most:
        raise ValueError(f"{name} has lengths {least} to {most}, got {length}")
    return Task(TASKS[name], length, VOCABULARY)


def _noise(key, keys, count: int):
    """Tokens of which half are any of `keys` and half are values."""
    which_key, key_key, value_key = jax.random.split(key, 3)
    kinds = jax.random.bernoulli(which_key, 0.5, (count,))
    values = KEYS + jax.random.randint(value_key, (count,), 0, VALUES)
    return jnp.where(kinds, jax.random.choice(key_key, keys, (count,)), values)
