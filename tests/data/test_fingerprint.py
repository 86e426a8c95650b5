"""Fingerprints find every change of the records."""

import dataclasses

import numpy as np
import pytest

from tests.helpers.records import records
from yolojax.data.fingerprint import describe_change, fingerprint


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
