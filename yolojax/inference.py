"""How an image becomes detections with a network."""

import numpy as np

from yolojax.data.images import unletterbox_boxes


def to_original(found, row, transform, original_size):
    """The detections of one picture of a batch in pixels of the original, clipped to it; those outside it are left out.

    Args:
        found: Detections, NumPy arrays.
        row: which picture.
        transform: its ImageTransform.
        original_size: (height, width).

    Returns:
        (boxes_xyxy (k, 4) float32, scores (k,) float32, classes (k,) int32).
    """
    height, width = original_size
    boxes = unletterbox_boxes(found.boxes[row], transform)
    boxes = np.clip(boxes, 0, np.array([[width, height, width, height]], np.float32))
    # What was found in the grey margin alone has no area left.
    kept = found.valid[row] & (boxes[:, 2:] > boxes[:, :2]).all(1)
    return boxes[kept], found.scores[row][kept], found.classes[row][kept]
