"""Each picture's own score, and the pictures that a report shows by it."""

import numpy as np

from yolojax.evaluation.metrics.matching import IOU_THRESHOLD
from yolojax.evaluation.metrics.picture_scores import picture_scores

DEFAULT_SCORE = 0.3  # shows detections where no best F1 is defined
KINDS = ("worst", "best", "random")


def pictures_to_show(detections, truths, image_ids, title, best_score):
    """The pictures that a report shows, as metrics.json has them.

    Args:
        detections, truths: of `picture_scores`.
        image_ids: the number of each picture in its split.
        title: function of that number to text.
        best_score: the threshold of the best F1, or NaN.

    Returns:
        {"score_threshold", "iou_threshold", "best": [...], "worst": [...], "random": [...]}, lists of {"image_id", "title"}
        and what `picture_scores` says of the picture.
    """
    threshold = DEFAULT_SCORE if np.isnan(best_score) else best_score
    scores = picture_scores(detections, truths, score_threshold=threshold)
    chosen = {
        kind: [{"image_id": image_ids[place], "title": title(image_ids[place]), **scores[place]} for place in places]
        for kind, places in choose_pictures(scores).items()
    }
    return {"score_threshold": threshold, "iou_threshold": IOU_THRESHOLD, **chosen}


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
