"""Darknet's .data files and CVAT's YOLO export: names, lists, label files, and from where their paths start."""

import unicodedata

import cv2
import numpy as np
import pytest

from yolojax.data.formats.read import read_annotations, read_data, recognise, splits
from yolojax.errors import InputError

LABEL = "0 0.5 0.5 0.25 0.5\n"
BOX = [48.0, 24.0, 80.0, 72.0]  # of LABEL in a picture of 128 x 96


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def labelled(path, label=LABEL):
    """Writes a picture and the label file beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.zeros((96, 128, 3), np.uint8))
    if label is not None:
        write(path.with_suffix(".txt"), label)
    return path


@pytest.fixture
def cvat(tmp_path):
    """CVAT's YOLO export, unpacked: all paths start with data/, which is not in the folder."""
    folder = tmp_path / "export"
    for split, folders in (("train", "obj_train_data"), ("valid", "obj_valid_data")):
        for number in range(2):
            labelled(folder / folders / f"{split}{number}.jpg")
        write(folder / f"{split}.txt", "".join(f"data/{folders}/{split}{number}.jpg\n" for number in range(2)))
    write(folder / "obj.names", "cell\n")
    write(
        folder / "obj.data",
        "classes = 1\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\nbackup = b/\n",
    )
    return folder


def test_the_export_of_cvat_is_read_as_it_leaves_the_zip(cvat):
    for path in (cvat, cvat / "obj.data"):
        assert recognise(path) == "darknet" and splits(path) == ("train", "val")
        names, records, problems = read_annotations(path)
        assert names == ("cell",) and len(records) == 4 and problems == []
        assert all(record.boxes.tolist() == [BOX] and record.classes.tolist() == [0] for record in records)
        assert len(read_annotations(f"{path}:train").records) == 2
        assert [record.path for record in read_annotations(path, "val").records] == [
            str(cvat / f"obj_valid_data/valid{number}.jpg") for number in range(2)
        ]


def test_the_list_of_the_export_alone(cvat):
    _, records, problems = read_annotations(cvat / "train.txt", names=("cell",))
    assert [record.boxes.tolist() for record in records] == [[BOX], [BOX]]
    assert [problem.kind for problem in problems] == ["boxes in label files"]


@pytest.mark.parametrize("home", ["data", "cfg", "."])
def test_paths_from_the_folder_of_the_program(tmp_path, monkeypatch, home):
    """darknet detector train cfg/obj.data, in the folder of darknet: everything starts from there."""
    root = tmp_path / "darknet"
    labelled(root / "data/obj/a b.jpg")
    write(root / "data/train.txt", "data/obj/a b.jpg\n")
    write(root / "data/obj.names", "cell\n")
    file = write(root / home / "obj.data", "# mine\nclasses=1\ntrain  =data/train.txt\n\nnames= data/obj.names\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for folder in (root, elsewhere):
        monkeypatch.chdir(folder)
        (record,) = read_annotations(file).records
        assert record.boxes.tolist() == [BOX] and (root / "data/obj/a b.jpg").samefile(record.path)
    far = write(tmp_path / "x/y/obj.data", file.read_text())
    monkeypatch.chdir(root)
    assert len(read_annotations(far).records) == 1
    monkeypatch.chdir(elsewhere)
    with pytest.raises(
        InputError, match=r"obj\.data:5: names: there is no file data/obj\.names; looked for .*y/data/obj\.names,"
    ):
        read_annotations(far)
    with pytest.raises(
        InputError, match=r"obj\.data:3: train: there is no file data/train\.txt; looked for .*, data/train\.txt,"
    ):
        read_annotations(far, names=("cell",))


def test_windows_wrote_it(tmp_path):
    labelled(tmp_path / "obj" / (unicodedata.normalize("NFD", "Größe") + ".jpg"))
    (tmp_path / "train.txt").write_bytes("\ufeffdata\\obj\\Größe.jpg\r\n".encode())
    (tmp_path / "obj.names").write_bytes(b"\xef\xbb\xbfcell\r\n")
    (tmp_path / "obj.data").write_bytes(b"\xef\xbb\xbfclasses= 1\r\ntrain  = data\\train.txt\r\nnames = data\\obj.names\r\n")
    names, (record,), problems = read_annotations(tmp_path)
    assert names == ("cell",) and record.boxes.tolist() == [BOX]
    assert {problem.kind for problem in problems} <= {"other form of name"}


def test_pictures_in_images_and_labels_beside_that(tmp_path):
    for folder in ("images", "JPEGImages"):
        labelled(tmp_path / folder / "train/a.jpg", None)
        write(tmp_path / "labels/train/a.txt", LABEL)
        write(tmp_path / "train.txt", f"{folder}/train/a.jpg\n")
        write(tmp_path / "n.names", "cell\n")
        write(tmp_path / "d.data", "train = train.txt\nnames = n.names\n")
        assert read_annotations(tmp_path / "d.data").records[0].boxes.tolist() == [BOX]


def test_names_that_are_given(cvat):
    write(cvat / "obj.names", "cell\nvirus\n")
    write(cvat / "obj.data", "classes = 2\ntrain = train.txt\nnames = obj.names\n")
    names, records, _ = read_annotations(cvat, names=("virus", "cell"))
    assert names == ("virus", "cell") and records[0].classes.tolist() == [1]
    names, records, _ = read_annotations(cvat, names=("Zelle", "Virus"))
    assert names == ("Zelle", "Virus") and records[0].classes.tolist() == [0]
    with pytest.raises(InputError, match="2 class names, but 1 were given"):
        read_annotations(cvat, names=("cell",))
    (cvat / "obj.names").unlink()
    with pytest.raises(InputError, match=r"obj\.data:3: names: there is no file obj\.names; looked for"):
        read_annotations(cvat)
    write(cvat / "obj.data", "train = train.txt\n")
    with pytest.raises(InputError, match=r"obj\.data: no 'names'"):
        read_annotations(cvat)
    assert len(read_annotations(cvat, names=("cell", "virus")).records) == 2


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("classes = 2\ntrain = train.txt\nnames = obj.names", "number of classes", ":1: classes is 2, but there are 1 names"),
        ("classes = x\ntrain = train.txt\nnames = obj.names", "number of classes", ":1: classes is x"),
        ("names = obj.names", "no pictures", "none of train, valid and test is set"),
        ("train = \nnames = obj.names", "no pictures", "none of train, valid and test is set"),
        ("names = obj.names\ntrain = absent.txt", "missing file", ":2: train: there is no file absent.txt; looked for "),
        ("names = obj.names\ntrain = obj_train_data", "missing file", ":2: train: there is no file obj_train_data"),
        ("valid = valid.txt\nnames = obj.names\nval = train.txt", None, ":3: val is set on line 1 already"),
        ("classes 1\ntrain = train.txt", None, ":1: 'classes 1' is not 'key = value'"),
    ],
)
def test_what_is_wrong_with_the_file_is_refused(cvat, text, kind, message):
    write(cvat / "obj.data", text + "\n")
    with pytest.raises(InputError) as caught:
        read_annotations(cvat)
    assert str(caught.value).startswith(str(cvat / "obj.data")) and message in str(caught.value)
    if kind:
        problems = []
        read_data(cvat, None, lambda *problem: problems.append(problem))
        assert [found for found, _ in problems] == [kind]


def test_what_is_wrong_with_the_labels_is_refused(cvat):
    write(cvat / "obj_train_data/train1.txt", "0 0.5 0.5 0.1\n1 .5 .5 .1 .1\n0 50 50 10 10\n")
    problems = []
    read_data(cvat, None, lambda *problem: problems.append(problem))
    assert [kind for kind, _ in problems] == ["malformed box", "class without a name", "malformed box"]
    for number, (_, message) in enumerate(problems, 1):
        assert message.startswith(f"{cvat / 'obj_train_data/train1.txt'}:{number}: ")
    with pytest.raises(InputError, match=r"train1\.txt:1: "):
        read_annotations(cvat)


def test_no_label_files_at_all(cvat):
    for label in cvat.glob("obj_*/*.txt"):
        label.unlink()
    with pytest.raises(
        InputError, match=r"obj\.data: none of its 2 pictures has a label file; the first would be .*train0\.txt"
    ):
        read_annotations(cvat, "train")


def test_missing_pictures_are_named(cvat):
    (cvat / "obj_train_data/train1.jpg").unlink()
    with pytest.raises(InputError, match=r"train\.txt:2: there is no picture .*obj_train_data/train1\.jpg"):
        read_annotations(cvat)


def test_a_picture_of_two_splits_counts_once(cvat):
    write(cvat / "valid.txt", "data/obj_train_data/train0.jpg\n")
    assert len(read_annotations(cvat).records) == 2
    assert len(read_annotations(cvat, "val").records) == 1


def test_a_folder_of_several_is_told_so(cvat):
    write(cvat / "other.data", "")
    with pytest.raises(InputError, match=r"several \.data files .*: obj\.data, other\.data"):
        recognise(cvat)


def test_an_unknown_split(cvat):
    with pytest.raises(InputError, match=r"obj\.data: no split 'test' \(it has: train, val\)"):
        read_annotations(cvat, "test")
