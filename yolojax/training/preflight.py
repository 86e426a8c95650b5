"""What a training step costs, known before it runs: its program is compiled ahead of time and analysed."""

import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from yolojax.config import Config
from yolojax.data.assign_rule import no_targets
from yolojax.data.pipeline import Batch
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.models import count_floats
from yolojax.parts import NO_PARTS, Parts
from yolojax.runtime.collector import paused_collector
from yolojax.targets import Targets
from yolojax.training.step import TrainState

# One batch is being computed while the next one waits on the devices.
BATCHES_ON_DEVICE = 2
ADVICE = "config.train.remat=true or a larger config.train.accumulate needs less memory"


class Cost(NamedTuple):
    """The cost of a training step.

    Attributes:
        parameters: how many numbers are trained.
        flops: operations of the convolutions and matrix products of a step, over all devices; a multiplication and an addition
            are two, as Darknet counts them.
        memory: bytes on each device: state, batches, and the temporary arrays of the program.
    """

    parameters: int
    flops: float
    memory: int


def abstract_batch(
    config: Config, grid: AnchorGrid, batch_size: int, sharding: jax.sharding.Sharding, parts: Parts = NO_PARTS
) -> Batch:
    """Makes the shapes and dtypes of a training Batch, as `train_batches` makes it.

    Args:
        config: the configuration of the run.
        grid: the grid of the images' size.
        batch_size: images per step, over all devices.
        sharding: how the batch lies on the devices.
        parts: parts that a program gives as objects.

    Returns:
        A Batch of jax.ShapeDtypeStruct.
    """

    def shaped(dtype, *shape) -> Any:
        return jax.ShapeDtypeStruct((batch_size, *shape), dtype, sharding=sharding)

    return Batch(
        shaped(jnp.uint8 if config.data.fit == "letterbox" else jnp.float32, *grid.size, 3),
        Targets(*(shaped(field.dtype, *field.shape) for field in no_targets(config, grid, parts))),
    )


def compile_checked(
    step: jax.stages.Wrapped,
    config: Config,
    grid: AnchorGrid,
    state: TrainState,
    sharding: jax.sharding.Sharding,
    say: Callable[[str], object],
    parts: Parts = NO_PARTS,
) -> jax.stages.Compiled:
    """Compiles a training step ahead of time, prints its cost, and refuses it if the devices have too little memory.

    Args:
        step: result of `compile_train_step`, with this grid.
        config: the configuration of the run.
        grid: the grid of the images' size.
        state: abstract TrainState, with shardings.
        sharding: how a batch lies on the devices.
        say: called with a line to print.
        parts: parts that a program gives as objects.

    Returns:
        The compiled step, called like `step`.

    Raises:
        InputError: the step needs more memory than a device has; the message names the largest batch that fits.
    """

    def compile_for(batch_size):
        return compile_ahead(step, state, abstract_batch(config, grid, batch_size, sharding, parts))

    say("compiling the step")
    program, cost = compile_for(config.train.batch_size)
    limit = memory_limit(jax.local_devices()[0])
    check_memory(config, cost, limit, sharding.num_devices, lambda batch_size: compile_for(batch_size)[1], say)
    assert program is not None  # else check_memory has raised
    return program


def compile_ahead(
    step: jax.stages.Wrapped, state: TrainState, batch: Batch
) -> tuple[jax.stages.Compiled, Cost] | tuple[None, None]:
    """Compiles a training step for given shapes, without running it.

    Args:
        step: result of `compile_train_step`.
        state: abstract TrainState, with shardings.
        batch: abstract Batch, with shardings.

    Returns:
        (the compiled step, its Cost), or (None, None) if the compiler itself finds that the devices have too little memory.
    """
    with paused_collector():
        traced = step.trace(state, batch)
        lowered = traced.lower()
    try:
        compiled = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return None, None
    memory: Any = compiled.memory_analysis()
    program = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    waiting = (BATCHES_ON_DEVICE - 1) * sum(map(_bytes_on_a_device, jax.tree.leaves(batch)))
    cost = Cost(count_floats(state.params), count_flops(traced.jaxpr.jaxpr), program + memory.temp_size_in_bytes + waiting)
    return compiled, cost


def count_flops(jaxpr: Any) -> float:
    """Counts the operations of the convolutions and matrix products of a jaxpr.

    XLA's own count takes seconds, and differs from device to device. The body of a loop of unknown length counts once. Of the
    branches of a condition the one with the most operations counts: they may be a convolution's programs for two platforms.
    """
    flops = 0
    for equation in jaxpr.eqns:
        name, parameters = equation.primitive.name, equation.params
        if name in ("conv_general_dilated", "dot_general"):
            a, b, out = (variable.aval.shape for variable in (*equation.invars, *equation.outvars))
            if name == "dot_general":
                (contracted, _), _ = parameters["dimension_numbers"]
                sums = math.prod(a[axis] for axis in contracted)
            else:
                # The zeros that dilation puts between the pixels, as in the gradient of a stride, are not multiplied.
                kernel = parameters["dimension_numbers"].rhs_spec
                sums = math.prod(b[axis] for axis in kernel[1:]) / math.prod(parameters["lhs_dilation"])
            flops += 2 * math.prod(out) * sums
        inner = jax.tree.leaves(tuple(parameters.values()), is_leaf=lambda value: hasattr(value, "eqns"))
        inside = [count_flops(value) for value in inner if hasattr(value, "eqns")]
        flops += max(inside) if name == "cond" else sum(inside) * (parameters["length"] if name == "scan" else 1)
    return flops


def memory_limit(device: Any) -> int | None:
    """Bytes that programs may use on a device, or None if unknown; the devices of one CPU share the machine's memory."""
    stated = (device.memory_stats() or {}).get("bytes_limit")
    if stated or device.platform != "cpu":
        return stated
    host = host_memory()
    return host and host // jax.local_device_count()


def host_memory(cgroups: str | os.PathLike[str] = "/sys/fs/cgroup") -> int | None:
    """Bytes of this machine's memory, or of the container's share of it, or None if the system does not say."""
    try:
        sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (AttributeError, ValueError, OSError):
        return None
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            sizes.append(int((Path(cgroups) / name).read_text()))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return min(sizes)


def check_memory(
    config: Config,
    cost: Cost | None,
    limit: int | None,
    devices: int,
    cost_of: Callable[[int], Cost | None],
    say: Callable[[str], object],
) -> None:
    """Prints the cost of a step, and refuses it if it needs more memory than a device has.

    Args:
        config: the configuration of the run.
        cost: the cost of a step with `config.train.batch_size` images; None if the compiler itself ran out of memory.
        limit: bytes of each device; None if unknown.
        devices: the number of devices.
        cost_of: function of a batch size to the Cost of its step, or None as above; it compiles the step.
        say: called with a line to print.

    Raises:
        InputError: the step does not fit; the message names the largest batch that does.
    """
    if cost:
        has = f" of {_size(limit)} that each device has" if limit else " on each device"
        say(f"{cost.parameters:,} parameters; a step takes {_operations(cost.flops)} and about {_size(cost.memory)}{has}")
    most_memory = sys.maxsize if limit is None else limit
    if cost and cost.memory <= most_memory:
        return
    say("looking for the largest batch that fits; each size is compiled")
    unit = devices * config.train.accumulate

    def memory(units):
        cost = cost_of(units * unit)
        return cost.memory if cost else math.inf

    size = config.train.batch_size
    largest = unit * largest_that_fits(memory, size // unit, cost.memory if cost else math.inf, most_memory)
    needs = f"about {_size(cost.memory)}" if cost else "more memory than there is"
    has_limit = f", which has {_size(limit)}" if limit else ""
    fits = f"config.train.batch_size={largest} is the largest that does" if largest else f"nor does any other, not even {unit}"
    raise InputError(
        f"config.train.batch_size={size} does not fit: a step needs {needs} on each device{has_limit}; {fits}; {ADVICE}"
    )


def largest_that_fits(memory: Callable[[int], float], too_many: int, too_much: float, limit: int) -> int:
    """Finds the largest n >= 0 with memory(n) <= limit, in few calls if memory grows about linearly.

    Args:
        memory: function of n >= 1 to a number of bytes, never falling; expensive.
        too_many: an n that does not fit.
        too_much: memory(too_many), perhaps infinite.
        limit: bytes.
    """
    fits, takes = 0, 0
    while too_many - fits > 1:
        gap = too_many - fits
        # The smallest n first, because two points make the line. Integers, so that rounding does not miss the answer.
        step: Any = gap // 2 if math.isinf(too_much) else (limit - takes) * gap // (too_much - takes) if fits else 0
        between = min(max(fits + step, fits + 1), too_many - 1)
        value = memory(between)
        if value <= limit:
            fits, takes = between, value
        else:
            too_many, too_much = between, value
    return fits


def _bytes_on_a_device(leaf):
    shape = leaf.sharding.shard_shape(leaf.shape)
    return jnp.dtype(leaf.dtype).itemsize * math.prod(shape)


def _size(size):
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 / 10 else f"{size / 2**20:.1f} MiB"


def _operations(flops):
    return f"{flops / 1e9:,.1f} GFLOP" if flops >= 1e8 else f"{flops / 1e6:.1f} MFLOP"
