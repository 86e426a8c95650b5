"""Pictures of a data set that is written: relative paths, unique names, and links."""

import dataclasses
import os

import numpy as np
import pytest

from yolojax.data.annotations import Record
from yolojax.data.formats.links import link_pictures, name_files, relative_path
from yolojax.errors import InputError


def record(path, *boxes, source="list.txt:1"):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Record(str(path), boxes, np.zeros(len(boxes), np.int32), source)


def test_relative_paths_lead_back_over_links(tmp_path):
    (tmp_path / "disk/deep/pictures").mkdir(parents=True)
    (tmp_path / "sets").mkdir()
    (tmp_path / "disk/deep/pictures/a.png").write_text("a")
    (tmp_path / "pictures").symlink_to(tmp_path / "disk/deep/pictures")
    path = relative_path(str(tmp_path / "pictures/a.png"), tmp_path / "sets")
    assert path == "../disk/deep/pictures/a.png" and (tmp_path / "sets" / path).read_text() == "a"
    # A picture that is a link itself keeps its name.
    (tmp_path / "b.png").symlink_to("disk/deep/pictures/a.png")
    assert relative_path(str(tmp_path / "b.png"), tmp_path / "sets") == "../b.png"


def test_stems_differ_whatever_the_ending_and_the_case():
    paths = ["x/a.png", "y/a.jpg", "y/A.png", "z/a_2.png", "z/B.png", "x/b.png"]
    parts = {"train": [record(path) for path in paths], "val": [record("x/b.png"), record("x/a.png")]}
    pictures, members = name_files(parts)
    assert [pictures[name].path for name in members["train"]] == paths
    assert members["train"] == ["a.png", "a_2.jpg", "A_3.png", "a_2_2.png", "B.png", "b_2.png"]
    assert members["val"] == ["b_2.png", "a.png"] and len(pictures) == 6
    assert len({os.path.splitext(name)[0].casefold() for name in pictures}) == 6


@pytest.mark.parametrize("change", ["boxes", "classes", "difficult"])
def test_a_picture_with_other_boxes_in_another_split_is_refused(change):
    first = record("a.png", (1, 2, 3, 4))
    values = {"boxes": first.boxes + 1, "classes": first.classes + 1, "difficult": ~first.difficult}
    other = dataclasses.replace(first, source="val.txt:7", **{change: values[change]})
    with pytest.raises(InputError, match=r"val\.txt:7: a\.png is at list\.txt:1 as well, with different boxes; keep one"):
        name_files({"train": [first], "val": [other]})


def test_links_are_relative_so_that_the_folder_can_be_moved(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/a.png").write_text("a")
    link_pictures({"b.png": record(tmp_path / "home/a.png")}, tmp_path / "home/set/images")
    (tmp_path / "home").rename(tmp_path / "moved")
    assert (tmp_path / "moved/set/images/b.png").read_text() == "a"
    with pytest.raises(FileExistsError):
        link_pictures({}, tmp_path / "moved/set/images")
