"""FiftyOne's own files of detections: the same records as from a COCO file."""

import json

import numpy as np
import pytest

from tests.helpers.picture_files import encoded, picture
from yolojax.data.formats.coco_fiftyone import fiftyone_to_coco, is_fiftyone
from yolojax.data.formats.coco_file import is_coco
from yolojax.data.formats.read import read_annotations, recognise, splits
from yolojax.errors import InputError


def make(root, labels, classes=("cat", "dog"), pictures=("a.png", "sub/b.png")):
    """A folder data/ with pictures 40 wide and 20 high, and labels.json beside it."""
    for name in pictures:
        (root / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "data" / name).write_bytes(encoded(picture(20, 40), ".png"))
    path = root / "labels.json"
    path.write_text(json.dumps({**({} if classes is None else {"classes": classes}), "labels": labels}))
    return path


BOX = {"label": 1, "bounding_box": [0.25, 0.5, 0.5, 0.25], "confidence": 0.9, "attributes": {}}


@pytest.mark.parametrize("label", [1, "dog", 1.0])
def test_parts_of_the_picture_become_pixels(tmp_path, label):
    path = make(tmp_path, {"a": [{**BOX, "label": label}], "sub/b": None})
    assert recognise(tmp_path) == "coco folder" and splits(tmp_path) == ()
    for data in (tmp_path, path):
        names, (a, b), problems = read_annotations(data)
        assert names == ("cat", "dog") and problems == []
        assert a.path == str(tmp_path / "data/a.png") and a.boxes.tolist() == [[10, 10, 30, 15]] and a.classes.tolist() == [1]
        assert b.path == str(tmp_path / "data/sub/b.png") and b.boxes.shape == (0, 4) and b.boxes.dtype == np.float32


def test_names_without_a_list_of_classes(tmp_path):
    for split, labels in (("train", ("dog", "cat")), ("val", ("cat",))):
        (tmp_path / split).mkdir()
        make(tmp_path / split, {"a": [{**BOX, "label": label} for label in labels]}, classes=None)
    assert splits(tmp_path) == ("train", "val")
    names, (record,), problems = read_annotations(f"{tmp_path}:val")
    assert names == ("dog", "cat") and record.classes.tolist() == [1]
    assert [kind for kind, _ in problems] == ["other categories"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"a": [{**BOX, "label": 2}]}, r"annotation 'a\[0\]': there is no category 2"),
        ({"a": [BOX, {**BOX, "label": None}]}, r"annotation 'a\[1\]': 'category_id' is None"),
        ({"a": [{"label": 1}]}, r"annotation 'a\[0\]': there is no 'bbox'"),
        ({"a": [{**BOX, "bounding_box": [0, 0, 1]}]}, r"annotation 'a\[0\]': bbox \[0, 0, 1\] is not"),
        ({"a": [{**BOX, "bounding_box": [0, 0, 1, 10**400]}]}, r"annotation 'a\[0\]': bbox is larger"),
        ({"a": [7]}, r"annotations\[0\] is 7, not an object"),
        ({"c": [BOX]}, "image 'c': there is no picture data/c in any of"),
        ({}, "no images"),
    ],
)
def test_refused_by_name_and_place(tmp_path, labels, message):
    with pytest.raises(InputError, match=message):
        read_annotations(make(tmp_path, labels))


def test_two_pictures_of_one_name_are_not_chosen_by_chance(tmp_path):
    with pytest.raises(InputError, match="image 'a': there is no picture data/a in any of"):
        read_annotations(make(tmp_path, {"a": [BOX]}, pictures=("a.png", "a.bmp")))


def test_labels_of_whole_pictures_are_left_out_and_said(tmp_path):
    _, records, problems = read_annotations(make(tmp_path, {"a": 0, "sub/b": [BOX]}))
    assert [len(record.boxes) for record in records] == [0, 1]
    assert [kind for kind, _ in problems] == ["shape without box"]


def test_large_files_are_recognised(tmp_path):
    for classes in (("cat", "dog"), None):
        assert is_coco(make(tmp_path, {f"{number}": [BOX] for number in range(2000)}, classes))


@pytest.mark.parametrize("content", [[], {}, {"labels": []}, {"labels": {}, "shapes": []}, {"classes": 1, "labels": {}}])
def test_others_are_not(content):
    assert not is_fiftyone(content)


def test_a_picture_that_cannot_be_read_has_no_boxes(tmp_path):
    path = make(tmp_path, {}, pictures=())
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.png").write_bytes(b"no picture")
    lists = fiftyone_to_coco(path, {"classes": ["cat"], "labels": {"a": [BOX]}})
    expected = [{"id": "a", "file_name": "data/a.png"}]
    assert lists == {"images": expected, "annotations": [], "categories": [{"id": 0, "name": "cat"}]}
