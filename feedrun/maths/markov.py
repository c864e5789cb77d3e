"""Predictors of symbols: chains with unknown rows, hidden modes."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def add_constant(
    x: Int[Array, "B T"], context: Int[Array, "B T"], *, symbols: int, contexts: int, alpha: float
) -> Float[Array, "B T V"]:
    """log p(x_t = j | past) = log (n_ij + alpha) / (n_i + V alpha), i the context of x_t.

    n_ij counts j after i before t. The posterior predictive of rows ~ Dirichlet(alpha 1_V); one
    context gives the smoothed unigram predictor. O(T V) a sequence.
    """
    everyone = jnp.arange(len(x))

    def body(counts, seen):
        x, i = seen
        row = counts[everyone, i]
        guess = jnp.log(row + alpha) - jnp.log(row.sum(axis=-1, keepdims=True) + symbols * alpha)
        return counts.at[everyone, i, x].add(1), guess

    counts = jnp.zeros((len(x), contexts, symbols))
    return jax.lax.scan(body, counts, (x.T, context.T))[1].transpose(1, 0, 2)


def forward_beliefs(
    initial: Float[Array, "K"], moves: Float[Array, "K K"], likelihood: Float[Array, "B T K"]
) -> Float[Array, "B T K"]:
    """P(mode_t | y_1 .. y_{t-1}) of a hidden Markov chain, the forward filter before its update.

    moves[i, j] = P(next = j | now = i); likelihood[t, k] = p(y_t | mode_t = k, past of y).
    """

    def body(belief, likelihood):
        updated = belief * likelihood
        updated = updated / updated.sum(axis=-1, keepdims=True)
        return updated @ moves, belief

    start = jnp.broadcast_to(initial, (len(likelihood), len(initial)))
    return jax.lax.scan(body, start, likelihood.transpose(1, 0, 2))[1].transpose(1, 0, 2)
