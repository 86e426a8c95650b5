import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.evaluation.metrics.analysis import analyse
from yolojax.evaluation.metrics.picture_scores import picture_scores
from yolojax.evaluation.metrics.summary import summarize

A, B, C = [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]


def test_scores_of_a_hand_made_case():
    detections = [([A, B, C, A], [0.9, 0.8, 0.7, 0.2], [0, 1, 1, 0]), ([], [], []), ([A], [0.9], [0]), ([A], [0.9], [1])]
    truths = [([A, B, C], [0, 0, 1], [False, False, True]), ([A], [0]), ([], []), ([A], [0])]
    # In the first, B is of another class, C is forgiven, the last detection is below the score.
    assert picture_scores(detections, truths, score_threshold=0.5) == [
        {"truths": 2, "detections": 2, "matched": 1, "f1": 0.5},
        {"truths": 1, "detections": 0, "matched": 0, "f1": 0.0},
        {"truths": 0, "detections": 1, "matched": 0, "f1": 0.0},
        {"truths": 1, "detections": 1, "matched": 0, "f1": 0.0},
    ]
    assert picture_scores([([], [], [])], [([], [])], score_threshold=0.5)[0]["f1"] is None
    assert picture_scores([], [], score_threshold=0.5) == []


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_pictures_add_up_to_the_best_f1_of_the_split(seed, number):
    rng = np.random.default_rng(seed)
    detections, truths = [], []
    for _ in range(number):
        n, k = rng.integers(0, 5), rng.integers(0, 9)
        boxes = rng.integers(0, 4, (n + k, 2)) * 10
        boxes = np.concatenate([boxes, boxes + rng.integers(5, 15, (n + k, 2))], axis=1).astype(float)
        truths.append((boxes[:n], rng.integers(0, 2, n), rng.random(n) < 0.2))
        detections.append((boxes[n:], rng.integers(1, 10, k) / 10, rng.integers(0, 2, k)))
    best = analyse(summarize(detections, truths, ["a", "b"]), detections, truths, ["a", "b"])["best_f1"]
    if np.isnan(best["f1"]) or np.isnan(best["score_threshold"]):
        return
    scores = picture_scores(detections, truths, score_threshold=best["score_threshold"])
    total, detected, matched = (sum(score[key] for score in scores) for key in ("truths", "detections", "matched"))
    assert matched == pytest.approx(best["recall"] * total) and matched == pytest.approx(best["precision"] * detected)
    assert 2 * matched / (total + detected) == pytest.approx(best["f1"])
