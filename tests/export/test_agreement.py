"""Lists of detections that agree but for rounding."""

import numpy as np
import pytest

from yolojax.export.agreement import agree

BOXES = np.float32([[0, 0, 50, 50], [10, 10, 90, 90], [20, 0, 60, 70]])
SCORES = np.float32([0.9, 0.50001, 0.5])
CLASSES = np.int32([0, 1, 1])


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("cut_short", [True, False])
def test_lists_agree_but_for_rounding(same, cut_short):
    order = [0, 2, 1]
    others = (
        [
            (BOXES, SCORES, CLASSES),
            (BOXES + 0.05, SCORES * np.float32(1.0005), CLASSES),
            (BOXES[order], SCORES, CLASSES[order]),
        ]
        if same
        else [
            (BOXES[:2], SCORES[:2], CLASSES[:2]),
            (BOXES + 0.2 * (SCORES > 0.6)[:, None], SCORES, CLASSES),
            (BOXES, SCORES * np.float32(1.01), CLASSES),
            (BOXES, SCORES, np.int32([1, 1, 1])),
            (BOXES, SCORES * np.nan, CLASSES),
        ]
    )
    for other in others:
        assert agree((BOXES, SCORES, CLASSES), other, 100, cut_short) is same
        assert agree(other, (BOXES, SCORES, CLASSES), 100, cut_short) is same


def test_the_last_of_a_full_list_may_be_another():
    other = BOXES.copy()
    other[2] = 0
    assert agree((BOXES, SCORES, CLASSES), (other, SCORES, CLASSES), 100, cut_short=True)
    assert not agree((BOXES, SCORES, CLASSES), (other, SCORES, CLASSES), 100, cut_short=False)
