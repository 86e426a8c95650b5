"""Lines of YOLO label files: nothing vanishes without a word."""

import re

import numpy as np
import pytest

from tests.helpers.yolo_folders import BOX, kinds, labelled_pictures
from yolojax.data.formats.read import read_annotations
from yolojax.errors import InputError


@pytest.fixture
def data(tmp_path):
    return labelled_pictures(tmp_path)


@pytest.mark.parametrize(
    ("line", "box"),
    [
        ("1 0.1 0.2 0.5 0.2 0.5 0.6", [8, 8, 40, 24]),
        ("1 0.1 0.2 0.5 0.2 0.5 0.6 0.1 0.6", [8, 8, 40, 24]),
        ("1 0.5 0.1 0.9 0.5 0.5 0.9 0.1 0.5", [8, 4, 72, 36]),
        ("1 0.1 0.2 0.5 0.2 0.5 0.6 0.1 0.6 0 0.4", [0, 8, 40, 24]),
    ],
)
def test_polygons_and_corners_become_the_boxes_around_them(data, line, box):
    _, (record,), problems = read_annotations(data(["a.png"], {"a.txt": BOX + line}))
    np.testing.assert_allclose(record.boxes, [[20, 10, 60, 30], box], rtol=1e-6)
    assert record.classes.tolist() == [0, 1]
    assert kinds(problems) == ["polygon"] and "labels/a.txt:2: a polygon of " in problems[0].message


def test_keypoints_follow_the_box_where_the_data_set_has_them(data):
    lines = f"{BOX.strip()} 5 7 2 0 0 0\n1 .5 .5 .5 .5\n"
    path = data(["a.png"], {"a.txt": lines}, "kpt_shape: [2, 3]\n")
    _, (record,), problems = read_annotations(path)
    assert record.boxes.tolist() == [[20, 10, 60, 30]] * 2 and problems == []
    with pytest.raises(InputError, match=r"a\.txt:1: 9 values, not 5 or, with its keypoints \(kpt_shape\), 11"):
        read_annotations(data(["a.png"], {"a.txt": "0 .5 .5 .5 .5 .1 .1 .2 .2"}, "kpt_shape: [2, 3]\n"))
    with pytest.raises(InputError, match="kpt_shape is 'x'; write"):
        read_annotations(data(["a.png"], {"a.txt": BOX}, "kpt_shape: x\n"))


def test_keypoints_that_nothing_announces_are_not_read_as_polygons(data):
    pose = "0 .5 .5 .4 .4 .4 .4 .6 .6 0 0\n"
    with pytest.raises(InputError, match=r"a\.txt: every line has 11 values, .* add kpt_shape: \[3, 2\]"):
        read_annotations(data(["a.png"], {"a.txt": pose * 5}))
    assert len(read_annotations(data(["a.png"], {"a.txt": pose * 5}, "kpt_shape: [3, 2]\n")).records[0].boxes) == 5
    pose = "0 .5 .5 .4 .4 .4 .4 1 .6 .6 1\n"
    with pytest.raises(InputError, match=r"add kpt_shape: \[2, 3\]"):
        read_annotations(data(["a.png"], {"a.txt": pose * 5}))
    polygons = "0 .1 .1 .3 .1 .5 .3 .3 .5 .1 .4\n"
    assert kinds(read_annotations(data(["a.png"], {"a.txt": polygons * 5})).problems) == ["polygon"] * 5
    assert kinds(read_annotations(data(["a.png"], {"a.txt": pose * 5 + BOX})).problems) == ["polygon"] * 5


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 .5 .5 .5 .5 .9", r"6 values, not 5; .*confidence \(save_conf\) marks predictions"),
        ("0 0,5 0,5 0,25 0,25", "has commas; write decimal points"),
        ("0,0.5,0.5,0.25,0.25", "has commas"),
        ("0 40 20 10 10", "is not normalised and looks like pixels; write fractions"),
        ("0 10 10 40 10 40 30", "is not normalised and looks like pixels"),
        ("0 .1 .1 .5 .1 .5 .6 .1", "8 values, not 5"),
        ("0 .1 .1 .5 .1 .5 nan", "is not normalised"),
        ("0 " + ".5 .5 " * 99 + "x .5", r"'0 \.5 .*\.\.\.' is not five numbers"),
        ("2 .1 .1 .5 .1 .5 .6", "class 2 has no name"),
        ("0 .1 .1 .1 .5 .1 .6", "has no area"),
    ],
)
def test_other_lines_are_named(data, line, message):
    path = data(["a.png"], {"a.txt": f"{BOX}{line}\n"})
    problems = []
    _, (record,), _ = read_annotations(path, on_problem=lambda *problem: problems.append(problem))
    assert len(record.boxes) == 1
    (told,) = (message for kind, message in problems if kind != "polygon")
    assert told.startswith(f"{path.parent}/labels/a.txt:2: ") and re.search(message, told)


def test_tabs_carriage_returns_and_a_byte_order_mark(data):
    path = data(["a.png"], {"a.txt": b"\xef\xbb\xbf0\t.5\t.5\t.5\t.5\r\n1.0 .5 .5 1 1\r\n\r\n"})
    assert read_annotations(path).records[0].boxes.tolist() == [[20, 10, 60, 30], [0, 0, 80, 40]]
