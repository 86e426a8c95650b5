"""A JPEG in memory that is decoded when it is needed, at the size that is needed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from yolojax.data.headers import END_OF_JPEG, is_cut_jpeg, jpeg_frame
from yolojax.data.images import check_pixels, decode_image
from yolojax.data.source import UnreadablePicture
from yolojax.errors import InputError
from yolojax.runtime.files import read_whole
from yolojax.runtime.opencv import cv2

if TYPE_CHECKING:
    import os

REDUCTIONS = (8, 4, 2)
"""How much smaller, a side, a JPEG can be decoded, the most first."""
_READS_RGB = hasattr(cv2, "IMREAD_COLOR_RGB")  # from OpenCV 4.10.1 on
_FLAGS = {
    1: cv2.IMREAD_COLOR_RGB if _READS_RGB else cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class StoredJpeg:
    """A JPEG that is not decoded yet.

    Attributes:
        content: the whole file.
        name: what messages call it.
        listed: where it is listed, for messages.
        shape: (h, w, 3) of the decoded picture, upright.
        reducible: whether it can be decoded at a smaller size, a pixel of which is then a square of pixels from the upper left
            corner on: not if it is stored turned or mirrored.
        transposed: whether rows and columns change places after decoding; `shape` is the one after it.
    """

    content: bytes
    name: str
    listed: str
    shape: tuple[int, int, int]
    reducible: bool
    transposed: bool = False

    def transpose(self) -> StoredJpeg:
        """The same picture with its rows and columns exchanged."""
        height, width, channels = self.shape
        return dataclasses.replace(self, shape=(width, height, channels), transposed=not self.transposed)

    def read(self, reduction: int = 1) -> np.ndarray:
        """Decode it.

        Args:
            reduction: 1, or one of `REDUCTIONS`.

        Returns:
            (ceil(h / reduction), ceil(w / reduction), 3) uint8 RGB; at 1 what `images.read_image` returns.

        Raises:
            UnreadablePicture: it is damaged, or not as large as its header says.
        """
        image = self._decoded(reduction)
        return cv2.transpose(image) if self.transposed else image

    def _decoded(self, reduction: int) -> np.ndarray:
        image = cv2.imdecode(np.frombuffer(self.content, np.uint8), _FLAGS[reduction])
        if image is None:
            try:
                return decode_image(self.content, self.name)[::reduction, ::reduction]  # which says what is wrong
            except InputError as error:
                raise UnreadablePicture(f"{self.listed}: {error}") from error
        height, width = self.shape[1::-1] if self.transposed else self.shape[:2]
        expected = -(-height // reduction), -(-width // reduction)
        if image.shape[:2] != expected:
            found = f"{image.shape[1]} x {image.shape[0]}, not {expected[1]} x {expected[0]} pixels as its header says"
            raise UnreadablePicture(f"{self.listed}: {self.name}: the picture has {found}; save it again")
        return image if reduction == 1 and _READS_RGB else cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)


def open_stored(path: str | os.PathLike, listed: str) -> np.ndarray | StoredJpeg:
    """Open a picture: a JPEG is read and decoded later, any other is decoded at once.

    Args:
        path: the file.
        listed: where it is listed, for messages.

    Raises:
        InputError: the file is missing, is cut short, has too many pixels, or is no JPEG and cannot be decoded.
    """
    content = read_whole(path, "the picture")
    frame = jpeg_frame(content)
    if not frame or (not content.endswith(END_OF_JPEG) and is_cut_jpeg(content)):
        return decode_image(content, str(path))
    (height, width), upright = frame
    check_pixels(path, height, width)
    return StoredJpeg(content, str(path), listed, (height, width, 3), upright)
