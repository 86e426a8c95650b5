"""Decoding and the three loss terms of one picture, slot by slot, on dense labels, in float64."""

import math

import numpy as np

from tests.oracle import boxes as oracle_boxes


def sigmoid(x):
    """Logistic function of one number."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def cross_entropy(logit, target):
    """Binary cross entropy of one logit."""
    return max(logit, 0.0) - logit * target + math.log1p(math.exp(-abs(logit)))


def decode_slot(raw, row, column, stride, anchor):
    """cxcywh of one slot's raw numbers (YOLOv3, section 2.1)."""
    return (
        (sigmoid(float(raw[0])) + column) * stride,
        (sigmoid(float(raw[1])) + row) * stride,
        math.exp(float(raw[2])) * anchor[0],
        math.exp(float(raw[3])) * anchor[1],
    )


def decode(raw, strides, anchors):
    """(boxes (N, 4), objectness_logits (N,), class_logits (N, C)) of one picture's raw heads."""
    boxes, objectness, classes = [], [], []
    for head, stride, shapes in zip(raw, strides, anchors, strict=True):
        for row, column, a in np.ndindex(head.shape[:3]):
            slot = head[row, column, a]
            boxes.append(decode_slot(slot, row, column, stride, shapes[a]))
            objectness.append(slot[4])
            classes.append(slot[5:])
    return np.array(boxes, float), np.array(objectness, float), np.array(classes, float)


def _positive_box_loss(predicted, true, kind, reference):
    """One minus the overlap; complete IoU takes its alpha from the reference prediction."""
    predicted, true = oracle_boxes.to_xyxy(predicted), oracle_boxes.to_xyxy(true)
    if kind == "ciou":
        alpha = oracle_boxes.ciou_alpha(oracle_boxes.to_xyxy(reference), true)
        return 1 - oracle_boxes.ciou(predicted, true, alpha)
    return 1 - oracle_boxes.OVERLAPS[kind](predicted, true)


def terms(raw, labels, scale_boxes, size, strides, anchors, *, ignore_iou=0.5, box="giou", class_weights=None, reference=None):
    """(box, objectness, classification) of one picture; reference: the raw heads that fix complete IoU's alpha."""
    height, width = size
    reference = raw if reference is None else reference
    total = [0.0, 0.0, 0.0]
    for scale, head in enumerate(raw):
        truths = [oracle_boxes.to_xyxy(b) for b in scale_boxes[scale] if b[2] > 0 or b[3] > 0]
        for row, column, a in np.ndindex(head.shape[:3]):
            slot, label = head[row, column, a], labels[scale][row, column, a]
            place = (row, column, strides[scale], anchors[scale][a])
            predicted = decode_slot(slot, *place)
            logit = float(slot[4])
            if label[4] == 1:
                total[0] += (2 - label[2] * label[3] / (width * height)) * _positive_box_loss(
                    predicted, label[:4], box, decode_slot(reference[scale][row, column, a], *place)
                )
                total[1] += (1 - sigmoid(logit)) ** 2 * cross_entropy(logit, 1.0)
                weight = class_weights[np.argmax(label[5:])] if class_weights else 1.0
                for x, t in zip(slot[5:], label[5:], strict=True):
                    total[2] += weight * cross_entropy(float(x), float(t))
            else:
                corners = oracle_boxes.to_xyxy(predicted)
                best = max((oracle_boxes.iou(corners, t) for t in truths), default=0.0)
                if best < ignore_iou:
                    total[1] += sigmoid(logit) ** 2 * cross_entropy(logit, 0.0)
    return tuple(total)


def paper_terms(
    raw,
    labels,
    scale_boxes,
    size,
    strides,
    anchors,
    *,
    coord_weight,
    noobject_weight,
    ignore_iou,
    wh,
    objectness,
    class_scores,
    class_weights=None,
    reference=None,
):
    """(box, objectness, classification) of one picture; reference: the raw heads that fix the IoU aimed at."""
    height, width = size
    reference = raw if reference is None else reference
    total = [0.0, 0.0, 0.0]
    for scale, head in enumerate(raw):
        stride = strides[scale]
        truths = [oracle_boxes.to_xyxy(b) for b in scale_boxes[scale] if b[2] > 0 or b[3] > 0]
        for row, column, a in np.ndindex(head.shape[:3]):
            slot, label = head[row, column, a], labels[scale][row, column, a]
            place = (row, column, stride, anchors[scale][a])
            x, y, w, h = decode_slot(slot, *place)
            probability = sigmoid(float(slot[4]))
            if label[4] == 1:
                true_x, true_y, true_w, true_h = label[:4]
                error = (x / stride - true_x / stride) ** 2 + (y / stride - true_y / stride) ** 2
                if wh == "sqrt":
                    error += (math.sqrt(w / width) - math.sqrt(true_w / width)) ** 2
                    error += (math.sqrt(h / height) - math.sqrt(true_h / height)) ** 2
                else:
                    error += math.log(w / max(true_w, 1.0)) ** 2 + math.log(h / max(true_h, 1.0)) ** 2
                total[0] += coord_weight * error
                if objectness == "bce":
                    total[1] += -math.log(probability)
                else:
                    box = decode_slot(reference[scale][row, column, a], *place)
                    aim = oracle_boxes.iou(oracle_boxes.to_xyxy(box), oracle_boxes.to_xyxy(label[:4]))
                    total[1] += (probability - aim) ** 2
                weight = class_weights[np.argmax(label[5:])] if class_weights else 1.0
                if class_scores == "sigmoid":
                    for s, t in zip(slot[5:], label[5:], strict=True):
                        total[2] += weight * cross_entropy(float(s), float(t))
                else:
                    whole = sum(math.exp(float(s)) for s in slot[5:])
                    for s, t in zip(slot[5:], label[5:], strict=True):
                        total[2] -= weight * float(t) * math.log(math.exp(float(s)) / whole)
            elif max((oracle_boxes.iou(oracle_boxes.to_xyxy((x, y, w, h)), t) for t in truths), default=0.0) < ignore_iou:
                total[1] += -noobject_weight * math.log(1 - probability)
    return tuple(total)


def _selected(raw, labels, scale_boxes, place, ignore_iou):
    """(those of objects, those of the background) of one scale in all pictures, as lists of (slot, label, anchor, row, column).

    raw: (B, H, W, A, 5 + C); labels and scale_boxes: lists over the pictures.
    """
    objects, background = [], []
    stride, anchors = place
    for b, row, column, a in np.ndindex(raw.shape[:4]):
        slot, label = raw[b, row, column, a], labels[b][row, column, a]
        truths = [oracle_boxes.to_xyxy(box) for box in scale_boxes[b] if box[2] > 0 or box[3] > 0]
        corners = oracle_boxes.to_xyxy(decode_slot(slot, row, column, stride, anchors[a]))
        if label[4] == 1:
            objects.append((slot, label, anchors[a], row, column))
        elif max((oracle_boxes.iou(corners, truth) for truth in truths), default=0.0) < ignore_iou:
            background.append((slot, label, anchors[a], row, column))
    return objects, background


def _mean(values):
    return np.mean(values) if len(values) else 0.0


def mse_bce_listing(raw, labels, scale_boxes, strides, anchors, *, ignore_iou, noobject_scale):
    """The loss of PyTorch programs with MSELoss and BCELoss at their defaults, as {name: number} for a batch.

    Each YOLO layer takes the mean squared errors of x and y within their cells and of the raw w and h, the mean cross entropies
    of the objectness of objects and, times a scale, of the background, and that of all class scores; the layers are added.
    raw: S x (B, H, W, A, 5 + C); labels and scale_boxes: lists over the scales of lists over the pictures.
    """
    total = dict.fromkeys(("x", "y", "w", "h", "object", "background", "classes"), 0.0)
    for scale, (stride, shapes) in enumerate(zip(strides, anchors, strict=True)):
        objects, background = _selected(raw[scale], labels[scale], scale_boxes[scale], (stride, shapes), ignore_iou)
        total["x"] += _mean([(sigmoid(s[0]) - (label[0] / stride - column)) ** 2 for s, label, _, _, column in objects])
        total["y"] += _mean([(sigmoid(s[1]) - (label[1] / stride - row)) ** 2 for s, label, _, row, _ in objects])
        total["w"] += _mean([(s[2] - math.log(label[2] / anchor[0])) ** 2 for s, label, anchor, *_ in objects])
        total["h"] += _mean([(s[3] - math.log(label[3] / anchor[1])) ** 2 for s, label, anchor, *_ in objects])
        total["object"] += _mean([-math.log(sigmoid(s[4])) for s, *_ in objects])
        total["background"] += noobject_scale * _mean([-math.log(1 - sigmoid(s[4])) for s, *_ in background])
        total["classes"] += _mean(
            [cross_entropy(x, t) for s, label, *_ in objects for x, t in zip(s[5:], label[5:], strict=True)]
        )
    return total


def mse_iou_listing(raw, labels, scale_boxes, strides, anchors, *, ignore_iou, box_scale, noobject_scale, reference=None):
    """The loss of PyTorch programs with MSELoss, BCEWithLogitsLoss and CrossEntropyLoss at their defaults, for a batch.

    Each scale takes the mean of the squared errors of all four numbers of a box, that of the objectness to the IoU, the mean
    cross entropy of the background and that of the softmax of the classes; the scales are added. reference: the raw heads that
    fix the IoU.
    """
    total = dict.fromkeys(("box", "object", "background", "classes"), 0.0)
    for scale, (stride, shapes) in enumerate(zip(strides, anchors, strict=True)):
        objects, background = _selected(raw[scale], labels[scale], scale_boxes[scale], (stride, shapes), ignore_iou)
        fixed = raw if reference is None else reference
        aims = _selected(fixed[scale], labels[scale], scale_boxes[scale], (stride, shapes), ignore_iou)[0]
        errors, confidences, classes = [], [], []
        for (s, label, anchor, row, column), (aim, *_) in zip(objects, aims, strict=True):
            errors += [(sigmoid(s[0]) - (label[0] / stride - column)) ** 2, (sigmoid(s[1]) - (label[1] / stride - row)) ** 2]
            errors += [(s[2 + i] - math.log(label[2 + i] / anchor[i])) ** 2 for i in range(2)]
            box = oracle_boxes.to_xyxy(decode_slot(aim, row, column, stride, anchor))
            confidences.append((sigmoid(s[4]) - oracle_boxes.iou(box, oracle_boxes.to_xyxy(label[:4]))) ** 2)
            classes.append(math.log(np.exp(s[5:]).sum()) - s[5 + np.argmax(label[5:])])
        total["box"] += box_scale * _mean(errors)
        total["object"] += _mean(confidences)
        total["background"] += noobject_scale * _mean([-math.log(1 - sigmoid(s[4])) for s, *_ in background])
        total["classes"] += _mean(classes)
    return total


def ignore_margin(raw, scale_boxes, strides, anchors, ignore_iou):
    """How near any slot's largest overlap comes to the step of the ignore test."""
    margin = math.inf
    for scale, head in enumerate(raw):
        truths = [oracle_boxes.to_xyxy(b) for b in scale_boxes[scale] if b[2] > 0 or b[3] > 0]
        for row, column, a in np.ndindex(head.shape[:3]):
            box = decode_slot(head[row, column, a], row, column, strides[scale], anchors[scale][a])
            best = max((oracle_boxes.iou(oracle_boxes.to_xyxy(box), t) for t in truths), default=0.0)
            margin = min(margin, abs(best - ignore_iou))
    return margin


def slopes(function, heads, step=1e-6):
    """Central differences of a function of float64 heads with respect to every number in them; as many arrays as heads."""
    found = []
    for scale, head in enumerate(heads):
        found.append(np.zeros_like(head))
        for index in np.ndindex(head.shape):
            values = []
            for sign in (1, -1):
                moved = [h.copy() for h in heads]
                moved[scale][index] += sign * step
                values.append(function(moved))
            found[scale][index] = (values[0] - values[1]) / (2 * step)
    return found
