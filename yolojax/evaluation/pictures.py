"""Each picture's own score, and the pictures that a report shows by it."""

import numpy as np

from yolojax.evaluation.average_precision import match
from yolojax.evaluation.inputs import flatten


def picture_scores(detections, truths, *, score_threshold, iou_threshold=0.5):
    """Counts in every picture what was found of its truths, and its F1.

    Args:
        detections: a list over pictures of (boxes_xyxy (k, 4), scores (k,), classes (k,)), boxes in pixels.
        truths: a list over the same pictures of (boxes_xyxy (n, 4), classes (n,)) or (..., ignored (n,) bool).
        score_threshold: detections below it do not count.
        iou_threshold: of `match`.

    Returns:
        A list over the pictures of {"truths", "detections", "matched", "f1"}: boxes that count, detections that count
        (all but those of ignored truths), pairs of both, and 2 * matched / (truths + detections), None for a picture with
        neither truths nor detections.
    """
    found = [at_least(detection, score_threshold) for detection in detections]
    flat, expected = flatten(found, truths)
    counts = np.zeros((3, len(truths)), int)
    np.add.at(counts[0], expected.pictures[~expected.ignored], 1)
    for matches in match(found, truths, iou_threshold=iou_threshold).values():
        pictures = flat.pictures[matches.detections]
        np.add.at(counts[1], pictures[~matches.ignored], 1)
        np.add.at(counts[2], pictures[matches.true_positive], 1)
    return [
        {"truths": n, "detections": k, "matched": hits, "f1": 2 * hits / (n + k) if n + k else None}
        for n, k, hits in counts.T.tolist()
    ]


def choose_pictures(scores, number=4):
    """Which pictures to show: those of highest F1, of lowest F1, and some of the others at random, always the same.

    Of equal F1 the one with more boxes goes first; a picture with neither truths nor detections is only chosen at random.

    Args:
        scores: of `picture_scores`.
        number: of each kind, at most.

    Returns:
        {"best": [...], "worst": [...], "random": [...]}: places in the list, no place twice.
    """
    scored = [place for place, score in enumerate(scores) if score["f1"] is not None]
    boxes = [score["truths"] + score["detections"] for score in scores]
    best = sorted(scored, key=lambda place: (-scores[place]["f1"], -boxes[place]))[: min(number, -(-len(scored) // 2))]
    worst = sorted(set(scored) - set(best), key=lambda place: (scores[place]["f1"], -boxes[place], place))[:number]
    rest = sorted(set(range(len(scores))) - set(best) - set(worst))
    random = np.random.default_rng(0).permutation(rest)[:number].astype(int).tolist()
    return {"best": best, "worst": worst, "random": sorted(random)}


def at_least(detection, score_threshold):
    """The members of one picture's detection whose score reaches the threshold."""
    boxes, scores, classes = (np.asarray(member) for member in detection)
    kept = scores >= score_threshold
    return boxes.reshape(-1, 4)[kept], scores[kept], classes[kept]
