"""How a training lies on devices: repeats spread over them, or the batch split, or neither."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

from feedrun import broadcast
from feedrun.streams import Stream

Batching = Literal["map", "vmap"]


class Layout(NamedTuple):
    """Where a training runs: on one device (no mesh), its batch split, or its repeats split."""

    mesh: Mesh | None
    batching: Batching | None

    @property
    def shared(self) -> bool:
        """Does the mesh have devices of several processes?"""
        return self.mesh is not None and self.mesh.is_multi_process

    def state(self, tree: Any) -> Any:
        """State or keys onto the mesh: repeats are split, a single training is copied."""
        return self._put(tree, Spec("split") if self.batching else Spec())

    def copy(self, tree: Any) -> Any:
        """Data onto every device of the mesh."""
        return self._put(jax.tree.map(jnp.asarray, tree), Spec())

    def gather(self, tree: Any) -> Any:
        """Params from a mesh back to the default device, so that nobody works on them twice."""
        if self.mesh is None:
            return tree
        return jax.tree.map(lambda leaf: jnp.asarray(broadcast.whole(leaf)), tree)

    def near(self, tree: Any) -> Any:
        """Params where this process can see all of them: on the mesh if that is its own."""
        return self.gather(tree) if self.shared else tree

    def spread(self, one: Callable[..., Any]) -> Callable[..., Any]:
        """one(state, keys, data, start) -> (state, report) over the repeats, if there are any."""
        if self.batching is None:
            return one
        many = _mapped(one) if self.batching == "map" else jax.vmap(one, in_axes=(0, 0, None, None))
        if self.mesh is None:
            return many
        # Unchecked replication: a loss whose own scan starts from constants would not pass.
        split, copied = Spec("split"), Spec()
        specs = {"in_specs": (split, split, copied, copied), "out_specs": split}
        sharded = jax.shard_map(many, mesh=self.mesh, check_vma=False, **specs)

        def reported(*args):
            state, report = sharded(*args)
            return state, jax.lax.with_sharding_constraint(report, NamedSharding(self.mesh, copied))

        return reported if self.shared else sharded

    def split_batch(self, batch: Any) -> Any:
        """Inside the program: the leading axis of every leaf split over the devices."""
        return self._constrain(batch, Spec("split"))

    def whole(self, state: Any) -> Any:
        """Inside the program: the state of a single training the same on every device."""
        return self._constrain(state, Spec())

    def _constrain(self, tree: Any, spec: Spec) -> Any:
        if self.mesh is None or self.batching is not None:
            return tree
        return jax.lax.with_sharding_constraint(tree, NamedSharding(self.mesh, spec))

    def _put(self, tree: Any, spec: Spec) -> Any:
        if self.mesh is None:
            return tree
        place = broadcast.spread if self.shared else jax.device_put
        return place(tree, NamedSharding(self.mesh, spec))


def layout(
    key: jax.Array,
    stream: Stream,
    *,
    repeats: int | None,
    devices: Sequence[Any] | None,
    batching: Batching | None,
) -> Layout:
    """The largest number of devices that divides what is split, repeats or the batch.

    Of each process as many; raises ValueError where the processes cannot share the work.
    """
    if batching and not repeats:
        raise ValueError(f"batching={batching!r} says how repeats run, but there are no repeats")
    chosen = list(jax.devices() if devices is None else devices)
    on_cpu = chosen[0].platform == "cpu"
    groups = _by_process(chosen)
    if repeats:
        parts, batching = [repeats], batching or ("map" if on_cpu else "vmap")
    else:
        parts = _batch_sizes(key, stream)
        if devices is None and on_cpu:
            groups = [group[:1] for group in groups]
    each = _share(groups, parts, "repeats" if repeats else "a batch of sizes")
    count = each * len(groups)
    if devices is not None and not repeats and count < len(chosen):
        raise ValueError(f"a batch of sizes {parts} cannot be split over {len(chosen)} devices")
    if count == 1 and devices is None:
        return Layout(None, batching)
    used = [device for group in groups for device in group[:each]]
    mesh = jax.make_mesh((count,), ("split",), axis_types=(AxisType.Auto,), devices=used)
    return Layout(mesh, batching)


def _by_process(devices: Sequence[Any]) -> list[list[Any]]:
    processes = sorted({device.process_index for device in devices})
    return [[d for d in devices if d.process_index == process] for process in processes]


def _share(groups: list[list[Any]], parts: list[int], what: str) -> int:
    """The largest number of devices of each process that can share parts of these sizes."""
    most = min(len(group) for group in groups)
    for each in range(most, 0, -1):
        if all(size % (each * len(groups)) == 0 for size in parts):
            return each
    raise ValueError(f"{what} {parts} cannot be split over {len(groups)} processes")


def _mapped(one: Callable[..., Any]) -> Callable[..., Any]:
    """`one` for each repeat in turn: on a CPU this keeps a repeat's arrays in cache."""

    def many(state, keys, data, start):
        return jax.lax.map(lambda each: one(*each, data, start), (state, keys))

    return many


def _batch_sizes(key, stream: Stream) -> list[int]:
    """Lengths of the leading axes of one batch (1 for a scalar, which cannot be split)."""

    def one(key, data):
        return stream.batch(data, jax.tree.map(lambda x: x[0], stream.plan(key, 0, length=1)))

    leaves = jax.tree.leaves(jax.eval_shape(one, key, stream.data))
    return [leaf.shape[0] if leaf.shape else 1 for leaf in leaves]
