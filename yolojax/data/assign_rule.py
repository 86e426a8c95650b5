"""The assignment of boxes to slots that a configuration names, the user's own too."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.parts import NO_PARTS, Parts, is_part
from yolojax.targets import RULES, Targets, assign

if TYPE_CHECKING:
    from yolojax.config import LossConfig


def build_assign(
    config: LossConfig, max_boxes: int, parts: Parts = NO_PARTS
) -> Callable[[np.ndarray, np.ndarray, AnchorGrid], Targets]:
    """Make the assignment that a configuration describes, a function of boxes (n, 4) xyxy, classes (n,) and grid.

    Args:
        config: the settings.
        max_boxes: M, the number of boxes there is room for.
        parts: parts that a program gives as objects.

    Raises:
        InputError: a rule of the user's own that cannot be found or called.
    """
    if is_part(config.assign_rule):
        rule = parts.build("assign", config.assign_rule, config.assign_options, "boxes_xyxy", "classes", "grid", "max_boxes=")
        return functools.partial(rule, max_boxes=max_boxes)
    return functools.partial(assign, max_boxes=max_boxes, iou_threshold=config.assign_iou, rule=config.assign_rule)


def checked_targets(targets: Targets, rule: str) -> Targets:
    """Take what an assignment returns as targets.

    Args:
        targets: the targets of one image.
        rule: the name of the assignment, for messages.

    Returns:
        The same, as NumPy arrays of the types of `Targets`.

    Raises:
        InputError: something else than `Targets`.
    """
    if rule in RULES:
        return targets
    where = f"config.loss.assign_rule: {rule} must return Targets"
    if not (isinstance(targets, tuple) and getattr(targets, "_fields", None) == Targets._fields):
        raise InputError(f"{where} (boxes, classes, slots, on_scale), not {type(targets).__name__}")
    kinds = np.float32, np.int32, np.int32, np.bool_
    targets = Targets(*(np.asarray(field, kind) for field, kind in zip(targets, kinds, strict=True)))
    room = len(targets.boxes)
    dimensions = targets.boxes.ndim, targets.classes.ndim, targets.slots.ndim, targets.on_scale.ndim
    if dimensions != (2, 1, 2, 2) or any(len(field) != room for field in targets) or (targets.slots < 0).any():
        shapes = ", ".join(f"{name} {field.shape}" for name, field in zip(Targets._fields, targets, strict=True))
        raise InputError(f"{where} of shapes boxes (M, 4), classes (M,), slots (M, K) from 0, on_scale (M, S), not {shapes}")
    return targets
