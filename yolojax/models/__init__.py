"""YOLOv3 networks in Flax Linen, their backbones and necks, and the grid of slots that belongs to each."""

from yolojax.models.backbones import BACKBONES, NECKS, model_anchors, model_strides
from yolojax.models.build import build_grid, build_model
from yolojax.models.csp_darknet53 import CSPDarknet53
from yolojax.models.darknet53 import Darknet53
from yolojax.models.fpn import FPN
from yolojax.models.resnet import ResNet
from yolojax.models.tiny import YOLOv3Tiny
from yolojax.models.variables import abstract_variables, count_floats, initialize
from yolojax.models.yolov3 import YOLOv3

__all__ = [
    "BACKBONES",
    "FPN",
    "NECKS",
    "CSPDarknet53",
    "Darknet53",
    "ResNet",
    "YOLOv3",
    "YOLOv3Tiny",
    "abstract_variables",
    "build_grid",
    "build_model",
    "count_floats",
    "initialize",
    "model_anchors",
    "model_strides",
]
