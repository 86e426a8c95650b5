"""Where relative paths in lists and .data files start."""

import os

import pytest

from yolojax.data.formats.starts import Start, starts


@pytest.mark.parametrize(
    ("start", "path", "joined"),
    [
        (Start("lists"), "images/a.jpg", "lists/images/a.jpg"),
        (Start(""), "images/a.jpg", "images/a.jpg"),
        (Start("lists"), "/images/a.jpg", "/images/a.jpg"),
        (Start("lists", without="data/"), "data/a.jpg", "lists/a.jpg"),
        (Start("lists", without="data/"), r"data\obj\a.jpg", "lists/obj/a.jpg"),
        (Start("lists", without="data/"), "data/data/a.jpg", "lists/data/a.jpg"),
        (Start("lists", without="data/"), "mydata/a.jpg", "lists/mydata/a.jpg"),
        (Start("lists", without="data/"), "/data/a.jpg", "/data/a.jpg"),
    ],
)
def test_joined(start, path, joined):
    assert start.join(path) == joined


def test_the_places_in_order(tmp_path, monkeypatch):
    lists = tmp_path / "set/lists"
    expected = [f"{lists}/data/a.jpg", f"{tmp_path}/set/data/a.jpg", "data/a.jpg", f"{lists}/a.jpg"]
    assert [start.join("data/a.jpg") for start in starts(lists / "train.txt")] == expected
    # The same files for a list that is named from the current folder, whose folder is "".
    lists.mkdir(parents=True)
    monkeypatch.chdir(lists)
    expected[2] = f"{lists}/data/a.jpg"
    assert [os.path.abspath(start.join("data/a.jpg")) for start in starts("train.txt")] == expected
