"""Which slots answer for which box: the compact form that training uses, and the dense labels of the papers' code."""

from typing import NamedTuple

import numpy as np

from yolojax.boxes import iou, xyxy_to_cxcywh

RULES = ("threshold", "best")


class Targets(NamedTuple):
    """The boxes of one picture and the slots that answer for them; batched by stacking every member.

    M is the number of boxes there is room for, S the number of scales, A the anchors at a cell, N the number of slots.

    Attributes:
        boxes: (M, 4) float32, cxcywh in pixels of the network's input; padding is 0.
        classes: (M,) int32; padding is -1.
        slots: (M, S * A) int32, entry s * A + a is the slot of anchor a on scale s; N where it does not answer for the box.
        on_scale: (M, S) bool, the box got an anchor on this scale (before a later box took the slot from it).
    """

    boxes: np.ndarray
    classes: np.ndarray
    slots: np.ndarray
    on_scale: np.ndarray


def assign(boxes_xyxy, classes, grid, *, max_boxes=150, iou_threshold=0.3, rule="threshold"):
    """Finds the slots that answer for each box of one picture.

    Rule "threshold": every anchor, over all scales, whose IoU with the box is greater than `iou_threshold` when it stands at
    the centre of the box's cell; where there is none, the single best one (the first of equals, scale-major). This is
    the rule of the TensorFlow YOLOv3 family. Rule "best": the one anchor of all whose shape fits best, as in Darknet
    (Redmon and Farhadi 2018, arXiv:1804.02767, section 2.1). Of two boxes on one slot the later one gets it.

    Args:
        boxes_xyxy: (n, 4) in pixels of the network's input. More than `max_boxes`: the largest are kept, in their order.
        classes: (n,) integers, not negative.
        grid: AnchorGrid.
        max_boxes: room M for boxes.
        iou_threshold: of rule "threshold".
        rule: "threshold" or "best".

    Returns:
        Targets of this picture, NumPy arrays.

    Raises:
        ValueError: shapes that do not fit, boxes that are not finite, classes that are no whole numbers from 0, an unknown
            rule.
    """
    boxes, classes = _checked(boxes_xyxy, classes)
    if rule not in RULES:
        raise ValueError(f"unknown assignment rule {rule!r}: one of {', '.join(RULES)}")
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
    unanswered = ~chosen.any((1, 2))
    best = overlaps.reshape(n, scales * anchors).argmax(-1)
    chosen.reshape(n, scales * anchors)[unanswered, best[unanswered]] = True

    columns, rows = cells[..., 0], cells[..., 1]
    grid_columns = np.asarray(grid.shapes)[:, 1]
    first = np.asarray(grid.offsets) + (rows * grid_columns + columns) * anchors  # (n, S)
    slots = np.where(chosen, first[..., None] + np.arange(anchors), grid.num_slots).reshape(n, scales * anchors)
    owner = np.full(grid.num_slots + 1, -1)
    owner[slots] = np.arange(n)[:, None]  # of repeated indices NumPy keeps the last
    slots = np.where(owner[slots] == np.arange(n)[:, None], slots, grid.num_slots)

    targets = Targets(
        boxes=np.zeros((max_boxes, 4), np.float32),
        classes=np.full(max_boxes, -1, np.int32),
        slots=np.full((max_boxes, scales * anchors), grid.num_slots, np.int32),
        on_scale=np.zeros((max_boxes, scales), bool),
    )
    targets.boxes[:n] = boxes
    targets.classes[:n] = classes
    targets.slots[:n] = slots
    targets.on_scale[:n] = chosen.any(-1)
    return targets


def overlaps_at_cells(boxes, grid):
    """The IoU of boxes with every anchor of theirs, each anchor at the centre of the box's cell on its scale.

    Args:
        boxes: (n, 4) float64 cxcywh in pixels of the network's input.
        grid: AnchorGrid.

    Returns:
        cells: (n, S, 2) int64, column and row of the cell that holds the box's centre, clipped into the grid.
        overlaps: (n, S, A) float64 in [0, 1].
    """
    strides = np.asarray(grid.strides)
    cells = np.floor(boxes[:, None, :2] / strides[:, None]).astype(np.int64)
    cells = np.clip(cells, 0, np.asarray(grid.shapes)[:, ::-1] - 1)
    centres = (cells + 0.5) * strides[:, None]
    return cells, _iou_of_centred(boxes[:, None, None], centres[:, :, None], np.asarray(grid.anchors, np.float64))


def densify(targets, grid, num_classes, *, label_smoothing=0.01):
    """Builds the dense labels that compact targets stand for, as the TensorFlow YOLOv3 family feeds them.

    Args:
        targets: Targets of one picture.
        grid: the AnchorGrid that they were assigned with.
        num_classes: C.
        label_smoothing: d of (1 - d) * onehot + d / C.

    Returns:
        labels: for each scale (H_s, W_s, A, 5 + C) float32 of cxcywh in pixels, 1, smoothed classes; zeros at other slots.
        scale_boxes: for each scale (M, 4) float32 cxcywh, the boxes that got an anchor there, in order, then zeros.
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
        there = targets.boxes[targets.on_scale[:, scale]]
        scale_boxes.append(np.concatenate([there, np.zeros((len(targets.boxes) - len(there), 4), np.float32)]))
    return tuple(labels), tuple(scale_boxes)


def _checked(boxes_xyxy, classes):
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


def _iou_of_centred(boxes, centres, sizes):
    """IoU of cxcywh boxes (..., 4) with boxes of the given centres (..., 2) and sizes (..., 2); broadcasts."""
    low, high = boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2
    corners = np.concatenate(np.broadcast_arrays(centres - sizes / 2, centres + sizes / 2), -1)
    return iou(np.concatenate([low, high], -1), corners)
