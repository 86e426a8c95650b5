"""Pictures whose contents say where things are, and what finds it in them, to the sub-pixel."""

import numpy as np
from hypothesis import strategies as st

from yolojax.data.augment import Example
from yolojax.runtime.opencv import cv2

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def rectangles(draw):
    """Up to three rectangles, red, green and blue, that do not touch, on black; class k is channel k."""
    height, width = draw(st.integers(20, 90)), draw(st.integers(40, 90))
    image = np.zeros((height, width, 3), np.uint8)
    boxes, classes = [], draw(st.lists(st.integers(0, 2), unique=True, max_size=3))
    for place, channel in enumerate(classes):
        x1 = draw(st.integers(place * width // 3, (place + 1) * width // 3 - 4))
        x2 = draw(st.integers(x1 + 1, (place + 1) * width // 3 - 1))
        y1 = draw(st.integers(0, height - 3))
        y2 = draw(st.integers(y1 + 1, height))
        image[y1:y2, x1:x2, channel] = 255
        boxes.append((x1, y1, x2, y2))
    return Example(image, np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int32))


def find(image, channel):
    """The box of the pixels in which a channel is the strongest by far: grey filling and black have none."""
    strength = image.astype(int)
    ys, xs = np.nonzero((strength.argmax(-1) == channel) & (strength.max(-1) - strength.min(-1) > 60))
    return [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


def noise_example(seed=0, height=60, width=80):
    rng = np.random.default_rng(seed)
    boxes = np.array([[10.25, 5.5, 30.75, 40.5], [20, 20, 70.5, 55.25]], np.float32)
    return Example(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), boxes, np.array([1, 4], np.int32))


def smooth_example(seed=0, height=120, width=160):
    """Soft colours, which differ little from pixel to pixel, and two boxes."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    image = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    boxes = np.array([[0.1, 0.2, 0.4, 0.7], [0.3, 0.3, 0.9, 0.95]]) * [[width, height] * 2]
    return Example(image, boxes.astype(np.float32), np.array([1, 4], np.int32))


@st.composite
def wide_rectangles(draw, channels=(0, 1)):
    """A rectangle of at least 14 pixels for each of the channels, side by side on black; class k is channel k."""
    height, width = draw(st.integers(30, 90)), draw(st.integers(44, 90))
    image = np.zeros((height, width, 3), np.uint8)
    boxes = []
    for place, channel in enumerate(channels):
        low, high = place * width // len(channels), (place + 1) * width // len(channels) - 2
        x1 = draw(st.integers(low, high - 14))
        x2 = draw(st.integers(x1 + 14, high))
        y1 = draw(st.integers(0, height - 14))
        y2 = draw(st.integers(y1 + 14, height))
        image[y1:y2, x1:x2, channel] = 255
        boxes.append((x1, y1, x2, y2))
    return Example(image, np.array(boxes, np.float32).reshape(-1, 4), np.array(channels, np.int32))


def sharp_edges(image, channel):
    """The box of the one rectangle of a channel (not blue), where it fades to half: grey, black and blends have no more of it.

    A picture that is warped bilinearly by f fades over f pixels, round the true edge. For f < 1 the samples may miss the fade,
    which leaves the edge uncertain by (1 - f) / 2.
    """
    strength = image[..., channel].astype(float) - image[..., 2]
    ys, xs = np.nonzero(strength > strength.max() / 2)
    (left, right), (top, bottom) = (
        _crossings(np.compress(_middle(other), strength, axis).mean(axis)) for axis, other in ((0, ys), (1, xs))
    )
    return np.array([left, top, right, bottom])


def _middle(where):
    low, high = where.min(), where.max() + 1
    quarter = (high - low) // 4
    return np.isin(np.arange(high), np.arange(low + quarter, high - quarter))


def _crossings(profile):
    half = np.median(profile[profile > profile.max() / 2]) / 2
    profile = np.pad(profile, 1)  # the centre of pixel i of the picture is at i - 0.5 now
    above = np.flatnonzero(profile > half)
    first, last = above[0], above[-1]
    return (
        first - 0.5 - (profile[first] - half) / (profile[first] - profile[first - 1]),
        last - 0.5 + (profile[last] - half) / (profile[last] - profile[last + 1]),
    )


SLOPE = 8


def coordinates(rng, number=0, height=24, width=28):
    """A picture whose red and green rise by 8 a pixel with x and y, whose blue is its number, and 12 boxes, each a class."""
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = 16 + SLOPE * np.arange(width)
    image[..., 1] = 16 + SLOPE * np.arange(height)[:, None]
    image[..., 2] = 15 * number
    sides = np.sort(rng.random((12, 2, 2)) * [width, height], axis=1).reshape(12, 4)
    return Example(image, sides.astype(np.float32), np.arange(12 * number, 12 * (number + 1), dtype=np.int32))


def corner_errors(result, examples):
    """How many pixels of the original off the picture is at each corner of the boxes: it says itself what it shows there.

    examples: what `coordinates` gave, by number. Corners that are cut, or whose four neighbouring pixels do not all show the
    inside of their picture, do not count.
    """
    errors = []
    for box, label in zip(result.boxes.astype(float), result.classes, strict=True):
        number, row = divmod(int(label), 12)
        original = examples[number].boxes[row]
        for x, y in ((0, 1), (0, 3), (2, 1), (2, 3)):
            i, j = int(np.floor(box[x] - 0.5)), int(np.floor(box[y] - 0.5))
            four = result.image[j : j + 2, i : i + 2].astype(float) if min(i, j) >= 0 else np.zeros(0)
            if four.shape[:2] != (2, 2) or (four[..., 2] != 15 * number).any():
                continue
            u, v = box[x] - 0.5 - i, box[y] - 0.5 - j
            seen = np.einsum("j,i,jic->c", [1 - v, v], [1 - u, u], four)[:2]
            errors.append((seen - 16) / SLOPE + 0.5 - [original[x], original[y]])
    return errors
