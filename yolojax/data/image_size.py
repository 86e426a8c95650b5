"""The sizes of pictures: from their first bytes, some hundred times faster than reading them, or by reading them whole."""

import os
import struct
import sys
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.progress import track

from yolojax.data.annotations import Record
from yolojax.data.headers import PNG, jpeg_size, png_size
from yolojax.data.images import check_pixels, read_image
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular
from yolojax.runtime.threads import thread_pool

# Where a JPEG's frame header stands later than this (behind large thumbnails), the picture is read whole.
_HEAD = 1 << 18


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

    Raises: InputError, with the path, for a file that is missing, is no picture or has too many pixels.
    """
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD)
            chunks = _png_chunks(file) if head.startswith(PNG) else ()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the picture cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        size = jpeg_size(head) if head.startswith(b"\xff\xd8") else _png_size(head, chunks)
    except (struct.error, IndexError):
        size = None
    if not (size and all(size)):
        return read_image(path).shape[:2]
    check_pixels(path, *size)
    return size


def _measure(records: Sequence[Record], size_of: Callable) -> list:
    """(height, width) or InputError of each record, by threads, with a progress bar where stderr is a terminal."""

    def measure(record):
        try:
            return size_of(record.path)
        except InputError as error:
            return InputError(f"{record.source}: {error}")

    pool = thread_pool(min(16, os.cpu_count() or 1), "yolojax-sizes")
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
    file.seek(len(PNG))
    kinds = set()
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        kinds.add(kind)
        file.seek(length + 4, os.SEEK_CUR)
    return kinds


def _png_size(head, chunks):
    """(height, width) of a PNG, or None for what is something else or may be turned by EXIF."""
    return png_size(head) if b"IDAT" in chunks and b"eXIf" not in chunks else None
