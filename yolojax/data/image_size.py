"""The sizes of pictures: from their headers, about a hundred times faster than decoding them, or by reading them whole."""

import os
import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

import numpy as np
from rich.console import Console
from rich.progress import track

from yolojax.data.annotations import Record
from yolojax.data.headers import PNG, stored_size
from yolojax.data.images import check_pixels, read_image, read_image_and_bits
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular
from yolojax.runtime.threads import thread_pool, worker_count

# If a JPEG's frame header comes later than this (behind large thumbnails), the picture is read whole.
_HEAD = 1 << 18


def picture_sizes(records: Sequence[Record]) -> list[tuple[int, int]]:
    """Read the size of each record's picture from its header.

    Args:
        records: the records.

    Returns:
        (height, width) in pixels for each, upright.

    Raises:
        InputError: a file is missing or is not a picture; the message names the record's source.
    """
    sizes = []
    for size in try_sizes(records):
        if isinstance(size, InputError):
            raise size
        sizes.append(size)
    return sizes


def try_sizes(records: Sequence[Record]) -> list[tuple[int, int] | InputError]:
    """Read the size of each record's picture from its header, where it has one.

    Args:
        records: the records.

    Returns:
        For each record (height, width) in pixels, upright, or the InputError of a file that is missing or is not a picture,
        whose message names the record's source.
    """
    return _measure(records, read_size)


def sizes_by_path(paths: Iterable[str]) -> dict[str, tuple[int, int] | None]:
    """Read the size of each picture from its header.

    Args:
        paths: the files.

    Returns:
        {path: (height, width) in pixels, upright}; None for a file that is missing or is not a picture.
    """

    def size(path: str) -> tuple[int, int] | None:
        try:
            return read_size(path)
        except InputError:
            return None

    paths = list(paths)
    with thread_pool(worker_count(), "yolojax-sizes") as pool:
        return dict(zip(paths, pool.map(size, paths), strict=True))


def try_pictures(
    records: Sequence[Record], on_problem: OnProblem = lambda kind, message: None
) -> list[tuple[int, int] | InputError]:
    """Read every picture whole, as training will.

    Args:
        records: the records.
        on_problem: called in the order of the records with "fewer bits" for each picture that `read_image` takes as one of 10
            or 12 bits.

    Returns:
        For each record (height, width) in pixels, upright, or the InputError of a picture that cannot be read, whose message
        names the record's source.
    """
    fewer: dict[str, int] = {}

    def size_of(path: str) -> tuple[int, int]:
        image, bits = read_image_and_bits(path)
        if bits:
            fewer[path] = bits
        return _size_of(image)

    sizes = _measure(records, size_of)
    for record in records:
        if record.path in fewer:
            message = f"{record.source}: {record.path} uses {fewer[record.path]} of its 16 bits, and was read as such"
            on_problem("fewer bits", message)
    return sizes


def read_size(path: str | os.PathLike) -> tuple[int, int]:
    """Read the size of the picture that `read_image` would return: upright, as its EXIF orientation says.

    JPEG and PNG are measured by their headers alone, so a picture that is cut short has a size as well; others are read.

    Args:
        path: the file.

    Returns:
        (height, width) in pixels.

    Raises:
        InputError: the file is missing, is not a picture or has too many pixels; the message names it.
    """
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD)
            chunks = _png_chunks(file) if head.startswith(PNG) else set()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the picture cannot be read: {getattr(error, 'strerror', None) or error}") from error
    # EXIF may rotate a PNG, and a PNG without pixels is not a picture.
    trusted = not head.startswith(PNG) or (b"IDAT" in chunks and b"eXIf" not in chunks)
    size = stored_size(head) if trusted else None
    if not (size and all(size)):
        return _size_of(read_image(path))
    check_pixels(path, *size)
    return size


def _size_of(image: np.ndarray) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _measure(records: Sequence[Record], size_of: Callable[[str], tuple[int, int]]) -> list[tuple[int, int] | InputError]:
    """(height, width) or InputError of each record, by threads, with a progress bar if stderr is a terminal."""

    def measure(record: Record) -> tuple[int, int] | InputError:
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


def _png_chunks(file: BinaryIO) -> set[bytes]:
    """The kinds of a PNG's chunks, without reading its pixels; EXIF may come after them."""
    file.seek(len(PNG))
    kinds = set()
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        kinds.add(kind)
        file.seek(length + 4, os.SEEK_CUR)
    return kinds
