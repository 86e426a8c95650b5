"""COCO files: what is read, and what is refused by file and id."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yolojax.data.formats.read import read_annotations
from yolojax.data.problems import Effect, effect_of
from yolojax.errors import InputError

CATEGORIES = [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}, {"id": 90, "name": "brush"}]
IMAGES = [{"id": 7, "file_name": "a.jpg", "width": 9}, {"id": 0, "file_name": "sub/b.png"}, {"id": 5, "file_name": "c"}]
ANNOTATIONS = [
    {"id": 1, "image_id": 0, "category_id": 90, "bbox": [1.5, 2, 10, 20.25], "iscrowd": 1},
    {"id": 2, "image_id": 7, "category_id": 3, "bbox": [0, 0, 5, 5], "segmentation": []},
    {"id": 3, "image_id": 0, "category_id": 18, "bbox": [-1, 3, 4, 4], "iscrowd": 0},
]


@pytest.fixture
def coco(tmp_path):
    """Writes a COCO file, some of its groups or their entries replaced, beside its (empty) pictures."""

    def make(text=None, path="labels.json", pictures=".", **groups):
        data = {"images": IMAGES, "annotations": ANNOTATIONS, "categories": CATEGORIES, **groups}
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(data) if text is None else text, "utf-8")
        for image in IMAGES:
            picture = tmp_path / pictures / image["file_name"]
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.touch()
        return file

    return make


def test_sparse_categories_crowds_and_negatives(coco, tmp_path):
    path = coco()
    names, records, problems = read_annotations(path)
    assert names == ("car", "dog", "brush") and problems == []
    assert [record.path for record in records] == [str(tmp_path / name) for name in ("a.jpg", "sub/b.png", "c")]
    a, b, c = records
    assert a.boxes.tolist() == [[0, 0, 5, 5]] and a.classes.tolist() == [0] and a.crowd.tolist() == [False]
    assert b.boxes.tolist() == [[1.5, 2, 11.5, 22.25], [-1, 3, 3, 7]] and b.boxes.dtype == np.float32
    assert b.classes.tolist() == [2, 1] and b.crowd.tolist() == [True, False] and not b.difficult.any()
    assert b.source == f"{path}: image 0"
    assert c.boxes.shape == (0, 4)


def test_names_are_matched_to_categories(coco):
    path = coco()
    names, records, _ = read_annotations(path, names=("brush", "cow", "dog", "car"))
    assert names == ("brush", "cow", "dog", "car") and records[1].classes.tolist() == [0, 2]
    with pytest.raises(InputError, match="annotation 2: there is no class 'car'; the names are brush, dog"):
        read_annotations(path, names=("brush", "dog"))
    # A category that nothing belongs to needs no name.
    read_annotations(coco(categories=[*CATEGORIES, {"id": 1, "name": "unused"}]), names=("brush", "dog", "car"))


@pytest.mark.parametrize(
    ("path", "pictures"),
    [
        ("set.json", "images"),
        ("annotations/instances_val2017.json", "val2017"),
        ("annotations/instances_val2017.json", "images/val2017"),
        ("annotations/set.json", "images"),
        ("annotations/set.json", "set"),
    ],
)
def test_pictures_are_found_where_they_usually_are(coco, tmp_path, path, pictures):
    records = read_annotations(coco(path=path, pictures=pictures)).records
    assert [record.path for record in records] == [str(tmp_path / pictures / image["file_name"]) for image in IMAGES]


def test_boxes_without_area_are_left_out_and_listed(coco):
    flat = {"id": "x", "image_id": 7, "category_id": 3, "bbox": [4, 4, 0, 2]}
    _names, records, problems = read_annotations(path := coco(annotations=[*ANNOTATIONS, flat]))
    assert len(records[0].boxes) == 1
    assert problems == [("box without area", f"{path}: annotation 'x': box 4,4,4,6 has no area")]


def changed(entries, place, **fields):
    entries = [dict(entry) for entry in entries]
    entries[place].update(fields)
    for name, value in fields.items():
        if value is None:
            del entries[place][name]
    return entries


REFUSED = {
    "no annotations": ({"annotations": None}, r"no list of objects 'annotations'"),
    "not objects": ({"images": [1]}, r"images\[0\] is 1, not an object"),
    "no images": ({"images": [], "annotations": []}, "no images"),
    "no categories": ({"categories": [], "annotations": []}, "categories: no class names"),
    "category twice": ({"categories": changed(CATEGORIES, 1, id=18)}, "category 18 is there twice"),
    "no name": ({"categories": changed(CATEGORIES, 1, name=None)}, "category 3: there is no 'name'"),
    "image twice": ({"images": changed(IMAGES, 1, id=7)}, "image 7 is there twice"),
    "image id": ({"images": changed(IMAGES, 1, id=1.5)}, r"image 1\.5: 'id' is 1\.5"),
    "no file": ({"images": changed(IMAGES, 2, file_name=None)}, "image 5: there is no 'file_name'"),
    "first picture": ({"images": changed(IMAGES, 0, file_name="x.jpg")}, r"there is no picture x\.jpg in any of"),
    "picture": ({"images": changed(IMAGES, 1, file_name="x.jpg")}, r"image 0: there is no picture .*x\.jpg"),
    "long name": ({"images": changed(IMAGES, 1, file_name="x" * 300)}, "image 0: there is no picture"),
    "long first name": ({"images": changed(IMAGES, 0, file_name="x" * 300)}, "there is no picture x+ in any of"),
    "nul in a name": ({"images": changed(IMAGES, 1, file_name="x\0.jpg")}, "image 0: there is no picture"),
    "unknown image": ({"annotations": changed(ANNOTATIONS, 1, image_id=8)}, "annotation 2: there is no image 8"),
    "unknown category": ({"annotations": changed(ANNOTATIONS, 1, category_id=4)}, "annotation 2: there is no category 4"),
    "bool": ({"annotations": changed(ANNOTATIONS, 1, category_id=True)}, "annotation 2: 'category_id' is True"),
    "no box": ({"annotations": changed(ANNOTATIONS, 1, bbox=None)}, "annotation 2: there is no 'bbox'"),
    "three": ({"annotations": changed(ANNOTATIONS, 1, bbox=[1, 2, 3])}, r"annotation 2: bbox \[1, 2, 3\] is not \[x, y"),
    "text": ({"annotations": changed(ANNOTATIONS, 1, bbox=[1, 2, 3, "4"])}, "annotation 2: bbox .* is not"),
    "negative": ({"annotations": changed(ANNOTATIONS, 1, bbox=[1, 2, 3, -4])}, "annotation 2: box 1,2,4,-2 is inverted"),
    "nan": ({"annotations": changed(ANNOTATIONS, 1, bbox=[1, 2, 3, float("nan")])}, "annotation 2: box .* is larger"),
    "huge": ({"annotations": changed(ANNOTATIONS, 1, bbox=[1, 2, 3, 10**400])}, "annotation 2: bbox is larger"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_file_and_id(coco, case):
    groups, message = REFUSED[case]
    path = coco(**groups)
    with pytest.raises(InputError, match=message) as caught:
        read_annotations(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images":\n [}', r"labels\.json:2: malformed JSON"),
        ("", r"labels\.json:1: malformed JSON"),
        ("[]", "no list of objects 'images'"),
        ("[" * 10**6, "malformed JSON"),
        ("1" * 10**4, "malformed JSON"),
    ],
)
def test_malformed(coco, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_annotations(coco(text))
    assert "\n" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "a.jpg", "dog"]),
    lambda x: st.lists(x, max_size=4),
)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_wrong_values_are_one_line(coco, data):
    groups = {"images": IMAGES, "annotations": ANNOTATIONS, "categories": CATEGORIES}
    group = data.draw(st.sampled_from(sorted(groups)))
    place = data.draw(st.integers(0, 2))
    field = data.draw(st.sampled_from(sorted(groups[group][place])))
    entries = [dict(entry) for entry in groups[group]]
    entries[place][field] = data.draw(JSON)
    try:
        _names, records, problems = read_annotations(coco(**{group: entries}))
    except InputError as error:
        assert "\n" not in str(error)
    else:
        left_out = [kind for kind, _ in problems if effect_of(kind) is Effect.LEAVE_OUT]
        assert sum(len(record.boxes) for record in records) + len(left_out) == 3
