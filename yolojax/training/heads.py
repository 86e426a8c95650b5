"""Heads for other classes: what a trained head knows of boxes and objects is kept, and what it knows of shared classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from yolojax.data.published_classes import same_classes


def shared_classes(here: Sequence[str], there: Sequence[str]) -> dict[int, int]:
    """The classes of a network that another one knows too, by their names; see `same_classes`.

    Args:
        here: class names of the network.
        there: class names of the other one.

    Returns:
        {number here: number there}.
    """
    known = same_classes(here, there)
    numbers = {name: number for number, name in enumerate(there)}
    return {number: numbers[known[name]] for number, name in enumerate(here) if name in known}


def adapt_head(trained: np.ndarray, classes: tuple[int, int], shared: Mapping[int, int]) -> np.ndarray:
    """Makes the kernel or the bias of a head for other classes.

    The outputs of each anchor are box (4), objectness and classes. Those of the classes that are not shared are 0, a
    probability of a half whatever the image.

    Args:
        trained: (..., A * (5 + C)).
        classes: the number of classes C of the trained head, and the number D of the new one.
        shared: {class of the new head, 0 to D - 1: class of the trained head}.

    Returns:
        (..., A * (5 + D)), of the same dtype.

    Raises:
        ValueError: the last axis is not a multiple of 5 + C.
    """
    before, after = classes
    old = trained.reshape(*trained.shape[:-1], -1, 5 + before)
    new = np.zeros((*old.shape[:-1], 5 + after), trained.dtype)
    new[..., :5] = old[..., :5]
    for number, source in shared.items():
        new[..., 5 + number] = old[..., 5 + source]
    return new.reshape(*trained.shape[:-1], -1)


def is_head(path: Sequence[Any]) -> bool:
    """Whether a variable is of a head, by its key path in the tree: the module "head", alone or in a module of its scale."""
    return any(getattr(key, "key", key) == "head" for key in path)
