"""Augmentation that makes one picture out of several; none of them is written into."""

from collections.abc import Sequence

import numpy as np

from yolojax.data.augment.geometry import log_uniform, warp
from yolojax.data.example import Example, place_boxes
from yolojax.data.images import GREY, letterbox_transform
from yolojax.runtime.opencv import cv2

# The four pictures of a mosaic meet at least this far inside, as a part of the canvas' width and height.
MARGIN = 0.25


def mosaic(
    rng: np.random.Generator,
    example: Example,
    others: Sequence[Example],
    *,
    size: tuple[int, int],
    smallest: float = 0.5,
    largest: float = 1.5,
    min_visible: float = 0.3,
) -> Example:
    """Put four pictures round a random point of a canvas, each with a corner there; Bochkovskiy et al. 2020 (arXiv:2004.10934).

    The point is uniform over the middle half of the canvas's sides, in whole pixels; `example` lies above and left of it, the
    others above right, below left and below right. What reaches out of a picture's quarter is cut off, gaps are grey 128.

    others: three Examples; size: (height, width) of the canvas, pixels.
    smallest, largest: of each picture's own factor, log-uniform, on the scale at which it just fits the canvas.
    min_visible: the share, 0..1, of its area that a box must keep; the boxes are clipped to what is seen of their picture.
    """
    height, width = size
    meet_x, meet_y = (round(rng.uniform(MARGIN, 1 - MARGIN) * length) for length in (width, height))
    canvas = np.full((height, width, 3), GREY, np.uint8)
    boxes, classes = [], []
    for place, part in enumerate((example, *others)):
        factor = letterbox_transform(part.image.shape[:2], size).scale * log_uniform(rng, smallest, largest)
        below, right = divmod(place, 2)
        offset_x = meet_x if right else meet_x - factor * part.image.shape[1]
        offset_y = meet_y if below else meet_y - factor * part.image.shape[0]
        quarter = (
            meet_x if right else 0,
            meet_y if below else 0,
            width if right else meet_x,
            height if below else meet_y,
        )
        if quarter[0] == quarter[2] or quarter[1] == quarter[3]:
            continue
        into = canvas[quarter[1] : quarter[3], quarter[0] : quarter[2]]
        into[:] = warp(part.image, (factor, factor), (offset_x, offset_y), quarter)
        placed = place_boxes(part, (factor, factor), (offset_x, offset_y), quarter, min_visible)
        boxes.append(placed[0])
        classes.append(placed[1])
    return Example(canvas, np.concatenate(boxes), np.concatenate(classes))


def mixup(rng: np.random.Generator, example: Example, other: Example, *, alpha: float = 1.5) -> Example:
    """Blend two pictures, ratio * example + (1 - ratio) * other, and join their boxes; Zhang et al. 2019 (arXiv:1902.04103).

    The ratio is drawn from Beta(alpha, alpha). The canvas, grey 128, has the larger of the heights and of the widths; both
    pictures begin at its upper left corner, so that all boxes stay as they are.
    """
    ratio = rng.beta(alpha, alpha)
    size = np.maximum(example.image.shape, other.image.shape)
    one, two = (_extend(part.image, size) for part in (example, other))
    return Example(
        cv2.addWeighted(one, ratio, two, 1 - ratio, 0),
        np.concatenate([example.boxes, other.boxes]),
        np.concatenate([example.classes, other.classes]),
    )


def _extend(image, shape):
    if image.shape == tuple(shape):
        return image
    canvas = np.full(shape, GREY, np.uint8)
    canvas[: image.shape[0], : image.shape[1]] = image
    return canvas
