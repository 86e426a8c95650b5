import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.evaluation.metrics.curves import Counts, best_f1, f1_at, interpolated_precision, split_by_class


def test_interpolated_precision_by_hand():
    # True, false, true, of three: precision 1 up to recall 1/3 (recalls 0 to 0.33), 2/3 up to 2/3 (0.34 to 0.66), then none.
    curve = interpolated_precision(np.array([True, False, True]), 3)
    np.testing.assert_allclose(curve, [1] * 34 + [2 / 3] * 33 + [0] * 34)
    assert interpolated_precision(np.zeros(0, bool), 3).tolist() == [0] * 101


def test_best_f1_by_hand():
    # F1 at 0.9: 2 * 1 / (1 + 2) = 2/3; at 0.8: 2/4; at 0.7: 4/5, with precision 2/3 and recall 1; at 0.1: 4/6.
    counts = Counts(np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False]), 2)
    assert best_f1(counts) == {
        "score_threshold": 0.7, "precision": pytest.approx(2 / 3), "recall": 1.0, "f1": pytest.approx(4 / 5)
    }  # fmt: skip
    np.testing.assert_allclose(f1_at(counts, np.array([1, 0.9, 0.85, 0.7, 0])), [0, 2 / 3, 2 / 3, 4 / 5, 4 / 6])


def test_a_threshold_cannot_part_equal_scores():
    counts = Counts(np.array([0.5, 0.5, 0.5]), np.array([True, False, False]), 1)
    assert best_f1(counts) == {"score_threshold": 0.5, "precision": pytest.approx(1 / 3), "recall": 1.0, "f1": 0.5}


def test_of_equally_good_thresholds_the_highest_is_taken():
    # 2 * 1 / (1 + 3), then 2 * 2 / (5 + 3).
    counts = Counts(np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([True, False, False, False, True]), 3)
    assert best_f1(counts)["score_threshold"] == 0.9


def test_what_is_not_defined():
    none = Counts(np.zeros(0), np.zeros(0, bool), 0)
    assert all(math.isnan(value) for value in best_f1(none).values())
    assert all(math.isnan(value) for value in best_f1(Counts(np.ones(1), np.zeros(1, bool), 0)).values())
    assert np.isnan(f1_at(none, np.array([0.5]))).all()
    undetected = best_f1(none._replace(positives=2))
    assert (undetected["recall"], undetected["f1"]) == (0, 0)
    assert math.isnan(undetected["precision"]) and math.isnan(undetected["score_threshold"])
    assert f1_at(none._replace(positives=2), np.array([0, 0.5])).tolist() == [0, 0]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=20), st.integers(0, 5))
def test_best_f1_is_that_of_the_best_threshold(rows, more):
    rows.sort(key=lambda row: -row[0])
    hits = sum(hit for _, hit in rows)
    counts = Counts(np.array([s / 10 for s, _ in rows]), np.array([hit for _, hit in rows]), max(1, hits + more))
    answer = best_f1(counts)
    values = {}
    for threshold in {s / 10 for s, _ in rows}:
        kept = [hit for s, hit in rows if s / 10 >= threshold]
        precision, recall = sum(kept) / len(kept), sum(kept) / counts.positives
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
        values[threshold] = pytest.approx((precision, recall, f1))
        assert f1_at(counts, np.array([threshold]))[0] == pytest.approx(f1)
        assert answer["f1"] >= f1 - 1e-12
    assert values[answer["score_threshold"]] == (answer["precision"], answer["recall"], answer["f1"])


def test_split_by_class():
    parts = split_by_class(np.array([2, 0, 2, 3]), 5)
    assert [part.tolist() for part in parts] == [[1], [], [0, 2], [3], []]
    assert [part.tolist() for part in split_by_class(np.zeros(0, int), 1)] == [[]]
