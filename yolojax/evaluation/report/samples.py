"""Sample images of a report: truth and detections side by side."""

from pathlib import Path

import numpy as np

from yolojax.data.images import write_image
from yolojax.draw import draw_detections, side_by_side


def write_samples(folder, images, detections, truths, names, *, score_threshold=0.3):
    """Writes one PNG a picture, truths on the left and detections on the right: folder/sample_000.png and so on.

    Args:
        folder: made where it is missing.
        images: a list of (H, W, 3) uint8 RGB pictures.
        detections, truths: lists over the same pictures, as `summarize` takes them.
        names: the name of every class.
        score_threshold: detections below it are not drawn; an evaluation keeps many of almost no score.

    Returns:
        The list of paths written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for place, (image, found, truth) in enumerate(zip(images, detections, truths, strict=True)):
        boxes, scores, classes = (np.asarray(member) for member in found)
        kept = scores >= score_threshold
        pictures = (
            draw_detections(image, truth[0], truth[1], names),
            draw_detections(image, boxes.reshape(-1, 4)[kept], classes[kept], names, scores[kept]),
        )
        titles = (f"truth: {len(truth[0])}", f"detections from {score_threshold:g}: {np.count_nonzero(kept)}")
        paths.append(folder / f"sample_{place:03d}.png")
        write_image(paths[-1], side_by_side(pictures, titles))
    return paths
