"""mambapy, Mamba in pure torch: its parallel scan, and its network in the frame of our arms."""
# pyright: reportMissingImports=false
# (the peers are optional)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

MAMBAPY = "mambapy (torch)"


def _tensor(x: Any):
    import torch

    return torch.tensor(np.asarray(x))


def scan(back: bool, p: Any) -> Callable[[], Any]:
    """Its `selective_scan` of given inputs, and the gradients."""
    import torch
    from mambapy.pscan import pscan

    args = [_tensor(a).requires_grad_(back) for a in p.args]
    dy = _tensor(p.dy)

    def forward():
        x, delta, A, B, C = args
        decay = torch.exp(delta.unsqueeze(-1) * A.T)
        drive = delta.unsqueeze(-1) * B.unsqueeze(2) * x.unsqueeze(-1)
        return (pscan(decay, drive) @ C.unsqueeze(-1)).squeeze(3)

    def call():
        if not back:
            with torch.no_grad():
                return {"name": "selective", "values": (forward(),)}
        y = forward()
        grads = torch.autograd.grad(y, args, dy)
        return {"name": "selective", "values": (y.detach(), *grads)}

    return call


def training_step(rate: float, p: Any) -> Callable[[], Any]:
    """A step of AdamW of its two-layer Mamba with the weights of ours, on the same batch."""
    import torch

    net: Any = _network(p)
    x, y = _tensor(p.x), _tensor(p.y)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=1e-4)

    def call():
        optimizer.zero_grad(set_to_none=True)
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        squares = [w.grad.square().sum() for w in net.parameters() if w.grad is not None]
        optimizer.step()
        return {"loss": loss.item(), "norm": torch.stack(squares).sum().sqrt().item()}

    return call


def _network(p: Any):
    """mambapy's Mamba between our embedding and readout, all weights ours."""
    from mambapy.mamba import Mamba, MambaConfig, RMSNorm
    from torch import nn

    weights, sizes = p.params["params"], p.sizes
    width, inner = sizes.width, sizes.inner
    config = MambaConfig(
        d_model=width,
        n_layers=sizes.layers,
        d_state=sizes.states,
        expand_factor=inner // width,
        rms_norm_eps=1e-6,
    )
    features, outputs = p.x.shape[2], p.y.shape[2]
    embed, mamba = nn.Linear(features, width), Mamba(config)
    norm, readout = RMSNorm(width, 1e-6), nn.Linear(width, outputs)
    _fill(embed, **weights["embed"])
    _fill(readout, **weights["readout"])
    norm.weight.data = _tensor(weights["norm"]["scale"])
    layers: Any = mamba.layers
    for i, block in enumerate(layers):
        block.norm.weight.data = _tensor(weights[f"norm_{i}"]["scale"])
        _fill_mixer(block.mixer, weights[f"mixer_{i}"])
    return nn.Sequential(embed, mamba, norm, readout)


def _fill_mixer(block: Any, weights: Any) -> None:
    _fill(block.in_proj, **weights["in"])
    _fill(block.x_proj, **weights["x"])
    _fill(block.dt_proj, **weights["dt"])
    _fill(block.out_proj, **weights["out"])
    # A convolution's first weight meets the oldest input here, the newest in ours.
    block.conv1d.weight.data = _tensor(np.array(weights["conv"]["kernel"])[::-1].T[:, None].copy())
    block.conv1d.bias.data = _tensor(weights["conv"]["bias"])
    block.A_log.data = _tensor(weights["A_log"].T)
    block.D.data = _tensor(weights["D_skip"])


def _fill(linear: Any, kernel: Any, bias: Any = None) -> None:
    linear.weight.data = _tensor(np.asarray(kernel).T)
    if bias is not None:
        linear.bias.data = _tensor(bias)
