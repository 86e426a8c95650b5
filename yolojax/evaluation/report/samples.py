"""Sample images of a report: ground truth and detections side by side."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yolojax.data.images import reduced, write_image
from yolojax.draw import draw_detections, side_by_side
from yolojax.evaluation.metrics.inputs import ImageDetections, ImageTruths
from yolojax.evaluation.metrics.picture_scores import at_least


def write_samples(
    folder: str | os.PathLike[str],
    images: Sequence[np.ndarray],
    detections: Sequence[ImageDetections],
    truths: Sequence[ImageTruths],
    names: Sequence[str],
    *,
    score_threshold: float = 0.3,
    longest_side: int | None = None,
) -> list[Path]:
    """Writes one PNG per image, with truths on the left and detections on the right: folder/sample_000.png and so on.

    Args:
        folder: created if missing.
        images: (H, W, 3) uint8 RGB each.
        detections: one (boxes (k, 4) xyxy in pixels, scores (k,), class ids (k,)) per image.
        truths: one (boxes (n, 4) xyxy in pixels, class ids (n,), ...) per image.
        names: the name of every class.
        score_threshold: detections below it are not drawn; evaluations keep many with scores near 0.
        longest_side: files with more pixels on a side are reduced to this; None: they are as large as they get.

    Returns:
        The paths of the files.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for place, (image, detection, truth) in enumerate(zip(images, detections, truths, strict=True)):
        boxes, scores, classes = at_least(detection, score_threshold)
        true_boxes, true_classes = (np.asarray(member) for member in truth[:2])
        panels = (
            draw_detections(image, true_boxes, true_classes, names),
            draw_detections(image, boxes, classes, names, scores),
        )
        titles = (f"ground truth: {len(true_boxes)}", f"detections, score at least {score_threshold:g}: {len(boxes)}")
        path = folder / f"sample_{place:03d}.png"
        drawn = side_by_side(panels, titles)
        scale = longest_side / max(drawn.shape[:2]) if longest_side else 1
        write_image(path, reduced(drawn, scale)[0])
        paths.append(path)
    return paths
