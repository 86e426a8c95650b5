"""COCO: one JSON file of images, annotations and categories, or a folder of such files, one for each split.

Lin et al. 2014, arXiv:1405.0312; cocodataset.org/#format-data.
"""

import dataclasses
import functools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from yolojax.data.annotations import Record
from yolojax.data.formats.coco_classes import Categories, number_classes, read_categories
from yolojax.data.formats.coco_file import CocoFile, load_coco
from yolojax.data.formats.coco_layouts import named_splits, split_files
from yolojax.data.formats.coco_pictures import find_pictures
from yolojax.data.formats.coco_rows import read_row
from yolojax.data.formats.coco_values import Entries, id_field, place_of, stated_size, text_field
from yolojax.data.formats.find import standard_split
from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.links import relative_path
from yolojax.data.formats.rows import Row, make_record
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError


def read_coco(path: str | os.PathLike[str], names: Sequence[str] | None, on_problem: OnProblem) -> NamesAndRecords:
    """Read a COCO file; boxes [x, y, width, height] become corners, images without annotations are kept.

    An annotation without a bbox gets the box around its polygons or mask, a rotated one (CVAT) the upright box around it; one
    that has keypoints or a caption alone is left out. Ids may be numbers or texts of numbers. `coco_pictures.find_pictures`
    says where pictures are looked for, `coco_classes.number_classes` how categories become classes.

    Args:
        path: the file.
        names: the class names, to which categories are matched by name; None: the categories, in the order of their ids.
        on_problem: called, with file and id, for a missing list, a missing field or one of the wrong type, an id that is given
            twice or refers to nothing, a box that is negative or without area, a category that is not in `names`, a missing
            picture. If it returns, that is left out, but a record is kept without its picture.

    Returns:
        The class names and the records.

    Raises:
        InputError: the file cannot be read or has none of the lists of a COCO file.
    """
    path = Path(path)
    content = load_coco(path, on_problem)
    categories = read_categories(path, content, names is None, on_problem)
    names = tuple(number_classes([categories], path, on_problem) if names is None else names)
    return names, _read_records(path, content, categories, names, on_problem)


def read_coco_folder(
    folder: str | os.PathLike[str], split: str | None, names: Sequence[str] | None, on_problem: OnProblem
) -> NamesAndRecords:
    """Read a folder with a COCO file for each split, in one of the layouts of `coco_layouts.split_files`.

    Args:
        folder: the folder.
        split: reads its file alone; None: all of them.
        names: as for `read_coco`; None: the categories of all files, so that every split has the same classes.
        on_problem: as for `read_coco`.

    Returns:
        The class names and the records.

    Raises:
        InputError: there is no such split, or a file cannot be read.
    """
    folder = Path(folder)
    files = split_files(folder)
    wanted = list(files) if split is None else [split if split in files else standard_split(split) or split]
    if any(name not in files for name in wanted):
        known = ", ".join(f"{name} in {file.relative_to(folder)}" for name, file in files.items())
        raise InputError(f"{folder}: there is no split {split!r} (there are: {known})")
    contents: dict[str, CocoFile] = {}
    categories: dict[str, Categories] = {}
    for name in files if names is None else wanted:
        if name in wanted:
            contents[name] = load_coco(files[name], on_problem)
            categories[name] = read_categories(files[name], contents[name], names is None, on_problem)
        else:
            about = files[name].stat()
            categories[name] = _other_categories(files[name], about.st_mtime_ns, about.st_size)
    names = tuple(number_classes(list(categories.values()), folder, on_problem) if names is None else names)
    records = []
    for name in wanted:
        records += _read_records(files[name], contents.pop(name), categories[name], names, on_problem)
    return names, records


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


@functools.lru_cache(maxsize=32)
def _other_categories(path: Path, _changed: int, _size: int) -> Categories:
    """The categories of a split that is not read; what is wrong there is reported when it is."""

    def ignore(kind: str, message: str) -> None:
        pass

    return read_categories(path, load_coco(path, ignore), True, ignore)


def _read_records(
    path: Path, content: CocoFile, categories: Categories, names: Sequence[str], on_problem: OnProblem
) -> list[Record]:
    """The records of a file."""
    class_of = {entry.number: entry.name for entry in categories.entries}
    numbers = {name: number for number, name in enumerate(names)}
    files, sizes = _images(path, content.images, on_problem)
    rows: dict[int | str, list[Row]] = {number: [] for number in files}
    for place, annotation in content.annotations:
        where = place_of(path, "annotation", "annotations", annotation, place)
        if found := read_row(annotation, where, sizes, class_of, numbers, on_problem):
            row, image = found
            rows[image].append(row)
    records = []
    for number, picture in find_pictures(path, files, on_problem).items():
        record = make_record(picture, f"{path}: image {number!r}", rows[number], on_problem)
        records.append(dataclasses.replace(record, stated_size=sizes[number]))
    return records


def _images(
    path: Path, images: Entries, on_problem: OnProblem
) -> tuple[dict[int | str, str], dict[int | str, tuple[int, int] | None]]:
    """{id: file name} and {id: stated size} of the images."""
    files: dict[int | str, str] = {}
    sizes: dict[int | str, tuple[int, int] | None] = {}
    for place, image in images:
        where = place_of(path, "image", "images", image, place)
        report = functools.partial(on_problem, "malformed image")
        number, file_name = id_field(image, "id", where, report), text_field(image, "file_name", where, report)
        if number in files:
            report(f"{where} is there twice; give every image its own id")
        elif number is not None and file_name is not None:
            files[number] = file_name
            sizes[number] = stated_size(image)
    if not files:
        on_problem("no pictures", f"{path}: no images")
    return files, sizes


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

COCO_FOLDER = Format(
    name="coco folder",
    recognises=lambda path: path.is_dir() and bool(split_files(path)),
    read=read_coco_folder,
    splits=named_splits,
    may_refer_outside=True,
    marks_crowd=True,
)
