"""Independent replicas: split over devices, one after the other on a CPU, a vmap elsewhere."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

AXIS = "replicas"


def device_mesh(replicas: int) -> Mesh:
    """The largest number of this process's devices that divides the replicas.

    Several processes of one run compute all replicas each.
    """
    devices = jax.local_devices()
    parts = max(k for k in range(1, len(devices) + 1) if replicas % k == 0)
    return Mesh(np.array(devices[:parts]), (AXIS,))


def in_turn(mesh: Mesh) -> bool:
    """Do replicas of one device run one after the other? On a CPU: caches, and unequal lengths."""
    return mesh.devices.flat[0].platform == "cpu"


def each(one: Callable[..., Any], *, turns: bool) -> Callable[..., Any]:
    """`one` over the leading axis of all its arguments: in turn, or as a vmap.

    A vmap of loops of unequal length computes all of them until the slowest is done.
    """
    if not turns:
        return jax.vmap(one)
    return lambda *args: jax.lax.map(lambda arg: one(*arg), args)


def split(every: Callable[..., Any], mesh: Mesh, *, axis: int, copied: int) -> Callable[..., Any]:
    """every(replicas, *copied) -> replicas, with `axis` of the first and the result over devices.

    The `copied` other arguments are whole on every device.
    """
    spec = _spec(axis)
    # Unchecked replication: loops that start from constants would not pass.
    return jax.shard_map(
        every, mesh=mesh, in_specs=(spec, *[Spec()] * copied), out_specs=spec, check_vma=False
    )


def placed(tree: Any, mesh: Mesh, *, axis: int) -> Any:
    """Laid out as `split` returns it, or its second call would be compiled again."""
    return jax.device_put(tree, NamedSharding(mesh, _spec(axis)))


def _spec(axis: int) -> Spec:
    return Spec(*[None] * axis, AXIS)
