"""Text lists without boxes: these are in label files, as for Darknet."""

import pytest

from tests.helpers.listed import BOX, LABEL, NAMES, picture, read, write
from yolojax.data.formats.read import read_annotations, read_data
from yolojax.data.formats.text import read_text_list
from yolojax.errors import InputError


@pytest.mark.parametrize(
    ("place", "labels"), [("obj", "obj"), ("images/a", "labels/a"), ("JPEGImages", "labels"), ("images", "images")]
)
def test_a_list_without_boxes_is_read_with_its_label_files(tmp_path, place, labels):
    for number in range(3):
        picture(tmp_path / place / f"{number}.jpg")
    write(tmp_path / labels / "0.txt", LABEL)
    write(tmp_path / labels / "1.txt", "1 0.5 0.5 0.25 0.5\r\n" + LABEL)
    path = write(tmp_path / "train.txt", "".join(f"{place}/{number}.jpg\n" for number in range(3)))
    records, kinds = read(path)
    assert [record.boxes.tolist() for record in records] == [[BOX], [BOX, BOX], []]
    assert [record.classes.tolist() for record in records] == [[0], [1, 0], []]
    assert records[1].source == str(tmp_path / labels / "1.txt") and records[2].source == f"{path}:3"
    assert kinds == ["boxes in label files"]
    assert [record.boxes.tolist() for record in read_text_list(path, NAMES)] == [[BOX], [BOX, BOX], []]


def test_mistakes_in_the_label_files_are_named(tmp_path):
    picture(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", "0 .5 .5 .1\n7 .5 .5 .1 .1\n0 50 50 9 9\n0 .5 .5 0 .1\n")
    path = write(tmp_path / "train.txt", "a.jpg\na.jpg\n")
    problems = []
    write(tmp_path / "n.names", "cell\n")
    _, (record,) = read_data(path, tmp_path / "n.names", lambda *problem: problems.append(problem))
    assert len(record.boxes) == 0
    assert [kind for kind, _ in problems] == [
        "boxes in label files", "picture twice", "malformed box", "class without a name", "malformed box", "box without area"
    ]  # fmt: skip
    assert [message.split(": ")[0] for _, message in problems[2:]] == [f"{tmp_path / 'a.txt'}:{line}" for line in (1, 2, 3, 4)]
    with pytest.raises(InputError, match=r"a\.txt:1: "):
        read_annotations(path, names=NAMES)
    with pytest.raises(InputError, match=r"a\.txt:1: "):
        read_text_list(path, NAMES)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("A.txt", "other form of name"), ("a .txt", "other form of name"), ("a.jpg.txt", "other form of name"),
     ("aa.txt", "label without picture"), ("notes.txt", None)],
)  # fmt: skip
@pytest.mark.parametrize("listed", ["train.txt", "obj.data"])
def test_label_files_of_other_names(tmp_path, name, kind, listed):
    picture(tmp_path / "obj/a.jpg")
    picture(tmp_path / "obj/b.jpg")
    write(tmp_path / "obj/b.txt", LABEL)
    write(tmp_path / "obj" / name, LABEL if kind else "taken in May\n")
    write(tmp_path / "train.txt", "obj/a.jpg\nobj/b.jpg\n")
    write(tmp_path / "obj.names", "cell\nvirus\n")
    write(tmp_path / "obj.data", "train = train.txt\nnames = obj.names\n")
    records, kinds = read(tmp_path / listed)
    found = kind == "other form of name"
    assert [record.boxes.tolist() for record in records] == [[BOX] if found else [], [BOX]]
    assert sorted({*kinds} - {"boxes in label files"}) == [kind] * bool(kind)


def test_polygons_in_label_files(tmp_path):
    picture(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", "1 0.375 0.25 0.625 0.25 0.625 0.75 0.375 0.75\n")
    (record,), kinds = read(write(tmp_path / "train.txt", "a.jpg\n"))
    assert record.boxes.tolist() == [BOX] and record.classes.tolist() == [1]
    assert kinds == ["polygon", "boxes in label files"] or kinds == ["boxes in label files", "polygon"]


def test_a_list_with_boxes_does_not_read_label_files_and_says_so(tmp_path):
    for name in "ab":
        picture(tmp_path / f"{name}.jpg")
        write(tmp_path / f"{name}.txt", LABEL)
    records, kinds = read(write(tmp_path / "train.txt", "a.jpg 1,2,30,40,1\nb.jpg\n"))
    assert [record.boxes.tolist() for record in records] == [[[1, 2, 30, 40]], []] and kinds == ["label beside list"]


@pytest.mark.parametrize("name", ["list.txt", "a.txt"])
def test_a_list_without_label_files_is_background(tmp_path, name):
    for stem in "ab":
        picture(tmp_path / f"{stem}.jpg")
    records, kinds = read(write(tmp_path / name, "a.jpg\nb.jpg\nb.jpg\n"))
    assert [len(record.boxes) for record in records] == [0, 0, 0] and kinds == []
