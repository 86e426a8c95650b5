"""What a network declares: any Flax module can be trained, and only some have the fields and arguments of ours."""

import dataclasses
import inspect
from typing import Any

import flax.linen as nn


def declares(model: nn.Module, field: str) -> bool:
    """Whether a network has a field of that name, such as "axis_name"."""
    return any(own.name == field for own in dataclasses.fields(model))


def train_argument(model: nn.Module, train: bool) -> dict[str, Any]:
    """The keyword argument that tells a network whether it is training.

    Args:
        model: the network.
        train: whether it is.

    Returns:
        {"train": train}, or {} for a network whose `__call__` has no argument `train`, and so does the same in both cases.
    """
    parameters = inspect.signature(type(model).__call__).parameters.values()
    takes_it = any(own.name == "train" or own.kind is inspect.Parameter.VAR_KEYWORD for own in parameters)
    return {"train": train} if takes_it else {}


def image_size(model: nn.Module) -> tuple[int, int] | None:
    """The (height, width) in pixels of the only images that a network takes, its attribute `size`; None: it takes any."""
    size = getattr(model, "size", None)
    if isinstance(size, tuple | list) and len(size) == 2 and all(isinstance(side, int) for side in size):
        return size[0], size[1]
    return None
