"""What is said of a file or folder that is no data set."""

import cv2
import numpy as np
import pytest

from yolojax.data.formats.looks_like import file_looks_like, folder_looks_like
from yolojax.data.formats.read import read_annotations, recognise
from yolojax.errors import InputError

PNG = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
OTHER_FILES = [
    ("a.png", PNG, "a picture; .*yolojax detect"),
    ("a.heic", b"", "a picture"),
    ("picture", PNG, "a picture"),
    ("a.mp4", b"\0\0", "a video; .*yolojax detect"),
    (
        "an export.zip",
        b"PK\3\4",
        r"a zip file; unpack it \(`unzip '.*/an export\.zip' -d '.*/an export'`\) and give .*/an export\. ",
    ),
    ("download", b"PK\3\4", "a zip file; unpack it"),
    ("a.tar.gz", b"\x1f\x8b", r"an archive; unpack it \(`tar -xf .*/a\.tar\.gz`\)"),
    ("a.tfrecord", b"\1", "TensorFlow records"),
    ("a.tfrecord-00000-of-00002", b"\1", "TensorFlow records"),
    ("yolov3.weights", b"\0", "the weights of a network"),
    ("yolov3.cfg", b"[net]", "Darknet's description of a network"),
    ("a.ipynb", b"{}", "a notebook"),
    ("label_map.pbtxt", b"item {", "a label map of TensorFlow"),
    ("a.xml", b"<?xml version='1.0'?><!-- x --><kml/>", "an XML file that is no data set; its first element is <kml>"),
    ("a.xml", b"<annotation>", r"the annotation of one picture \(VOC\); give the folder of all"),
    ("obj.names", b"cell\n", "class names; give them with --names"),
    ("classes.txt", b"cell\nsea lion\n", "a list of words, perhaps class names"),
    ("a.txt", b"0 0.5 0.5 0.25 0.5\r\n1 .5 .5 .1 .1\r\n", r"the boxes of one picture \(YOLO\)"),
    ("notes.md", b"# All of these are mine\n", "a text file without any picture in its first lines"),
    ("a.bin", b"\1\0\2\0", "a binary file"),
    ("list.txt", "a.jpg 1,2,3,4,0".encode("utf-16"), "text in UTF-16; save it as UTF-8"),
]


UNREAD_LABELS = {
    "KITTI": "Car 0.00 0 -1.58 587.01 173.33 614.12 200.12 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59\n",
    "DOTA": "imagesource:GoogleEarth\r\ngsd:0.15\r\n10.0 10.0 90.5 10.0 90.5 50.0 10.0 50.0 small-vehicle 0\r\n",
    "VisDrone": "684,8,273,116,0,0,0,0\n406,119,265,70,1,4,0,1,\n",
    "MOTChallenge": "1,1,912,484,97,109,0,7,1\n2,1,912.5,484,97,109,-1,-1,-1,-1\n",
    "WIDER FACE": "0--Parade/0_Parade_849.jpg\n1\n449 330 122 149 0 0 0 0 0 0 \n",
}


@pytest.mark.parametrize("name", UNREAD_LABELS)
def test_labels_that_are_not_read_are_called_by_their_name(tmp_path, name):
    labels = tmp_path / "set" / "training" / "labels" / "a.txt"
    labels.parent.mkdir(parents=True)
    labels.write_text(UNREAD_LABELS[name])
    for path in (labels, tmp_path / "set"):
        with pytest.raises(InputError, match=f"it looks like labels of {name}, which are not read; convert them"):
            read_annotations(path)


def test_labels_with_words_for_classes_are_told_to_have_numbers(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(PNG)
    (tmp_path / "labels" / "a.txt").write_text("cat 0.5 0.5 0.25 0.5\ndog 0.5 .5 .1 .1\n")
    with pytest.raises(InputError, match="YOLO labels with names of classes in the place of their numbers; write numbers"):
        read_annotations(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"), OTHER_FILES, ids=[f"{name} {says[:12]}" for name, _, says in OTHER_FILES]
)
def test_a_file_that_is_no_data_set_is_told_what_it_looks_like(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    for names in (None, ("cat",)):
        with pytest.raises(InputError, match=rf"{name}: .* it looks like {message}") as caught:
            read_annotations(tmp_path / name, names=names)
        assert "Known are VOC" in str(caught.value) and "\n" not in str(caught.value)
        assert "text list has no class names" not in str(caught.value)


OTHER_FOLDERS = [
    ((), "an empty folder"),
    (("._a.jpg", ".DS_Store"), "an empty folder"),
    (("a.png", "b.JPG"), "2 pictures without annotations; .*yolojax detect"),
    (("cat/a.png", "dog/b.png"), "folders of pictures without annotations: cat, dog"),
    (("inner/data.yaml", "README.md"), "a folder around a data set; give .*/folder/inner"),
    (("inner/Annotations/a.xml",), "a folder around a data set; give .*/folder/inner"),
    (("one/data.yaml", "two/data.yaml"), "a folder of several data sets; give one of them: one, two"),
    (("config.json", "checkpoints/1/x"), "the workdir of a training"),
    (("export.zip",), r"a folder with archives; unpack them first .*: export\.zip"),
    (("a.tfrecord",), "a folder of TensorFlow records"),
    (("a.foo", "b.foo", "c/d.foo"), r"a folder without annotations that are known; it has files: 2 \.foo, and folders: c"),
]


@pytest.mark.parametrize(("files", "message"), OTHER_FOLDERS, ids=[" ".join(files) or "empty" for files, _ in OTHER_FOLDERS])
def test_a_folder_that_is_no_data_set_is_told_what_it_looks_like(tmp_path, files, message):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PNG)
    with pytest.raises(InputError, match=rf"folder: .* it looks like {message}") as caught:
        recognise(folder)
    assert "Known are VOC" in str(caught.value) and "\n" not in str(caught.value)


def test_the_pictures_of_a_data_set_point_at_it(tmp_path, monkeypatch):
    for name in ("data.yaml", "images/a.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(PNG)
    with pytest.raises(InputError, match=rf"looks like a part of a data set; give {tmp_path}/set\. "):
        recognise(tmp_path / "set/images")
    monkeypatch.chdir(tmp_path / "set")
    with pytest.raises(InputError, match=r"^images: .* looks like a part of a data set; give \.\. "):
        recognise("images")


def test_a_folder_that_cannot_be_read_is_said(tmp_path):
    assert folder_looks_like(tmp_path / "absent", lambda path: False).startswith("a folder that cannot be read: ")
    (tmp_path / "file").touch()
    assert folder_looks_like(tmp_path / "file", lambda path: False).startswith("a folder that cannot be read: ")


def test_a_file_that_cannot_be_read_may_be_anything(tmp_path):
    assert file_looks_like(tmp_path / "absent") is None
    # What its ending tells is true all the same.
    assert file_looks_like(tmp_path / "absent.mp4").startswith("a video; ")


def test_labels_without_class_names_ask_for_them(tmp_path):
    (tmp_path / "a.jpg").write_bytes(PNG)
    (tmp_path / "a.txt").write_text("0 .5 .5 .1 .1\n")
    assert "without class names; write them into classes.txt" in folder_looks_like(tmp_path, lambda path: False)


@pytest.mark.parametrize("separator", [",", ";", " ", "\t", ", "])
def test_very_long_numbers_take_no_time(tmp_path, separator):
    (tmp_path / "a.txt").write_text(separator.join(["9" * 1200] * 3) + "x\n")
    assert "a list of words" in file_looks_like(tmp_path / "a.txt")
