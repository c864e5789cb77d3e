"""How others get C, H and E[h^2] of one layer: plain jax, torch.func, BackPACK, curvlinops."""
# pyright: reportMissingImports=false
# (the peers are optional)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scripts.bench.case import Contestant
from scripts.bench.curvature_network import COLUMNS, WIDTHS, P, Problem, sample_loss

FEW = 8
"""Samples of the contestants that need a second or so for ten of them."""


def _naive(p: Problem) -> Callable[[], Any]:
    """jax.hessian of each of a few samples, squared."""

    def one(W, last, a, y):
        h = jax.hessian(sample_loss)(W, last, a, y)
        return jax.grad(sample_loss)(W, last, a, y), h, h @ h

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
