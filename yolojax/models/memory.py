"""Whether a network and its batches fit into this machine's memory, from their shapes alone."""

import math

import flax.linen as nn
import jax

from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.models.variables import abstract_variables
from yolojax.runtime.memory import gib, host_memory

FLOAT = 4  # bytes


def check_fits(what: str, model: nn.Module, grid: AnchorGrid, num_classes: int) -> None:
    """Refuses a network that cannot be held in memory, before anything is allocated for it.

    Args:
        what: what messages call it, with the file that describes it.
        model: the network.
        grid: the slots of its input.
        num_classes: its number of classes C.

    Raises:
        InputError: its variables, or what it says of one picture, need more memory than this machine or this process has.
    """
    memory = host_memory()
    # First what is known without the network: its heads alone may not fit.
    predictions = FLOAT * grid.num_slots * (5 + num_classes)
    if memory and 2 * predictions > memory:
        raise InputError(
            f"{what} says {5 + num_classes:,} numbers of each of {grid.num_slots:,} places in a picture, {gib(predictions)} "
            f"and as much again to work with, and there are {gib(memory)}; make the input smaller or the classes fewer"
        )
    variables = FLOAT * sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(abstract_variables(model, grid.size)))
    if memory and 2 * variables > memory:
        raise InputError(
            f"{what} has {gib(variables)} of variables, which are in memory twice while they are read, and there are "
            f"{gib(memory)}; use a smaller network or a machine with more memory"
        )


def check_batch_fits(field: str, batch_size: int, size: tuple[int, int]) -> None:
    """Refuses a batch whose pictures alone cannot be held in memory, before anything is allocated for it.

    Args:
        field: what messages call its size.
        batch_size: images per batch, over all processes of a distributed run.
        size: (height, width) of the network's input, in pixels.

    Raises:
        InputError: the network's input, in float32, needs more than half of the memory of this machine or this process.
    """
    memory, pictures = host_memory(), 3 * FLOAT * batch_size * math.prod(size) / jax.process_count()
    if memory and 2 * pictures > memory:
        raise InputError(f"{field}={batch_size} says {gib(pictures)} of pictures, and there are {gib(memory)}; make it smaller")
