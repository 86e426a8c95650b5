"""Box overlaps of two single boxes, in float64 and in the papers' own words."""

import math


def to_xyxy(box):
    """Corners of one cxcywh box."""
    cx, cy, w, h = (float(v) for v in box)
    return (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)


def to_cxcywh(box):
    """Centre and size of one xyxy box."""
    x0, y0, x1, y1 = (float(v) for v in box)
    return ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)


def _areas(a, b):
    """Areas of the intersection and of the union of two xyxy boxes."""
    a, b = [float(v) for v in a], [float(v) for v in b]
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    intersection = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - intersection
    return intersection, union


def _enclosing(a, b):
    """Width and height of the smallest box around two xyxy boxes."""
    a, b = [float(v) for v in a], [float(v) for v in b]
    return max(a[2], b[2]) - min(a[0], b[0]), max(a[3], b[3]) - min(a[1], b[1])


def iou(a, b):
    """Intersection over union of two xyxy boxes; two boxes without area share nothing."""
    intersection, union = _areas(a, b)
    return intersection / union if union > 0 else 0.0


def giou(a, b):
    """Generalized IoU (Rezatofighi et al. 2019, algorithm 1)."""
    _, union = _areas(a, b)
    width, height = _enclosing(a, b)
    hull = width * height
    return iou(a, b) - ((hull - union) / hull if hull > 0 else 0.0)


def diou(a, b):
    """Distance IoU (Zheng et al. 2020, equation 7)."""
    ca, cb = to_cxcywh(a), to_cxcywh(b)
    distance = (ca[0] - cb[0]) ** 2 + (ca[1] - cb[1]) ** 2
    width, height = _enclosing(a, b)
    diagonal = width**2 + height**2
    return iou(a, b) - (distance / diagonal if diagonal > 0 else 0.0)


def _aspect(a, b):
    """The paper's v: how far the two aspect ratios are apart."""
    _, _, wa, ha = to_cxcywh(a)
    _, _, wb, hb = to_cxcywh(b)
    return 4 / math.pi**2 * (math.atan2(wb, hb) - math.atan2(wa, ha)) ** 2


def ciou_alpha(a, b):
    """The trade-off alpha of complete IoU (Zheng et al. 2020, equation 11)."""
    v = _aspect(a, b)
    return v / (1 - iou(a, b) + v) if v > 0 else 0.0


def ciou(a, b, alpha=None):
    """Complete IoU (Zheng et al. 2020, equation 10); a given alpha is held, as the paper's gradient (12) does."""
    if alpha is None:
        alpha = ciou_alpha(a, b)
    return diou(a, b) - alpha * _aspect(a, b)


OVERLAPS = {"iou": iou, "giou": giou, "diou": diou, "ciou": ciou}
