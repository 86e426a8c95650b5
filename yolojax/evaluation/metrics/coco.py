"""The COCO detection metrics, computed by pycocotools in memory."""

import contextlib
import io

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from yolojax.evaluation.metrics.inputs import flatten
from yolojax.evaluation.metrics.matching import MAX_DETECTIONS, SIZES, area, by_score, group_keys, strongest

METRICS = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip


def coco_metrics(detections, truths):
    """The twelve COCO metrics; see `coco_evaluate`, of which this is the first part.

    Returns:
        {"ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar_1", "ar_10", "ar_100", "ar_small", "ar_medium",
        "ar_large"}: floats in [0, 1], or NaN.
    """
    return coco_evaluate(detections, truths)[0]


def coco_evaluate(detections, truths):
    """The twelve COCO metrics, and average precision class by class and size by size, from one evaluation.

    Lin et al. 2014, arXiv:1405.0312; definitions at cocodataset.org, "Detection evaluation". "ap" is the mean over
    classes and IoU 0.50, 0.55 ... 0.95; at most the 100 highest scores of a class in a picture count. Small is a box
    area below 32^2, large one above 96^2 square pixels (COCO's own sets give the area of the mask instead).

    Args:
        detections: a list over pictures of (boxes_xyxy (k, 4), scores (k,), classes (k,)), boxes in pixels.
        truths: a list over the same pictures of (boxes_xyxy (n, 4), classes (n,)) or (..., crowd (n,) bool); what is
            detected in a crowd box counts neither for nor against.

    Returns:
        metrics: the twelve of `coco_metrics`; NaN where no truth of that size counts.
        per_class: {class: {"ap", "ap50", "ap75"}}, by rising class, for classes with at least one truth that counts:
            that is not crowd (nor, as pycocotools has it, of more than 1e10 square pixels).
        per_size: {"small"|"medium"|"large": {"ap", "ap50"}}, means over classes; NaN where no truth of that size counts.

    Raises:
        ValueError: inputs that `flatten` refuses.
    """
    found, expected = flatten(detections, truths)
    classes = np.unique(expected.classes[~expected.ignored]).tolist()
    if not classes:
        nan = float("nan")
        return dict.fromkeys(METRICS, nan), {}, {name: {"ap": nan, "ap50": nan} for name in SIZES}
    found = _regroup(strongest(by_score(found)[0]), expected, len(truths))
    pictures = 1 + int(max(found.pictures.max(initial=-1), len(truths) - 1))
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(
            _index(expected, classes, pictures, iscrowd=expected.ignored.astype(int)),
            _index(found, classes, pictures, score=found.scores),
            "bbox",
        )
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    metrics = {name: _defined(value) for name, value in zip(METRICS, evaluation.stats, strict=True)}
    # (IoU, recall, class, size, detections a picture): at 100 detections; the sizes are all, small, medium, large.
    precision = evaluation.eval["precision"][..., -1]
    per_class = {
        name: {
            "ap": float(precision[:, :, place, 0].mean()),
            "ap50": float(precision[0, :, place, 0].mean()),
            "ap75": float(precision[5, :, place, 0].mean()),
        }
        for place, name in enumerate(classes)
        if precision[0, 0, place, 0] >= 0  # no truth of an area that COCO knows of, up to 1e10
    }
    per_size = {}
    for place, name in enumerate(SIZES, start=1):
        defined = precision[0, 0, :, place] >= 0
        values = precision[:, :, defined, place]
        per_size[name] = {
            "ap": float(values.mean()) if defined.any() else float("nan"),
            "ap50": float(values[0].mean()) if defined.any() else float("nan"),
        }
    return metrics, per_class, per_size


def _regroup(found, expected, pictures):
    """Detections for which pycocotools gives the same numbers in a fraction of the time.

    It spends most of it on pairs of picture and class that have detections but no truth, one after the other. What these
    add is false positives by score alone, in whatever picture: those of a class are moved, a hundred each, into pictures
    that do not exist. For equal scores to keep the order that they had by picture, each score becomes its rank from below.
    """
    lonely = np.flatnonzero(~np.isin(*group_keys(found, expected)))
    lonely = lonely[np.argsort(found.classes[lonely], kind="stable")]
    place = np.arange(len(lonely)) - np.searchsorted(found.classes[lonely], found.classes[lonely], side="left")
    moved = found.pictures.copy()
    moved[lonely] = pictures + place // MAX_DETECTIONS
    return found._replace(pictures=moved, scores=np.arange(len(moved), 0, -1, dtype=np.float64))


def _index(flat, classes, pictures, **columns):
    """A pycocotools index of FlatDetections or FlatTruths, as if read from its file format."""
    size = np.maximum(flat.boxes_xyxy[:, 2:] - flat.boxes_xyxy[:, :2], 0)
    rows = zip(
        flat.pictures.tolist(),
        flat.classes.tolist(),
        np.concatenate([flat.boxes_xyxy[:, :2], size], axis=1).tolist(),
        area(flat.boxes_xyxy).tolist(),
        *(column.tolist() for column in columns.values()),
        strict=True,
    )
    names = ("image_id", "category_id", "bbox", "area", *columns)
    index = COCO()
    index.dataset = {
        "images": [{"id": picture} for picture in range(pictures)],
        "categories": [{"id": name} for name in classes],
        # From 1: pycocotools marks what is unmatched with 0, so that a truth of id 0 could never be found.
        "annotations": [{"id": place, **dict(zip(names, row, strict=True))} for place, row in enumerate(rows, start=1)],
    }
    index.createIndex()
    return index


def _defined(value):
    return float(value) if value >= 0 else float("nan")


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
