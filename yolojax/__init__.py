"""YOLOv3 for JAX: the public names, loaded when they are first used."""

import importlib
import importlib.util
import pkgutil
import sys
import types
from typing import TYPE_CHECKING, Any

from yolojax import moved

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


class _Package(types.ModuleType):
    """Keeps `yolojax.decode` and `yolojax.nms` the functions: importing the modules of these names would replace them."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, types.ModuleType) and _HOME.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    # On demand: the host side is used without JAX, and `--help` answers without loading it.
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    if name in _submodules():
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_submodules(), "__version__"})


def _submodules() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")}
