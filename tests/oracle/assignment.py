"""Which anchors answer for which boxes, box by box, and the dense labels that follow."""

import math
from typing import NamedTuple

import numpy as np

from tests.oracle import boxes as oracle_boxes


class Assignment(NamedTuple):
    """kept: indices of the boxes kept; owners: per scale (H, W, A), a position in kept or -1; on_scale: (kept, S)."""

    kept: list
    owners: list
    on_scale: np.ndarray


def _overlap(box, anchor, stride, cell):
    """IoU of an xyxy box with an anchor at the centre of a cell."""
    centred = ((cell[0] + 0.5) * stride, (cell[1] + 0.5) * stride, *anchor)
    return oracle_boxes.iou(box, oracle_boxes.to_xyxy(centred))


def _shape_overlap(box, anchor):
    """IoU of an xyxy box and an anchor when their centres coincide."""
    _, _, w, h = oracle_boxes.to_cxcywh(box)
    return oracle_boxes.iou((-w / 2, -h / 2, w / 2, h / 2), oracle_boxes.to_xyxy((0, 0, *anchor)))


def _fits(box, anchor, ratio):
    """Whether the sides of an xyxy box and of an anchor differ by less than a factor."""
    _, _, w, h = oracle_boxes.to_cxcywh(box)
    return w > 0 and h > 0 and max(w / anchor[0], anchor[0] / w, h / anchor[1], anchor[1] / h) < ratio


def _nearer(place, cell, count):
    """The column or row beside a cell that a centre, in cells, is nearer to; none where the grid ends."""
    beside = cell - 1 if place - cell < 0.5 else cell + 1
    return [beside] if 0 <= beside < count else []


def by_ratio(boxes_xyxy, size, strides, anchors, ratio=4.0):
    """Rule "ratio": for each box its (scale, row, column, anchor): its own cell, the horizontal, the vertical neighbour."""
    height, width = size
    found = []
    for box in boxes_xyxy:
        cx, cy, _, _ = oracle_boxes.to_cxcywh(box)
        own, best = [], None
        for scale, stride in enumerate(strides):
            columns, rows = width // stride, height // stride
            column = min(max(math.floor(cx / stride), 0), columns - 1)
            row = min(max(math.floor(cy / stride), 0), rows - 1)
            cells = [(row, column)]
            cells += [(row, beside) for beside in _nearer(cx / stride, column, columns)]
            cells += [(beside, column) for beside in _nearer(cy / stride, row, rows)]
            for a, anchor in enumerate(anchors[scale]):
                if _fits(box, anchor, ratio):
                    own += [(scale, *cell, a) for cell in cells]
                overlap = _shape_overlap(box, anchor)
                if best is None or overlap > best[0]:
                    best = overlap, (scale, row, column, a)
        found.append(own or [best[1]])
    return found


def assign(boxes_xyxy, size, strides, anchors, *, max_boxes=150, iou_threshold=0.3, rule="threshold", ratio=4.0):
    """Assignment of one picture's xyxy boxes."""
    height, width = size
    order = sorted(range(len(boxes_xyxy)), key=lambda i: -np.prod(oracle_boxes.to_cxcywh(boxes_xyxy[i])[2:]))
    kept = sorted(order[:max_boxes])
    owners = [np.full((height // s, width // s, len(a)), -1) for s, a in zip(strides, anchors, strict=True)]
    on_scale = np.zeros((len(kept), len(strides)), bool)
    for position, index in enumerate(kept):
        box = boxes_xyxy[index]
        if rule == "ratio":
            for scale, row, column, a in by_ratio([box], size, strides, anchors, ratio)[0]:
                owners[scale][row, column, a] = position
                on_scale[position, scale] = True
            continue
        cx, cy, _, _ = oracle_boxes.to_cxcywh(box)
        overlaps = []
        for scale, stride in enumerate(strides):
            column = min(max(math.floor(cx / stride), 0), width // stride - 1)
            row = min(max(math.floor(cy / stride), 0), height // stride - 1)
            for a, anchor in enumerate(anchors[scale]):
                if rule == "best":
                    value = _shape_overlap(box, anchor)
                else:
                    value = _overlap(box, anchor, stride, (column, row))
                overlaps.append((value, scale, row, column, a))
        chosen = [o for o in overlaps if o[0] > iou_threshold] if rule == "threshold" else []
        if not chosen:
            best = overlaps[0]
            for candidate in overlaps[1:]:
                if candidate[0] > best[0]:
                    best = candidate
            chosen = [best]
        for _, scale, row, column, a in chosen:
            owners[scale][row, column, a] = position
            on_scale[position, scale] = True
    return Assignment(kept, owners, on_scale)


def dense(assignment, boxes_xyxy, classes, num_classes, *, max_boxes=150, label_smoothing=0.01):
    """(labels, scale_boxes): per scale (H, W, A, 5 + C) and (max_boxes, 4) cxcywh."""
    labels, scale_boxes = [], []
    for scale, owner in enumerate(assignment.owners):
        label = np.zeros((*owner.shape, 5 + num_classes))
        for slot in np.ndindex(owner.shape):
            if owner[slot] >= 0:
                index = assignment.kept[owner[slot]]
                label[slot][:4] = oracle_boxes.to_cxcywh(boxes_xyxy[index])
                label[slot][4] = 1
                for c in range(num_classes):
                    one_hot = 1.0 if c == classes[index] else 0.0
                    label[slot][5 + c] = (1 - label_smoothing) * one_hot + label_smoothing / num_classes
        labels.append(label)
        rows = np.zeros((max_boxes, 4))
        count = 0
        for position, index in enumerate(assignment.kept):
            if assignment.on_scale[position, scale]:
                rows[count] = oracle_boxes.to_cxcywh(boxes_xyxy[index])
                count += 1
        scale_boxes.append(rows)
    return labels, scale_boxes
