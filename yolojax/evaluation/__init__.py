"""How good detections are: VOC average precision, the COCO metrics, what goes wrong, and reports of all (NumPy only)."""

from yolojax.evaluation.metrics.analysis import analyse
from yolojax.evaluation.metrics.average_precision import average_precision, match, precision_recall
from yolojax.evaluation.metrics.coco import coco_evaluate, coco_metrics, coco_results
from yolojax.evaluation.metrics.summary import summarize
from yolojax.evaluation.report.samples import write_samples
from yolojax.evaluation.report.tables import format_table
from yolojax.runtime.files import write_json

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
