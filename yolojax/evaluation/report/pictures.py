"""The images that a report shows, chosen by their F1."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from yolojax.evaluation.metrics.inputs import ImageDetections, ImageTruths
from yolojax.evaluation.metrics.matching import IOU_THRESHOLD
from yolojax.evaluation.metrics.picture_scores import PictureScore, picture_scores

DEFAULT_SCORE = 0.3  # the smallest score shown if no best F1 is defined
KINDS = ("worst", "best", "random")


def pictures_to_show(
    detections: Sequence[ImageDetections],
    truths: Sequence[ImageTruths],
    image_ids: Sequence[int],
    title: Callable[[int], str],
    best_score: float,
) -> dict[str, Any]:
    """The images that a report shows, in the form of metrics.json.

    Args:
        detections: one entry per image.
        truths: one entry per image, for the same images in the same order.
        image_ids: the number of each image in its split.
        title: function from that number to text.
        best_score: the score threshold of the best F1, or NaN.

    Returns:
        {"score_threshold", "iou_threshold", "best": [...], "worst": [...], "random": [...]}: lists of {"image_id", "title"}
        with the `PictureScore` of the image.
    """
    threshold = DEFAULT_SCORE if np.isnan(best_score) else best_score
    scores = picture_scores(detections, truths, score_threshold=threshold)
    chosen = {
        kind: [{"image_id": image_ids[place], "title": title(image_ids[place]), **scores[place]} for place in places]
        for kind, places in choose_pictures(scores).items()
    }
    return {"score_threshold": threshold, "iou_threshold": IOU_THRESHOLD, **chosen}


def choose_pictures(scores: Sequence[PictureScore], number: int = 4) -> dict[str, list[int]]:
    """Chooses the images with the highest F1, those with the lowest, and some of the others at random, always the same.

    Among images with equal F1, those with more boxes come first. An image with neither truths nor detections is only chosen
    at random.

    Args:
        scores: one per image.
        number: the largest number of each kind.

    Returns:
        {"best": [...], "worst": [...], "random": [...]}: positions in the list, none of them twice.
    """
    known = {place: score["f1"] for place, score in enumerate(scores) if score["f1"] is not None}
    boxes = [score["truths"] + score["detections"] for score in scores]
    best = sorted(known, key=lambda place: (-known[place], -boxes[place]))[: min(number, -(-len(known) // 2))]
    worst = sorted(set(known) - set(best), key=lambda place: (known[place], -boxes[place], place))[:number]
    rest = sorted(set(range(len(scores))) - set(best) - set(worst))
    random = np.random.default_rng(0).permutation(rest)[:number].astype(int).tolist()
    return {"best": best, "worst": worst, "random": sorted(random)}
