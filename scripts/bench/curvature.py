"""C, H and E[h^2] of the 50 x 50 layer of a 784-50-50-10 ReLU network, cross-entropy.

Every contestant is checked against products with random probes, in float64 and by plain
automatic differentiation of one sample's loss: C V, H V and E[h (h V)].
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

from feedrun.maths import curvature
from scripts.bench.case import Case, Contestant, Gate, Work
from scripts.bench.curvature_network import COLUMNS, P, Problem, cross_entropy, problem, reference
from scripts.bench.curvature_peers import FEW, PEERS

CHUNK = 1024


def cases() -> list[Case]:
    """The layer in float32 against every peer, and the issue's own size in float64."""
    return [
        _case("C + H + E[h^2], 2048 samples", 2048, "float32", PEERS, FLOAT32_GATES),
        _case("the same, 5000 samples in float64", 5000, "float64", {}, FLOAT64_GATES),
    ]


FLOAT32_GATES = (
    Gate("BackPACK", at_least=10),
    Gate("torch.func", at_least=500),
    Gate("ceiling", at_least=0.3),
)
FLOAT64_GATES = (Gate("seconds", at_most=10),)


def _case(name: str, samples: int, dtype: str, peers: Any, gates: tuple[Gate, ...]) -> Case:
    return Case(
        name,
        {"samples": samples, "parameters": P, "dtype": dtype, "chunk": CHUNK},
        partial(problem, samples=samples, dtype=dtype),
        {"feedrun": Contestant(_ours)} | _few(peers, samples),
        _error,
        tol=1e-4 if dtype == "float32" else 1e-10,
        work=Work(1.5 * samples * P**2, "float32" if dtype == "float32" else "float64"),
        gates=gates,
        x64=dtype == "float64",
    )


def _ours(p: Problem) -> Callable[[], Any]:
    run = jax.jit(
        lambda weights, xs: curvature.moments(partial(_factors, weights), xs, chunk=CHUNK)
    )

    def call():
        C, H, E2 = run(p.weights, (p.x, p.y))
        return {"C": C, "H": H, "E2": E2}

    return call


def _factors(weights: Any, sample: Any) -> curvature.Factors:
    first, W, last = weights
    x, y = sample
    return curvature.layer_factors(
        lambda z: cross_entropy(last @ jax.nn.relu(z), y), W, jax.nn.relu(first @ x)
    )


def _few(peers: dict[str, Contestant], samples: int) -> dict[str, Contestant]:
    """Peers with the share of the problem that one call of theirs does."""
    return {
        name: peer._replace(share=FEW / samples) if peer.share == FEW else peer
        for name, peer in peers.items()
    }


def _error(p: Problem, output: dict[str, Any], contestant: Contestant) -> float:
    """Largest relative error of the products with the probes."""
    columns = contestant.share == COLUMNS / P
    samples = len(p.x) if columns else round(len(p.x) * contestant.share)
    probes = np.asarray(p.V[:, :4], float)
    expected = reference(p, samples, probes)
    errors = []
    for name, value in output.items():
        value = np.asarray(value.detach() if hasattr(value, "detach") else value, float)
        product = value[:, :4] if name == "HV" else value @ probes
        truth = expected[name.removesuffix("V")]
        errors.append(np.linalg.norm(product - truth) / np.linalg.norm(truth))
    return float(max(errors))
