"""Text lists as other tools write them: from other folders, under other forms of names."""

import unicodedata

import pytest

from tests.helpers.listed import NAMES, picture, read, write
from yolojax.data.formats.read import read_annotations
from yolojax.data.formats.text import read_text_list
from yolojax.errors import InputError


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


def test_label_files_of_pictures_without_boxes_in_a_list_of_boxes_are_said(tmp_path):
    for name in ("a", "b", "c"):
        picture(tmp_path / f"images/{name}.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/b.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "labels/c.txt").write_text("")
    path = tmp_path / "list.txt"
    path.write_text("images/a.png 1,2,30,20,0\nimages/b.png\nimages/c.png\n")
    _, records, problems = read_annotations(path, names=("cat",))
    assert [len(record.boxes) for record in records] == [1, 0, 0]
    message = f"{path}:2: no boxes here, but in {tmp_path / 'labels/b.txt'}, which is not read; write them into the list"
    assert problems == [("label beside list", message)]
