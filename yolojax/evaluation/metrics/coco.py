"""The COCO detection metrics, computed by pycocotools in memory, and detections in COCO's results format."""

import contextlib
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from yolojax.evaluation.metrics.inputs import FlatDetections, FlatTruths, ImageDetections, ImageTruths, flatten
from yolojax.evaluation.metrics.matching import (
    MAX_DETECTIONS,
    SIZES,
    area,
    by_score,
    group_keys,
    overlapping_pairs,
    rank_in_group,
    strongest,
)
from yolojax.runtime.collector import paused_collector

METRICS = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip
PLACES_COUNTED = 10  # recall is measured at 1, 10 and 100 detections
SURELY_BELOW = 0.4  # an overlap under which nothing matches at 0.5, however it is rounded


def coco_metrics(detections: Sequence[ImageDetections], truths: Sequence[ImageTruths]) -> dict[str, float]:
    """The twelve COCO metrics: the first part of `coco_evaluate`, with the same arguments and errors.

    Returns:
        "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar_1", "ar_10", "ar_100", "ar_small", "ar_medium" and
        "ar_large", in [0, 1], or NaN.
    """
    return coco_evaluate(detections, truths)[0]


def coco_evaluate(
    detections: Sequence[ImageDetections], truths: Sequence[ImageTruths]
) -> tuple[dict[str, float], dict[int, dict[str, float]], dict[str, dict[str, float]]]:
    """The twelve COCO metrics, and average precision per class and per size, from one evaluation.

    Lin et al. 2014, arXiv:1405.0312; definitions at cocodataset.org, "Detection evaluation". "ap" is the mean over
    classes and IoU thresholds 0.50, 0.55 ... 0.95; at most the 100 highest scores per class and image count. Small boxes
    have an area below 32^2 square pixels, large ones above 96^2 (COCO's own sets give the area of the mask instead).

    Args:
        detections: one (boxes (k, 4) xyxy in pixels, scores (k,), class ids (k,)) per image.
        truths: one (boxes (n, 4) xyxy in pixels, class ids (n,)) or (..., crowd (n,) bool) per image, for the same images
            in the same order; detections in a crowd box count neither for nor against.

    Returns:
        A tuple (metrics, per class, per size): the twelve of `coco_metrics`, NaN if no truth of that size counts; {class
        id: {"ap", "ap50", "ap75"}}, in rising order, for classes with at least one truth that counts (is not crowd and, by
        the rule of pycocotools, is not larger than 1e10 square pixels); and {"small"|"medium"|"large": {"ap", "ap50"}},
        means over classes, NaN if no truth of that size counts.

    Raises:
        ValueError: inputs that `flatten` refuses.
    """
    flat_detections, flat_truths = flatten(detections, truths)
    classes = np.unique(flat_truths.classes[~flat_truths.ignored]).tolist()
    if not classes:
        nan = float("nan")
        return dict.fromkeys(METRICS, nan), {}, {size: {"ap": nan, "ap50": nan} for size in SIZES}
    flat_detections = _regroup(strongest(by_score(flat_detections)[0]), flat_truths, len(truths))
    pictures = 1 + int(max(flat_detections.pictures.max(initial=-1), len(truths) - 1))
    # pycocotools makes a few objects for each box, class, picture and size.
    with contextlib.redirect_stdout(io.StringIO()), paused_collector():
        evaluation = COCOeval(
            _index(flat_truths, classes, pictures, iscrowd=flat_truths.ignored.astype(int)),
            _index(flat_detections, classes, pictures, score=flat_detections.scores),
            "bbox",
        )
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    metrics = {name: _defined(value) for name, value in zip(METRICS, evaluation.stats, strict=True)}
    # (IoU, recall, class, size), the last axis, detections per image, at 100; the sizes are all, small, medium, large.
    precision = evaluation.eval["precision"][..., -1]
    return metrics, _per_class(precision, classes), _per_size(precision)


def coco_results(detections: Sequence[ImageDetections], image_ids: Iterable[int | str]) -> list[dict[str, Any]]:
    """Detections in COCO's results format, ready for `write_json`.

    Args:
        detections: one (boxes (k, 4) xyxy in pixels, scores (k,), class ids (k,)) per image.
        image_ids: the identifier of each image.

    Returns:
        A list of {"image_id", "category_id", "bbox": [left, top, width, height], "score"}, where category_id is the class
        id, counted from 0; pixels are rounded to 3 digits and scores to 6.
    """
    results = []
    for image_id, (boxes, scores, classes) in zip(image_ids, detections, strict=True):
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).round(3).tolist()
        scores = np.asarray(scores, np.float64).round(6).tolist()
        for bbox, score, class_id in zip(boxes, scores, np.asarray(classes).tolist(), strict=True):
            results.append({"image_id": image_id, "category_id": int(class_id), "bbox": bbox, "score": score})
    return results


def _per_class(precision: np.ndarray, classes: list[int]) -> dict[int, dict[str, float]]:
    return {
        class_id: {
            "ap": float(precision[:, :, place, 0].mean()),
            "ap50": float(precision[0, :, place, 0].mean()),
            "ap75": float(precision[5, :, place, 0].mean()),
        }
        for place, class_id in enumerate(classes)
        if precision[0, 0, place, 0] >= 0  # -1 if all truths of the class are larger than 1e10
    }


def _per_size(precision: np.ndarray) -> dict[str, dict[str, float]]:
    per_size = {}
    for place, size in enumerate(SIZES, start=1):
        defined = precision[0, 0, :, place] >= 0
        values = precision[:, :, defined, place]
        per_size[size] = {
            "ap": float(values.mean()) if defined.any() else float("nan"),
            "ap50": float(values[0].mean()) if defined.any() else float("nan"),
        }
    return per_size


def _regroup(detections: FlatDetections, truths: FlatTruths, pictures: int) -> FlatDetections:
    """Rearranges detections so that pycocotools gives the same numbers in a fraction of the time.

    It spends most of its time on pairs of image and class that have detections but no truth, one after the other, and on
    comparing each detection with each truth. Detections that can match no truth add false positives whose image does not
    matter, only their score: those of a class are moved, a hundred each, to images that do not exist. Where the image has
    truths, its first ten stay, as recall at 1 and 10 detections counts places. So that equal scores stay in their order by
    image, each score is replaced by its rank from below.
    """
    keys, truth_keys = group_keys(detections, truths)
    overlapping = np.zeros(len(keys), bool)
    overlapping[overlapping_pairs(detections, truths, SURELY_BELOW, crowds=True).detections] = True
    late = rank_in_group(keys) >= PLACES_COUNTED
    lonely = np.flatnonzero(~np.isin(keys, truth_keys) | (late & ~overlapping))
    lonely = lonely[np.argsort(detections.classes[lonely], kind="stable")]
    classes = detections.classes[lonely]
    rank = np.arange(len(lonely)) - np.searchsorted(classes, classes, side="left")
    moved = detections.pictures.copy()
    moved[lonely] = pictures + rank // MAX_DETECTIONS
    return detections._replace(pictures=moved, scores=np.arange(len(moved), 0, -1, dtype=np.float64))


def _index(flat: FlatDetections | FlatTruths, classes: list[int], pictures: int, **columns: np.ndarray) -> COCO:
    """A pycocotools index, as if read from its file format."""
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
    dataset: Any = {
        "images": [{"id": picture} for picture in range(pictures)],
        "categories": [{"id": class_id} for class_id in classes],
        # From 1: pycocotools marks unmatched detections with 0, so a truth with id 0 could never be matched.
        "annotations": [{"id": place, **dict(zip(names, row, strict=True))} for place, row in enumerate(rows, start=1)],
    }
    index = COCO()
    index.dataset = dataset
    index.createIndex()
    return index


def _defined(value: float) -> float:
    return float(value) if value >= 0 else float("nan")
