"""The equiangular model of every normalisation scheme: one ODE in (rho, q), solved on the host.

n tokens with one common inner product rho and one common lag q (see `schemes`). With
y = -ln(1 - rho) the approach to rho = 1 keeps all its digits, and ends as y = 2 u + const.

Source: Rigollet (2512.01868), section 6; the formulas in (rho, r) are derived from it.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.integrate import OdeSolution, solve_ivp
from scipy.optimize import brentq

from feedrun.papers.mean_field.phase import schemes
from feedrun.papers.mean_field.phase.schemes import Name

LAST = 100.0
"""A model is solved until -ln(1 - rho) has reached this."""

TOLERANCE = 1e-12
"""Local error of y and q, relative and absolute."""


class Model(NamedTuple):
    """rho(u) for 0 <= u <= end; `path` gives (y, q)."""

    path: OdeSolution
    end: float

    def gap(self, u) -> np.ndarray:
        """1 - rho at own times u (beyond the end: its last value, below 1e-43)."""
        return np.exp(-self.path(np.minimum(u, self.end))[0])

    def time_to(self, gap: float) -> float:
        """Own time at which 1 - rho = gap."""
        target = -np.log(gap)
        u: Any = brentq(lambda u: self.path(u)[0] - target, 0.0, self.end, xtol=1e-13)
        return float(u)


def velocity(y: float, q: float, beta: float, late: float, *, n: int, scheme: Name):
    """(dy/du, dq/du): drho/du = 2 pace b (1-rho)(1+(n-1)rho) with <theta,A> and |A| of rho."""
    rho = -np.expm1(-y)
    k = np.exp(-beta * np.exp(-y))
    a, b = 1 / (1 + (n - 1) * k), k / (1 + (n - 1) * k)
    radial = a + (n - 1) * b * rho
    size = np.sqrt(a**2 + (n - 1) * (2 * a * b * rho + b**2 * (1 + (n - 2) * rho)))
    pace = schemes.turning(q, size, late, scheme=scheme)
    return 2 * pace * b * (1 + (n - 1) * rho), schemes.lagging(radial, pace, late, scheme=scheme)


def solve(
    beta: float, *, n: int, scheme: Name, radius: float, switch: float, start: float = 0.0
) -> Model:
    """The model from rho = start on, in one piece or (mix_ln) two that meet at the switch."""
    turn = schemes.turn_time(switch, scheme=scheme)
    state = [-np.log1p(-start), schemes.start_lag(radius, scheme=scheme)]
    pieces, u = [], 0.0
    for late, until in ((0.0, turn), (1.0, np.inf)):
        if u < until and state[0] < LAST:
            piece = _piece(state, (u, until), beta, late, n=n, scheme=scheme)
            pieces.append(piece.sol)
            u, state = piece.t[-1], piece.y[:, -1]
    ts = np.concatenate([pieces[0].ts, *[piece.ts[1:] for piece in pieces[1:]]])
    interpolants = [part for piece in pieces for part in piece.interpolants]
    return Model(OdeSolution(ts, interpolants), float(u))


def _piece(state, span, beta, late, *, n, scheme):
    def done(u, state):
        return state[0] - LAST

    done.terminal = True

    def field(u, state):
        return velocity(state[0], state[1], beta, late, n=n, scheme=scheme)

    return solve_ivp(
        field,
        span,
        state,
        method="DOP853",
        rtol=TOLERANCE,
        atol=TOLERANCE,
        dense_output=True,
        events=done,
    )
