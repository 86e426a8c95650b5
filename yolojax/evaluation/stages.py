"""Where the time of an evaluation goes: reading, the network, suppression."""

import contextlib
import itertools
import time

import jax
import numpy as np

from yolojax.data.darknet_fit import FITS
from yolojax.data.pipeline import val_batches
from yolojax.decode import decode
from yolojax.evaluation.evaluate import batch_size_of, suppression
from yolojax.runtime.devices import local_rows, put

BATCHES = 4


def stage_seconds(variables, source, config, grid, replicated, split, *, model):
    """Measures the stages of an evaluation on the first batches of a split, apart from the evaluation itself.

    "read" is decoding and letterboxing on one thread of the host, the mean of the pictures of one batch; the files may lie in
    the operating system's cache. The device is measured with two programs, each run once to warm up and then on up to four
    batches that are on the device already, the host waiting for each: the network alone, and the network with decoding and
    suppression. "forward" is the median of the first, "nms" the median difference of the two, at least 0.

    Args:
        variables: {"params", "batch_stats"}.
        source: of `open_split`.
        config: Config.
        grid: AnchorGrid.
        replicated, split: shardings of the variables and of a batch.
        model: the network.

    Returns:
        {"read", "forward", "nms"}: seconds a picture; NaN where no picture can be read.
    """
    size = batch_size_of(config, split)
    rows = None if split.is_fully_addressable else local_rows(split, size)
    with contextlib.closing(val_batches(source, config, grid, size, rows)) as batches:
        measured = list(itertools.islice(batches, BATCHES))
    if not measured:
        return dict.fromkeys(("read", "forward", "nms"), float("nan"))
    suppress = suppression(config.eval, config.loss.class_scores, model)

    def forward(variables, images):
        return model.apply(variables, images, train=False)

    def detect(variables, images):
        return suppress(decode(forward(variables, images), grid))

    programs = [jax.jit(program, in_shardings=(replicated, split)) for program in (forward, detect)]
    seconds = []
    for images in [measured[0][0].images] + [batch.images for batch, _, _ in measured]:
        images = jax.block_until_ready(put(images, split))
        seconds.append([_seconds(program, variables, images) for program in programs])
    alone, together = np.array(seconds[1:]).T / size

    def read(index):
        FITS[config.data.fit](source.example(0, index).image, grid.size)

    indices = measured[0][2]
    return {
        "read": sum(_seconds(read, index) for index in indices) / len(indices) if indices else float("nan"),
        "forward": float(np.median(alone)),
        "nms": max(0.0, float(np.median(together - alone))),
    }


def _seconds(call, *arguments):
    began = time.perf_counter()
    jax.block_until_ready(call(*arguments))
    return time.perf_counter() - began
