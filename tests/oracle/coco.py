"""pycocotools as its demo runs it: every picture as it is, scores as they are."""

import contextlib
import io

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def evaluate(detections, truths):
    """The COCOeval after `summarize`, classes those with a truth that is no crowd; None without such a truth."""
    classes = sorted({int(c) for _, present, crowd in truths for c, many in zip(present, crowd, strict=True) if not many})
    if not classes:
        return None

    def rows(pictures, key):
        entries = []
        for picture, (boxes, *columns) in enumerate(pictures):
            classes, values = columns if key == "iscrowd" else columns[::-1]
            for box, class_id, value in zip(np.asarray(boxes, float).tolist(), classes, values, strict=True):
                width, height = max(box[2] - box[0], 0), max(box[3] - box[1], 0)
                entries.append({
                    "id": len(entries) + 1, "image_id": picture, "category_id": int(class_id), key: float(value),
                    "bbox": [box[0], box[1], width, height], "area": width * height,
                })  # fmt: skip
        return entries

    indices = []
    with contextlib.redirect_stdout(io.StringIO()):
        for pictures, key in ((truths, "iscrowd"), (detections, "score")):
            index = COCO()
            index.dataset = {
                "images": [{"id": i} for i in range(len(truths))],
                "categories": [{"id": c} for c in classes],
                "annotations": rows(pictures, key),
            }
            index.createIndex()
            indices.append(index)
        evaluation = COCOeval(*indices, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation
