"""What the XML of VOC annotations may look like: every object is used or named, with file and line."""

import math

import numpy as np
import pytest

from yolojax.data.formats.read import read_annotations
from yolojax.errors import InputError

BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>"
OTHER = BOX.replace(">1<", ">5<")
CAT = f"<object><name>cat</name>{BOX}</object>"


@pytest.fixture
def read(tmp_path):
    """Reads one annotation file of that text."""

    def read_text(text):
        for name, content in (("annotations/a.xml", text), ("annotations/z.xml", f"<annotation>{CAT}</annotation>")):
            for path in (tmp_path / name, tmp_path / name.replace("annotations", "images").replace("xml", "jpg")):
                path.parent.mkdir(exist_ok=True)
                path.write_text(content)
        names, records, problems = read_annotations(tmp_path)
        assert names == ("cat",)
        return records[0], problems

    return read_text


READ = {
    "objects at another depth": f"<annotation><objects>{CAT}</objects></annotation>",
    "another root": f"<annotations><annotation>{CAT}</annotation></annotations>",
    "two roots": f"<data><voc><annotation>{CAT}</annotation></voc></data>",
    "prefixes": f"<annotation>{CAT}</annotation>".replace("<", "<v:").replace("<v:/", "</v:"),
    "namespace": f'<annotation xmlns="urn:voc">{CAT}</annotation>',
    "upper case": f"<annotation>{CAT}</annotation>".replace("object", "Object").replace("xmin", "XMIN").replace("bnd", "BND"),
    "the same name twice": f"<annotation>{CAT.replace('<name>', '<name>cat</name><name>')}</annotation>",
    "the same box twice": f"<annotation>{CAT.replace(BOX, BOX * 2)}</annotation>",
    "box at another depth": f"<annotation>{CAT.replace(BOX, f'<shape>{BOX}</shape>')}</annotation>",
    "box and polygon": f"<annotation>{CAT.replace(BOX, BOX + '<polygon><x1>7</x1></polygon>')}</annotation>",
    "deleted in LabelMe": f"<annotation>{CAT}{CAT.replace('<name>cat', '<deleted>1</deleted><name>cow')}</annotation>",
}


@pytest.mark.parametrize("case", READ)
def test_objects_are_found(read, case):
    record, problems = read(READ[case])
    assert record.boxes.tolist() == [[1, 2, 30, 40]] and problems == []


def test_each_bndbox_of_an_object_is_a_box(read):
    record, _ = read(f"<annotation>{CAT.replace(BOX, BOX + OTHER)}</annotation>")
    assert record.boxes.tolist() == [[1, 2, 30, 40], [5, 2, 30, 40]]


def test_pictures_without_objects(read):
    for text in ("", "<filename>a.jpg</filename>", "<size><width>3</width></size>", "<segmented>0</segmented>"):
        record, problems = read(f"<annotation>{text}</annotation>")
        assert record.boxes.shape == (0, 4) and problems == []


REFUSED = {
    "CVAT": (
        "<annotations>\n<image><box/></image></annotations>",
        r"a\.xml:1: not an annotation: it looks like CVAT for images",
    ),
    "CVAT video": ("<annotations><track/></annotations>", "it looks like CVAT for video"),
    "random": ("<html><body/></html>", r"a\.xml:1: not an annotation: its root is <html>"),
    "two annotations": (f"<all>\n<annotation>{CAT}</annotation>\n<annotation>{CAT}</annotation></all>", r"a\.xml:3: .* are 2"),
    "stray box": (f"<annotation>\n{BOX}</annotation>", r"a\.xml:2: not an annotation: <bndbox> is not in an <object>"),
    "misspelt object": (f"<annotation>{CAT}\n{CAT.replace('object', 'objet')}</annotation>", r"a\.xml:2: .*<bndbox> is not in"),
    "object in an object": (
        f"<annotation>{CAT.replace('</object>', f'{CAT}</object>')}</annotation>",
        "an object in an object",
    ),
    "two names": (f"<annotation>\n{CAT.replace('<name>', '<name>dog</name><name>')}</annotation>", r":2: .*'dog' and 'cat'"),
    "two xmin": (
        f"<annotation>{CAT.replace('<xmin>', '<xmin>7</xmin><xmin>')}</annotation>",
        r"a\.xml:1: the bndbox has 2 xmin",
    ),
    "no name in one": ("<annotation><object><name/></object></annotation>", "the object has no name"),
    "fractions": (f"<annotation>{CAT.replace('30', '0.3').replace('40', '0.4').replace('2', '0')}</annotation>", "fractions"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_unsure_is_refused(read, case):
    text, message = REFUSED[case]
    if case == "fractions":
        text = text.replace(">1<", ">0.1<")
    with pytest.raises(InputError, match=message) as caught:
        read(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "polygon",
    [
        "<x1>1</x1><y1>9</y1><x2>30</x2><y2>2</y2><x3>20</x3><y3>40</y3>",
        "<pt><x>1</x><y>9</y></pt><pt><x>30</x><y>2</y></pt><pt><x>20</x><y>40</y></pt>",
    ],
)
def test_polygons_become_boxes(read, polygon):
    record, ((kind, message),) = read(f"<annotation>\n{CAT.replace(BOX, f'<polygon>{polygon}</polygon>')}</annotation>")
    assert record.boxes.tolist() == [[1, 2, 30, 40]]
    assert kind == "polygon" and message.endswith("a.xml:2: a polygon")


@pytest.mark.parametrize("polygon", ["", "<x1>1</x1>", "<x1>1</x1><y1>1</y1><x2>a</x2><y2>2</y2>", "<points>1,2;3,4</points>"])
def test_polygons_without_points_are_refused(read, polygon):
    with pytest.raises(InputError, match=r"the polygon has|is not a number"):
        read(f"<annotation>{CAT.replace(BOX, f'<polygon>{polygon}</polygon>')}</annotation>")


def rotated(angle):
    shape = f"<robndbox><cx>50</cx><cy>40</cy><w>20</w><h>10</h><angle>{angle}</angle></robndbox>"
    return f"<annotation>{CAT.replace(BOX, shape)}</annotation>"


@pytest.mark.parametrize("angle", [0, 0.3, math.pi / 2, 2.5, -1])
def test_rotated_boxes_become_upright(read, angle):
    record, ((kind, _),) = read(rotated(angle))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    corners = np.array([[-10, -5], [10, -5], [10, 5], [-10, 5]]) @ turn.T + [50, 40]
    np.testing.assert_allclose(record.boxes[0], [*corners.min(0), *corners.max(0)], atol=1e-4)
    assert kind == "rotated box"


def test_angles_in_degrees_are_refused(read):
    with pytest.raises(InputError, match="the angle 45 is not in radians"):
        read(rotated(45))


@pytest.mark.parametrize(("value", "difficult"), [("0", False), ("", False), ("false", False), ("1", True), ("True", True)])
def test_difficult(read, value, difficult):
    record, _ = read(f"<annotation>{CAT.replace('<name>', f'<difficult>{value}</difficult><name>')}</annotation>")
    assert record.difficult.tolist() == [difficult]


@pytest.mark.parametrize(
    ("size", "stated"),
    [
        ("<width>640</width><height>480.0</height>", (480, 640)),
        ("<width>0</width><height>480</height>", None),
        ("<width>640</width>", None),
        ("<width>wide</width><height>nan</height>", None),
        ("<width>-1</width><height>inf</height>", None),
        ("", None),
    ],
)
def test_stated_sizes(read, size, stated):
    record, _ = read(f"<annotation><size>{size}</size>{CAT}</annotation>")
    assert record.stated_size == stated
