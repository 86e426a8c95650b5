"""Pictures a second from JPEG files to batches: the pipeline with 1 and 2 threads, and with 2 processes, beside the plain loop.

`loader_cores.py` says what more of them would do on more cores.

python benchmarks/loader.py                                    # 640 x 480 pictures, made for this
python benchmarks/loader.py --data VOC_FOLDER                  # pictures and boxes of one's own

416 x 416, 80 classes, batches of 8. The plain loop, that of the TensorFlow family, reads, flips, crops, shifts and letterboxes
picture by picture, divides by 255 and writes dense labels box by box. `default` is the same augmentation and colours, `full`
all of it, mosaic and mixup included, each with probability 1/2, and `in memory` the same with decoded pictures kept
(config.data.cache_gib). All ways take turns, in rounds; the median of the rounds counts.
"""

import argparse
import collections
import dataclasses
import itertools
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from targets_and_loss import GRID, assign_box_by_box

from yolojax.config import Config
from yolojax.data.augment import clip_boxes, crop, flip_horizontal, translate
from yolojax.data.images import letterbox_boxes, letterbox_transform, write_image
from yolojax.data.pipeline import train_batches
from yolojax.data.sources import open_split
from yolojax.runtime.opencv import cv2

BATCH, STEPS, ROUNDS = 8, 15, 5
NOT_COUNTED = 3  # batches at the start: processes start, and each looks at every picture's boxes once


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="as config.data.train takes it (default: pictures made for this)")
    data = parser.parse_args().data
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        config = Config()
        config.data.train = data or make_pictures(Path(folder))
        config.data.class_names = () if data else tuple(map(str, range(80)))
        config.train.batch_size = BATCH
        source = open_split(config, "train")
        kept = open_split(dataclasses.replace(config, data=dataclasses.replace(config.data, cache_gib=1.0)), "train")
        ways = {"plain loop": lambda: plain_batches(source)}
        workers = {"1 thread": (1, 0), "2 threads": (2, 0), "2 processes": (0, 2)}
        for amount, (number, (threads, processes)) in itertools.product(("default", "full", "in memory"), workers.items()):
            if amount == "in memory" and processes:
                continue  # each process would keep pictures of its own
            data = dataclasses.replace(config.data, threads=threads, processes=processes)
            chosen = dataclasses.replace(config, data=data)
            if amount != "default":
                chosen.data.augment = full(config.data.augment)
            read = kept if amount == "in memory" else source
            name = f"{amount}, {number}"
            ways[name] = lambda chosen=chosen, read=read: train_batches(read, chosen, [GRID], 0, STEPS)
        rates = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, make in ways.items():
                batches = make()
                collections.deque(itertools.islice(batches, NOT_COUNTED), maxlen=0)
                began = time.perf_counter()
                pictures = sum(len(images) for (images, _), _ in batches)
                rates[name].append(pictures / (time.perf_counter() - began))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(f"{'':24}{'pictures/s':>12}{'to plain':>10}{'to 1 thread':>13}")
    for name, rate in medians.items():
        amount, _, number = name.partition(", ")
        second = f"{rate / medians[f'{amount}, 1 thread']:13.2f}" if number.startswith("2") else ""
        print(f"{name:24}{rate:12.0f}{rate / medians['plain loop']:10.2f}{second}")


def full(augment):
    """The configuration of the augmentation with all of it, each with probability 1/2."""
    return dataclasses.replace(augment, **{name: 0.5 for name in augment.__slots__ if name.endswith("_probability")})


def make_pictures(folder, count=64):
    """Writes pictures with the detail of photographs, each with 20 boxes, and a list of them."""
    rng = np.random.default_rng(0)
    lines = []
    for number in range(count):
        layers = [rng.integers(0, 256, (480 >> level, 640 >> level, 3), np.uint8) for level in (2, 4, 6)]
        layers = [cv2.resize(layer, (640, 480), interpolation=cv2.INTER_CUBIC) for layer in layers]
        picture = sum(weight * layer for weight, layer in zip((0.2, 0.3, 0.5), layers, strict=True)).astype(np.uint8)
        write_image(folder / f"{number}.jpg", picture)
        corners = rng.uniform(0, (560, 400), (20, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(10, 80, (20, 2))], axis=1).round(1)
        lines.append(f"{number}.jpg " + " ".join(",".join(map(str, box)) + f",{rng.integers(80)}" for box in boxes.tolist()))
    (folder / "train.txt").write_text("\n".join(lines))
    return str(folder / "train.txt")


def plain_batches(source):
    """Batches as the loaders of the TensorFlow family make them: float pictures and dense labels, one picture after another."""
    rng = np.random.default_rng(0)
    order = itertools.islice(itertools.cycle(rng.permutation(len(source))), STEPS * BATCH)
    for picks in zip(*[order] * BATCH, strict=True):
        images = np.zeros((BATCH, *GRID.size, 3), np.float32)
        labels = []
        for row, index in enumerate(picks):
            example = source.example(0, int(index))
            for vary in (flip_horizontal, crop, translate):
                example = vary(rng, example)
            height, width = example.image.shape[:2]
            fit = letterbox_transform((height, width), GRID.size)
            size = int(fit.scale * width), int(fit.scale * height)
            padded = np.full((*GRID.size, 3), 128.0, np.float32)
            left, top = (GRID.size[1] - size[0]) // 2, (GRID.size[0] - size[1]) // 2
            padded[top : top + size[1], left : left + size[0]] = cv2.resize(example.image, size)
            images[row] = padded / 255
            boxes, classes, _ = clip_boxes(example.boxes, example.classes, height, width)
            labels.append(assign_box_by_box(letterbox_boxes(boxes, fit), classes))
        yield (images, labels), {}


if __name__ == "__main__":
    main()
