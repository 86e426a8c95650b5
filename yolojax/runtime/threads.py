"""Thread pools that decode, draw and write images."""

import concurrent.futures
import os

from yolojax.runtime.opencv import cv2


def worker_count() -> int:
    """The number of threads in a pool that reads or writes pictures."""
    return min(8, os.cpu_count() or 1)


def thread_pool(workers: int, name: str) -> concurrent.futures.ThreadPoolExecutor:
    """A pool of `workers` threads called `name`; OpenCV starts no threads within them, which would compete for the cores."""
    return concurrent.futures.ThreadPoolExecutor(workers, name, lambda: cv2.setNumThreads(0))
