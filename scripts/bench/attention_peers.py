"""Others' attention in that layer: torch's fused softmax, published SLAY, performer-pytorch.

Linear attention in torch is usually written in one of two ways: chunks in a loop, as SLAY's code
has it, or a cumulative sum of all products of features and values.
"""
# pyright: reportMissingImports=false
# (the peers are optional)

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from feedrun.papers.slay.attention import mechanisms
from scripts.bench.attention_layer import SIZES, Layer, slay_draws
from scripts.bench.case import Contestant

FUSED, PUBLISHED = "torch SDPA softmax (fused)", "SLAY as published, in torch"
PERFORMER = "performer-pytorch, 256 features"
SUMMED = "SLAY by cumulative sums, in torch"
CHUNK = 128
"""That of the published code."""


Call = Callable[[], Any]


def _layer(p: Layer, mix: Callable[..., Any], *, gradient: bool = False) -> Call:
    """The layer around a torch attention of (1, H, T, D) tensors, or its gradient in the tokens."""
    import torch

    x, qkv, out, weights = (torch.tensor(np.asarray(a)) for a in (p.x, p.qkv, p.out, p.weights))
    heads, width, _, D = qkv.shape
    qkv = qkv.permute(1, 2, 0, 3).reshape(width, -1).contiguous()
    out = out.reshape(-1, width)

    def forward(x):
        q, k, v = (x @ qkv).view(1, -1, 3, heads, D).permute(2, 0, 3, 1, 4)
        return mix(q, k, v).transpose(1, 2).reshape(-1, heads * D) @ out

    def call():
        with torch.no_grad():
            return {"y": forward(x)}

    def backward():
        tokens = x.detach().requires_grad_()
        forward(tokens).backward(weights)
        return {"gradient": tokens.grad}

    return backward if gradient else call


def _fused(p: Layer, gradient: bool = False) -> Call:
    from torch.nn.functional import scaled_dot_product_attention as attention

    call = _layer(p, lambda *qkv: attention(*qkv, is_causal=True), gradient=gradient)
    return lambda: {"kernel": "softmax"} | call()


def _slay_features(p: Layer) -> Callable[[Any], Any]:
    """(H, T, D) to (H, R, T, poly prf): features of both factors multiplied out, node by node."""
    import torch

    a, w, c = (torch.tensor(np.asarray(z)) for z in slay_draws(p))
    nodes, prf, poly = SIZES[:3]

    def features(u):
        u = torch.nn.functional.normalize(u, dim=-1)
        anchors = torch.einsum("htd,hpd->htp", u, a) ** 2 / poly**0.5
        exponentials = torch.exp(torch.einsum("htd,hmd->htm", u, w) + c[:, None])
        exponentials = exponentials.view(*u.shape[:2], nodes, prf)
        return torch.einsum("htp,htrm->hrtpm", anchors, exponentials).flatten(3)

    return features


def _published(p: Layer, gradient: bool = False) -> Call:
    """The published algorithm: chunks of 128 in a loop."""
    import torch

    features = _slay_features(p)

    def mix(q, k, v):
        state, total, outs = 0, 0, []
        for start in range(0, q.shape[2], CHUNK):
            q_c, k_c, v_c = (x[0, :, start : start + CHUNK] for x in (q, k, v))
            phi_q, phi_k, values = features(q_c), features(k_c), v_c[:, None]
            near = torch.tril(phi_q @ phi_k.transpose(-1, -2))
            above, below = near @ values, near.sum(-1, keepdim=True)
            if start:
                above, below = above + phi_q @ state, below + phi_q @ total
            outs.append(above.sum(1) / (below.sum(1) + mechanisms.DELTA))
            state = state + phi_k.transpose(-1, -2) @ values
            total = total + phi_k.sum(2)[..., None]
        return torch.cat(outs, 1)[None]

    call = _layer(p, mix, gradient=gradient)
    return lambda: {"kernel": "slay"} | call()


def _summed(p: Layer, gradient: bool = False) -> Call:
    """The usual short form, which makes a sum of products for every position."""
    import torch

    features = _slay_features(p)

    def mix(q, k, v):
        phi_q, phi_k = (features(x[0]).transpose(1, 2).flatten(2) for x in (q, k))
        states = torch.cumsum(phi_k[..., None] * v[0, :, :, None], 1)
        above = torch.einsum("htm,htmd->htd", phi_q, states)
        below = (phi_q * torch.cumsum(phi_k, 1)).sum(-1, keepdim=True)
        return (above / (below + mechanisms.DELTA))[None]

    call = _layer(p, mix, gradient=gradient)
    return lambda: {"kernel": "slay"} | call()


def _performer(p: Layer) -> Callable[[], Any]:
    """Its causal form without the CUDA extension."""
    from performer_pytorch import FastAttention

    with contextlib.redirect_stdout(io.StringIO()):  # it says so
        attention = FastAttention(dim_heads=p.dimension, nb_features=256, causal=True)
    call = _layer(p, attention)
    return lambda: {"kernel": "favor", "projection": attention.projection_matrix} | call()


PEERS = {
    FUSED: Contestant(_fused, needs=("torch",)),
    PUBLISHED: Contestant(_published, needs=("torch",)),
    SUMMED: Contestant(_summed, needs=("torch",)),
    PERFORMER: Contestant(_performer, needs=("torch", "performer_pytorch")),
}
GRADIENT_PEERS = {
    name: Contestant(partial(make, gradient=True), needs=("torch",))
    for name, make in {FUSED: _fused, PUBLISHED: _published, SUMMED: _summed}.items()
}
