"""Batches onto the devices, ahead of the step that asks for them; each process holds the rows of its own devices."""

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from yolojax.errors import InputError


def local_rows(sharding, batch_size):
    """The rows of a batch that the devices of this process hold: (n,) integers, ascending."""
    slices = sharding.addressable_devices_indices_map((batch_size,)).values()
    return np.unique(np.concatenate([np.arange(batch_size)[rows] for (rows,) in slices]))


def put(tree, sharding):
    """Puts arrays of the host onto the devices of all processes.

    Args:
        tree: pytree of arrays; of a split batch the rows of `local_rows`, of what is replicated the whole, alike everywhere.
        sharding: of every array.

    Returns:
        The pytree of global arrays.
    """
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda array: jax.make_array_from_process_local_data(sharding, np.asarray(array)), tree)


def fetch_rows(batch):
    """The rows of this process, NumPy arrays in ascending order, of a pytree of global arrays split over their first axis."""
    if jax.process_count() == 1:
        return jax.device_get(batch)

    def pieces(array):
        return [shard.data for shard in sorted(array.addressable_shards, key=lambda shard: shard.index[0].start or 0)]

    fetched = jax.device_get(jax.tree.map(pieces, batch))
    return jax.tree.map(np.concatenate, fetched, is_leaf=lambda node: isinstance(node, list))


def make_mesh(devices=None):
    """A mesh of one axis, "data", over the given devices; all of them by default."""
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)


def shardings(mesh):
    """(replicated, split over the first axis): how a state and a batch lie on a mesh."""
    return NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("data"))


def check_batch_size(batch_size, mesh, field, accumulate=1):
    """Refuses a batch that the devices of a mesh cannot share evenly, in each of its parts."""
    if batch_size % (mesh.size * accumulate):
        parts = f" times config.train.accumulate, {accumulate}" if accumulate > 1 else ""
        raise InputError(f"{field}={batch_size} must be a multiple of the number of devices, {mesh.size}{parts}")
