"""Where VOC annotations and pictures may lie: every layout is recognised."""

import pytest

from tests.helpers.voc_files import CAT, annotation, write
from yolojax.data.formats.read import read_annotations, read_data, recognise, splits
from yolojax.data.formats.voc_layout import find_parts
from yolojax.errors import InputError

LAYOUTS = {
    "original": ("Annotations/{}.xml", "JPEGImages/{}.jpg"),
    "lower case": ("annotations/{}.xml", "images/{}.jpg"),
    "annots": ("annots/{}.xml", "Images/{}.JPG"),
    "labels": ("labels/{}.xml", "imgs/{}.png"),
    "xmls inside": ("annotations/xmls/{}.xml", "images/{}.jpg"),
    "pictures above": ("annotations/{}.xml", "{}.jpg"),
    "beside": ("{}.xml", "{}.jpg"),
    "beside, upper case": ("{}.XML", "{}.JPG"),
    "beside, in folders": ("cats/{}.xml", "cats/{}.jpg"),
    "mirrored": ("annotations/cats/{}.xml", "images/cats/{}.jpg"),
}
SPLITS = {
    "beside": ("{split}/{}.xml", "{split}/{}.jpg"),
    "apart": ("{split}/annotations/{}.xml", "{split}/images/{}.jpg"),
    "inside": ("annotations/{split}/{}.xml", "images/{split}/{}.jpg"),
    "inside annotations only": ("annotations/{split}/{}.xml", "images/{split}.jpg"),
    "inside original": ("Annotations/{split}/{}.xml", "JPEGImages/{split}/{}.jpg"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_are_recognised(tmp_path, layout):
    xml, picture = LAYOUTS[layout]
    for name in ("a", "b.c"):
        write(tmp_path / xml.format(name), annotation(CAT))
        write(tmp_path / picture.format(name))
    assert recognise(tmp_path) == "voc" and splits(tmp_path) == ()
    names, records, problems = read_annotations(tmp_path)
    assert names == ("cat",) and problems == []
    assert [record.path for record in records] == [str(tmp_path / picture.format(name)) for name in ("a", "b.c")]
    assert [record.boxes.tolist() for record in records] == [[[1, 2, 30, 40]]] * 2
    with pytest.raises(InputError, match="there is no such split"):
        read_annotations(tmp_path, "train")


@pytest.mark.parametrize("layout", SPLITS)
@pytest.mark.parametrize("spellings", [("train", "valid", "test"), ("Training", "val", "testing")])
def test_folders_are_splits(tmp_path, layout, spellings):
    xml, picture = SPLITS[layout]
    for spelling, name in zip(spellings, ("cat", "dog", "cow"), strict=True):
        stem = spelling if "{}" not in picture else "p"
        write(tmp_path / xml.format(stem, split=spelling), annotation(CAT.replace("cat", name)))
        write(tmp_path / picture.format(stem, split=spelling))
    assert splits(tmp_path) == ("test", "train", "val")
    for split, spelling in zip(("train", "val", "test"), spellings, strict=True):
        names, (record,), problems = read_annotations(f"{tmp_path}:{split}")
        assert names == ("cat", "cow", "dog") and problems == []
        assert record.path == str(tmp_path / picture.format("p", split=spelling))
        assert read_annotations(tmp_path, spelling).records[0].path == record.path
    assert len(read_annotations(tmp_path).records) == 3
    with pytest.raises(InputError, match=r"no such split \(there are: test, train, val\)"):
        read_annotations(tmp_path, "other")
    told = []
    read_data(tmp_path, None, lambda *problem: told.append(problem))
    assert told == []


def test_annotations_beside_split_folders_do_not_vanish(tmp_path):
    for name in ("a", "train/b"):
        write(tmp_path / f"{name}.xml", annotation(CAT))
        write(tmp_path / f"{name}.jpg")
    assert len(read_annotations(tmp_path).records) == 2 and splits(tmp_path) == ()


def test_splits_of_pictures_in_another_spelling(tmp_path):
    for folder, other in (("train", "training"), ("valid", "val")):
        write(tmp_path / f"annotations/{folder}/p.xml", annotation(CAT))
        write(tmp_path / f"images/{other}/p.jpg")
    _, (record,), problems = read_annotations(tmp_path, "val")
    assert record.path == str(tmp_path / "images/val/p.jpg") and problems == []


def test_lists_win_over_folders_and_are_not_about_other_pictures(tmp_path):
    for name in ("train/a", "b"):
        write(tmp_path / f"Annotations/{name}.xml", annotation(CAT))
        write(tmp_path / f"JPEGImages/{name}.jpg")
    write(tmp_path / "ImageSets/Main/first.txt", "train/a\n")
    assert splits(tmp_path) == ("first",)
    assert read_annotations(tmp_path, "first").problems == []


def test_others_are_not_taken_for_voc(tmp_path):
    write(tmp_path / "coco/annotations/train.json", "{}")
    write(tmp_path / "coco 2/Annotations/train.json", "{}")
    write(tmp_path / "yolo/data.yaml", "names: [a]")
    write(tmp_path / "yolo/labels/a.xml", annotation(CAT))
    write(tmp_path / "cvat/annotations/annotations.xml", "<annotations><image/></annotations>")
    write(tmp_path / "random/pom.xml", "<project><annotations/></project>")
    assert all(find_parts(tmp_path / name) == [] for name in ("coco", "coco 2", "yolo", "cvat", "random", "absent"))
