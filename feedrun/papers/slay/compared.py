"""Training decoders that differ in attention alone: draws, optimizer, tuned learning rates."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial
from jaxtyping import Array, Float
from pydantic import Field, field_validator

from feedrun import train
from feedrun.experiment import Config, Journal
from feedrun.maths.attention import softmax_attention
from feedrun.models.mixing import Decoder
from feedrun.papers.slay.attends import ATTENDS, KERNELS, Sizes
from feedrun.papers.slay.pairs import by_pairs

Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0)]


class Mechanism(Config):
    """One of ATTENDS with its budget; what it has no use for it ignores."""

    attend: str
    features: Count
    nodes: Count
    prf: Count
    poly: Count
    eps: Positive
    chunk: Count

    @field_validator("attend")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ATTENDS:
            raise ValueError(f"no attention {name!r}: there are {', '.join(ATTENDS)}")
        return name

    @property
    def sizes(self) -> Sizes:
        """As ATTENDS take them."""
        most = {"features": self.features, "square": self.features}
        return Sizes(self.nodes, self.prf, self.poly, self.eps, chunk=self.chunk, **most)


def chosen(mechanisms: Mapping[str, Mechanism], names: Sequence[str]) -> dict[str, Mechanism]:
    """Those of `names`; ValueError where one is not described."""
    if missing := [name for name in names if name not in mechanisms]:
        raise ValueError(f"no mechanism {missing[0]!r}: described are {', '.join(mechanisms)}")
    return {name: mechanisms[name] for name in names}


def drawing(
    mechanism: Mechanism, *, layers: int, heads: int, dimension: int
) -> Callable[[Any], Any]:
    """draw(keys (R,)) -> what R networks draw, with leading axes (R, layers, heads).

    Sequences are short: kernels run by pairs of positions. One compiled function a mechanism, so
    that all its draws are one kind of pytree and programs that take them compile once.
    """
    return _drawing(mechanism.attend, mechanism.sizes, layers, heads, dimension)


@cache
def _drawing(name: str, sizes: Sizes, layers: int, heads: int, dimension: int):
    one = by_pairs(name) if name in KERNELS else ATTENDS[name]

    def draw(key):
        keys = jax.random.split(key, (layers, heads))
        return jax.vmap(jax.vmap(lambda key: one(key, dimension, sizes)))(keys)

    return jax.jit(jax.vmap(draw))


def starts(keys: Any, decoder: Decoder, draw: Callable[[Any], Any]) -> dict[str, Any]:
    """Params of as many networks as keys: {"net": trained, "drawn": kept as it is}.

    Networks of one key start alike whatever their attention.
    """
    pairs = jax.vmap(jax.random.split)(keys)
    return {"net": _init(decoder)(pairs[:, 0]), "drawn": draw(pairs[:, 1])}


@cache
def _init(decoder: Decoder) -> Callable[[Any], Any]:
    nothing_drawn = Partial(softmax_attention)
    return jax.jit(jax.vmap(lambda key: decoder.init(key, nothing_drawn)))


def logits(decoder: Decoder, params: Mapping[str, Any], tokens: Any) -> Float[Array, "T V"]:
    """Of one sequence; no gradient reaches what was drawn."""
    return decoder.apply(params["net"], jax.lax.stop_gradient(params["drawn"]), tokens)[0]


def adamw(
    lr: float, *, weight_decay: float, shape: Callable[[Any], Any] | None = None
) -> optax.GradientTransformation:
    """AdamW on "net" alone, its learning rate a number that `train.tuned` can change.

    With a `shape`, a function of the step that multiplies the rate, gradients are clipped to
    norm 1 as well.
    """

    def make(learning_rate):
        only = {"net": True, "drawn": False}
        plain = optax.masked(optax.adamw(learning_rate, weight_decay=weight_decay), only)
        if shape is None:
            return plain
        clip = optax.clip_by_global_norm(1.0)
        return optax.chain(clip, plain, optax.scale_by_schedule(shape))

    return optax.inject_hyperparams(make)(learning_rate=lr)


def warm_cosine(steps: int) -> Callable[[Any], Any]:
    """From 0 to 1 in the first tenth of the steps, then down to 0.1 as a cosine."""
    return optax.warmup_cosine_decay_schedule(0.0, 1.0, max(1, steps // 10), steps, 0.1)


class Tuned(NamedTuple):
    """Networks trained at the rate that was best on validation, and how it was found.

    params: (R, ...), R seeds; lr: the rate; trials: rate -> its validation score, lower is better.
    """

    params: Any
    lr: float
    trials: dict[float, float]


def tuned_fit(
    key: Any,
    rates: Sequence[float],
    *,
    start: Callable[[Any], Any],
    fit: Callable[..., Any],
    score: Callable[[Any], np.ndarray],
    optimizer: optax.GradientTransformation,
    journal: Journal,
) -> Tuned:
    """One trial a rate on a seed of its own, then as many seeds at the best rate.

    start(keys) -> params (R, ...); fit(keys, params, opt_state, journal) -> params;
    score(params) -> (R,) on validation data. As many seeds as rates, so that both parts share one
    compiled program.
    """
    parts = [jax.random.split(k, (2, len(rates))) for k in jax.random.split(key)]
    (trial_start, trial_fit), (seed_start, seed_fit) = parts

    def trained(start_keys, fit_keys, lrs, journal):
        params = start(start_keys)
        opt_state = jax.vmap(lambda p, lr: train.tuned(optimizer, learning_rate=lr).init(p))
        return fit(fit_keys, params, opt_state(params, jnp.asarray(lrs)), journal)

    scores = score(trained(trial_start, trial_fit, list(rates), journal.scope("tuning")))
    best = float(rates[int(np.argmin(scores))])
    params = trained(seed_start, seed_fit, [best] * len(rates), journal.scope("seeds"))
    return Tuned(params, best, dict(zip(map(float, rates), map(float, scores), strict=True)))
