"""Families of symbols: random Markov chains, and a chain that switches between known ones.

    MC(V, alpha, k)   each of V^k rows ~ Dirichlet(alpha 1_V); the first k symbols are uniform
    SM                a frozen library of chains of order 1, a hidden mode that says which moves

Token t is the symbol before as a one-hot vector, and a flag: [x_{t-1} = 1 .. V, 1{t = 1}].
Example row (V = 2, T = 3): inputs [0,0,1] [1,0,0] [0,1,0], targets 0 1 1.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from feedrun.papers.ssm_icl.families.base import Batch

MODES, MODE_SYMBOLS, MODE_ALPHA, MODE_STAYS = 4, 8, 0.5, 0.98
"""SM: chains in the library, symbols, Dirichlet parameter of rows, chance that the mode stays."""


class Switching(NamedTuple):
    """What every sequence of SM shares: rows of the chains, log-probabilities (K, V, V)."""

    rows: Float[Array, "K V V"]


def markov_sampler(*, symbols: int, alpha: float, order: int) -> Callable[..., Batch]:
    """sample of MC; the task is the log-probabilities of the rows, (B, V^k, V)."""

    def sample(key: Key[Array, ""], *, count: int, length: int) -> Batch:
        row_key, move_key = jax.random.split(key)
        contexts = symbols**order
        rows = log_dirichlet(row_key, (count, contexts, symbols), alpha)
        noise = jax.random.gumbel(move_key, (length, count, symbols))
        rows_of_all = jnp.arange(count)

        def body(carry, seen):
            context, t = carry
            x = jnp.argmax(jnp.where(t < order, 0, rows[rows_of_all, context]) + seen, axis=-1)
            return (_context(context, x, symbols, contexts), t + 1), x

        start = (jnp.zeros(count, int), jnp.zeros((), int))
        _, x = jax.lax.scan(body, start, noise)
        return _batch(x.T, rows, {}, symbols)

    return sample


def log_dirichlet(key: Key[Array, ""], shape: tuple[int, ...], alpha: float) -> Float[Array, "..."]:
    """Logarithms of draws of Dirichlet(alpha 1_V), V the last axis; they never are -inf.

    alpha = 1 needs no rejection: logarithms of exponential variables are negative Gumbels.
    """
    if alpha == 1:
        log_gamma = -jax.random.gumbel(key, shape)
    else:
        log_gamma = jax.random.loggamma(key, alpha, shape)
    return jax.nn.log_softmax(log_gamma, axis=-1)


def _context(context, x, symbols: int, contexts: int):
    """The number whose digits are the last k symbols."""
    return (context * symbols + x) % contexts


def contexts(x: Int[Array, "B T"], *, symbols: int, order: int) -> Int[Array, "B T"]:
    """Number of the last k symbols before each position, zeros before the first."""
    padded = jnp.pad(x, ((0, 0), (order, 0)))
    length = x.shape[1]
    return sum(
        (
            padded[:, order - k : order - k + length] * symbols ** (k - 1)
            for k in range(1, order + 1)
        ),
        start=jnp.zeros_like(x),
    )


def switching_library(key: Key[Array, ""]) -> Switching:
    """The frozen chains of SM."""
    return Switching(log_dirichlet(key, (MODES, MODE_SYMBOLS, MODE_SYMBOLS), MODE_ALPHA))


def mode_transitions() -> Float[Array, "K K"]:
    """P(next mode | mode): sticky, else uniform over the others."""
    leave = (1 - MODE_STAYS) / (MODES - 1)
    return jnp.full((MODES, MODES), leave) + (MODE_STAYS - leave) * jnp.eye(MODES)


def switching_sampler(library: Switching) -> Callable[..., Batch]:
    """sample of SM; the first symbol and mode are uniform. hidden["mode"] is s_t, (B, T)."""

    def sample(key: Key[Array, ""], *, count: int, length: int) -> Batch:
        mode_key, move_key = jax.random.split(key)
        moods = jax.random.gumbel(mode_key, (length, count, MODES))
        noise = jax.random.gumbel(move_key, (length, count, MODE_SYMBOLS))
        log_moves = jnp.log(mode_transitions())

        def body(carry, seen):
            mode, x, t = carry
            mood, noise = seen
            mode = jnp.argmax(jnp.where(t == 0, 0, log_moves[mode]) + mood, axis=-1)
            x = jnp.argmax(jnp.where(t == 0, 0, library.rows[mode, x]) + noise, axis=-1)
            return (mode, x, t + 1), (mode, x)

        nobody = jnp.zeros(count, int)
        _, (modes, x) = jax.lax.scan(body, (nobody, nobody, jnp.zeros((), int)), (moods, noise))
        return _batch(x.T, modes.T, {"mode": modes.T}, MODE_SYMBOLS)

    return sample


def _batch(x: Int[Array, "B T"], task: Any, hidden: Any, symbols: int) -> Batch:
    """A batch of symbols: one-hot tokens of the symbol before, and the flag of the first."""
    seen = jax.nn.one_hot(x[:, :-1], symbols + 1)
    first = jax.nn.one_hot(jnp.full((len(x), 1), symbols), symbols + 1)
    inputs = jnp.concatenate([first, seen], axis=1)
    return Batch(inputs, x, jnp.ones(len(x)), inputs[..., :0], task, hidden)
