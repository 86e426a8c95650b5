"""Data sets whose classes are some of a network's, or have other names."""

import pytest

from tests.helpers.tiny_set import write_set
from yolojax.data.class_map import parse_class_map, read_for_classes
from yolojax.data.convert import convert
from yolojax.errors import InputError

NAMES = ("car", "motorcycle", "dog", "person")
OTHER_SPELLINGS = {
    "aeroplane": "airplane",
    "motorbike": "motorcycle",
    "sofa": "couch",
    "pottedplant": "potted plant",
    "diningtable": "dining table",
    "tvmonitor": "tv",
}
"""Darknet's coco.names and voc.names, and the categories of COCO's annotation files."""


def test_what_a_map_may_be():
    assert parse_class_map("") == {}
    assert parse_class_map("motorbike=motorcycle, a b = c ,truck=,") == {"motorbike": "motorcycle", "a b": "c", "truck": ""}
    for text, words in [("a", "'a' is not"), ("=b", "'=b' is not"), ("a=b,a=c", "'a' comes twice")]:
        with pytest.raises(InputError, match=words):
            parse_class_map(text)


@pytest.mark.parametrize("form", ["yolo", "coco", "voc"])
def test_some_of_the_classes_in_another_order_and_under_another_name(form, tmp_path):
    data = write_set(tmp_path / "set", ("moped", "dog"), splits=("val",))
    if form != "yolo":
        convert([str(data)], form, tmp_path / form)
        data = next((tmp_path / form).glob("*.json")) if form == "coco" else tmp_path / form
    annotations, known = read_for_classes(data, "val", NAMES, {"moped": "motorcycle"})
    assert annotations.names == NAMES and known == (1, 2)
    assert [sorted(record.classes.tolist()) for record in annotations.records] == [[1, 2]] * 4
    with pytest.raises(InputError, match=r"the network has no class 'moped'; its classes are .*--class_map \"moped=NAME"):
        read_for_classes(data, "val", NAMES, {})
    annotations, known = read_for_classes(data, "val", NAMES, {"moped": ""})
    assert known == (2,) and [record.classes.tolist() for record in annotations.records] == [[2]] * 4
    assert all(len(record.boxes) == len(record.difficult) == len(record.crowd) == 1 for record in annotations.records)


@pytest.mark.parametrize("darknet_in_the_data", [True, False])
def test_the_spellings_of_darknet_and_of_coco_are_the_same_classes(tmp_path, darknet_in_the_data):
    here, there = tuple(OTHER_SPELLINGS), tuple(OTHER_SPELLINGS.values())
    if not darknet_in_the_data:
        here, there = there, here
    data = write_set(tmp_path / "set", here)
    annotations, known = read_for_classes(data, "val", there[::-1], {})
    assert annotations.names == there[::-1] and known == (0, 1, 2, 3, 4, 5)
    assert [sorted(record.classes.tolist()) for record in annotations.records] == [[0, 1, 2, 3, 4, 5]] * 4
    first = read_for_classes(data, "val", here, {})[0].records[0].classes
    assert (annotations.records[0].classes == 5 - first).all()


def test_a_map_may_use_either_spelling_of_the_networks_class(tmp_path):
    data = write_set(tmp_path / "set", ("moped", "dog"))
    for meant in ("motorbike", "motorcycle"):
        assert read_for_classes(data, "val", NAMES, {"moped": meant})[1] == (1, 2)


def test_a_class_that_the_data_has_in_both_spellings_is_not_guessed(tmp_path):
    data = write_set(tmp_path / "set", ("motorbike", "motorcycle"))
    with pytest.raises(InputError, match="the network has no class 'motorbike'"):
        read_for_classes(data, "val", NAMES, {})
    assert read_for_classes(data, "val", NAMES, {"motorbike": "motorcycle"})[1] == (1,)


def test_two_classes_of_the_data_may_be_one_of_the_network(tmp_path):
    data = write_set(tmp_path / "set", ("poodle", "beagle"))
    annotations, known = read_for_classes(data, "val", NAMES, {"poodle": "dog", "beagle": "dog"})
    assert known == (2,) and annotations.records[0].classes.tolist() == [2, 2]


def test_unknown_classes_of_a_map_are_named(tmp_path):
    data = write_set(tmp_path / "set", ("car", "dog"))
    with pytest.raises(InputError, match="the data has no class 'cat'; its classes are 'car', 'dog'"):
        read_for_classes(data, "val", NAMES, {"cat": "dog"})
    with pytest.raises(InputError, match="the network has no class 'cat'; its classes are 'car', 'motorcycle', 'dog'"):
        read_for_classes(data, "val", NAMES, {"car": "cat"})


def test_classes_without_boxes_need_no_name_in_the_network(tmp_path):
    data = write_set(tmp_path / "set", ("car", "dog"))
    data.write_text(data.read_text() + "  - unused\n")
    assert read_for_classes(data, "val", NAMES, {})[1] == (0, 2)


def test_data_without_names_has_the_numbers_of_the_network(tmp_path):
    data = write_set(tmp_path / "set", ("car", "dog"))
    convert([f"{data}:val"], "text", tmp_path / "text")
    (path,) = (tmp_path / "text").glob("*.txt")
    annotations, known = read_for_classes(path, "val", NAMES, {})
    assert annotations.records[0].classes.tolist() == [0, 1] and known == (0, 1, 2, 3)
