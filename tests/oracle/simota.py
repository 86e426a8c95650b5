"""SimOTA of one picture, slot by slot and box by box, in float64 (Ge et al. 2021, section 2.1, and its authors' program)."""

import math

import numpy as np

from tests.oracle import boxes as oracle_boxes
from tests.oracle import loss as oracle_loss


def _class_cost(class_logits, objectness_logit, class_id):
    total = 0.0
    for c, logit in enumerate(class_logits):
        score = math.sqrt(oracle_loss.sigmoid(float(logit)) * oracle_loss.sigmoid(float(objectness_logit)))
        chance = score if c == class_id else 1 - score
        total -= max(math.log(chance), -100) if chance > 0 else -100
    return total


def match(raw, boxes, classes, strides, anchors, *, centre_radius=2.5, candidates=10, iou_weight=3.0):
    """The position of each slot's box, or len(boxes) for none; raw heads of one picture, cxcywh boxes of one picture."""
    predicted, objectness, class_logits = oracle_loss.decode(raw, strides, anchors)
    centres = [
        ((column + 0.5) * stride, (row + 0.5) * stride, stride)
        for head, stride in zip(raw, strides, strict=True)
        for row, column, _ in np.ndindex(head.shape[:3])
    ]
    n, m = len(centres), len(boxes)
    inside, near = np.zeros((m, n), bool), np.zeros((m, n), bool)
    for b, (cx, cy, w, h) in enumerate(boxes):
        for slot, (x, y, stride) in enumerate(centres):
            inside[b, slot] = cx - w / 2 < x < cx + w / 2 and cy - h / 2 < y < cy + h / 2
            radius = centre_radius * stride
            near[b, slot] = cx - radius < x < cx + radius and cy - radius < y < cy + radius

    open_slots = [slot for slot in range(n) if any(inside[b, slot] or near[b, slot] for b in range(m))]
    cost, taken = np.full((m, n), np.inf), np.zeros((m, n), bool)
    for b in range(m):
        overlaps = []
        for slot in open_slots:
            overlap = oracle_boxes.iou(oracle_boxes.to_xyxy(boxes[b]), oracle_boxes.to_xyxy(predicted[slot]))
            overlaps.append(overlap)
            cost[b, slot] = _class_cost(class_logits[slot], objectness[slot], classes[b])
            cost[b, slot] += iou_weight * -math.log(overlap + 1e-8)
            if not (inside[b, slot] and near[b, slot]):
                cost[b, slot] += 100_000
        k = max(int(sum(sorted(overlaps, reverse=True)[:candidates])), 1)
        for slot in sorted(open_slots, key=lambda slot: cost[b, slot])[:k]:
            taken[b, slot] = True

    matches = np.full(n, m)
    for slot in open_slots:
        takers = [b for b in range(m) if taken[b, slot]]
        if len(takers) == 1:
            matches[slot] = takers[0]
        elif takers:
            matches[slot] = min(range(m), key=lambda b: cost[b, slot])
    return matches


def terms(raw, boxes, classes, strides, anchors, matches, *, box_weight=5.0, reference=None):
    """(box, objectness, classification) of one picture for given matches; reference: the raw heads that fix class labels."""
    predicted, objectness, class_logits = oracle_loss.decode(raw, strides, anchors)
    fixed, _, _ = oracle_loss.decode(raw if reference is None else reference, strides, anchors)
    total = [0.0, 0.0, 0.0]
    for slot, b in enumerate(matches):
        matched = b < len(boxes)
        total[1] += oracle_loss.cross_entropy(float(objectness[slot]), float(matched))
        if matched:
            true = oracle_boxes.to_xyxy(boxes[b])
            total[0] += box_weight * (1 - oracle_boxes.iou(oracle_boxes.to_xyxy(predicted[slot]), true) ** 2)
            label = oracle_boxes.iou(oracle_boxes.to_xyxy(fixed[slot]), true)
            for c, logit in enumerate(class_logits[slot]):
                total[2] += oracle_loss.cross_entropy(float(logit), label if c == classes[b] else 0.0)
    return tuple(total)
