"""COCO: one JSON file of images, annotations and categories.

Lin et al. 2014, arXiv:1405.0312; cocodataset.org/#format-data.
"""

import functools
import json
import os
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from yolojax.data.annotations import Record
from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.links import relative_path
from yolojax.data.formats.rows import Row, make_record
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular

_Entries = list[tuple[int, dict[str, Any]]]  # objects of a list, each with its place there


def read_coco(path: str | os.PathLike[str], names: Sequence[str] | None, on_problem: OnProblem) -> NamesAndRecords:
    """Read a COCO file; boxes [x, y, width, height] become corners, images without annotations are kept.

    Pictures are looked for beside the file, in images/ beside it, and, for annotations/instances_val2017.json, in
    ../val2017, ../images/val2017 and ../images.

    Args:
        path: the file.
        names: the class names, to which categories are matched by name; None: the categories, in the order of their ids.
        on_problem: called, with file and id, for a missing list, a missing field or one of the wrong type, an id that is given
            twice or refers to nothing, a box that is negative or without area, a category that is not in `names`, a missing
            picture. If it returns, that is left out, but a record is kept without its picture.

    Returns:
        The class names and the records.

    Raises:
        InputError: the file cannot be read or is not a JSON object.
    """
    path = Path(path)
    images, annotations, categories = _load(path, on_problem)
    class_of = _classes(path, categories, names is None, on_problem)
    if names is None:
        names = [class_of[number] for number in sorted(class_of)]
        if not names:
            on_problem("no classes", f"{path}: categories: no class names; every class needs one")
    numbers = {name: number for number, name in enumerate(names)}

    files = _files(path, images, on_problem)
    rows: dict[int | str, list[Row]] = {number: [] for number in files}
    for place, annotation in annotations:
        where = _where(path, "annotation", "annotations", annotation, place)
        row, image = _row(annotation, where, class_of, numbers, on_problem)
        if row and image in rows:
            rows[image].append(row)
        elif row:
            on_problem("malformed box", f"{where}: there is no image {image!r}")

    folder = _picture_folder(path, files.values(), on_problem)
    records = []
    for number, file_name in files.items():
        source = f"{path}: image {number!r}"
        picture = str(folder / file_name)
        if not os.path.isfile(picture):
            on_problem("missing picture", f"{source}: there is no picture {picture}")
        records.append(make_record(picture, source, rows[number], on_problem))
    return tuple(names), records


def write_coco(
    path: Path,
    names: Sequence[str],
    records: Sequence[Record],
    sizes: Sequence[tuple[int, int]],
    file_names: Sequence[str],
) -> None:
    """Write records as a COCO file with ids from 1.

    Args:
        path: the file.
        names: the class names.
        records: the records.
        sizes: for each record the (height, width) of its picture in pixels.
        file_names: for each record the path of its picture from the file's folder.
    """
    images, annotations = [], []
    for number, (record, (height, width), file_name) in enumerate(zip(records, sizes, file_names, strict=True), 1):
        images.append({"id": number, "file_name": file_name, "width": width, "height": height})
        for box, class_id, crowd in zip(record.boxes.tolist(), record.classes.tolist(), record.crowd.tolist(), strict=True):
            x1, y1, x2, y2 = box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": class_id + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": int(crowd),
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content, ensure_ascii=False, allow_nan=False), "utf-8")


def _load(path: Path, on_problem: OnProblem) -> list[_Entries]:
    """Images, annotations and categories: the objects of each list, with their places."""
    try:
        with open_regular(path) as file:
            content = json.loads(file.read())
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: malformed JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: malformed JSON: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: no list of objects 'images'; a COCO file has images, annotations and categories")
    groups = []
    for group in ("images", "annotations", "categories"):
        entries = content.get(group)
        if not isinstance(entries, list):
            message = f"{path}: no list of objects {group!r}; a COCO file has images, annotations and categories"
            on_problem("malformed file", message)
            entries = []
        for place, entry in enumerate(entries):
            if not isinstance(entry, dict):
                on_problem("malformed file", f"{path}: {group}[{place}] is {reprlib.repr(entry)}, not an object")
        groups.append([(place, entry) for place, entry in enumerate(entries) if isinstance(entry, dict)])
    return groups


def _classes(path: Path, categories: _Entries, become_names: bool, on_problem: OnProblem) -> dict[int, str]:
    """{id: name} of the categories; if these become the class names, they must be usable as such."""
    class_of: dict[int, str] = {}
    for place, category in categories:
        where = _where(path, "category", "categories", category, place)
        report = functools.partial(on_problem, "malformed category")
        number, name = _field(category, "id", int, where, report), _field(category, "name", str, where, report)
        if number is None or name is None:
            continue
        if number in class_of:
            report(f"{where} is there twice; give every category its own id")
        elif become_names and not (name.strip() and name.strip().isprintable()):
            report(f"{where}: the name {name!r} is not a line of text")
        elif become_names and name.strip() in class_of.values():
            report(f"{where}: {name.strip()!r} is the name of two classes; rename one")
        else:
            class_of[number] = name.strip()
    return class_of


def _files(path: Path, images: _Entries, on_problem: OnProblem) -> dict[int | str, str]:
    """{id: file name} of the images."""
    files: dict[int | str, str] = {}
    for place, image in images:
        where = _where(path, "image", "images", image, place)
        report = functools.partial(on_problem, "malformed image")
        number, file_name = _field(image, "id", int | str, where, report), _field(image, "file_name", str, where, report)
        if number in files:
            report(f"{where} is there twice; give every image its own id")
        elif number is not None and file_name is not None:
            files[number] = file_name
    if not files:
        on_problem("no pictures", f"{path}: no images")
    return files


def _where(path: Path, kind: str, group: str, entry: Mapping[str, Any], place: int) -> str:
    """What messages call an entry: by its id, or its place from 0."""
    return f"{path}: {kind} {reprlib.repr(entry['id'])}" if "id" in entry else f"{path}: {group}[{place}]"


def _field(entry: Mapping[str, Any], name: str, kind: Any, where: str, report: Callable[[str], None]) -> Any:
    """A field of that type, or None."""
    value = entry.get(name)
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    message = f"{where}: {name!r} is {reprlib.repr(value)}" if name in entry else f"{where}: there is no {name!r}"
    return report(message)


def _row(
    annotation: Mapping[str, Any],
    where: str,
    class_of: Mapping[int, str],
    numbers: Mapping[str, int],
    on_problem: OnProblem,
) -> tuple[Row | None, Any]:
    """The box of an annotation, or None, and the id of its image."""
    report = functools.partial(on_problem, "malformed box")
    if (image := _field(annotation, "image_id", int | str, where, report)) is None:
        return None, image
    if (category := _field(annotation, "category_id", int, where, report)) is None:
        return None, image
    if (box := _field(annotation, "bbox", list, where, report)) is None:
        return None, image
    if category not in class_of:
        return report(f"{where}: there is no category {category}"), image
    name = class_of[category]
    if name not in numbers:
        message = f"{where}: there is no class {name!r}; the names are {', '.join(numbers)}"
        return on_problem("class without a name", message), image
    if len(box) != 4 or not all(isinstance(side, int | float) and not isinstance(side, bool) for side in box):
        return report(f"{where}: bbox {reprlib.repr(box)} is not [x, y, width, height]"), image
    try:
        x, y, width, height = map(float, box)
    except OverflowError:
        return on_problem("box too large", f"{where}: bbox is larger than any picture; write pixels"), image
    crowd = annotation.get("iscrowd") in (1, True)
    return Row((x, y, x + width, y + height), numbers[name], where, crowd=crowd), image


def _picture_folder(path: Path, file_names: Iterable[str], on_problem: OnProblem) -> Path:
    """The first of the usual folders that holds the first picture; if none does, the one that holds the next picture."""
    subset = path.stem.rpartition("_")[2]
    above = path.absolute().parent.parent
    folders = (path.parent, path.parent / "images", above / subset, above / "images" / subset, above / "images")
    for file_name in file_names:
        for folder in folders:
            if os.path.isfile(folder / file_name):
                return folder
        message = f"{path}: there is no picture {file_name} in any of {', '.join(map(str, folders))}"
        on_problem("missing picture", message)
    return folders[0]


def _write(
    out: Path, names: Sequence[str], parts: Mapping[str, list[Record]], sizes: Mapping[str, tuple[int, int]]
) -> list[str]:
    """SPLIT.json for each split."""
    out.mkdir(parents=True, exist_ok=True)
    for split, records in parts.items():
        file_names = [relative_path(record.path, out) for record in records]
        write_coco(out / f"{split}.json", names, records, [sizes[record.path] for record in records], file_names)
    return []


COCO = Format(
    name="coco",
    recognises=lambda path: not path.is_dir() and path.suffix.lower() == ".json",
    read=lambda path, split, names, on_problem: read_coco(path, names, on_problem),
    write=_write,
    may_refer_outside=True,
    marks_crowd=True,
)
