"""The strides of feature maps and heads: checked where they are asked for, and found from shapes."""

import itertools
from collections.abc import Sequence
from typing import Any

from yolojax.errors import InputError

BACKBONE_STRIDES = (2, 4, 8, 16, 32, 64)
"""The strides at which each backbone of this package can return features."""


def check_strides(strides: Sequence[int], backbone: str) -> None:
    """Checks the strides at which a backbone of this package is asked for features.

    Args:
        strides: pixels of the input from one cell to the next, fine to coarse.
        backbone: its name for the message.

    Raises:
        InputError: there are none, one is not in `BACKBONE_STRIDES`, or they do not rise.
    """
    rising = all(fine < coarse for fine, coarse in itertools.pairwise(strides))
    if not strides or not rising or not set(strides) <= set(BACKBONE_STRIDES):
        known = ", ".join(map(str, BACKBONE_STRIDES))
        raise InputError(f"strides of {backbone} must be some of {known}, in rising order, not {tuple(strides)}")


def strides_of(size: Sequence[int], maps: Any, whose: str) -> tuple[int, ...]:
    """Finds the strides of feature maps or heads from their shapes.

    Args:
        size: (height, width) of the images in pixels.
        maps: list or tuple of arrays (B, H_s, W_s, ...), fine to coarse.
        whose: what made them, for the message.

    Returns:
        For each map, pixels of the images from one cell to the next.

    Raises:
        InputError: `maps` is something else, or a stride is not a whole number, or differs down and across.
    """
    if not isinstance(maps, list | tuple) or not maps or any(getattr(one, "ndim", 0) < 3 for one in maps):
        raise InputError(f"{whose} must return a list or tuple of arrays (B, H_s, W_s, ...), fine to coarse")
    shapes = [tuple(one.shape[1:3]) for one in maps]
    if any(rows < 1 or size[0] % rows or size[0] * columns != size[1] * rows for rows, columns in shapes):
        raise InputError(
            f"{whose} makes {shapes} cells (rows, columns) of images of {size[0]} x {size[1]} pixels; every stride must be a "
            "whole number, the same down and across. Give it images whose sides are multiples of its coarsest stride"
        )
    return tuple(size[0] // rows for rows, _ in shapes)
