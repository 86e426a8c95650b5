"""Folders of text lists: what split and convert write can be given as a whole."""

import numpy as np
import pytest

from yolojax.data.convert import convert
from yolojax.data.formats.read import read_annotations, recognise, splits
from yolojax.data.images import write_image
from yolojax.data.split import split_data
from yolojax.errors import InputError


@pytest.fixture
def lists(tmp_path):
    """A folder with the lists train and val of three pictures and one, and class names."""
    folder = tmp_path / "lists"
    folder.mkdir()
    for name in "abcd":
        write_image(folder / f"{name}.png", np.full((40, 80, 3), ord(name), np.uint8))
    (folder / "classes.names").write_text("cat\ndog\n")
    (folder / "train.txt").write_text("a.png 1,2,30,20,1\nb.png\nc.png 5,5,10,10,0 20,20,40,40,1\n")
    (folder / "val.txt").write_text("d.png 3,4,50,30,0\n")
    return folder


def test_the_splits_and_all_of_them(lists):
    assert recognise(lists) == "text folder" and splits(lists) == ("train", "val")
    names, records, problems = read_annotations(f"{lists}:train")
    assert names == ("cat", "dog") and problems == []
    assert [record.classes.tolist() for record in records] == [[1], [], [0, 1]]
    assert read_annotations(lists, "val").records[0].boxes.tolist() == [[3, 4, 50, 30]]
    assert len(read_annotations(lists).records) == 4
    assert read_annotations(lists, names=("a", "b")).names == ("a", "b")
    with pytest.raises(InputError, match=r"no split 'test' \(it has: train, val\)$"):
        read_annotations(f"{lists}:test")


def test_what_split_and_convert_write_is_such_a_folder(lists, tmp_path):
    split_data(lists, tmp_path / "split", val=0.25, test=0.25)
    assert splits(tmp_path / "split") == ("test", "train", "val")
    convert([lists], "coco", tmp_path / "coco")
    convert([tmp_path / "coco"], "text", tmp_path / "text")
    again = read_annotations(tmp_path / "text", "train")
    for record, other in zip(again.records, read_annotations(lists, "train").records, strict=True):
        np.testing.assert_array_equal(record.boxes, other.boxes)
        np.testing.assert_array_equal(record.classes, other.classes)


def test_a_folder_without_names_or_lists_is_another(lists):
    (lists / "classes.names").rename(lists / "other.names")
    with pytest.raises(InputError, match="no data set is recognised"):
        recognise(lists)
    (lists / "other.names").rename(lists / "classes.names")
    for name in ("train", "val"):
        (lists / f"{name}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    assert recognise(lists) == "yolo"
