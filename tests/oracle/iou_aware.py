"""The loss of the anchor-based programs since 2020, slot by slot and scale by scale for a whole batch, in float64."""

import numpy as np

from tests.oracle import boxes as oracle_boxes
from tests.oracle.loss import cross_entropy, sigmoid


def decode_slot(raw, row, column, stride, anchor):
    """xyxy of one slot's raw numbers: centres 2 sigmoid(t) - 0.5 in cells, sizes (2 sigmoid(t))^2 in anchors."""
    x, y, w, h = (2 * sigmoid(float(t)) for t in raw[:4])
    return oracle_boxes.to_xyxy(((x - 0.5 + column) * stride, (y - 0.5 + row) * stride, w**2 * anchor[0], h**2 * anchor[1]))


def batch_terms(
    raw, labels, size, strides, anchors, *, box, objectness, classification, by_scale, class_weights=None, reference=None
):
    """(box, objectness, classification) of a batch.

    raw: S x (B, H, W, A, 5 + C); labels: S x list over the pictures of (H, W, A, 5 + C) of cxcywh, 1, one-hot classes.
    reference: the raw heads that fix what is a constant in the gradient, complete IoU's alpha and the aim of the objectness.
    """
    reference = raw if reference is None else reference
    num_classes, layers = raw[0].shape[-1] - 5, len(raw)
    total = np.zeros(3)
    for scale, head in enumerate(raw):
        errors, crosses, classes = [], [], []
        for b, row, column, a in np.ndindex(head.shape[:4]):
            slot, label = head[b, row, column, a], labels[scale][b][row, column, a]
            place = (row, column, strides[scale], anchors[scale][a])
            aim = 0.0
            if label[4] == 1:
                true = oracle_boxes.to_xyxy(label[:4])
                fixed = decode_slot(reference[scale][b, row, column, a], *place)
                alpha = oracle_boxes.ciou_alpha(fixed, true)
                aim = max(0.0, oracle_boxes.ciou(fixed, true, alpha))
                errors.append(1 - oracle_boxes.ciou(decode_slot(slot, *place), true, alpha))
                weight = class_weights[np.argmax(label[5:])] if class_weights else 1.0
                classes += [weight * cross_entropy(float(x), float(t)) for x, t in zip(slot[5:], label[5:], strict=True)]
            crosses.append(cross_entropy(float(slot[4]), aim))
        total[0] += np.mean(errors) if errors else 0.0
        total[1] += by_scale[scale] * np.mean(crosses)
        total[2] += np.mean(classes) if classes and num_classes > 1 else 0.0
    height, width = size
    scaled = box, objectness * height * width / 640**2, classification * num_classes / 80
    return total * scaled * 3 / layers
