"""Sequence models of one frame that differ in what mixes times: the arms of a comparison.

An arm's name is its mixer, then its options: "ssd+conv", "softmax+conv+rope", "linear+learned".
The frame: x -> embed, a block a layer, norm, readout; a block is h + mixer(norm h), and for
attention h + mlp(norm h) after it (norms are RMS norms). `inner` is the width inside the blocks,
which sets the number of parameters at a fixed width of the residual stream.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from feedrun.models.attention import Attention
from feedrun.models.recurrent import GRU, LSTM, S4D, SSD, Mamba
from feedrun.models.streaming import positions

MIXERS = {
    "mamba1": "selective, a decay for every channel and state (Mamba-1)",
    "ssd": "selective, a decay for every head (Mamba-2)",
    "s_fixed": "the same with a constant decay for every head (retention)",
    "s_none": "the same without decay (linear attention with Mamba-2's gates)",
    "s4d": "time-invariant, complex poles for every channel",
    "gru": "gated recurrent unit",
    "lstm": "long short-term memory",
    "softmax": "softmax attention and an MLP",
    "linear": "attention without softmax, divided by the position, and an MLP",
    "linear_elu": "attention of elu + 1 features, normalised, and an MLP",
}
DECAYS = {"ssd": "selective", "s_fixed": "fixed", "s_none": "none"}
ATTENTIONS = ("softmax", "linear", "linear_elu")
OPTIONS = ("conv", "learned", "rope", "alibi")


class Sizes(NamedTuple):
    """How large an arm is; a mixer ignores what it has no use for.

    width: residual stream; inner: width inside a block (E of Mamba, hidden units, MLP width);
    states: numbers a channel remembers; length: elements that learned positions and the cache of
    softmax attention have room for; chunk: times that scans take at once.
    """

    width: int
    inner: int
    layers: int
    heads: int
    states: int
    length: int
    chunk: int


class Arm(NamedTuple):
    """A `Model` of sequences, x (T, F) -> y (T, O), that can also run one element at a time.

    hidden(params, x) -> (T, layers * width): the residual stream after each block, side by side.
    start() -> the state before the first element, in float32 (cast it for other weights);
    step(params, state, x (F,)) -> (state, y (O,)).
    """

    init: Callable[[Any], Any]
    apply: Callable[[Any, Any], Any]
    hidden: Callable[[Any, Any], Any]
    start: Callable[[], Any]
    step: Callable[[Any, Any, Any], tuple[Any, Any]]


class _MLP(nn.Module):
    """Two dense layers with a gelu between them."""

    inner: int

    @nn.compact
    def __call__(self, x):
        hidden = nn.gelu(nn.Dense(self.inner, name="up")(x))
        return nn.Dense(x.shape[1], name="down")(hidden)


class _Network(nn.Module):
    """The frame around a mixer; returns y and the residual streams."""

    mixer: Callable[..., nn.Module]
    sizes: Sizes
    outputs: int
    mlp: bool
    learned: bool
    streaming: bool

    @nn.compact
    def __call__(self, x):
        s = self.sizes
        h = nn.Dense(s.width, name="embed")(x)
        if self.learned:
            normal = nn.initializers.normal(0.02)
            table = self.param("positions", normal, (s.length, s.width), jnp.float32)
            h = h + table.astype(h.dtype)[positions(self, len(x))]
        streams = []
        for layer in range(s.layers):
            mixer = self.mixer(streaming=self.streaming, name=f"mixer_{layer}")
            h = h + mixer(nn.RMSNorm(name=f"norm_{layer}")(h))
            if self.mlp:
                mlp = _MLP(s.inner, name=f"mlp_{layer}")
                h = h + mlp(nn.RMSNorm(name=f"norm_mlp_{layer}")(h))
            streams.append(h)
        y = nn.Dense(self.outputs, name="readout")(nn.RMSNorm(name="norm")(h))
        return y, jnp.concatenate(streams, axis=1)


def build(name: str, sizes: Sizes, *, features: int, outputs: int) -> Arm:
    """The arm of that name for x of `features` numbers and y of `outputs` numbers an element.

    Weights start in float32; the computation follows their dtype. Raises ValueError for a name or
    sizes that there are not, and for a sequence longer than the `length` of learned positions.
    """
    base, options = parse(name)
    _check(name, base, options, sizes)
    frame = partial(
        _Network,
        _mixer(base, options, sizes),
        sizes,
        outputs,
        base in ATTENTIONS,
        "learned" in options,
    )
    whole, single = frame(streaming=False), frame(streaming=True)
    one = jnp.zeros((1, features), jnp.float32)

    def run(params, x: Float[Array, "T F"]):
        if "learned" in options and len(x) > sizes.length:
            raise ValueError(f"got {len(x)} elements, {name} has {sizes.length} positions")
        return whole.apply(params, x)

    def start() -> Any:
        state = jax.eval_shape(single.init, jax.random.key(0), one).get("stream", {})
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), state)

    def step(params, state, x: Float[Array, "F"]):
        (y, _), new = single.apply({**params, "stream": state}, x[None], mutable=["stream"])
        return new["stream"], y[0]

    return Arm(
        init=lambda key: whole.init(key, one),
        apply=lambda params, x: run(params, x)[0],
        hidden=lambda params, x: run(params, x)[1],
        start=start,
        step=step,
    )


def matched(
    name: str, sizes: Sizes, *, parameters: int, features: int, outputs: int, within: float = 0.05
) -> Sizes:
    """These sizes with the `inner` that brings the arm nearest to a number of parameters.

    Raises ValueError where that is further off than the share `within`.
    """
    base, _ = parse(name)
    unit = sizes.heads if base in DECAYS else 1

    def count(multiple: int) -> int:
        arm = build(name, sizes._replace(inner=multiple * unit), features=features, outputs=outputs)
        return num_parameters(arm)

    probes = [4, 8, 12]  # the count is a polynomial of degree 2 in `inner`
    poly = np.polyfit(probes, [count(n) for n in probes], 2)
    roots = np.roots(
        poly - [0, 0, parameters] if abs(poly[0]) > 1e-6 else poly[1:] - [0, parameters]
    )
    best = max(1, round(float(max(roots.real))))
    found = count(best)
    if abs(found / parameters - 1) > within:
        raise ValueError(f"{name} has {found} parameters at inner {best * unit}, not {parameters}")
    return sizes._replace(inner=best * unit)


def num_parameters(arm: Arm) -> int:
    """Numbers that training changes."""
    return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(arm.init, jax.random.key(0))))


def state_size(arm: Arm) -> int:
    """Real numbers that the arm remembers of the past (attention: at its full length)."""
    leaves = jax.tree.leaves(jax.eval_shape(arm.start))
    sizes = [leaf.size * (1 + jnp.iscomplexobj(leaf)) for leaf in leaves if leaf.dtype != jnp.int32]
    return sum(sizes)


def step_flops(arm: Arm, *, features: int) -> float:
    """Floating-point operations of one streaming step by XLA's count (attention: full cache)."""
    args = jax.eval_shape(arm.init, jax.random.key(0)), jax.eval_shape(arm.start)
    x = jax.ShapeDtypeStruct((features,), jnp.float32)
    analysis: Any = jax.jit(arm.step).lower(*args, x).cost_analysis()
    return float(analysis["flops"])


def decayed(params: Any) -> Any:
    """Which params weight decay acts on: matrices, not decay rates, gains or biases."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)


def parse(name: str) -> tuple[str, frozenset[str]]:
    """Mixer and options of an arm's name."""
    base, *options = name.split("+")
    if base not in MIXERS:
        raise ValueError(f"no mixer {base!r} (in {name!r}); there are {', '.join(MIXERS)}")
    if unknown := set(options) - set(OPTIONS):
        raise ValueError(f"no option {unknown.pop()!r} (in {name!r}); {', '.join(OPTIONS)} exist")
    return base, frozenset(options)


def _check(name: str, base: str, options: frozenset[str], s: Sizes) -> None:
    """Refuse what would not fit or not mean anything."""
    places = options - {"conv"}
    if places and base not in ATTENTIONS:
        raise ValueError(f"{name}: only attention has positions, {base} does not")
    if len(places) > 1:
        raise ValueError(f"{name}: one kind of position at most, got {', '.join(sorted(places))}")
    if "alibi" in places and base != "softmax":
        raise ValueError(f"{name}: ALiBi is a bias in the softmax, {base} has none")
    if base in DECAYS and s.inner % s.heads:
        raise ValueError(f"{name}: inner {s.inner} is not a multiple of heads {s.heads}")
    if base in ATTENTIONS and s.width % s.heads:
        raise ValueError(f"{name}: width {s.width} is not a multiple of heads {s.heads}")
    if base == "s4d" and s.states % 2:
        raise ValueError(f"{name}: complex poles come in pairs, {s.states} states do not")


def _mixer(base: str, options: frozenset[str], s: Sizes) -> Callable[..., nn.Module]:
    """What builds one layer's mixer, given `streaming` and `name`."""
    conv, mixers = "conv" in options, {"gru": GRU, "lstm": LSTM}
    if base in ATTENTIONS:
        places = next(iter(options & {"rope", "alibi"}), "none")
        return partial(Attention, s.heads, base, places, conv, s.length, s.chunk)
    if base in DECAYS:
        return partial(SSD, s.inner, s.heads, s.states, DECAYS[base], conv, s.chunk)
    if base in mixers:
        return partial(mixers[base], s.inner, conv)
    return partial(Mamba if base == "mamba1" else S4D, s.inner, s.states, conv, s.chunk)
