"""The .csv of VIA: its shapes, and the attribute that is the class."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.reading import boxes_of, refused, write, write_pictures
from yolojax.data.formats.via import region_box

RECT = {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}


def write_via(path, *regions):
    """Writes one row for each (shape, attributes)."""
    write_pictures(path.parent, "a.jpg")
    quoted = [['"' + json.dumps(part).replace('"', '""') + '"' for part in region] for region in regions]
    rows = [f"a.jpg,9,{{}},{len(regions)},{place},{shape},{attributes}" for place, (shape, attributes) in enumerate(quoted)]
    header = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
    return write(path, "\n".join([header, *rows]) + "\n")


def test_shapes_become_boxes(tmp_path):
    shapes = [
        RECT,
        {"name": "polygon", "all_points_x": [5, 1, 9], "all_points_y": [7, 3, 4]},
        {"name": "circle", "cx": 10, "cy": 9, "r": 2.5},
        {"name": "ellipse", "cx": 10, "cy": 9, "rx": 4, "ry": 2, "theta": 0},
        {"name": "point", "cx": 10, "cy": 9},
    ]
    content, problems = boxes_of(write_via(tmp_path / "via.csv", *((shape, {"class": "dog"}) for shape in shapes)))
    boxes = [(1, 2, 4, 6), (1, 3, 9, 7), (7.5, 6.5, 12.5, 11.5), (6, 7, 14, 11)]
    assert content == {"a.jpg": [("dog", *box) for box in boxes]}
    assert [problem.kind for problem in problems] == ["polygon"] * 3 + ["shape without box"]
    assert problems[0].message == f"{tmp_path}/via.csv:3: a polygon became the box around it"


def test_pictures_without_regions(tmp_path):
    assert boxes_of(write_via(tmp_path / "via.csv", ({}, {})))[0] == {"a.jpg": []}


@pytest.mark.parametrize(
    "attributes, name",
    [
        ({"kind": "dog"}, "dog"),
        ({"Class": "dog", "sex": "f"}, "dog"),
        ({"type": {"dog": True, "cat": False}}, "dog"),
        ({"id": 3}, "3"),
    ],
)
def test_the_attribute_that_is_the_class(tmp_path, attributes, name):
    assert boxes_of(write_via(tmp_path / "via.csv", (RECT, attributes)))[0] == {"a.jpg": [(name, 1, 2, 4, 6)]}


@pytest.mark.parametrize(
    "shape, attributes, match",
    [
        (RECT, {"sex": "f", "age": "2"}, "VIA's regions have the attributes 'sex', 'age'; rename the one that is the class"),
        (RECT, {}, r"via\.csv:2: the box has no class that is a line of text"),
        (RECT, {"class": {"dog": True, "cat": True}}, r"via\.csv:2: the box has no class"),
        ({"name": "rect", "x": 1}, {"class": "dog"}, r"via\.csv:2: VIA's rect .* lacks a number"),
        ({"name": "polygon", "all_points_x": [1], "all_points_y": []}, {"class": "dog"}, "VIA's polygon .* lacks a number"),
        ({"name": "polygon", "all_points_x": [1, math.nan], "all_points_y": [1, 2]}, {"class": "dog"}, "lacks a number"),
        ({**RECT, "x": math.nan}, {"class": "dog"}, "larger than any picture"),
        ({"name": "star"}, {"class": "dog"}, "VIA's shape 'star' is not read; draw a rectangle or polygon"),
        ([1], {"class": "dog"}, r"region_shape_attributes '\[1\]' are not a shape"),
    ],
)
def test_regions_that_cannot_be_used(tmp_path, shape, attributes, match):
    refused(write_via(tmp_path / "via.csv", (shape, attributes)), match)


@given(st.lists(st.tuples(st.integers(-99, 99), st.integers(-99, 99)), min_size=1))
def test_polygons(points):
    x1 = y1 = float("inf")
    x2 = y2 = -x1
    for x, y in points:
        x1, y1, x2, y2 = min(x, x1), min(y, y1), max(x, x2), max(y, y2)
    xs, ys = zip(*points, strict=True)
    shape = json.dumps({"name": "polygon", "all_points_x": xs, "all_points_y": ys})
    said = []
    assert region_box(shape, "a.csv:1", lambda kind, message: said.append(kind)) == (x1, y1, x2, y2) and said == ["polygon"]
