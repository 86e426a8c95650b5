"""FiftyOne's own files of detections (FiftyOneImageDetectionDataset), as the lists of a COCO file.

docs.voxel51.com: labels.json holds {"classes": names, "labels": {name of a picture in data/ without its ending: detections}}; a
detection has a "label", which is the number of a class or its name, and a "bounding_box" [x, y, width, height] in parts of the
picture.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from yolojax.data.formats.coco_values import is_number
from yolojax.data.formats.find import walk
from yolojax.data.image_size import sizes_by_path

FIFTYONE_BEGINNING = re.compile(rb'\s*\{\s*(?:"classes"\s*:\s*\[[^{}\[\]]*\]\s*,\s*)?"labels"\s*:\s*\{\s*"')
"""How a file begins that `is_fiftyone` recognises, unless it is empty."""


def is_fiftyone(content: Any) -> bool:
    """Whether a JSON value is FiftyOne's: detections, or null, for each picture."""
    labels = content.get("labels") if isinstance(content, dict) else None
    others = isinstance(content, dict) and content.keys() - {"classes", "labels"}
    return isinstance(labels, dict) and not others and isinstance(content.get("classes", []), list | None)


def fiftyone_to_coco(path: Path, content: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Give the content of a file of FiftyOne as COCO's lists.

    Args:
        path: the file, whose pictures lie in data/ beside it.
        content: what it holds.

    Returns:
        {"images", "annotations", "categories"}; ids are the names of the pictures, NAME[PLACE] for detections and the numbers
        of the classes. A picture that cannot be read has no annotations.
    """
    classes: list[Any] = list(content.get("classes") or [])
    numbers: dict[str, int] = {}
    for number, name in enumerate(classes):
        if isinstance(name, str):
            numbers.setdefault(name, number)
    names = _file_names(path.parent / "data")
    files: dict[str, str] = {key: names[key] if key in names else key for key in content["labels"]}
    paths = {key: str(path.parent / "data" / name) for key, name in files.items()}
    sizes = sizes_by_path(paths.values())
    images, annotations = [], []
    for key, labels in content["labels"].items():
        image = {"id": key, "file_name": f"data/{files[key]}"}
        images.append(image)
        if (size := sizes[paths[key]]) is None:
            continue
        annotations += _annotations(key, labels, size, classes, numbers)
    categories = [{"id": number, "name": name} for number, name in enumerate(classes)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _annotations(key: str, labels: Any, size: tuple[int, int], classes: list[Any], numbers: dict[str, int]) -> Iterator[Any]:
    """The annotations of a picture; names that are not in `classes` are added to it, and to `numbers`, their places there."""
    if labels is not None and not isinstance(labels, list):
        # The label of a whole picture.
        yield {"id": key, "image_id": key, "caption": labels}
        return
    for place, detection in enumerate(labels or []):
        if not isinstance(detection, dict):
            yield detection
            continue
        label = detection.get("label")
        if isinstance(label, str):
            if label not in numbers:
                numbers[label] = len(classes)
                classes.append(label)
            label = numbers[label]
        annotation = {"id": f"{key}[{place}]", "image_id": key, "category_id": label}
        if "bounding_box" in detection:
            annotation["bbox"] = _to_pixels(detection["bounding_box"], size)
        yield annotation


def _to_pixels(box: Any, size: tuple[int, int]) -> Any:
    """A box in pixels; what is no box stays."""
    height, width = size
    if not isinstance(box, list) or len(box) != 4 or not all(is_number(side) and abs(side) < 2**20 for side in box):
        return box
    return [side * scale for side, scale in zip(box, (width, height, width, height), strict=True)]


def _file_names(folder: Path) -> dict[str, str]:
    """{path from the folder without its ending: path} of the files in a folder, where that is one."""
    names: dict[str, str] = {}
    twice = set()
    for file in walk(folder, lambda kind, message: None):
        name = file.relative_to(folder).as_posix()
        if names.setdefault(os.path.splitext(name)[0], name) != name:
            twice.add(os.path.splitext(name)[0])
    return {key: name for key, name in names.items() if key not in twice}
