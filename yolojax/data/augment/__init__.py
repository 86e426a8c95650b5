"""Augmentation of images and their boxes: the single operations, their configuration, and all of them in order.

Each operation takes a random generator first and is pure. What it returns may share memory with its input (a crop is a view),
so treat both as read-only.
"""

from yolojax.data.augment.affine import rotate, rotate_and_shear, shear, transform
from yolojax.data.augment.config import AugmentConfig
from yolojax.data.augment.geometry import crop, flip_horizontal, flip_vertical, iou_crop, scale, translate, transpose
from yolojax.data.augment.mixing import mixup, mosaic
from yolojax.data.augment.order import augment
from yolojax.data.augment.photometric import blur, hsv, noise
from yolojax.data.example import Example, clip_boxes

__all__ = [
    "AugmentConfig",
    "Example",
    "augment",
    "blur",
    "clip_boxes",
    "crop",
    "flip_horizontal",
    "flip_vertical",
    "hsv",
    "iou_crop",
    "mixup",
    "mosaic",
    "noise",
    "rotate",
    "rotate_and_shear",
    "scale",
    "shear",
    "transform",
    "translate",
    "transpose",
]
