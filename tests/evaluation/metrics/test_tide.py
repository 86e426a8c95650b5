import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.picture_sets import adversarial_sets, nothing, random_set, untrue
from tests.oracle import errors as oracle
from yolojax.evaluation.metrics.matching import flatten_and_match
from yolojax.evaluation.metrics.tide import KINDS, error_costs, error_kinds

A, B, C = [0, 0, 100, 100], [200, 0, 300, 100], [400, 0, 500, 100]


def matched(detections, truths):
    flat_detections, flat_truths, outcome = flatten_and_match(detections, truths)
    return flat_detections, outcome, flat_truths


def costs(detections, truths, classes=3):
    return error_costs(*matched(detections, truths), classes)


def different_scores(rng, detections):
    scores = iter(rng.permutation(10000) / 10000)
    return [(boxes, np.array([next(scores) for _ in boxes]), classes) for boxes, _, classes in detections]


def test_one_of_each_kind():
    boxes = [A, A, [0, 0, 100, 30], B, [200, 0, 300, 30], [700, 0, 800, 100]]
    detections = [(boxes, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [0, 0, 0, 0, 0, 0])]
    truths = [([A, B, C], [0, 1, 1])]
    kinds, culprits, missed = error_kinds(*matched(detections, truths))
    names = [KINDS[kind] if kind >= 0 else None for kind in kinds]
    assert names == [None, "duplicate", "location", "classification", "both", "background"]
    assert culprits.tolist() == [-1, -1, 0, 1, -1, -1]
    assert missed.tolist() == [False, False, True]


def test_the_limits_of_overlap():
    # IoU of half the truth is 0.5, of a tenth 0.1.
    half, tenth = [0, 0, 100, 50], [0, 0, 100, 10]
    for box, own, kind in ((tenth, True, "location"), (tenth, False, "background"), (half, False, "classification")):
        kinds, _, _ = error_kinds(*matched([([box], [0.9], [0])], [([A], [0 if own else 1])]))
        assert KINDS[kinds[0]] == kind
    kinds, _, _ = error_kinds(*matched([([A, half], [0.9, 0.8], [0, 0])], [([A], [0])]))
    assert KINDS[kinds[1]] == "duplicate"


def test_the_cost_of_each_kind_by_hand():
    def cost(detections, truths):
        return {kind: entry["ap50_cost"] for kind, entry in costs(detections, truths).items() if entry["ap50_cost"] > 0}

    one = pytest.approx(1.0)
    assert cost([([A], [0.9], [1])], [([A], [0])]) == {"classification": one}
    assert cost([([[0, 0, 100, 30]], [0.9], [0])], [([A], [0])]) == {"location": one}
    # Behind a false positive of higher score the truth is found at precision 1/2.
    half = pytest.approx(0.5)
    assert cost([([B, A], [0.9, 0.8], [0, 0])], [([A], [0])]) == {"background": half}
    assert cost([([[0, 200, 100, 230], A], [0.9, 0.8], [0, 0])], [([A, [0, 200, 100, 300]], [0, 1])]) == {
        "both": pytest.approx(0.25), "missed": pytest.approx(0.5)
    }  # fmt: skip
    # A twice, then B: precision 1 up to recall 1/2 (51 of 101), then 2/3.
    duplicate = pytest.approx(1 - (51 + 50 * 2 / 3) / 101)
    assert cost([([A, A, B], [0.9, 0.8, 0.7], [0, 0, 0])], [([A, B], [0, 0])]) == {"duplicate": duplicate}
    # Half of the truths at precision 1: 51 of 101.
    assert cost([([A], [0.9], [0])], [([A, B], [0, 0])]) == {"missed": pytest.approx(50 / 101)}
    assert cost([nothing()], [([A], [0])]) == {"missed": one}
    assert cost([([A, B], [0.9, 0.8], [0, 1])], [([A, B], [0, 1])]) == {}


def test_one_truth_is_corrected_once_by_the_better_of_two_errors():
    detections = [([A, [0, 0, 100, 30]], [0.9, 0.8], [1, 0])]
    answer = costs(detections, [([A], [0])])
    assert answer["classification"] == {"count": 1, "ap50_cost": pytest.approx(1.0)}
    # The location error is only taken away: the truth is the classification error's.
    assert answer["location"] == {"count": 1, "ap50_cost": 0.0}


def test_what_crowds_forgive_is_no_error():
    answer = costs([([A, A, B], [0.9, 0.8, 0.7], [0, 0, 1])], [([A, B], [0, 1], [True, False])])
    assert all(entry == {"count": 0, "ap50_cost": 0.0} for entry in answer.values())


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(3, 7))
def test_equals_one_box_at_a_time(seed, classes, span):
    rng = np.random.default_rng(seed)
    detections, truths = random_set(rng, classes=classes, span=span, pictures=4)
    detections = different_scores(rng, detections)
    kinds, culprits, missed = error_kinds(*matched(detections, truths))
    expected_kinds, expected_culprits, expected_missed = oracle.kinds(detections, truths)
    assert [KINDS[kind] if kind >= 0 else None for kind in kinds] == expected_kinds
    assert [culprit if culprit >= 0 else None for culprit in culprits.tolist()] == expected_culprits
    assert np.flatnonzero(missed).tolist() == expected_missed
    answer = costs(detections, truths, classes)
    expected_kinds += ["missed"] * len(expected_missed)
    assert {kind: entry["count"] for kind, entry in answer.items()} == {kind: expected_kinds.count(kind) for kind in KINDS}
    if all(crowds.all() for _, _, crowds in truths):
        assert all(math.isnan(entry["ap50_cost"]) for entry in answer.values())
    else:
        for kind, value in oracle.costs(detections, truths).items():
            assert answer[kind]["ap50_cost"] == pytest.approx(value, abs=1e-9), kind


@pytest.mark.parametrize("name", adversarial_sets())
def test_adversarial_sets_are_explained(name):
    detections, truths = adversarial_sets()[name]
    flat_detections, outcome, flat_truths = matched(detections, truths)
    kinds, _, _ = error_kinds(flat_detections, outcome, flat_truths)
    np.testing.assert_array_equal(kinds >= 0, (outcome.truths < 0) & ~outcome.ignored)
    answer = error_costs(flat_detections, outcome, flat_truths, 3)
    assert set(answer) == set(KINDS)
    for entry in answer.values():
        assert 0 <= entry["ap50_cost"] <= 1 if outcome.counted.any() else math.isnan(entry["ap50_cost"])


def test_nothing_at_all():
    answer = costs([nothing()], [untrue()])
    assert all(entry["count"] == 0 and math.isnan(entry["ap50_cost"]) for entry in answer.values())
