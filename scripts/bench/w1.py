"""W1: C, H and E[h^2] of the 50 x 50 layer of a 784-50-50-10 ReLU network, cross-entropy.

Every contestant is checked against products with random probes, in float64 and by plain
automatic differentiation of one sample's loss: C V, H V and E[h (h V)].
"""
# pyright: reportMissingImports=false
# (the peers are optional)

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.maths import curvature
from scripts.bench.case import Case, Contestant, Gate, Work

WIDTHS = (784, 50, 50, 10)
P = WIDTHS[1] * WIDTHS[2]
FEW = 8
"""Samples of the contestants that need a second or so for ten of them."""

COLUMNS = 100
"""Columns of the matrix-free contestant."""

CHUNK = 1024


class Problem(NamedTuple):
    """Three weight matrices, samples (B, 784) with labels, and directions V (P, COLUMNS)."""

    weights: tuple[Any, Any, Any]
    x: Any
    y: Any
    V: Any


def cases() -> list[Case]:
    """The layer in float32 against every peer, and the issue's own size in float64."""
    return [
        _case("W1 C + H + E[h^2], 2048 samples", 2048, "float32", PEERS, FLOAT32_GATES),
        _case("W1 the same, 5000 samples in float64", 5000, "float64", {}, FLOAT64_GATES),
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


def problem(seed: int, *, samples: int, dtype: str) -> Problem:
    """Random weights of unit gain, random inputs, labels and directions."""
    rng = np.random.default_rng(seed)
    pairs = zip(WIDTHS[1:], WIDTHS[:-1], strict=True)
    weights = tuple(rng.standard_normal(pair) * (2 / pair[1]) ** 0.5 for pair in pairs)
    x, V = rng.standard_normal((samples, WIDTHS[0])), rng.standard_normal((P, COLUMNS))
    y = rng.integers(0, WIDTHS[-1], samples)
    weights, x, V = jax.tree.map(lambda a: jnp.asarray(a, dtype), (weights, x, V))
    return Problem(weights, x, jnp.asarray(y, jnp.int32), V)


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
        lambda z: _cross_entropy(last @ jax.nn.relu(z), y), W, jax.nn.relu(first @ x)
    )


def _cross_entropy(logits, y):
    return jax.nn.logsumexp(logits) - logits[y]


def _loss(W, last, a, y):
    """One sample's loss as a function of the layer's weights alone, flattened."""
    return _cross_entropy(last @ jax.nn.relu(W.reshape(last.shape[1], -1) @ a), y)


def _naive(p: Problem) -> Callable[[], Any]:
    """jax.hessian of each of a few samples, squared."""

    def one(W, last, a, y):
        h = jax.hessian(_loss)(W, last, a, y)
        return jax.grad(_loss)(W, last, a, y), h, h @ h

    @jax.jit
    def run(weights, x, y):
        first, W, last = weights
        a = jax.nn.relu(x @ first.T)
        g, h, h2 = jax.lax.map(lambda ay: one(W.reshape(-1), last, *ay), (a, y))
        mean = g.mean(0)
        return {"C": g.T @ g / len(g) - jnp.outer(mean, mean), "H": h.mean(0), "E2": h2.mean(0)}

    return lambda: run(p.weights, p.x[:FEW], p.y[:FEW])


def _torch(p: Problem, samples: int | None = None):
    """(weights, inputs, labels) as torch tensors."""
    import torch

    weights = [torch.tensor(np.asarray(w)) for w in p.weights]
    x, y = torch.tensor(np.asarray(p.x[:samples])), torch.tensor(np.asarray(p.y[:samples])).long()
    return weights, x, y


def _torch_func(p: Problem) -> Callable[[], Any]:
    """torch.func: the Hessian of each of a few samples, squared."""
    import torch
    from torch.func import grad, jacfwd, vmap

    (first, W, last), x, y = _torch(p, FEW)
    labels = torch.nn.functional.one_hot(y, WIDTHS[-1]).to(x.dtype)

    def loss(W, a, y):
        logits = last @ torch.relu(W.view(WIDTHS[2], WIDTHS[1]) @ a)
        return torch.logsumexp(logits, 0) - logits @ y

    per_sample = jacfwd(grad(loss))  # faster than jacrev or torch.func.hessian here

    def call():
        a, w = torch.relu(x @ first.T), W.reshape(-1)
        g = vmap(grad(loss), (None, 0, 0))(w, a, labels)
        H, E2 = torch.zeros(P, P), torch.zeros(P, P)
        for n in range(FEW):
            h = per_sample(w, a[n], labels[n])
            H, E2 = H + h / FEW, E2 + h @ h / FEW
        return {"C": g.T @ g / FEW - torch.outer(g.mean(0), g.mean(0)), "H": H, "E2": E2}

    return call


def _torch_net(p: Problem) -> Any:
    """(network, inputs, labels) for the libraries that extend torch.nn."""
    import torch

    weights, x, y = _torch(p)
    layers = [torch.nn.Linear(*pair[::-1], bias=False) for pair in (w.shape for w in weights)]
    for layer, weight in zip(layers, weights, strict=True):
        layer.weight.data = weight
    relu = torch.nn.ReLU
    return torch.nn.Sequential(layers[0], relu(), layers[1], relu(), layers[2]), x, y


def _backpack(p: Problem) -> Callable[[], Any]:
    """BackPACK's per-sample gradients and exact GGN factors, and user code on the factors."""
    import torch
    from backpack import backpack, extend
    from backpack.extensions import BatchGrad, SqrtGGNExact

    net, x, y = _torch_net(p)
    extend(net)
    criterion = extend(torch.nn.CrossEntropyLoss(reduction="sum"))
    weight, B = net[2].weight, len(x)

    def call():
        net.zero_grad()
        with backpack(BatchGrad(), SqrtGGNExact()):
            criterion(net(x), y).backward()
        g = weight.grad_batch.reshape(B, P)
        V = weight.sqrt_ggn_exact.reshape(-1, B, P)  # h_p = V_p^T V_p
        gram = torch.einsum("cnp,dnp->ncd", V, V)
        flat, rotated = V.reshape(-1, P), torch.einsum("ncd,dnp->cnp", gram, V).reshape(-1, P)
        C = g.T @ g / B - torch.outer(g.mean(0), g.mean(0))
        return {"C": C, "H": flat.T @ flat / B, "E2": flat.T @ rotated / B}

    return call


def _curvlinops(p: Problem) -> Callable[[], Any]:
    """curvlinops: Hessian-vector products of the mean loss, H only."""
    import torch
    from curvlinops import HessianLinearOperator

    net, x, y = _torch_net(p)
    for place in (0, 4):
        net[place].weight.requires_grad_(False)
    params: Any = {"2.weight": net[2].weight} if _wants_names() else [net[2].weight]
    operator = HessianLinearOperator(
        net, torch.nn.CrossEntropyLoss(), params, [(x, y)], check_deterministic=False
    )
    V = torch.tensor(np.asarray(p.V))
    return lambda: {"HV": operator @ V}


def _wants_names() -> bool:
    """Whether this curvlinops takes parameters by name."""
    import inspect

    from curvlinops import HessianLinearOperator

    return "dict" in str(inspect.signature(HessianLinearOperator).parameters["params"].annotation)


def _few(peers: dict[str, Contestant], samples: int) -> dict[str, Contestant]:
    """Peers with the share of the problem that one call of theirs does."""
    return {
        name: peer._replace(share=FEW / samples) if peer.share == FEW else peer
        for name, peer in peers.items()
    }


PEERS = {
    "BackPACK": Contestant(_backpack, ("torch", "backpack"), note="E[h^2] by user code"),
    "torch.func": Contestant(
        _torch_func, ("torch",), FEW, f"extrapolated from {FEW} samples, linear"
    ),
    "jax.hessian": Contestant(_naive, (), FEW, f"extrapolated from {FEW} samples, linear"),
    "curvlinops": Contestant(
        _curvlinops,
        ("torch", "curvlinops"),
        COLUMNS / P,
        f"H only; extrapolated from {COLUMNS} columns",
    ),
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


def reference(p: Problem, samples: int, probes: np.ndarray) -> dict[str, np.ndarray]:
    """C V, H V and E2 V in float64, from gradients and Hessian-vector products of one sample."""
    with jax.enable_x64(True):
        first, W, last = (jnp.asarray(np.asarray(w), float) for w in p.weights)
        a = jax.nn.relu(jnp.asarray(np.asarray(p.x[:samples]), float) @ first.T)
        y, V, W = jnp.asarray(np.asarray(p.y[:samples])), jnp.asarray(probes), W.reshape(-1)

        def one(ay):
            gradient = jax.grad(lambda W: _loss(W, last, *ay))
            hvp = jax.vmap(lambda v: jax.jvp(gradient, (W,), (v,))[1], 1, 1)
            return gradient(W), hvp(V), hvp(hvp(V))

        g, hV, h2V = jax.jit(lambda: jax.lax.map(one, (a, y), batch_size=64))()
        mean = g.mean(0)
        C = g.T @ (g @ V) / samples - jnp.outer(mean, mean @ V)
        return {"C": np.asarray(C), "H": np.asarray(hV.mean(0)), "E2": np.asarray(h2V.mean(0))}
