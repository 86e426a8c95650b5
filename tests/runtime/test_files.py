"""Files that are written whole or not at all."""

import json
import math
import os

import numpy as np
import pytest

from tests.helpers.hand_made import FOUND, NAMES, TRUTHS
from yolojax.errors import InputError
from yolojax.evaluation import summarize
from yolojax.runtime.files import read_whole, write_json, write_json_entries


def test_json_is_strict_whole_and_replaces_the_old(tmp_path):
    path = tmp_path / "eval" / "val" / "metrics.json"
    value = {"ap": float("nan"), "a": [np.float32(0.5), (np.int64(3), -math.inf)], "é": {"n": None, "t": True}}
    write_json(path, {"old": 1})
    write_json(path, value)

    def refuse(name):
        raise AssertionError(name)

    text = path.read_text(encoding="utf-8")
    expected = {"ap": None, "a": [0.5, [3, None]], "é": {"n": None, "t": True}}
    assert json.loads(text, parse_constant=refuse) == expected
    assert [entry.name for entry in path.parent.iterdir()] == ["metrics.json"]
    write_json(path, [value, value])
    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse) == [expected, expected]
    write_json(path, [])
    assert json.loads(path.read_text(encoding="utf-8")) == []
    write_json(path, summarize(FOUND, TRUTHS, NAMES))
    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)["per_class"]["unicorn"]["ap50"] is None


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_json(path, {"old": 1})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_read_whole_or_named(tmp_path):
    path = tmp_path / "some.bytes"
    path.write_bytes(bytes(range(256)) * 9)
    assert read_whole(path, "the file") == bytes(range(256)) * 9
    os.mkfifo(tmp_path / "pipe")
    for other, reason in (("none", "No such file"), ("pipe", "Not a regular file"), (".", "Is a directory")):
        with pytest.raises(InputError, match=rf": the file cannot be read: {reason}"):
            read_whole(tmp_path / other, "the file")


def test_entries_are_written_one_after_the_other_as_the_whole_list_is(tmp_path):
    for entries in ([], [{"a": 1, "b": [1.5, float("nan")]}], [{"id": n, "name": "ä"} for n in range(3)]):
        write_json(tmp_path / "whole.json", entries)
        write_json_entries(tmp_path / "parts.json", iter(entries))
        assert (tmp_path / "parts.json").read_bytes() == (tmp_path / "whole.json").read_bytes()

    def failing():
        yield 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_json_entries(tmp_path / "new.json", failing())
    assert sorted(os.listdir(tmp_path)) == ["parts.json", "whole.json"]


def test_a_file_that_no_memory_holds_is_refused_before_it_is_read(tmp_path):
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(1 << 43)  # sparse: it takes no room on the disk
    with pytest.raises(InputError, match=r"huge: the list cannot be read: its 8,192.0 GiB are more than half of the memory of"):
        read_whole(tmp_path / "huge", "the list")
