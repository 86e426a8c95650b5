"""Augmentation that makes one image out of several, without changing them."""

from collections.abc import Sequence

import numpy as np

from yolojax.data.augment.geometry import log_uniform
from yolojax.data.augment.moves import blend, collage
from yolojax.data.example import Example, place_all_boxes
from yolojax.data.images import fitting_scale

# The four images of a mosaic meet at least this far inside, as a fraction of the canvas's width and height.
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
    """Put four images around a random point of a canvas, each with a corner there; Bochkovskiy et al. 2020 (arXiv:2004.10934).

    The point is uniform over the middle half of the canvas's sides, in whole pixels; `example` lies above and left of it, the
    others above right, below left and below right. An image is cut off at the edges of its quarter, gaps are grey 128.

    Args:
        rng: the random generator.
        example: the first image and its boxes.
        others: the three other examples.
        size: (height, width) of the canvas in pixels.
        smallest: the smallest factor on the scale at which an image just fits the canvas; each has its own, log-uniform.
        largest: the largest such factor.
        min_visible: the share, 0..1, of its area that a box must keep; boxes are clipped to what is seen of their image.

    Returns:
        The canvas and its boxes.
    """
    height, width = size
    meet_x, meet_y = (round(rng.uniform(MARGIN, 1 - MARGIN) * length) for length in (width, height))
    places, quarters = [], []
    for place, part in enumerate((example, *others)):
        factor = fitting_scale(part.image.shape[:2], size) * log_uniform(rng, smallest, largest)
        below, right = divmod(place, 2)
        offset_x = meet_x if right else meet_x - factor * part.image.shape[1]
        offset_y = meet_y if below else meet_y - factor * part.image.shape[0]
        quarter = (
            meet_x if right else 0,
            meet_y if below else 0,
            width if right else meet_x,
            height if below else meet_y,
        )
        places.append((factor, 0, offset_x, 0, factor, offset_y))
        quarters.append(quarter)
    parts = [example, *others]
    image = collage([part.image for part in parts], places, quarters, size)
    shifts = [(factor, factor, dx, dy) for factor, _, dx, _, _, dy in places]
    return Example(image, *place_all_boxes(parts, shifts, quarters, min_visible))


def mixup(rng: np.random.Generator, example: Example, other: Example, *, alpha: float = 1.5) -> Example:
    """Blend two images, ratio * example + (1 - ratio) * other, and join their boxes; Zhang et al. 2019 (arXiv:1902.04103).

    The ratio is drawn from Beta(alpha, alpha). The canvas, grey 128, has the larger of the heights and of the widths; both
    images begin at its upper left corner, so that all boxes stay as they are.
    """
    ratio = rng.beta(alpha, alpha)
    return Example(
        blend(example.image, other.image, ratio),
        np.concatenate([example.boxes, other.boxes]),
        np.concatenate([example.classes, other.classes]),
    )
