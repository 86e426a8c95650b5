"""Whether two detectors find the same in a picture but for rounding."""

import numpy as np

THRESHOLDS = (0.0, 1.0), (0.3, 0.45)
"""Of score and IoU, at which detectors are compared. An IoU threshold of 1 removes nothing: the best slots are compared,
whatever the network has learnt to find."""


def agree(found, expected, side, cut_short):
    """Whether two lists of detections of one picture are the same but for rounding, in any order of nearly equal scores.

    Args:
        found, expected: boxes (k, 4), scores (k,), classes (k,), by falling score.
        side: of the picture in pixels; coordinates agree to 1/1000 of it.
        cut_short: the lists end where there was no more room; rounding decides which of nearly equal scores came last.
    """
    (boxes, scores, classes), (expected_boxes, expected_scores, expected_classes) = found, expected
    if len(scores) != len(expected_scores) or not np.allclose(scores, expected_scores, rtol=1e-3, atol=1e-4):
        return False
    same = classes[:, None] == expected_classes[None]
    same &= np.isclose(scores[:, None], expected_scores[None], rtol=1e-3, atol=1e-4)
    same &= np.abs(boxes[:, None] - expected_boxes[None]).max(-1, initial=0) <= side / 1000
    sure = np.ones(len(scores), bool)
    if cut_short and len(scores):
        sure = np.minimum(scores, expected_scores) > expected_scores[-1] * 1.001 + 1e-4
    return bool(same.any(1)[sure].all() and same.any(0)[sure].all())
