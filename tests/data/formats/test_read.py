"""Which format a path is taken for, what is said of one that is none, and splits behind a colon."""

import cv2
import numpy as np
import pytest

from yolojax.data.formats.read import read_annotations, read_data, recognise, split_of, splits
from yolojax.errors import InputError


def test_formats_are_recognised(tmp_path):
    for folder in ("voc/Annotations", "yolo", "other"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("yolo/data.yaml", "a.json", "B.JSON", "a.yml", "list.txt", "list"):
        (tmp_path / file).touch()
    forms = {name: recognise(tmp_path / name) for name in ("voc", "yolo", "a.json", "B.JSON", "a.yml", "list.txt", "list")}
    assert list(forms.values()) == ["voc", "yolo", "coco", "coco", "yolo", "text", "text"]
    assert splits(tmp_path / "a.json") == splits(tmp_path / "list.txt") == ()
    with pytest.raises(InputError, match=r"other: .* an empty folder\. .*Annotations/.*data\.yaml"):
        recognise(tmp_path / "other")


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


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"a.jpg\n", b"a b.PNG\n", b"sub\\a.tiff 1,2,3,4,0\n", b"a 1,2,3,4,0\n", b"# mine\na.jpg\n",
     b"\xef\xbb\xbfa.jpg\r\n",
     b"gr\xf6\xdfe.jpg 1,2,3,4,0\n", b"BM.jpg\n", b"GIF8.jpg\n"],
)  # fmt: skip
def test_what_can_be_a_text_list_is_one(tmp_path, content):
    (tmp_path / "list").write_bytes(content)
    assert recognise(tmp_path / "list") == "text"


def test_the_split_behind_a_colon(tmp_path):
    for name in ("voc", "odd:name"):
        (tmp_path / name).mkdir()
    assert split_of(tmp_path / "voc") == (str(tmp_path / "voc"), None)
    assert split_of(f"{tmp_path}/voc:my split") == (str(tmp_path / "voc"), "my split")
    assert split_of(f"{tmp_path}/odd:name") == (f"{tmp_path}/odd:name", None)
    assert split_of(f"{tmp_path}/odd:name:val") == (f"{tmp_path}/odd:name", "val")
    for missing in ("absent", "absent:train", "voc:", ":train", ""):
        with pytest.raises(InputError, match=f"^{missing}: there is no such file or folder$"):
            split_of(missing)


def test_text_lists(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "list.txt").write_text("a.jpg 1,2,3,4,0\n")
    names, (record,), problems = read_annotations(tmp_path / "list.txt", "train", names=["cat"])
    assert names == ("cat",) and problems == [] and record.boxes.tolist() == [[1, 2, 3, 4]]
    with pytest.raises(InputError, match=r"list\.txt: a text list has no class names; .* \(--names, or config\.data\.names\)"):
        read_annotations(tmp_path / "list.txt")
    with pytest.raises(InputError, match=r"list\.txt has no splits; leave out :train"):
        read_annotations(f"{tmp_path}/list.txt:train", names=["cat"])
    (tmp_path / "list.txt").write_text("a.jpg 1,2,1,4,0\n")
    with pytest.raises(InputError, match=r"list\.txt:1: box 1,2,1,4 has no area"):
        read_annotations(tmp_path / "list.txt", names=["cat"])


def test_reading_for_a_report_goes_on_after_each_problem(tmp_path, real_data):
    problems = []
    report = lambda *problem: problems.append(problem)  # noqa: E731
    names, records = read_data(real_data / "bccd", None, report)
    assert names == ("Platelets", "RBC", "WBC") and len(records) == 364
    assert sum(len(record.boxes) for record in records) + len(problems) == 4888
    assert [kind for kind, _ in problems] == ["box without area"] * 2

    (tmp_path / "names").write_text("cat\n")
    (tmp_path / "list.txt").write_text("absent.png 1,2,3,4,0 1,2,3,4,7\nother.png 4,3,2,1,0\n")
    problems.clear()
    names, records = read_data(tmp_path / "list.txt", tmp_path / "names", report)
    assert names == ("cat",) and [len(record.boxes) for record in records] == [1, 0]
    assert sorted(kind for kind, _ in problems) == ["box without area", "class without a name"]
    with pytest.raises(InputError, match="has no class names"):
        read_data(tmp_path / "list.txt", None, report)
