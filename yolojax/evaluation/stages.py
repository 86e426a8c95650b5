"""Where the time of an evaluation goes: reading, the network, suppression."""

import contextlib
import itertools
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.sharding import NamedSharding

from yolojax.data.pipeline import val_batches
from yolojax.decode import decode
from yolojax.evaluation.evaluate import batch_size_of, suppression
from yolojax.inference import Recipe, raw_heads
from yolojax.parts import NO_PARTS, Parts
from yolojax.runtime.compiler_options import compiler_options
from yolojax.runtime.devices import local_rows, put

if TYPE_CHECKING:
    import flax.linen as nn

    from yolojax.config import Config

BATCHES = 4


def stage_seconds(
    variables: Mapping[str, Any],
    source: Any,
    config: "Config",
    recipe: Recipe,
    replicated: NamedSharding,
    batch_sharding: NamedSharding,
    *,
    model: "nn.Module",
    parts: Parts = NO_PARTS,
) -> dict[str, float]:
    """Measures the stages of an evaluation on the first batches of a split, apart from the evaluation itself.

    "read" is decoding and fitting on one thread of the host, the mean over the images of one batch; the files may lie in the
    operating system's cache. The device is measured with two programs, each run once to warm up and then on up to four
    batches that are on the device already, while the host waits for each: the network alone, and the network with decoding and
    suppression. "forward" is the median of the first, "nms" the median difference of the two, at least 0.

    Args:
        variables: {"params", "batch_stats"}.
        source: result of `open_split`.
        config: resolved configuration.
        recipe: what turns images into detections.
        replicated: sharding of the variables.
        batch_sharding: the sharding of a batch.
        model: the network.
        parts: parts that a program gives as objects.

    Returns:
        {"read", "forward", "nms"}: seconds per image; NaN where no image can be read.
    """
    size = batch_size_of(config, batch_sharding)
    rows = None if batch_sharding.is_fully_addressable else local_rows(batch_sharding, size)
    with contextlib.closing(val_batches(source, config, recipe.grid, size, rows, parts)) as batches:
        # Without the samples, whose pictures may be large.
        measured = [(batch.images, indices) for batch, _, indices in itertools.islice(batches, BATCHES)]
    if not measured:
        return dict.fromkeys(("read", "forward", "nms"), float("nan"))
    suppress = suppression(config.eval, recipe)

    def forward(variables, images):
        return raw_heads(model, variables, images)

    def detect(variables, images):
        return suppress(decode(forward(variables, images), recipe.grid))

    programs = [
        jax.jit(program, in_shardings=(replicated, batch_sharding), compiler_options=compiler_options())
        for program in (forward, detect)
    ]
    seconds = []
    for images in [measured[0][0]] + [images for images, _ in measured]:
        images = jax.block_until_ready(put(images, batch_sharding))
        seconds.append([_seconds(program, variables, images) for program in programs])
    network, with_suppression = np.array(seconds[1:]).T / size

    def read(index):
        recipe.fit_image(source.example(0, index).image)

    indices = measured[0][1]
    return {
        "read": sum(_seconds(read, index) for index in indices) / len(indices) if indices else float("nan"),
        "forward": float(np.median(network)),
        "nms": max(0.0, float(np.median(with_suppression - network))),
    }


def _seconds(call: Callable, *arguments: Any) -> float:
    began = time.perf_counter()
    jax.block_until_ready(call(*arguments))
    return time.perf_counter() - began
