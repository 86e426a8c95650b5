"""Detections and truths of many images as flat arrays, and what is refused."""

import numpy as np
import pytest

from yolojax.evaluation.metrics.inputs import flatten

A, B = [0, 0, 10, 10], [20, 0, 30.5, 10]


def test_lists_are_concatenated_in_their_order():
    detections, truths = flatten(
        [([A, B], [0.5, 0.9], [1, 0]), ([], [], []), ([B], [0.7], [2])],
        [([A], [1]), ([], []), ([B, A], [0, 2], [True, False])],
    )
    np.testing.assert_array_equal(detections.boxes_xyxy, [A, B, B])
    assert detections.scores.tolist() == [0.5, 0.9, 0.7] and detections.classes.tolist() == [1, 0, 2]
    assert detections.pictures.tolist() == [0, 0, 2]
    np.testing.assert_array_equal(truths.boxes_xyxy, [A, B, A])
    assert truths.classes.tolist() == [1, 0, 2] and truths.pictures.tolist() == [0, 2, 2]
    assert truths.ignored.tolist() == [False, True, False]
    assert [array.dtype for array in truths] == [np.float64, np.int64, bool, np.int64]
    best = detections.take(detections.scores > 0.6)
    assert best.scores.tolist() == [0.9, 0.7] and best.pictures.tolist() == [0, 2]


@pytest.mark.parametrize("images", [0, 3])
def test_images_without_anything_have_arrays_of_the_same_shapes(images):
    detections, truths = flatten([([], [], [])] * images, [([], [])] * images)
    for flat in (detections, truths):
        assert flat.boxes_xyxy.shape == (0, 4) and flat.boxes_xyxy.dtype == np.float64
        assert all(array.shape == (0,) for array in flat[1:])
    assert truths.ignored.dtype == bool and detections.classes.dtype == np.int64


@pytest.mark.parametrize(
    ("detection", "truth", "message"),
    [
        (([A], [0.5]), ([A], [0]), r"detections\[1\] has 2 members, expected 3"),
        (([A], [0.5], [0]), ([A],), r"truths\[1\] has 1 members, expected 2 or 3"),
        (([A[:3]], [0.5], [0]), ([A], [0]), r"detections\[1\]: boxes of shape \(1, 3\), expected \(n, 4\)"),
        (([A, B], [0.5], [0, 0]), ([A], [0]), r"detections\[1\]: 2 boxes, but a member of shape \(1,\)"),
        (([A], [0.5], [0]), ([A], [0, 1]), r"truths\[1\]: 1 boxes, but a member of shape \(2,\)"),
        (([[0, 0, np.inf, 1]], [0.5], [0]), ([A], [0]), r"detections\[1\]: a box is NaN or infinite"),
        (([A], [np.nan], [0]), ([A], [0]), r"detections\[1\]: a score is NaN or infinite"),
        (([A], [0.5], [-1]), ([A], [0]), r"detections\[1\]: a class is not a whole number of at least 0"),
        (([A], [0.5], [0]), ([A], [0.5]), r"truths\[1\]: a class is not a whole number of at least 0"),
    ],
)
def test_what_is_refused_is_named_by_its_place(detection, truth, message):
    with pytest.raises(ValueError, match=message):
        flatten([([A], [0.5], [0]), detection], [([A], [0]), truth])
    with pytest.raises(ValueError, match="detections of 2 images, but truths of 1"):
        flatten([([A], [0.5], [0])] * 2, [([A], [0])])
