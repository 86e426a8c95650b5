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
from yolojax.runtime.collector import paused_collector
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
    batches that are on the device already, while the host waits for each: the network, and decoding and suppression of what it
    gave. "forward" and "nms" are their medians.

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
        measured = list(itertools.islice(batches, BATCHES))
    if not measured:
        return dict.fromkeys(("read", "forward", "nms"), float("nan"))
    suppress = suppression(config.eval, recipe)

    def forward(variables, images):
        return raw_heads(model, variables, images)

    def find(raw):
        return suppress(decode(raw, recipe.grid))

    options: Any = {"out_shardings": batch_sharding, "compiler_options": compiler_options()}
    network = jax.jit(forward, in_shardings=(replicated, batch_sharding), **options)
    suppression_alone = jax.jit(find, in_shardings=(batch_sharding,), **options)
    seconds = []
    with paused_collector():  # tracing makes work for it, and it would disturb the clock
        for images in [measured[0][0].images] + [batch.images for batch, _, _ in measured]:
            images = jax.block_until_ready(put(images, batch_sharding))
            raw, in_network = _timed(network, variables, images)
            seconds.append([in_network, _timed(suppression_alone, raw)[1]])
    in_network, in_suppression = np.median(seconds[1:], axis=0) / size

    def read(index):
        recipe.fit_image(source.example(0, index).image)

    indices = measured[0][2]
    return {
        "read": sum(_timed(read, index)[1] for index in indices) / len(indices) if indices else float("nan"),
        "forward": float(in_network),
        "nms": float(in_suppression),
    }


def _timed(call: Callable, *arguments: Any) -> tuple[Any, float]:
    """What a call returns, when it is ready, and the seconds that this took."""
    began = time.perf_counter()
    result = jax.block_until_ready(call(*arguments))
    return result, time.perf_counter() - began
