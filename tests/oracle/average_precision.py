"""VOC average precision one detection at a time, with every step of the challenge's description spelled out."""

import math
from fractions import Fraction


def box_iou(a, b):
    """IoU of two xyxy boxes given as four numbers each."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def outcomes(detections, truths, class_id, iou_threshold):
    """(score, outcome) by falling score, outcome "true", "false" or "ignored", and the number of positives."""
    queue = []
    for picture, (boxes, scores, classes) in enumerate(detections):
        for box, score, found in zip(boxes, scores, classes, strict=True):
            if found == class_id:
                queue.append((float(score), picture, [float(x) for x in box]))
    queue.sort(key=lambda entry: -entry[0])
    answers, taken = [], set()
    for score, picture, box in queue:
        boxes, classes, difficult = truths[picture]
        best, best_truth = -math.inf, None
        for place, (truth, expected) in enumerate(zip(boxes, classes, strict=True)):
            if expected == class_id and box_iou(box, [float(x) for x in truth]) > best:
                best, best_truth = box_iou(box, [float(x) for x in truth]), place
        if best < iou_threshold:
            answers.append((score, "false"))
        elif difficult[best_truth]:
            answers.append((score, "ignored"))
        elif (picture, best_truth) in taken:
            answers.append((score, "false"))
        else:
            taken.add((picture, best_truth))
            answers.append((score, "true"))
    positives = 0
    for _, classes, difficult in truths:
        for expected, forgiven in zip(classes, difficult, strict=True):
            positives += expected == class_id and not forgiven
    return answers, positives


def average_precision(detections, truths, iou_threshold, method):
    """{class: AP} in exact fractions but for the last step, for classes with a truth that counts."""
    classes = sorted({int(c) for _, present, _ in truths for c in present})
    result = {}
    for class_id in classes:
        answers, positives = outcomes(detections, truths, class_id, iou_threshold)
        if positives == 0:
            continue
        points, hits, misses = [], 0, 0
        for _, outcome in answers:
            hits += outcome == "true"
            misses += outcome == "false"
            if hits + misses:
                points.append((Fraction(hits, positives), Fraction(hits, hits + misses)))

        def best_from(recall, points=points):
            return max((p for r, p in points if r >= recall), default=Fraction(0))

        if method == "area":
            # The envelope is a staircase that can only change at multiples of 1 / positives.
            total = sum(best_from(Fraction(k, positives)) for k in range(1, positives + 1)) / positives
        else:
            total = sum(best_from(Fraction(k, 10)) for k in range(11)) / 11
        result[class_id] = float(total)
    return result
