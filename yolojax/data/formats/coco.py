"""COCO: one JSON file of images, annotations and categories.

Lin et al. 2014, arXiv:1405.0312; cocodataset.org/#format-data.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from yolojax.data.annotations import Record
from yolojax.data.formats.rows import Row, check_names, make_record
from yolojax.errors import InputError


def read_coco(path: str | os.PathLike, names: Sequence[str] | None) -> tuple[tuple[str, ...], list[Record], list[str]]:
    """Read a COCO file; boxes [x, y, width, height] become corners, images without annotations are kept.

    Pictures are looked for beside the file, in images/ beside it, and, for annotations/instances_val2017.json, in
    ../val2017, ../images/val2017 and ../images.

    names: the class names, to which categories are matched by name; None: the categories, in the order of their ids.
    Returns: names, records, and a line for each box without area, which is left out.
    Raises: InputError, with the file and the id, for malformed JSON, a missing field or one of the wrong type, an id given
        twice or that nothing has, a negative width or height, a category that is not in `names`, a missing picture.
    """
    path = Path(path)
    data = _load(path)
    categories = {}
    for category in data["categories"]:
        where = f"{path}: category {category.get('id')!r}"
        number = _field(category, "id", int, where)
        if number in categories:
            raise InputError(f"{where} is there twice; give every category its own id")
        categories[number] = _field(category, "name", str, where).strip()
    if names is None:
        names = check_names([categories[number] for number in sorted(categories)], f"{path}: categories")
    numbers = {name: number for number, name in enumerate(names)}

    images, rows = {}, {}
    for image in data["images"]:
        where = f"{path}: image {image.get('id')!r}"
        number = _field(image, "id", int | str, where)
        if number in images:
            raise InputError(f"{where} is there twice; give every image its own id")
        images[number], rows[number] = _field(image, "file_name", str, where), []
    if not images:
        raise InputError(f"{path}: no images")
    for annotation in data["annotations"]:
        row, image = _row(annotation, path, categories, numbers)
        if image not in rows:
            raise InputError(f"{row.where}: there is no image {image!r}")
        rows[image].append(row)

    folder = _picture_folder(path, next(iter(images.values())))
    records, left_out = [], []
    for number, file_name in images.items():
        source = f"{path}: image {number!r}"
        picture = str(folder / file_name)
        if not os.path.isfile(picture):
            raise InputError(f"{source}: there is no picture {picture}")
        records.append(make_record(picture, source, rows[number], left_out))
    return tuple(names), records, left_out


def write_coco(
    path: Path, names: Sequence[str], records: list[Record], sizes: list[tuple[int, int]], file_names: list[str]
) -> None:
    """Write records as a COCO file with ids from 1; sizes: (height, width), pixels."""
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
    data = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(data, ensure_ascii=False, allow_nan=False), "utf-8")


def _load(path):
    try:
        data = json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: malformed JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: malformed JSON: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    for group in ("images", "annotations", "categories"):
        entries = data.get(group) if isinstance(data, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise InputError(f"{path}: no list of objects {group!r}; a COCO file has images, annotations and categories")
    return data


def _field(entry, name, kind, where):
    value = entry.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{where}: {name!r} is {value!r}" if name in entry else f"{where}: there is no {name!r}")
    return value


def _row(annotation, path, categories, numbers):
    """The box of an annotation and the id of its image."""
    where = f"{path}: annotation {annotation.get('id')!r}"
    image = _field(annotation, "image_id", int | str, where)
    category = _field(annotation, "category_id", int, where)
    if category not in categories:
        raise InputError(f"{where}: there is no category {category}")
    name = categories[category]
    if name not in numbers:
        raise InputError(f"{where}: there is no class {name!r}; the names are {', '.join(numbers)}")
    box = _field(annotation, "bbox", list, where)
    if len(box) != 4 or not all(isinstance(side, int | float) and not isinstance(side, bool) for side in box):
        raise InputError(f"{where}: bbox {box!r} is not [x, y, width, height]")
    try:
        x, y, width, height = map(float, box)
    except OverflowError:
        raise InputError(f"{where}: bbox is larger than any picture; write pixels") from None
    crowd = annotation.get("iscrowd") in (1, True)
    return Row((x, y, x + width, y + height), numbers[name], where, crowd=crowd), image


def _picture_folder(path, file_name):
    """The first of the usual folders that holds the first picture."""
    subset = path.stem.rpartition("_")[2]
    above = path.absolute().parent.parent
    folders = (path.parent, path.parent / "images", above / subset, above / "images" / subset, above / "images")
    for folder in folders:
        if os.path.isfile(folder / file_name):
            return folder
    raise InputError(f"{path}: there is no picture {file_name} in any of {', '.join(map(str, folders))}")
