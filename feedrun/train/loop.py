"""The one training loop: a jitted scan over chunks of steps, resumable to the bit.

Whatever step k sees and draws is a function of (key, k), so a run continued from a checkpoint is
the run that was never interrupted. Repeats (seeds) train side by side in one program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from feedrun.experiment import Journal
from feedrun.train.sharding import Batching, Layout, layout
from feedrun.train.streams import Stream

Loss = Callable[[Any, Any, Any], tuple[Any, Mapping[str, Any]]]
"""loss(params, batch, key) -> (scalar to minimise, named scalar metrics)."""


def tuned(optimizer: optax.GradientTransformation, **hyperparams: Any):
    """An optimizer with `optax.inject_hyperparams` in it, started with other numbers.

    Keep one optimizer and vary it with this: a fit with other numbers then compiles nothing. For
    repeats with numbers of their own start `fit` from
    jax.vmap(lambda params, lr: tuned(optimizer, learning_rate=lr).init(params))(params, rates).
    """

    def init(params: Any) -> Any:
        state = optimizer.init(params)
        new = optax.tree_utils.tree_set(state, **hyperparams)
        return jax.tree.map(lambda old, new: jnp.asarray(new, old.dtype), state, new)

    return optimizer._replace(init=init)


def fit(
    key: jax.Array,
    params: Any,
    loss: Loss,
    stream: Stream,
    optimizer: optax.GradientTransformation,
    *,
    steps: int,
    log_every: int,
    journal: Journal,
    evaluate: Callable[[Any], Mapping[str, Any]] | None = None,
    opt_state: Any = None,
    repeats: int | None = None,
    devices: Sequence[Any] | None = None,
    batching: Batching | None = None,
) -> Any:
    """Train and return the params; `params` itself is left intact.

    Every `log_every` steps the journal gets a row of means over the chunk ("train/loss", each
    metric of the loss as "train/<name>") with what `evaluate(params)` returns, and a checkpoint;
    the row after k steps has step k. A checkpoint found at the start is continued from. A
    non-finite metric or param raises FloatingPointError before it is logged or saved.

    `opt_state` is where the optimizer starts (default: its own `init`); see `tuned`.

    `repeats=R`: `key` is R keys and leaves of `params` are (R, ...); metrics become lists, and
    so are the params that `evaluate` sees. Inside a device repeats are mapped on CPUs and vmapped
    on accelerators unless `batching` says otherwise.

    Repeats spread over devices, the largest number that divides R. Where that is one, and without
    repeats, the batch is split: over all accelerators by default, never over the CPU devices of
    one process unless `devices` lists them (no gain was seen). Among several processes (see
    `runtime.distributed`) all take part, with as many devices each.

    The program compiled depends on the objects `loss`, `stream.plan`, `stream.batch`,
    `optimizer.update` and on sizes: calls that share these compile once.
    """
    _check_sizes(key, params, steps, log_every, repeats)
    place = layout(key, stream, repeats=repeats, devices=devices, batching=batching)
    each = jax.vmap if repeats else lambda f: f
    state = (params, each(optimizer.init)(params) if opt_state is None else opt_state)
    done, state = journal.restore(state) or (0, state)
    if done > steps:
        raise ValueError(f"the checkpoint has {done} steps, more than the {steps} asked for")
    state, data = place.state(_owned(state)), place.copy(stream.data)
    keys = place.state(each(jax.random.split)(key))
    work = Work(loss, stream.plan, stream.batch, optimizer.update)
    while done < steps:
        length = min(log_every - done % log_every, steps - done)
        # Every chunk gets the same keys, and each step folds its own number in: a run that was cut
        # into other chunks, or killed and resumed, draws the same. `clone` says that this is meant.
        state, seen = _chunk(
            state, jax.random.clone(keys), data, done, work=work, length=length, layout=place
        )
        row = _finite_row(jax.device_get(seen), done)
        done += length
        if evaluate is not None:
            row |= _finite_extra(evaluate(place.near(state[0])), done)
        journal.log(done, row)
        journal.progress(done, steps, row)
        journal.save(done, state, final=done == steps)
    return place.gather(state[0])


class Work(NamedTuple):
    """The static functions of a training: what its compiled program depends on."""

    loss: Loss
    plan: Callable[..., Any]
    batch: Callable[[Any, Any], Any]
    update: Callable[..., Any]


class Seen(NamedTuple):
    """What a chunk reports of each metric, by name.

    mean over its steps, the first index at which it was not finite (-1: nowhere), the value there.
    """

    mean: dict[str, Any]
    first_bad: dict[str, Any]
    value: dict[str, Any]


@partial(jax.jit, static_argnames=("work", "length", "layout"), donate_argnames="state")
def _chunk(state, keys, data, start, *, work: Work, length: int, layout: Layout):
    """(state, Seen) after `length` steps from `start`, of every repeat where there are any."""
    return layout.spread(partial(_steps, work=work, length=length, layout=layout))(
        state, keys, data, start
    )


def _steps(state, keys, data, start, *, work: Work, length: int, layout: Layout):
    """One training's chunk: a scan over the plan, its batches drawn or indexed inside."""
    data_key, loss_key = keys
    gradient = jax.value_and_grad(work.loss, has_aux=True)

    def step(state, now):
        (params, opt_state), (index, x) = state, now
        batch = layout.split_batch(work.batch(data, x))
        (value, metrics), grads = gradient(params, batch, jax.random.fold_in(loss_key, index))
        updates, opt_state = work.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), _named(value, metrics)

    plan = work.plan(data_key, start, length=length)
    state, history = jax.lax.scan(step, state, (start + jnp.arange(length), plan))
    return layout.whole(state), _seen(history, state[0], length)


def _named(value: Any, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Loss and metrics of a step under one roof; checked once, while tracing."""
    if "loss" in metrics:
        raise ValueError('a metric may not be called "loss": that is the value itself')
    if shaped := {k: jnp.shape(v) for k, v in metrics.items() if jnp.shape(v)}:
        raise ValueError(f"metrics must be scalars, got shapes {shaped}")
    return {"loss": value, **metrics}


def _seen(history: dict[str, jax.Array], params: Any, length: int) -> Seen:
    """Means of the metrics (length,) and where they, or the params at the end, went wrong."""
    # A NaN in params stays there, so they need no look before the last step; a loss may recover.
    whole = jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(params)]).all()
    bad = {k: ~jnp.isfinite(v) for k, v in history.items()}
    first = {k: jnp.where(b.any(), b.argmax(), -1) for k, b in bad.items()}
    value = {k: v[first[k]] for k, v in history.items()}
    first["params"] = jnp.where(whole, -1, length - 1)
    return Seen({k: v.mean() for k, v in history.items()}, first, value)


def _finite_row(seen: Seen, done: int) -> dict[str, Any]:
    """The journal's row of a chunk; raises at the earliest thing that is not finite."""
    found = [
        (int(first), name, at)
        for name, per_repeat in seen.first_bad.items()
        for at, first in np.ndenumerate(per_repeat)
        if first >= 0
    ]
    if found:
        first, name, at = min(found, key=lambda f: f[0])
        value = seen.value[name][at] if name in seen.value else "not finite"
        repeat = f", repeat {at[0]}" if at else ""
        raise FloatingPointError(f"train/{name} is {value} at step {done + first}{repeat}")
    return {f"train/{name}": np.asarray(mean).tolist() for name, mean in seen.mean.items()}


def _finite_extra(metrics: Mapping[str, Any], done: int) -> dict[str, Any]:
    """What `evaluate` returned, as numbers and lists."""
    row = {name: np.asarray(value) for name, value in metrics.items()}
    for name, value in row.items():
        if not np.isfinite(value).all():
            raise FloatingPointError(f"{name} is {value.tolist()} after step {done}")
    return {name: value.tolist() for name, value in row.items()}


def _owned(tree: Any) -> Any:
    """A copy whose buffers may be donated: no leaf shared, none weakly typed (recompiles)."""
    return jax.tree.map(lambda leaf: jnp.array(leaf, dtype=jnp.asarray(leaf).dtype), tree)


def _check_sizes(key, params, steps: int, log_every: int, repeats: int | None) -> None:
    if steps < 1 or log_every < 1:
        raise ValueError(f"steps and log_every must be 1 or more, got {steps} and {log_every}")
    if repeats is not None and repeats < 1:
        raise ValueError(f"repeats must be 1 or more, got {repeats}")
    if repeats is None and key.shape != ():
        raise ValueError(f"one training takes one key, got keys of shape {key.shape}")
    if repeats is not None and key.shape != (repeats,):
        raise ValueError(f"repeats={repeats} needs as many keys, got keys of shape {key.shape}")
    wrong = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(params)} - {(repeats,)}
    if repeats is not None and wrong:
        raise ValueError(f"params need a leading axis of repeats={repeats}, got {sorted(wrong)}")
