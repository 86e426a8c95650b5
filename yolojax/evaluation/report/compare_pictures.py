"""The images in which two evaluations differ most."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from yolojax.evaluation.metrics.inputs import ImageDetections
from yolojax.evaluation.metrics.picture_scores import at_least, picture_scores
from yolojax.evaluation.report.page import drawn, escape, note, number, picture_row
from yolojax.evaluation.report.saved import SavedEvaluation

if TYPE_CHECKING:
    from yolojax.data.sources import DigitsSource, ListSource
    from yolojax.evaluation.evaluate import Evaluation

SHOWN = 6  # images
ROUNDING = 5e-7  # detections.json has scores with 6 digits, metrics.json the exact threshold


def compare_pictures(
    labels: Sequence[str],
    metrics: Mapping[str, Any],
    outcome: "Evaluation",
    source: "ListSource | DigitsSource",
    other: SavedEvaluation,
) -> Iterator[str]:
    """Yields the HTML of the images with the largest differences in F1.

    Args:
        labels: the names of the two evaluations.
        metrics: metrics.json of the first.
        outcome: detections and truths of the first.
        source: the split, for its images.
        other: the second.
    """
    names = list(metrics["per_class"])
    both = outcome.detections, _detections_of(other, outcome.indices, names)
    thresholds = metrics["pictures"]["score_threshold"], other.metrics["pictures"]["score_threshold"] - ROUNDING
    scores = [
        picture_scores(detections, outcome.truths, score_threshold=threshold)
        for detections, threshold in zip(both, thresholds, strict=True)
    ]
    # An image without truths and without detections has no F1: nothing could be better.
    first, second = ([1.0 if row["f1"] is None else row["f1"] for row in rows] for rows in scores)
    gaps = np.abs(np.subtract(first, second))
    order = np.argsort(-gaps, kind="stable")[:SHOWN]
    shown = [int(place) for place in order if gaps[place] > 0]
    if not shown:
        yield note("Both have the same F1 in every image.")
        return
    yield note(
        "Sorted by the difference in F1, each run at the score threshold of its own best F1: "
        f"{number(thresholds[0])} and {number(thresholds[1])}."
    )
    for place in shown:
        image_id = outcome.indices[place]
        image = source.example(0, image_id).image
        boxes, classes, *_ = outcome.truths[place]
        panels = [("ground truth", drawn(image, boxes, classes, names))]
        for label, detections, threshold, rows in zip(labels, both, thresholds, scores, strict=True):
            boxes, confidences, classes = at_least(detections[place], threshold)
            row = rows[place]
            caption = f"{label}: F1 {number(row['f1'])}, {row['matched']} matched, {row['detections']} detections"
            panels.append((caption, drawn(image, boxes, classes, names, confidences)))
        yield picture_row(escape(source.title(image_id)), panels)


def _detections_of(other: SavedEvaluation, image_ids: Sequence[int], names: Sequence[str]) -> list[ImageDetections]:
    # detections.json numbers the classes in the order of that run's names.
    numbers = {name: number for number, name in enumerate(names)}
    new_ids = np.array([numbers[name] for name in other.metrics["per_class"]], np.int64)
    nothing = np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64)
    saved = [other.detections.get(image_id, nothing) for image_id in image_ids]
    return [(boxes, scores, new_ids[classes]) for boxes, scores, classes in saved]
