"""How good detections are: VOC average precision, the COCO metrics, kinds of errors, and reports of all of them."""

from typing import TYPE_CHECKING

from yolojax import lazy

if TYPE_CHECKING:
    from yolojax.evaluation.metrics.analysis import analyse
    from yolojax.evaluation.metrics.average_precision import average_precision, match, precision_recall
    from yolojax.evaluation.metrics.coco import coco_evaluate, coco_metrics, coco_results
    from yolojax.evaluation.metrics.summary import summarize
    from yolojax.evaluation.report.samples import write_samples
    from yolojax.evaluation.report.tables import format_table
    from yolojax.runtime.files import write_json

_HOME = {
    "analyse": "yolojax.evaluation.metrics.analysis",
    "average_precision": "yolojax.evaluation.metrics.average_precision",
    "coco_evaluate": "yolojax.evaluation.metrics.coco",
    "coco_metrics": "yolojax.evaluation.metrics.coco",
    "coco_results": "yolojax.evaluation.metrics.coco",
    "format_table": "yolojax.evaluation.report.tables",
    "match": "yolojax.evaluation.metrics.average_precision",
    "precision_recall": "yolojax.evaluation.metrics.average_precision",
    "summarize": "yolojax.evaluation.metrics.summary",
    "write_json": "yolojax.runtime.files",
    "write_samples": "yolojax.evaluation.report.samples",
}
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

if not TYPE_CHECKING:
    # On demand: metrics need NumPy alone, reports OpenCV and matplotlib.
    __getattr__, __dir__ = lazy.attach(__name__, _HOME)
