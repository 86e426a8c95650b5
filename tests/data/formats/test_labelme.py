"""LabelMe's files: shapes become boxes; what cannot be used is named by file and place."""

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.reading import boxes_of, problems_of, refused, write, write_pictures
from yolojax.data.convert import convert
from yolojax.data.formats.read import read_annotations, recognise, splits
from yolojax.errors import InputError


def shape(points, kind: object = "rectangle", label: object = "dog", **more):
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


def write_labelme(path, *shapes, picture="a.jpg", **more):
    content = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": picture, "imageData": None, "imageHeight": 40}
    return write(path, json.dumps({**content, "imageWidth": 60, **more}))


def test_shapes_become_boxes(tmp_path):
    write_pictures(tmp_path, "a.jpg")
    path = write_labelme(
        tmp_path / "a.json",
        shape([[1, 2], [30.5, 20]]),
        shape([[30.5, 20], [1, 2]], label="cat"),
        shape([[1, 20], [30.5, 2]]),
        shape([[5.5, 7], [1, 3], [9, 4]], "polygon"),
        shape([[10, 9], [13, 13]], "circle"),
        shape([[4, 5], [6, 7]], "mask", mask="iVBORw0KGgo="),
        shape([[5, 0], [10, 5], [5, 10], [0, 5]], "rotation", direction=0.78),
        shape([[1, 1], [5, 1], [5, 6], [1, 6]], difficult=True),
        *(shape([[1, 2], [3, 4]], kind, "line") for kind in ("line", "point", "linestrip")),
    )
    expected = [(1, 2, 30.5, 20)] * 3 + [(1, 3, 9, 7), (5, 4, 15, 14), (4, 5, 7, 8), (0, 0, 10, 10), (1, 1, 5, 6)]
    for data in (path, tmp_path):
        assert recognise(data) == "labelme" and splits(data) == ()
        content, problems = boxes_of(data)
        assert [row[1:] for row in content["a.jpg"]] == expected
        assert [row[0] for row in content["a.jpg"]] == ["dog", "cat"] + ["dog"] * 6
        assert [problem.kind for problem in problems] == ["polygon"] * 2 + ["mask", "rotated box"] + ["shape without box"] * 3
        assert problems[0].message == f"{path}: shapes[3]: a polygon became the box around it"
    names, (record,), _ = read_annotations(path)
    assert names == ("cat", "dog") and record.stated_size == (40, 60) and record.source == str(path)
    assert record.difficult.tolist() == [False] * 7 + [True]
    refused(path, r"a\.json: shapes\[1\]: there is no class 'cat'; the names are dog", names=("dog",))


def test_pictures(tmp_path):
    rect = shape([[1, 2], [3, 4]])
    write_pictures(tmp_path, "in/images/a.jpg", "in/labels/b.png", "in/c.jpg", "in/images/d.JPG")
    write_labelme(tmp_path / "in/labels/a.json", rect, picture="..\\images\\a.jpg")
    write_labelme(tmp_path / "in/labels/b.json", rect, picture="/home/someone/b.jpg")
    write_labelme(tmp_path / "in/labels/x.json", rect, picture="../c.jpg")
    write_labelme(tmp_path / "in/labels/y.json", rect, picture="C:\\data\\d.JPG", imageData="aGVsbG8=")
    content, problems = boxes_of(tmp_path / "in")
    assert set(content) == {"a.jpg", "b.png", "c.jpg", "d.JPG"} and all(len(rows) == 1 for rows in content.values())
    assert {problem.kind for problem in problems} == {"other form of name"}


def test_pictures_that_are_not_there(tmp_path):
    path = write_labelme(tmp_path / "a.json", shape([[1, 2], [3, 4]]), imageData="aGVsbG8=")
    refused(path, r"a\.json: the picture a\.jpg is only inside the file \(imageData\); write it beside the file")
    write_labelme(path, shape([[1, 2], [3, 4]]))
    refused(path, r"a\.json: there is no picture .*a\.jpg, nor one of the file's name beside it")
    write_pictures(tmp_path, "a.jpg", "b.jpg")
    other = write_labelme(tmp_path / "b.json", shape([[1, 2], [3, 4]]))
    refused(tmp_path, r"b\.json: imagePath is a\.jpg, but there is .*b\.jpg of the file's own name; remove or rename one")
    other.rename(tmp_path / "c.json")
    refused(tmp_path, r"c\.json: .*a\.jpg is already the picture of .*a\.json; keep one")


def test_splits(tmp_path):
    for number, place in enumerate(("train", "valid", "valid/more")):
        write_pictures(tmp_path, f"in/{place}/a{number}.jpg")
        rect = shape([[1, 2], [3, 4]], label="dog" if number else "cat")
        write_labelme(tmp_path / f"in/{place}/a{number}.json", rect, picture=f"a{number}.jpg")
    assert recognise(tmp_path / "in") == "labelme" and splits(tmp_path / "in") == ("train", "val")
    for split, count in (("train", 1), ("val", 2)):
        names, records, problems = read_annotations(f"{tmp_path}/in:{split}")
        assert names == ("cat", "dog") and len(records) == count and problems == []
    refused(f"{tmp_path}/in:test", r"there is no split 'test' \(there are: train, val\)")
    assert convert([tmp_path / "in"], "voc", tmp_path / "out")[:2] == ["train: 1 pictures, 1 boxes", "val: 2 pictures, 2 boxes"]


@pytest.mark.parametrize(
    "entry, match",
    [
        (shape([[1, 2]]), r"shapes\[0\]: the points of the rectangle are \[\[1, 2\]\], not pairs of pixels"),
        (shape([[1, 2], [3, "x"]]), r"shapes\[0\]: the points of the rectangle"),
        (shape([[1, 2], [3, 4], [5, 6]], "circle"), r"shapes\[0\]: the points of the circle"),
        (shape(None, "polygon"), r"shapes\[0\]: the points of the polygon are None"),
        (shape([[1, 2], [3, 4]], "cuboid"), r"shapes\[0\]: shape_type 'cuboid' is not read; draw a rectangle"),
        (shape([[1, 2], [3, 4]], label=""), r"shapes\[0\]: label '' is not a line of text"),
        (shape([[1, 2], [3, 4]], label=7), r"shapes\[0\]: label 7 is not a line of text"),
        (shape([[1, 2], [3, 4]], ["polygon"]), r"shapes\[0\]: shape_type \['polygon'\] is not read"),
        (7, r"shapes\[0\] is 7, not an object"),
    ],
)
def test_shapes_that_cannot_be_used(tmp_path, entry, match):
    write_pictures(tmp_path, "a.jpg")
    path = write_labelme(tmp_path / "a.json", entry)
    refused(path, rf"a\.json: {match}")
    assert len(problems_of(path)) == 1
    write_labelme(path, shape([[1, 2], [1, 4]]))
    assert [problem.kind for problem in read_annotations(path).problems] == ["box without area"]


def test_other_files(tmp_path):
    write_pictures(tmp_path, "a.jpg")
    write_labelme(tmp_path / "a.json", shape([[1, 2], [3, 4]]))
    other = write(tmp_path / "settings.json", "{}")
    assert [problem.kind for problem in read_annotations(tmp_path).problems] == ["other file"]
    write(other, "{\n")
    refused(tmp_path, r"settings\.json:2: malformed JSON")
    coco = write(tmp_path / "coco/instances.json", '{"images": [], "annotations": [], "categories": []}')
    assert recognise(coco) == "coco"


def test_a_large_picture_inside_does_not_hide_what_a_file_is(tmp_path):
    write_pictures(tmp_path, "a.jpg")
    path = write(tmp_path / "a.json", json.dumps({"imageData": "A" * 300_000, "shapes": [], "imagePath": "a.jpg"}))
    assert recognise(path) == "labelme" and boxes_of(path) == ({"a.jpg": []}, [])


_point = st.tuples(st.integers(-99, 99), st.integers(-99, 99))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(_point, min_size=3, max_size=9, unique_by=(lambda point: point[0], lambda point: point[1])), _point, _point)
def test_polygons_and_circles(tmp_path, points, centre, edge):
    write_pictures(tmp_path, "a.jpg")
    path = write_labelme(tmp_path / "a.json", shape(points, "polygon"), shape([centre, edge], "circle"))
    rows = boxes_of(path)[0]["a.jpg"]
    x1 = y1 = math.inf
    x2 = y2 = -math.inf
    for x, y in points:
        x1, y1, x2, y2 = min(x, x1), min(y, y1), max(x, x2), max(y, y2)
    assert rows[0][1:] == (x1, y1, x2, y2)
    if centre != edge:
        radius = math.dist(centre, edge)
        expected = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
        np.testing.assert_allclose(rows[1][1:], expected, atol=1e-4)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["rectangle", "polygon", "circle", "mask"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["label", "points", "shape_type", "imagePath", "imageHeight"]), inner)
    ),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.lists(_json, max_size=4), _json, _json)
def test_whatever_a_file_holds_there_is_one_clear_line(tmp_path, shapes, picture, height):
    path = write_labelme(tmp_path / "a.json", *shapes, picture=picture, imageHeight=height)
    try:
        read_annotations(path)
    except InputError as error:
        assert str(error).isprintable()
