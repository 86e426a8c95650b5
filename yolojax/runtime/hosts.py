"""What the processes of a distributed run tell each other."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from yolojax.errors import InputError


def is_first() -> bool:
    """Whether this is the process that writes files and prints."""
    import jax

    return jax.process_index() == 0


def gather(value: Any) -> list[Any]:
    """Collects one value from each process; every process must call it.

    Args:
        value: lists, dicts with string keys, arrays, numbers and strings.

    Returns:
        [the value of process 0, the value of process 1, ...].
    """
    import jax
    from flax import serialization
    from jax.experimental.multihost_utils import process_allgather

    if jax.process_count() == 1:
        return [value]
    data = np.frombuffer(serialization.msgpack_serialize({"value": value}), np.uint8)
    sizes = process_allgather(np.array(len(data)))
    # A power of two, because the program that gathers is compiled for each size.
    padded = np.zeros(1 << (int(sizes.max()) - 1).bit_length(), np.uint8)
    padded[: len(data)] = data
    rows = zip(process_allgather(padded), sizes, strict=True)
    return [serialization.msgpack_restore(row[:size].tobytes())["value"] for row, size in rows]


def check_same_on_all_hosts(values: Mapping[str, Any]) -> None:
    """Refuses processes that were started with different settings or data; every process must call it.

    Args:
        values: {name: value}.

    Raises:
        InputError: a value differs; the message has its name and both values.
    """
    first, *others = gather(dict(values))
    for process, other in enumerate(others, start=1):
        for name in first:
            if first[name] != other[name]:
                raise InputError(
                    f"the processes differ in {name}: {first[name]} in process 0, {other[name]} in process {process}; "
                    "start all of them with the same flags, on the same data"
                )
