"""The sections of a cfg, each one class: its name, its options, how it is built, and what it computes.

The modules are imported here so that their sections are registered.
"""

from yolojax.darknet.sections.base import OPERATIONS, Context, Layer, LayersBefore, Operation, Options, layer_options, register
from yolojax.darknet.sections.convolution import Convolution, convolution_name
from yolojax.darknet.sections.net import Net
from yolojax.darknet.sections.pooling import AveragePool, MaxPool
from yolojax.darknet.sections.routing import Route, Shortcut, Upsample
from yolojax.darknet.sections.scaling import Sam, ScaleChannels
from yolojax.darknet.sections.unary import Activation, Dropout
from yolojax.darknet.sections.yolo import Yolo

__all__ = [
    "OPERATIONS",
    "Activation",
    "AveragePool",
    "Context",
    "Convolution",
    "Dropout",
    "Layer",
    "LayersBefore",
    "MaxPool",
    "Net",
    "Operation",
    "Options",
    "Route",
    "Sam",
    "ScaleChannels",
    "Shortcut",
    "Upsample",
    "Yolo",
    "convolution_name",
    "layer_options",
    "register",
]
