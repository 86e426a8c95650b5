"""Pictures a second with more threads than this machine has cores, where Python's lock (the GIL) could stand in the way.

python benchmarks/loader_cores.py                     # 1, 2, 4, 8, 16 threads
python benchmarks/loader_cores.py --threads 1 32

The full augmentation of `loader.py`. OpenCV runs outside the lock. A call is replaced by a pause as long as such calls take on
average, measured first, and by a picture of the right size: pauses of all threads pass at the same time, as calls on as many
cores would, while Python and NumPy still run as they are. Beside it are the rates with the real calls for as many threads as
this machine has cores: where both agree, the pauses are a fair stand-in. That cores share memory is left out.
"""

import argparse
import collections
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from loader import BATCH, GRID, full, make_pictures

from yolojax.config import Config
from yolojax.data.pipeline import train_batches
from yolojax.data.sources import open_split
from yolojax.runtime.opencv import cv2

STEPS, ROUNDS = 30, 3
SHORTEST = 5e-4  # seconds: shorter pauses add up until they are this long, since a pause cannot be much shorter


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    numbers = parser.parse_args().threads
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        config = Config()
        config.data.train = make_pictures(Path(folder))
        config.data.class_names = tuple(map(str, range(80)))
        config.data.augment = full(config.data.augment)
        config.train.batch_size = BATCH
        source = open_split(config, "train")
        real = {threads: rate(source, config, threads) for threads in numbers if threads <= (os.cpu_count() or 1)}
        timed = Timed()
        replace_opencv(timed)
        rate(source, config, 1)
        replace_opencv(Paused(timed.taken))
        paused = {threads: rate(source, config, threads) for threads in numbers}
        replace_opencv(Paused({}))
        python = 1000 / rate(source, config, 1)
    print(f"{'threads':>8}{'pictures/s':>12}{'measured':>10}")
    for threads in numbers:
        print(f"{threads:8}{paused[threads]:12.0f}" + (f"{real[threads]:10.0f}" if threads in real else ""))
    print(f"Python and NumPy alone take {python:.2f} ms a picture: {1000 / python:.0f} pictures/s at most in one process")


def rate(source, config, threads):
    """Pictures a second, the median of some rounds."""
    config.data.threads = threads
    rates = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        pictures = sum(len(batch.images) for batch, _ in train_batches(source, config, [GRID], 0, STEPS))
        rates.append(pictures / (time.perf_counter() - began))
    return statistics.median(rates)


def replace_opencv(stand_in):
    """Gives all modules of the host side something else in OpenCV's place."""
    for name, module in list(sys.modules.items()):
        if name.startswith("yolojax.data") and hasattr(module, "cv2"):
            module.cv2 = stand_in


class Timed:
    """OpenCV, whose calls are timed."""

    def __init__(self):
        self.taken = collections.defaultdict(list)

    def __getattr__(self, name):
        value = getattr(cv2, name)
        if not callable(value):
            return value

        def call(*arguments, **options):
            began = time.thread_time()
            try:
                return value(*arguments, **options)
            finally:
                self.taken[name].append(time.thread_time() - began)

        return call


class Paused:
    """OpenCV, whose calls take the time that was measured and do nothing but return a picture of the right size."""

    def __init__(self, taken):
        self.mean = {name: statistics.fmean(times) for name, times in taken.items()}
        self.owed = threading.local()
        began = time.perf_counter()
        for _ in range(100):
            time.sleep(SHORTEST)
        self.late = (time.perf_counter() - began) / 100 - SHORTEST
        self.grey = np.full((2048, 2048, 3), 128, np.uint8)

    def __getattr__(self, name):
        value = getattr(cv2, name)
        if not callable(value):
            return value
        result = getattr(self, f"_{name}", lambda image, *_, **__: image)

        def call(*arguments, **options):
            owed = getattr(self.owed, "seconds", 0) + self.mean.get(name, 0)
            if owed > SHORTEST + self.late:
                time.sleep(owed - self.late)
                owed = 0
            self.owed.seconds = owed
            return result(*arguments, **options)

        return call

    def _imdecode(self, content, flags):
        smaller = {cv2.IMREAD_REDUCED_COLOR_2: 2, cv2.IMREAD_REDUCED_COLOR_4: 4, cv2.IMREAD_REDUCED_COLOR_8: 8}.get(flags, 1)
        return self.grey[: 480 // smaller, : 640 // smaller]

    def _warpAffine(self, image, matrix, size, dst=None, **_):
        return self.grey[: size[1], : size[0]] if dst is None else dst

    def _resize(self, image, size, **_):
        return self.grey[: size[1], : size[0]]

    def _transform(self, image, matrix):
        return image.copy()


if __name__ == "__main__":
    main()
