"""Records in a few large arrays: a process that gets them all so needs a tenth of the memory that they take one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np

from yolojax.data.annotations import Record

_ARRAYS = ("boxes", "classes", "difficult", "crowd")


class PackedRecords(Sequence[Record]):
    """A sequence of records, each of which is made when it is asked for."""

    def __init__(self, records: Sequence[Record]):
        """Take the records, which may be packed already."""
        self._others = [(record.path, record.source, record.stated_size) for record in records]
        self._ends = np.cumsum([len(record.boxes) for record in records], dtype=np.int64)
        # An empty record in front gives the arrays their shapes and dtypes where there is none.
        every = [Record("", np.zeros((0, 4), np.float32), np.zeros(0, np.int32), ""), *records]
        self._arrays = {name: np.concatenate([getattr(record, name) for record in every]) for name in _ARRAYS}

    def __len__(self) -> int:
        return len(self._others)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...

    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        path, source, stated_size = self._others[index]
        number = index % len(self)
        rows = slice(self._ends[number - 1] if number else 0, self._ends[number])
        arrays = {name: array[rows] for name, array in self._arrays.items()}
        return Record(path=path, source=source, stated_size=stated_size, **arrays)

    def __iter__(self) -> Iterator[Record]:
        return map(self.__getitem__, range(len(self)))
