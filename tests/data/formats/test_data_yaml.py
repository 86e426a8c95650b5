"""data.yaml: names, splits and places, and what is refused with file and line."""

import os

import pytest
import yaml

from tests.helpers.yolo_files import LABELS, YAML
from yolojax.data.formats.read import read_annotations, splits
from yolojax.errors import InputError


def test_lists_roots_and_several_places(yolo, tmp_path):
    text = "path: .\ntrain: [lists/one.txt, images/val]\ntest:\nextra: lists/one.txt\nnc: 2\nnames: [cat, dog]\n"
    path = yolo(LABELS, text)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/one.txt").write_text("../images/train/deep/b.jpg\n\n./../images/train/a.png\n")
    records = read_annotations(path, "train").records
    assert [os.path.relpath(record.path, tmp_path) for record in records] == [*LABELS][1::-1] + [[*LABELS][3]]
    assert records[0].source == f"{tmp_path}/lists/one.txt:1"
    assert splits(path) == ("train", "extra")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (moved / "data.yml").write_text(YAML.replace("train:", f"path: {tmp_path}\ntrain:", 1))
    assert len(read_annotations(moved / "data.yml", "val").records) == 1


@pytest.mark.parametrize("text", ["train: /\nnames: [cat]\n", "path: /\ntrain: ./\nnames: [cat]\n"])
def test_the_root_of_the_file_system_is_not_searched(yolo, text):
    with pytest.raises(
        InputError, match=r"data\.yaml: train: \S+ is the root of the file system; name the folder of the pictures"
    ):
        read_annotations(yolo(LABELS, text), "train")


def test_splits_beside_the_file_that_name_the_folder_above(yolo, tmp_path):
    labels = {"train/images/a.png": "0 .5 .5 .5 .5"}
    yolo(labels, "train: ../train/images\nnames: [cat]\n")
    assert len(read_annotations(tmp_path / "data.yaml", "train").records[0].boxes) == 1


def test_names_file_in_place_of_the_names(yolo):
    path = yolo(LABELS)
    assert read_annotations(path, "val", names=("a", "b")).names == ("a", "b")
    with pytest.raises(InputError, match=r"data\.yaml: 2 class names, but 3 were given"):
        read_annotations(path, "val", names=("a", "b", "c"))
    assert read_annotations(path, "val").records[0].classes.tolist() == [1]
    assert read_annotations(path, "val", names=("b", "a")).records[0].classes.tolist() == [1]
    again = read_annotations(path, "val", names=("dog", "cat"))  # the same ones in another order
    assert again.names == ("dog", "cat") and again.records[0].classes.tolist() == [0]
    assert read_annotations(yolo(LABELS, "val: images/val\n"), "val", names=("a", "b")).names == ("a", "b")
    assert read_annotations(yolo(LABELS, "val: images/val\nnames: [1, b]"), "val").names == ("1", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1,\n b: }", r":2: malformed YAML"),
        ("train: !!python/object/apply:os.system [true]", r":1: malformed YAML"),
        ("names: !!timestamp x", "malformed YAML"),
        ("names: !!bool maybe", "malformed YAML"),
        ("names: !!int ''", "malformed YAML"),
        (
            "a: &a [x, x]\nb: &b [*a, *a]\nnames: [*b, *b]",
            r"data\.yaml:2: malformed YAML: an alias \(\*name\) is not supported",
        ),
        ("names: &a [*a]", r":1: malformed YAML: an alias"),
        ("", "no 'key: value' lines"),
        ("train: images/train\nnc: 3\nnames: [cat, dog]", "nc is 3, but there are 2 names"),
        ("train: images/train\nnc: true\nnames: [cat]", "nc is True, but there are 1 names"),
        ("- a", "no 'key: value' lines"),
        ("2020-99-99", "malformed YAML"),
        ("train: \x07", "malformed YAML"),
        ("[" * 100_000, "malformed YAML"),
        ("train: images/train", "no 'names'"),
        ("train: images/train\nnames: {0: a, 2: b}", "must count from 0 without a gap"),
        ("train: images/train\nnames: cat", "'names' must be a list"),
        ("train: images/train\nnames: [cat, [no]]", r"class name \['no'\] is not text; put it in quotes"),
        ("train: images/train\nnames: [cat, cat]", "'cat' is the name of two classes"),
        ("train: images/train\nnames: []", "names: no class names"),
        ("val: images/val\nnames: [cat, dog]", r"no split 'train' \(it has: val\)"),
        ("train: 7\nnames: [cat, dog]", "no split 'train'"),
        ("train: nowhere\nnames: [cat, dog]", "train: there is no .*nowhere"),
        (f"train: {'x' * 300}\nnames: [cat, dog]", "train: there is no .*x"),
        (f"val: images\nextra: {'x' * 300}.txt\nnames: [cat, dog]", r"no split 'train' \(it has: val\)"),
        ("train: labels\nnames: [cat, dog]", "train: no pictures in labels"),
        ("train: images/train/deep\nnames: [cat, dog]", "none of its 1 pictures has a label file; the first would be"),
        ("train: absent.txt\nnames: [cat, dog]", r"absent\.txt:1: there is no picture"),
    ],
)
def test_data_yaml_refused(yolo, tmp_path, text, message):
    (tmp_path / "absent.txt").write_text("images/train/absent.png")
    path = yolo(LABELS, text)
    with pytest.raises(InputError, match=message) as caught:
        read_annotations(path, "train")
    assert "\n" not in str(caught.value)


def test_a_file_without_splits_is_refused(yolo):
    with pytest.raises(InputError, match=r"data\.yaml: none of train, val and test is set"):
        read_annotations(yolo(LABELS, "names: [cat, dog]"))


def test_the_file_is_parsed_once(yolo, monkeypatch):
    calls, load = [], yaml.load
    monkeypatch.setattr(yaml, "load", lambda *arguments: calls.append(None) or load(*arguments))
    read_annotations(yolo(LABELS))
    assert len(calls) == 1
