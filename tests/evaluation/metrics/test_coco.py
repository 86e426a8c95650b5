import math

import numpy as np
import pytest

from tests.oracle import coco as oracle
from yolojax.evaluation import average_precision, coco_evaluate, coco_metrics

SMALL, MEDIUM, LARGE = [0, 0, 20, 20], [100, 0, 150, 50], [200, 0, 300, 100]
KEYS = {
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large",
}  # fmt: skip


def perfect(truths):
    return [(boxes, np.full(len(boxes), 0.9), classes) for boxes, classes, *_ in truths]


def test_perfect_detections_score_one_in_every_size():
    truths = [([SMALL, MEDIUM, LARGE], [0, 0, 7]), ([], [])]
    metrics, per_class, _ = coco_evaluate(perfect(truths), truths)
    assert metrics.keys() == KEYS
    # One detection a class in a picture: class 0 finds one of two, class 7 its only one.
    assert metrics.pop("ar_1") == pytest.approx(0.75)
    assert metrics == {name: pytest.approx(1.0) for name in metrics}
    one = pytest.approx(1.0)
    assert per_class == {0: {"ap": one, "ap50": one, "ap75": one}, 7: {"ap": one, "ap50": one, "ap75": one}}


@pytest.mark.parametrize("nothing", [([], [], []), (np.zeros((0, 4), np.float32), np.zeros(0), np.zeros(0, np.int32))])
def test_no_detections_score_zero_and_sizes_without_truth_are_undefined(nothing):
    metrics, per_class, _ = coco_evaluate([nothing], [([SMALL], [3])])
    undefined = {"ap_medium", "ap_large", "ar_medium", "ar_large"}
    assert {name for name, value in metrics.items() if math.isnan(value)} == undefined
    assert {value for name, value in metrics.items() if name not in undefined} == {0.0}
    assert per_class == {3: {"ap": 0.0, "ap50": 0.0, "ap75": 0.0}}


@pytest.mark.parametrize("truths", [[], [([], [])], [([LARGE], [0], [True])]])
def test_without_a_truth_that_counts_all_is_undefined(truths):
    metrics, per_class, _ = coco_evaluate([([SMALL], [0.5], [0])] * len(truths), truths)
    assert metrics.keys() == KEYS
    assert all(math.isnan(value) for value in metrics.values())
    assert per_class == {}


def test_the_ten_thresholds():
    # IoU 75/100 passes 0.50, 0.55 ... 0.75, six of the ten thresholds.
    metrics = coco_metrics([([[200, 0, 300, 75]], [0.9], [0])], [([LARGE], [0])])
    assert metrics["ap50"] == metrics["ap75"] == pytest.approx(1.0)
    assert metrics["ap"] == pytest.approx(0.6)
    assert metrics["ar_100"] == pytest.approx(0.6)


def test_hundred_and_one_recalls():
    # True, false, true of two truths: precision 1 up to recall 0.5 (51 of the 101 points), 2/3 up to 1 (50 points).
    detections = [([SMALL, [500, 500, 520, 520], MEDIUM], [0.9, 0.8, 0.7], [0, 0, 0])]
    _, per_class, _ = coco_evaluate(detections, [([SMALL, MEDIUM], [0, 0])])
    assert per_class[0]["ap50"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_first_truth_and_class_zero_are_found():
    # pycocotools keeps the id of what a detection matched, and reads 0 as nothing.
    assert coco_metrics([([SMALL], [0.9], [0])], [([SMALL], [0])])["ap"] == pytest.approx(1.0)


def test_detections_in_a_crowd_count_neither_way():
    crowd = [400, 400, 500, 500]
    detections = [([SMALL, [400, 400, 420, 420], [440, 440, 460, 460]], [0.5, 0.9, 0.8], [0, 0, 0])]
    # Two false positives come before the only true one, unless they lie in a crowd.
    assert coco_metrics(detections, [([SMALL], [0])])["ap50"] == pytest.approx(1 / 3)
    assert coco_metrics(detections, [([SMALL, crowd], [0, 0], [False, True])])["ap50"] == pytest.approx(1.0)
    # A class that has crowds only is left out of the mean.
    metrics, per_class, _ = coco_evaluate(detections, [([SMALL, crowd, LARGE], [0, 0, 5], [False, True, True])])
    assert metrics["ap50"] == pytest.approx(1.0)
    assert list(per_class) == [0]


def test_at_most_a_hundred_detections_a_class_and_picture_count():
    elsewhere = [[600, 600, 610, 610]] * 99
    detections = ([*elsewhere, LARGE], [0.9] * 99 + [0.5], [0] * 100)
    assert coco_metrics([detections], [([LARGE], [0])])["ar_100"] == pytest.approx(1.0)
    detections = ([elsewhere[0], *detections[0]], [0.9, *detections[1]], [0, *detections[2]])
    assert coco_metrics([detections], [([LARGE], [0])])["ar_100"] == 0.0


def test_inverted_and_empty_boxes_match_nothing():
    inverted, empty = [20, 0, 0, 20], [5, 5, 5, 5]
    metrics = coco_metrics([([inverted, empty, SMALL], [0.9, 0.8, 0.7], [0, 0, 0])], [([SMALL, empty], [0, 0])])
    # Two false positives, then one true of two truths: precision 1/3 up to recall 1/2.
    assert metrics["ap50"] == pytest.approx(51 / 101 / 3)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_voc_where_no_detection_can_choose_between_truths(seed):
    # Truths far apart, so that both rules match alike; what remains is 101 samples of a falling curve against its area,
    # which differ by at most one step of recall, 1/100.
    rng = np.random.default_rng(seed)
    detections, truths = [], []
    for _ in range(20):
        corner = np.stack(np.unravel_index(rng.choice(16, 6, replace=False), (4, 4)), axis=-1) * 100.0
        boxes, classes = np.concatenate([corner, corner + 50], axis=1), rng.integers(0, 3, 6)
        noisy = np.repeat(boxes, 2, axis=0) + rng.normal(0, 8, (12, 4))
        detections.append((noisy, rng.random(12), np.repeat(classes, 2)))
        truths.append((boxes, classes))
    metrics, per_class, _ = coco_evaluate(detections, truths)
    voc = average_precision(detections, truths, iou_threshold=0.5)
    assert 0.1 < metrics["ap50"] < 0.95
    for class_id, value in voc.items():
        assert per_class[class_id]["ap50"] == pytest.approx(value, abs=0.011)
    assert metrics["ap50"] == pytest.approx(np.mean([entry["ap50"] for entry in per_class.values()]))
    assert metrics["ap"] == pytest.approx(np.mean([entry["ap"] for entry in per_class.values()]))


def test_prints_nothing(capfd):
    coco_metrics([([SMALL], [0.9], [0])], [([SMALL], [0])])
    assert capfd.readouterr() == ("", "")


def test_refuses_lists_of_different_length():
    with pytest.raises(ValueError, match="detections of 2 images, but truths of 1"):
        coco_metrics([([], [], [])] * 2, [([], [])])


@pytest.mark.parametrize("seed", range(3))
def test_many_detections_beside_the_truths_count_as_they_do_where_they_are(seed):
    # Sides of a coarse lattice: overlaps of exactly 0.4 and 0.5 and equal scores all the time; far more than ten a class.
    rng = np.random.default_rng(seed)

    def boxes(count):
        corner = rng.integers(0, 6, (count, 2)) * 20
        return np.concatenate([corner, corner + rng.integers(1, 6, (count, 2)) * 20], axis=1).astype(np.float32)

    detections, truths = [], []
    for _ in range(6):
        n, k = rng.integers(0, 6), 60
        truths.append((boxes(n), rng.integers(0, 2, n), rng.random(n) < 0.2))
        found = np.concatenate([truths[-1][0], boxes(k)]) + (rng.random((n + k, 1)) < 0.3) * 300
        detections.append((found, np.round(rng.random(n + k), 1), rng.integers(0, 2, n + k)))
    expected = oracle.evaluate(detections, truths)
    metrics = np.array(list(coco_metrics(detections, truths).values()))
    assert expected is not None and metrics[6] < metrics[7] < metrics[8]
    np.testing.assert_array_equal(np.where(np.isnan(metrics), -1, metrics), expected.stats)
