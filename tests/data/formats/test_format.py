"""What every format says about itself holds for what it writes and reads."""

import numpy as np
import pytest

from yolojax.data.annotations import Record
from yolojax.data.formats.read import FORMATS
from yolojax.data.images import write_image
from yolojax.data.problems import refuse

NAMES = ("cat", "dog")
WRITABLE = {name: form for name, form in FORMATS.items() if form.write}


def written(form, folder):
    """Writes a picture with a plain, a difficult and a crowded box; returns what was written, and what its reader reads."""
    picture = folder / "a.png"
    write_image(picture, np.zeros((40, 80, 3), np.uint8))
    boxes = np.array([[8, 4, 40, 20], [0, 0, 80, 40], [16, 8, 24, 36]], np.float32)
    marks = np.eye(3, dtype=bool)
    record = Record(str(picture), boxes, np.array([0, 1, 1], np.int32), "list.txt:1", marks[1], marks[2])
    out = folder / "out"
    out.mkdir()
    form.write(out, NAMES, {"train": [record]}, {str(picture): (40, 80)})
    return record, {"voc": out, "yolo": out, "coco": out / "train.json", "text": out / "train.txt"}[form.name]


@pytest.mark.parametrize("form", WRITABLE.values(), ids=WRITABLE)
def test_boxes_come_back_with_the_marks_that_the_format_has(form, tmp_path):
    record, path = written(form, tmp_path)
    # A text list has no names of its own, and VOC has no order of the classes.
    names, (again,) = form.read(str(path), "train" if form.splits else None, NAMES, refuse)
    assert tuple(names) == NAMES
    np.testing.assert_allclose(again.boxes, record.boxes, atol=1e-4)
    np.testing.assert_array_equal(again.classes, record.classes)
    np.testing.assert_array_equal(again.difficult, record.difficult & form.marks_difficult)
    np.testing.assert_array_equal(again.crowd, record.crowd & form.marks_crowd)


@pytest.mark.parametrize("form", WRITABLE.values(), ids=WRITABLE)
def test_what_a_format_writes_is_recognised_by_it_first(form, tmp_path):
    _, path = written(form, tmp_path)
    assert next(name for name, other in FORMATS.items() if other.recognises(path)) == form.name
    if form.splits:
        assert form.splits(path) == ("train",)
