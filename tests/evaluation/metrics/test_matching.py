import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.picture_sets import adversarial_sets, random_set
from tests.oracle import coco as oracle
from yolojax.boxes import pairwise_iou
from yolojax.evaluation import coco_evaluate
from yolojax.evaluation.metrics.coco import METRICS
from yolojax.evaluation.metrics.curves import counts_by_class, interpolated_precision
from yolojax.evaluation.metrics.inputs import FlatDetections, FlatTruths, flatten
from yolojax.evaluation.metrics.matching import (
    ALL_SIZES,
    SIZES,
    Pairs,
    assign_greedily,
    by_score,
    match_as_coco,
    overlapping_pairs,
    strongest,
)

THRESHOLDS = np.linspace(0.5, 0.95, 10)


def check_equals_pycocotools(detections, truths):
    """Precision at the 101 recalls and recall, at every IoU, size and number of detections, and all that is made of them."""
    reference = oracle.evaluate(detections, truths)
    metrics, per_class, per_size = coco_evaluate(detections, truths)
    if reference is None:
        assert all(math.isnan(value) for value in metrics.values()) and per_class == {}
        return
    # The library on regrouped pictures says what it says on the pictures as they are.
    np.testing.assert_allclose(np.nan_to_num(list(metrics.values()), nan=-1), reference.stats, rtol=0, atol=1e-12)
    assert tuple(metrics) == METRICS

    precision, recall = reference.eval["precision"], reference.eval["recall"]
    flat_detections, flat_truths = flatten(detections, truths)
    flat_detections = by_score(flat_detections)[0]
    names = reference.params.catIds
    for limit, max_detections in enumerate((1, 10, 100)):
        cut = strongest(flat_detections, max_detections)
        for size, area_range in enumerate((ALL_SIZES, *SIZES.values())):
            for place, iou_threshold in enumerate(THRESHOLDS):
                outcome = match_as_coco(cut, flat_truths, iou_threshold=iou_threshold, area_range=area_range)
                counts, _ = counts_by_class(
                    cut, outcome, flat_truths.classes, 1 + max([*flat_detections.classes, *flat_truths.classes])
                )
                for column, name in enumerate(names):
                    _, hits, positives = counts[name]
                    answer = interpolated_precision(hits, positives) if positives else np.full(101, -1.0)
                    np.testing.assert_allclose(answer, precision[place, :, column, size, limit], rtol=0, atol=1e-9)
                    reached = hits.sum() / positives if positives else -1
                    assert reached == pytest.approx(recall[place, column, size, limit], abs=1e-9)
    for column, name in enumerate(names):
        answer = per_class[name]["ap75"] if name in per_class else -1
        assert answer == pytest.approx(precision[5, :, column, 0, 2].mean(), abs=1e-12)
    for size, name in enumerate(SIZES, start=1):
        values = precision[0, :, :, size, 2]
        expected_value = values[values > -1].mean() if (values > -1).any() else math.nan
        assert per_size[name]["ap50"] == pytest.approx(expected_value, abs=1e-12, nan_ok=True)
        assert per_size[name]["ap"] == pytest.approx(metrics[f"ap_{name}"], abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", adversarial_sets())
def test_equals_pycocotools_on_adversarial_sets(name):
    check_equals_pycocotools(*adversarial_sets()[name])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.integers(1, 4), st.integers(0, 16), st.integers(0, 8))
def test_equals_pycocotools_where_everything_ties(seed, span, classes, detections, truths):
    rng = np.random.default_rng(seed)
    check_equals_pycocotools(*random_set(rng, span=span, classes=classes, max_detections=detections, max_truths=truths))


@pytest.mark.parametrize("seed", range(2))
def test_equals_pycocotools_on_a_larger_set(seed):
    rng = np.random.default_rng(seed)
    check_equals_pycocotools(*random_set(rng, pictures=30, max_detections=150, max_truths=12, classes=2, span=12, scale=10))


def one_after_the_other(wishes, shared, settle):
    taken, gone = [], set()
    for wanted in wishes:
        if not settle:
            wanted = wanted[:1]
        choice = next((truth for truth in wanted if shared[truth] or truth not in gone), -1)
        gone.add(choice)
        taken.append(choice)
    return taken


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_assignment_is_that_of_one_after_the_other(data):
    truths = data.draw(st.integers(1, 6))
    wishes = data.draw(st.lists(st.lists(st.integers(0, truths - 1), unique=True), max_size=12))
    shared = np.array(data.draw(st.lists(st.booleans(), min_size=truths, max_size=truths)))
    settle = data.draw(st.booleans())
    detections = np.repeat(np.arange(len(wishes)), [len(wanted) for wanted in wishes])
    pairs = Pairs(detections, np.array([t for wanted in wishes for t in wanted], int), np.ones(len(detections)))
    answer = assign_greedily(pairs, len(wishes), truths, shared, settle=settle)
    assert answer.tolist() == one_after_the_other(wishes, shared, settle)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([0.1, 0.5, 1.0]))
def test_pairs_are_those_of_the_full_table(seed, across_classes, minimum):
    flat_detections, flat_truths = flatten(*random_set(np.random.default_rng(seed)))
    table = pairwise_iou(flat_detections.boxes_xyxy, flat_truths.boxes_xyxy)
    same_group = flat_detections.pictures[:, None] == flat_truths.pictures
    if not across_classes:
        same_group &= flat_detections.classes[:, None] == flat_truths.classes
    detections, truths = np.nonzero(same_group & (table >= minimum))
    pairs = overlapping_pairs(flat_detections, flat_truths, minimum, across_classes=across_classes)
    np.testing.assert_array_equal(pairs.detections, detections)
    np.testing.assert_array_equal(pairs.truths, truths)
    np.testing.assert_array_equal(pairs.overlaps, table[detections, truths])


def test_a_crowd_is_overlapped_by_the_share_inside():
    flat_detections = FlatDetections(np.array([[0, 0, 10, 10], [95, 0, 105, 10], [5, 5, 5, 9.0]]), *(np.zeros(3, int),) * 3)
    flat_truths = FlatTruths(np.array([[0, 0, 100, 100.0]]), np.zeros(1, int), np.ones(1, bool), np.zeros(1, int))
    assert overlapping_pairs(flat_detections, flat_truths, 0.5, crowds=True).overlaps.tolist() == [1, 0.5]


def test_a_picture_of_millions_of_pairs_is_matched_in_portions():
    side = np.arange(45) * 20.0
    corner = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    boxes = np.concatenate([corner, corner + 10], axis=1)
    zeros = np.zeros(len(boxes), int)
    began = time.process_time()
    outcome = match_as_coco(
        FlatDetections(boxes, np.ones(len(boxes)), zeros, zeros), FlatTruths(boxes, zeros, zeros.astype(bool), zeros)
    )
    assert outcome.truths.tolist() == list(range(45**2))
    assert time.process_time() - began < 30
