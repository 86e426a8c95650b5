"""How good detections are: VOC average precision, the COCO metrics, what goes wrong, and reports of all (NumPy only)."""

from yolojax.evaluation.analysis import analyse
from yolojax.evaluation.average_precision import average_precision, match, precision_recall
from yolojax.evaluation.coco import coco_evaluate, coco_metrics
from yolojax.evaluation.report import coco_results, format_table, summarize, write_json, write_samples

__all__ = [
    "analyse",
    "average_precision",
    "coco_evaluate",
    "coco_metrics",
    "coco_results",
    "format_table",
    "match",
    "precision_recall",
    "summarize",
    "write_json",
    "write_samples",
]
