"""YOLOv3 networks in Flax Linen, and the grid of slots that belongs to each."""

from yolojax.models.build import build_grid, build_model
from yolojax.models.tiny import YOLOv3Tiny
from yolojax.models.variables import abstract_variables, count_floats, initialize
from yolojax.models.yolov3 import YOLOv3

__all__ = ["YOLOv3", "YOLOv3Tiny", "abstract_variables", "build_grid", "build_model", "count_floats", "initialize"]
