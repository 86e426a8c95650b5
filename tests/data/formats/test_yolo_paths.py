"""Paths in a data.yaml and in its lists, relative to anything."""

import json
import os

import pytest

from tests.helpers.yolo_folders import boxes_in, make
from yolojax.data.formats.read import read_annotations
from yolojax.errors import InputError


@pytest.mark.parametrize(
    "entries",
    [
        {"train": "images/train"},
        {"train": "images\\train"},
        {"train": "./images/train/"},
        {"path": ".", "train": "images/train"},
        {"path": "..", "train": "set/images/train"},
        {"path": "set", "train": "images/train"},  # from the current folder
        {"train": "set/images/train"},
        {"path": "set/images", "train": "train"},
        {"train": "../images/train"},
        {"train": "../../images/train"},
        {"path": "../datasets/set", "train": "images/train"},
        {"path": "coco8", "train": "images/t"},  # ../datasets/ of Ultralytics
        {"path": "set", "train": "list.txt"},
        {"train": "list.txt"},
        {"train": "lists/of_root.txt"},
        {"train": "lists/of_current.txt"},
        {"train": "lists/windows.txt"},
        {"train": ["images/train", "lists/own.txt"]},
    ],
)
def test_paths_relative_to_anything(tmp_path, monkeypatch, entries):
    make(tmp_path / "set", ["images/train/a.jpg", "labels/train/a.txt"])
    make(tmp_path / "datasets/coco8", ["images/t/a.jpg", "labels/t/a.txt"])
    lists = {
        "list.txt": "./images/train/a.jpg",
        "lists/of_root.txt": "images/train/a.jpg",
        "lists/windows.txt": "images\\train\\a.jpg",
    }
    lists |= {"lists/of_current.txt": "set/images/train/a.jpg", "lists/own.txt": "../images/train/a.jpg\n"}
    make(tmp_path / "set", lists)
    make(tmp_path / "set", {"data.yaml": json.dumps({**entries, "names": ["cat"]})})
    monkeypatch.chdir(tmp_path)
    for data in (tmp_path / "set", "set/data.yaml"):
        _, (record,), problems = read_annotations(data)
        assert len(record.boxes) == 1
        assert {kind for kind, _ in problems} <= {"other form of name"}


def test_paths_of_another_machine(tmp_path):
    make(tmp_path, [f"{split}/{name}" for split in ("train", "valid") for name in ("images/a.jpg", "labels/a.txt")])
    values = {"path": "/content/data", "train": "train/images", "val": "/kaggle/input/x/valid/images", "names": ["cat"]}
    make(tmp_path, {"data.yaml": json.dumps(values)})
    for split in ("train", "val"):
        _, (record,), problems = read_annotations(tmp_path, split)
        assert len(record.boxes) == 1 and [kind for kind, _ in problems] == ["other form of name"]
    make(tmp_path, {"data.yaml": json.dumps({"train": "C:\\data\\train\\images", "val": "l.txt", "names": ["cat"]})})
    make(tmp_path, {"l.txt": "/home/me/valid/images/a.jpg\n"})
    assert boxes_in(tmp_path, "train") == boxes_in(tmp_path, "val") == 1


def test_a_path_of_another_machine_is_not_guessed_from_one_common_name(tmp_path):
    make(tmp_path, ["images/a.jpg", "labels/a.txt"])
    make(tmp_path, {"data.yaml": json.dumps({"train": "/content/train/images", "names": ["cat"]})})
    with pytest.raises(InputError, match="train: there is no /content/train/images"):
        read_annotations(tmp_path)


def test_all_places_that_were_tried_are_named(tmp_path, monkeypatch):
    make(tmp_path, {"set/data.yaml": "path: root\ntrain: here\nnames: [cat]\n"})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        read_annotations("set/data.yaml")
    for place in ("set/root/here", "set/here", "root/here", "here", "datasets/root/here"):
        assert f"{os.path.normpath(place)}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_of_very_many_parts_is_looked_for_by_its_last_ones(tmp_path):
    make(tmp_path, ["images/train/a.jpg", "labels/train/a.txt"])
    line = "elsewhere/" * 20_000 + "images/train/a.jpg"  # minutes if all its ends were tried
    (tmp_path / "list.txt").write_text(f"{line}\n")
    (tmp_path / "data.yaml").write_text("train: list.txt\nnames: [cat]\n")
    _, (record,), problems = read_annotations(tmp_path / "data.yaml")
    assert record.path == str(tmp_path / "images/train/a.jpg")
    assert [kind for kind, _ in problems] == ["other form of name"]
    (tmp_path / "list.txt").write_text(f"{line}\n{line.replace('a.jpg', 'b.jpg')}\n")
    with pytest.raises(InputError, match=r"list\.txt:2: there is no picture "):
        read_annotations(tmp_path / "data.yaml")
