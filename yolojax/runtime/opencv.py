"""OpenCV, imported only here, so that there is one message for machines that cannot load it."""

import os
import re

from yolojax.errors import InputError


def _limit(name: str) -> int:
    """The number in one of the variables from which OpenCV takes its limits, 0 if there is none; other texts make it abort.

    Raises:
        InputError: it is no number that OpenCV reads.
    """
    text = os.environ.get(name, "0")
    number = re.fullmatch(r"([0-9]+)(|MB|Mb|mb|KB|Kb|kb)", text)
    limit = int(number[1]) * {"": 1, "k": 2**10, "m": 2**20}[number[2][:1].lower()] if number else 2**64
    if limit >= 2**64:
        raise InputError(f"the environment variable {name} is {text!r}, which is no limit that OpenCV can read; unset it")
    return limit


for _name in ("OPENCV_IO_MAX_IMAGE_WIDTH", "OPENCV_IO_MAX_IMAGE_HEIGHT"):
    _limit(_name)
# OpenCV reads its limit when it is loaded; by default a file of a few kB can take 3 GiB.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**28))
MOST_PIXELS = _limit("OPENCV_IO_MAX_IMAGE_PIXELS")
"""Larger pictures are refused by their header, before memory is allocated for them."""

try:
    import cv2
except ImportError as error:
    raise InputError(
        f"OpenCV cannot be loaded ({' '.join(str(error).split())}); on a machine without a display: "
        "pip uninstall -y opencv-python; pip install opencv-python-headless"
    ) from error

# For a broken file we raise an InputError that names it; OpenCV's own log lines do not.
# OpenCV 4 has the function at the top level, OpenCV 5 in a module; 0 is "silent" in both.
(getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel)(0)

__all__ = ["MOST_PIXELS", "cv2"]
