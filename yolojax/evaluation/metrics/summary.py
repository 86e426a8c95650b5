"""What an evaluation leaves behind: numbers, a table for the terminal, files of results, and sample pictures."""

import numpy as np

from yolojax.evaluation.metrics.average_precision import average_precision
from yolojax.evaluation.metrics.coco import coco_evaluate
from yolojax.evaluation.metrics.inputs import flatten
from yolojax.evaluation.metrics.matching import SIZES, area


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
