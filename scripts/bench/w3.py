"""W3: one causal attention layer forward, with its projections, at the paper's 8 heads of 32.

SLAY at its published 256 features, exact scores in a window with a shifted square beyond it (560
features: all that there are at D = 32), the hybrid and the exact kernel, against softmax, fused and
not, and against others' linear attention. Each contestant is checked at some queries against
float64 sums over all pairs of its own kernel. Ours spread the heads over the devices.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from scripts.bench.case import Case, Contestant, Gate
from scripts.bench.w3_layer import HEADS, D, Layer, error, layer
from scripts.bench.w3_peers import FUSED, PEERS, PERFORMER, PUBLISHED

SLOPE = (2048, 16384)
"""Lengths between which the slope is taken."""

LONGEST = {"feedrun exact kernel": 4096, "jax.nn.dot_product_attention": 4096, PERFORMER: 4096}
"""Contestants that take seconds beyond a length."""


def cases() -> list[Case]:
    """Three lengths around the crossover; for both of ours its place, the slope and the longest."""
    return [
        _case(1024),
        _case(4096, (*GATES, LEAN)),
        _case(16384, GATES[1:2]),
        _case(8192, (Gate(FUSED, at_least=1), LEAN), ours="window_square"),
        *(_slope(name) for name in OURS),
        *(_longest(name) for name in OURS),
    ]


GATES = (Gate(FUSED, at_least=1), Gate(PUBLISHED, at_least=1.6), Gate(PERFORMER, at_least=8))
LEAN = Gate("KiB a token", at_most=8)
OURS = {"slay": "feedrun SLAY", "window_square": "feedrun window and shifted square"}
FEATURES = {"slay": 256, "window_square": D * (D + 3) // 2}


def _case(length: int, gates: tuple[Gate, ...] = (), ours: str = "slay") -> Case:
    first = {ours: OURS[ours]}
    contestants = {
        **{title: Contestant(partial(_ours, name)) for name, title in (first | OURS).items()},
        "feedrun hybrid": Contestant(partial(_ours, "hybrid")),
        "feedrun exact square": Contestant(partial(_ours, "square")),
        "feedrun exact kernel": Contestant(partial(_ours, "yat_blocked")),
        "jax.nn.dot_product_attention": Contestant(_softmax),
        **PEERS,
    }
    return Case(
        f"W3 causal layer, {length} tokens",
        {"tokens": length, "heads": HEADS, "head dimension": D, "m": FEATURES[ours],
         "dtype": "float32"},
        partial(layer, length=length),
        {n: c for n, c in contestants.items() if length <= LONGEST.get(n, length)},
        error,
        tol=1e-3,
        gates=gates,
    )  # fmt: skip


def _slope(name: str) -> Case:
    """Time of few tokens, as if it were linear, over that of many: many / few to 1 - slope."""
    few, many = SLOPE
    few_row, share = f"{few} tokens", few / many
    return Case(
        f"W3 log-log slope of {OURS[name].removeprefix('feedrun ')}",
        {"from": few, "to": many, "heads": HEADS, "head dimension": D, "dtype": "float32"},
        partial(layer, length=many),
        {
            f"{many} tokens": Contestant(partial(_ours, name)),
            few_row: Contestant(partial(_ours, name, length=few), share=share, note="times 8"),
        },
        error,
        tol=1e-3,
        gates=(Gate(few_row, at_least=share**0.05),),
    )


def _longest(name: str) -> Case:
    """The paper's longest sequence, which took its authors 0.15 s on an A100."""
    return Case(
        f"W3 {OURS[name].removeprefix('feedrun ')}, 131,072 tokens",
        {"tokens": 131072, "heads": HEADS, "head dimension": D, "dtype": "float32"},
        partial(layer, length=131072),
        {OURS[name]: Contestant(partial(_ours, name))},
        error,
        tol=1e-3,
        gates=(Gate("seconds", at_most=2), LEAN),
    )


def _ours(name: str, p: Layer, length: int | None = None) -> Callable[[], Any]:
    """The layer with one of ATTENDS."""

    def mix(drawn, q, k, v):
        # One head after the other: on a CPU its products are faster than batched ones.
        return jax.lax.map(lambda x: x[0](*x[1:], causal=True), (drawn, q, k, v))

    return _compiled(name, mix, p.drawn[name], p._replace(x=p.x[:length]))


def _softmax(p: Layer) -> Callable[[], Any]:
    """jax's own attention, which makes all scores at once on a CPU."""

    def mix(_, q, k, v):
        heads = (x.transpose(1, 0, 2)[None] for x in (q, k, v))
        return jax.nn.dot_product_attention(*heads, is_causal=True)[0].transpose(1, 0, 2)

    return _compiled("softmax", mix, (), p)


def _compiled(kernel: str, mix: Callable[..., Any], drawn: Any, p: Layer) -> Callable[[], Any]:
    """A call of the layer that knows the temporary memory XLA planned for it."""

    def run(x, qkv, out, drawn):
        q, k, v = jnp.einsum("tw,hwjd->jhtd", x, qkv)
        return jax.lax.psum(jnp.einsum("htd,hdw->tw", mix(drawn, q, k, v), out), "heads")

    count = max(n for n in range(1, len(jax.devices()) + 1) if HEADS % n == 0)
    mesh = Mesh(np.array(jax.devices()[:count]), ("heads",))
    whole, heads = PartitionSpec(), PartitionSpec("heads")
    specs = {"in_specs": (whole, heads, heads, heads), "out_specs": whole}
    # Unchecked replication: scans that start from constants would not pass.
    run = jax.shard_map(run, mesh=mesh, check_vma=False, **specs)
    args = p.x, p.qkv, p.out, drawn
    compiled = jax.jit(run).lower(*args).compile()
    planned: Any = compiled.memory_analysis()
    temporary = planned.temp_size_in_bytes * count / len(p.x)

    def call():
        return {"kernel": kernel, "y": compiled(*args)}

    call.note = f"{temporary / 1024:.3g} KiB of temporary memory a token"
    call.kib_a_token = temporary / 1024
    return call
