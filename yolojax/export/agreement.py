"""Whether two detectors find the same objects in an image, up to rounding."""

from collections.abc import Sequence

import numpy as np

THRESHOLDS = (0.0, 1.0), (0.3, 0.45)
"""Pairs of (score threshold, IoU threshold) at which detectors are compared. An IoU threshold of 1 suppresses nothing, so that
the best slots are compared even if the network has not learnt to find anything."""


def agree(actual: Sequence[np.ndarray], expected: Sequence[np.ndarray], side: float, cut_short: bool) -> bool:
    """Whether two lists of detections in one image are equal up to rounding, with nearly equal scores in any order.

    Args:
        actual: boxes (k, 4), scores (k,) and classes (k,), by falling score.
        expected: the same of the other detector.
        side: the side of the image in pixels; coordinates must agree to 1/1000 of it.
        cut_short: whether the lists were cut at the largest number of detections; then rounding decides which of nearly equal
            scores come last, and the last ones may differ.
    """
    (boxes, scores, classes), (expected_boxes, expected_scores, expected_classes) = actual, expected
    if len(scores) != len(expected_scores) or not np.allclose(scores, expected_scores, rtol=1e-3, atol=1e-4):
        return False
    same = classes[:, None] == expected_classes[None]
    same &= np.isclose(scores[:, None], expected_scores[None], rtol=1e-3, atol=1e-4)
    same &= np.abs(boxes[:, None] - expected_boxes[None]).max(-1, initial=0) <= side / 1000
    certain = np.ones(len(scores), bool)
    if cut_short and len(scores):
        certain = np.minimum(scores, expected_scores) > expected_scores[-1] * 1.001 + 1e-4
    return bool(same.any(1)[certain].all() and same.any(0)[certain].all())
