"""Which picture an annotation of VOC belongs to: no picture and no annotation vanishes."""

import unicodedata

import pytest

from tests.helpers.voc_files import CAT, annotation, write
from yolojax.data.formats.read import read_annotations
from yolojax.errors import InputError


def kinds(folder):
    found = []
    read_annotations(folder, on_problem=lambda kind, message: found.append((kind, message)))
    return found


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
