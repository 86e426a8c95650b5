"""Where VOC annotations and pictures may lie: every layout is recognised, and no picture or annotation vanishes."""

import unicodedata

import pytest

from yolojax.data.formats.read import read_annotations, read_data, recognise, splits
from yolojax.data.formats.voc_layout import find_parts
from yolojax.errors import InputError

CAT = "<object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>"
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


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def annotation(*objects, filename="wrong.jpg"):
    return (
        f"<annotation><folder>x</folder><filename>{filename}</filename><path>C:\\x\\y.jpg</path>{''.join(objects)}</annotation>"
    )


def kinds(folder):
    found = []
    read_annotations(folder, on_problem=lambda kind, message: found.append((kind, message)))
    return found


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


def test_pictures_without_annotation_are_reported(tmp_path):
    write(tmp_path / "Annotations/a.xml", annotation(CAT))
    for name in ("a.jpg", "a.png", "b.jpg"):
        write(tmp_path / "JPEGImages" / name)
    (problem,) = read_annotations(tmp_path).problems
    assert problem == ("picture without label", f"{tmp_path}/JPEGImages/b.jpg: there is no annotation file for it")


def test_hidden_files_are_passed_over(tmp_path):
    for name in ("a.xml", "._a.xml"):
        write(tmp_path / name, annotation(CAT) if name == "a.xml" else "\0\5")
    for name in ("a.jpg", "._a.jpg", ".DS_Store"):
        write(tmp_path / name)
    _, records, problems = read_annotations(tmp_path)
    assert len(records) == 1 and {kind for kind, _ in problems} == {"hidden file"}


@pytest.mark.parametrize("stem", ["IMG 1", "img_1", "Img-1", "img1.jpg "])
def test_near_misses_are_named(tmp_path, stem):
    write(tmp_path / f"annotations/{stem}.xml", annotation(CAT))
    write(tmp_path / "images/img1.jpg")
    (problem,) = kinds(tmp_path)
    assert problem[0] == "differing name" and problem[1].endswith(
        "but " + f"{tmp_path}/images/img1.jpg; give both the same name"
    )
    with pytest.raises(InputError, match=r"\.xml: there is no picture .*, but .*img1\.jpg"):
        read_annotations(tmp_path)


def test_a_picture_with_an_annotation_of_its_own_is_no_near_miss(tmp_path):
    for name in ("img1", "img_1"):
        write(tmp_path / f"annotations/{name}.xml", annotation(CAT))
    write(tmp_path / "images/img1.jpg")
    assert [kind for kind, _ in kinds(tmp_path)] == ["missing picture"]


def test_names_that_differ_in_form_are_matched(tmp_path):
    composed = "k\u00e4fer"
    decomposed = unicodedata.normalize("NFD", composed)
    write(tmp_path / f"annotations/{composed}.xml", annotation(CAT))
    write(tmp_path / f"images/{decomposed}.jpg")
    write(tmp_path / "annotations/b.jpg.xml", annotation(CAT))
    write(tmp_path / "images/b.jpg")
    _, records, problems = read_annotations(tmp_path)
    assert [record.path for record in records] == [f"{tmp_path}/images/{name}" for name in ("b.jpg", f"{decomposed}.jpg")]
    assert [kind for kind, _ in problems] == ["other form of name"] * 2


@pytest.mark.parametrize("stated", ["p", "p.jpg", r"C:\pictures\p.jpg", "C:/pictures/p.jpg", r"pictures\p"])
def test_filenames_are_completed_and_lose_their_folders(tmp_path, stated):
    write(tmp_path / "annotations/other.xml", annotation(CAT, filename=stated))
    write(tmp_path / "images/p.jpg")
    _, (record,), problems = read_annotations(tmp_path)
    assert record.path == str(tmp_path / "images/p.jpg") and problems == []


def test_filenames_with_backslashes_do_not_lead_out(tmp_path):
    write(tmp_path / "secret.jpg")
    write(tmp_path / "v/annotations/a.xml", annotation(CAT, filename=r"x\..\..\..\secret.jpg"))
    (tmp_path / "v/images/x").mkdir(parents=True)
    with pytest.raises(InputError, match="leads out of images"):
        read_annotations(tmp_path / "v")


def test_two_annotations_of_one_picture_are_refused(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"annotations/{name}.xml", annotation(CAT, filename="a.jpg"))
    write(tmp_path / "images/a.jpg")
    with pytest.raises(InputError, match=r"b\.xml: .*a\.jpg is the picture of .*a\.xml as well"):
        read_annotations(tmp_path)


def test_pictures_of_one_name_in_two_folders(tmp_path):
    for folder in ("one", "two"):
        write(tmp_path / f"annotations/{folder}/p.xml", annotation(CAT))
        write(tmp_path / f"images/{folder}/p.jpg")
    assert [record.path for record in read_annotations(tmp_path).records] == [
        f"{tmp_path}/images/{n}/p.jpg" for n in ("one", "two")
    ]
    write(tmp_path / "annotations/p.xml", annotation(CAT))
    assert [kind for kind, _ in kinds(tmp_path)] == ["missing picture"]


def test_pictures_in_formats_that_are_not_read_leave_with_their_annotation(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"annotations/{name}.xml", annotation(CAT))
    write(tmp_path / "images/a.jpg")
    write(tmp_path / "images/b.heic")
    _, records, problems = read_annotations(tmp_path)
    assert len(records) == 1 and [kind for kind, _ in problems] == ["unknown picture format"]
