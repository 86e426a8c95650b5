"""The mesh of devices, and arrays on their way to and from it; each process holds the rows of its own devices."""

import re
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, Sharding

from yolojax.errors import InputError, first_line


def check_devices() -> None:
    """Refuses an environment in which JAX cannot compute; starts JAX, so that nothing is done before.

    Raises:
        InputError: JAX finds no device of the platform that JAX_PLATFORMS asks for, or may not compile.
    """
    settings: Any = jax.config
    if settings.jax_disable_jit:
        raise InputError("JAX_DISABLE_JIT is set, but these programs run compiled only; unset it")
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # JAX asserts that a platform which it knows has been installed
        reason = re.sub(r"Unable to initialize backend '\w*': |\.? \(set JAX_PLATFORMS=.*\)", "", first_line(error))
        reason = reason if str(error) else "JAX's support for it is not installed"
        chosen = settings.jax_platforms
        if not chosen:
            raise InputError(f"JAX finds no device: {reason}; set JAX_PLATFORMS=cpu to compute on the CPU") from error
        gpu = '; a GPU needs pip install -U "jax[cuda12]"' if re.search("cuda|gpu", chosen) else ""
        raise InputError(
            f"JAX_PLATFORMS={chosen}: there is no such device here ({reason}); set JAX_PLATFORMS=cpu to compute on the CPU, or "
            f"unset it to let JAX choose{gpu}"
        ) from error


def local_rows(sharding: Sharding, batch_size: int) -> np.ndarray:
    """The rows of a batch that the devices of this process hold: (n,) integers, ascending."""
    indices = sharding.addressable_devices_indices_map((batch_size,)).values()
    return np.unique(np.concatenate([np.arange(batch_size)[index] for index in indices]))


def put(tree: Any, sharding: Sharding) -> Any:
    """Puts arrays of the host onto the devices of all processes.

    Args:
        tree: pytree of arrays. For a sharded batch, each process gives the rows of `local_rows`; for a replicated sharding, all
            give the same whole arrays.
        sharding: the sharding of every array.

    Returns:
        The pytree of global arrays.
    """
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda array: jax.make_array_from_process_local_data(sharding, np.asarray(array)), tree)


def fetch_rows(batch: Any) -> Any:
    """Fetches the rows that this process holds.

    Args:
        batch: pytree of global arrays, sharded over their first axis.

    Returns:
        The pytree of NumPy arrays, with the rows in ascending order.
    """
    if jax.process_count() == 1:
        return jax.device_get(batch)

    def pieces(array):
        return [shard.data for shard in sorted(array.addressable_shards, key=lambda shard: shard.index[0].start or 0)]

    fetched = jax.device_get(jax.tree.map(pieces, batch))
    return jax.tree.map(np.concatenate, fetched, is_leaf=lambda node: isinstance(node, list))


# JAX declares the class Device as a variable.
def make_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:  # pyright: ignore[reportInvalidTypeForm]
    """A mesh with one axis, "data", over the given devices, or all devices by default."""
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)


def shardings(mesh: Mesh) -> tuple[NamedSharding, NamedSharding]:
    """The shardings of a state and of a batch on a mesh.

    Args:
        mesh: result of `make_mesh`, or any other mesh, with axes of any names and types; rows are shared among all its devices.

    Returns:
        replicated: every device holds the whole array.
        batch_sharding: each device holds some rows of the first axis.
    """
    names = list(mesh.axis_names)
    rows = tuple(names) if len(names) > 1 else names[0]
    return NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(rows))


def check_batch_size(batch_size: int, mesh: Mesh, field: str, accumulate: int = 1) -> None:
    """Refuses a batch that cannot be shared evenly among the devices of a mesh.

    Args:
        batch_size: images per batch.
        mesh: the devices.
        field: the name of the configuration field that holds the batch size.
        accumulate: the number of parts in which a batch is computed, each of which must be shared evenly.

    Raises:
        InputError: the batch size is not a multiple of the number of devices times `accumulate`.
    """
    if batch_size % (mesh.size * accumulate):
        parts = f" times config.train.accumulate, {accumulate}" if accumulate > 1 else ""
        raise InputError(f"{field}={batch_size} must be a multiple of the number of devices, {mesh.size}{parts}")
