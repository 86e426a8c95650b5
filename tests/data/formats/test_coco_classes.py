"""How categories become classes: one numbering, categories that are none or have one name, each said once."""

import json

import pytest

from yolojax.data.formats.read import read_annotations

ROBOFLOW = [
    {"id": 0, "name": "cells", "supercategory": "none"},
    {"id": 1, "name": "RBC", "supercategory": "cells"},
    {"id": 2, "name": "WBC", "supercategory": "cells"},
]


def write(path, categories, used=(1,)):
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "a.jpg").touch()
    boxes = [{"id": place, "image_id": 1, "category_id": number, "bbox": [1, 2, 3, 4]} for place, number in enumerate(used)]
    data = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": boxes, "categories": categories}
    path.write_text(json.dumps(data))
    return path


def test_an_unused_category_0_of_roboflow_is_no_class(tmp_path):
    path = write(tmp_path / "a.json", ROBOFLOW, used=(2, 1))
    names, (record,), problems = read_annotations(path)
    assert names == ("RBC", "WBC") and record.classes.tolist() == [1, 0]
    message = f"{path}: category 0, 'cells', is the supercategory of all others and has no annotation; it is not a class"
    assert problems == [("unused category", message)]
    # With names of one's own nothing depends on it.
    assert read_annotations(path, names=("WBC", "RBC")).problems == []


def change(place, **fields):
    return [{**category, **(fields if number == place else {})} for number, category in enumerate(ROBOFLOW)]


@pytest.mark.parametrize(
    ("categories", "used"),
    [
        (ROBOFLOW, (1, 0)),
        (ROBOFLOW, ("0",)),
        (change(0, supercategory="things"), (1,)),
        (change(0, supercategory=None), (1,)),
        (change(0, id=3), (1,)),
        (change(2, supercategory="none"), (1,)),
        (change(1, supercategory=None), (2,)),
        (change(1, supercategory="Cells"), (2,)),
        (ROBOFLOW[:1], ()),
    ],
)
def test_other_categories_0_are_classes(tmp_path, categories, used):
    names, _, problems = read_annotations(write(tmp_path / "a.json", categories, used))
    assert len(names) == len(categories) and "cells" in names and problems == []


def test_a_category_0_of_the_name_of_the_only_class(tmp_path):
    categories = [{"id": n, "name": "cell", "supercategory": "cell" if n else "none"} for n in (0, 1)]
    names, (record,), problems = read_annotations(write(tmp_path / "a.json", categories))
    assert names == ("cell",) and record.classes.tolist() == [0]
    assert [kind for kind, _ in problems] == ["unused category"]
    names, (record,), problems = read_annotations(write(tmp_path / "a.json", categories, used=(0, 1)))
    assert names == ("cell",) and record.classes.tolist() == [0, 0]
    assert [kind for kind, _ in problems] == ["category twice"]


def test_absent_classes_stay_classes(tmp_path):
    categories = [{"id": number, "name": name, "supercategory": "animal"} for number, name in enumerate(("cat", "dog", "cow"))]
    names, (record,), problems = read_annotations(write(tmp_path / "a.json", categories, used=(2,)))
    assert names == ("cat", "dog", "cow") and record.classes.tolist() == [2] and problems == []


def test_two_categories_of_one_name_are_one_class(tmp_path):
    categories = [{"id": 1, "name": "car"}, {"id": 5, "name": "dog"}, {"id": 7, "name": " car "}, {"id": 9, "name": "cow"}]
    path = write(tmp_path / "a.json", categories, used=(1, 5, 7, 9))
    names, (record,), problems = read_annotations(path)
    assert names == ("car", "dog", "cow") and record.classes.tolist() == [0, 1, 0, 2]
    message = f"{path}: category 7: 'car' is the name of category 1 as well; they are one class"
    assert problems == [("category twice", message)]


def test_splits_are_decided_together(tmp_path):
    for split, used in (("train", (1,)), ("valid", (2,)), ("test", ())):
        write(tmp_path / split / "_annotations.coco.json", ROBOFLOW, used)
    for split in ("train", "val", "test", None):
        names, _, problems = read_annotations(tmp_path, split)
        assert names == ("RBC", "WBC") and [kind for kind, _ in problems] == ["unused category"]
        assert problems[0].message.startswith(f"{tmp_path}: category 0")
    # One split that uses it makes it a class in all of them.
    write(tmp_path / "test/_annotations.coco.json", ROBOFLOW, (0,))
    for split, classes in (("train", [1]), ("val", [2]), ("test", [0])):
        names, (record,), problems = read_annotations(tmp_path, split)
        assert names == ("cells", "RBC", "WBC") and record.classes.tolist() == classes and problems == []


def test_splits_with_other_categories_are_numbered_together(tmp_path):
    write(tmp_path / "train.json", [{"id": 4, "name": "dog"}, {"id": 2, "name": "cat"}], (2, 4))
    write(tmp_path / "val.json", [{"id": 1, "name": "dog"}, {"id": 2, "name": "cow"}], (1, 2))
    for split, classes in (("train", [[0, 1]]), ("val", [[1, 2]]), (None, [[0, 1], [1, 2]])):
        names, records, problems = read_annotations(tmp_path, split)
        assert names == ("cat", "dog", "cow") and [record.classes.tolist() for record in records] == classes
        message = f"{tmp_path}/val.json: adds 'cow' and lacks 'cat'; the classes of all splits are numbered together"
        assert [kind for kind, _ in problems] == ["other categories"] and problems[0].message.startswith(message)


def test_the_same_names_with_other_ids_are_nothing_to_say(tmp_path):
    write(tmp_path / "train.json", [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}], (1, 2))
    write(tmp_path / "val.json", [{"id": 1, "name": "cat"}, {"id": 7, "name": "dog"}], (1, 7))
    names, (record,), problems = read_annotations(tmp_path, "val")
    assert names == ("dog", "cat") and record.classes.tolist() == [1, 0] and problems == []
