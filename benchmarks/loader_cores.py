"""Pictures a second with more threads or processes than there are cores, where Python's lock (the GIL) could be in the way.

python benchmarks/loader_cores.py                     # 1, 2, 4, 8, 16
python benchmarks/loader_cores.py --workers 1 32

The full augmentation of `loader.py`. OpenCV runs outside the lock. In threads a call is replaced by a pause as long as such
calls take on average, measured first, and by a picture of the right size: pauses of all threads pass at the same time, as calls
on as many cores would, while Python and NumPy still run as they are. Processes (config.data.processes) share no lock: in them a
whole sample is a pause, as long as one takes in a single thread. What remains is what the program does for each picture, which
asks for it and copies it from the shared memory, and that a worker writes it there. Beside them are the rates of real samples
with as many threads and processes as this machine has cores: where both agree, the pauses are a fair stand-in. That cores share
memory, and that the training loop takes the program's lock too, is left out.
"""

import argparse
import collections
import functools
import itertools
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from loader import BATCH, GRID, full, make_pictures
from paused import paused_sample

from yolojax.config import Config
from yolojax.data.pipeline import batches_by_processes, train_batches
from yolojax.data.sample import train_sample
from yolojax.data.sources import open_split
from yolojax.data.worker_processes import forms_of
from yolojax.runtime.opencv import cv2

STEPS, ROUNDS = 20, 2
SHORTEST = 5e-4  # seconds: shorter pauses add up until they are this long, since a pause cannot be much shorter


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    numbers = parser.parse_args().workers
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        config = Config()
        config.data.train = make_pictures(Path(folder))
        config.data.class_names = tuple(map(str, range(80)))
        config.data.augment = full(config.data.augment)
        config.train.batch_size = BATCH
        source = open_split(config, "train")
        at_most = [number for number in numbers if number <= (os.cpu_count() or 1)]
        real = {number: thread_rate(source, config, number) for number in at_most}
        sample = train_sample(source, config, GRID, 0, 0)
        real_processes = {}
        for config.data.processes in at_most:
            real_processes[config.data.processes] = rate(train_batches(source, config, [GRID], 0, STEPS * ROUNDS))
        config.data.processes = 0
        timed = Timed()
        replace_opencv(timed)
        thread_rate(source, config, 1)
        pauses = Paused(timed.taken)
        replace_opencv(pauses)
        paused = {number: thread_rate(source, config, number) for number in numbers}
        seconds = 1 / paused[min(paused)] * min(paused)
        processes = {number: process_rate(sample, seconds - pauses.late, number) for number in numbers}
        replace_opencv(Paused({}))
        python = 1000 / thread_rate(source, config, 1)
        alone = 1000 / process_rate(sample, 0, 2)
    print(f"{'':>8}{'threads':>10}{'measured':>10}{'processes':>12}{'measured':>10}")
    for number in numbers:
        measured = [f"{found[number]:10.0f}" if number in found else " " * 10 for found in (real, real_processes)]
        print(f"{number:8}{paused[number]:10.0f}{measured[0]}{processes[number]:12.0f}{measured[1]}")
    print(f"Python and NumPy alone take {python:.2f} ms a picture in a thread: {1000 / python:.0f} pictures/s at most")
    print(f"samples that take no time at all: {1000 / alone:.0f} pictures/s from two processes")


def thread_rate(source, config, threads):
    """Pictures a second of threads, the median of some rounds."""
    config.data.threads = threads
    return statistics.median(rate(train_batches(source, config, [GRID], 0, STEPS)) for _ in range(ROUNDS))


def process_rate(sample, seconds, processes):
    """Pictures a second of processes whose samples are pauses."""
    steps = itertools.repeat((0, [(0, 0)] * BATCH), STEPS * max(2, processes))
    make = functools.partial(paused_sample, sample, max(0, seconds))
    return rate(batches_by_processes(steps, make, [forms_of(sample)], processes))


def rate(batches):
    """Pictures a second from the first batch on: until then, processes start."""
    next(batches)
    began = time.perf_counter()
    pictures = sum(len(batch.images) for batch, _ in batches)
    return pictures / (time.perf_counter() - began)


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
