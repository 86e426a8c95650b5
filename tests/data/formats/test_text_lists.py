"""Text lists as other tools write them: without boxes, from other folders, under other forms of names."""

import unicodedata

import cv2
import numpy as np
import pytest

from yolojax.data.formats.read import read_annotations, read_data
from yolojax.data.formats.text import read_text_list
from yolojax.errors import InputError

LABEL = "0 0.5 0.5 0.25 0.5\n"
BOX = [48.0, 24.0, 80.0, 72.0]  # of LABEL in a picture of 128 x 96
NAMES = ("cell", "virus")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.zeros((96, 128, 3), np.uint8))
    return path


def read(path):
    """The records, and the kinds of what does not stop a training."""
    _, records, problems = read_annotations(path, names=NAMES)
    return records, [problem.kind for problem in problems]


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


def test_a_list_with_boxes_does_not_look_at_label_files(tmp_path):
    for name in "ab":
        picture(tmp_path / f"{name}.jpg")
        write(tmp_path / f"{name}.txt", LABEL)
    records, kinds = read(write(tmp_path / "train.txt", "a.jpg 1,2,30,40,1\nb.jpg\n"))
    assert [record.boxes.tolist() for record in records] == [[[1, 2, 30, 40]], []] and kinds == []


@pytest.mark.parametrize("name", ["list.txt", "a.txt"])
def test_a_list_without_label_files_is_background(tmp_path, name):
    for stem in "ab":
        picture(tmp_path / f"{stem}.jpg")
    records, kinds = read(write(tmp_path / name, "a.jpg\nb.jpg\nb.jpg\n"))
    assert [len(record.boxes) for record in records] == [0, 0, 0] and kinds == []


def test_relative_paths_start_from_one_place(tmp_path, monkeypatch):
    work, lists = tmp_path / "work", tmp_path / "lists" / "mine"
    picture(work / "pics/a.jpg")
    picture(work / "pics/b.jpg")
    path = write(lists / "train.txt", "pics/absent.jpg 1,2,30,40,0\npics/a.jpg 1,2,30,40,0\npics/b.jpg\n")
    monkeypatch.chdir(work)
    problems = []
    records = read_text_list(path, NAMES, lambda *problem: problems.append(problem))
    assert [record.path for record in records] == ["pics/absent.jpg", "pics/a.jpg", "pics/b.jpg"]
    assert [kind for kind, _ in problems] == ["missing picture"]

    # The list's folder comes first, and then no picture is taken from elsewhere.
    picture(lists / "pics/a.jpg")
    problems.clear()
    records = read_text_list(path, NAMES, lambda *problem: problems.append(problem))
    assert [record.path for record in records] == [str(lists / f"pics/{name}.jpg") for name in ("absent", "a", "b")]
    assert [kind for kind, _ in problems] == ["missing picture"] * 2
    with pytest.raises(
        InputError, match=r"train\.txt:1: there is no picture .*absent\.jpg; relative paths start from the list's"
    ):
        read_text_list(path, NAMES)

    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "lists/up/c.jpg")
    (record,) = read_text_list(write(lists / "up.txt", "up/c.jpg\n"), NAMES)
    assert record.path == str(tmp_path / "lists/up/c.jpg")


NAMES_ON_DISK = ["images/a.jpg", "images/my picture, 2.jpg", unicodedata.normalize("NFD", "images/Größe é.jpg")]


@pytest.mark.parametrize("name", NAMES_ON_DISK)
@pytest.mark.parametrize("boxes", ["", " 1,2,30,40,0", "\t1,2,30,40,0\t5,6,70,80,1"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("slash", ["/", "\\"])
def test_names_in_another_form(tmp_path, name, boxes, form, slash):
    picture(tmp_path / name)
    written = unicodedata.normalize(form, name).replace("/", slash)
    (record,), kinds = read(write(tmp_path / "list.txt", f"{written}{boxes}\r\n"))
    assert record.path == str(tmp_path / name) and len(record.boxes) == len(boxes.split())
    assert kinds == ([] if written == name else ["other form of name"])
    assert len(read_text_list(tmp_path / "list.txt", NAMES)) == 1


def test_pictures_that_no_disk_can_hold(tmp_path):
    path = write(tmp_path / "list.txt", f"{'ä' * 5000}.jpg 1,2,30,40,0\nä\0.jpg\n{'ö' * 200}/ö.jpg\n")
    problems = []
    assert len(read_text_list(path, NAMES, lambda *problem: problems.append(problem))) == 3
    assert [kind for kind, _ in problems] == ["missing picture"] * 3


@pytest.mark.parametrize(("number", "class_id"), [("0.0", 0), ("1.", 1), ("1.000", 1), ("01", 1)])
def test_class_numbers_as_floats(tmp_path, number, class_id):
    picture(tmp_path / "a.jpg")
    (record,), kinds = read(write(tmp_path / "list.txt", f"a.jpg 1,2,30,40,{number} 1.0,2.0,30.0,40.0,{number}\n"))
    assert record.classes.tolist() == [class_id] * 2 and kinds == []


@pytest.mark.parametrize(
    "boxes",
    ["1 2 30 40 0", "1\t2\t30\t40\t0", "1, 2, 30, 40, 0", "1; 2; 30; 40; 0", "1 2 30 40 0 5 6 70 80 1", "0 1 2 30 40",
     "1920 1080 0 453 369 473 391"],
)  # fmt: skip
def test_boxes_with_spaces_inside(tmp_path, boxes):
    picture(tmp_path / "a.jpg")
    path = write(tmp_path / "list.txt", f"a.jpg {boxes}\n")
    problems = []
    (record,) = read_text_list(path, NAMES, lambda *problem: problems.append(problem))
    assert len(record.boxes) == 0 and len(problems) == 1
    with pytest.raises(
        InputError, match=r"list\.txt:1: '.*' is not a box: there are spaces inside it; write x1,y1,x2,y2,class "
    ):
        read_text_list(path, NAMES)


def test_a_names_file_beside_the_list_is_pointed_at(tmp_path):
    picture(tmp_path / "a.jpg")
    path = write(tmp_path / "list.txt", "a.jpg 1,2,30,40,0\n")
    write(tmp_path / "obj.names", "cell\n")
    with pytest.raises(InputError, match=rf"config\.data\.names\), perhaps {tmp_path}/obj\.names$"):
        read_annotations(path)
