"""Seconds of every stage of an evaluation's numbers: 5,000 pictures, 100 detections each, 80 classes, one core.

taskset -c 0 python benchmarks/evaluation.py

The peer is pycocotools on the same detections as its demo runs it (the twelve numbers only); ours is everything in
metrics.json; above 200,000 detections it accumulates COCO's numbers from arrays. Both give the same twelve numbers. Seconds are
processor time.
"""

import contextlib
import io
import tempfile
import time
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from yolojax.evaluation import analyse, average_precision, coco_evaluate, summarize, write_json

PICTURES, DETECTIONS, TRUTHS, CLASSES = 5000, 100, 8, 80


def make_set(rng):
    """Half of the detections near a truth, most of these of its class, the rest anywhere."""

    def boxes(count):
        corner = rng.uniform(0, 500, (count, 2))
        return np.concatenate([corner, corner + rng.uniform(8, 200, (count, 2))], axis=1).astype(np.float32)

    found, truths = [], []
    for _ in range(PICTURES):
        true_boxes, true_classes = boxes(TRUTHS), rng.integers(0, CLASSES, TRUTHS)
        source, near = rng.integers(0, TRUTHS, DETECTIONS), rng.random(DETECTIONS) < 0.5
        moved = true_boxes[source] + rng.normal(0, 8, (DETECTIONS, 4))
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        right = near & (rng.random(DETECTIONS) < 0.8)
        found.append((
            np.where(near[:, None], moved, boxes(DETECTIONS)).astype(np.float32),
            rng.random(DETECTIONS, np.float32),
            np.where(right, true_classes[source], rng.integers(0, CLASSES, DETECTIONS)),
        ))  # fmt: skip
        truths.append((true_boxes, true_classes))
    return found, truths


def peer(found, truths):
    """The twelve numbers by pycocotools alone."""

    def index(pictures, column):
        rows = []
        for picture, (boxes, *columns) in enumerate(pictures):
            classes, values = columns[::-1] if column == "score" else (columns[0], np.zeros(len(boxes), int))
            size = boxes[:, 2:].astype(float) - boxes[:, :2]
            for box, (w, h), c, v in zip(boxes.tolist(), size.tolist(), classes.tolist(), values.tolist(), strict=True):
                rows.append({
                    "id": len(rows) + 1, "image_id": picture, "category_id": c, column: v,
                    "bbox": [*box[:2], w, h], "area": w * h,
                })  # fmt: skip
        result = COCO()
        result.dataset = {
            "images": [{"id": i} for i in range(PICTURES)],
            "categories": [{"id": c} for c in range(CLASSES)],
            "annotations": rows,
        }
        result.createIndex()
        return result

    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(index(truths, "iscrowd"), index(found, "score"), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def seconds(call, *arguments):
    """Processor time of a call, and what it returns."""
    began = time.process_time()
    result = call(*arguments)
    return time.process_time() - began, result


def main():
    found, truths = make_set(np.random.default_rng(0))
    names = [f"class {place}" for place in range(CLASSES)]
    rows = {}
    rows["COCO's numbers"], (metrics, _, _) = seconds(coco_evaluate, found, truths)
    rows["VOC's average precision"], _ = seconds(average_precision, found, truths)
    whole, summary = seconds(summarize, found, truths, names)
    rows["curves, confusion, errors"], summary = seconds(analyse, summary, found, truths, names)
    with tempfile.TemporaryDirectory() as folder:
        rows["metrics.json"], _ = seconds(write_json, Path(folder) / "metrics.json", summary)
    rows["everything in metrics.json"] = whole + rows["curves, confusion, errors"] + rows["metrics.json"]
    rows["pycocotools as it is"], stats = seconds(peer, found, truths)
    np.testing.assert_allclose(list(metrics.values()), stats, rtol=0, atol=1e-9)
    print(f"{PICTURES} pictures, {PICTURES * DETECTIONS} detections, {PICTURES * TRUTHS} truths, {CLASSES} classes")
    for name, value in rows.items():
        print(f"{name:32}{value:8.1f} s")


if __name__ == "__main__":
    main()
