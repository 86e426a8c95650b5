"""Suppression and the whole way from predictions to detections, candidate by candidate."""

import math

import numpy as np

from tests.oracle import boxes as oracle_boxes
from tests.oracle.loss import sigmoid


def nms(boxes_xyxy, scores, iou_threshold):
    """Greedy suppression: which of the boxes stay, best score first, ties by position."""
    keep = np.zeros(len(boxes_xyxy), bool)
    remaining = sorted(range(len(boxes_xyxy)), key=lambda i: (-scores[i], i))
    while remaining:
        best = remaining.pop(0)
        keep[best] = True
        remaining = [i for i in remaining if not oracle_boxes.iou(boxes_xyxy[best], boxes_xyxy[i]) > iou_threshold]
    return keep


def soft_nms(candidates, score_threshold, class_agnostic, sigma=0.5):
    """Gaussian soft-NMS (Bodla et al. 2017, figure 2) over (box_xyxy, score, class), best first."""
    remaining, out = list(candidates), []
    while remaining:
        best = max(range(len(remaining)), key=lambda i: (remaining[i][1], -i))
        box, score, label = remaining.pop(best)
        out.append((box, score, label))
        decayed = []
        for other, other_score, other_label in remaining:
            if class_agnostic or other_label == label:
                other_score = other_score * math.exp(-(oracle_boxes.iou(box, other) ** 2) / sigma)
            if other_score > score_threshold:
                decayed.append((other, other_score, other_label))
        remaining = decayed
    return out


def postprocess(
    boxes,
    objectness_logits,
    class_logits,
    *,
    score_threshold,
    iou_threshold,
    max_candidates,
    max_detections,
    class_agnostic,
    multi_label,
    method,
):
    """[(box_xyxy, score, class)] of one picture, best first, at most max_detections of them."""
    candidates = []
    for slot, box in enumerate(boxes):
        objectness = sigmoid(float(objectness_logits[slot]))
        scores = [objectness * sigmoid(float(x)) for x in class_logits[slot]]
        labels = range(len(scores)) if multi_label else [int(np.argmax(scores))]
        for label in labels:
            if scores[label] > score_threshold:
                candidates.append((oracle_boxes.to_xyxy(box), scores[label], label, slot, max(scores)))
    candidates.sort(key=lambda c: (-c[1], -c[4], c[3], c[2]))
    candidates = sorted(candidates[:max_candidates], key=lambda c: (-c[1], c[3], c[2]))
    candidates = [c[:3] for c in candidates]
    if method == "soft":
        return soft_nms(candidates, score_threshold, class_agnostic)[:max_detections]
    kept = []
    for box, score, label in candidates:
        rivals = [k for k in kept if class_agnostic or k[2] == label]
        if not any(oracle_boxes.iou(k[0], box) > iou_threshold for k in rivals):
            kept.append((box, score, label))
    return kept[:max_detections]
