"""Arbitrary and damaged annotation files: records or one line, the same whether the first problem is raised or all are told."""

import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yolojax.data.check import Problem, describe, find_problems
from yolojax.data.formats.read import read_annotations, read_data, splits
from yolojax.data.formats.text import TEXT
from yolojax.data.image_size import try_pictures
from yolojax.data.images import write_image
from yolojax.data.problems import KINDS
from yolojax.errors import InputError, one_line
from yolojax.grid import AnchorGrid

OBJECT = (
    "<object><name>cat</name><difficult>0</difficult>\n<bndbox><xmin>1</xmin><ymin>2</ymin>\n<xmax>9</xmax><ymax>8</ymax>"
    "</bndbox></object>\n"
)
COCO = {
    "images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 7, 6], "iscrowd": 0},
        {"id": 2, "image_id": 2, "category_id": 4, "bbox": [0.5, 2, 7, 6]},
    ],
    "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}],
}
# What is read, the file of it that is damaged, and what that holds.
FILES = {
    "text": ("a.txt", "a.txt", "a.png 1,2,9,8,0 3,3,7.5,7,1\nb.png\nJPEGImages/v.png 1,2,8,8,1\n"),
    "voc": ("", "Annotations/v.xml", f"<annotation><filename>v.png</filename>\n{OBJECT}{OBJECT}</annotation>"),
    "voc split": (":train", "ImageSets/Main/train.txt", "v\nw\n"),
    "coco": ("c.json", "c.json", json.dumps(COCO, indent=0)),
    "yolo": ("data.yaml", "data.yaml", "train: images\nval: l.txt\nnc: 2\nnames:\n  0: cat\n  1: dog\n"),
    "yolo label": ("data.yaml", "labels/i.txt", "0 .5 .5 .25 .25\n1 .4 .4 .2 .1\n"),
    "yolo list": ("data.yaml:val", "l.txt", "./images/i.png\nimages/j.png\n"),
}
PIECES = st.one_of(
    st.binary(max_size=4).filter(lambda piece: b"/" not in piece),  # a data.yaml may mean the whole disk by it
    st.sampled_from(
        [b"nan", b"-", b"1e999", b"\0", b"\n", b"\r\n", b"\xff", b"\xef\xbb\xbf", b"null", b"true", b"[", b"{", b'"', b"&a",
         b"*a", b"!!timestamp x", b"!!int ''", b"!!bool x", b"!!python/name:os.system", b"<<: ", b"<a>", b"&b;", b"\\ud800"]
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder that is a data set of every format at once."""
    folder = tmp_path_factory.mktemp("whole")
    for name in ("Annotations", "ImageSets/Main", "JPEGImages", "images", "labels"):
        (folder / name).mkdir(parents=True)
    for name in ("a", "b", "JPEGImages/v", "JPEGImages/w", "images/i", "images/j"):
        write_image(folder / f"{name}.png", np.zeros((10, 12, 3), np.uint8))
    (folder / "Annotations/w.xml").write_text(f"<annotation>{OBJECT.replace('cat', 'dog')}</annotation>")
    (folder / "names").write_text("cat\ndog\n")
    return folder


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("form", FILES)
@given(data=st.data())
def test_damage_is_told_and_refused_alike(whole, form, data):
    for _, file, text in FILES.values():
        (whole / file).write_text(text)
    suffix, file, text = FILES[form]
    text = bytearray(text.encode())
    if data.draw(st.integers(0, 4)) == 0:
        text = bytearray(data.draw(st.binary(max_size=40)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        text[place : place + data.draw(st.integers(0, 9))] = data.draw(PIECES)
    (whole / file).write_bytes(text)
    path = f"{whole}{suffix}" if suffix.startswith(":") else os.path.join(whole, suffix).removesuffix("/")
    names = str(whole / "names") if form == "text" else None

    def attempt(read):
        try:
            return read(), None
        except InputError as error:
            assert "\n" not in str(error) and str(whole) in str(error)
            return None, str(error)

    told, problems = [], []
    strict, refused = attempt(lambda: read_annotations(path, names=("cat", "dog") if names else None))
    # All that comes, as `read_annotations` tells it, and as a report has it.
    _, ended = attempt(
        lambda: read_annotations(path, names=("cat", "dog") if names else None, on_problem=lambda *p: told.append(p))
    )
    stops = TEXT.stops if form == "text" else ()
    first = next((message for kind, message in told if kind not in KINDS or kind in stops), ended)
    assert refused == (first and one_line(first))
    if strict:
        assert all(len(r.boxes) == len(r.classes) == len(r.difficult) == len(r.crowd) for r in strict.records)
        assert all(((r.boxes[:, 2:] > r.boxes[:, :2]).all() and (r.classes < len(strict.names)).all()) for r in strict.records)
        assert {kind for kind, _ in strict.problems} == {kind for kind, _ in told}
    read, ended = attempt(lambda: read_data(path, names, lambda *p: problems.append(Problem(*p))))
    if read:
        class_names, records = read
        sizes = try_pictures(records)
        problems += find_problems(records, sizes, class_names)
        report = describe(records, sizes, class_names, AnchorGrid((64, 64)), problems)
        assert all(one_line(message) in report for _, message in problems)
    attempt(lambda: splits(path.removesuffix(":train").removesuffix(":val")))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_data_yaml_of_any_values(whole, data):
    for _, file, text in FILES.values():
        (whole / file).write_text(text)
    scalar = st.sampled_from(
        ["images", "l.txt", "cat", "", "2", "no", "~", ".nan", "2001-01-01", "99:99", "!!timestamp x", "!!bool x",
         "!!int ''", "!!float x", "!!binary '%'", "!!set {a}", "!!omap [1]", "!!pairs [1]", "? [a]", "{[a]: b}", "\"\\ud800\"",
         "\"a\\0b\"", "[]", "{}", "0x_", "&a 1", "*a", "<<", "x" * 300]
    )  # fmt: skip
    value = st.recursive(scalar, lambda v: st.lists(v, max_size=3).map(lambda items: f"[{', '.join(items)}]"), max_leaves=4)
    keys = ("train", "val", "test", "names", "nc", "path", "extra")
    lines = [f"{key}: {data.draw(value)}" for key in keys if data.draw(st.booleans())]
    (whole / "data.yaml").write_text("\n".join(lines))
    for read in (
        lambda: read_annotations(whole / "data.yaml"),
        lambda: read_annotations(whole / "data.yaml", "test"),
        lambda: read_data(whole / "data.yaml", None, lambda *_: None),
        lambda: splits(whole / "data.yaml"),
    ):
        try:
            read()
        except InputError as error:
            assert "\n" not in str(error)
