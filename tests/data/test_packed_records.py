"""Packed records are the records that went in."""

import pickle

import numpy as np
import pytest

from yolojax.data.annotations import Record
from yolojax.data.packed_records import PackedRecords


def fields(records):
    return [
        (r.path, r.source, r.stated_size, *((a.tolist(), a.dtype, a.shape) for a in (r.boxes, r.classes, r.difficult, r.crowd)))
        for r in records
    ]


def test_records_come_out_as_they_went_in():
    rng = np.random.default_rng(0)
    records = []
    for number, count in enumerate((3, 0, 1, 0, 5)):
        boxes, classes = rng.random((count, 4), np.float32), rng.integers(0, 9, count, np.int32)
        crowd = rng.random(count) < 0.5
        records.append(
            Record(f"{number}.png", boxes, classes, f"list:{number}", ~crowd, crowd, (number, 7) if number else None)
        )
    packed = pickle.loads(pickle.dumps(PackedRecords(records)))
    assert len(packed) == 5 and fields(packed) == fields(records)
    assert fields([packed[-1], packed[1], *packed[1::2]]) == fields([records[-1], records[1], *records[1::2]])
    assert fields(PackedRecords(packed)) == fields(records)
    with pytest.raises(IndexError):
        packed[5]
    assert list(PackedRecords([])) == []
