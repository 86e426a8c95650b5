"""Images as programs hold them: arrays, Pillow pictures, paths, open files, and any series of these."""

import contextlib
import io
import os
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np

from yolojax.data.images import decode_image, read_image, upper_eight_bits
from yolojax.errors import InputError


class OpenFile(Protocol):
    """Whatever gives the bytes of a picture file: a file opened with mode "rb", `io.BytesIO`, an HTTP response."""

    def read(self) -> bytes:
        """The bytes up to the end."""
        ...


class PillowPicture(Protocol):
    """A `PIL.Image.Image` of any mode. Pillow itself is not imported."""

    @property
    def mode(self) -> str:
        """How Pillow stores the picture."""
        ...

    def convert(self, mode: str) -> Any:
        """The picture in another mode."""
        ...

    def getexif(self) -> Any:
        """The picture's EXIF tags."""
        ...


class Array(Protocol):
    """An array that NumPy can read, such as those of NumPy and JAX."""

    def __array__(self) -> np.ndarray:
        """The array as NumPy's."""
        ...


Image = Array | PillowPicture | OpenFile | bytes | str | os.PathLike[str]
"""An RGB uint8 array (H, W, 3), a Pillow picture, a path, an open file, or a file's content as bytes."""

_EXPECTED = "an RGB array (H, W, 3) of uint8"
_OTHERS = "a Pillow picture, an open file, its bytes or a path"
_ORIENTATION = 0x0112


def is_one(images: object) -> bool:
    """Whether this is one image, not a series of images: an array of four axes is a series, and so is one of paths."""
    if isinstance(images, np.ndarray):
        return images.ndim < 4 and images.dtype.kind not in "OUST"
    if hasattr(images, "__array__"):
        return getattr(images, "ndim", 3) < 4 and getattr(getattr(images, "dtype", None), "kind", "u") not in "OUST"
    return isinstance(images, str | os.PathLike | bytes | bytearray | memoryview) or _is_pillow(images) or _is_file(images)


def each(images: Any) -> Iterator[np.ndarray]:
    """Yields the images of a series, read one after another as they are wanted.

    Args:
        images: one image, or an iterable of images.

    Yields:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: as for `as_image`, or `images` is neither.
    """
    series: Iterable[Any] = [images] if is_one(images) else images
    if not hasattr(series, "__iter__"):
        raise InputError(f"images must be {_EXPECTED}, {_OTHERS}, or an iterable of these, not {type(images).__name__}")
    if not isinstance(series, np.ndarray) and hasattr(series, "__array__"):
        series = np.asarray(series)  # one transfer from the device, not one for each image
    for place, image in enumerate(series):
        yield as_image(image, place)


def as_image(image: Any, place: int) -> np.ndarray:
    """An image as an array, upright, as `read_image` would read its file.

    Args:
        image: an RGB uint8 array (H, W, 3), a Pillow picture of any mode, a path, an open file or its bytes.
        place: its number among the images, for messages.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: an image that cannot be read, or something else; the message has its name or its place.
    """
    if isinstance(image, np.ndarray):
        return _checked(image, place)
    if isinstance(image, str | os.PathLike):
        return read_image(image)
    if isinstance(image, bytes | bytearray | memoryview):
        return _from_bytes(image, place)
    if _is_pillow(image):
        return _from_pillow(image, place)
    if _is_file(image):
        return _from_file(image, place)
    if hasattr(image, "__array__"):
        return _checked(np.asarray(image), place)
    raise InputError(f"images[{place}] must be {_EXPECTED}, {_OTHERS}, not {type(image).__name__}")


def _checked(image: np.ndarray, place: int) -> np.ndarray:
    if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and 0 not in image.shape:
        return image
    advice = "; multiply by 255 if it is from 0 to 1, round, and make it np.uint8" if image.dtype.kind == "f" else ""
    raise InputError(f"images[{place}] must be {_EXPECTED}, not {image.shape} of {image.dtype}{advice}")


def _is_pillow(image: object) -> bool:
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(image).__mro__)


def _is_file(image: object) -> bool:
    return callable(getattr(image, "read", None))


def _from_bytes(content: bytes | bytearray | memoryview, place: int) -> np.ndarray:
    try:
        return decode_image(bytes(content), f"images[{place}]")
    except InputError as error:
        raise InputError(f"{error} (bytes are taken as the content of a file)") from error


def _from_file(file: Any, place: int) -> np.ndarray:
    own = getattr(file, "name", None)
    name = own if isinstance(own, str) else f"images[{place}]"
    try:
        content = "" if isinstance(file, io.TextIOBase) else file.read()
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{name}: the picture cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if isinstance(content, str):
        raise InputError(f'{name}: a file of text; open it with mode "rb"')
    if not isinstance(content, bytes | bytearray | memoryview):
        raise InputError(
            f"{name}: read() of {type(file).__name__} gives {type(content).__name__}, not the bytes of a picture file"
        )
    if not content:
        raise InputError(f"{name}: there is nothing to read; if the file was read before, call its seek(0)")
    return decode_image(bytes(content), name)


def _from_pillow(picture: Any, place: int) -> np.ndarray:
    try:
        if picture.mode.startswith(("I", "F")):
            image = _from_deep_pillow(np.asarray(picture), picture.mode, place)
        else:
            # Of a palette with several transparent colours, Pillow warns when they are left out at once.
            image = np.asarray(picture.convert("RGBA" if picture.mode == "P" else "RGB"))[..., :3]
    except (OSError, ValueError, SyntaxError) as error:  # Pillow decodes only now
        raise InputError(f"images[{place}]: Pillow cannot decode the picture: {error}") from error
    orientation = 1
    with contextlib.suppress(Exception):  # damaged tags raise many kinds; OpenCV passes over them, too
        orientation = picture.getexif().get(_ORIENTATION, 1)
    return _upright(_checked(image, place), orientation)


def _from_deep_pillow(deep: np.ndarray, mode: str, place: int) -> np.ndarray:
    if deep.dtype.kind == "f" or (deep.size and not 0 <= deep.min() <= deep.max() <= 0xFFFF):
        raise InputError(
            f"images[{place}]: a Pillow picture of mode {mode} must have whole numbers from 0 to 65535; scale it, and convert "
            'it to "L"'
        )
    return np.repeat(upper_eight_bits(deep.astype(np.uint16))[0][..., None], 3, 2)


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """The picture turned as its EXIF orientation, 1 to 8, says (CIPA DC-008, table 6)."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image[::-1] if orientation in (3, 4, 7, 8) else image
