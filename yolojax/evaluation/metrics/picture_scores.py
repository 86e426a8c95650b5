"""The F1 of each image."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from yolojax.evaluation.metrics.inputs import ImageDetections, ImageTruths
from yolojax.evaluation.metrics.matching import IOU_THRESHOLD, flatten_and_match


class PictureScore(TypedDict):
    """How well one image was detected.

    Attributes:
        truths: number of truths that count.
        detections: number of detections that count: all but those of ignored truths.
        matched: number of true positives.
        f1: 2 * matched / (truths + detections), or None for an image without either.
    """

    truths: int
    detections: int
    matched: int
    f1: float | None


def picture_scores(
    detections: Sequence[ImageDetections],
    truths: Sequence[ImageTruths],
    *,
    score_threshold: float,
    iou_threshold: float = IOU_THRESHOLD,
) -> list[PictureScore]:
    """Scores each image on its own, matched as COCO does.

    Args:
        detections: one entry per image.
        truths: one entry per image, for the same images in the same order.
        score_threshold: detections below it do not count.
        iou_threshold: the smallest IoU of a match.

    Returns:
        One score per image.
    """
    accepted = [at_least(detection, score_threshold) for detection in detections]
    flat_detections, flat_truths, outcome = flatten_and_match(accepted, truths, iou_threshold=iou_threshold)
    counts = [
        np.bincount(pictures, minlength=len(truths))
        for pictures in (
            flat_truths.pictures[outcome.counted],
            flat_detections.pictures[~outcome.ignored],
            flat_detections.pictures[outcome.true_positive],
        )
    ]
    return [
        {"truths": n, "detections": k, "matched": hits, "f1": 2 * hits / (n + k) if n + k else None}
        for n, k, hits in np.array(counts).T.tolist()
    ]


def at_least(detection: ImageDetections, score_threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Selects the detections of one image whose score reaches the threshold.

    Returns:
        Boxes (k, 4), scores (k,) and class ids (k,).
    """
    boxes, scores, classes = (np.asarray(member) for member in detection)
    kept = scores >= score_threshold
    return boxes.reshape(-1, 4)[kept], scores[kept], classes[kept]
