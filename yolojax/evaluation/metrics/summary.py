"""The numbers of an evaluation: the COCO metrics, VOC's average precision, and both for every class."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from yolojax.evaluation.metrics.average_precision import match, precision_of_matches
from yolojax.evaluation.metrics.coco import coco_evaluate
from yolojax.evaluation.metrics.inputs import ImageDetections, ImageTruths, flatten
from yolojax.evaluation.metrics.matching import SIZES, area


def summarize(detections: Sequence[ImageDetections], truths: Sequence[ImageTruths], names: Sequence[str]) -> dict[str, Any]:
    """Computes the COCO metrics, VOC's average precision, and both for every class.

    Args:
        detections: one (boxes (k, 4) xyxy in pixels, scores (k,), class ids (k,)) per image.
        truths: one (boxes (n, 4) xyxy in pixels, class ids (n,)) or (..., ignored (n,) bool) per image, for the same
            images in the same order. Ignored boxes are "difficult" to VOC and "crowd" to COCO: detecting them counts
            neither for nor against.
        names: the name of every class, all different.

    Returns:
        A dict in which numbers that are undefined because there are no truths are NaN, and only boxes that are not ignored
        are counted:

        - the twelve of `coco_metrics`;
        - "voc_ap50" and "voc_ap50_11point", means over the classes with a truth that counts;
        - "per_class" {name: {"ap", "ap50", "ap75", "voc_ap50", "voc_ap50_11point", "images", "boxes", "detections"}},
          where "images" are those with a box of the class;
        - "per_size" {"small"|"medium"|"large": {"boxes", "ap", "ap50"}}, by area in square pixels, where boxes of exactly
          32^2 or 96^2 belong to both sizes, as in COCO;
        - "images", the number of all images, and "boxes".

    Raises:
        ValueError: names repeat, a class has no name, or inputs that `flatten` refuses.
    """
    flat_detections, flat_truths = flatten(detections, truths)
    largest = max(flat_detections.classes.max(initial=-1), flat_truths.classes.max(initial=-1))
    if largest >= len(names) or len(set(names)) < len(names):
        raise ValueError(f"{len(names)} names, {len(set(names))} of them different, for classes 0 to {largest}")
    metrics, coco, per_size = coco_evaluate(detections, truths)
    matches = match(detections, truths)
    voc_area, voc_11point = precision_of_matches(matches, "area"), precision_of_matches(matches, "11point")
    nan = float("nan")
    undefined = {"ap50": nan, "ap75": nan, "ap": nan}
    areas = area(flat_truths.boxes_xyxy[~flat_truths.ignored])
    per_class = {}
    for class_id, name in enumerate(names):
        counted = (flat_truths.classes == class_id) & ~flat_truths.ignored
        per_class[name] = {
            **coco.get(class_id, undefined),
            "voc_ap50": voc_area.get(class_id, nan),
            "voc_ap50_11point": voc_11point.get(class_id, nan),
            "images": len(np.unique(flat_truths.pictures[counted])),
            "boxes": int(counted.sum()),
            "detections": int((flat_detections.classes == class_id).sum()),
        }
    return {
        **metrics,
        "voc_ap50": float(np.mean(list(voc_area.values()))) if voc_area else nan,
        "voc_ap50_11point": float(np.mean(list(voc_11point.values()))) if voc_11point else nan,
        "per_class": per_class,
        "per_size": {
            size: {"boxes": int(((areas >= low) & (areas <= high)).sum()), **per_size[size]}
            for size, (low, high) in SIZES.items()
        },
        "images": len(truths),
        "boxes": int((~flat_truths.ignored).sum()),
    }
