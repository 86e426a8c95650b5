"""Data that is well-formed and yet cannot be meant."""

import numpy as np
import pytest

from tests.helpers.picture_files import picture
from yolojax.data.annotations import Record
from yolojax.data.images import write_image
from yolojax.data.plausible import no_boxes, similar_names, under_a_pixel


@pytest.mark.parametrize(
    ("pictures", "labels"),
    [
        ("p/a.png", "p/a.txt"),
        ("p/a.png", "p/a.png.txt"),
        ("p/a.png", "p/labels/a.txt"),
        ("images/a.png", "labels/a.txt"),
        ("train/images/a.png", "train/labels/a.txt"),
        ("images/train/a.png", "labels/train/a.txt"),
        ("JPEGImages/a.png", "Annotations/a.xml"),
        ("images/a.png", "annots/a.xml"),
    ],
)
def test_labels_beside_a_list_without_boxes_are_pointed_at(pictures, labels, tmp_path):
    for path in (pictures, labels):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    write_image(tmp_path / pictures, picture(48, 64))
    (tmp_path / labels).write_text("")
    record = Record(str(tmp_path / pictures), np.zeros((0, 4)), np.zeros(0), "l:1")
    folder, name = (tmp_path / labels).parent, (tmp_path / labels).name
    message = no_boxes([record])
    assert message.startswith("1 picture and not a single box, but ") and f"1 in {folder} (such as {name})" in message


def test_without_labels_beside_them_pictures_are_to_be_labelled(tmp_path):
    records = [Record(str(tmp_path / "gone" / f"{n}.png"), np.zeros((0, 4)), np.zeros(0), "l:1") for n in range(3)]
    assert no_boxes(records).startswith("3 pictures and not a single box; label the pictures first")


def test_a_box_of_a_pixel_is_not_under_one():
    boxes = np.float32([[3, 3, 4, 4], [3, 3, 3.99, 9], [3, 3, 9, 3.5], [0, 0, 1, 1]])
    assert under_a_pixel(boxes).tolist() == [False, True, True, False]
    assert under_a_pixel(np.zeros((0, 4))).tolist() == []


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["Cat", "dog", "cat "], [[0, 2]]),
        (["traffic light", "traffic_light", "Traffic-Light", "cats", "cat"], [[0, 1, 2], [3, 4]]),
        (["cells", "Cell"], [[0, 1]]),
        (["bus", "bu", "gas", "glass", "gla"], []),
        (["-", "_", "cat", "dog"], []),
        (["caf\u00e9", "cafe\u0301"], [[0, 1]]),
    ],
)
def test_names_of_one_class(names, groups):
    assert similar_names(names) == groups
