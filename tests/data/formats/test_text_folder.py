"""Folders of text lists: what split and convert write can be given as a whole."""

import numpy as np
import pytest

from yolojax.config import DataConfig
from yolojax.data.convert import convert
from yolojax.data.digits import write_mnist_detection
from yolojax.data.formats.read import read_annotations, recognise, splits
from yolojax.data.images import write_image
from yolojax.data.split import split_data
from yolojax.data.splits import split_annotations
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


def test_names_may_be_in_another_file_or_be_given(lists):
    (lists / "classes.names").rename(lists / "cells.names")
    assert recognise(lists) == "text folder"
    assert read_annotations(f"{lists}:val").names == ("cat", "dog")
    (lists / "cells.names").unlink()
    assert read_annotations(lists, names=("a", "b")).names == ("a", "b")
    with pytest.raises(InputError, match=r"lists: its text lists have no class names; write them into classes\.names there"):
        read_annotations(lists)


def test_what_digits_writes_is_such_a_folder(tmp_path):
    write_mnist_detection(tmp_path / "digits", train=3, val=2, size=128)
    assert splits(tmp_path / "digits") == ("train", "val")
    assert [len(read_annotations(tmp_path / "digits", split).records) for split in ("train", "val")] == [3, 2]


def test_a_list_s_name_may_have_more_words(lists):
    (lists / "train.txt").rename(lists / "2007_train.txt")
    (lists / "val.txt").rename(lists / "2007_val.txt")
    assert splits(lists) == ("train", "val")
    assert len(read_annotations(f"{lists}:train").records) == len(read_annotations(f"{lists}:2007_train").records) == 3
    # Two that stand for the same split keep their own names.
    (lists / "2012_train.txt").write_text("d.png 3,4,50,30,0\n")
    assert splits(lists) == ("2007_train", "2012_train", "val")


def test_the_only_list_is_divided_for_training(lists):
    (lists / "val.txt").unlink()
    (lists / "train.txt").rename(lists / "boxes.txt")
    (lists / "notes.txt").write_text("a.png is from March.\n")
    (lists / "classes.names").rename(lists / "classes.txt")
    config = DataConfig(train=str(lists), val_share=0.4)
    counts = [len(split_annotations(config, split)[0].records) for split in ("train", "val")]
    assert sum(counts) == 3 and min(counts) >= 1


@pytest.mark.parametrize("line", ["0 0.5 0.5 0.1 0.1", "684,8,273,116,0,0,0,0", "a.png", "a.png, see b.png", "cat"])
def test_other_texts_are_no_lists_of_boxes(lists, line):
    (lists / "classes.names").unlink()
    for name in ("train", "val"):
        (lists / f"{name}.txt").write_text(f"{line}\n")
    with pytest.raises(InputError, match=r"no data set is recognised|no 'names'"):
        read_annotations(lists)


def test_label_files_with_class_names_are_yolo(lists):
    for name in ("train", "val"):
        (lists / f"{name}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    assert recognise(lists) == "yolo"


def test_a_stray_label_file_makes_no_background_of_the_lists(lists):
    (lists / "c.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    assert recognise(lists) == "text folder"
    _, records, problems = read_annotations(lists)
    assert sum(len(record.boxes) for record in records) == 4
    assert [(kind, message.split(": ")[0]) for kind, message in problems] == [("other file", str(lists / "c.txt"))]


@pytest.mark.parametrize("content", ["d.png 3,4,50,30,0\n".encode("utf-16"), b"\0\0\1", b"PK\3\4", b"# comment\n" * 30])
def test_a_list_named_after_a_split_does_not_vanish(lists, content):
    (lists / "val.txt").write_bytes(content)
    assert splits(lists) == ("train", "val")
    with pytest.raises(InputError, match=r"val\.txt"):
        read_annotations(lists)


def test_links_that_lead_nowhere_and_other_cases_are_lists_too(lists):
    (lists / "val.txt").rename(lists / "VAL.TXT")
    assert splits(lists) == ("VAL", "train") and len(read_annotations(f"{lists}:VAL").records) == 1
    (lists / "test.txt").symlink_to("nowhere")
    with pytest.raises(InputError, match=r"test\.txt.*No such file"):
        read_annotations(lists)
