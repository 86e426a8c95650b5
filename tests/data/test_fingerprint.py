"""Fingerprints find every change of the records."""

import dataclasses
import os

import numpy as np
import pytest

from tests.helpers.records import records
from yolojax.data.fingerprint import describe_change, fingerprint, is_same


@pytest.mark.parametrize(
    "name, value",
    [("path", "4.png"), ("boxes", np.full((2, 4), 2.5, np.float32)), ("classes", np.array([0, 7], np.int32)),
     ("difficult", np.array([True, False])), ("crowd", np.array([False, True]))],
)  # fmt: skip
def test_any_change_of_a_record_is_found_and_where_it_stands_does_not_matter(name, value):
    before = fingerprint(records())
    assert describe_change(before, records()) is None
    moved = [dataclasses.replace(record, source="other.txt:9") for record in records()]
    assert describe_change(before, moved) is None
    changed = records()
    changed[2] = dataclasses.replace(changed[2], **{name: value})
    assert describe_change(before, changed) == "list.txt:3 has changed"


def test_pictures_added_or_in_another_order_are_found():
    before = fingerprint(records(600))
    assert len(before["parts"]) == 256
    changed = describe_change(before, records(601))
    assert changed == "600 pictures with 179700 boxes then, 601 pictures with 180300 boxes now"
    swapped = records(600)
    swapped[599], swapped[598] = swapped[598], swapped[599]
    assert describe_change(before, swapped) == "something from list.txt:600 to list.txt:599 has changed"
    assert describe_change(fingerprint(records(1)), []) == "1 pictures with 0 boxes then, 0 pictures with 0 boxes now"


def moved(folder, number=3):
    return [dataclasses.replace(record, path=os.path.join(folder, record.path)) for record in records(number)]


@pytest.mark.parametrize("folder", ["/mnt/scratch", "other", "../up", "a/b/../c", "nicht ascii é"])
def test_the_same_data_in_another_folder_is_the_same(folder):
    before, now = fingerprint(records()), fingerprint(moved(folder))
    assert is_same(before, now) and before["parts"] != now["parts"] and describe_change(before, moved(folder)) is None


def test_moved_data_that_has_changed_too_is_found_and_named():
    changed = moved("/mnt")
    changed[1] = dataclasses.replace(changed[1], classes=changed[1].classes + 1)
    assert not is_same(fingerprint(records()), fingerprint(changed))
    assert describe_change(fingerprint(records()), changed) == "list.txt:2 has changed"
    deeper = [*moved("/mnt")[:2], *moved("/mnt/deeper")[2:]]
    assert describe_change(fingerprint(records()), deeper) == "list.txt:3 has changed"


def test_fingerprints_of_earlier_versions_know_only_the_place_where_the_data_was():
    before = {name: value for name, value in fingerprint(records()).items() if name != "relative"}
    assert is_same(before, fingerprint(records())) and describe_change(before, records()) is None
    words = describe_change(before, moved("/mnt"))
    assert words.startswith("list.txt:1 has changed, or the data has moved, ")
    changed = records()
    changed[2] = dataclasses.replace(changed[2], path="4.png")
    assert describe_change(before, changed) == "list.txt:3 has changed"
