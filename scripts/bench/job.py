"""One small sweep job as users start it: a process that trains a network for a few steps.

Also compiles the gradient of an associative scan, which takes jax longer than all the rest.
Run as `python -m scripts.bench.job cache|plain`; prints the numbers it reached.
"""

from __future__ import annotations

import sys

from feedrun.runtime import setup


def main(cache: bool) -> list[float]:
    """[mean training loss of 20 steps, sum of the scan's gradient]."""
    setup.setup(cache=cache, devices="auto", malloc=True, precision="highest")
    import jax
    import jax.numpy as jnp

    from feedrun.experiment import silent_journal
    from scripts.bench.loop import ADAM, loss, problem, train

    losses: list[float] = []
    params, stream = problem(0)
    journal = silent_journal(lambda step, row: losses.append(row["train/loss"]))
    train.fit(
        jax.random.key(0), params, loss, stream, ADAM, steps=20, log_every=20, journal=journal
    )

    def last_state(a, b):
        decay, drive = jax.lax.associative_scan(_compose, (a, b))
        return (decay[-1] + drive[-1]).sum()

    a, b = jnp.full((1024, 16), 0.9), jnp.ones((1024, 16))
    return [losses[-1], float(jax.jit(jax.grad(last_state))(a, b).sum())]


def _compose(first, second):
    (a1, b1), (a2, b2) = first, second
    return a2 * a1, a2 * b1 + b2


if __name__ == "__main__":
    setup.restart()
    print(*main(sys.argv[1:] == ["cache"]))
