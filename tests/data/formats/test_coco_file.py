"""Which files are COCO files, and what others look like."""

import json

import pytest

from yolojax.data.formats.coco_file import is_coco
from yolojax.data.formats.read import read_annotations
from yolojax.errors import InputError

OTHERS = {
    "Label Studio": ([{"id": 1, "data": {"image": "a.jpg"}, "annotations": []}], "a Label Studio JSON export: choose COCO"),
    "CreateML": ([{"image": "a.jpg", "annotations": []}], "CreateML: export the data set as COCO"),
    "GeoJSON": ({"type": "FeatureCollection", "features": []}, "GeoJSON, in coordinates of a map"),
    "VIA": ({"a.jpg9": {"filename": "a.jpg", "regions": []}}, "a project of the VGG Image Annotator"),
    "VIA project": ({"_via_settings": {}, "_via_img_metadata": {}}, "a project of the VGG Image Annotator"),
    "FiftyOne": ({"samples": []}, "FiftyOne's own format: export the data set as COCODetectionDataset"),
    "Datumaro": ({"info": {}, "categories": {"label": {}}, "items": []}, "a Datumaro file: export it as COCO"),
    "results": ([{"image_id": 1, "bbox": [], "score": 0.5}], "detections, results of a detector: give the file with"),
    "boxes": ([{"image_id": 1, "bbox": []}], "the list of annotations alone: give the file with"),
    "list": ([1, 2], "a list of 2 entries"),
    "empty list": ([], "a list of 0 entries"),
    "object": ({"b": 1, "a": 2}, "an object with 'a', 'b'"),
    "empty": ({}, "an empty object"),
    "number": (7, "7"),
    "images alone": ({"images": []}, "an object with 'images'"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_files_are_named(tmp_path, kind):
    content, words = OTHERS[kind]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    assert not is_coco(path)
    with pytest.raises(InputError) as caught:
        read_annotations(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: no list of objects '") and "\n" not in message
    assert f"a COCO file has images, annotations and categories; this is {words}" in message


def test_long_keys_stay_short(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({f"{n}" * 10**5: 1 for n in range(50)}))
    with pytest.raises(InputError) as caught:
        read_annotations(tmp_path / "a.json")
    assert len(str(caught.value)) < 1000


IMAGES = [{"id": number, "file_name": f"{number}.jpg"} for number in range(3000)]
BOXES = [{"id": number, "image_id": number, "category_id": 1, "bbox": [1, 2, 3, 4]} for number in range(3000)]


@pytest.mark.parametrize("images", [IMAGES[:2], IMAGES])
@pytest.mark.parametrize(
    "order", [("images", "annotations", "categories"), ("categories", "images"), ("annotations", "images")]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("info", [{}, {"info": {"year": 2017}, "licenses": [{"id": 1}]}])
def test_small_and_large_files_are_recognised(tmp_path, images, order, encoding, info):
    groups = {"images": images, "annotations": BOXES[: len(images)], "categories": [{"id": 1, "name": "cat"}]}
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**info, **{name: groups[name] for name in order}}, indent=1), encoding)
    assert is_coco(path)


def test_large_files_of_others_are_not(tmp_path):
    path = tmp_path / "a.json"
    for content in (IMAGES, {"shapes": IMAGES}, {"items": IMAGES, "categories": {}}):
        path.write_text(json.dumps(content))
        assert not is_coco(path)


def test_what_cannot_be_read_is_no_coco_file(tmp_path):
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "bytes.json").write_bytes(b'{"images": [], \xff')
    (tmp_path / "deep.json").write_text("[" * 60_000)
    for name in ("folder.json", "bytes.json", "deep.json", "absent.json"):
        assert not is_coco(tmp_path / name)
