"""Boxes of COCO annotations: from bbox, polygons, masks and rotated boxes; each is used or said."""

import pytest

from tests.helpers.coco_files import BOX, coco_reader
from yolojax.errors import InputError


@pytest.fixture
def read(tmp_path):
    return coco_reader(tmp_path)


POLYGON = [[3, 4, 13, 4, 13, 24.5], [2, 9, 5, 9, 5, 10]]
RUNS = {"size": [30, 40], "counts": [5 * 30 + 2, 4, 26, 8, 1010]}  # columns 5 and 6, rows 2 to 9
TEXT = {"size": [3, 4], "counts": "426"}


@pytest.mark.parametrize("bbox", [{}, {"bbox": None}, {"bbox": []}, {"bbox": [0, 0, 0, 0]}, {"bbox": [3, 4, 0, 0.0]}])
@pytest.mark.parametrize(
    ("segmentation", "kind", "box"),
    [
        (POLYGON, "polygon", [2, 4, 13, 24.5]),
        ([3, 4, 13, 4, 13, 24.5], "polygon", [3, 4, 13, 24.5]),
        (RUNS, "mask", [5, 2, 7, 10]),
        (TEXT, "mask", [1, 1, 2, 3]),
    ],
)
def test_a_segmentation_without_bbox_becomes_the_box_around_it(read, bbox, segmentation, kind, box):
    annotation = {"id": 4, "image_id": 1, "category_id": 2, "segmentation": segmentation, "iscrowd": 1, **bbox}
    (record,), problems = read([annotation])
    assert record.boxes.tolist() == [box] and record.classes.tolist() == [1] and record.crowd.tolist() == [True]
    assert problems == [(kind, f"annotation 4: there is no bbox; the box around its {kind} is taken")]


def test_a_bbox_counts_before_the_segmentation(read):
    (record,), problems = read([{**BOX, "segmentation": POLYGON}, {**BOX, "segmentation": "?"}])
    assert record.boxes.tolist() == [[1, 2, 11, 22]] * 2 and problems == []


@pytest.mark.parametrize("segmentation", [[[]], {"size": [3, 4], "counts": [12]}, [[1, 2, 1, 3, 1, 4]]])
def test_segmentations_without_area_are_left_out_and_said(read, segmentation):
    annotation = {"id": 4, "image_id": 1, "category_id": 1, "segmentation": segmentation}
    (record,), problems = read([annotation])
    assert not len(record.boxes) and [kind for kind, _ in problems] == ["box without area"]
    assert problems[0][1].startswith("annotation 4: ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segmentation": [[1, 2, 3, 4]]}, "annotation 4: there is no bbox, and a polygon of its segmentation has 4 numbers"),
        ({"segmentation": {"size": [3, 4], "counts": "?"}}, "annotation 4: there is no bbox, and the runs of its mask do not"),
        ({"segmentation": "x"}, "annotation 4: there is no bbox, and its segmentation is neither"),
        ({"segmentation": TEXT, "image_id": 2}, r"mask has 4 x 3 pixels, but its image has 3 x 4; they must be the same"),
        ({"segmentation": []}, "annotation 4: there is no 'bbox'"),
        ({"segmentation": POLYGON, "category_id": 5}, "annotation 4: there is no category 5"),
        ({"segmentation": POLYGON, "image_id": 5}, "annotation 4: there is no image 5"),
    ],
)
def test_segmentations_of_which_no_box_can_be_made_are_refused(read, changes, message):
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "a.jpg", "height": 4, "width": 3}]
    with pytest.raises(InputError, match=message):
        read([{"id": 4, "image_id": 1, "category_id": 1, **changes}], images)


@pytest.mark.parametrize(
    "annotation",
    [
        {"keypoints": [1, 2, 2], "num_keypoints": 1, "category_id": 1},
        {"keypoints": [1, 2, 2], "category_id": 1, "bbox": [0, 0, 0, 0], "segmentation": []},
        {"caption": "a cat"},
    ],
)
def test_keypoints_and_captions_are_left_out_and_said(read, annotation):
    (record,), problems = read([BOX, {"id": 4, "image_id": 1, **annotation}])
    assert len(record.boxes) == 1
    assert problems == [("shape without box", "annotation 4: neither a bbox nor a segmentation")]


def test_keypoints_with_a_box_are_used(read):
    (record,), problems = read([{**BOX, "keypoints": [1, 2, 2]}])
    assert len(record.boxes) == 1 and problems == []


@pytest.mark.parametrize("segmentation", [{}, {"segmentation": []}, {"segmentation": [[10, 20, 50, 20, 50, 28, 10, 28]]}])
def test_rotated_boxes(read, segmentation):
    annotation = {**BOX, "bbox": [10, 20, 40, 8], "attributes": {"occluded": False, "rotation": 90.0}, **segmentation}
    (record,), problems = read([annotation])
    assert record.boxes.tolist() == [[26, 4, 34, 44]]
    assert problems == [("rotated box", "annotation 1: turned by 90 degrees; the upright box around it is taken")]


@pytest.mark.parametrize(
    "changes",
    [
        {"attributes": {"rotation": 0.0}},
        {"attributes": {"rotation": "none"}},
        {"attributes": {}},
        {"attributes": None},
        # A diamond: its bbox is upright already.
        {"attributes": {"rotation": 45}, "segmentation": [[6, 2, 11, 12, 6, 22, 1, 12]]},
        {"attributes": {"rotation": 45}, "segmentation": {"size": [30, 40], "counts": [32, 20, *[10, 20] * 9, 878]}},
    ],
)
def test_boxes_that_are_upright_stay(read, changes):
    (record,), problems = read([{**BOX, **changes}])
    assert record.boxes.tolist() == [[1, 2, 11, 22]] and problems == []


def test_an_impossible_rotation_is_refused(read):
    with pytest.raises(InputError, match="annotation 1: the rotation nan is not an angle in degrees"):
        read([{**BOX, "attributes": {"rotation": float("nan")}}])
