"""The lists of a COCO file, and what a file that is none looks like."""

import json
import re
import reprlib
from pathlib import Path
from typing import Any, NamedTuple

from yolojax.data.formats.coco_fiftyone import FIFTYONE_BEGINNING, fiftyone_to_coco, is_fiftyone
from yolojax.data.formats.coco_values import Entries
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular

_GROUPS = ("images", "annotations", "categories")
_LISTS = "a COCO file has images, annotations and categories"
_HEAD = 2**16  # bytes: a file that is longer is recognised by its beginning
_BEGINNING = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*\{.*?"(?:images"\s*:\s*\[|categories"\s*:\s*\[|annotations"\s*:\s*\[\s*\{)', re.DOTALL
)


class CocoFile(NamedTuple):
    """The objects of the three lists of a COCO file, each with its place there."""

    images: Entries
    annotations: Entries
    categories: Entries


def load_coco(path: Path, on_problem: OnProblem) -> CocoFile:
    """Read the lists of a COCO file, or of FiftyOne's own file of detections.

    Args:
        path: the file.
        on_problem: called for a list that is missing, and for each entry that is not an object.

    Returns:
        The lists; empty ones for those that are missing.

    Raises:
        InputError: the file cannot be read, is not JSON, or has none of the lists.
    """
    content = _load_json(path)
    if is_fiftyone(content):
        content = fiftyone_to_coco(path, content)
    if not isinstance(content, dict) or not any(group in content for group in _GROUPS):
        raise InputError(f"{path}: no list of objects 'images'; {_LISTS}; this is {looks_like(content)}")
    groups: list[Entries] = []
    for group in _GROUPS:
        entries = content.get(group)
        if not isinstance(entries, list):
            hint = f"; this is {looks_like(content)}" if group not in content else ""
            on_problem("malformed file", f"{path}: no list of objects {group!r}; {_LISTS}{hint}")
            entries = []
        for place, entry in enumerate(entries):
            if not isinstance(entry, dict):
                on_problem("malformed file", f"{path}: {group}[{place}] is {reprlib.repr(entry)}, not an object")
        groups.append([(place, entry) for place, entry in enumerate(entries) if isinstance(entry, dict)])
    return CocoFile(*groups)


def is_coco(path: Path) -> bool:
    """Whether a file seems to be a COCO file; of a large one only the beginning is read."""
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD + 1)
        if len(head) > _HEAD:
            return bool(_BEGINNING.match(head) or FIFTYONE_BEGINNING.match(head))
        content = json.loads(head)
    except (OSError, ValueError, RecursionError):
        return False
    if is_fiftyone(content):
        return True
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        return False
    return isinstance(content.get("annotations"), list) or isinstance(content.get("categories"), list)


def looks_like(content: Any) -> str:
    """Say what a JSON value that is not a COCO file seems to be, and what to do, as it follows "this is"."""
    first = content[0] if isinstance(content, list) and content else None
    first = first if isinstance(first, dict) else {}
    keys = content.keys() if isinstance(content, dict) else set()
    if keys & {"_via_img_metadata", "_via_settings"} or _all_have(content, "regions"):
        return "a project of the VGG Image Annotator: export it as COCO there"
    if isinstance(content, dict) and content.get("type") in ("FeatureCollection", "Feature"):
        return "GeoJSON, in coordinates of a map: export the annotations as COCO, in pixels"
    if "samples" in keys:
        return "FiftyOne's own format: export the data set as COCODetectionDataset"
    if {"items", "categories"} <= keys:
        return "a Datumaro file: export it as COCO"
    if "annotations" in first and "image" in first:
        return "CreateML: export the data set as COCO"
    if "data" in first and {"annotations", "completions", "predictions"} & first.keys():
        return "a Label Studio JSON export: choose COCO or YOLO in its export dialogue"
    if {"image_id", "bbox"} <= first.keys():
        scores = "detections, results of a detector" if "score" in first else "the list of annotations alone"
        return f"{scores}: give the file with the images and categories as well"
    if isinstance(content, list):
        return f"a list of {len(content)} entries"
    if isinstance(content, dict):
        return f"an object with {', '.join(map(reprlib.repr, sorted(content)[:5]))}" if content else "an empty object"
    return reprlib.repr(content)


def _all_have(content: Any, name: str) -> bool:
    return isinstance(content, dict) and bool(content) and all(isinstance(v, dict) and name in v for v in content.values())


def _load_json(path: Path) -> Any:
    try:
        with open_regular(path) as file:
            return json.loads(file.read())
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: malformed JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except (RecursionError, ValueError) as error:
        raise InputError(f"{path}: malformed JSON: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
