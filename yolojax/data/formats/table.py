"""Tables of boxes (.csv): TensorFlow's object detection, RetinaNet's, Open Images', Kaggle's, makesense.ai's and VIA's.

A row is a box; what its columns mean is told by the header, or by the first row where there is none (`table_columns`).
"""

import csv
import dataclasses
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from yolojax.data.annotations import LARGEST, Record, no_such_class
from yolojax.data.formats.find import folders_in, split_of_name, standard_split
from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.locate import files_in, locate_pictures, picture_folders
from yolojax.data.formats.rows import Row, make_record
from yolojax.data.formats.table_classes import display_names, listed_classes
from yolojax.data.formats.table_columns import LOOKED_FOR, Boxes, Cells, Columns, is_number, is_whole, split_cells, understand
from yolojax.data.formats.via import class_attribute, is_empty, region_box, region_class
from yolojax.data.image_size import sizes_by_path
from yolojax.data.lines import read_lines
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular

_TRUE = ("1", "1.0", "true")  # of Open Images' IsGroupOf, as it is and as pandas writes it
_ENDINGS = (".csv", ".tsv")
_HEAD = 1 << 14  # bytes that are read to tell what a file is
_NOTHING = ("", "nan", "null", "none")
_ONE_CLASS = "object"  # the class of a table without a column for it
_TEXT_LIST = re.compile(r".*\S(\s+[\d.+-]+(,[\d.+-]+){4})+\s*")
# Fractions are rounded, so a box at the edge may reach over it by this much.
_ROUNDING = 0.01


@dataclasses.dataclass(frozen=True)
class _Table:
    """A file of boxes: its rows without the header, and their class names; "" for a row without box."""

    path: Path
    separator: str
    columns: Columns
    rows: list[Cells]
    labels: list[str]


def read_table(path: Path, split: str | None, names: Sequence[str] | None, on_problem: OnProblem) -> NamesAndRecords:
    """Read a .csv of boxes, or a folder of them.

    Pictures are looked for beside the file, in images/, and in the folder named like the split or the file. A row with empty
    corners is a picture without boxes.

    Args:
        path: the file, or a folder with files in it or in its folders.
        split: reads the files of that split; None: all. It is ignored where there are no splits.
        names: the class names; None: those of classes.csv (`name,id`) beside the file, in the order of their ids, or else the
            sorted names of all files of the folder, so that every split has the same classes.
        on_problem: called, with file and line, for a row with another number of cells, a corner that is not a number, a box
            that is inverted or without area, a class that is not in `names`, a missing picture, a picture in two files with
            other boxes. If it returns, that is left out, but a record is kept without its picture.

    Returns:
        The class names and the records.

    Raises:
        InputError: a file cannot be read, its columns are not known, or there is no such split.
    """
    files = _files(path)
    wanted = _of_split(path, files, split)
    tables = {file: _load(file, on_problem if file in wanted else _pass_over) for file in files}
    if names is None:
        names = _class_names(path, tables.values(), on_problem)
    numbers = {name: number for number, name in enumerate(names)}
    records: dict[str, Record] = {}
    for file in wanted:
        for record in _records(tables[file], numbers, on_problem):
            other = records.setdefault(os.path.abspath(record.path), record)
            if other is not record:
                same = _same_boxes(other, record)
                kind, advice = ("picture twice", "") if same else ("malformed image", " with other boxes; keep one")
                on_problem(kind, f"{record.source}: {record.path} is already at {other.source}{advice}")
    return tuple(names), list(records.values())


def _recognises(path: Path) -> bool:
    if path.is_dir():
        return bool(_files(path))
    if path.suffix.lower() not in (*_ENDINGS, ".txt", ""):
        return False
    lines = _head(path)
    if path.suffix.lower() in _ENDINGS:
        return not _TEXT_LIST.fullmatch(next((line for line in lines if line.strip()), ""))
    return _columns_of(lines) is not None


def _files(path: Path) -> dict[Path, str | None]:
    """{file: split or None} of the .csv files of boxes in a folder and its folders, or of a file."""
    if not path.is_dir():
        return {path: None}
    files = {}
    for folder in (path, *folders_in(path)):
        for file in files_in(folder, _ENDINGS):
            if _columns_of(_head(file)) is None:
                continue
            inside = standard_split(folder.name) if folder != path else None
            files[file] = split_of_name(file.stem) or inside
    return files


def _head(file: Path) -> list[str]:
    """The first lines of a file; none if it cannot be read."""
    try:
        with open_regular(file) as opened:
            return re.split(r"\r\n|\r|\n", opened.read(_HEAD).decode("utf-8-sig", "replace"))
    except (OSError, ValueError, InputError):
        return []


def _columns_of(lines: Sequence[str]) -> Columns | None:
    try:
        rows = split_cells(lines)[1]
    except csv.Error:
        return None
    return understand(rows[0].values) if rows else None


def _splits(path: Path) -> tuple[str, ...]:
    named = set(_files(path).values())
    return tuple(split for split in ("train", "val", "test") if split in named)


def _of_split(path: Path, files: Mapping[Path, str | None], split: str | None) -> list[Path]:
    """The files of a split: all of them where there are no splits."""
    known = _splits(path) if path.is_dir() else ()
    if split is None or not known:
        return list(files)
    if split not in known:
        raise InputError(f"{path}: there is no split {split!r} (there are: {', '.join(known)})")
    return [file for file, own in files.items() if own == split]


def _load(path: Path, on_problem: OnProblem) -> _Table:
    try:
        separator, rows = split_cells(read_lines(path, on_problem))
    except csv.Error as error:
        raise InputError(f"{path}: malformed: {error}") from error
    if not rows:
        raise InputError(f"{path}: the file is empty; {LOOKED_FOR}")
    columns = understand(rows[0].values)
    if columns is None:
        first = rows[0]
        shown = ", ".join(first.values)
        if len(first.values) == 2:
            raise InputError(f"{path}:{first.line}: {shown!r} looks like a list of classes; give the .csv of the boxes")
        centre = {"x", "y", "w", "h"} <= {value.lower() for value in first.values}
        hint = "; call the columns x, y, w, h bbox_x, bbox_y, bbox_w, bbox_h if x, y is a box's corner" if centre else ""
        raise InputError(f"{path}:{first.line}: no boxes are found in it; {LOOKED_FOR}; found was {shown[:200]!r}{hint}")
    kept = []
    for row in rows[columns.has_header :]:
        if len(row.values) == columns.count:
            kept.append(row)
        else:
            message = f"{path}:{row.line}: {len(row.values)} values, but the first row has {columns.count}"
            on_problem("malformed box", message)
    if columns.boxes is Boxes.VIA:
        attribute = class_attribute([row.values[columns.box[1]] for row in kept], str(path))
        labels = [region_class(row.values[columns.box[1]], attribute) for row in kept]
    else:
        shown = display_names(path.parent) if columns.boxes is Boxes.FRACTIONS else {}
        labels = [_ONE_CLASS if columns.label is None else row.values[columns.label] for row in kept]
        labels = [shown.get(label, label) for label in labels]
    return _Table(path, separator, columns, kept, labels)


def _class_names(path: Path, tables: Iterable[_Table], on_problem: OnProblem) -> list[str]:
    """The class names of a data set: from its list of classes, or else sorted."""
    tables = list(tables)
    folders = dict.fromkeys([path if path.is_dir() else path.parent, *(table.path.parent for table in tables)])
    if (listed := listed_classes(folders, on_problem)) is not None:
        return listed
    found = set()
    for table in tables:
        for row, label in zip(table.rows, table.labels, strict=True):
            if label and label.isprintable() and not _is_nothing(table, row):
                found.add(label)
    return sorted(found, key=int if all(map(is_whole, found)) else None)


def _records(table: _Table, numbers: Mapping[str, int], on_problem: OnProblem) -> list[Record]:
    """The records of a file, in the order in which its pictures are named."""
    named: dict[str, str] = {}
    for row in table.rows:
        name, where = row.values[table.columns.picture], f"{table.path}:{row.line}"
        if name and name.isprintable():
            named.setdefault(name, where)
        else:
            on_problem("malformed box", f"{where}: the picture's name {name!r} is not a line of text")
    if not named:
        on_problem("no pictures", f"{table.path}: the file has no rows; {LOOKED_FOR}")
    pictures = locate_pictures(named, picture_folders(table.path), on_problem)
    sizes = sizes_by_path(pictures.values()) if table.columns.boxes is Boxes.FRACTIONS else {}
    scales = {name: sizes[path] for name, path in pictures.items() if sizes}
    rows: dict[str, list[Row]] = {name: [] for name in named}
    stated: dict[str, tuple[int, int]] = {}
    for cells, label in zip(table.rows, table.labels, strict=True):
        name, where = cells.values[table.columns.picture], f"{table.path}:{cells.line}"
        if name not in named:
            continue
        _state_size(table, cells, stated, where, on_problem)
        row = None if _is_nothing(table, cells) else _row(table, cells, label, numbers, where, on_problem)
        if row and table.columns.boxes is not Boxes.FRACTIONS:
            rows[name].append(row)
        elif row and (size := scales[name]) is not None:
            x1, y1, x2, y2 = row.corners
            rows[name].append(row._replace(corners=(x1 * size[1], y1 * size[0], x2 * size[1], y2 * size[0])))
    return [
        dataclasses.replace(make_record(pictures[name], where, rows[name], on_problem), stated_size=stated.get(name))
        for name, where in named.items()
    ]


def _row(table: _Table, cells: Cells, label: str, numbers: Mapping[str, int], where: str, on_problem: OnProblem) -> Row | None:
    """The box of a row, or None."""
    columns = table.columns
    if columns.boxes is Boxes.VIA:
        corners = region_box(cells.values[columns.box[0]], where, on_problem)
    else:
        corners = _corners(table, [cells.values[place] for place in columns.box], where, on_problem)
    if corners is None:
        return None
    if not label or not label.isprintable():
        return on_problem("malformed box", f"{where}: the box has no class that is a line of text, but {label!r}")
    if columns.label is None and columns.boxes is not Boxes.VIA and len(numbers) == 1:
        label = next(iter(numbers))
    if label not in numbers:
        message = no_such_class(where, label, numbers)
        return on_problem("class without a name", message)
    crowd = columns.crowd is not None and cells.values[columns.crowd].strip().lower() in _TRUE
    return Row(corners, numbers[label], where, crowd=crowd)


def _corners(table: _Table, values: Sequence[str], where: str, on_problem: OnProblem) -> tuple[float, ...] | None:
    """x1, y1, x2, y2 of a box in pixels, or fractions where the table has these; None: it is not a box."""
    if table.columns.boxes is Boxes.LIST:
        values = re.split(r"[\s,;]+", values[0].strip("[]() "))
    if table.separator != ",":
        values = [value.replace(",", ".") for value in values]
    if len(values) != 4 or not all(map(is_number, values)):
        return on_problem("malformed box", f"{where}: {','.join(values)!r} is not a box of four numbers")
    first, second, third, fourth = map(float, values)
    if table.columns.boxes is Boxes.FRACTIONS:
        if not all(-_ROUNDING <= part <= 1 + _ROUNDING for part in (first, second, third, fourth)):
            message = f"{where}: {','.join(values)!r} are not fractions of the picture's width and height, as in Open Images"
            return on_problem("malformed box", message)
        return first, second, third, fourth
    if table.columns.boxes is Boxes.CORNERS:
        return first, second, third, fourth
    return first, second, first + third, second + fourth


def _is_nothing(table: _Table, cells: Cells) -> bool:
    """Whether a row says that its picture has no boxes."""
    values = [cells.values[place] for place in table.columns.box]
    if table.columns.boxes is Boxes.VIA:
        return is_empty(values[0])
    return all(value.lower().strip("[]() ") in _NOTHING for value in values)


def _state_size(table: _Table, cells: Cells, stated: dict[str, tuple[int, int]], where: str, on_problem: OnProblem) -> None:
    """Note the (height, width) that a row says its picture has."""
    if table.columns.size is None:
        return
    width, height = (cells.values[place] for place in table.columns.size)
    if not (is_number(width) and is_number(height) and 1 <= float(width) < LARGEST and 1 <= float(height) < LARGEST):
        return
    size, name = (int(float(height)), int(float(width))), cells.values[table.columns.picture]
    if stated.setdefault(name, size) != size:
        other = stated[name]
        message = f"{where}: {name} is {width} wide and {height} high here, but {other[1]} and {other[0]} before; correct one"
        on_problem("malformed image", message)


def _same_boxes(one: Record, other: Record) -> bool:
    def boxes(record: Record) -> Counter[tuple[float, ...]]:
        return Counter((*box, number) for box, number in zip(record.boxes.tolist(), record.classes.tolist(), strict=True))

    return boxes(one) == boxes(other)


def _pass_over(kind: str, message: str) -> None:
    """Says nothing: of the files of other splits only the class names are wanted."""


CSV = Format(
    name="csv",
    recognises=_recognises,
    read=lambda path, split, names, on_problem: read_table(Path(path), split, names, on_problem),
    splits=lambda path: _splits(path) if path.is_dir() else (),
    may_refer_outside=True,
)
