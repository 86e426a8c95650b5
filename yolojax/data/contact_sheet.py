"""A contact sheet of annotated pictures: what the network sees, and the slots responsible for each box."""

import os
from collections.abc import Sequence

import numpy as np

from yolojax.data.annotations import Record
from yolojax.data.example import clip_boxes
from yolojax.data.images import letterbox, letterbox_boxes
from yolojax.draw import class_color, draw_detections, side_by_side
from yolojax.grid import AnchorGrid
from yolojax.runtime.opencv import cv2
from yolojax.targets import Targets, assign


def contact_sheet(pictures: Sequence[tuple[Record, np.ndarray]], names: Sequence[str], grid: AnchorGrid) -> np.ndarray:
    """Draw pictures in rows: letterboxed with their boxes, then scale by scale the slots responsible for these.

    A slot is a tinted cell and the outline of its anchor, in the colour of the box's class, found by `assign`.

    Args:
        pictures: at least one record with its picture, (h, w, 3) uint8 RGB.
        names: the class names.
        grid: the network's input size and anchors.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    rows = []
    for record, original in pictures:
        image, transform = letterbox(original, grid.size)
        boxes, classes, _ = clip_boxes(record.boxes, record.classes, *original.shape[:2])
        boxes = letterbox_boxes(boxes, transform)
        targets = assign(boxes, classes, grid, max_boxes=max(1, len(boxes)))
        height, width = grid.size
        # Labels are readable on the enlarged picture that draw_detections makes, and still so at half the size.
        drawn = cv2.resize(draw_detections(image, boxes, classes, names), (width, height), interpolation=cv2.INTER_AREA)
        panels = [drawn, *(_draw_slots(image, targets, grid, scale) for scale in range(grid.num_scales))]
        name = os.path.basename(record.path).encode("ascii", "replace").decode()
        titles = [f"{name}: {len(boxes)} boxes"]
        for scale, stride in enumerate(grid.strides):
            titles.append(f"slots of stride {stride}: {len(_slots_of_scale(targets, grid, scale)[1])}")
        rows.append(side_by_side(panels, titles))
    return np.concatenate(rows)


def _slots_of_scale(targets: Targets, grid: AnchorGrid, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """The boxes, as rows of the targets, and their slots on one scale."""
    first = grid.offsets[scale]
    on_scale = (targets.slots >= first) & (targets.slots < first + grid.slots_per_scale[scale])
    return np.nonzero(on_scale)[0], targets.slots[on_scale]


def _draw_slots(image: np.ndarray, targets: Targets, grid: AnchorGrid, scale: int) -> np.ndarray:
    rows, slots = _slots_of_scale(targets, grid, scale)
    geometry = grid.slot_geometry[slots]
    stride = grid.strides[scale]
    colors = [class_color(int(targets.classes[row])) for row in rows]
    tinted = image.copy()
    for (column, line), color in zip(geometry[:, :2].astype(int).tolist(), colors, strict=True):
        corner = column * stride, line * stride
        cv2.rectangle(tinted, corner, (corner[0] + stride - 1, corner[1] + stride - 1), color, cv2.FILLED)
    canvas = cv2.addWeighted(tinted, 0.6, image, 0.4, 0)
    for (column, line, _, width, height), color in zip(geometry.tolist(), colors, strict=True):
        centre = np.array([column + 0.5, line + 0.5]) * stride
        half = np.array([width, height]) / 2
        low, high = np.round(centre - half).astype(int), np.round(centre + half).astype(int) - 1
        cv2.rectangle(canvas, low.tolist(), high.tolist(), color, 1)
    return canvas
