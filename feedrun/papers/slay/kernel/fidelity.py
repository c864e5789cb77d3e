"""How near linear attentions come to exact spherical Yat attention, and to softmax.

Relative L2 error and cosine of the causal outputs of one head, over mechanisms, budgets and seeds,
on two kinds of data: Gaussian, and correlated (keys an AR(1) process along the positions, each
query near the key of its own position). Values are independent Gaussians.
"""

import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from feedrun.experiment import Journal
from feedrun.maths.linear_attention import quadratic_attention
from feedrun.papers.slay import theory
from feedrun.papers.slay.attention import mechanisms
from feedrun.papers.slay.attention.mechanisms import ATTENDS, DELTA, Sizes

DATA = ("gaussian", "correlated")
TARGETS = ("yat", "softmax")
MEASURES = ("error", "cosine")

Progress = Callable[[], None]
"""Called once for each finished row."""


class Heads(NamedTuple):
    """Queries, keys, values of R seeds with H heads each, for every kind of data (N)."""

    q: Float[Array, "N R H T D"]
    k: Float[Array, "N R H T D"]
    v: Float[Array, "N R H T D"]


class Row(NamedTuple):
    """One line of the table: a name of ATTENDS or LIMITS, its budgets, and what it is called."""

    label: str
    name: str
    sizes: Sizes


def _quadrature(nodes: int, x: Float[Array, "T S"], eps: float) -> Float[Array, "T S"]:
    """K_R(x) of traced cosines."""
    rule = theory.laguerre_nodes(nodes, eps)
    terms = [float(w) * jnp.exp(2 * float(s) * x) for s, w in zip(*rule, strict=True)]
    return x**2 * sum(terms)


LIMITS: dict[str, Callable[[Any, float], Any]] = {
    "anchor_limit": theory.anchor_limit,
    "laplace_limit": theory.laplace_limit,
    "quadrature_1": partial(_quadrature, 1),
    "quadrature_2": partial(_quadrature, 2),
    "quadrature_3": partial(_quadrature, 3),
    "cubic": lambda x, eps: x**2 + 2 * x**3 / (2 + eps),
    "spherical_softmax": lambda x, eps: jnp.exp(x),
}
"""Kernels K(x, eps) of the cosine that estimators tend to, without their noise."""


def attention(
    name: str, key: Key[Array, ""], sizes: Sizes, q: Any, k: Any, v: Any
) -> Float[Array, "T E"]:
    """Causal output of a name of ATTENDS or LIMITS."""
    if name in ATTENDS:
        return ATTENDS[name](key, q.shape[1], sizes)(q, k, v, causal=True)

    def weights(q, k):
        cosines = mechanisms.unit(q) @ mechanisms.unit(k).T
        return LIMITS[name](cosines, sizes.eps)

    return quadratic_attention(weights, q, k, v, causal=True, delta=DELTA)


@partial(jax.jit, static_argnames=("heads", "tokens", "dimension"))
def draw(
    keys: Key[Array, "R"],
    correlations: Float[Array, "N"],
    *,
    heads: int,
    tokens: int,
    dimension: int,
) -> Heads:
    """k_t = c k_{t-1} + sqrt(1 - c^2) n_t, q_t = c k_t + sqrt(1 - c^2) n'_t, for every c."""
    shape = (heads, tokens, dimension)

    def one(c, key):
        q_key, k_key, v_key = jax.random.split(key, 3)
        fresh = jnp.sqrt(1 - c**2)
        noise = jax.random.normal(k_key, shape)

        def forward(last, n):
            now = c * last + fresh * n
            return now, now

        _, later = jax.lax.scan(forward, noise[:, 0], noise[:, 1:].swapaxes(0, 1))
        k = jnp.concatenate([noise[:, :1], later.swapaxes(0, 1)], axis=1)
        q = c * k + fresh * jax.random.normal(q_key, shape)
        return Heads(q, k, jax.random.normal(v_key, shape))

    return jax.vmap(lambda c: jax.vmap(lambda key: one(c, key))(keys))(correlations)


@partial(jax.jit, static_argnames=("name", "sizes", "how"))
def outputs(
    key: Key[Array, ""], data: Heads, *, name: str, sizes: Sizes, how: Callable = attention
) -> Float[Array, "N R H T D"]:
    """One mechanism on all heads of all seeds, features drawn anew for each."""
    flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[-2:]), data)
    keys = jax.random.split(key, len(flat.q))
    out = jax.lax.map(lambda x: how(name, x[0], sizes, *x[1]), (keys, flat))
    return out.reshape(data.v.shape)


def compare(out: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Relative L2 error and cosine of all outputs of a seed, (N, R, ...) to (2, N, R)."""
    out, truth = (x.reshape(*x.shape[:2], -1).astype(float) for x in (out, truth))
    lengths = np.linalg.norm(truth, axis=2), np.linalg.norm(out, axis=2)
    error = np.linalg.norm(out - truth, axis=2) / lengths[0]
    return np.stack([error, np.sum(out * truth, axis=2) / (lengths[0] * lengths[1])])


def own_key(key: Key[Array, ""], label: str) -> Key[Array, ""]:
    """A key that depends on the label alone: another row in the table changes no other number."""
    return jax.random.fold_in(key, zlib.crc32(label.encode()))


def table(
    key: Key[Array, ""], data: Heads, rows: Sequence[Row], journal: Journal, progress: Progress
) -> np.ndarray:
    """Errors and cosines, (row, target, measure, N, R); finished rows are checkpointed."""
    truths = [output(key, data, Row(name, name, rows[0].sizes)) for name in TARGETS]
    found = np.zeros((len(rows), len(TARGETS), len(MEASURES), *data.v.shape[:2]))
    done, found = journal.restore(found) or (0, found)
    for step, row in enumerate(rows):
        if step >= done:
            out = output(key, data, row)
            found[step] = [compare(out, truth) for truth in truths]
            journal.save(step + 1, found, final=step + 1 == len(rows))
        progress()
    return found


def output(key, data: Heads, row: Row, how: Callable = attention) -> np.ndarray:
    """One row's outputs on the host; `how` as in `outputs`."""
    named = {"name": row.name, "sizes": row.sizes, "how": how}
    return np.asarray(outputs(own_key(key, row.label), data, **named))


def summary(found: np.ndarray, rows: Sequence[Row]) -> dict[str, list[float]]:
    """TARGET_MEASURE_DATA_label -> one number a seed."""
    return {
        f"{target}_{measure}_{kind}_{row.label}": values[i, j, n].tolist()
        for row, values in zip(rows, found, strict=True)
        for i, target in enumerate(TARGETS)
        for j, measure in enumerate(MEASURES)
        for n, kind in enumerate(DATA)
    }
