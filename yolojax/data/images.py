"""Pictures: reading, writing, and the letterbox that fits one into the network's input, with its inverse."""

import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from yolojax import moved
from yolojax.data.headers import JPEG, is_cut_jpeg, stored_size, tiff_samples
from yolojax.errors import InputError
from yolojax.runtime.files import read_whole, write_bytes
from yolojax.runtime.opencv import MOST_PIXELS, cv2

GREY = 128
FEWER_BITS = (10, 12)
"""Of how many bits a 16-bit picture may be made."""
# The upper 8 of 16 bits are below this where only the lower 12 are used.
_NEARLY_BLACK = 16
_TOO_MANY = (
    f"more than {MOST_PIXELS:,} pixels are not read; make the picture smaller, or, if it is meant to be this large, raise the "
    "environment variable OPENCV_IO_MAX_IMAGE_PIXELS"
)
# The extensions with which drawings are written; OpenCV writes these in colour.
WRITTEN_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
# The extensions by which pictures are found in a folder.
ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".gif", ".avif", ".jp2"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)
# Extensions of pictures that OpenCV does not read, so that such a file is named and not passed over.
UNREAD_ENDINGS = frozenset({".heic", ".heif", ".jxl", ".svg", ".psd", ".dng", ".cr2", ".nef", ".arw", ".raw", ".dcm", ".npy"})


class ImageTransform(NamedTuple):
    """Where a picture lies in the network's input: x' = scale_x * x + left, y' = scale_y * y + top.

    Every way to fit a picture into the input (`darknet_fit.FITS`) is described by such a scaling and shift.

    Attributes:
        scale: pixels of the input per pixel of the original; one number where proportions are kept, else (scale_x, scale_y).
        left: x of the picture's left edge in pixels of the input, which is the width of the grey margin there.
        top: y of the picture's upper edge in pixels of the input.
    """

    scale: float | tuple[float, float]
    left: float
    top: float


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Read a picture, upright as its EXIF orientation says.

    Grey pictures are repeated over the channels, 16-bit ones keep their upper 8 bits (but see `read_image_and_bits`), an alpha
    channel is left out.

    Args:
        path: the file.

    Returns:
        (H, W, 3) uint8 RGB, contiguous.

    Raises:
        InputError: the file is missing, is not a picture, is damaged or cut short, has values that are not whole numbers from
            0, or has more than MOST_PIXELS pixels; the message names it.
    """
    return read_image_and_bits(path)[0]


def read_image_and_bits(path: str | os.PathLike) -> tuple[np.ndarray, int | None]:
    """Read a picture like `read_image`, and say whether its 16 bits were used.

    Cameras and microscopes store 10 or 12 bits in 16, of which the upper 8 would be nearly black. So a 16-bit picture without
    a value of 4096 or more is taken as one of 12 bits, and without one of 1024 or more as one of 10. A picture of 16 bits that
    is this dark would have kept 16 grey levels at most.

    Args:
        path: the file.

    Returns:
        (H, W, 3) uint8 RGB, contiguous, and 10 or 12 if the picture was taken as one of so few bits, else None.

    Raises:
        InputError: as for `read_image`.
    """
    return _decode(read_whole(path, "the picture"), path)


def decode_image(content: bytes, name: str) -> np.ndarray:
    """Decodes the content of a picture file, like `read_image`.

    Args:
        content: the whole file.
        name: what messages call it.

    Returns:
        (H, W, 3) uint8 RGB, contiguous.

    Raises:
        InputError: as for `read_image`.
    """
    return _decode(content, name)[0]


def _decode(content: bytes, path: str | os.PathLike) -> tuple[np.ndarray, int | None]:
    """The picture of a file's content and what `read_image_and_bits` says of its bits; messages call it by its path."""
    # OpenCV has a limit of its own if it was loaded before this module.
    if size := stored_size(content):
        check_pixels(path, *size)
    samples = tiff_samples(content)
    if samples and (samples.fractions or samples.bits > 16):
        kind = "fractions" if samples.fractions else "whole numbers"
        raise InputError(f"{path}: a TIFF of {samples.bits}-bit {kind} is not read; save it with 8 or 16 bits, without a sign")
    try:
        image = None if is_cut_jpeg(content) else cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise InputError(f"{path}: {_TOO_MANY}") from error
        image = None
    if image is None or image.ndim != 3:
        raise InputError(f"{path}: not a picture that OpenCV can read, or damaged or cut short; replace or remove it")
    bits = None
    if not content.startswith(JPEG) and (image.max() < _NEARLY_BLACK or (samples and samples.signed)):
        image, bits = _use_lower_bits(path, content, image)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image), bits


def _use_lower_bits(path: str | os.PathLike, content: bytes, image: np.ndarray) -> tuple[np.ndarray, int | None]:
    """The picture from those of its 16 bits that are used, and their number; `image` and None if it has 8, or uses all."""
    deep = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if deep is None or deep.dtype == np.uint8:
        return image, None
    if deep.min() < 0:
        raise InputError(f"{path}: a picture with negative values is not read; save it with 8 or 16 bits, without a sign")
    if deep.itemsize != 2 or deep.dtype.kind == "f":
        return image, None
    eight, bits = upper_eight_bits(deep)
    return (eight, bits) if bits else (image, None)


def upper_eight_bits(deep: np.ndarray) -> tuple[np.ndarray, int | None]:
    """The upper 8 of the bits that a picture of 16 uses, see `read_image_and_bits`.

    Args:
        deep: whole numbers from 0, of 16 bits.

    Returns:
        The picture as uint8, and 10 or 12 if it uses only so many bits, else None.
    """
    largest = int(deep.max(initial=0))
    bits = next((bits for bits in FEWER_BITS if 0 < largest < 1 << bits), None)
    return np.right_shift(deep, (bits or 16) - 8).astype(np.uint8), bits


def check_pixels(path: str | os.PathLike, height: int, width: int) -> None:
    """Refuse a picture of too many pixels.

    Args:
        path: the file, for the message.
        height: height of the picture in pixels.
        width: width of the picture in pixels.

    Raises:
        InputError: it has more than MOST_PIXELS.
    """
    if height * width > MOST_PIXELS:
        raise InputError(f"{path}: {width} x {height}: {_TOO_MANY}")


def write_image(path: str | os.PathLike, image_rgb: np.ndarray, *, marked: bool = False) -> None:
    """Write a picture in the format given by the extension of its file name, whole or not at all.

    Args:
        path: the file.
        image_rgb: (H, W, 3) uint8 RGB.
        marked: whether a later run of a command may replace it.

    Raises:
        InputError: OpenCV cannot write files with that extension, or the file cannot be written; the message names it.
    """
    ending = os.path.splitext(path)[1]
    try:
        encoded, content = cv2.imencode(ending, cv2.cvtColor(np.ascontiguousarray(image_rgb), cv2.COLOR_RGB2BGR))
    except cv2.error:
        encoded, content = False, None
    if not encoded or content is None:
        raise InputError(f"{path}: OpenCV cannot write a picture as {ending or 'a file without an extension'!r}; use .png")
    try:
        write_bytes(path, content.data, marked=marked)
    except OSError as error:
        raise InputError(f"{path}: the picture cannot be written: {error.strerror}") from error


def reduced(image: np.ndarray, scale: float) -> tuple[np.ndarray, float]:
    """An image made smaller.

    Args:
        image: (H, W, 3) uint8.
        scale: the factor on its sides; from 1 on the image stays as it is.

    Returns:
        The image, and the factor that was applied.
    """
    if scale >= 1:
        return image, 1.0
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), scale


def fitting_scale(original_size: tuple[int, int], size: tuple[int, int]) -> float:
    """The largest scale at which a picture of `original_size` (h, w) fits into `size` (H, W)."""
    return min(size[1] / original_size[1], size[0] / original_size[0])


def fitted_size(original_size: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The height and width that a picture of `original_size` (h, w) has when it fits into `size` (H, W): at least one pixel."""
    scale = fitting_scale(original_size, size)
    return max(1, int(scale * original_size[0])), max(1, int(scale * original_size[1]))


def letterbox_transform(original_size: tuple[int, int], size: tuple[int, int]) -> ImageTransform:
    """Place a picture in the network's input: as large as fits, centred.

    Args:
        original_size: (h, w) of the picture in pixels.
        size: (H, W) of the input in pixels.
    """
    new_height, new_width = fitted_size(original_size, size)
    return ImageTransform(fitting_scale(original_size, size), (size[1] - new_width) // 2, (size[0] - new_height) // 2)


def letterbox(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, ImageTransform]:
    """Fit a picture into the network's input with its proportions kept, on grey 128.

    Args:
        image: (h, w, 3) uint8. A picture of the right size is returned as it is, not copied.
        size: (H, W) of the input in pixels.

    Returns:
        (H, W, 3) uint8, and how the picture lies in it.
    """
    transform, fitted = letterbox_transform(image.shape[:2], size), fitted_size(image.shape[:2], size)
    if image.shape[:2] != fitted:
        image = cv2.resize(np.ascontiguousarray(image), fitted[::-1], interpolation=cv2.INTER_LINEAR)
    return centred(image, size), transform


def centred(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image (h, w, 3) in the middle of a grey one of `size` (H, W), not smaller; one of this size as it is, not copied."""
    height, width = image.shape[:2]
    if (height, width) == tuple(size):
        return image
    canvas = np.full((*size, 3), GREY, np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    canvas[top : top + height, left : left + width] = image
    return canvas


def letterbox_boxes(boxes_xyxy: np.ndarray, transform: ImageTransform) -> np.ndarray:
    """Map boxes from a picture to the network's input; nothing is clipped or rounded.

    Args:
        boxes_xyxy: (..., 4) in pixels of the original picture.
        transform: how the picture lies in the input.

    Returns:
        (..., 4) float32 xyxy in pixels of the input.
    """
    scale, left, top = transform
    return (np.asarray(boxes_xyxy, np.float64) * _corner_scales(scale) + np.array([left, top, left, top])).astype(np.float32)


def unletterbox_boxes(boxes_xyxy: np.ndarray, transform: ImageTransform) -> np.ndarray:
    """Map boxes from the network's input back to the picture: the inverse of `letterbox_boxes`.

    Args:
        boxes_xyxy: (..., 4) in pixels of the input.
        transform: how the picture lies in the input.

    Returns:
        (..., 4) float32 xyxy in pixels of the original picture.
    """
    scale, left, top = transform
    return ((np.asarray(boxes_xyxy, np.float64) - np.array([left, top, left, top])) / _corner_scales(scale)).astype(np.float32)


def fitted_aspect(image: np.ndarray, transform: ImageTransform) -> np.float32:
    """The ratio of height to width that a picture (h, w, 3) has in the network's input."""
    x, y = np.broadcast_to(transform.scale, 2)
    return np.float32(y * image.shape[0] / (x * image.shape[1]))


def _corner_scales(scale: float | tuple[float, float]) -> np.ndarray:
    """The factors of x1, y1, x2, y2, (4,), from `ImageTransform.scale`."""
    return np.array([scale] * 4 if isinstance(scale, (int, float)) else [*scale, *scale], np.float64)


if not TYPE_CHECKING:
    __getattr__ = moved.names(__name__, {"Letterbox": "data.images:ImageTransform"})
