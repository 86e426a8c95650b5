"""YOLOv3 for JAX: the public names, loaded when they are first used."""

from typing import TYPE_CHECKING

from yolojax import lazy, moved

if TYPE_CHECKING:
    from yolojax.assignment import assign_on_device
    from yolojax.boxes import ciou, cxcywh_to_xyxy, diou, giou, iou, pairwise_iou, xyxy_to_cxcywh
    from yolojax.config import Config
    from yolojax.data.example import Example
    from yolojax.data.pipeline import train_batches
    from yolojax.data.sources import open_split
    from yolojax.decode import Predictions, decode
    from yolojax.errors import InputError
    from yolojax.evaluation.evaluate import compile_eval_step, evaluate
    from yolojax.evaluation.metrics.average_precision import average_precision
    from yolojax.grid import TINY_ANCHORS, YOLOV3_ANCHORS, AnchorGrid
    from yolojax.inference import Recipe
    from yolojax.iou_aware import iou_aware_loss
    from yolojax.loss import paper_loss, yolo_loss
    from yolojax.loss_terms import LossTerms, named_terms
    from yolojax.models import (
        CSPDarknet53,
        Darknet53,
        ResNet,
        YOLOv3,
        YOLOv3Tiny,
        build_grid,
        build_model,
        initialize,
        model_strides,
    )
    from yolojax.nms import Detections, nms, postprocess
    from yolojax.parts import Parts
    from yolojax.predict import Detection, Detector
    from yolojax.runs.workdir import load_run
    from yolojax.runtime.compilation_cache import cache_compiled_programs
    from yolojax.runtime.compiler_options import compiler_options
    from yolojax.runtime.devices import make_mesh, shardings
    from yolojax.runtime.prefetch import feed
    from yolojax.simota import simota_loss
    from yolojax.targets import Targets, assign, densify
    from yolojax.training.events import Event
    from yolojax.training.loop import train_and_evaluate
    from yolojax.training.step import TrainState, compile_train_step, create_state, eval_variables, train_step

__version__ = "0.2.0"

_HOME = {
    "AnchorGrid": "grid",
    "CSPDarknet53": "models",
    "Config": "config",
    "Darknet53": "models",
    "Detection": "predict",
    "Detections": "nms",
    "Detector": "predict",
    "Event": "training.events",
    "Example": "data.example",
    "InputError": "errors",
    "LossTerms": "loss_terms",
    "Parts": "parts",
    "Predictions": "decode",
    "Recipe": "inference",
    "ResNet": "models",
    "TINY_ANCHORS": "grid",
    "Targets": "targets",
    "TrainState": "training.step",
    "YOLOV3_ANCHORS": "grid",
    "YOLOv3": "models",
    "YOLOv3Tiny": "models",
    "assign": "targets",
    "assign_on_device": "assignment",
    "average_precision": "evaluation.metrics.average_precision",
    "build_grid": "models",
    "build_model": "models",
    "cache_compiled_programs": "runtime.compilation_cache",
    "ciou": "boxes",
    "compile_eval_step": "evaluation.evaluate",
    "compile_train_step": "training.step",
    "compiler_options": "runtime.compiler_options",
    "create_state": "training.step",
    "cxcywh_to_xyxy": "boxes",
    "decode": "decode",
    "densify": "targets",
    "diou": "boxes",
    "eval_variables": "training.step",
    "evaluate": "evaluation.evaluate",
    "feed": "runtime.prefetch",
    "giou": "boxes",
    "initialize": "models",
    "iou": "boxes",
    "iou_aware_loss": "iou_aware",
    "load_run": "runs.workdir",
    "make_mesh": "runtime.devices",
    "model_strides": "models",
    "named_terms": "loss_terms",
    "nms": "nms",
    "open_split": "data.sources",
    "pairwise_iou": "boxes",
    "paper_loss": "loss",
    "postprocess": "nms",
    "shardings": "runtime.devices",
    "simota_loss": "simota",
    "train_and_evaluate": "training.loop",
    "train_batches": "data.pipeline",
    "train_step": "training.step",
    "xyxy_to_cxcywh": "boxes",
    "yolo_loss": "loss",
}
__all__ = [
    "TINY_ANCHORS",
    "YOLOV3_ANCHORS",
    "AnchorGrid",
    "CSPDarknet53",
    "Config",
    "Darknet53",
    "Detection",
    "Detections",
    "Detector",
    "Event",
    "Example",
    "InputError",
    "LossTerms",
    "Parts",
    "Predictions",
    "Recipe",
    "ResNet",
    "Targets",
    "TrainState",
    "YOLOv3",
    "YOLOv3Tiny",
    "assign",
    "assign_on_device",
    "average_precision",
    "build_grid",
    "build_model",
    "cache_compiled_programs",
    "ciou",
    "compile_eval_step",
    "compile_train_step",
    "compiler_options",
    "create_state",
    "cxcywh_to_xyxy",
    "decode",
    "densify",
    "diou",
    "eval_variables",
    "evaluate",
    "feed",
    "giou",
    "initialize",
    "iou",
    "iou_aware_loss",
    "load_run",
    "make_mesh",
    "model_strides",
    "named_terms",
    "nms",
    "open_split",
    "pairwise_iou",
    "paper_loss",
    "postprocess",
    "shardings",
    "simota_loss",
    "train_and_evaluate",
    "train_batches",
    "train_step",
    "xyxy_to_cxcywh",
    "yolo_loss",
]

moved.install()

if not TYPE_CHECKING:  # to type checkers, a name that is not imported above does not exist
    # On demand: the host side is used without JAX, and `--help` answers without loading it.
    __getattr__, __dir__ = lazy.attach(__name__, {name: f"{__name__}.{home}" for name, home in _HOME.items()})
