"""Values of COCO files as different programs write them, read whole: ids, sizes, names; each is used or said."""

import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.coco_files import BOX, coco_reader
from yolojax.data.formats.coco_values import as_id, stated_size
from yolojax.errors import InputError


@pytest.fixture
def read(tmp_path):
    return coco_reader(tmp_path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, 7), (7.0, 7), ("7", 7), (" 7 ", 7), ("7.0", 7), (-3, -3), ("-3", -3), (0, 0), ("0", 0), (1e3, 1000),
        ("007", "007"), ("7a", "7a"), ("", ""), ("7.5", "7.5"), ("1e3", "1e3"), ("\u0667", "\u0667"),
        (7.5, None), (True, None), (None, None), ([7], None), (float("nan"), None), (float("inf"), None),
    ],
)  # fmt: skip
def test_ids(value, expected):
    found = as_id(value)
    assert found == expected and type(found) is type(expected)


@given(st.integers(-(10**15), 10**15))
def test_an_id_is_the_same_in_every_form(number):
    assert as_id(number) == as_id(str(number)) == as_id(float(number)) == as_id(f"{number}.0") == number


FORMS = st.sampled_from([int, float, str, lambda number: f"{number}.0"])


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(forms=st.lists(FORMS, min_size=6, max_size=6))
def test_ids_of_all_forms_meet(read, forms):
    image, image_of, first, second, one, two = forms
    (record,), problems = read(
        [{**BOX, "image_id": image_of(1), "category_id": one(1)}, {**BOX, "image_id": image_of(1), "category_id": two(2)}],
        [{"id": image(1), "file_name": "a.jpg"}],
        [{"id": first(1), "name": "car"}, {"id": second(2), "name": "dog"}],
    )
    assert record.classes.tolist() == [0, 1] and record.boxes.tolist() == [[1, 2, 11, 22]] * 2 and problems == []


def test_classes_are_numbered_by_the_value_of_their_ids(read):
    (record,), _ = read([{**BOX, "category_id": 10}], categories=[{"id": "10", "name": "ten"}, {"id": "9", "name": "nine"}])
    assert record.classes.tolist() == [1]


@pytest.mark.parametrize("other", [1, 1.0, "1", "1.0"])
def test_an_image_id_that_is_there_twice_is_refused(read, other):
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": other, "file_name": "b.jpg"}]
    with pytest.raises(InputError, match="is there twice; give every image its own id"):
        read(images=images)


@pytest.mark.parametrize(
    ("image", "size"),
    [
        ({"width": 40, "height": 30}, (30, 40)),
        ({"width": 40.0, "height": "30"}, (30, 40)),
        ({"width": 40}, None),
        ({"width": 40, "height": 0}, None),
        ({"width": None, "height": None}, None),
        ({"width": "wide", "height": 30}, None),
        ({"width": 39.5, "height": 30}, None),
    ],
)
def test_stated_sizes(read, image, size):
    assert stated_size(image) == size
    (record,), problems = read(images=[{"id": 1, "file_name": "a.jpg", **image}])
    assert record.stated_size == size and problems == [] and record.boxes.dtype == np.float32


def test_another_unicode_form_is_matched_and_said(read, tmp_path):
    name = "Zell\u00e4.jpg"
    (tmp_path / unicodedata.normalize("NFD", name)).touch()
    (record,), problems = read(images=[{"id": 1, "file_name": name}])
    assert record.path == str(tmp_path / unicodedata.normalize("NFD", name))
    assert [kind for kind, _ in problems] == ["other form of name"] and problems[0][1].endswith("in another Unicode form")


@pytest.mark.parametrize("name", ["\u00e4" * 300, "\u00e4\0", "\ud800\u00e4"])
def test_impossible_names_are_missing_pictures(read, name):
    with pytest.raises(InputError, match="image 1: there is no picture"):
        read(images=[{"id": 1, "file_name": name}])
