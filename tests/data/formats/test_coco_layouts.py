"""Folders of COCO files as tools export them: recognised, with their splits, and read through."""

import json

import pytest

from tests.helpers.picture_files import encoded, picture
from yolojax.data.convert import convert
from yolojax.data.formats.coco_layouts import split_files
from yolojax.data.formats.read import has_splits, outside, read_annotations, read_data, recognise, splits
from yolojax.errors import InputError

CATEGORIES = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]


def make(root, path, folder, count=2, prefix="", keys=()):
    """A COCO file of `count` pictures with a box each; the pictures lie in a folder."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    images, boxes = [], []
    for number in range(count):
        name = f"{path.replace('/', '-')}{number}.png"
        (root / folder / name).write_bytes(encoded(picture(20, 30), ".png"))
        images.append({"id": number, "file_name": f"{prefix}{name}", "width": 30, "height": 20})
        boxes.append({"id": number, "image_id": number, "category_id": 2, "bbox": [1, 2, 5, 6]})
    content = {"info": {}, "images": images, "annotations": boxes, "categories": CATEGORIES}
    (root / path).write_text(json.dumps(content))


# (file, folder of its pictures) for each split.
LAYOUTS = {
    "roboflow": {split: (f"{name}/_annotations.coco.json", name)
                 for split, name in (("train", "train"), ("val", "valid"), ("test", "test"))},
    "coco": {split: (f"annotations/instances_{split}2017.json", f"{split}2017") for split in ("train", "val")},
    "coco images": {split: (f"annotations/{split}.json", f"images/{split}2017") for split in ("train", "val")},
    "coco together": {split: (f"annotations/{split}.json", "images") for split in ("train", "val")},
    "cvat": {split: (f"annotations/instances_{name}.json", f"images/{name}")
             for split, name in (("train", "Train"), ("val", "Validation"))},
    "fiftyone": {split: (f"{split}/labels.json", f"{split}/data") for split in ("train", "val")},
    "ours": {split: (f"{split}.json", "pictures") for split in ("train", "val", "test")},
    "others": {split: (f"{split}.json", "images") for split in ("day", "night")},
    "two years": {split: (f"annotations/instances_{split}.json", split) for split in ("train2014", "train2017")},
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_folders_with_splits(tmp_path, layout):
    root, files = tmp_path / "set", LAYOUTS[layout]
    for path, folder in files.values():
        make(root, path, folder, prefix="pictures/" if layout == "ours" else "")
    assert recognise(root) == "coco folder" and has_splits(root) and splits(root) == tuple(files)
    for split, (path, folder) in files.items():
        names, records, problems = read_annotations(f"{root}:{split}")
        assert names == ("cat", "dog") and problems == []
        expected = [str(root / folder / f"{path.replace('/', '-')}{number}.png") for number in range(2)]
        assert [record.path for record in records] == expected
        assert all(record.boxes.tolist() == [[1, 2, 6, 8]] and record.classes.tolist() == [1] for record in records)
        assert records[0].source == f"{root / path}: image 0" and records[0].stated_size == (20, 30)
    assert len(read_annotations(root).records) == 2 * len(files)
    assert outside(root, read_annotations(root).records) is None
    with pytest.raises(InputError, match=r"set: there is no split 'night shift' \(there are: .* in .*\.json"):
        read_annotations(root, "night shift")


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("result.json", "images"),
        ("labels.json", "data"),
        ("annotations/instances_default.json", "images/default"),
        ("annotations/instances_default.json", "images"),
        ("_annotations.coco.json", "."),
        ("part.json", "."),
    ],
)
def test_folders_without_splits(tmp_path, path, folder):
    make(tmp_path, path, folder)
    assert recognise(tmp_path) == "coco folder" and splits(tmp_path) == ()
    names, records, problems = read_annotations(tmp_path)
    assert names == ("cat", "dog") and len(records) == 2 and problems == []
    with pytest.raises(InputError, match="there is no split 'train'"):
        read_annotations(tmp_path, "train")


def test_other_spellings_of_a_split(tmp_path):
    make(tmp_path, "valid/_annotations.coco.json", "valid")
    make(tmp_path, "training/_annotations.coco.json", "training")
    for split in ("val", "valid", "validation", "Train"):
        assert len(read_annotations(tmp_path, split).records) == 2


def test_files_of_other_tasks_are_passed_over(tmp_path):
    for name in ("instances", "captions", "person_keypoints", "panoptic", "stuff"):
        make(tmp_path, f"annotations/{name}_val2017.json", "val2017")
    make(tmp_path, "annotations/image_info_test2017.json", "test2017")
    assert split_files(tmp_path) == {"val": tmp_path / "annotations/instances_val2017.json"}
    (tmp_path / "annotations/instances_val2017.json").unlink()
    # Keypoints have boxes.
    assert split_files(tmp_path) == {"val": tmp_path / "annotations/person_keypoints_val2017.json"}


def test_json_files_that_are_not_coco_are_passed_over(tmp_path):
    make(tmp_path, "train.json", ".")
    for name, content in (("config", {"a": 1}), ("detections", [{"image_id": 1, "bbox": []}]), ("label", {"shapes": []})):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "._train.json").write_bytes(b"\0")
    assert splits(tmp_path) == ("train",)


@pytest.mark.parametrize("files", [{}, {"a.jpg": ""}, {"a.json": "[]"}, {"train/a.json": "{}"}, {"annotations/a.xml": "<a/>"}])
def test_other_folders_are_not_recognised(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert split_files(tmp_path) == {} and split_files(tmp_path / "absent") == {}


def test_a_damaged_split_is_told(tmp_path):
    make(tmp_path, "train.json", ".")
    make(tmp_path, "val.json", ".")
    content = json.loads((tmp_path / "val.json").read_text())
    content["annotations"][0]["category_id"] = 9
    (tmp_path / "val.json").write_text(json.dumps(content))
    assert len(read_annotations(tmp_path, "train").records) == 2
    with pytest.raises(InputError, match=r"val\.json: annotation 0: there is no category 9"):
        read_annotations(tmp_path, "val")
    problems = []
    _, records = read_data(tmp_path, None, lambda *problem: problems.append(problem))
    assert len(records) == 4 and [kind for kind, _ in problems] == ["malformed box"]


def test_what_changes_on_disk_is_read_again(tmp_path):
    make(tmp_path, "train.json", ".")
    make(tmp_path, "val.json", ".")
    assert read_annotations(tmp_path, "train").names == ("cat", "dog")
    content = json.loads((tmp_path / "val.json").read_text())
    content["categories"].append({"id": 3, "name": "cow"})
    (tmp_path / "val.json").write_text(json.dumps(content))
    assert read_annotations(tmp_path, "train").names == ("cat", "dog", "cow")


def test_names_of_ones_own_order_the_classes(tmp_path):
    make(tmp_path, "train.json", ".")
    make(tmp_path, "val.json", ".")
    names, records, problems = read_annotations(tmp_path, "val", names=("dog", "cow"))
    assert names == ("dog", "cow") and records[0].classes.tolist() == [0] and problems == []


@pytest.mark.parametrize("to", ["text", "voc", "coco", "yolo"])
def test_conversion_keeps_the_splits(tmp_path, to):
    for path, folder in LAYOUTS["roboflow"].values():
        make(tmp_path / "set", path, folder)
    convert([tmp_path / "set"], to, tmp_path / "out")
    written = {"text": "{}/{}.txt", "voc": "{}:{}", "coco": "{0}:{1}", "yolo": "{}/data.yaml:{}"}[to]
    for split, (path, _) in LAYOUTS["roboflow"].items():
        names = ("cat", "dog") if to == "text" else None
        found = read_annotations(written.format(tmp_path / "out", split), names=names)
        assert len(found.records) == 2
        assert all(record.boxes.round(3).tolist() == [[1, 2, 6, 8]] for record in found.records)
        assert {found.names[label] for record in found.records for label in record.classes} == {"dog"}
        assert path.split("/")[0] in str(found.records[0].path) or to in ("voc", "yolo")
