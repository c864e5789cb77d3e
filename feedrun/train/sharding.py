"""How a training lies on devices: repeats spread over them, or the batch split, or neither."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

from feedrun.runtime import collectives, replicas
from feedrun.train.streams import Stream

Batching = Literal["map", "vmap"]


class Layout(NamedTuple):
    """Where a training runs: on one device (no mesh), its repeats split, or its batch split.

    batching: how repeats run that share a device, None for a single training.
    """

    mesh: Mesh | None
    batching: Batching | None
    split: Literal["repeats", "batch"]

    @property
    def shared(self) -> bool:
        """Does the mesh have devices of several processes?"""
        return self.mesh is not None and self.mesh.is_multi_process

    def state(self, tree: Any) -> Any:
        """State or keys onto the mesh: split with the repeats, or copied where these are not."""
        return self._put(tree, Spec("split") if self.split == "repeats" else Spec())

    def copy(self, tree: Any) -> Any:
        """Data onto every device of the mesh."""
        return self._put(jax.tree.map(jnp.asarray, tree), Spec())

    def gather(self, tree: Any) -> Any:
        """Params from a mesh back to the default device, so that nobody works on them twice."""
        if self.mesh is None:
            return tree
        return jax.tree.map(lambda leaf: jnp.asarray(collectives.whole(leaf)), tree)

    def near(self, tree: Any) -> Any:
        """Params where this process can see all of them: on the mesh if that is its own."""
        return self.gather(tree) if self.shared else tree

    def spread(self, one: Callable[..., Any]) -> Callable[..., Any]:
        """one(state, keys, data, start) -> (state, report) over the repeats, if there are any."""
        if self.batching:
            one = _repeated(one, turns=self.batching == "map")
        if self.mesh is None:
            return one
        if self.split == "repeats":
            # Unchecked replication: a loss whose own scan starts from constants would not pass.
            split, copied = Spec("split"), Spec()
            specs = {"in_specs": (split, split, copied, copied), "out_specs": split}
            one = jax.shard_map(one, mesh=self.mesh, check_vma=False, **specs)
        return self._reported(one) if self.shared else one

    def split_batch(self, batch: Any) -> Any:
        """Inside the program: the leading axis of every leaf split over the devices."""
        return self._constrain(batch, Spec("split")) if self.split == "batch" else batch

    def whole(self, state: Any) -> Any:
        """Inside the program: the state of a training the same on every device."""
        return self._constrain(state, Spec()) if self.split == "batch" else state

    def _reported(self, one: Callable[..., Any]) -> Callable[..., Any]:
        """The same with its report on every device, where each process can read it."""

        def reported(*args):
            state, report = one(*args)
            return state, self._constrain(report, Spec())

        return reported

    def _constrain(self, tree: Any, spec: Spec) -> Any:
        if self.mesh is None:
            return tree
        return jax.lax.with_sharding_constraint(tree, NamedSharding(self.mesh, spec))

    def _put(self, tree: Any, spec: Spec) -> Any:
        if self.mesh is None:
            return tree
        place = collectives.spread if self.shared else jax.device_put
        return place(tree, NamedSharding(self.mesh, spec))


def layout(
    key: jax.Array,
    stream: Stream,
    *,
    repeats: int | None,
    devices: Sequence[Any] | None,
    batching: Batching | None,
) -> Layout:
    """Repeats over the largest number of devices that divides them, else the batch likewise.

    Of each process as many; raises ValueError where the processes cannot share the work.
    """
    if batching and not repeats:
        raise ValueError(f"batching={batching!r} says how repeats run, but there are no repeats")
    chosen = list(devices or _usable())
    on_cpu, groups = chosen[0].platform == "cpu", _by_process(chosen)
    if repeats:
        batching = batching or ("map" if on_cpu else "vmap")
        each = _shares(groups, [repeats])
        if each * len(groups) > 1:
            return Layout(_mesh(groups, each), batching, "repeats")
    # Devices of one CPU share its cores: splitting a batch over them gained nothing.
    if devices is None and on_cpu and len(groups) == 1:
        return Layout(None, batching, "batch")
    sizes = _batch_sizes(key, stream)
    if devices is None and on_cpu:
        groups = [group[:1] for group in groups]
    each = _shares(groups, sizes)
    if not each:
        repeated = f"repeats={repeats} and " if repeats else ""
        raise ValueError(
            f"{repeated}a batch of sizes {sizes} cannot be split over {len(groups)} processes"
        )
    if devices is not None and not repeats and each * len(groups) < len(chosen):
        raise ValueError(f"a batch of sizes {sizes} cannot be split over {len(chosen)} devices")
    if each * len(groups) == 1 and devices is None:
        return Layout(None, batching, "batch")
    return Layout(_mesh(groups, each), batching, "batch")


def _usable() -> list[Any]:
    """All devices, or the one that was chosen with `jax.default_device`."""
    own = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    return [own] if own is not None else jax.devices()


def _by_process(devices: Sequence[Any]) -> list[list[Any]]:
    processes = sorted({device.process_index for device in devices})
    return [[d for d in devices if d.process_index == process] for process in processes]


def _shares(groups: list[list[Any]], sizes: list[int]) -> int:
    """The most devices of each process that divide all sizes together; 0 if even one does not."""
    most, processes = min(map(len, groups)), len(groups)
    fits = [n for n in range(1, most + 1) if all(size % (n * processes) == 0 for size in sizes)]
    return max(fits, default=0)


def _mesh(groups: list[list[Any]], each: int) -> Mesh:
    used = [device for group in groups for device in group[:each]]
    return jax.make_mesh((len(used),), ("split",), axis_types=(AxisType.Auto,), devices=used)


def _repeated(one: Callable[..., Any], *, turns: bool) -> Callable[..., Any]:
    """`one` for each repeat: in turn, which keeps its arrays in a CPU's cache, or as a vmap."""

    def many(state, keys, data, start):
        single = replicas.each(lambda state, key: one(state, key, data, start), turns=turns)
        return single(state, keys)

    return many


def _batch_sizes(key: jax.Array, stream: Stream) -> list[int]:
    """Lengths of the leading axes of one batch (1 for a scalar, which cannot be split)."""

    def one(key, data):
        return stream.batch(data, jax.tree.map(lambda x: x[0], stream.plan(key, 0, length=1)))

    single = jax.ShapeDtypeStruct((), key.dtype)
    leaves = jax.tree.leaves(jax.eval_shape(one, single, stream.data))
    return [leaf.shape[0] if leaf.shape else 1 for leaf in leaves]
