"""Rows of boxes become records."""

import numpy as np
import pytest

from yolojax.data.formats.rows import Row, make_record
from yolojax.data.problems import refuse
from yolojax.errors import InputError

ROWS = [
    Row((1, 2, 30.5, 40), 3, "a.xml:2"),
    Row((5, 6, 5, 60), 1, "a.xml:7"),
    Row((0, 0, 9, 9), 0, "a.xml:12", difficult=True),
    Row((2, 2, 4, 4), 1, "a.xml:17", crowd=True),
]


def test_boxes_keep_their_order_classes_and_marks_and_faulty_ones_are_left_out():
    problems = []
    record = make_record("a.png", "a.xml", iter(ROWS), lambda *problem: problems.append(problem))
    assert (record.path, record.source) == ("a.png", "a.xml")
    np.testing.assert_array_equal(record.boxes, [[1, 2, 30.5, 40], [0, 0, 9, 9], [2, 2, 4, 4]])
    assert record.classes.tolist() == [3, 0, 1]
    assert record.difficult.tolist() == [False, True, False] and record.crowd.tolist() == [False, False, True]
    assert [array.dtype for array in (record.boxes, record.classes, record.difficult)] == [np.float32, np.int32, bool]
    assert problems == [("box without area", "a.xml:7: box 5,6,5,60 has no area")]


def test_a_faulty_box_is_refused_with_its_place():
    with pytest.raises(InputError, match=r"^a\.xml:7: "):
        make_record("a.png", "a.xml", ROWS, refuse)


def test_a_picture_without_boxes_has_arrays_of_the_same_shapes():
    record = make_record("a.png", "a.xml", [], refuse)
    assert record.boxes.shape == (0, 4) and record.classes.shape == record.difficult.shape == record.crowd.shape == (0,)
    assert record.boxes.dtype == np.float32 and record.classes.dtype == np.int32
