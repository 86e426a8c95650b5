"""What an annotation format is to the rest of the package: how it is recognised, read and written."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from yolojax.data.annotations import Record
from yolojax.data.problems import OnProblem

NamesAndRecords = tuple[tuple[str, ...], list[Record]]
Read = Callable[[str, str | None, Sequence[str] | None, OnProblem], NamesAndRecords]
Write = Callable[[Path, Sequence[str], Mapping[str, list[Record]], Mapping[str, tuple[int, int]]], list[str]]


@dataclasses.dataclass(frozen=True)
class Format:
    """One annotation format; `formats.read.FORMATS` lists them all.

    Attributes:
        name: its name in messages and in `convert`.
        recognises: whether a file or folder is of this format.
        read: reads (path, split, names, on_problem) and returns (names, records). With None for a split it reads everything,
            with None for names it uses the names of the data.
        write: writes (out, names, records by split, picture sizes (h, w) by path) to a folder that is empty or missing, and
            returns a line for each kind of thing that it had to change. Raises OSError if a file cannot be written. None for
            formats that are only read.
        splits: the names of a data set's splits; None for formats in which a file is one split.
        check_splits: reports each split and each line of a split that cannot be used; None where `read` does.
        stops: kinds of problems that stop a training in this format, although `problems.KINDS` lets them pass.
        repeats: whether reading may report the same mistake twice, as with a label file that belongs to two pictures.
        may_refer_outside: whether a data set may name pictures outside its own folder that the user did not choose.
        marks_crowd: whether a box can be marked as a crowd.
        marks_difficult: whether a box can be marked as difficult.
        not_kept: what else gets lost in writing, as a line for the user; "" for nothing.
    """

    name: str
    recognises: Callable[[Path], bool]
    read: Read
    write: Write | None = None
    splits: Callable[[Path], tuple[str, ...]] | None = None
    check_splits: Callable[[Path, OnProblem], None] | None = None
    stops: frozenset[str] = frozenset()
    repeats: bool = True
    may_refer_outside: bool = False
    marks_crowd: bool = False
    marks_difficult: bool = False
    not_kept: str = ""
