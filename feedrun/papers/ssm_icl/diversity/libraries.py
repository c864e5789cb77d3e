"""LG4-K for every K in one compiled program: libraries as arguments, two oracles.

A library is M frozen systems of LG4, of which the first K count; K is a number that programs
take, not one that they are compiled for.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from feedrun.papers.ssm_icl.arms.evaluation import EvalSet
from feedrun.papers.ssm_icl.families import Batch, Family, linear_gaussian
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from feedrun.papers.ssm_icl.families.linear_gaussian import Tasks
from feedrun.train import streams


class Library(NamedTuple):
    """M systems, of which the first `size` are drawn, equally likely."""

    systems: Tasks
    size: Int[Array, ""]


def frozen(key: Key[Array, ""], systems: int) -> Tasks:
    """Systems of LG4 to draw libraries of any size from, as numpy arrays."""
    return jax.tree.map(np.asarray, jax.jit(linear_gaussian.lg4, static_argnums=1)(key, systems))


def library(systems: Tasks, size: int) -> Library:
    """The first `size` of the systems; raises ValueError where there are fewer."""
    if not 1 <= size <= len(systems.q):
        raise ValueError(f"a library of {size} systems must have 1..{len(systems.q)}")
    return Library(systems, jnp.asarray(size))


def sample(library: Library, key: Key[Array, ""], *, count: int, length: int) -> Batch:
    """`count` sequences of systems of the library."""

    def draw(key: Key[Array, ""], count: int) -> Tasks:
        which = jax.random.randint(key, (count,), 0, library.size)
        return jax.tree.map(lambda leaf: leaf[which], library.systems)

    return linear_gaussian.sampler(draw)(key, count=count, length=length)


def batches(*, count: int, length: int) -> Callable[[Library], streams.Stream]:
    """library -> its stream of batches; all of these streams share a compiled program."""
    draw = partial(sample, count=count, length=length)
    return lambda library: streams.Stream(library, streams.step_keys, draw)


class Draws(NamedTuple):
    """What draws eval sets of one size; each function is compiled once (the mixture once a K).

    familiar(library, key), foreign(key) -> Batch; genie(batch), prior(batch), and
    mixture(systems, y (B, T)) -> predictions (B, T, 1).
    """

    family: Family
    familiar: Callable[..., Batch]
    foreign: Callable[..., Batch]
    genie: Callable[[Batch], Any]
    prior: Callable[[Batch], Any]
    mixture: Callable[[Tasks, Any], Any]


def draws(lg4: Family, *, count: int, length: int) -> Draws:
    """Sets of `count` sequences; the Bayes predictor of `lg4` is that of the full prior."""
    sizes = {"count": count, "length": length}
    if lg4.bayes is None:
        raise ValueError("the full prior's family must have a Bayes predictor")
    return Draws(
        lg4,
        jax.jit(partial(sample, **sizes)),
        jax.jit(partial(lg4.sample, **sizes)),
        jax.jit(lg4.genie),
        jax.jit(lg4.bayes),
        jax.jit(_mixture),
    )


def references(own: Draws, batch: Batch) -> dict[str, np.ndarray]:
    """What does not depend on the library: the "genie" and the full "prior"'s oracle."""
    return {"genie": np.asarray(own.genie(batch)), "prior": np.asarray(own.prior(batch))}


def eval_set(
    own: Draws, batch: Batch, library: Library, beside: Mapping[str, np.ndarray]
) -> EvalSet:
    """The batch with "bayes", the library's mixture, and the references `beside` it."""
    count = int(library.size)
    first = jax.tree.map(lambda leaf: leaf[:count], library.systems)
    mixture = np.asarray(own.mixture(first, batch.targets[..., 0]))
    return EvalSet(own.family, batch, {**beside, "bayes": mixture})


def _mixture(systems: Tasks, y: Float[Array, "B T"]) -> Float[Array, "B T 1"]:
    return oracles.bank(systems, y).mean[..., None]
