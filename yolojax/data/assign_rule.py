"""The assignment of boxes to slots that a configuration names, the user's own too."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from yolojax.errors import InputError, first_line
from yolojax.grid import AnchorGrid
from yolojax.parts import NO_PARTS, Parts
from yolojax.references import is_part
from yolojax.targets import RULES, Targets, assign

if TYPE_CHECKING:
    from yolojax.config import Config, LossConfig


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
    options = {"iou_threshold": config.assign_iou, "ratio": config.assign_ratio}
    return functools.partial(assign, max_boxes=max_boxes, rule=config.assign_rule, **options)


def checked_targets(targets: Targets, rule: str, grid: AnchorGrid) -> Targets:
    """Take what an assignment returns as targets.

    Args:
        targets: the targets of one image.
        rule: the name of the assignment, for messages.
        grid: the grid that they were assigned with.

    Returns:
        The same, as NumPy arrays of the types of `Targets`.

    Raises:
        InputError: something else than `Targets` of this grid.
    """
    if rule in RULES:
        return targets
    where = f"config.loss.assign_rule: {rule} must return Targets"
    if not (isinstance(targets, tuple) and getattr(targets, "_fields", None) == Targets._fields):
        raise InputError(f"{where} (boxes, classes, slots, on_scale), not {type(targets).__name__}")
    kinds = np.float32, np.int32, np.int32, np.bool_
    try:
        targets = Targets(*(np.asarray(field, kind) for field, kind in zip(targets, kinds, strict=True)))
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} of arrays: {first_line(error)}") from error
    room, slots = len(targets.boxes) if targets.boxes.ndim else 0, targets.slots
    expected = (room, 4), (room,), (room, *slots.shape[1:2]), (room, grid.num_scales)
    if tuple(field.shape for field in targets) != expected or slots.ndim != 2:
        shapes = ", ".join(f"{name} {field.shape}" for name, field in zip(Targets._fields, targets, strict=True))
        raise InputError(
            f"{where} of shapes boxes (M, 4), classes (M,), slots (M, K), on_scale (M, {grid.num_scales}), not {shapes}"
        )
    if ((slots < 0) | (slots > grid.num_slots)).any():
        raise InputError(
            f"{where} with slots from 0 to {grid.num_slots - 1}, and {grid.num_slots} for none, not {slots.min()} to "
            f"{slots.max()}"
        )
    return targets


def no_targets(config: Config, grid: AnchorGrid, parts: Parts = NO_PARTS) -> Targets:
    """The targets of an image without boxes, as the run's assignment makes them: their shapes are those of every image.

    Args:
        config: the configuration of the run.
        grid: the grid of the input size.
        parts: parts that a program gives as objects.

    Raises:
        InputError: an assignment of the user's own that cannot be found or called, or that returns something else.
    """
    assign = build_assign(config.loss, config.data.max_boxes, parts)
    return checked_targets(assign(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), grid), config.loss.assign_rule, grid)


def check_room(targets: Targets, empty: Targets, rule: str) -> None:
    """Refuse targets that have not the shapes for which a step is compiled.

    Args:
        targets: the targets of one image.
        empty: those of an image without boxes (`no_targets`).
        rule: the name of the assignment, for messages.

    Raises:
        InputError: another number of boxes or of slots.
    """
    if targets.slots.shape != empty.slots.shape:
        raise InputError(
            f"config.loss.assign_rule: {rule} returns slots of shape {targets.slots.shape} for one image and "
            f"{empty.slots.shape} for one without boxes; (M, K) must be the same for all, filled up with the number of slots"
        )
