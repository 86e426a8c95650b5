"""Parts of a user's own that are used in processes that make samples; importing this imports no JAX."""

import os
import signal
import sys
import threading

import numpy as np

from yolojax.data.augment import Example
from yolojax.targets import assign


class TwoArguments(Exception):
    """An exception that pickle cannot make again."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def marked(rng, example, *, program):
    """The example with a corner in a random colour; refused in a process other than `program` that has loaded JAX."""
    loaded = {"jax", "flax", "optax"} & sys.modules.keys()
    if os.getpid() != program and loaded:
        raise RuntimeError(f"{loaded} in a worker")
    image = example.image.copy()
    image[:9, :9] = rng.integers(0, 256, 3)
    return example._replace(image=image)


def rule(boxes_xyxy, classes, grid, *, max_boxes):
    """The usual rule, with room for one more slot of each box."""
    targets = assign(boxes_xyxy, classes, grid, max_boxes=max_boxes)
    more = np.full((max_boxes, 1), grid.num_slots, np.int32)
    return targets._replace(slots=np.concatenate([targets.slots, more], axis=1))


class Faulty:
    """A source of grey pictures, in which one index does something else."""

    def __init__(self, fault, at=5):
        self.fault, self.at = fault, at

    def __len__(self):
        return 12

    def example(self, epoch, index):
        if index == self.at:
            if self.fault == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fault == "exits":
                sys.exit(3)
            raise TwoArguments("fire", "water") if self.fault == "raises" else KeyError("nothing there")
        return Example(np.full((8, 8, 3), index, np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int32))


class Locked(Faulty):
    """A source that cannot be pickled."""

    def __init__(self):
        super().__init__("", -1)
        self.lock = threading.Lock()
