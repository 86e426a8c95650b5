"""What a training refuses at its start, although it is well-formed."""

import dataclasses

import numpy as np
import pytest

from tests.helpers.picture_files import encoded, exif, picture, with_segment
from yolojax.config import Config
from yolojax.data.annotations import Record
from yolojax.data.check import find_problems
from yolojax.data.formats.read import Annotations
from yolojax.data.images import write_image
from yolojax.data.plausible import differs_from_stated
from yolojax.data.sources import ListSource
from yolojax.data.training_data import check_training_data
from yolojax.errors import InputError

SIZE = 48, 64
FINE = (8.0, 6.0, 40.0, 30.0)


def stated(folder, size, box=FINE):
    """A picture of 64 x 48 with one box, of which the annotations state a size (height, width)."""
    write_image(folder / "a.png", picture(*SIZE))
    return Record(str(folder / "a.png"), np.float32([box]), np.zeros(1, np.int32), "a.xml", stated_size=size)


@pytest.mark.parametrize("size", [None, (48, 64), (47, 65), (0, 0), (0, 64)])
def test_stated_sizes_that_are_right_or_unknown(size, tmp_path):
    record = stated(tmp_path, size)
    check_training_data(Config().data, {"train": ListSource(Annotations(("cell",), [record], []))})
    assert find_problems([record], [SIZE], ["cell"]) == []


@pytest.mark.parametrize("size", [(96, 128), (24, 32), (48, 128), (64, 48)])
def test_stated_sizes_that_are_not_the_pictures(size, tmp_path):
    record = stated(tmp_path, size)
    fine = dataclasses.replace(record, stated_size=None)
    (problem,) = find_problems([record], [SIZE], ["cell"])
    height, width = size
    words = f"a.xml: the annotations say that {record.path} has {width} x {height} pixels, but it has 64 x 48"
    assert problem.kind == "stated size" and problem.message.startswith(words)
    assert ("swapped" in problem.message) == (size == (64, 48))
    sources = {
        split: ListSource(Annotations(("cell",), records, [])) for split, records in (("train", [fine]), ("val", [record]))
    }
    config = Config()
    config.data.val = "v"
    with pytest.raises(InputError, match=r"^config\.data\.val is v: 1 of 1 pictures do not have the size") as caught:
        check_training_data(config.data, sources)
    assert words in str(caught.value) and str(caught.value).endswith("--config.data.stated_sizes=ignore")
    config.data.val = ""
    with pytest.raises(InputError, match=r"^the pictures of the split val: 1 of 1 pictures do not"):
        check_training_data(config.data, sources)
    config.data.stated_sizes = "ignore"
    check_training_data(config.data, sources)


def test_the_size_before_turning_is_taken_if_the_boxes_show_that_they_are_upright(tmp_path):
    content = with_segment(encoded(picture(64, 48), ".jpg"), 0xE1, b"Exif\0\0" + exif(6))
    (tmp_path / "a.jpg").write_bytes(content)  # stored 48 wide and 64 high, upright 64 wide and 48 high
    for box, differs in (((50, 5, 63, 40), False), ((5, 5, 40, 40), True)):
        record = Record(str(tmp_path / "a.jpg"), np.float32([box]), np.zeros(1, np.int32), "a.xml", stated_size=(64, 48))
        assert differs_from_stated(record, SIZE) == differs
        source = {"train": ListSource(Annotations(("cell",), [record], []))}
        if differs:
            with pytest.raises(InputError, match="swapped"):
                check_training_data(Config().data, source)
        else:
            check_training_data(Config().data, source)


def test_only_crowds_are_nothing_to_train_on():
    record = Record("a.png", np.float32([FINE]), np.zeros(1, np.int32), "a", crowd=np.ones(1, bool))
    with pytest.raises(InputError, match="all boxes are around crowds"):
        check_training_data(Config().data, {"train": ListSource(Annotations(("cell",), [record], []))})
