"""YOLOv3 for JAX: the public names, loaded when they are first used."""

from typing import TYPE_CHECKING

from yolojax import lazy, moved

if TYPE_CHECKING:
    from yolojax.boxes import ciou, cxcywh_to_xyxy, diou, giou, iou, pairwise_iou, xyxy_to_cxcywh
    from yolojax.config import Config
    from yolojax.decode import Predictions, decode
    from yolojax.errors import InputError
    from yolojax.grid import AnchorGrid
    from yolojax.inference import Recipe
    from yolojax.loss import LossTerms, paper_loss, yolo_loss
    from yolojax.models import YOLOv3, YOLOv3Tiny, build_grid, build_model, initialize
    from yolojax.nms import Detections, nms, postprocess
    from yolojax.predict import Detection, Detector
    from yolojax.targets import Targets, assign, densify
    from yolojax.training.loop import train_and_evaluate
    from yolojax.training.step import TrainState, train_step

__version__ = "0.2.0"

_HOME = {
    "AnchorGrid": "grid",
    "Config": "config",
    "Detection": "predict",
    "Detections": "nms",
    "Detector": "predict",
    "InputError": "errors",
    "LossTerms": "loss",
    "Predictions": "decode",
    "Recipe": "inference",
    "Targets": "targets",
    "TrainState": "training.step",
    "YOLOv3": "models",
    "YOLOv3Tiny": "models",
    "assign": "targets",
    "build_grid": "models",
    "build_model": "models",
    "ciou": "boxes",
    "cxcywh_to_xyxy": "boxes",
    "decode": "decode",
    "densify": "targets",
    "diou": "boxes",
    "giou": "boxes",
    "initialize": "models",
    "iou": "boxes",
    "nms": "nms",
    "pairwise_iou": "boxes",
    "paper_loss": "loss",
    "postprocess": "nms",
    "train_and_evaluate": "training.loop",
    "train_step": "training.step",
    "xyxy_to_cxcywh": "boxes",
    "yolo_loss": "loss",
}
__all__ = [
    "AnchorGrid",
    "Config",
    "Detection",
    "Detections",
    "Detector",
    "InputError",
    "LossTerms",
    "Predictions",
    "Recipe",
    "Targets",
    "TrainState",
    "YOLOv3",
    "YOLOv3Tiny",
    "assign",
    "build_grid",
    "build_model",
    "ciou",
    "cxcywh_to_xyxy",
    "decode",
    "densify",
    "diou",
    "giou",
    "initialize",
    "iou",
    "nms",
    "pairwise_iou",
    "paper_loss",
    "postprocess",
    "train_and_evaluate",
    "train_step",
    "xyxy_to_cxcywh",
    "yolo_loss",
]

moved.install()

if not TYPE_CHECKING:  # to type checkers, a name that is not imported above does not exist
    # On demand: the host side is used without JAX, and `--help` answers without loading it.
    __getattr__, __dir__ = lazy.attach(__name__, {name: f"{__name__}.{home}" for name, home in _HOME.items()})
