"""Which slots are responsible for which box: the compact form used in training, and the dense labels of the papers' code."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from yolojax.boxes import iou, xyxy_to_cxcywh
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.parts import NO_PARTS, Parts, is_part

if TYPE_CHECKING:
    from yolojax.config import LossConfig

RULES = ("threshold", "best")


class Targets(NamedTuple):
    """The boxes of one image and the slots responsible for them; batched by stacking each field.

    M is the number of boxes there is room for, S the number of scales, A the number of anchors per cell, N the number of slots.
    `assign` returns NumPy arrays; on a device the fields are JAX arrays.

    Attributes:
        boxes: (M, 4) float32, cxcywh in pixels of the network's input; padding is 0.
        classes: (M,) int32; padding is -1.
        slots: (M, S * A) int32; entry s * A + a is the slot of anchor a on scale s, or N if it is not responsible for the box.
        on_scale: (M, S) bool, whether the box got an anchor on this scale (before a later box took the slot).
    """

    boxes: np.ndarray
    classes: np.ndarray
    slots: np.ndarray
    on_scale: np.ndarray


def assign(
    boxes_xyxy: npt.ArrayLike,
    classes: npt.ArrayLike,
    grid: AnchorGrid,
    *,
    max_boxes: int = 150,
    iou_threshold: float = 0.3,
    rule: str = "threshold",
) -> Targets:
    """Finds the slots responsible for each box of one image.

    Rule "threshold": every anchor, on any scale, whose IoU with the box exceeds `iou_threshold` when the anchor is placed at
    the centre of the box's cell; if no anchor does, the single best one (the first of equals, fine scales first). This is the
    rule of the TensorFlow YOLOv3 family. Rule "best": the one anchor, of all scales, that matches the box's shape best, as in
    Darknet (Redmon and Farhadi 2018, arXiv:1804.02767, section 2.1). If two boxes claim the same slot, the later one gets it.

    Args:
        boxes_xyxy: (n, 4) in pixels of the network's input. Beyond `max_boxes` only the largest are kept, in their order.
        classes: (n,) integers, not negative.
        grid: the geometry of the network's slots.
        max_boxes: M, the number of boxes there is room for.
        iou_threshold: used by rule "threshold".
        rule: "threshold" or "best".

    Returns:
        The targets of this image.

    Raises:
        ValueError: shapes that do not match, boxes that are not finite, classes that are not whole numbers from 0, or an
            unknown rule.
    """
    boxes, classes = _checked(boxes_xyxy, classes)
    if rule not in RULES:
        raise ValueError(f"unknown assignment rule {rule!r}; expected one of {', '.join(RULES)}")
    if len(boxes) > max_boxes:
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        kept = np.sort(np.argsort(-areas, kind="stable")[:max_boxes])
        boxes, classes = boxes[kept], classes[kept]

    n, scales, anchors = len(boxes), grid.num_scales, grid.anchors_per_scale
    boxes = xyxy_to_cxcywh(boxes)
    cells, overlaps = overlaps_at_cells(boxes, grid)
    if rule == "threshold":
        chosen = overlaps > iou_threshold
    else:
        overlaps = _iou_of_centred(boxes[:, None, None], boxes[:, None, None, :2], np.asarray(grid.anchors, np.float64))
        chosen = np.zeros((n, scales, anchors), bool)
    unmatched = ~chosen.any((1, 2))
    best = overlaps.reshape(n, scales * anchors).argmax(-1)
    chosen.reshape(n, scales * anchors)[unmatched, best[unmatched]] = True

    targets = Targets(
        boxes=np.zeros((max_boxes, 4), np.float32),
        classes=np.full(max_boxes, -1, np.int32),
        slots=np.full((max_boxes, scales * anchors), grid.num_slots, np.int32),
        on_scale=np.zeros((max_boxes, scales), bool),
    )
    targets.boxes[:n] = boxes
    targets.classes[:n] = classes
    targets.slots[:n] = _claimed_slots(cells, chosen, grid)
    targets.on_scale[:n] = chosen.any(-1)
    return targets


def build_assign(
    config: "LossConfig", max_boxes: int, parts: Parts = NO_PARTS
) -> Callable[[np.ndarray, np.ndarray, AnchorGrid], Targets]:
    """The assignment that a configuration describes, as a function of boxes (n, 4) xyxy, classes (n,) and grid.

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
    """Takes what an assignment returns as targets.

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


def overlaps_at_cells(boxes: np.ndarray, grid: AnchorGrid) -> tuple[np.ndarray, np.ndarray]:
    """The IoU of each box with every anchor, where the anchor is placed at the centre of the box's cell on its scale.

    Args:
        boxes: (n, 4) float64 cxcywh in pixels of the network's input.
        grid: the geometry of the network's slots.

    Returns:
        cells: (n, S, 2) int64, column and row of the cell that holds the box's centre, clipped into the grid.
        overlaps: (n, S, A) float64 in [0, 1].
    """
    strides = np.asarray(grid.strides)
    cells = np.floor(boxes[:, None, :2] / strides[:, None]).astype(np.int64)
    cells = np.clip(cells, 0, np.asarray(grid.shapes)[:, ::-1] - 1)
    centres = (cells + 0.5) * strides[:, None]
    return cells, _iou_of_centred(boxes[:, None, None], centres[:, :, None], np.asarray(grid.anchors, np.float64))


def densify(
    targets: Targets, grid: AnchorGrid, num_classes: int, *, label_smoothing: float = 0.01
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Expands compact targets to the dense labels that the TensorFlow YOLOv3 family feeds to its loss.

    Args:
        targets: the targets of one image.
        grid: the grid that they were assigned with.
        num_classes: C.
        label_smoothing: d in (1 - d) * onehot + d / C.

    Returns:
        labels: for each scale, (H_s, W_s, A, 5 + C) float32 of cxcywh in pixels, 1, smoothed classes; zeros at other slots.
        scale_boxes: for each scale, (M, 4) float32 cxcywh of the boxes that got an anchor on it, in order, then zeros.
    """
    flat = np.zeros((grid.num_slots, 5 + num_classes), np.float32)
    box, entry = np.nonzero(targets.slots < grid.num_slots)
    slots = targets.slots[box, entry]
    onehot = np.eye(num_classes)[targets.classes[box]]
    flat[slots, :4] = targets.boxes[box]
    flat[slots, 4] = 1
    flat[slots, 5:] = (1 - label_smoothing) * onehot + label_smoothing / num_classes
    labels, scale_boxes = [], []
    for scale, (rows, columns) in enumerate(grid.shapes):
        first, count = grid.offsets[scale], grid.slots_per_scale[scale]
        labels.append(flat[first : first + count].reshape(rows, columns, grid.anchors_per_scale, -1))
        boxes = targets.boxes[targets.on_scale[:, scale]]
        scale_boxes.append(np.concatenate([boxes, np.zeros((len(targets.boxes) - len(boxes), 4), np.float32)]))
    return tuple(labels), tuple(scale_boxes)


def _checked(boxes_xyxy: npt.ArrayLike, classes: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    boxes = np.asarray(boxes_xyxy, np.float64)
    classes = np.asarray(classes)
    if boxes.size == 0:
        boxes = boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or classes.shape != boxes.shape[:1]:
        raise ValueError(f"boxes must be (n, 4) and classes (n,), not {boxes.shape} and {classes.shape}")
    if not np.isfinite(boxes).all():
        raise ValueError("boxes must be finite")
    if classes.size and (classes.min() < 0 or (classes % 1 != 0).any()):
        raise ValueError("classes must be whole numbers from 0")
    return boxes, classes.astype(np.int32)


def _claimed_slots(cells: np.ndarray, chosen: np.ndarray, grid: AnchorGrid) -> np.ndarray:
    """The slots that each box keeps once later boxes have taken theirs.

    Args:
        cells: (n, S, 2), column and row of each box's cell on each scale.
        chosen: (n, S, A) bool, the anchors chosen for each box.
        grid: the geometry of the network's slots.

    Returns:
        (n, S * A) slots; N at anchors that were not chosen, or that a later box has taken.
    """
    n, scales, anchors = chosen.shape
    columns, rows = cells[..., 0], cells[..., 1]
    grid_columns = np.asarray(grid.shapes)[:, 1]
    first = np.asarray(grid.offsets) + (rows * grid_columns + columns) * anchors  # (n, S)
    slots = np.where(chosen, first[..., None] + np.arange(anchors), grid.num_slots).reshape(n, scales * anchors)
    owner = np.full(grid.num_slots + 1, -1)
    owner[slots] = np.arange(n)[:, None]  # for repeated indices NumPy keeps the last value
    return np.where(owner[slots] == np.arange(n)[:, None], slots, grid.num_slots)


def _iou_of_centred(boxes: np.ndarray, centres: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """IoU of cxcywh boxes (..., 4) with boxes of the given centres (..., 2) and sizes (..., 2); broadcasts."""
    low, high = boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2
    corners = np.concatenate(np.broadcast_arrays(centres - sizes / 2, centres + sizes / 2), -1)
    return iou(np.concatenate([low, high], -1), corners)
