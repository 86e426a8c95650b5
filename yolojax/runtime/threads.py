"""Pools of threads that decode, draw and write images."""

import concurrent.futures
import os

from yolojax.runtime.opencv import cv2


def worker_count():
    """How many threads read pictures, and how many write them."""
    return min(8, os.cpu_count() or 1)


def thread_pool(workers: int, name: str) -> concurrent.futures.ThreadPoolExecutor:
    """A pool of `workers` threads called `name`, in which OpenCV uses no threads of its own: they would fight for the cores."""
    return concurrent.futures.ThreadPoolExecutor(workers, name, lambda: cv2.setNumThreads(0))
