"""The layer of the theory: one layer of linear attention, trained at one length of context.

Its tokens are the pairs [x_i, y_i] and the query [x, 0]: it has no lags, no positions and no order,
and can do one step of gradient descent. So it should end at the best such step and above the floor
of all proper predictors.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Float

from feedrun.models.arms import Arm
from feedrun.models.linear_self_attention import linear_self_attention
from feedrun.papers.ssm_icl import theory
from feedrun.papers.ssm_icl.arms import training
from feedrun.papers.ssm_icl.arms.training import BoundArm
from feedrun.papers.ssm_icl.families import Batch, Family, Predictor
from feedrun.papers.ssm_icl.families.regression import NOISE, REGRESSORS

NAME = "one_layer"


def queries(family: Family) -> Family:
    """A regression family whose sequences ask for their last target only.

    Example row (T = 3): inputs [x1, y1] [x2, y2] [x3, 0]; targets y3. Predictors are the family's,
    and see the same.
    """

    def sample(key, *, count: int, length: int) -> Batch:
        drawn = family.sample(key, count=count, length=length)
        y = drawn.targets
        tokens = jnp.concatenate([drawn.regressors, y.at[:, -1].set(0)], axis=-1)
        # All that `hidden` had stays: without it XLA (jax 0.10.2 on CPUs) gets y wrong past its
        # 32nd row in a thousand sequences and more.
        return drawn._replace(
            inputs=tokens, targets=y[:, -1:], hidden={**drawn.hidden, "targets": y}
        )

    def last(predict: Predictor) -> Predictor:
        return lambda batch: predict(whole(batch))[:, -1:]

    return family._replace(
        sample=sample,
        inputs=REGRESSORS + 1,
        genie=last(family.genie),
        bayes=family.bayes and last(family.bayes),
        estimators={name: last(one) for name, one in family.estimators.items()},
    )


def whole(batch: Batch) -> Batch:
    """The batch with all its targets."""
    return batch._replace(targets=batch.hidden["targets"])


def bound(family: Family) -> BoundArm:
    """The layer for a family of `queries`; it answers with the query token's last number."""
    layer = linear_self_attention(family.inputs)

    def answer(params: Any, tokens: Float[Any, "S F"]) -> Any:
        return layer.apply(params, tokens)[-1:, -1:]

    arm = Arm(layer.init, answer, hidden=layer.apply, start=_no_stream, step=_no_stream)
    return training.of_arm(NAME, arm, family)


def best_risk(n: int) -> float:
    """Of the best single gradient step from zero after n pairs, exact and for every rho."""
    count = jnp.array(float(n))
    return float(theory.one_step_risk(count, d=REGRESSORS, noise=NOISE, prior=1 / REGRESSORS))


def _no_stream(*_: Any) -> Any:
    raise NotImplementedError("the layer reads its context at once: it has no step by step form")
