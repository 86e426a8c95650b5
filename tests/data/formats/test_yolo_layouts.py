"""Folders of YOLO labels as they lie on disk, and class names as they are written."""

import json

import pytest

from tests.helpers.yolo_folders import boxes_in, make
from yolojax.data.formats.read import read_annotations, recognise, splits
from yolojax.errors import InputError


def two_splits(*forms):
    return [form.format(split) for split in ("train", "valid") for form in forms]


LAYOUTS = {
    "images/SPLIT": two_splits("images/{}/a.jpg", "labels/{}/a.txt"),
    "SPLIT/images": two_splits("{}/images/a.jpg", "{}/labels/a.txt"),
    "SPLIT, labels beside": two_splits("{}/a.jpg", "{}/a.txt"),
    "images/SPLIT, labels beside": two_splits("images/{}/a.jpg", "images/{}/a.txt"),
    "Images/Labels": two_splits("Images/{}/a.jpg", "Labels/{}/a.txt"),
}
FLAT = {
    "images": ["images/a.jpg", "labels/a.txt"],
    "beside": ["a.jpg", "a.txt"],
    "beside in images": ["images/a.jpg", "images/a.txt"],
    "beside, in folders": ["one/a.jpg", "one/a.txt"],
    "Label Studio": ["images/a.jpg", "labels/a.txt", "notes.json"],
}


@pytest.mark.parametrize("names", ["classes.txt", "obj.names", "my.names"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_splits_in_folders_without_yaml(tmp_path, layout, names):
    make(tmp_path, LAYOUTS[layout])
    (tmp_path / names).write_text("cat\ndog\n")
    assert recognise(tmp_path) == "yolo" and splits(tmp_path) == ("train", "val")
    annotations = read_annotations(tmp_path, "val")
    assert annotations.names == ("cat", "dog") and annotations.problems == []
    assert len(annotations.records) == 1 and len(annotations.records[0].boxes) == 1
    assert boxes_in(tmp_path) == 2


@pytest.mark.parametrize("layout", FLAT)
def test_folders_without_splits(tmp_path, layout):
    make(tmp_path, FLAT[layout])
    (tmp_path / "classes.txt").write_text("cat\n")
    assert recognise(tmp_path) == "yolo" and splits(tmp_path) == ()
    for split in (None, "train"):
        _, (record,), problems = read_annotations(tmp_path, split)
        assert len(record.boxes) == 1 and problems == []
    with pytest.raises(InputError, match=r"no split 'val' \(it has: none\)"):
        read_annotations(tmp_path, "val")


def test_lists_of_pictures_without_yaml(tmp_path):
    make(tmp_path, ["images/a.jpg", "labels/a.txt", "images/b.jpg", "labels/b.txt"])
    make(tmp_path, {"train.txt": "images/a.jpg\n", "valid.txt": "./images/b.jpg\n", "classes.txt": "cat\n"})
    assert splits(tmp_path) == ("train", "val") and boxes_in(tmp_path, "val") == 1 and boxes_in(tmp_path) == 2


def test_folders_of_splits_with_images_and_pictures_of_nothing(tmp_path):
    make(tmp_path, ["train/images/z.jpg", "train/labels/z.txt", "train/loose.jpg", "train/loose.txt", "test/images/t.jpg"])
    make(tmp_path, {f"train/labels/{number:02}.txt": "" for number in range(40)})
    make(tmp_path, [f"train/images/{number:02}.jpg" for number in range(40)])
    make(tmp_path, {"train/_darknet.labels": "cat\n"})
    assert splits(tmp_path) == ("train", "test") and boxes_in(tmp_path, "train") == 2
    assert read_annotations(tmp_path).problems == []


@pytest.mark.parametrize("place", ["labels/train/classes.txt", "images/train/classes.txt", "labels/classes.txt"])
def test_names_among_the_labels(tmp_path, place):
    make(tmp_path, LAYOUTS["images/SPLIT"])
    (tmp_path / place).write_text("cat\n")
    assert read_annotations(tmp_path).names == ("cat",)


def test_names_that_differ_between_label_folders_are_refused(tmp_path):
    make(tmp_path, LAYOUTS["SPLIT/images"])
    (tmp_path / "train/labels/classes.txt").write_text("cat\ndog\n")
    (tmp_path / "valid/labels/classes.txt").write_text("dog\ncat\n")
    with pytest.raises(InputError, match=r"not the same class names as .*classes\.txt"):
        read_annotations(tmp_path)


def test_without_names_they_are_asked_for(tmp_path):
    make(tmp_path, LAYOUTS["images/SPLIT"])
    assert recognise(tmp_path) == "yolo"
    with pytest.raises(InputError, match=r"no 'names'; write the class names into classes\.txt, .*--names"):
        read_annotations(tmp_path)
    assert boxes_in(tmp_path, names=("cat",)) == 2


def test_a_yaml_of_any_name(tmp_path):
    make(tmp_path, LAYOUTS["images/SPLIT"])
    (tmp_path / "my.yml").write_text("train: images/train\nvalid: images/valid\nnames: [cat]\n")
    (tmp_path / "other.yaml").write_text("lr: 1\n")
    assert recognise(tmp_path) == "yolo" and splits(tmp_path) == ("train", "val")
    assert boxes_in(tmp_path, "val") == boxes_in(tmp_path, "valid") == 1
    (tmp_path / "again.yaml").write_text("train: images/train\nnames: [dog]\n")
    with pytest.raises(InputError, match=r"several files .*: again\.yaml, my\.yml; give one"):
        read_annotations(tmp_path)
    (tmp_path / "data.yaml").write_text("train: images/train\nnames: [bird]\n")
    assert read_annotations(tmp_path).names == ("bird",)


def test_folders_of_other_formats_are_not_taken(tmp_path):
    make(tmp_path, ["coco/images/a.jpg", "kitti/images/a.jpg", "list/a.jpg", "darknet/obj_train_data/a.jpg"])
    make(tmp_path, ["darknet/obj_train_data/a.txt", "voc/JPEGImages/a.jpg", "voc/labels/a.txt"])
    (tmp_path / "coco/annotations").mkdir()
    (tmp_path / "voc/Annotations").mkdir()
    make(tmp_path, {"coco/annotations/a.json": json.dumps({"images": []}), "coco/README.txt": "1 2\n"})
    make(tmp_path, {"kitti/labels/a.txt": "Car 0 0 0 1 2 3 4 0 0 0 0 0 0 0\n", "darknet/obj.data": "classes = 1\n"})
    make(tmp_path, {"darknet/obj.names": "cat\n", "list/train.txt": "a.jpg 1,2,3,4,0\n", "list/classes.txt": "cat\n"})
    assert recognise(tmp_path / "voc") == "voc"
    for name in ("coco", "kitti", "list", "darknet"):
        try:
            assert recognise(tmp_path / name) != "yolo"
        except InputError:
            pass


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("{'0': a, '1': b}", ("a", "b")),
        ('\n  "1": b\n  "0": a', ("a", "b")),
        ("{a: 0, b: 1}", ("a", "b")),
        ("[007, 010]", ("007", "010")),
        ("{0: 007, 1: 0x1F}", ("007", "0x1F")),
        ("[yes, no, on, null, ~, 1e3, 1.50, 2020-01-02, 12:30, 1_000, .inf, true]",
         ("yes", "no", "on", "null", "~", "1e3", "1.50", "2020-01-02", "12:30", "1_000", ".inf", "true")),
        ("\n- 2020-99-99\n- '07'\n- \"a: b\"", ("2020-99-99", "07", "a: b")),
        ("names.txt", ("x y", "007")),
        ("'./names.txt'", ("x y", "007")),
        ("", ("c1", "c2")),
    ],
)  # fmt: skip
def test_names_are_the_text_as_written(tmp_path, names, expected):
    make(tmp_path, ["images/a.jpg", "labels/a.txt"])
    make(tmp_path, {"names.txt": "x y\n007\n", "data.yaml": f"train: images\nnames: {names}\n"})
    if not names:
        (tmp_path / "classes.txt").write_text("c1\nc2\n")
    assert read_annotations(tmp_path).names == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("{0: a, 2: b}", "count from 0 without a gap; there is no 1"),
        ("{1: a, 2: b}", "count from 0 without a gap; there is no 0"),
        ("absent.txt", "'names' must be a list.* or a names file, but names: there is no .*absent.txt"),
        ("[a, '']", "class 1 has the name ''"),
    ],
)
def test_names_refused(tmp_path, names, message):
    make(tmp_path, ["images/a.jpg", "labels/a.txt"])
    make(tmp_path, {"data.yaml": f"train: images\nnames: {names}\n"})
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path)
