"""Normalisation schemes: what they make of the speed of tokens.

Write a token as x = r theta with |theta| = 1, and A = sum_k w_k theta_k with softmax weights of the
directions. Every scheme turns tokens alike, dtheta/dt = P A / s; only the slowness s differs:

  post_ln     s = 1                x' = N(x + A)
  pre_ln      s = r                x' = x + A(N(x)): the radius grows, d ln r/dt = <theta,A> / s
  mix_ln      post_ln until t = switch, pre_ln from then on
  peri_ln     s = r |A|            x' = x + N(A(N(x))), growing
  ngpt        s = |A|              x' = N(x + N(A)); another constant gate is another unit of time
  sqrt        s = sqrt(1 + t)      updates weighted by 1 / sqrt(layer)
  ln_scaling  s = r sqrt(1 + t)    pre_ln with updates weighted by 1 / sqrt(layer), growing

The depths t at which tokens meet lie forty orders of magnitude apart. So each scheme runs in its
own time u, in which tokens that are close contract at rate 1 whatever the scheme:

  u = t  (post_ln, ngpt),  2 sqrt(1+t) - 2  (sqrt),  ln(1+t)  (pre_ln, peri_ln; mix_ln from its
  switch on),  ln(1+t) / 2  (ln_scaling).

Of depth and radius only the lag q is kept, e^q = (dt/du) / s without |A|: it stays of order one.

Source: Rigollet (2512.01868), section 6, after 2510.22026; own times and ln_scaling are derived.
"""

from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from feedrun.maths import sphere
from feedrun.papers.mean_field.theory import Scalar

Name = Literal["post_ln", "pre_ln", "mix_ln", "peri_ln", "ngpt", "sqrt", "ln_scaling"]
Law = Literal["exponential", "root", "square", "inverse"]


class Scheme(NamedTuple):
    """`divides`: the update by |A|; `grows`: the radius does; `law`: how 1 - rho ends."""

    divides: bool
    grows: bool
    law: Law


SCHEMES: dict[Name, Scheme] = {
    "post_ln": Scheme(False, False, "exponential"),
    "pre_ln": Scheme(False, True, "square"),
    "mix_ln": Scheme(False, True, "square"),
    "peri_ln": Scheme(True, True, "square"),
    "ngpt": Scheme(True, False, "exponential"),
    "sqrt": Scheme(False, False, "root"),
    "ln_scaling": Scheme(False, True, "inverse"),
}


def turn_time(switch: float, *, scheme: Name) -> float:
    """Own time from which the radius grows, where it does: mix_ln's switch, else 0."""
    return switch if scheme == "mix_ln" else 0.0


def start_lag(radius: float, *, scheme: Name) -> float:
    """The lag q at u = 0, tokens having radius `radius`."""
    if not SCHEMES[scheme].grows:
        return 0.0
    return float(np.log(2 if scheme == "ln_scaling" else 1) - np.log(radius))


def turning(q, size, late, *, scheme: Name):
    """(dt/du) / s from the lag q and size = |A|; `late` is 0 before the radius grows, else 1."""
    rule = SCHEMES[scheme]
    # e^q for numpy and jax alike; a scheme that does not grow keeps q = 0.
    pace = 1 + late * (np.e**q - 1)
    return pace / size if rule.divides else pace


def lagging(radial, pace, late, *, scheme: Name):
    """dq/du = 1 - <theta,A> (dt/du) / s once the radius grows, else 0."""
    return late * (1 - radial * pace) if SCHEMES[scheme].grows else 0 * radial


def attention(theta: Float[Array, "T D"], beta: Scalar) -> Float[Array, "T D"]:
    """A_j = sum_k w_jk theta_k with softmax weights w_jk of e^{beta <theta_j, theta_k>}."""
    w = jnp.exp(beta * (theta @ theta.T - 1))
    return (w @ theta) / jnp.sum(w, axis=1, keepdims=True)


def velocity(
    theta: Float[Array, "T D"], q: Float[Array, "T"], beta: Scalar, late: Scalar, *, scheme: Name
) -> tuple[Float[Array, "T D"], Float[Array, "T"]]:
    """(dtheta/du, dq/du) in the scheme's own time."""
    A = attention(theta, beta)
    radial, size = jnp.sum(theta * A, axis=1), jnp.linalg.norm(A, axis=1)
    pace = turning(q, size, late, scheme=scheme)
    speed = sphere.tangent(theta, A) * jnp.broadcast_to(pace, size.shape)[:, None]
    return speed, lagging(radial, pace, late, scheme=scheme)


def log_depth(u, switch: float, *, scheme: Name):
    """ln t of the depth t reached at own time u > 0 (host); t itself may overflow."""
    u, late = np.asarray(u, float), turn_time(switch, scheme=scheme)
    law = SCHEMES[scheme].law
    if law == "exponential":
        return np.log(u)
    if law == "root":
        return np.log(u + u**2 / 4)
    if law == "inverse":
        return 2 * u + np.log(-np.expm1(-2 * u))
    after = np.maximum(u - late, np.finfo(float).tiny)
    grown = after + np.log(-np.expm1(-after))
    return np.where(u <= late, np.log(u), np.logaddexp(grown, np.log(late) if late else -np.inf))


def initial_speed(beta: float, radius: float, *, n: int, scheme: Name) -> float:
    """drho/dt at rho = 0 and t = 0: n orthonormal tokens of radius `radius`."""
    rule = SCHEMES[scheme]
    slow = radius if rule.grows and scheme != "mix_ln" else 1.0
    total = np.exp(beta) + n - 1
    size = np.sqrt(np.exp(2 * beta) + n - 1) if rule.divides else total
    return float(2 / (slow * size))
