"""Pictures: read, write, and the letterbox that fits one into the network's input, with its inverse."""

import os
import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from yolojax import moved
from yolojax.data.headers import PNG, jpeg_size, png_size
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular
from yolojax.runtime.opencv import MOST_PIXELS, cv2

GREY = 128
_TOO_MANY = (
    f"more than {MOST_PIXELS:,} pixels are not read; make the picture smaller, or, if it is meant to be so large, set the "
    "environment variable OPENCV_IO_MAX_IMAGE_PIXELS"
)
# Of the files that folders are searched for.
ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


class ImageTransform(NamedTuple):
    """How an original picture lies in the network's input: x' = scale * x + left, y' = scale * y + top.

    scale: pixels of the input per pixel of the original, or a pair of them for x and y where the picture is stretched;
    left, top: width of the grey margins, in pixels of the input.
    """

    scale: float | tuple[float, float]
    left: float
    top: float


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Read a picture, upright as its EXIF orientation says.

    Grey pictures are repeated over the channels, 16-bit ones keep their upper 8 bits, an alpha channel is left out.

    Returns: (H, W, 3) uint8 RGB, contiguous.
    Raises: InputError, with the path, for a file that is missing, is no picture, is damaged, is cut short or has more than
    MOST_PIXELS pixels.
    """
    try:
        with open_regular(path) as file:
            data = file.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the picture cannot be read: {getattr(error, 'strerror', None) or error}") from error
    # OpenCV has a limit of its own if it was loaded before this module.
    if size := _header_size(data):
        check_pixels(path, *size)
    try:
        image = None if _is_cut_jpeg(data) else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise InputError(f"{path}: {_TOO_MANY}") from error
        image = None
    if image is None:
        raise InputError(f"{path}: not a picture that OpenCV can read, or damaged or cut short; replace or remove it")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)


def check_pixels(path: str | os.PathLike, height: int, width: int) -> None:
    """Refuse a picture of too many pixels.

    Raises: InputError, with the path.
    """
    if height * width > MOST_PIXELS:
        raise InputError(f"{path}: {width} x {height}: {_TOO_MANY}")


def write_image(path: str | os.PathLike, image_rgb: np.ndarray) -> None:
    """Write a picture in the format its file name ends on.

    image_rgb: (H, W, 3) uint8 RGB.
    Raises: InputError, with the path, for an ending that OpenCV cannot write and for a file that cannot be written.
    """
    ending = os.path.splitext(path)[1]
    try:
        written, data = cv2.imencode(ending, cv2.cvtColor(np.ascontiguousarray(image_rgb), cv2.COLOR_RGB2BGR))
    except cv2.error:
        written = False
    if not written:
        raise InputError(f"{path}: OpenCV cannot write a picture as {ending or 'a file without an ending'!r}; use .png")
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise InputError(f"{path}: the picture cannot be written: {error.strerror}") from error


def letterbox_transform(original_size: tuple[int, int], size: tuple[int, int]) -> ImageTransform:
    """Place a picture of `original_size` (h, w), in pixels, in an input of `size` (H, W): as large as fits, centred."""
    scale, (new_height, new_width) = _fit(original_size, size)
    return ImageTransform(scale, (size[1] - new_width) // 2, (size[0] - new_height) // 2)


def letterbox(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, ImageTransform]:
    """Fit a picture into an input of `size` (H, W) with its proportions kept, on grey 128.

    image: (h, w, 3) uint8. A picture of the right size is returned as it is, not copied.
    Returns: (H, W, 3) uint8 and its `ImageTransform`.
    """
    transform = letterbox_transform(image.shape[:2], size)
    _, (new_height, new_width) = _fit(image.shape[:2], size)
    if image.shape[:2] != (new_height, new_width):
        image = cv2.resize(np.ascontiguousarray(image), (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    if (new_height, new_width) == tuple(size):
        return image, transform
    canvas = np.full((*size, 3), GREY, np.uint8)
    canvas[transform.top : transform.top + new_height, transform.left : transform.left + new_width] = image
    return canvas, transform


def letterbox_boxes(boxes_xyxy: np.ndarray, transform: ImageTransform) -> np.ndarray:
    """Boxes (..., 4) xyxy in the original's pixels -> float32 in the input's pixels; nothing is clipped or rounded."""
    scale, left, top = transform
    return (np.asarray(boxes_xyxy, np.float64) * _of_corners(scale) + np.array([left, top, left, top])).astype(np.float32)


def unletterbox_boxes(boxes_xyxy: np.ndarray, transform: ImageTransform) -> np.ndarray:
    """Boxes (..., 4) xyxy in the input's pixels -> float32 in the original's pixels; the inverse of letterbox_boxes."""
    scale, left, top = transform
    return ((np.asarray(boxes_xyxy, np.float64) - np.array([left, top, left, top])) / _of_corners(scale)).astype(np.float32)


def fitted_aspect(image: np.ndarray, transform: ImageTransform) -> np.float32:
    """Height over width of a picture (h, w, 3) as it lies in the network's input."""
    x, y = np.broadcast_to(transform.scale, 2)
    return np.float32(y * image.shape[0] / (x * image.shape[1]))


def _of_corners(scale: float | tuple[float, float]) -> np.ndarray:
    """The factors of xyxy, (4,), of a scale or of a pair for x and y."""
    return np.tile(np.broadcast_to(scale, 2), 2)


def _fit(original_size: tuple[int, int], size: tuple[int, int]) -> tuple[float, tuple[int, int]]:
    """The largest scale at which the original fits, and its height and width there, at least one pixel each."""
    height, width = original_size
    scale = min(size[1] / width, size[0] / height)
    return scale, (max(1, int(scale * height)), max(1, int(scale * width)))


def _header_size(data):
    """(height, width) as the header of a PNG or JPEG states it, in some order; None for others and damaged ones."""
    try:
        return png_size(data) if data.startswith(PNG) else jpeg_size(data) if data.startswith(b"\xff\xd8") else None
    except (struct.error, IndexError):
        return None


def _is_cut_jpeg(data: bytes) -> bool:
    """Whether the bytes begin as a JPEG and never reach its end; OpenCV 4.10 fills the missing part with grey."""
    if not data.startswith(b"\xff\xd8"):
        return False
    # Over the segments by their lengths (one may hold a whole JPEG as a thumbnail) to the start of the first scan.
    # From there on a marker's bytes occur only as that marker: coded data stuffs a zero after each 0xff.
    position = 2
    while (position := data.find(b"\xff", position)) >= 0 and data[position + 1 : position + 2] != b"\xda":
        if data[position + 1 : position + 2] == b"\xff":
            position += 1
        else:
            position += 2 + max(2, int.from_bytes(data[position + 2 : position + 4], "big"))
    return position < 0 or data.find(b"\xff\xd9", position) < 0


if not TYPE_CHECKING:
    __getattr__ = moved.names(
        __name__,
        {
            "Letterbox": "data.images:ImageTransform",
        },
    )
