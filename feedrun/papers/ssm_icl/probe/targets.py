"""What probes are asked to read, and the most that anyone can know of it.

At token t a causal network has seen y_1 .. y_{t-1}. Of a linear-Gaussian sequence it is asked for

    state      z_t, raw. On LG4 the prior does not change under z -> U z, so E[z_t | y] = 0 whatever
               y is: no one can read it with one probe for all tasks (the identifiability trap)
    signal     s_t = c z_t, the observation without its noise, before y_t is seen
    filtered   s_{t-1}, after y_{t-1} is seen
    next       what the filter that knows the task predicts of y_t
    second     what it predicts of y_{t+1}, two steps ahead
    decay      kappa (LG4), a (LG1): a part of the task

and of a switching chain for `belief`, the logarithms of the exact belief over modes, centred.

The least mean squared error that a function of the sequence can have is that of the posterior
mean, so its R^2, on the very sequences of the test, is the ceiling: R^2_max = 1 - E Var(target |
y) / Var(target). The filter that knows the task (R^2 = 1 - (S_t - r) / Var s_t for the signal) is
above it, and out of reach.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from feedrun.maths import kalman_lanes
from feedrun.papers.ssm_icl.families import Batch, chain_oracles, shifted
from feedrun.papers.ssm_icl.families import linear_gaussian_oracles as oracles
from feedrun.papers.ssm_icl.families.linear_gaussian import Tasks

Known = Mapping[str, Float[Array, "B T K"]]
"""By target."""


class Asked(NamedTuple):
    """A family's targets, and the posterior means of those who know the sequence, or the task too.

    truth(batch), attainable(batch), genie(batch) -> Known; a target that an observer knows nothing
    of, or all, is left out.
    """

    truth: Callable[[Batch], Known]
    attainable: Callable[[Batch], Known]
    genie: Callable[[Batch], Known]


def linear(prior: Tasks) -> Asked:
    """Targets of LG1 or LG4; `prior`: their tasks, or a bank of draws of them."""
    rows, decay = _rows(prior), _decay(prior)
    nothing = jnp.zeros((len(rows), len(decay)), decay.dtype)
    rows = jnp.concatenate([rows, jnp.zeros_like(rows[:1])])
    offsets = jnp.concatenate([nothing, decay[None]])

    def attainable(batch: Batch) -> Known:
        found = oracles.bank_expectations(prior, rows, offsets, batch.targets[..., 0])
        signal, filtered, second, decay = jnp.split(found, 4, axis=-1)
        known = {"signal": signal, "filtered": filtered, "next": signal, "second": second}
        known |= {"decay": decay}
        return known | ({"state": signal} if prior.A.shape[1] == 1 else {})

    return Asked(linear_truth, attainable, linear_genie)


def linear_truth(batch: Batch) -> Known:
    """The targets themselves."""
    signal, genie = batch.hidden["signal"], linear_genie(batch)
    decay = jnp.broadcast_to(_decay(batch.task)[:, None, None], signal.shape)
    return {
        "state": batch.hidden["state"],
        "signal": signal,
        "filtered": shifted(signal),
        "next": genie["signal"],
        "second": genie["second"],
        "decay": decay,
    }


def linear_genie(batch: Batch) -> Known:
    """Of the signal before and after an observation, and two steps ahead: the filter's means."""
    own = oracles.lanes(batch.task)
    mean = kalman_lanes.run(own, batch.targets.transpose(1, 2, 0))[1].mean
    found = jnp.einsum("knb,tnb->btk", _rows(batch.task), mean)
    return dict(zip(("signal", "filtered", "second"), jnp.split(found, 3, axis=-1), strict=True))


def _rows(tasks: Tasks) -> Float[Array, "3 N B"]:
    """c, A^-T c and A^T c: of z_t, what it says of s_t, of A^-1 z_t and of A z_t.

    The mean of z_{t-1} given y_{t-1} is A^-1 times that of z_t, as the noise between has mean 0.
    """
    c, turned = tasks.C[:, 0], tasks.A.transpose(0, 2, 1)
    before = jnp.linalg.solve(turned, c[..., None])[..., 0]
    return jnp.stack([c, before, jnp.einsum("bij,bj->bi", turned, c)]).transpose(0, 2, 1)


def _decay(tasks: Tasks) -> Float[Array, "B"]:
    """kappa of LG4, a of LG1: q = 1 - kappa^2."""
    return jnp.sqrt(1 - tasks.q)


def switching(library: Any) -> Asked:
    """The belief over the modes of SM, which the symbols determine: its ceiling is 1."""

    def belief(batch: Batch) -> Known:
        known = jnp.log(chain_oracles.beliefs(batch, library=library))
        return {"belief": known - known.mean(axis=-1, keepdims=True)}

    return Asked(belief, belief, lambda batch: {})


def losses(
    name: str, truth: Float[np.ndarray, "B T K"], guess: Float[np.ndarray, "*R B T K"]
) -> tuple[Float[np.ndarray, "*R T"], Float[np.ndarray, "T"]]:
    """Loss of a guess at each position, and of the best constant: R^2 = 1 - loss / constant.

    Squared error, the constant being the mean of each position; for a belief KL(belief || guess)
    in nats, the constant being even odds.
    """
    if name != "belief":
        spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=-1).mean(axis=0)
        return ((truth - guess) ** 2).sum(axis=-1).mean(axis=-2), spread
    log_p, log_q, even = _log_odds(truth), _log_odds(guess), _log_odds(np.zeros_like(truth))
    p = np.exp(log_p)
    return (p * (log_p - log_q)).sum(-1).mean(-2), (p * (log_p - even)).sum(-1).mean(-2)


def _log_odds(x: np.ndarray) -> np.ndarray:
    """Log-probabilities."""
    top = x - x.max(axis=-1, keepdims=True)
    return top - np.log(np.exp(top).sum(axis=-1, keepdims=True))


def run(known: Callable[[Batch], Known], batch: Batch) -> dict[str, np.ndarray]:
    """As numpy, compiled whole."""
    return {name: np.asarray(value) for name, value in jax.jit(known)(batch).items()}
