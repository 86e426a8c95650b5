"""What an evaluation leaves behind: numbers, a table for the terminal, files of results, and sample pictures."""

import io
import json
import math
import os
import re
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from yolojax.data.images import write_image
from yolojax.draw import draw_detections, side_by_side
from yolojax.evaluation.average_precision import average_precision
from yolojax.evaluation.coco import coco_evaluate
from yolojax.evaluation.inputs import flatten
from yolojax.evaluation.matching import SIZES, area

LISTED = 10  # names in a line


def summarize(detections, truths, names):
    """All numbers of an evaluation: the COCO metrics, VOC's average precision, and both for every class.

    Args:
        detections: a list over pictures of (boxes_xyxy (k, 4), scores (k,), classes (k,)), boxes in pixels.
        truths: a list over the same pictures of (boxes_xyxy (n, 4), classes (n,)) or (..., ignored (n,) bool); boxes
            marked there are "difficult" to the VOC measure and "crowd" to COCO's: both forgive what is found on them.
        names: the name of every class, all different.

    Returns:
        The twelve of `coco_metrics`; "voc_ap50" and "voc_ap50_11point", means over the classes with a truth that
        counts; "per_class" {name: {"ap", "ap50", "ap75", "voc_ap50", "voc_ap50_11point", "images", "boxes",
        "detections"}}; "per_size" {"small"|"medium"|"large": {"boxes", "ap", "ap50"}}, areas in square pixels as COCO
        has them, where 32^2 and 96^2 are both sizes; "images", all of them, and "boxes". Only boxes that are not ignored
        are counted, and a class's images are those with such a box. Measures without a truth are NaN.

    Raises:
        ValueError: names repeat, a class has no name, or inputs that `flatten` refuses.
    """
    found, expected = flatten(detections, truths)
    largest = max(found.classes.max(initial=-1), expected.classes.max(initial=-1))
    if largest >= len(names) or len(set(names)) < len(names):
        raise ValueError(f"{len(names)} names, {len(set(names))} of them different, for classes 0 to {largest}")
    metrics, coco, per_size = coco_evaluate(detections, truths)
    whole = average_precision(detections, truths, method="area")
    eleven = average_precision(detections, truths, method="11point")
    nan = float("nan")
    undefined = {"ap50": nan, "ap75": nan, "ap": nan}
    sizes = area(expected.boxes_xyxy[~expected.ignored])
    per_class = {}
    for class_id, name in enumerate(names):
        counted = (expected.classes == class_id) & ~expected.ignored
        per_class[name] = {
            **coco.get(class_id, undefined),
            "voc_ap50": whole.get(class_id, nan),
            "voc_ap50_11point": eleven.get(class_id, nan),
            "images": len(np.unique(expected.pictures[counted])),
            "boxes": int(counted.sum()),
            "detections": int((found.classes == class_id).sum()),
        }
    return {
        **metrics,
        "voc_ap50": float(np.mean(list(whole.values()))) if whole else nan,
        "voc_ap50_11point": float(np.mean(list(eleven.values()))) if eleven else nan,
        "per_class": per_class,
        "per_size": {
            name: {"boxes": int(((sizes >= low) & (sizes <= high)).sum()), **per_size[name]}
            for name, (low, high) in SIZES.items()
        },
        "images": len(truths),
        "boxes": int((~expected.ignored).sum()),
    }


def format_table(summary):
    """The result of `summarize` as plain text, one row a class and a last row over all; no trailing line break."""
    measures = ("ap50", "ap", "voc_ap50", "voc_ap50_11point")
    table = Table(box=_RULES, show_edge=False, show_footer=True, pad_edge=False)
    footer = [Text("all"), str(summary["images"]), str(summary["boxes"]), *(_score(summary[key]) for key in measures)]
    titles = ("class", "images", "boxes", "AP50", "AP", "VOC area", "VOC 11-point")
    for place, (title, total) in enumerate(zip(titles, footer, strict=True)):
        table.add_column(title, footer=total, justify="right" if place else "left", no_wrap=True, max_width=48)
    for name, row in summary["per_class"].items():
        # Text, not str: brackets in a name are no markup.
        table.add_row(Text(name), str(row["images"]), str(row["boxes"]), *(_score(row[key]) for key in measures))
    page = io.StringIO()
    Console(file=page, width=160, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in page.getvalue().rstrip("\n").split("\n"))


def format_absent(absent):
    """One line that names the classes which the table has no numbers for; takes "absent" of `analyse`, not both lists empty."""
    parts = []
    for key, title in (("without_truth", "no truth of"), ("without_detections", "nothing detected as")):
        names = absent[key]
        rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        parts += [f"{title} {', '.join(names[:LISTED])}{rest}"] if names else []
    return "; ".join(parts)


def coco_results(detections, image_ids):
    """Detections in COCO's results format, ready for `write_json`.

    Args:
        detections: a list over pictures of (boxes_xyxy (k, 4), scores (k,), classes (k,)), boxes in pixels.
        image_ids: the integer or string that stands for each picture.

    Returns:
        A list of {"image_id", "category_id", "bbox": [left, top, width, height], "score"}, where category_id is the
        class, counted from 0; pixels are rounded to 3 digits and scores to 6.
    """
    results = []
    for image_id, (boxes, scores, classes) in zip(image_ids, detections, strict=True):
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).round(3).tolist()
        scores = np.asarray(scores, np.float64).round(6).tolist()
        for bbox, score, class_id in zip(boxes, scores, np.asarray(classes).tolist(), strict=True):
            results.append({"image_id": image_id, "category_id": int(class_id), "bbox": bbox, "score": score})
    return results


def write_json(path, value):
    """Writes a value as JSON, whole or not at all: a reader, or a crash, never meets half a file.

    Args:
        path: the file; its folder is made where it is missing.
        value: dicts, lists, strings and numbers, NumPy's scalars included; NaN and infinities become null.
    """
    value = _plain(value)
    if isinstance(value, list):
        # One entry a line: indented, a result of four numbers would take nine lines.
        entries = ",\n".join(json.dumps(entry, allow_nan=False, ensure_ascii=False) for entry in value)
        text = f"[\n{entries}\n]"
    else:
        text = json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False)
        # A list of numbers on one line: a curve would take a hundred. Strings hold no raw line breaks, so none is touched.
        text = re.sub(r"\[\n\s*([^][{}\"]*?)\n\s*\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    write_text(path, text + "\n")


def write_text(path, text):
    """Writes a text, whole or not at all; the file's folder is made where it is missing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder: a rename across file systems is not atomic.
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_samples(folder, images, detections, truths, names, *, score_threshold=0.3):
    """Writes one PNG a picture, truths on the left and detections on the right: folder/sample_000.png and so on.

    Args:
        folder: made where it is missing.
        images: a list of (H, W, 3) uint8 RGB pictures.
        detections, truths: lists over the same pictures, as `summarize` takes them.
        names: the name of every class.
        score_threshold: detections below it are not drawn; an evaluation keeps many of almost no score.

    Returns:
        The list of paths written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for place, (image, found, truth) in enumerate(zip(images, detections, truths, strict=True)):
        boxes, scores, classes = (np.asarray(member) for member in found)
        kept = scores >= score_threshold
        pictures = (
            draw_detections(image, truth[0], truth[1], names),
            draw_detections(image, boxes.reshape(-1, 4)[kept], classes[kept], names, scores[kept]),
        )
        titles = (f"truth: {len(truth[0])}", f"detections from {score_threshold:g}: {np.count_nonzero(kept)}")
        paths.append(folder / f"sample_{place:03d}.png")
        write_image(paths[-1], side_by_side(pictures, titles))
    return paths


_RULES = box.Box(
    "    \n"
    "    \n"
    " -- \n"
    "    \n"
    "    \n"
    " -- \n"
    "    \n"
    "    \n",
    ascii=True,
)  # fmt: skip


def _score(value):
    return f"{value:.3f}" if math.isfinite(value) else "-"


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
