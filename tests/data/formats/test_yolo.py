"""Normalised labels: what is read, and what is refused with file and line."""

import os

import numpy as np
import pytest

from tests.helpers.yolo_files import LABELS
from yolojax.data.formats.read import read_annotations, splits
from yolojax.data.images import write_image
from yolojax.errors import InputError


def test_boxes_in_pixels_and_negatives(yolo, tmp_path):
    path = yolo(LABELS)
    names, records, problems = read_annotations(path, "train")
    assert names == ("cat", "dog") and problems == []
    found = [os.path.relpath(record.path, tmp_path) for record in records]
    assert found == ["images/train/a.png", "images/train/c.v1.png", "images/train/deep/b.jpg"]
    first, empty, unlabelled = records
    assert first.boxes.tolist() == [[0, 0, 80, 40], [0, 5, 40, 15]] and first.boxes.dtype == np.float32
    assert first.classes.tolist() == [0, 1] and first.source == str(tmp_path / "labels/train/a.txt")
    assert len(empty.boxes) == len(unlabelled.boxes) == 0
    np.testing.assert_allclose(read_annotations(f"{path}:val").records[0].boxes, [[36, 18, 44, 22]], rtol=1e-6)
    assert len(read_annotations(tmp_path).records) == 4
    assert splits(tmp_path) == splits(path) == ("train", "val")


def test_very_many_classes_are_numbered_by_name(yolo):
    names = [f"n{number}" for number in range(100_000)]  # minutes if each name were looked for among all
    path = yolo({"images/train/a.png": "99998 .5 .5 .5 .5"}, f"train: images/train\nnames: [{','.join(names)}]\n")
    for order in (names, names[::-1]):
        found = read_annotations(path, names=order)
        assert found.names[found.records[0].classes[0]] == "n99998"


def test_labels_beside_pictures_and_in_the_current_folder(yolo, tmp_path, monkeypatch):
    yolo(LABELS, "train: images\nval: flat\nnames: [cat, dog]\n")
    monkeypatch.chdir(tmp_path)
    assert sum(len(record.boxes) for record in read_annotations("data.yaml", "train").records) == 3
    os.mkdir("flat")
    write_image("flat/p.png", np.zeros((40, 80, 3), np.uint8))
    with open("flat/p.txt", "w") as file:
        file.write("0 .5 .5 .5 .5")
    assert read_annotations("data.yaml:val").records[0].boxes.tolist() == [[20, 10, 60, 30]]


def test_boxes_without_area_are_left_out_and_listed(yolo, tmp_path):
    path = yolo({"images/train/a.png": "0 .5 .5 .5 .5\n0 0.5 0.5 0 0.5\n"})
    _names, (record,), problems = read_annotations(path, "train")
    assert len(record.boxes) == 1
    assert problems == [("box without area", f"{tmp_path}/labels/train/a.txt:2: box 40,10,40,30 has no area")]


def test_a_picture_that_is_none_is_left_to_whoever_opens_it(yolo, tmp_path):
    path = yolo(LABELS)
    (tmp_path / "images/train/a.png").write_text("no picture")
    records = read_annotations(path, "train").records
    assert len(records) == 3 and len(records[0].boxes) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.5", "4 values, not 5"),
        ("0 0.1 0.1 0.5 0.5 0.9 0.9 0.5", r"8 values, not 5; .*three or more points"),
        ("cat 0.5 0.5 0.5 0.5", "'cat 0.5 0.5 0.5 0.5' is not five numbers"),
        ("2 0.5 0.5 0.5 0.5", "class 2 has no name: there are 2"),
        ("-1 0.5 0.5 0.5 0.5", "class -1 has no name"),
        ("0.5 0.5 0.5 0.5 0.5", "class 0.5 has no name"),
        ("nan 0.5 0.5 0.5 0.5", "class nan has no name"),
        ("0 40 20 10 10", "is not normalised"),
        ("0 0.5 nan 0.5 0.5", "is not normalised"),
        ("0 0.5 0.5 -0.005 0.5", "is inverted"),
    ],
)
def test_refused_with_file_and_line(yolo, line, message):
    path = yolo({"images/train/a.png": f"0 0.5 0.5 0.5 0.5\n{line}\n"})
    with pytest.raises(InputError, match=rf"labels/train/a\.txt:2: .*{message}") as caught:
        read_annotations(path, "train")
    assert "\n" not in str(caught.value)
