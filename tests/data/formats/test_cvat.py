"""CVAT for images: shapes become boxes, subsets splits; what cannot be used is named by line."""

import cmath
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.reading import boxes_of, problems_of, refused, write, write_pictures
from yolojax.data.convert import convert
from yolojax.data.formats.read import read_annotations, recognise, splits

LABELS = """<meta><task><labels>
<label><name>dog</name><type>any</type></label><label><name>person</name><type>skeleton</type></label>
<label><name>nose</name><type>points</type><parent>person</parent></label><label><name>cat</name></label>
</labels></task></meta>"""


def write_cvat(folder, *shapes, meta=LABELS, image='name="a.jpg" width="60" height="40"', more=""):
    """Writes a file with one picture, its shapes on lines of their own: the first is on line 3."""
    content = f"<annotations><version>1.1</version>{meta.replace(chr(10), '')}\n<image id='0' {image}>\n"
    return write(folder / "annotations.xml", content + "\n".join(shapes) + f"\n</image>{more}</annotations>\n")


def box(label="dog", corners=(1, 2, 30.5, 20), **attributes):
    x1, y1, x2, y2 = corners
    more = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f'<box label="{label}" xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}"{more}><attribute name="age">2</attribute></box>'


@pytest.mark.parametrize("place", ["images/", "", "images/default/"])
def test_boxes(tmp_path, place):
    write_pictures(tmp_path, f"{place}a.jpg")
    path = write_cvat(tmp_path, box(), box("cat", (0, 0, 5, 5), rotation="0.0", occluded="1", z_order="0"))
    for data in (path, tmp_path):
        assert recognise(data) == "cvat" and splits(data) == ()
        content, problems = boxes_of(data)
        assert content == {"a.jpg": [("dog", 1, 2, 30.5, 20), ("cat", 0, 0, 5, 5)]} and problems == []
    names, (record,), _ = read_annotations(path)
    assert names == ("dog", "cat") and record.stated_size == (40, 60) and record.source == f"{path}:2"
    assert read_annotations(path, names=("cat", "dog")).records[0].classes.tolist() == [1, 0]
    refused(path, r"annotations\.xml:4: there is no class 'cat'; the names are dog, cow", names=("dog", "cow"))
    assert read_annotations(write_cvat(tmp_path, box(), box("ant"), meta="")).names == ("ant", "dog")
    path.rename(tmp_path / "export.xml")
    assert recognise(tmp_path) == "cvat" and len(read_annotations(tmp_path).records) == 1


def test_other_shapes(tmp_path):
    write_pictures(tmp_path, "images/a.jpg")
    path = write_cvat(
        tmp_path,
        '<polygon label="dog" points="5.5,7;1,3;9,4" occluded="0"></polygon>',
        '<mask label="cat" rle="1, 2, 3" left="4" top="5" width="6" height="7"/>',
        '<ellipse label="cat" cx="10" cy="9" rx="4" ry="2"/>',
        box(corners=(10, 10, 30, 20), rotation="90"),
        '<polyline label="dog" points="1,2;3,4"/>',
        '<points label="dog" points="1,2"/>',
        '<tag label="dog"/>',
        '<skeleton label="person"><points label="nose" points="1,2"/></skeleton>',
    )
    content, problems = boxes_of(path)
    assert [row[0] for row in content["a.jpg"]] == ["dog", "cat", "cat", "dog"]
    expected = [(1, 3, 9, 7), (4, 5, 10, 12), (6, 7, 14, 11), (15, 5, 25, 25)]
    np.testing.assert_allclose([row[1:] for row in content["a.jpg"]], expected, atol=1e-5)
    kinds = ["polygon", "mask", "polygon", "rotated box"] + ["shape without box"] * 4
    assert [problem.kind for problem in problems] == kinds
    assert [problem.message.split(": ")[0] for problem in problems] == [f"{path}:{line}" for line in range(3, 11)]


def test_subsets_are_splits(tmp_path):
    write_pictures(tmp_path / "in", "images/Train/a.jpg", "images/Validation/b.jpg", "images/Validation/c.jpg")
    more = "".join(f"<image name='{name}.jpg' subset='Validation'>{box('cat')}</image>" for name in "bc")
    path = write_cvat(tmp_path / "in", box(), image='name="a.jpg" subset="Train"', more=more)
    assert splits(path) == splits(path.parent) == ("train", "val")
    for split, count in (("train", 1), ("val", 2)):
        names, records, problems = read_annotations(f"{path.parent}:{split}")
        assert names == ("dog", "cat") and len(records) == count and problems == []
    refused(f"{path}:test", r"there is no subset 'test' \(there are: train, val\)")
    lines = convert([path], "coco", tmp_path / "out")
    assert lines[:2] == ["train: 1 pictures, 1 boxes", "val: 2 pictures, 2 boxes"]


@pytest.mark.parametrize(
    "shape, match",
    [
        (box(corners=(1, 2, "x", 4)), "xbr 'x' of the box is not a number"),
        (box(rotation="1e999"), "rotation '1e999' of the box is not a number"),
        (box(rotation="much"), "rotation 'much' of the box is not a number"),
        ('<box label="dog" xtl="1"/>', "ytl '' of the box is not a number"),
        ('<mask label="dog" left="1"/>', "top '' of the mask is not a number"),
        ('<polygon label="dog" points="1,2;3"/>', "the points of the polygon are not x,y;x,y"),
        ('<polygon label="dog"/>', "the points of the polygon are not x,y;x,y"),
        (box(corners=(9, 2, 3, 4)), "box 9,2,3,4 is inverted"),
        (box(corners=(9, 2, 3, 4), rotation="30"), "the rotated box is inverted"),
        (box(""), "the box has no label"),
        (box("cow"), "there is no class 'cow'; the names are dog, cat"),
        ("<sphere label='dog'/>", "<sphere> is not a shape of CVAT"),
    ],
)
def test_shapes_that_cannot_be_used(tmp_path, shape, match):
    write_pictures(tmp_path, "images/a.jpg")
    path = write_cvat(tmp_path, shape)
    refused(path, rf"annotations\.xml:3: {match}")
    assert len(problems_of(path)) == 1


def test_files_that_cannot_be_used(tmp_path):
    path = write(tmp_path / "annotations.xml", "<annotations><track id='0'><box/></track></annotations>")
    refused(tmp_path, r"annotations\.xml: the file is CVAT for video \(<track>\); export the task as 'CVAT for images 1\.1'")
    write(path, "<annotations><image></annotations>")
    refused(path, r"annotations\.xml:1: malformed XML")
    write(path, "<annotations></annotations>")
    refused(path, "there is no <image> in it")
    write_cvat(tmp_path, box(), more="<image name='a.jpg'/>")
    write_pictures(tmp_path, "images/a.jpg")
    refused(path, r"annotations\.xml:4: the image a\.jpg is already at line 2; keep one")
    write_cvat(tmp_path, box(), image='width="3"')
    refused(path, r"annotations\.xml:2: the image's name '' is not a line of text")
    write_cvat(tmp_path, box(), image='name="b.jpg"')
    refused(path, r"annotations\.xml:2: there is no picture b\.jpg in any of .*images, ")


_side = st.integers(-50, 50)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(_side, _side, st.integers(1, 50), st.integers(1, 50), st.floats(-360, 360).map(lambda angle: round(angle, 2)))
def test_rotated_boxes_against_their_corners(tmp_path, x, y, width, height, degrees):
    write_pictures(tmp_path, "a.jpg")
    path = write_cvat(tmp_path, box(corners=(x, y, x + width, y + height), rotation=degrees))
    centre, turn = complex(x + width / 2, y + height / 2), cmath.exp(1j * math.radians(degrees))
    corners = [centre + turn * complex(a * width / 2, b * height / 2) for a in (-1, 1) for b in (-1, 1)]
    real, imaginary = [corner.real for corner in corners], [corner.imag for corner in corners]
    ((row,),) = boxes_of(path)[0].values()
    np.testing.assert_allclose(row[1:], (min(real), min(imaginary), max(real), max(imaginary)), atol=1e-4)
