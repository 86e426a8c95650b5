"""One pass over a validation split: pictures in, detections, loss and metrics out."""

import functools
import itertools
import time
from typing import NamedTuple

import jax
import numpy as np

from yolojax.data.pipeline import val_batches
from yolojax.data.sources import truth
from yolojax.decode import decode
from yolojax.evaluation.metrics.summary import summarize
from yolojax.inference import to_original
from yolojax.nms import distance_power, postprocess
from yolojax.runtime.devices import fetch_rows, local_rows, put
from yolojax.runtime.hosts import gather


class Evaluation(NamedTuple):
    """The outcome of a pass over a split.

    Attributes:
        summary: as `summarize` makes it, with "loss" and its terms (means over the pictures), "images_per_second" and
            "unreadable".
        detections: for each picture (boxes_xyxy (k, 4), scores (k,), classes (k,)), in pixels of the original picture.
        truths: for each picture (boxes_xyxy (n, 4), classes (n,), ignored (n,) bool).
        indices: the number of each picture in its split.
    """

    summary: dict
    detections: list
    truths: list
    indices: list


def compile_eval_step(replicated, split, *, model, grid, loss, config, class_scores="sigmoid"):
    """Compiles (variables, batch) -> (Detections, LossTerms): forward pass, loss, decoding and suppression in one program.

    Args:
        replicated, split: shardings of the variables and of the batch.
        model, grid: the network and its AnchorGrid.
        loss: function of (raw heads, targets, grid) to LossTerms.
        config: EvalConfig.
        class_scores: of `postprocess`, as the loss trains them.
    """
    suppress = suppression(config, class_scores, model)

    def eval_step(variables, batch):
        raw = model.apply(variables, batch.images, train=False)
        return suppress(decode(raw, grid), aspects=batch.aspects), loss(raw, batch.targets, grid)

    return jax.jit(eval_step, in_shardings=(replicated, split), out_shardings=split)


def suppression(config, class_scores, model):
    """`postprocess` with the settings of an EvalConfig and of a network; every class over the threshold counts."""
    return functools.partial(
        postprocess,
        score_threshold=config.score_threshold,
        iou_threshold=config.iou_threshold,
        max_candidates=config.max_candidates,
        max_detections=config.max_detections,
        multi_label=True,
        class_scores=class_scores,
        distance_power=distance_power(model),
    )


def batch_size_of(config, sharding):
    """Pictures of an evaluation's batch: `config.eval.batch_size`, raised so that every device gets as many."""
    return -(-config.eval.batch_size // sharding.num_devices) * sharding.num_devices


def evaluate(eval_step, variables, source, config, grid, sharding, on_progress=None):
    """Evaluates a network on a split; of several processes each reads its rows of every batch, and all get the same outcome.

    Args:
        eval_step: of `compile_eval_step`.
        variables: {"params", "batch_stats"}.
        source: of `open_split`.
        config: Config.
        grid: AnchorGrid.
        sharding: of a batch.
        on_progress: called with (pictures done or left out, pictures in all).

    Returns:
        Evaluation.
    """
    began = time.perf_counter()
    results = []
    running = None
    batch_size = batch_size_of(config, sharding)
    # None: all of them, and a batch that cannot be read at all is left out.
    rows = None if sharding.is_fully_addressable else local_rows(sharding, batch_size)

    def collect(outcome, samples, picture_indices):
        found, losses = fetch_rows(outcome)
        losses = np.stack(losses, axis=1).astype(np.float64)
        for row, (index, sample) in enumerate(zip(picture_indices, samples, strict=True)):
            detection = to_original(found, row, sample.transform, sample.original.image.shape[:2])
            results.append([index, list(detection), list(truth(source, index, sample.original)), losses[row]])
        if on_progress and picture_indices:
            on_progress(picture_indices[-1] + 1, len(source))

    for batch, samples, picture_indices in val_batches(source, config, grid, batch_size, rows):
        # The device works on this batch while the host collects the one before.
        outcome = eval_step(variables, put(batch, sharding))
        if running:
            collect(*running)
        running = outcome, samples, picture_indices
    if running:
        collect(*running)
    if on_progress:
        on_progress(len(source), len(source))  # whatever was left out at the end
    # The pictures of all processes, each once, in order.
    results = sorted(itertools.chain(*gather(results)), key=lambda result: result[0])
    indices, detections, truths, terms = map(list, zip(*results, strict=True)) if results else ([], [], [], [])
    detections, truths = list(map(tuple, detections)), list(map(tuple, truths))
    seconds = time.perf_counter() - began

    box, objectness, classification = np.mean(terms, axis=0).tolist() if terms else [float("nan")] * 3
    summary = {
        "loss": box + objectness + classification,
        "box": box,
        "objectness": objectness,
        "classification": classification,
        **summarize(detections, truths, config.data.class_names),
        "images_per_second": len(indices) / seconds,
        "unreadable": len(source) - len(indices),
    }
    return Evaluation(summary, detections, truths, indices)
