"""One attention layer with its projections, compiled for timing, around any mechanism.

Heads are spread over the devices; on a CPU those of a device follow one another (products of one
head are faster there than batched ones), on an accelerator they run at once.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jax.tree_util import Partial
from jaxtyping import Array, Float, Key

from feedrun.maths.attention import blocked_softmax_attention
from feedrun.papers.slay.attention import mechanisms
from feedrun.papers.slay.attention.mechanisms import CONFIGURATIONS, Attend, Sizes

TABLE = CONFIGURATIONS["table"]
BLOCK = 128
"""Queries at a time of the softmax that keeps no matrix."""


class Layer(NamedTuple):
    """Tokens, W = H D wide, and the projections of every head."""

    x: Float[Array, "T W"]
    qkv: Float[Array, "H W 3 D"]
    out: Float[Array, "H D W"]


class Program(NamedTuple):
    """A compiled layer, ready to be called, and the bytes of temporary memory planned for it."""

    call: Callable[[], Any]
    temporary: int


class Variant(NamedTuple):
    """An attend with its budgets; `order`: its time grows as the length to this power."""

    attend: str
    sizes: Sizes = TABLE
    order: int = 1


VARIANTS = {
    "slay": Variant("slay"),
    "slay_512": Variant("slay", TABLE._replace(nodes=1, prf=8, poly=64)),
    "slay_2048": Variant("slay", TABLE._replace(prf=32, poly=32)),
    "slay_8192": Variant("slay", TABLE._replace(prf=64, poly=64)),
    "laplace": Variant("laplace"),
    "hadamard": Variant("hadamard"),
    "square": Variant("square"),
    "hybrid": Variant("hybrid"),
    "hybrid_slay": Variant("hybrid_slay"),
    "window_square": Variant("window_square"),
    "window_square_256": Variant("window_square", TABLE._replace(chunk=256)),
    "window_square_all": Variant("window_square", TABLE._replace(square=10**6)),
    "window_square_equal": Variant("window_square", TABLE._replace(chunk=64, square=1792)),
    "window_square_half": Variant("window_square", TABLE._replace(square=1040)),
    "window_square_quarter": Variant("window_square", TABLE._replace(square=528)),
    "favor": Variant("favor"),
    "favor_relu": Variant("favor_relu", TABLE._replace(features=64)),
    "elu": Variant("elu"),
    "cosformer": Variant("cosformer"),
    "uniform": Variant("uniform"),
    "softmax": Variant("softmax", order=2),
    "softmax_blocked": Variant("softmax_blocked", order=2),
    "softmax_library": Variant("softmax_library", order=2),
    "yat": Variant("yat", order=2),
    "yat_blocked": Variant("yat_blocked", order=2),
}
"""Mechanisms by the names of the config; without a number in it: as published (m = 256, eps 1e-3).

`softmax` and `yat` make the matrix of all scores, the blocked ones a few rows of it at a time;
`softmax_library` is `jax.nn.dot_product_attention` (its fused cuDNN kernel, in bfloat16, on a GPU).
"""


def draw(key: Key[Array, ""], *, length: int, heads: int, dimension: int) -> Layer:
    """Random tokens, and weights that give queries, keys and values of unit variance."""
    x_key, qkv_key, out_key = jax.random.split(key, 3)
    width = heads * dimension
    return Layer(
        jax.random.normal(x_key, (length, width)),
        jax.random.normal(qkv_key, (heads, width, 3, dimension)) / width**0.5,
        jax.random.normal(out_key, (heads, dimension, width)) / width**0.5,
    )


def drawn_heads(key: Key[Array, ""], name: str, *, heads: int, dimension: int) -> Any:
    """The attends of all heads, each with features of its own, as one pytree."""
    if name == "softmax_library":
        return ()
    return jax.vmap(lambda key: attend_of(name)(key, dimension))(jax.random.split(key, heads))


def compiled(name: str, drawn: Any, layer: Layer, *, causal: bool, gradient: bool) -> Program:
    """The layer's output, or also the gradient of sum sin(output) by tokens and weights."""
    heads = len(layer.out)
    run = _spread(partial(_output, partial(_heads, name, causal)), heads)

    def loss(layer, drawn):
        return jnp.sin(run(*layer, drawn)).sum()

    whole = jax.value_and_grad(loss) if gradient else lambda layer, drawn: run(*layer, drawn)
    program = jax.jit(whole).lower(layer, drawn).compile()
    planned: Any = program.memory_analysis()
    devices = _devices(heads) if jax.default_backend() == "cpu" else 1
    return Program(lambda: program(layer, drawn), planned.temp_size_in_bytes * devices)


def seconds(program: Program, *, least: float, guess: float) -> float:
    """Wall time of one call, repeated until it has taken `least` by the `guess`.

    One call before is not counted: where the last program was a smaller one, it also fetches
    memory from the system, up to twice its own time (seen at 131,072 tokens).
    """
    repeats = max(1, int(np.ceil(least / guess)))
    jax.block_until_ready(program.call())
    start = time.perf_counter()
    for _ in range(repeats):
        jax.block_until_ready(program.call())
    return (time.perf_counter() - start) / repeats


def attend_of(name: str) -> Callable[[Key[Array, ""], int], Attend]:
    """What draws the attend of a variant, for a head."""
    variant = VARIANTS[name]
    if name == "softmax_blocked":
        return lambda key, dimension: Partial(partial(blocked_softmax_attention, block=BLOCK))
    return lambda key, dimension: mechanisms.ATTENDS[variant.attend](key, dimension, variant.sizes)


def _heads(name, causal, drawn, q, k, v):
    """Attention of some heads, (H, T, D) each."""
    if name == "softmax_library":
        return _library(q, k, v, causal=causal)
    if jax.default_backend() == "cpu":
        return jax.lax.map(lambda x: x[0](*x[1:], causal=causal), (drawn, q, k, v))
    return jax.vmap(lambda attend, *qkv: attend(*qkv, causal=causal))(drawn, q, k, v)


def _library(q, k, v, *, causal):
    fused = jax.default_backend() == "gpu"
    dtype = jnp.bfloat16 if fused else q.dtype  # cuDNN has no kernel for more digits
    rows = (x.transpose(1, 0, 2)[None].astype(dtype) for x in (q, k, v))
    how = {"is_causal": causal, "implementation": "cudnn" if fused else "xla"}
    return jax.nn.dot_product_attention(*rows, **how)[0].transpose(1, 0, 2).astype(q.dtype)


def _output(mix, x, qkv, out, drawn):
    """What some heads add to the output, (1, T, W)."""
    q, k, v = jnp.einsum("tw,hwjd->jhtd", x, qkv)
    return jnp.einsum("htd,hdw->tw", mix(drawn, q, k, v), out)[None]


def _spread(run, heads):
    """`run` with the heads over the devices, their outputs summed."""
    count = _devices(heads)
    mesh = Mesh(np.array(jax.devices()[:count]), ("heads",))
    whole, split = PartitionSpec(), PartitionSpec("heads")
    specs = {"in_specs": (whole, split, split, split), "out_specs": split}
    # Unchecked replication: scans that start from constants would not pass.
    return lambda *args: jax.shard_map(run, mesh=mesh, check_vma=False, **specs)(*args).sum(axis=0)


def _devices(heads: int) -> int:
    return max(n for n in range(1, len(jax.devices()) + 1) if heads % n == 0)
