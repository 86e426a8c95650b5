import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.picture_sets import adversarial_sets, random_set
from tests.oracle import errors as oracle
from yolojax.evaluation.metrics.confusion import confusion_matrix
from yolojax.evaluation.metrics.matching import flatten_and_match

A, B, C = [0, 0, 100, 100], [200, 0, 300, 100], [400, 0, 500, 100]


def confusion(detections, truths, classes, score_threshold):
    flat_detections, flat_truths, outcome = flatten_and_match(detections, truths)
    return outcome, confusion_matrix(flat_detections, outcome, flat_truths, classes, score_threshold=score_threshold)


def test_hand_made():
    # A found right, and again (made up); B taken for class 0; C of class 1 missed: its detection is below the threshold.
    detections = [([A, A, B, C], [0.9, 0.8, 0.7, 0.3], [0, 0, 0, 1])]
    _, matrix = confusion(detections, [([A, B, C], [0, 1, 1])], 2, 0.5)
    assert matrix.tolist() == [[1, 0, 0], [1, 0, 1], [1, 0, 0]]
    assert matrix.dtype == np.int64
    # At 0.3 itself it is accepted.
    assert confusion(detections, [([A, B, C], [0, 1, 1])], 2, 0.3)[1].tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, 0]]


def test_a_right_detection_is_not_robbed_by_a_wrong_one_of_higher_score():
    _, matrix = confusion([([A, A], [0.9, 0.8], [1, 0])], [([A], [0])], 2, 0.0)
    assert matrix.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_crowds_are_in_no_cell():
    detections = [([A, [0, 0, 50, 50], B], [0.9, 0.8, 0.7], [0, 0, 1])]
    _, matrix = confusion(detections, [([A, B], [0, 0], [True, True])], 2, 0.0)
    # What lies on a crowd of its own class is forgiven; class 1 on a crowd of class 0 is made up.
    assert matrix.tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(3, 7), st.sampled_from([0, 0.25, 0.5, 1]))
def test_equals_one_box_at_a_time(seed, classes, span, score_threshold):
    detections, truths = random_set(np.random.default_rng(seed), classes=classes, span=span)
    _, matrix = confusion(detections, truths, classes, score_threshold)
    assert matrix.tolist() == oracle.confusion(detections, truths, classes, score_threshold)


@pytest.mark.parametrize("name", adversarial_sets())
def test_every_truth_and_detection_is_in_one_cell(name):
    detections, truths = adversarial_sets()[name]
    outcome, matrix = confusion(detections, truths, 3, 0.0)
    assert matrix[:3].sum() == outcome.counted.sum()
    assert matrix[:, :3].sum() == (~outcome.ignored).sum()
    assert np.trace(matrix[:3, :3]) == outcome.true_positive.sum()
    assert matrix[3, 3] == 0 and (matrix >= 0).all()
