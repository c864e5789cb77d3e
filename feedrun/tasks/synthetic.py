"""The 22 synthetic tasks of arXiv 2602.04915: a sequence in, a target a position, some scored.

Definitions are those of the published code. Where that
leaves a choice, the docstring says which one was made. Targets are 0 where nothing is asked.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key


class Example(NamedTuple):
    """One sequence: what is read, what is to be said, and where it counts."""

    tokens: Int[Array, "T"]
    targets: Int[Array, "T"]
    scored: Bool[Array, "T"]


class Task(NamedTuple):
    """draw(key, length, vocabulary) -> Example."""

    draw: Callable[[Key[Array, ""], int, int], Example]
    length: int
    vocabulary: int

    def sample(self, key: Key[Array, ""]) -> Example:
        """One sequence of the task's own length."""
        return self.draw(key, self.length, self.vocabulary)


def padded(example: Example, length: int) -> Example:
    """The example with zeros behind it: nothing changes for what looks only backwards."""
    short = length - len(example.tokens)
    if short < 0:
        raise ValueError(f"{len(example.tokens)} tokens do not fit into {length}")
    return jax.tree.map(lambda x: jnp.pad(x, (0, short)), example)


def copy(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 1 2 -> 3 1 2, everywhere: no token but the own is needed."""
    x = _tokens(key, length, vocabulary)
    return _everywhere(x, x)


def sort(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 1 2 -> 1 2 3, everywhere, though the end is not yet seen."""
    x = _tokens(key, length, vocabulary)
    return _everywhere(x, jnp.sort(x))


def reverse(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 1 2 -> 2 1 3, everywhere: only the second half is seen in time."""
    x = _tokens(key, length, vocabulary)
    return _everywhere(x, x[::-1])


def counting(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """0 7 0 -> . . 2: how many zeros among digits."""
    x = _tokens(key, length, 10)
    return _last(x, jnp.sum(x == 0))


def parity(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """1 0 1 -> . . 0."""
    x = _tokens(key, length, 2)
    return _last(x, jnp.sum(x) % 2)


def addition(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """1 0 1 -> . . 2: how many ones."""
    x = _tokens(key, length, 2)
    return _last(x, jnp.sum(x))


def modular(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """5 6 1 -> . . 5: the sum modulo 7."""
    x = _tokens(key, length, 7)
    return _last(x, jnp.sum(x) % 7)


def distant_match(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 1 2 7 -> . . 3 .: the first token, half way, where it is not 0."""
    x, middle = _tokens(key, length, vocabulary), length // 2
    return _where_not_0(x, jnp.zeros_like(x).at[middle].set(x[0]))


def multihop(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 A 1 B 2 0 -> . . . . . 2: what follows B; A, before it, does not matter."""
    x_key, a_key, b_key = jax.random.split(key, 3)
    x, third = _tokens(x_key, length, vocabulary - 2), length // 3
    x = x.at[jax.random.randint(a_key, (), 0, third)].set(vocabulary - 2)
    b = jax.random.randint(b_key, (), third, 2 * third)
    x = x.at[b].set(vocabulary - 1)
    return _last(x, x[b + 1])


def retrieval(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 A 1 Q -> . . . A: whether it is there or where, always A."""
    x_key, at_key = jax.random.split(key)
    x = _tokens(x_key, length, vocabulary - 2)
    x = x.at[jax.random.randint(at_key, (), 0, length - 1)].set(vocabulary - 1)
    return _last(x.at[-1].set(vocabulary - 2), jnp.asarray(vocabulary - 1))


def kv_recall(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 8 5 2 1 9 Q 5 -> . . . . . . . 2: the value of one of the distinct keys."""
    keys_key, values_key, at_key = jax.random.split(key, 3)
    pairs = (length - 2) // 2
    keys = jax.random.permutation(keys_key, vocabulary - 1)[:pairs]
    values = _tokens(values_key, pairs, vocabulary - 1)
    asked = jax.random.randint(at_key, (), 0, pairs)
    listed = jnp.stack([keys, values], axis=1).reshape(-1)
    tail = jnp.stack([jnp.full_like(asked, vocabulary - 1), keys[asked]])
    return _last(jnp.concatenate([listed, tail]), values[asked])


def first_token(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 1 2 -> . . 3."""
    x = _tokens(key, length, vocabulary)
    return _last(x, x[0])


def selective_copy(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """M 3 1 M | 2 5 1 7 -> . . . . | 3 0 . .: what follows the markers of the first half.

    That is the token drawn there, even where another marker was put upon it; 0 after the last one.
    """
    x_key, at_key = jax.random.split(key)
    x, half, marks = _tokens(x_key, length, vocabulary - 1), length // 2, length // 8
    at = jnp.sort(jax.random.permutation(at_key, half)[:marks])
    after = jnp.where(at + 1 < half, x[at + 1], 0)
    targets = jnp.zeros_like(x).at[half + jnp.arange(marks)].set(after)
    return _everywhere(x.at[at].set(vocabulary - 1), targets)


def bigram(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 1 2 -> f(3) f(1) f(2), everywhere, f a fixed random table."""
    x = _tokens(key, length, vocabulary)
    table = np.random.default_rng(0).integers(0, vocabulary, vocabulary)
    return _everywhere(x, jnp.asarray(table, x.dtype)[x])


def majority(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 1 3 -> . . 3: the most frequent of 0..4, the smallest of several."""
    x = _tokens(key, length, 5)
    return _last(x, jnp.bincount(x, length=5).argmax())


def histogram(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 1 3 ... -> (how many 0s) (1s) ... (4s) 0 0: before they can have been counted.

    A count beyond the vocabulary, once in many thousand examples, is its last token.
    """
    x = _tokens(key, length, 5)
    counts = jnp.minimum(jnp.bincount(x, length=5), vocabulary - 1)
    return _everywhere(x, jnp.zeros_like(x).at[:5].set(counts.astype(x.dtype)))


def stack(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """PUSH 3 POP -> 0 0 7: what was pushed is never shown, so it cannot be known."""
    pop_key, push_key, x_key, hidden_key = jax.random.split(key, 4)
    push, pop = vocabulary - 2, vocabulary - 1
    draws = (
        jax.random.bernoulli(pop_key, 0.3, (length,)),
        jax.random.bernoulli(push_key, 0.5, (length,)),
        _tokens(x_key, length, vocabulary - 2),
        _tokens(hidden_key, length, vocabulary - 2),
    )

    def step(state, now):
        (held, top), (may_pop, may_push, x, hidden) = state, now
        pops = may_pop & (top > 0)
        pushes = ~pops & may_push
        said = jnp.where(pops, held[top - 1], 0)
        held = held.at[top].set(jnp.where(pushes, hidden, held[top]))
        token = jnp.where(pops, pop, jnp.where(pushes, push, x))
        return (held, top + pushes - pops), (token.astype(x.dtype), said)

    empty = (jnp.zeros(length + 1, draws[2].dtype), jnp.zeros((), int))
    return _everywhere(*jax.lax.scan(step, empty, draws)[1])


def induction(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 1 2 ... 1 7 -> . . . . . 2: what followed when the token before last was there before."""
    x_key, at_key = jax.random.split(key)
    x = _tokens(x_key, length, vocabulary)
    at = jax.random.randint(at_key, (), 1, length // 2)
    return _last(x.at[-2].set(x[at]), x[at + 1])


def pattern(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 1 2 9 3 1 2 9 -> 1 2 9 3 1 2 9 3: the next token of a period of four, everywhere."""
    whole = jnp.tile(_tokens(key, 4, vocabulary), length // 4 + 1)
    return _everywhere(whole[:length], whole[1 : length + 1])


def noisy_copy(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 1 | N 2 -> 3 1 | 0 0: the first half, each token at its own place; N is 30% of the rest."""
    x_key, noise_key = jax.random.split(key)
    x, later = _tokens(x_key, length, vocabulary - 1), jnp.arange(length) >= length // 2
    noise = later & jax.random.bernoulli(noise_key, 0.3, (length,))
    return _everywhere(jnp.where(noise, vocabulary - 1, x), jnp.where(later, 0, x))


def compression(key: Key[Array, ""], length: int, vocabulary: int) -> Example:
    """3 3 1 2 2 2 -> 3 1 2 0 0 0: one token a run. Runs of one to three that agree are one."""
    x_key, runs_key = jax.random.split(key)
    ends = jnp.cumsum(jax.random.randint(runs_key, (length,), 1, 4))
    x = _tokens(x_key, length, vocabulary)
    x = x[jnp.searchsorted(ends, jnp.arange(length), side="right")]
    run = jnp.cumsum(jnp.append(False, x[1:] != x[:-1]))
    return _everywhere(x, jnp.zeros_like(x).at[run].set(x))


TASKS = {
    "copy": Task(copy, 32, 32),
    "sort": Task(sort, 16, 32),
    "reverse": Task(reverse, 32, 32),
    "counting": Task(counting, 32, 32),
    "parity": Task(parity, 32, 2),
    "addition": Task(addition, 16, 32),
    "modular": Task(modular, 16, 8),
    "long_copy": Task(copy, 256, 32),
    "distant_match": Task(distant_match, 128, 32),
    "multihop": Task(multihop, 64, 32),
    "retrieval": Task(retrieval, 64, 64),
    "kv_recall": Task(kv_recall, 22, 64),
    "first_token": Task(first_token, 64, 32),
    "selective_copy": Task(selective_copy, 64, 32),
    "bigram": Task(bigram, 32, 32),
    "majority": Task(majority, 32, 8),
    "histogram": Task(histogram, 32, 16),
    "stack": Task(stack, 32, 32),
    "induction": Task(induction, 64, 64),
    "pattern": Task(pattern, 32, 16),
    "noisy_copy": Task(noisy_copy, 64, 32),
    "compression": Task(compression, 32, 16),
}
"""In the paper's order, with its lengths and vocabularies."""


def _tokens(key, length: int, count: int) -> Array:
    return jax.random.randint(key, (length,), 0, count)


def _everywhere(tokens, targets) -> Example:
    return Example(tokens, targets, jnp.ones(len(tokens), bool))


def _last(tokens, answer) -> Example:
    targets = jnp.zeros_like(tokens).at[-1].set(answer.astype(tokens.dtype))
    return Example(tokens, targets, jnp.arange(len(tokens)) == len(tokens) - 1)


def _where_not_0(tokens, targets) -> Example:
    return Example(tokens, targets, targets != 0)
