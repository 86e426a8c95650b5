"""OpenCV, imported only here, so that there is one message for machines that cannot load it."""

import os

from yolojax.errors import InputError

# OpenCV reads its limit when it is loaded; by default a file of a few kB can take 3 GiB.
_LIMIT = os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**28))
MOST_PIXELS = int(_LIMIT) if _LIMIT.isdecimal() else 2**30
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
