"""Small evaluations of the same images, as their files and in memory."""

import numpy as np

from tests.helpers.made_metrics import made_metrics
from yolojax.evaluation.evaluate import Evaluation
from yolojax.evaluation.metrics.analysis import analyse
from yolojax.evaluation.metrics.coco import coco_results
from yolojax.evaluation.metrics.summary import summarize
from yolojax.evaluation.report.pictures import pictures_to_show
from yolojax.runtime.files import write_json

A, B, C = [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]
NAMES = ["cat", "<b>&"]
TRUTHS = [([A, B], [0, 1]), ([A], [0]), ([B, C], [1, 1]), ([C], [0])]
IDS = [0, 2, 3, 9]
# The first run finds all but the last; the second finds nothing in picture 3 and is wrong in picture 0.
FIRST = [([A, B], [0.9, 0.8], [0, 1]), ([A], [0.9], [0]), ([B, C], [0.9, 0.9], [1, 1]), ([], [], [])]
SECOND = [([A, B], [0.9, 0.8], [1, 1]), ([A], [0.9], [0]), ([], [], []), ([], [], [])]


class Source:
    """Grey pictures."""

    def title(self, index):
        return f"<{index}>.jpg"

    def example(self, epoch, index):
        class example:
            image = np.full((30, 60, 3), 100, np.uint8)

        return example


def evaluated(folder, detections, names=NAMES, truths=TRUTHS, **changes):
    """An evaluation in `folder`, as its files and as what eval.py holds in memory."""
    summary = analyse(summarize(detections, truths, names), detections, truths, names)
    pictures = pictures_to_show(detections, truths, IDS, str, summary["best_f1"]["score_threshold"])
    metrics = made_metrics(names) | summary | {"pictures": pictures, "unreadable": 0} | changes
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "detections.json", coco_results(detections, IDS))
    return metrics, Evaluation(summary, detections, truths, IDS)
