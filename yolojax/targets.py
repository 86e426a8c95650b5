"""Which slots are responsible for which box: the compact form used in training, and the dense labels of the papers' code."""

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from yolojax.boxes import Array, namespace, xyxy_to_cxcywh
from yolojax.grid import AnchorGrid

if TYPE_CHECKING:
    from yolojax.assignment import assign_on_device as assign_on_device

RULES = ("threshold", "best", "ratio")


class Targets(NamedTuple):
    """The boxes of one image and the slots responsible for them; batched by stacking each field.

    M is the number of boxes there is room for, S the number of scales, A the number of anchors per cell, N the number of slots.
    `assign` returns NumPy arrays; on a device the fields are JAX arrays.

    Attributes:
        boxes: (M, 4) float32, cxcywh in pixels of the network's input; padding is 0.
        classes: (M,) int32; padding is -1.
        slots: (M, S * A) int32; entry s * A + a is the slot of anchor a on scale s, or N if it is not responsible for the box.
            By rule "ratio" (M, S * A * 3): entry (s * A + a) * 3 + c is that slot in the box's cell (c = 0), in the horizontal
            neighbour (1) and in the vertical one (2). An assignment of your own may return (M, K) for any K: the losses and
            `densify` use the slots below N, in any order, where no slot may occur twice.
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
    ratio: float = 4.0,
) -> Targets:
    """Finds the slots responsible for each box of one image.

    Rule "threshold": every anchor, on any scale, whose IoU with the box exceeds `iou_threshold` when the anchor is placed at
    the centre of the box's cell; if no anchor does, the single best one (the first of equals, fine scales first). This is the
    rule of the TensorFlow YOLOv3 family. Rule "best": the one anchor, of all scales, that matches the box's shape best, as in
    Darknet (Redmon and Farhadi 2018, arXiv:1804.02767, section 2.1). If two boxes claim the same slot, the later one gets it.

    Rule "ratio": on each scale, every anchor with max(w / aw, aw / w, h / ah, ah / h) < `ratio`, w and h of the box, aw and ah
    of the anchor, in three cells: the box's own and, where the grid has them, its nearer neighbours, left or right (left if the
    centre lies in the left half of the cell) and up or down. If no anchor of any scale fits, the one that matches the box's
    shape best, in the box's cell alone. This is the rule of the anchor-based YOLO programs since 2020 (Ultralytics YOLOv3 9,
    `build_targets`, anchor_t = 4; there a box that nothing fits has no slot). It needs a grid whose centres reach into the
    neighbours' cells: `xy_scales` of 2.

    Args:
        boxes_xyxy: (n, 4) in pixels of the network's input. Beyond `max_boxes` only the largest are kept, in their order.
        classes: (n,) integers, not negative.
        grid: the geometry of the network's slots.
        max_boxes: M, the number of boxes there is room for.
        iou_threshold: used by rule "threshold".
        rule: "threshold", "best" or "ratio".
        ratio: used by rule "ratio".

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

    n, boxes = len(boxes), xyxy_to_cxcywh(boxes)
    slots, chosen = choose_anchors(boxes, grid, iou_threshold=iou_threshold, rule=rule, ratio=ratio)
    entries = slots.shape[1] * slots.shape[2]

    targets = Targets(
        boxes=np.zeros((max_boxes, 4), np.float32),
        classes=np.full(max_boxes, -1, np.int32),
        slots=np.full((max_boxes, entries), grid.num_slots, np.int32),
        on_scale=np.zeros((max_boxes, grid.num_scales), bool),
    )
    targets.boxes[:n] = boxes
    targets.classes[:n] = classes
    targets.slots[:n] = _claimed_slots(np.where(chosen, slots, grid.num_slots).reshape(n, entries), grid)
    targets.on_scale[:n] = chosen.any(-1)
    return targets


def choose_anchors(
    boxes: Array, grid: AnchorGrid, *, iou_threshold: float, rule: str, ratio: float = 4.0
) -> tuple[Array, Array]:
    """The anchors that a rule of `assign` chooses for each box, before boxes contest a slot.

    Args:
        boxes: (n, 4) float64 cxcywh in pixels of the network's input, NumPy or JAX.
        grid: the geometry of the network's slots.
        iou_threshold: used by rule "threshold".
        rule: "threshold", "best" or "ratio".
        ratio: used by rule "ratio".

    Returns:
        slots: (n, S, A) int32, the slot of each anchor in the box's cell; by rule "ratio" (n, S, A * 3), of each anchor in the
            cell, its horizontal and its vertical neighbour. A neighbour that the grid does not have has some number, too.
        chosen: of the same shape, bool, which of them are chosen.
    """
    xp = namespace(boxes)
    cells, overlaps = overlaps_at_cells(boxes, grid)
    columns, offsets = np.asarray(grid.shapes, np.int32)[None, :, 1], np.asarray(grid.offsets, np.int32)[None]
    first = (cells[..., 1] * columns + cells[..., 0]) * grid.anchors_per_scale + offsets
    slots = first[..., None] + np.arange(grid.anchors_per_scale, dtype=np.int32)[None, None]
    if rule != "threshold":
        overlaps = _iou_of_centred(boxes[:, None, None], boxes[:, None, None, :2], _anchors(grid))
    # The first of the largest, without argmax: JAX has none of float64 unless it is set to use it everywhere.
    flat = overlaps.reshape(len(boxes), grid.num_scales * grid.anchors_per_scale)
    best = flat == flat.max(-1, keepdims=True)
    best &= xp.cumsum(best, -1, dtype=np.int32) == 1
    chosen = best.reshape(slots.shape)
    if rule == "threshold":
        over = overlaps > iou_threshold
        chosen = over | (chosen & ~over.any((1, 2), keepdims=True))
    if rule == "ratio":
        fits = fits_by_ratio(boxes, grid, ratio)
        chosen = fits | (chosen & ~fits.any((1, 2), keepdims=True))
        return _with_neighbours(boxes, cells, grid, slots, chosen, fits)
    return slots, chosen


def fits_by_ratio(boxes: Array, grid: AnchorGrid, ratio: float) -> Array:
    """Which anchors have sides that differ from a box's by less than a factor: max(w / aw, aw / w, h / ah, ah / h) < ratio.

    Args:
        boxes: (n, 4) float64 cxcywh in pixels of the network's input, NumPy or JAX.
        grid: the anchors.
        ratio: the factor, over 1.

    Returns:
        (n, S, A) bool.
    """
    sides, anchors = boxes[:, None, None, 2:], _anchors(grid)
    # Products, because compilers may divide by a constant in another way than NumPy.
    fits = (sides < ratio * anchors) & (anchors < ratio * sides)
    return fits[..., 0] & fits[..., 1]


def _with_neighbours(
    boxes: Array, cells: Array, grid: AnchorGrid, slots: Array, chosen: Array, fits: Array
) -> tuple[Array, Array]:
    """Slots and choice (n, S, A * 3): in the boxes' cells (n, S, 2) as given, in the nearer neighbours the anchors that fit."""
    xp = namespace(boxes)
    middles = (cells + 0.5) * np.asarray(grid.strides, np.float64)[None, :, None]
    neighbours = cells + xp.where(boxes[:, None, :2] < middles, np.int32(-1), np.int32(1))
    exists = (neighbours >= 0) & (neighbours < np.asarray(grid.shapes, np.int32)[None, :, ::-1])
    rows = np.asarray(grid.shapes, np.int32)[None, :, 1]
    to_next = (neighbours - cells) * np.int32(grid.anchors_per_scale)
    across, down = to_next[..., 0], to_next[..., 1] * rows
    all_slots = xp.stack([slots, slots + across[..., None], slots + down[..., None]], -1)
    all_chosen = xp.stack([chosen, fits & exists[..., 0, None], fits & exists[..., 1, None]], -1)
    shape = (*slots.shape[:2], -1) if len(slots) else (0, slots.shape[1], slots.shape[2] * 3)
    return all_slots.reshape(shape), all_chosen.reshape(shape)


def overlaps_at_cells(boxes: Array, grid: AnchorGrid) -> tuple[Array, Array]:
    """The IoU of each box with every anchor, where the anchor is placed at the centre of the box's cell on its scale.

    Args:
        boxes: (n, 4) float64 cxcywh in pixels of the network's input, NumPy or JAX.
        grid: the geometry of the network's slots.

    Returns:
        cells: (n, S, 2) int32, column and row of the cell that holds the box's centre, clipped into the grid.
        overlaps: (n, S, A) float64 in [0, 1].
    """
    xp = namespace(boxes)
    strides = np.asarray(grid.strides, np.float64)[None, :, None]
    last = np.asarray(grid.shapes, np.float64)[None, :, ::-1] - 1
    cells = xp.clip(xp.floor(boxes[:, None, :2] / strides), 0, last)
    overlaps = _iou_of_centred(boxes[:, None, None], ((cells + 0.5) * strides)[:, :, None], _anchors(grid))
    return cells.astype(np.int32), overlaps


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


def _claimed_slots(slots: np.ndarray, grid: AnchorGrid) -> np.ndarray:
    """The slots (n, K) that each box keeps once later boxes have taken theirs; N at the others."""
    positions = np.arange(len(slots))[:, None]
    owner = np.full(grid.num_slots + 1, -1)
    owner[slots] = positions  # for repeated indices NumPy keeps the last value
    return np.where(owner[slots] == positions, slots, grid.num_slots)


def _anchors(grid: AnchorGrid) -> np.ndarray:
    return np.asarray(grid.anchors, np.float64)[None]


def _iou_of_centred(boxes: Array, centres: Array, sizes: np.ndarray) -> Array:
    """IoU of cxcywh boxes (..., 4) with boxes of these centres (..., 2) and sizes (..., 2); the same bits by NumPy and JAX."""
    xp = namespace(boxes, centres)

    def area(low, high):
        size = xp.maximum(high - low, 0)
        # The product is not negative. But without the maximum, compilers round it together with the sum that it goes into.
        return xp.maximum(size[..., 0] * size[..., 1], 0)

    low, high = boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2
    anchor_low, anchor_high = centres - sizes / 2, centres + sizes / 2
    intersection = area(xp.maximum(low, anchor_low), xp.minimum(high, anchor_high))
    union = area(low, high) + area(anchor_low, anchor_high) - intersection
    return intersection / xp.maximum(union, 1e-16)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # On demand: the host uses this module without JAX.
        if name == "assign_on_device":
            return importlib.import_module("yolojax.assignment").assign_on_device
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
