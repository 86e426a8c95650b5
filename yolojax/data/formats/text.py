"""Text lists: one picture per line, `path x1,y1,x2,y2,class x1,y1,x2,y2,class ...`, corners in pixels, classes from 0.

Darknet's lists name only the pictures; their boxes are in label files.
"""

import itertools
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from yolojax.data.annotations import Record, check_boxes, class_without_name, has_name
from yolojax.data.formats.find import find_file
from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.label_files import labels_of_list, read_label_files
from yolojax.data.formats.links import relative_path
from yolojax.data.formats.looks_like import file_looks_like
from yolojax.data.formats.names import write_names
from yolojax.data.formats.starts import Start, starts
from yolojax.data.formats.yolo_labels import looks_like_labels
from yolojax.data.lines import NUMBER, read_lines
from yolojax.data.problems import Effect, OnProblem, effect_of, refuse
from yolojax.errors import InputError
from yolojax.runtime.wording import counted

_BOX = rf"{NUMBER},{NUMBER},{NUMBER},{NUMBER},\d+(?:\.0*)?"
_BOXES = re.compile(rf"{_BOX}(?: {_BOX})*", re.ASCII)
_NUMBER_ALONE = re.compile(rf"{NUMBER}[,;]?", re.ASCII)
_FILE_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]*$")
_LONGEST_PATH = 4096  # characters; bounds the search of a line of very many words
_FORM = "x1,y1,x2,y2,class"
_STOPS = frozenset({"box without area"})
_SAMPLE = 100  # lines by which the start of the relative paths is found


def read_text_list(path: str | os.PathLike[str], names: Sequence[str], on_problem: OnProblem | None = None) -> list[Record]:
    """Read a text list.

    Paths may hold spaces and commas. Relative ones start from the list's folder, or all from the first other place of
    `starts` where one of the first pictures is. A line without boxes is a picture without objects; blank lines are skipped.
    Where no line has a box and pictures have label files (see `yolo_pairs.find_labels`), the boxes are read from these, and a
    picture that is listed twice counts once.

    Args:
        path: the list.
        names: the class names, which bound the class numbers.
        on_problem: called for each malformed, inverted or empty box, class without a name, missing picture, picture that is
            found under another form of its name, and line that is not UTF-8; if boxes are read from label files; and for each
            label file that is not read because other lines have boxes. If it returns, the box or the line is left out and the
            picture is kept. None: the first one that stops a training is an InputError.

    Returns:
        A record for each picture, in order.

    Raises:
        InputError: the list cannot be read or has no pictures.
    """
    on_problem = on_problem or _refuse_mistakes
    lines = [line.strip() for line in read_lines(path, on_problem)]
    join = _start(path, lines).join
    paths, sources, counts, values = [], [], [], []
    for number, line in enumerate(lines, 1):
        if line:
            source = f"{path}:{number}"
            picture, boxes = _split_line(line, join, source, on_problem)
            paths.append(picture)
            sources.append(source)
            counts.append(len(boxes))
            values.extend(map(float, ",".join(boxes).split(",") if boxes else ()))
    if not paths:
        raise InputError(f"{path}: no pictures in the list; write one per line: path {_FORM} {_FORM} ...")
    if not values and (labels := labels_of_list(paths, path, on_problem)):
        on_problem("boxes in label files", f"{path}: no line has a box; they were read from the label files of the pictures")
        return read_label_files(_once(paths, sources, on_problem), labels, len(names), on_problem)
    _report_labels(
        {picture: source for picture, source, n in zip(paths, sources, counts, strict=True) if not n}, path, on_problem
    )
    # All boxes in one table: checking them picture by picture would take several times as long.
    table = np.array(values).reshape(-1, 5)
    ends = np.cumsum(counts)
    kept = _check(table, names, lambda row: sources[np.searchsorted(ends, row, side="right")], on_problem)
    table, ends = table[kept], np.concatenate([[0], np.cumsum(kept)])[ends]
    boxes, classes = table[:, :4].astype(np.float32), table[:, 4].astype(np.int32)
    starts = np.concatenate([[0], ends[:-1]])
    return [
        Record(picture, boxes[start:end], classes[start:end], source)
        for picture, start, end, source in zip(paths, starts.tolist(), ends.tolist(), sources, strict=True)
    ]


def _report_labels(pictures: Mapping[str, str], path: str | os.PathLike[str], on_problem: OnProblem) -> None:
    """Report label files with boxes of pictures, {path: file and line}, that have none in a list of boxes."""
    for picture, label in labels_of_list(pictures, path, lambda kind, message: None).items():
        if looks_like_labels(label):
            message = f"{pictures[picture]}: no boxes here, but in {label}, which is not read; write them into the list"
            on_problem("label beside list", message)


def write_text_list(path: Path, records: Sequence[Record], file_names: Sequence[str]) -> None:
    """Write records as a text list, with just enough digits to restore each float32.

    Args:
        path: the list.
        records: the records.
        file_names: for each record the path of its picture from the list's folder.
    """
    lines = []
    for record, file_name in zip(records, file_names, strict=True):
        boxes = (
            ",".join([*(np.format_float_positional(side, trim="-") for side in box), str(class_id)])
            for box, class_id in zip(record.boxes, record.classes.tolist(), strict=True)
        )
        lines.append(" ".join([file_name, *boxes]) + "\n")
    path.write_text("".join(lines), "utf-8")


def _start(path: str | os.PathLike[str], lines: Sequence[str]) -> Start:
    """Where the relative paths of a list start: one place for all, lest a missing picture is taken from elsewhere."""
    sample = list(itertools.islice(filter(None, lines), _SAMPLE))
    places = starts(path)
    for place in places:
        for line in sample:
            if os.path.isfile(_split_line(line, place.join, "", lambda *_: None)[0]):
                return place
    return places[0]


def _once(paths: Sequence[str], sources: Sequence[str], on_problem: OnProblem) -> dict[str, str]:
    """{picture: file and line}, each picture once."""
    pictures: dict[str, str] = {}
    for path, source in zip(paths, sources, strict=True):
        if path in pictures:
            on_problem("picture twice", f"{source}: {path} is already at {pictures[path]}; keep one")
        else:
            pictures[path] = source
    return pictures


def _check(table: np.ndarray, names: Sequence[str], where: Callable[[int], str], on_problem: OnProblem) -> np.ndarray:
    """Which rows (x1, y1, x2, y2, class) a picture can have, (n,) bool."""
    kept = check_boxes(table[:, :4], where, on_problem, advice=f"write {_FORM} with x1 < x2 and y1 < y2")
    named = has_name(table[:, 4], len(names))
    for row in np.flatnonzero(kept & ~named).tolist():
        on_problem("class without a name", f"{where(row)}: {class_without_name(f'{table[row, 4]:.0f}', len(names))}")
    return kept & named


def _split_line(line: str, join: Callable[[str], str], source: str, on_problem: OnProblem) -> tuple[str, list[str]]:
    """The picture's path, joined to where relative paths start, and those tokens of its boxes that are well-formed.

    A path may look like anything, so boxes are taken from the right. Only if that fails do the files on disk decide.
    """
    tokens = line.split()
    first_box = len(tokens)
    while first_box > 1 and "," in tokens[first_box - 1]:
        first_box -= 1
    boxes = tokens[first_box:]
    picture = join(line.rsplit(None, len(boxes))[0])
    if (not boxes or _BOXES.fullmatch(" ".join(boxes))) and os.path.isfile(picture):
        return picture, boxes

    for first, token in enumerate(re.finditer(r"\S+", line), 1):
        if token.end() > _LONGEST_PATH:
            break
        longer = join(line[: token.end()])
        if first >= first_box and os.path.isfile(longer):
            boxes = tokens[first:]
            if not boxes or _BOXES.fullmatch(" ".join(boxes)):
                return longer, boxes
    # No such file: the path ends at the last token that ends as file names do, and what follows is meant to be boxes.
    last = max((i for i, token in enumerate(tokens) if _FILE_ENDING.search(token)), default=first_box - 1)
    picture = find_file(join(line.rsplit(None, len(tokens) - 1 - last)[0]), source, on_problem)
    if not os.path.isfile(picture):
        message = f"{source}: there is no picture {picture}; relative paths start from the list's folder or the current folder"
        on_problem("missing picture", message)
    return picture, _well_formed(tokens[last + 1 :], source, on_problem)


def _well_formed(tokens: Sequence[str], source: str, on_problem: OnProblem) -> list[str]:
    """Those of the tokens after a path that are boxes; the others are reported."""
    boxes = [token for token in tokens if _BOXES.fullmatch(token)]
    if len(tokens) > 1 and all(map(_NUMBER_ALONE.fullmatch, tokens)):
        numbers = " ".join(tokens[:5]) + " ..." * (len(tokens) > 5)
        message = f"{source}: {numbers!r} is not a box: there are spaces inside it; write {_FORM} {_FORM} ..."
        on_problem("malformed box", message)
        return []
    for token in tokens:
        if not _BOXES.fullmatch(token):
            on_problem("malformed box", f"{source}: {token!r} is not a box: {_explain(token)}; write {_FORM}")
    return boxes


def _explain(token: str) -> str:
    """What is wrong with a token that should be a box."""
    fields = token.split(",")
    if len(fields) != 5:
        return f"it has {counted(len(fields), 'value')}, not 5"
    for field in fields[:4]:
        if not re.fullmatch(NUMBER, field, re.ASCII):
            return f"{field!r} is not a number"
    return f"class {fields[4]!r} is not a whole number from 0"


def _refuse_mistakes(kind: str, message: str) -> None:
    if kind in _STOPS or effect_of(kind) is Effect.STOP:
        refuse(kind, message)


def _names_beside(path: str) -> str:
    """A hint at a file of class names in the list's folder, or ""."""
    files = sorted(os.listdir(os.path.dirname(path) or "."))
    found = next((name for name in files if name.endswith(".names") or name in ("classes.txt", "labels.txt")), None)
    return f", perhaps {os.path.join(os.path.dirname(path), found)}" if found else ""


def _read(path: str, split: str | None, names: Sequence[str] | None, on_problem: OnProblem) -> NamesAndRecords:
    if names is None:
        raise InputError(
            f"{path}: a text list has no class names; give a file of them (--names, or config.data.names){_names_beside(path)}"
        )
    return tuple(names), read_text_list(path, names, on_problem)


def _write(
    out: Path, names: Sequence[str], parts: Mapping[str, list[Record]], sizes: Mapping[str, tuple[int, int]]
) -> list[str]:
    """SPLIT.txt for each split, and classes.names."""
    out.mkdir(parents=True, exist_ok=True)
    write_names(out / "classes.names", names)
    for split, records in parts.items():
        write_text_list(out / f"{split}.txt", records, [relative_path(record.path, out) for record in records])
    return []


TEXT = Format(
    name="text",
    recognises=lambda path: not path.is_dir() and file_looks_like(path) is None,
    read=_read,
    write=_write,
    stops=_STOPS,
    repeats=False,
)
