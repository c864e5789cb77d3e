"""One causal attention layer with its projections, at the paper's 8 heads of 32 and at 8 of 64.

SLAY at its published 256 features, exact scores in a window with a shifted square beyond it (560
features: all that there are at D = 32; 2048 at 64), the hybrid and the exact kernel, against
softmax, fused and not, and against others' linear attention; forward, and forward with the
gradient. Each contestant is checked against float64 sums over all pairs of its own kernel. Ours
spread the heads over the devices.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from scripts.bench.attention_layer import HEADS, SIZES, Layer, error, gradient_error, layer
from scripts.bench.attention_peers import FUSED, GRADIENT_PEERS, PEERS, PERFORMER, PUBLISHED, SUMMED
from scripts.bench.case import Case, Contestant, Gate

SLOPE = (2048, 16384)
"""Lengths between which the slope is taken."""

LONGEST = {
    "feedrun exact kernel": 4096,
    "jax.nn.dot_product_attention": 4096,
    PERFORMER: 4096,
    SUMMED: 1024,
}
"""Contestants that take seconds, or all memory, beyond a length."""

OURS = {"slay": "feedrun SLAY", "window_square": "feedrun window and shifted square"}
GATES = (Gate(FUSED, at_least=1), Gate(PUBLISHED, at_least=1.6), Gate(PERFORMER, at_least=8))
LEAN = Gate("KiB a token", at_most=8)


def cases() -> list[Case]:
    """Lengths around the crossovers; for both of ours the gradient, slope and longest length."""
    return [
        _case(1024),
        _case(4096, (*GATES, LEAN)),
        _case(16384, GATES[1:2]),
        _case(8192, (Gate(FUSED, at_least=1), LEAN), ours="window_square"),
        _case(4096, dimension=64),
        _case(16384, dimension=64, ours="window_square"),
        _gradient(2048),
        *(_slope(name) for name in OURS),
        *(_longest(name) for name in OURS),
    ]


def _sizes(length: int, ours: str, dimension: int) -> dict[str, Any]:
    whole = dimension * (dimension + 3) // 2
    m = {"slay": SIZES.nodes * SIZES.prf * SIZES.poly, "window_square": min(whole, SIZES.square)}
    heads = {"heads": HEADS, "head dimension": dimension}
    return {"tokens": length, **heads, "m": m[ours], "dtype": "float32"}


def _case(
    length: int, gates: tuple[Gate, ...] = (), *, ours: str = "slay", dimension: int = 32
) -> Case:
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
        f"causal layer, {length} tokens" + (", heads of 64" if dimension == 64 else ""),
        _sizes(length, ours, dimension),
        partial(layer, length=length, dimension=dimension),
        {n: c for n, c in contestants.items() if length <= LONGEST.get(n, length)},
        error,
        tol=1e-3,
        gates=gates,
    )


def _gradient(length: int) -> Case:
    """Forward and the gradient in the tokens; ours make features anew on the way back."""
    return Case(
        f"causal layer with its gradient, {length} tokens",
        _sizes(length, "slay", 32),
        partial(layer, length=length, dimension=32),
        {
            **{t: Contestant(partial(_ours, n, gradient=True)) for n, t in OURS.items()},
            "jax.nn.dot_product_attention": Contestant(partial(_softmax, gradient=True)),
            **{n: c for n, c in GRADIENT_PEERS.items() if length <= LONGEST.get(n, length)},
        },
        gradient_error,
        tol=1e-2,
        gates=(Gate(PUBLISHED, at_least=1),),
    )


def _slope(name: str) -> Case:
    """Time of few tokens, as if it were linear, over that of many: many / few to 1 - slope."""
    few, many = SLOPE
    few_row, share = f"{few} tokens", few / many
    return Case(
        f"log-log slope of {OURS[name].removeprefix('feedrun ')}",
        {"from": few, "to": many, "heads": HEADS, "head dimension": 32, "dtype": "float32"},
        partial(layer, length=many, dimension=32),
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
        f"{OURS[name].removeprefix('feedrun ')}, 131,072 tokens",
        _sizes(131072, name, 32),
        partial(layer, length=131072, dimension=32),
        {OURS[name]: Contestant(partial(_ours, name))},
        error,
        tol=1e-3,
        gates=(Gate("seconds", at_most=2), LEAN),
    )


def _ours(
    name: str, p: Layer, length: int | None = None, gradient: bool = False
) -> Callable[[], Any]:
    """The layer with one of ATTENDS."""

    def mix(drawn, q, k, v):
        # One head after the other: on a CPU its products are faster than batched ones.
        return jax.lax.map(lambda x: x[0](*x[1:], causal=True), (drawn, q, k, v))

    return _compiled(name, mix, p.drawn[name], p._replace(x=p.x[:length]), gradient)


def _softmax(p: Layer, gradient: bool = False) -> Callable[[], Any]:
    """jax's own attention, which makes all scores at once on a CPU."""

    def mix(_, q, k, v):
        heads = (x.transpose(1, 0, 2)[None] for x in (q, k, v))
        return jax.nn.dot_product_attention(*heads, is_causal=True)[0].transpose(1, 0, 2)

    return _compiled("softmax", mix, (), p, gradient)


def _compiled(
    kernel: str, mix: Callable[..., Any], drawn: Any, p: Layer, gradient: bool
) -> Callable[[], Any]:
    """A call of the layer that knows the temporary memory XLA planned for it."""

    def run(x, qkv, out, drawn):
        q, k, v = jnp.einsum("tw,hwjd->jhtd", x, qkv)
        return jax.lax.psum(jnp.einsum("htd,hdw->tw", mix(drawn, q, k, v), out), "heads")

    count = max(n for n in range(1, len(jax.devices()) + 1) if HEADS % n == 0)
    mesh = Mesh(np.array(jax.devices()[:count]), ("heads",))
    whole, heads = PartitionSpec(), PartitionSpec("heads")
    specs = {"in_specs": (whole, heads, heads, heads), "out_specs": whole}
    # Unchecked replication: scans that start from constants would not pass.
    forward = jax.shard_map(run, mesh=mesh, check_vma=False, **specs)
    loss = jax.grad(lambda *args: (forward(*args) * p.weights).sum())
    args = p.x, p.qkv, p.out, drawn
    compiled = jax.jit(loss if gradient else forward).lower(*args).compile()
    planned: Any = compiled.memory_analysis()
    temporary = planned.temp_size_in_bytes * count / len(p.x)

    def call():
        return {"kernel": kernel, "gradient" if gradient else "y": compiled(*args)}

    call.note = f"{temporary / 1024:.3g} KiB of temporary memory a token"
    call.kib_a_token = temporary / 1024
    return call
