"""Others' attention in the W3 layer: torch's fused softmax, published SLAY, performer-pytorch."""
# pyright: reportMissingImports=false
# (the peers are optional)

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np

from feedrun.papers.slay import attends
from scripts.bench.case import Contestant
from scripts.bench.w3_layer import SIZES, D, Layer, slay_draws

FUSED, PUBLISHED = "torch SDPA softmax (fused)", "SLAY as published, in torch"
PERFORMER = "performer-pytorch, 256 features"
CHUNK = 128
"""That of the published code."""


def _layer(p: Layer, mix: Callable[..., Any]) -> Callable[[], Any]:
    """The layer around a torch attention of (1, H, T, D) tensors."""
    import torch

    x, qkv, out = (torch.tensor(np.asarray(a)) for a in (p.x, p.qkv, p.out))
    heads, width, _, _ = qkv.shape
    qkv = qkv.permute(1, 2, 0, 3).reshape(width, -1).contiguous()
    out = out.reshape(-1, width)

    def call():
        with torch.no_grad():
            q, k, v = (x @ qkv).view(1, -1, 3, heads, D).permute(2, 0, 3, 1, 4)
            return mix(q, k, v).transpose(1, 2).reshape(-1, heads * D) @ out

    return call


def _fused(p: Layer) -> Callable[[], Any]:
    from torch.nn.functional import scaled_dot_product_attention as attention

    call = _layer(p, lambda *qkv: attention(*qkv, is_causal=True))
    return lambda: {"kernel": "softmax", "y": call()}


def _published(p: Layer) -> Callable[[], Any]:
    """The published algorithm: chunks of 128 in a loop, features multiplied out, node by node."""
    import torch

    a, w, c = (torch.tensor(np.asarray(z)) for z in slay_draws(p))
    nodes, prf, poly = SIZES[:3]

    def features(u):
        u = torch.nn.functional.normalize(u[0], dim=-1)
        anchors = torch.einsum("htd,hpd->htp", u, a) ** 2 / poly**0.5
        exponentials = torch.exp(torch.einsum("htd,hmd->htm", u, w) + c[:, None])
        exponentials = exponentials.view(*u.shape[:2], nodes, prf)
        return torch.einsum("htp,htrm->hrtpm", anchors, exponentials).flatten(3)

    def mix(q, k, v):
        state = torch.zeros(len(a), nodes, poly * prf, D)
        total = torch.zeros(len(a), nodes, poly * prf)
        outs = []
        for start in range(0, q.shape[2], CHUNK):
            q_c, k_c, v_c = (x[:, :, start : start + CHUNK] for x in (q, k, v))
            phi_q, phi_k = features(q_c), features(k_c)
            near = torch.tril(phi_q @ phi_k.transpose(-1, -2))
            above = (phi_q @ state + near @ v_c[0, :, None]).sum(1)
            below = (torch.einsum("hrtm,hrm->hrt", phi_q, total) + near.sum(-1)).sum(1)
            outs.append(above / (below[..., None] + attends.DELTA))
            state = state + phi_k.transpose(-1, -2) @ v_c[0, :, None]
            total = total + phi_k.sum(2)
        return torch.cat(outs, 1)[None]

    call = _layer(p, mix)
    return lambda: {"kernel": "slay", "y": call()}


def _performer(p: Layer) -> Callable[[], Any]:
    """Its causal form without the CUDA extension."""
    from performer_pytorch import FastAttention

    with contextlib.redirect_stdout(io.StringIO()):  # it says so
        attention = FastAttention(dim_heads=D, nb_features=256, causal=True)
    call = _layer(p, attention)
    return lambda: {"kernel": "favor", "y": call(), "projection": attention.projection_matrix}


PEERS = {
    FUSED: Contestant(_fused, needs=("torch",)),
    PUBLISHED: Contestant(_published, needs=("torch",)),
    PERFORMER: Contestant(_performer, needs=("torch", "performer_pytorch")),
}
