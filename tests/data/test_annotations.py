"""The rules for boxes, which every format's reader keeps."""

import numpy as np
import pytest

from yolojax.data.annotations import Record, check_boxes, check_boxes_in_picture, no_such_class
from yolojax.errors import InputError

FINE = [(0, 0, 1, 1), (0.2, 0, 0.8, 1), (0.5, 0.5, 1.25, 1), (-5, -1e3, 0.5, 1048575)]
FAULTY = [
    ((1, 2, np.nan, 9), "box too large", "box 1,2,nan,9 is larger than any picture; write pixels"),
    ((1, 2, np.inf, 9), "box too large", "box 1,2,inf,9 is larger than any picture; write pixels"),
    ((-(2.0**20), 2, 3, 9), "box too large", "box -1.04858e+06,2,3,9 is larger than any picture; write pixels"),
    ((9, 2, 1, 9), "inverted box", "box 9,2,1,9 is inverted: its right or lower edge comes before its left or upper edge"),
    ((1, 9, 1, 2), "inverted box", "box 1,9,1,2 is inverted: its right or lower edge comes before its left or upper edge"),
    ((1, 2, 1, 9), "box without area", "box 1,2,1,9 has no area"),
    ((1000, 2, 1000.00001, 9), "box without area", "box 1000,2,1000,9 has no area"),  # in float32
    ((0.25, 0.5, 1, 0.75), "normalised box", "box 0.25,0.5,1,0.75 looks like fractions of the picture (0 to 1); write pixels"),
]


def test_the_rules_for_boxes():
    corners = np.array([corners for corners, _, _ in FAULTY] + FINE)
    problems = []
    kept = check_boxes(corners, lambda row: f"list:{row}", lambda *problem: problems.append(problem))
    assert problems == [(kind, f"list:{row}: {message}") for row, (_, kind, message) in enumerate(FAULTY)]
    assert kept.tolist() == [False] * len(FAULTY) + [True] * len(FINE)


def test_with_advice_inverted_boxes_are_ones_without_area():
    problems = []
    check_boxes(np.array([(9.0, 2, 1, 9)]), lambda row: "a:1", lambda *problem: problems.append(problem), advice="write so")
    assert problems == [("box without area", "a:1: box 9,2,1,9 has no area; write so")]


def test_no_boxes():
    assert check_boxes(np.zeros((0, 4)), lambda row: "", lambda *problem: None).shape == (0,)


@pytest.mark.parametrize(
    ("box", "fine"),
    [
        ((0, 0, 100, 50), True),
        ((-10, -10, 20, 20), False),  # 400 of 900 square pixels are inside
        ((-5, -5, 20, 20), True),
        ((50, 0, 150, 50), True),  # exactly half
        ((51, 0, 151, 50), False),
        ((300, 200, 400, 300), False),
        ((-40, -40, -10, -10), False),
    ],
)
def test_boxes_in_picture(box, fine):
    record = Record("a.jpg", np.array([(1, 1, 9, 9), box], np.float32), np.zeros(2, np.int32), "list.txt:7")
    if fine:
        check_boxes_in_picture(record, 50, 100)
    else:
        with pytest.raises(InputError, match=r"list\.txt:7: box .* lies mostly outside a\.jpg, which is 100 "):
            check_boxes_in_picture(record, 50, 100)
    check_boxes_in_picture(Record("a.jpg", np.zeros((0, 4), np.float32), np.zeros(0, np.int32), "list.txt:7"), 50, 100)


def test_of_very_many_names_a_message_has_the_first():
    assert no_such_class("a.csv:2", "cow", ("cat", "dog")) == "a.csv:2: there is no class 'cow'; the names are cat, dog"
    assert no_such_class("a.csv:2", "cow", map(str, range(10**6))).endswith("17, 18, 19, ...")
