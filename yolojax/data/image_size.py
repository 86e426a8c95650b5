"""The sizes of pictures: from their first bytes, some hundred times faster than reading them, or by reading them whole."""

import concurrent.futures
import os
import struct
import sys
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.progress import track

from yolojax.data.annotations import Record
from yolojax.data.files import open_regular
from yolojax.data.images import cv2, read_image
from yolojax.errors import InputError

# Where a JPEG's frame header stands later than this (behind large thumbnails), the picture is read whole.
_HEAD = 1 << 18
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ORIENTATION = 0x0112
_PNG = b"\x89PNG\r\n\x1a\n"


def picture_sizes(records: Sequence[Record]) -> list[tuple[int, int]]:
    """The height and width, pixels, of each record's picture, upright, from its header.

    Raises: InputError, with the record's source, for the first picture that is missing or is none.
    """
    sizes = _measure(records, read_size)
    for size in sizes:
        if isinstance(size, InputError):
            raise size
    return sizes


def try_pictures(records: Sequence[Record]) -> list[tuple[int, int] | InputError]:
    """Read every picture whole, as training will.

    Returns: for each record (height, width) in pixels, upright, or the InputError of a picture that cannot be read, with
    the record's source.
    """
    return _measure(records, lambda path: read_image(path).shape[:2])


def read_size(path: str | os.PathLike) -> tuple[int, int]:
    """The height and width, pixels, of the picture that `read_image` returns: upright as its EXIF orientation says.

    JPEG and PNG are measured by their headers alone, so a picture that is cut short later on has a size as well; others
    are read.

    Raises: InputError, with the path, for a file that is missing or is no picture.
    """
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD)
            chunks = _png_chunks(file) if head.startswith(_PNG) else ()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the picture cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        size = _jpeg_size(head) if head.startswith(b"\xff\xd8") else _png_size(head, chunks)
    except (struct.error, IndexError):
        size = None
    return size if size and all(size) else read_image(path).shape[:2]


def _measure(records: Sequence[Record], size_of: Callable) -> list:
    """(height, width) or InputError of each record, by threads, with a progress bar where stderr is a terminal."""

    def measure(record):
        try:
            return size_of(record.path)
        except InputError as error:
            return InputError(f"{record.source}: {error}")

    # OpenCV's own threads would fight with these for the same cores.
    workers = min(16, os.cpu_count() or 1)
    pool = concurrent.futures.ThreadPoolExecutor(workers, "yolojax-sizes", lambda: cv2.setNumThreads(0))
    try:
        return list(
            track(
                pool.map(measure, records),
                "Reading pictures",
                total=len(records),
                console=Console(stderr=True),
                transient=True,
                disable=not sys.stderr.isatty(),
            )
        )
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _png_chunks(file):
    """The kinds of a PNG's chunks, its pixels passed over; EXIF may stand behind them."""
    file.seek(len(_PNG))
    kinds = set()
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        kinds.add(kind)
        file.seek(length + 4, os.SEEK_CUR)
    return kinds


def _png_size(head, chunks):
    """(height, width) of a PNG, or None for what is something else or may be turned by EXIF."""
    if head[12:16] != b"IHDR" or b"IDAT" not in chunks or b"eXIf" in chunks:
        return None
    width, height = struct.unpack_from(">II", head, 16)
    return height, width


def _jpeg_size(head):
    """(height, width) of a JPEG, or None where its segments cannot be followed."""
    position, turned = 2, False
    while head[position] == 0xFF:
        marker = head[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        (length,) = struct.unpack_from(">H", head, position + 2)
        if marker == 0xE1 and head[position + 4 : position + 10] == b"Exif\0\0":
            turned = 5 <= _orientation(head[position + 10 : position + 2 + length]) <= 8
        if marker in _FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", head, position + 5)
            return (width, height) if turned else (height, width)
        position += 2 + length
    return None


def _orientation(tiff):
    """The EXIF orientation, 1 to 8, of a TIFF header; from 5 on, height and width change places."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    (entries,) = struct.unpack_from(order + "H", tiff, directory)
    for entry in range(entries):
        tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * entry)
        if tag == _ORIENTATION:
            return value
    return 1
