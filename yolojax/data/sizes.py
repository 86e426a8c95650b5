"""The sizes of many pictures, which only reading them tells: whole, as training will read them."""

import concurrent.futures
import os
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import track

from yolojax.data.annotations import Record
from yolojax.data.images import cv2, read_image
from yolojax.errors import InputError


def picture_sizes(records: Sequence[Record]) -> list[tuple[int, int] | InputError]:
    """Read every picture, in threads, with a progress bar where stderr is a terminal.

    Returns: for each record (height, width) in pixels, upright, or the InputError of a picture that cannot be read, with
    the record's source.
    """

    def read(record):
        try:
            return read_image(record.path).shape[:2]
        except InputError as error:
            return InputError(f"{record.source}: {error}")

    # OpenCV's own threads would fight with these for the same cores.
    workers = min(16, os.cpu_count() or 1)
    pool = concurrent.futures.ThreadPoolExecutor(workers, "yolojax-sizes", lambda: cv2.setNumThreads(0))
    try:
        return list(
            track(
                pool.map(read, records),
                "Reading pictures",
                total=len(records),
                console=Console(stderr=True),
                transient=True,
                disable=not sys.stderr.isatty(),
            )
        )
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
