"""Arms trained on families: rates tuned with equal trials, seeds side by side, equal parameters.

Every arm sees the same data at the same seed, so that differences between arms are paired.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from pydantic import Field, model_validator

from feedrun import train
from feedrun.experiment import Config, Count, Journal
from feedrun.maths import fits
from feedrun.models import arms
from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.arms import evaluation
from feedrun.papers.ssm_icl.arms.evaluation import EvalSet
from feedrun.papers.ssm_icl.families import Batch, Family, Keys
from feedrun.train import streams, tune
from feedrun.train.optim import adamw_cosine, warm_cosine
from feedrun.train.slabs import in_slabs
from feedrun.train.streams import Stream

CURVES = ("train/loss", "valid/excess")
REFERENCE = "ssd+conv"
"""The arm whose number of parameters all others have, within 5%."""
WARM, LAST, CLIP, DECAY, B2 = 0.05, 0.02, 1.0, 1e-4, 0.98
"""Share of the steps in which the rate rises; its share at the end; largest norm of a gradient;
weight decay of matrices; AdamW's second moment."""


class Network(Config):
    """Sizes of the reference arm; `inner` of the others follows from its number of parameters."""

    width: Count
    inner: Count
    layers: Count
    heads: Count
    states: Count
    chunk: Count


class Training(Config):
    """A budget, the same for every arm. Rates are tried for `trial_steps` on a seed of their own.

    valid: held-out sequences on which rates are chosen and progress is measured.
    """

    steps: Count
    trial_steps: Count
    log_every: Count
    batch: Count
    rates: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]
    seeds: Count
    valid: Count

    @model_validator(mode="after")
    def _whole_chunks(self):
        if self.steps % self.log_every or self.trial_steps % self.log_every:
            raise ValueError(
                f"steps and trial_steps must be multiples of log_every={self.log_every}, "
                f"got {self.steps} and {self.trial_steps}"
            )
        return self


class BoundArm(NamedTuple):
    """An arm for a family, with the functions that compiled programs are remembered by.

    answers(params (R, ...), inputs (B, S, I)) -> predictions (R, B, T, O), compiled once a shape.
    """

    name: str
    arm: arms.Arm
    family: Family
    loss: Callable[..., Any]
    answers: Callable[[Any, Any], Any]


class Trained(NamedTuple):
    """Networks of R seeds at their arm's best rate.

    curves: (rows, CURVES, R), a row every `log_every` steps; slope: (R,), see `slope`.
    trials: rate -> excess on validation after `trial_steps`.
    """

    params: Any
    rate: float
    trials: dict[float, float]
    curves: np.ndarray
    slope: np.ndarray


def sizes(network: Network, length: int) -> arms.Sizes:
    """As `arms` takes them; `length`: the longest sequence of tokens ever seen."""
    return arms.Sizes(**network.model_dump(), length=length)


def bound(
    name: str, family: Family, network: Network, *, length: int, parameters: int | None = None
) -> BoundArm:
    """The arm of that name with as many parameters as the reference arm (or as `parameters`).

    length: targets a sequence in training, which learned positions and caches have room for.
    """
    room = sizes(network, family.stride * length)
    shape = {"features": family.inputs, "outputs": family.outputs}
    if parameters is None:
        parameters = arms.num_parameters(arms.build(REFERENCE, room, **shape))
    arm = arms.build(name, arms.matched(name, room, parameters=parameters, **shape), **shape)
    return of_arm(name, arm, family)


def of_arm(name: str, arm: arms.Arm, family: Family) -> BoundArm:
    """A bound arm of an arm of any size."""
    return BoundArm(
        name, arm, family, partial(_loss, arm, family), jax.jit(partial(_answers, arm, family))
    )


def predictions(
    arm: arms.Arm, family: Family, params: Any, inputs: Float[Array, "B S I"]
) -> Float[Array, "B T O"]:
    """Means, or log-probabilities of symbols, of all targets of B sequences by one network."""
    y = jax.vmap(partial(arm.apply, params))(inputs)[:, :: family.stride]
    return y if family.kind == "number" else jax.nn.log_softmax(y)


def answers(bound: BoundArm, params: Any, eval_set: EvalSet, *, slab: int) -> np.ndarray:
    """Predictions (R, B, T, O) of R networks on an evaluation set, `slab` sequences at a time."""
    return in_slabs(partial(bound.answers, params), eval_set.batch.inputs, slab, axis=1)


def fitted(
    bound: BoundArm,
    keys: Keys,
    cfg: Training,
    valid: EvalSet,
    journal: Journal,
    *,
    length: int,
    over: str,
    stream: Stream | None = None,
) -> Trained:
    """Train the arm: a trial a rate, then `cfg.seeds` networks at the best.

    Rates are chosen by the excess over the reference `over` on `valid` (of keys.tune).
    Rows of the journal are "<arm>/tuning/..." and "<arm>/seeds/...". `stream`: batches from
    elsewhere than the family; streams that share plan and batch share the compiled program.
    """
    if stream is None:
        stream = streams.generated(partial(bound.family.sample, count=cfg.batch, length=length))
    optimizer, history = adamw(cfg.steps), {}
    judge = partial(_excess, bound, valid, over, cfg.batch)

    def fit(steps, keys, params, opt_state, journal):
        rows = np.zeros((steps // cfg.log_every, len(CURVES), len(keys)))
        journal = tune.remembering(journal, rows, CURVES, log_every=cfg.log_every)
        opt_state = optax.tree_utils.tree_set(
            opt_state, horizon=jnp.full(len(keys), steps, jnp.float32)
        )
        history["curves"] = rows
        return train.fit(
            keys,
            params,
            bound.loss,
            stream,
            optimizer,
            steps=steps,
            log_every=cfg.log_every,
            journal=journal,
            evaluate=lambda params: {"valid/excess": judge(params)},
            opt_state=opt_state,
            repeats=len(keys),
        )

    tuned = tune.tuned_fit(
        jax.random.clone(keys.train),  # the same data for every arm
        cfg.rates,
        start=_starting(bound.arm.init),
        fit=partial(fit, cfg.steps),
        trial=partial(fit, cfg.trial_steps),
        score=judge,
        optimizer=optimizer,
        journal=journal.scope(bound.name),
        seeds=cfg.seeds,
    )
    curves = history["curves"]
    return Trained(tuned.params, tuned.lr, tuned.trials, curves, slope(curves[:, 1]))


@cache  # one object, so that fits of equal length share a compiled program
def adamw(steps: int) -> optax.GradientTransformation:
    """AdamW with warm-up and cosine; `train.tuned` can change its learning rate and horizon."""
    return adamw_cosine(
        partial(warm_cosine, warmup=WARM, last=LAST),
        horizon=steps,
        b2=B2,
        decay=DECAY,
        decayed=arms.decayed,
        clip=CLIP,
    )


def slope(excess: Float[np.ndarray, "rows R"]) -> Float[np.ndarray, "R"]:
    """Is it converged? The exponent of excess against steps over the last half of the rows.

    -1: twice the steps would halve the excess; 0: flat. NaN for fewer than 4 rows.
    """
    rows = len(excess)
    if rows < 4:
        return np.full(excess.shape[1], np.nan)
    late = slice(rows // 2, None)
    return fits.log_slope(np.arange(1.0, rows + 1)[late], np.maximum(excess[late], 1e-12))


def cost(bound: BoundArm) -> dict[str, float | int]:
    """What an arm has and needs: parameters, numbers of state, FLOPs of a streaming step."""
    return {
        "parameters": arms.num_parameters(bound.arm),
        "state": arms.state_size(bound.arm),
        "step_flops": arms.step_flops(bound.arm, features=bound.family.inputs),
    }


@cache
def _starting(init: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Params of many seeds, compiled once an arm."""
    return jax.jit(jax.vmap(init))


def _loss(arm: arms.Arm, family: Family, params: Any, batch: Batch, key: Any):
    """Mean over sequences and positions."""
    guess = predictions(arm, family, params, batch.inputs)
    return families.loss(family, guess, batch).mean(), {}


def _answers(arm: arms.Arm, family: Family, params: Any, inputs: Any):
    return jax.lax.map(lambda p: predictions(arm, family, p, inputs), params)


def _excess(bound: BoundArm, eval_set: EvalSet, over: str, slab: int, params: Any) -> np.ndarray:
    """(R,): the excess on an evaluation set, averaged over sequences and positions."""
    return evaluation.excess(eval_set, answers(bound, params, eval_set, slab=slab), over).mean(
        axis=(1, 2)
    )
