"""Which label file of YOLO belongs to which picture: nothing vanishes without a word."""

import os
import unicodedata

import pytest

from tests.helpers.yolo_folders import BOX, kinds, labelled_pictures
from yolojax.data.formats.read import read_annotations
from yolojax.errors import InputError


@pytest.fixture
def data(tmp_path):
    return labelled_pictures(tmp_path)


NFD = unicodedata.normalize("NFD", "é")


@pytest.mark.parametrize(
    ("picture", "label"),
    [
        ("a.jpg", "a.jpg.txt"),
        ("A.jpg", "a.txt"),
        ("a.JPG", "A.JPG.txt"),
        ("a.jpg", "a.TXT"),
        ("a b.jpg", "a  b.txt"),
        ("a.jpg", "a .txt"),
        ("é.jpg", f"{NFD}.txt"),
        (f"{NFD}.jpg", "é.txt"),
    ],
)
def test_a_label_under_another_form_of_the_name_is_used_and_said(data, picture, label):
    path = data([picture, "other.png"], {label: BOX, "other.txt": BOX})
    _, records, problems = read_annotations(path)
    assert [len(record.boxes) for record in records] == [1, 1]
    assert kinds(problems) == ["other form of name"] and problems[0].message.startswith(f"{path.parent}/labels/{label}: ")


def test_where_two_pictures_may_be_meant_the_label_is_left_out_and_said(data):
    path = data(["A.png", "a.jpg", "other.png"], {"a .txt": BOX, "other.txt": BOX})
    _, records, problems = read_annotations(path)
    assert sum(len(record.boxes) for record in records) == 1
    assert kinds(problems) == ["background", "background", "label without picture"]


def test_labels_without_picture_name_the_nearest(data):
    pictures = ["frame_01.png", "frame_02.png", "day/p.png"]
    labels = {"frame_01.txt": BOX, "frame02.txt": BOX, "zebra.txt": BOX, "day/p.txt": "", "night/q.txt": BOX}
    path = data(pictures, {**labels, "classes.txt": "cat\ndog\n", "notes.txt": "made on Monday\n"})
    problems = read_annotations(path).problems
    assert kinds(problems) == ["label without picture"] * 3 + ["other file"]
    by_file = {message.partition(": ")[0].rpartition("labels/")[2]: message for _, message in problems}
    assert sorted(by_file) == ["frame02.txt", "night/q.txt", "notes.txt", "zebra.txt"]
    assert "the nearest without a label is frame_02.png" in by_file["frame02.txt"]
    assert "add the picture or remove the label" in by_file["zebra.txt"]
    problems = read_annotations(data(["day/p2.png"], {"day/q2.txt": BOX})).problems
    assert any("day/q2.txt: " in message and "is p2.png;" in message for _, message in problems)


def test_labels_of_another_split_and_of_pictures_in_unread_formats_belong_to_theirs(data, tmp_path):
    path = data(["a.png", "b.png", "c.heic"], {"a.txt": BOX, "b.txt": BOX, "c.txt": BOX})
    assert kinds(read_annotations(path).problems) == ["unknown picture format"]
    (tmp_path / "list.txt").write_text("images/a.png\n")
    path.write_text("train: list.txt\nnames: [cat]\n")
    assert read_annotations(path).problems == []


def test_labels_beside_pictures_are_used_where_there_is_no_other(data, tmp_path):
    path = data(["a.png", "b.png"], {"a.txt": BOX})
    (tmp_path / "images/b.txt").write_text(BOX)
    (tmp_path / "images/c.txt").write_text(BOX)
    (tmp_path / "images/readings.txt").write_text("1 2\n")
    _, records, problems = read_annotations(path)
    assert [len(record.boxes) for record in records] == [1, 1]
    assert kinds(problems) == ["label without picture"] and "images/c.txt" in problems[0].message


@pytest.mark.parametrize("folder", ["Labels", "label", "annotations"])
def test_label_folders_of_other_spellings(data, tmp_path, folder):
    path = data(["day/a.png"], {"day/a.txt": BOX})
    (tmp_path / "labels").rename(tmp_path / folder)
    _, (record,), problems = read_annotations(path)
    assert len(record.boxes) == 1 and problems == []


def test_annotations_of_another_kind_are_not_taken_for_labels(data, tmp_path):
    path = data(["a.png"], {"a.txt": "cat 1 2 3 4\n"})
    (tmp_path / "labels").rename(tmp_path / "annotations")
    with pytest.raises(InputError, match=r"none of its 1 pictures has a label file; the first would be .*labels/a\.txt"):
        read_annotations(path)


def test_many_pictures_without_label_are_said(data):
    path = data([f"{number}.png" for number in range(5)], {"0.txt": BOX})
    problems = read_annotations(path).problems
    assert kinds(problems) == ["background"] * 4 and problems[0].message.startswith(f"{path.parent}/images/1.png: ")
    assert read_annotations(data(["0.png"], {"1.txt": "", "2.txt": ""})).problems == []


def test_pictures_behind_links_with_other_endings_and_hidden_files(data, tmp_path):
    path = data(["z.png"], {"z.txt": BOX})
    for kind in ("images", "labels"):
        (tmp_path / "store" / kind).mkdir(parents=True)
        os.symlink(tmp_path / "store" / kind, tmp_path / kind / "day")
        os.symlink("../" + kind, tmp_path / kind / "loop")
    for ending in ("jfif", "gif", "avif", "jp2", "mpo"):
        data([f"day/{ending}.{ending}"], {f"day/{ending}.txt": BOX})
    for hidden in ("images/._z.png", "labels/._z.txt", "labels/.DS_Store", "images/Thumbs.db"):
        (tmp_path / hidden).write_bytes(b"\0\1")
    _, records, problems = read_annotations(path)
    assert len({record.path for record in records}) == len(records)
    names = [os.path.basename(record.path) for record in records]
    assert sorted(names) == ["avif.avif", "gif.gif", "jfif.jfif", "jp2.jp2", "mpo.mpo", "z.png"]
    assert all(len(record.boxes) == 1 for record in records)
    assert set(kinds(problems)) == {"hidden file"} and len(set(problems)) == 4


def test_labels_in_an_unusual_place_are_pointed_at(data, tmp_path):
    path = data(["a.png"], {"a.txt": BOX})
    (tmp_path / "labels").rename(tmp_path / "boxes")
    with pytest.raises(InputError, match=r"would be .*labels/a\.txt; .*boxes/a\.txt looks like a label of theirs"):
        read_annotations(path)
