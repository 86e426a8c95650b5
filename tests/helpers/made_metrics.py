"""A metrics.json with made-up numbers, all different, and the images that go with it."""

import numpy as np

from yolojax.config import Config, to_dict
from yolojax.evaluation.report.html import ERRORS, STAGES


def made_metrics(names, seed=0, **changes):
    """Metrics with every key that a report reads, for the given classes."""
    rng = np.random.default_rng(seed)

    def numbers(*keys, low=0.0):
        return {key: float(rng.uniform(low, 1)) for key in keys}

    def counts(*keys):
        return {key: int(rng.integers(100, 100_000)) for key in keys}

    curve = np.linspace(0, 1, 101)
    matrix = rng.integers(0, 9, (len(names) + 1, len(names) + 1))
    matrix[np.diag_indices(len(names))] += 300
    scores = ("ap50", "ap", "ap75", "voc_ap50", "precision", "recall", "f1", "score_threshold")
    metrics = {
        "run": "night run 7", "step": 1024, "split": "val", "unreadable": 3,
        **numbers("ap", "ap50", "ap75", "voc_ap50"), **counts("images", "boxes"),
        "loss": 40.8155, "images_per_second": 32.927,
        "best_f1": numbers("score_threshold", "precision", "recall", "f1"),
        "per_class": {name: numbers(*scores) | counts("images", "boxes", "detections") for name in names},
        "per_size": {size: numbers("ap", "ap50", "recall") | counts("boxes") for size in ("small", "medium", "large")},
        "confusion": {
            "names": [*names, "background"], "iou_threshold": 0.5, **numbers("score_threshold"), "matrix": matrix.tolist(),
        },
        "errors": {kind: numbers("ap50_cost") | counts("count") for kind in ERRORS},
        "curves": {
            "recall": curve.tolist(), "precision": {name: (1 - curve ** rng.uniform(1, 9)).tolist() for name in names},
            "score": curve.tolist(), "f1": {name: (curve * (1 - curve) * rng.uniform(2, 4)).tolist() for name in names},
            "f1_all": (curve * (1 - curve) * 3.1).tolist(),
        },
        "absent": {"without_truth": [], "without_detections": []},
        "stage_seconds": {stage: float(rng.uniform(0.001, 0.02)) for stage in STAGES},
        "pictures": {
            "iou_threshold": 0.5, **numbers("score_threshold", low=0.3),
            **{
                kind: [
                    {"image_id": image_id, "title": f"{kind} <{image_id}>.jpg", **numbers("f1"),
                     **counts("truths", "detections", "matched")}
                    for image_id in ids
                ]
                for kind, ids in {"best": [4, 1], "worst": [2], "random": [0]}.items()
            },
        },
        "config": to_dict(Config()),
    }  # fmt: skip
    return metrics | changes


def made_examples(metrics, size=(60, 90)):
    """An image, a detection and a truth for each of the images that the metrics show."""
    image = np.full((*size, 3), 120, np.uint8)
    box = [[10, 10, 50, 40]]
    entries = [entry for kind in ("best", "worst", "random") for entry in metrics["pictures"][kind]]
    return {entry["image_id"]: (image, (box, [0.9], [0]), (box, [0], [False])) for entry in entries}
