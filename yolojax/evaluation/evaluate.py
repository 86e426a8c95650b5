"""One pass over a validation split: images in; detections, loss and metrics out."""

import functools
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding

from yolojax.config import EvalConfig
from yolojax.data.pipeline import val_batches
from yolojax.data.sources import truth
from yolojax.decode import decode
from yolojax.evaluation.metrics.summary import summarize
from yolojax.grid import AnchorGrid
from yolojax.inference import Recipe, merge_mirrored, raw_heads, to_original, with_mirrored
from yolojax.loss import LossTerms, yolo_loss
from yolojax.loss_terms import in_log_order, named_terms
from yolojax.nms import Detections
from yolojax.parts import NO_PARTS, Parts
from yolojax.runtime.collector import paused_collector
from yolojax.runtime.compiler_options import compiler_options
from yolojax.runtime.devices import fetch_rows, local_rows, make_mesh, put, shardings
from yolojax.runtime.hosts import gather

if TYPE_CHECKING:
    import flax.linen as nn

    from yolojax.config import Config


class Evaluation(NamedTuple):
    """The outcome of a pass over a split.

    Attributes:
        summary: as `summarize` makes it, with "loss" and its terms (means over the images), "images_per_second" and
            "unreadable".
        detections: for each image (boxes_xyxy (k, 4), scores (k,), classes (k,)), in pixels of the original image.
        truths: for each image (boxes_xyxy (n, 4), classes (n,), ignored (n,) bool).
        indices: the number of each image in its split.
    """

    summary: dict[str, Any]
    detections: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    truths: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    indices: list[int]


def compile_eval_step(
    replicated: NamedSharding | None = None,
    batch_sharding: NamedSharding | None = None,
    *,
    model: "nn.Module",
    recipe: Recipe,
    loss: Callable[..., Any] = yolo_loss,
    config: EvalConfig | None = None,
    augment: bool = False,
    soft_nms: bool = False,
) -> Callable[..., tuple[Detections, Any]]:
    """Compiles (variables, batch) -> (Detections, what the loss returns), in one program.

    The program is the forward pass, the loss, decoding and suppression.

    Args:
        replicated: sharding of the variables; None: whole on every device.
        batch_sharding: the sharding of the batch; None: split over all devices.
        model: the network.
        recipe: what turns images into detections with it.
        loss: function of (raw heads, targets, grid) to terms, see `loss_terms.named_terms`.
        config: thresholds and limits; None: those of `EvalConfig`.
        augment: the network also sees the mirrored images, and suppression merges the detections; the loss is that of the
            images as they are.
        soft_nms: overlapping boxes lose score instead of being removed.
    """
    suppress = suppression(config or EvalConfig(), recipe, method="soft" if soft_nms else "hard")
    if replicated is None or batch_sharding is None:
        whole, rows = shardings(make_mesh())
        replicated, batch_sharding = replicated or whole, batch_sharding or rows

    def eval_step(variables, batch):
        raw = raw_heads(model, variables, with_mirrored(batch.images) if augment else batch.images)
        predictions = decode(raw, recipe.grid)
        if augment:
            predictions = merge_mirrored(predictions, recipe.size[1])
            raw = tuple(head[: len(batch.images)] for head in raw)
        detections = suppress(predictions, aspects=batch.aspects)
        terms = loss(raw, batch.targets, recipe.grid)
        named_terms(terms)  # an error here comes before any batch
        return detections, terms

    return jax.jit(
        eval_step,
        in_shardings=(replicated, batch_sharding),
        out_shardings=batch_sharding,
        compiler_options=compiler_options(),
    )


def suppression(config: EvalConfig, recipe: Recipe, **options: Any) -> Callable[..., Detections]:
    """`Recipe.suppress` with the thresholds and limits of an evaluation, and other options of it.

    Every class over the threshold counts.
    """
    return functools.partial(
        recipe.suppress,
        score_threshold=config.score_threshold,
        iou_threshold=config.iou_threshold,
        max_candidates=config.max_candidates,
        max_detections=config.max_detections,
        multi_label=True,
        **options,
    )


def batch_size_of(config: "Config", batch_sharding: NamedSharding) -> int:
    """Images in a batch of an evaluation: `config.eval.batch_size`, rounded up so that every device gets the same number."""
    return -(-config.eval.batch_size // batch_sharding.num_devices) * batch_sharding.num_devices


def evaluate(
    eval_step: Callable[..., tuple[Detections, Any]],
    variables: Mapping[str, Any],
    source: Any,
    config: "Config",
    grid: AnchorGrid,
    batch_sharding: NamedSharding | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    *,
    classes: Sequence[int] | None = None,
    parts: Parts = NO_PARTS,
) -> Evaluation:
    """Evaluates a network on a split; with several processes, each reads its rows of every batch, and all get the same outcome.

    Args:
        eval_step: result of `compile_eval_step`, or any function of the variables and a `ValBatch` to Detections and the terms
            of a loss.
        variables: {"params", "batch_stats"}, or what else `eval_step` takes.
        source: result of `open_split`.
        config: the configuration: batch size, how pictures are fitted, and class names (those of the source, if it has none).
        grid: slots of the network's input.
        batch_sharding: the sharding of a batch; None: split over all devices.
        on_progress: called with (images done or left out, images in all).
        classes: the classes that the split has labels of: detections of others are neither right nor wrong, and are left out;
            None: all.
        parts: parts that a program gives as objects.
    """
    batch_sharding = batch_sharding or shardings(make_mesh())[1]
    began = time.perf_counter()
    results = list(_results(eval_step, variables, source, config, grid, batch_sharding, on_progress, parts))
    # The images of all processes, each once, in order.
    results = sorted(itertools.chain(*gather(results)), key=lambda result: result[0])
    indices, detections, truths, terms = map(list, zip(*results, strict=True)) if results else ([], [], [], [])
    detections, truths = list(map(tuple, detections)), list(map(tuple, truths))
    if classes is not None:
        kept = [np.isin(detected, classes) for _, _, detected in detections]
        detections = [tuple(a[row] for a in arrays) for arrays, row in zip(detections, kept, strict=True)]
    seconds = time.perf_counter() - began

    means = _means(terms)
    summary = {
        "loss": sum(means.values()),
        **means,
        **summarize(detections, truths, config.data.class_names or source.names),
        "images_per_second": len(indices) / seconds,
        "unreadable": len(source) - len(indices),
    }
    return Evaluation(summary, detections, truths, indices)


def _means(terms: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The means of the loss terms over the images; a loss of one term only is the loss itself."""
    names = in_log_order(terms[0] if terms else LossTerms._fields)
    return {name: float(np.mean([each[name] for each in terms])) if terms else float("nan") for name in names}


def _results(eval_step, variables, source, config, grid, batch_sharding, on_progress, parts) -> Iterator[list]:
    """Yields [index, detection, truth, loss terms {name: number}] of each image whose rows this process holds."""
    batch_size = batch_size_of(config, batch_sharding)
    # None: all of them, and a batch that cannot be read at all is left out.
    rows = None if batch_sharding.is_fully_addressable else local_rows(batch_sharding, batch_size)

    def collect(outcome, samples, indices):
        detections, losses = fetch_rows(outcome)
        losses = {name: np.asarray(values, np.float64) for name, values in named_terms(losses).items()}
        for row, (index, sample) in enumerate(zip(indices, samples, strict=True)):
            detection = to_original(detections, row, sample.transform, sample.original.image.shape[:2])
            yield [index, list(detection), list(truth(source, index, sample.original)), _row(losses, row)]
        if on_progress and indices:
            on_progress(indices[-1] + 1, len(source))

    running = None
    for batch, samples, indices in val_batches(source, config, grid, batch_size, rows, parts):
        # The device works on this batch while the host collects the one before.
        with paused_collector():  # the first call traces the program
            outcome = eval_step(variables, put(batch, batch_sharding))
        if running:
            yield from collect(*running)
        running = outcome, samples, indices
    if running:
        yield from collect(*running)
    if on_progress:
        on_progress(len(source), len(source))  # images left out at the end count as done


def _row(terms: Mapping[str, np.ndarray], row: int) -> dict[str, float]:
    """The terms of one image of a batch."""
    return {name: float(values[row]) for name, values in terms.items()}
