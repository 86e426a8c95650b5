"""OpenCV, imported here and nowhere else, so that a machine that cannot load it is told why once."""

import os

from yolojax.errors import InputError

# OpenCV reads its limit when it is loaded; its own default lets a file of a few kB take 3 GiB.
_LIMIT = os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**28))
MOST_PIXELS = int(_LIMIT) if _LIMIT.isdecimal() else 2**30
"""Pictures of more are refused by their header, before memory is taken for them."""

try:
    import cv2
except ImportError as error:
    raise InputError(
        f"OpenCV cannot be loaded ({' '.join(str(error).split())}); where there is no display: "
        "pip uninstall -y opencv-python; pip install opencv-python-headless"
    ) from error

# A broken file is answered with an InputError that names it; OpenCV's own log lines name nothing.
# OpenCV 4 has the function at the top, OpenCV 5 in a module; 0 is "silent" in both.
(cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel)(0)

__all__ = ["MOST_PIXELS", "cv2"]
