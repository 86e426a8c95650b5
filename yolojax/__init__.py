"""YOLOv3 for JAX: the public names."""

import importlib

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
    "Targets": "targets",
    "TrainState": "training.step",
    "YOLOv3": "models",
    "YOLOv3Tiny": "models",
    "assign": "targets",
    "build_grid": "models",
    "build_model": "models",
    "ciou": "boxes",
    "cxcywh_to_xyxy": "boxes",
    "densify": "targets",
    "diou": "boxes",
    "giou": "boxes",
    "initialize": "models",
    "iou": "boxes",
    "pairwise_iou": "boxes",
    "paper_loss": "loss",
    "postprocess": "nms",
    "train_and_evaluate": "training.loop",
    "train_step": "training.step",
    "xyxy_to_cxcywh": "boxes",
    "yolo_loss": "loss",
}
__all__ = sorted(_HOME)


def __getattr__(name):
    # On demand: the host side is used without JAX, and `--help` answers without loading it.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__():
    return __all__
