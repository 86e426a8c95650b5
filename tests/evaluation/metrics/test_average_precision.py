import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import average_precision as oracle
from yolojax.evaluation import average_precision, match, precision_recall
from yolojax.evaluation.metrics.average_precision import precision_of_matches

A, B, C = [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]
NOWHERE = [100, 100, 110, 110]


def detection(*rows):
    """Rows of (box, score, class)."""
    boxes, scores, classes = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(classes, np.int32)


def truth(*rows):
    """Rows of (box, class) or (box, class, difficult)."""
    rows = [(*row, False)[:3] for row in rows]
    boxes, classes, difficult = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int32), np.array(difficult, bool)


def random_set(rng, *, pictures, max_detections, max_truths, classes, span=3):
    """Boxes and scores on so coarse a lattice that scores, overlaps and best truths tie all the time."""

    def boxes(count):
        corner = rng.integers(0, span, (count, 2))
        return np.concatenate([corner, corner + rng.integers(0, span, (count, 2))], axis=1).astype(np.float32)

    detections, truths = [], []
    for _ in range(pictures):
        k, n = rng.integers(0, max_detections + 1), rng.integers(0, max_truths + 1)
        truth_boxes, truth_classes = boxes(n), rng.integers(0, classes, n)
        detected_boxes, detected_classes = boxes(k), rng.integers(0, classes, k)
        if n:
            # Half of the detections are copies of truths, often of the same one.
            copies, sources = np.flatnonzero(rng.random(k) < 0.5), rng.integers(0, n, k)
            detected_boxes[copies] = truth_boxes[sources[copies]]
            detected_classes[copies] = truth_classes[sources[copies]]
        detections.append((detected_boxes, rng.integers(0, 6, k).astype(np.float32) / 5, detected_classes))
        truths.append((truth_boxes, truth_classes, rng.random(n) < 0.25))
    return detections, truths


def test_hand_computed_curve():
    # Falling score:  A (true), nowhere (false), B (true), B again (false), and C of the three truths never found.
    # Precision 1, 1/2, 2/3, 2/4 at recall 1/3, 1/3, 2/3, 2/3;
    # the envelope is 1 up to recall 1/3, then 2/3 up to recall 2/3, then 0.
    detections = [detection((A, 0.9, 0), (NOWHERE, 0.8, 0), (B, 0.7, 0), (B, 0.6, 0))]
    truths = [truth((A, 0), (B, 0), (C, 0))]
    # Area: 1/3 * 1 + 1/3 * 2/3 = 5/9.
    assert average_precision(detections, truths) == {0: pytest.approx(5 / 9, abs=1e-12)}
    # Recalls 0, .1, .2, .3 have precision 1, .4, .5, .6 have 2/3, .7 to 1 have 0: (4 + 2) / 11.
    assert average_precision(detections, truths, method="11point") == {0: pytest.approx(6 / 11, abs=1e-12)}


def test_eleven_points_count_a_recall_that_is_reached_exactly():
    # 3 of 10 truths found and nothing else: the recall 0.3 itself is reached, so 4 of the 11 points have precision 1.
    boxes = [[20 * i, 0, 20 * i + 10, 10] for i in range(10)]
    detections = [detection(*((box, 0.9, 0) for box in boxes[:3]))]
    truths = [truth(*((box, 0) for box in boxes))]
    assert average_precision(detections, truths, method="11point") == {0: pytest.approx(4 / 11, abs=1e-12)}


def test_overlap_at_the_threshold_matches_and_boxes_have_no_extra_pixel():
    # Half of the truth and nothing else: IoU 50/100 exactly; with an extra pixel a side it would be 66/121 = 6/11.
    detections, truths = [detection(([0, 0, 10, 5], 0.9, 0))], [truth((A, 0))]
    assert average_precision(detections, truths, iou_threshold=0.5) == {0: 1.0}
    assert average_precision(detections, truths, iou_threshold=0.51) == {0: 0.0}


def test_a_detection_never_settles_for_its_second_best_truth():
    # Both detections overlap the left truth most (IoU 1, and 90/110 against 80/120); the second also reaches the right.
    left, right = [0, 0, 100, 10], [30, 0, 130, 10]
    detections = [detection((left, 0.9, 0), ([10, 0, 110, 10], 0.8, 0))]
    matches = match(detections, [truth((left, 0), (right, 0))])[0]
    assert matches.true_positive.tolist() == [True, False]
    assert matches.truths.tolist() == [0, 0]
    # One true at recall 1/2, then one false: area 1/2.
    assert average_precision(detections, [truth((left, 0), (right, 0))]) == {0: 0.5}


def test_of_equal_overlaps_the_first_truth_is_taken():
    matches = match([detection((A, 0.9, 0))], [truth((B, 0), (A, 0), (A, 0))])[0]
    assert matches.truths.tolist() == [1]


def test_of_equal_scores_the_first_detection_is_taken():
    matches = match([detection((A, 0.5, 0), (A, 0.5, 0))], [truth((A, 0))])[0]
    assert matches.detections.tolist() == [0, 1]
    assert matches.true_positive.tolist() == [True, False]


def test_difficult_truths_count_neither_way():
    # The difficult A is found twice: neither helps nor harms. B is the only positive, found after both.
    detections = [detection((A, 0.9, 0), (A, 0.8, 0), (B, 0.7, 0))]
    truths = [truth((A, 0, True), (B, 0))]
    matches = match(detections, truths)[0]
    assert matches.ignored.tolist() == [True, True, False]
    assert matches.true_positive.tolist() == [False, False, True]
    assert matches.positives == 1
    assert average_precision(detections, truths) == {0: 1.0}
    # Without the mark the same boxes are true, false, true of two positives: 1/2 * 1 + 1/2 * 2/3.
    assert average_precision(detections, [pair[:2] for pair in truths]) == {0: pytest.approx(5 / 6, abs=1e-12)}


def test_classes_do_not_mix_and_absent_ones_are_left_out():
    # 0 is found, 1 has the right box with the wrong class, 2 was never detected, 3 was detected but has no truth,
    # 4 has a difficult one only.
    detections = [detection((A, 0.9, 0), (B, 0.9, 3), (C, 0.9, 4))]
    truths = [truth((A, 0), (B, 1), (C, 2), (C, 4, True))]
    assert average_precision(detections, truths) == {0: 1.0, 1: 0.0, 2: 0.0}
    assert list(match(detections, truths)) == [0, 1, 2, 3, 4]


def test_pictures_do_not_mix():
    # The detection lies on a truth of the other picture.
    assert average_precision([detection((A, 0.9, 0)), detection()], [truth(), truth((A, 0))]) == {0: 0.0}


@pytest.mark.parametrize(
    ("detections", "truths", "answer"),
    [
        ([], [], {}),
        ([([], [], [])], [([], [])], {}),
        ([detection()], [truth()], {}),
        ([([], [], [])], [([A], [2])], {2: 0.0}),
        ([([A], [0.5], [2])], [([], [], [])], {}),
    ],
)
@pytest.mark.parametrize("method", ["area", "11point"])
def test_nothing_detected_or_nothing_there(detections, truths, answer, method):
    assert average_precision(detections, truths, method=method) == answer


def test_boxes_without_area_match_nothing():
    empty = [5, 5, 5, 5]
    assert average_precision([detection((empty, 0.9, 0), (A, 0.8, 0))], [truth((A, 0), (empty, 0))]) == {0: 0.25}


def test_precision_recall_leaves_out_what_is_ignored():
    detections = [detection((A, 0.9, 0), (B, 0.8, 0), (NOWHERE, 0.7, 0))]
    precision, recall, scores = precision_recall(match(detections, [truth((A, 0, True), (B, 0), (C, 0))])[0])
    np.testing.assert_array_equal(precision, [1, 0.5])
    np.testing.assert_array_equal(recall, [0.5, 0.5])
    np.testing.assert_array_equal(scores, np.float32([0.8, 0.7]))
    assert np.isnan(precision_recall(match(detections, [truth()])[0])[1]).all()


@pytest.mark.parametrize("method", ["area", "11point"])
@pytest.mark.parametrize("iou_threshold", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_literal_reference(method, iou_threshold, seed):
    rng = np.random.default_rng(seed)
    detections, truths = random_set(rng, pictures=12, max_detections=14, max_truths=6, classes=3)
    answer = average_precision(detections, truths, iou_threshold=iou_threshold, method=method)
    reference = oracle.average_precision(detections, truths, iou_threshold, method)
    assert answer.keys() == reference.keys()
    np.testing.assert_allclose(list(answer.values()), list(reference.values()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_every_outcome_equals_the_literal_reference(seed):
    detections, truths = random_set(np.random.default_rng(seed), pictures=8, max_detections=20, max_truths=8, classes=2)
    seen = set()
    for class_id, matches in match(detections, truths).items():
        outcome = np.where(matches.ignored, "ignored", np.where(matches.true_positive, "true", "false")).tolist()
        answers, positives = oracle.outcomes(detections, truths, class_id, 0.5)
        assert list(zip(matches.scores.tolist(), outcome, strict=True)) == answers
        assert matches.positives == positives
        seen |= set(outcome)
    assert seen == {"true", "false", "ignored"}


@st.composite
def _sets(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    detections, truths = random_set(
        rng,
        pictures=draw(st.integers(1, 6)),
        max_detections=draw(st.integers(0, 8)),
        max_truths=draw(st.integers(0, 5)),
        classes=draw(st.integers(1, 3)),
        span=draw(st.integers(2, 6)),
    )
    # All scores different, so that no order of the pictures is preferred.
    scores = iter(rng.permutation(1000) / 1000)
    return [(boxes, [next(scores) for _ in boxes], classes) for boxes, _, classes in detections], truths


methods = st.sampled_from(["area", "11point"])


@settings(deadline=None, max_examples=60)
@given(_sets(), methods)
def test_is_a_fraction_whatever_the_order_of_pictures(sets, method):
    detections, truths = sets
    answer = average_precision(detections, truths, method=method)
    assert all(0 <= value <= 1 for value in answer.values())
    assert average_precision(detections[::-1], truths[::-1], method=method) == pytest.approx(answer, abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), methods)
def test_is_one_for_perfect_detections(seed, method):
    rng = np.random.default_rng(seed)
    truths = []
    for _ in range(3):
        # Different places of one lattice: no two truths are the same box.
        corner = np.stack(np.unravel_index(rng.choice(25, rng.integers(1, 9), replace=False), (5, 5)), axis=-1) * 10
        truths.append((np.concatenate([corner, corner + 8], axis=1), rng.integers(0, 3, len(corner))))
    detections = [(boxes, rng.random(len(boxes)), classes) for boxes, classes in truths]
    assert set(average_precision(detections, truths, method=method).values()) == {1.0}


@settings(deadline=None, max_examples=40)
@given(_sets(), methods, st.integers(0, 2))
def test_a_false_positive_of_lowest_score_never_helps(sets, method, class_id):
    detections, truths = sets
    boxes, scores, classes = detections[0]
    worse = (np.vstack([boxes, [NOWHERE]]), np.append(scores, -1.0), np.append(classes, class_id))
    before = average_precision(detections, truths, method=method)
    after = average_precision([worse, *detections[1:]], truths, method=method)
    assert before.keys() == after.keys()
    assert all(after[name] <= before[name] for name in before)


@pytest.mark.parametrize(
    ("detections", "truths", "options", "message"),
    [
        ([detection()], [], {}, "detections of 1 images, but truths of 0"),
        ([detection((A, np.nan, 0))], [truth()], {}, r"detections\[0\]: a score is NaN"),
        ([detection(([0, 0, np.nan, 1], 0.5, 0))], [truth()], {}, r"detections\[0\]: a box is NaN"),
        ([detection()], [truth(([0, 0, np.inf, 1], 0))], {}, r"truths\[0\]: a box is NaN or infinite"),
        ([([A], [0.5, 0.4], [0])], [truth()], {}, r"detections\[0\]: 1 boxes"),
        ([([A], [0.5], [])], [truth()], {}, r"detections\[0\]: 1 boxes"),
        ([([A], [0.5], [-1])], [truth()], {}, "whole number"),
        ([([A], [0.5], [0.5])], [truth()], {}, "whole number"),
        ([([A], [0.5])], [truth()], {}, "2 members, expected 3"),
        ([detection()], [([A], [0], [False], [1])], {}, "4 members, expected 2 or 3"),
        ([([A[:3]], [0.5], [0])], [truth()], {}, "shape"),
        ([], [], {"method": "12point"}, "method is '12point'"),
        ([], [], {"iou_threshold": 0.0}, "iou_threshold is 0.0"),
        ([], [], {"iou_threshold": 50}, "iou_threshold is 50"),
    ],
)
def test_refuses(detections, truths, options, message):
    with pytest.raises(ValueError, match=message):
        average_precision(detections, truths, **options)


def test_what_is_matched_once_gives_both_measures():
    detections, truths = random_set(np.random.default_rng(5), pictures=9, max_detections=12, max_truths=4, classes=3)
    matches = match(detections, truths)
    for method in ("area", "11point"):
        reference = oracle.average_precision(detections, truths, 0.5, method)
        assert precision_of_matches(matches, method) == pytest.approx(reference, rel=0, abs=1e-12)
    with pytest.raises(ValueError, match="method"):
        precision_of_matches(matches, "13point")
