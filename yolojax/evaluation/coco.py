"""The COCO detection metrics, computed by pycocotools in memory."""

import contextlib
import io

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from yolojax.evaluation.inputs import flatten

METRICS = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip


def coco_metrics(detections, truths):
    """The twelve COCO metrics; see `coco_evaluate`, of which this is the first part.

    Returns:
        {"ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100", "ar_small", "ar_medium",
        "ar_large"}: floats in [0, 1], or NaN.
    """
    return coco_evaluate(detections, truths)[0]


def coco_evaluate(detections, truths):
    """The twelve COCO metrics, and average precision class by class, from one evaluation.

    Lin et al. 2014, arXiv:1405.0312; definitions at cocodataset.org, "Detection evaluation". "ap" is the mean over
    classes and IoU 0.50, 0.55 ... 0.95; at most the 100 highest scores of a class in a picture count. Small is a box
    area below 32^2, large one above 96^2 square pixels (COCO's own sets give the area of the mask instead).

    Args:
        detections: a list over pictures of (boxes_xyxy (k, 4), scores (k,), classes (k,)), boxes in pixels.
        truths: a list over the same pictures of (boxes_xyxy (n, 4), classes (n,)) or (..., crowd (n,) bool); what is
            detected in a crowd box counts neither for nor against.

    Returns:
        metrics: the twelve of `coco_metrics`; NaN where no truth of that size counts.
        per_class: {class: {"ap", "ap50"}}, by rising class, for classes with at least one truth that is not crowd.

    Raises:
        ValueError: inputs that `flatten` refuses.
    """
    found, expected = flatten(detections, truths)
    classes = np.unique(expected.classes[~expected.ignored]).tolist()
    if not classes:
        return dict.fromkeys(METRICS, float("nan")), {}
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(
            _index(expected, classes, len(truths), iscrowd=expected.ignored.astype(int)),
            _index(found, classes, len(truths), score=found.scores),
            "bbox",
        )
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    metrics = {name: _defined(value) for name, value in zip(METRICS, evaluation.stats, strict=True)}
    # (IoU, recall, class, area, detections a picture): of any size, 100 detections.
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    per_class = {
        name: {"ap": float(precision[:, :, place].mean()), "ap50": float(precision[0, :, place].mean())}
        for place, name in enumerate(classes)
    }
    return metrics, per_class


def _index(flat, classes, pictures, **columns):
    """A pycocotools index of flat Detections or Truths, as if read from its file format."""
    size = np.maximum(flat.boxes_xyxy[:, 2:] - flat.boxes_xyxy[:, :2], 0)
    rows = zip(
        flat.pictures.tolist(),
        flat.classes.tolist(),
        np.concatenate([flat.boxes_xyxy[:, :2], size], axis=1).tolist(),
        size.prod(axis=1).tolist(),
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
