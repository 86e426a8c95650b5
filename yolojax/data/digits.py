"""The built-in demo set, made from real handwriting: digits composed into scenes during a run, or written as files."""

import functools
import gzip
import math
import os
import sys
import time
from importlib import resources

import numpy as np

from yolojax.data.augment import Example
from yolojax.data.formats.names import write_names
from yolojax.data.images import write_image
from yolojax.data.mnist import TILE, read_mnist
from yolojax.errors import InputError
from yolojax.fields import LARGEST_INPUT
from yolojax.runtime.files import whole_set
from yolojax.runtime.opencv import cv2

LARGEST_SIDE = math.isqrt(LARGEST_INPUT)  # of a picture, in pixels

DIGIT_NAMES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")

# The parts of a scene. Heights of digits are fractions of the scene's size: 24 to 80 pixels at 160.
MOST_DIGITS = 6
SMALLEST_DIGIT, LARGEST_DIGIT = 0.15, 0.5
SCENE_OVERLAP = 0.08
LUMA = np.array([0.299, 0.587, 0.114])
LEAST_CONTRAST = 90
# Enlarged strokes are blurred; this ramp makes their edges crisp again, and light strokes solid.
INK_RAMP = np.clip((np.arange(256) - 88) * 2.7, 0, 255).astype(np.uint8)

# The MNIST detection set: enlargements of 28 pixel tiles, and the most digits of each group in one picture.
MNIST_GROUPS = (((3.0, 4.0), 3), ((1.0, 1.5, 2.0), 6), ((0.5, 0.8), 3))
MNIST_OVERLAP = 0.02

PLACES_TRIED = 64
MOST_PICTURES = 1_000_000  # which are some 50 GB


def split_digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Returns the 1,797 handwritten digits that come with yolojax, split for training and validation, always the same way.

    Returns:
        (glyphs, labels) to train on and (glyphs, labels) held out, every fifth of each digit; glyphs (n, 8, 8) uint8, ink 255
        on 0; labels (n,) int32.
    """
    images, labels = _handwritten_digits()
    glyphs = np.rint(images * (255 / 16)).astype(np.uint8)
    held_out = np.zeros(len(labels), bool)
    # In the order of the digits: in the file's order every fifth image is far more often a 3 than a 1.
    held_out[np.argsort(labels, kind="stable")[4::5]] = True
    return (glyphs[~held_out], labels[~held_out]), (glyphs[held_out], labels[held_out])


@functools.cache
def _handwritten_digits() -> tuple[np.ndarray, np.ndarray]:
    """The images, (n, 8, 8) float64 of 0 to 16, and their digits, (n,) int32, of the file that comes with yolojax.

    Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits"; digits.LICENSE.txt says where it is from.
    """
    with resources.files("yolojax.data").joinpath("digits.csv.gz").open("rb") as file, gzip.open(file) as lines:
        rows = np.loadtxt(lines, delimiter=",")
    return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int32)


def compose_scene(rng: np.random.Generator, glyphs: np.ndarray, labels: np.ndarray, size: int = 160) -> Example:
    """Composes a scene of 1 to 6 digits, in colours that stand out from a varied background.

    Args:
        rng: the source of all randomness.
        glyphs: (n, h, w) uint8, ink 255 on 0.
        labels: (n,) int32.
        size: height and width of the scene, pixels.

    Returns:
        The scene, its boxes tight around the ink, and the digits as classes. Two boxes share less than a tenth of the smaller
        one.
    """
    image = _background(rng, size)
    wanted = int(rng.integers(1, MOST_DIGITS + 1))
    heights = size * np.exp(rng.uniform(np.log(SMALLEST_DIGIT), np.log(LARGEST_DIGIT), wanted))
    boxes, classes = np.zeros((0, 4), np.int64), []
    # The largest first: the small ones find a place between them.
    for height in np.sort(heights)[::-1]:
        index = rng.integers(len(labels))
        ink = _enlarge(glyphs[index], height, height * rng.uniform(0.75, 1.1))
        place = _find_place(rng, ink.shape, size, boxes, SCENE_OVERLAP)
        if place is None:
            continue
        x1, y1, x2, y2 = place
        region = image[y1:y2, x1:x2]
        colour = _contrasting_colour(rng, np.array(cv2.mean(region)[:3]))
        alpha = cv2.cvtColor(ink, cv2.COLOR_GRAY2RGB)
        painted = cv2.multiply(255 - alpha, region, scale=1 / 255)
        # OpenCV's type hints do not know that it takes four numbers for a colour.
        strokes = cv2.multiply(alpha, (*colour, 0.0), scale=1 / 255)  # pyright: ignore[reportCallIssue, reportArgumentType]
        image[y1:y2, x1:x2] = cv2.add(painted, strokes)
        boxes = np.concatenate([boxes, [place]])
        classes.append(labels[index])
    return Example(image, boxes.astype(np.float32), np.array(classes, np.int32))


def write_mnist_detection(
    out: str | os.PathLike[str],
    *,
    mnist: str | os.PathLike[str] | None = None,
    train: int = 1000,
    val: int = 200,
    size: int = 416,
    seed: int = 0,
) -> dict[str, int]:
    """Writes a detection set of digits, black on white, in three groups of sizes, as pictures and text lists.

    A picture has 0 to 3 large digits (3 and 4 times 28 pixels), 0 to 6 medium ones (1, 1.5, 2) and 0 to 3 small ones
    (0.5, 0.8), at least one in all; two share less than 2 % of the smaller one. A digit for which no place is found is left
    out. A box is the digit's whole tile. Training and validation pictures show different digits.

    Args:
        out: the folder to write, new or empty: train/*.png, val/*.png, train.txt, val.txt, digits.names.
        mnist: an .npz file or IDX files, as for `mnist.read_mnist`; without it the digits of `split_digits` are enlarged to 28
            pixels.
        train: number of training pictures.
        val: number of validation pictures.
        size: height and width of the pictures, pixels.
        seed: seed of the random numbers; the same one writes the same bytes.

    Returns:
        The number of digits written, by list: {"train": ..., "val": ...}.

    Raises:
        InputError: a folder that is not empty, a file that is not as described, or a number out of range.
    """
    largest = int(TILE * max(MNIST_GROUPS[0][0]))
    if train < 1 or val < 1:
        raise InputError(f"--train {train} and --val {val}: both lists need at least one picture")
    if train + val > MOST_PICTURES:
        raise InputError(f"--train {train} and --val {val}: give at most {MOST_PICTURES:,} pictures together")
    if size < largest:
        raise InputError(f"--size {size}: the largest digit is {largest} pixels high; give at least {largest}")
    if size > LARGEST_SIDE:
        raise InputError(f"--size {size}: give at most {LARGEST_SIDE:,}, the side of a network's largest input")
    if seed < 0:
        raise InputError(f"--seed {seed}: give 0 or more")
    digits = read_mnist(mnist) if mnist is not None else [(_to_tiles(glyphs), ys) for glyphs, ys in split_digits()]
    if os.path.isdir(out) and os.listdir(out):
        raise InputError(f"{out}: the folder is not empty; name a new one")
    lists, written = {"train": train, "val": val}, {}
    show = _progress(train + val)
    with whole_set(out) as draft:
        for part, (name, count) in enumerate(lists.items()):
            (draft / name).mkdir()
            lines, written[name] = [], 0
            for number in range(count):
                # A generator for each picture: a longer list begins with the pictures of a shorter one.
                rng = np.random.default_rng((seed, part, number))
                image, boxes, classes = _mnist_picture(rng, *digits[part], size)
                file = f"{name}/{number:06d}.png"
                write_image(draft / file, image)
                tokens = (f"{x1},{y1},{x2},{y2},{c}" for (x1, y1, x2, y2), c in zip(boxes, classes, strict=True))
                lines.append(" ".join([file, *tokens]) + "\n")
                written[name] += len(classes)
                show(number + 1 + part * train)
            (draft / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
        write_names(draft / "digits.names", DIGIT_NAMES)
    return written


def _background(rng, size):
    """A scene's empty background: plain, a gradient between similar colours, or soft noise."""
    base = rng.uniform(0, 255, 3)
    kind = rng.integers(3)
    if kind == 0:
        return np.full((size, size, 3), base, np.uint8)
    # A few random cells, enlarged smoothly, are a gradient when they are 2 x 2 and noise when they are many.
    cells, spread = (2, 45) if kind == 1 else (int(rng.integers(4, 33)), 25)
    coarse = np.clip(base + rng.uniform(-spread, spread, (cells, cells, 3)), 0, 255).astype(np.uint8)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def _enlarge(glyph, height, width):
    """A glyph enlarged smoothly, uint8 ink 255 on 0, cut to the rows and columns that hold at least half ink."""
    # The margin lets the smooth enlargement run out before the edge instead of being cut straight.
    padded = np.pad(glyph, 1)
    ratio = (len(padded) / len(glyph)) * np.array([width, height])
    ink = cv2.resize(padded, np.maximum(2, np.rint(ratio)).astype(int).tolist(), interpolation=cv2.INTER_CUBIC)
    ink = cv2.LUT(ink, INK_RAMP)
    left, top, columns, rows = cv2.boundingRect((ink >= 128).view(np.uint8))
    return np.ascontiguousarray(ink[top : top + rows, left : left + columns])


def _contrasting_colour(rng, background):
    """A random colour whose luma is far enough from that of a background colour; black or white if none is drawn."""
    colours = rng.uniform(0, 255, (16, 3))
    far = np.abs((colours - background) @ LUMA) >= LEAST_CONTRAST
    if far.any():
        return colours[np.argmax(far)]
    return np.full(3, 255.0 if background @ LUMA < 128 else 0.0)


def _find_place(rng, shape, size, boxes, overlap):
    """A random place (x1, y1, x2, y2) for a tile of shape (h, w), or None where none is found.

    Its intersection with every box stays under `overlap` of the smaller of the two: measured by the union, a small
    digit could vanish in a large one.
    """
    corners = rng.integers(0, (size - shape[1] + 1, size - shape[0] + 1), (PLACES_TRIED, 2))
    places = np.concatenate([corners, corners + (shape[1], shape[0])], axis=1)
    sides = np.minimum(places[:, None, 2:], boxes[:, 2:]) - np.maximum(places[:, None, :2], boxes[:, :2])
    smaller = np.minimum(shape[0] * shape[1], np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    free = np.all(np.prod(np.maximum(sides, 0), axis=2) < overlap * smaller, axis=1)
    return places[np.argmax(free)] if free.any() else None


def _mnist_picture(rng, tiles, labels, size):
    """One picture of the MNIST detection set: (size, size, 3) uint8, boxes (n, 4) xyxy and classes, both whole."""
    canvas = np.full((size, size), 255, np.uint8)
    counts = [0]
    while not any(counts):
        counts = [int(rng.integers(most + 1)) for _, most in MNIST_GROUPS]
    boxes, classes = np.zeros((0, 4), np.int64), []
    for (scales, _), count in zip(MNIST_GROUPS, counts, strict=True):
        for _ in range(count):
            index = rng.integers(len(labels))
            side = int(TILE * rng.choice(scales))
            place = _find_place(rng, (side, side), size, boxes, MNIST_OVERLAP)
            if place is None:
                continue
            x1, y1, x2, y2 = place
            tile = cv2.resize(tiles[index], (side, side), interpolation=cv2.INTER_LINEAR)
            # The darker of the two: the white margin of one tile never hides the ink of another.
            canvas[y1:y2, x1:x2] = np.minimum(canvas[y1:y2, x1:x2], 255 - tile)
            boxes = np.concatenate([boxes, [place]])
            classes.append(int(labels[index]))
    return cv2.cvtColor(canvas, cv2.COLOR_GRAY2RGB), boxes, classes


def _to_tiles(glyphs):
    return np.stack([cv2.resize(glyph, (TILE, TILE), interpolation=cv2.INTER_CUBIC) for glyph in glyphs])


def _progress(total):
    """A function that shows how many of `total` pictures are written, at most once a second, on a terminal only."""
    started = shown = time.monotonic()

    def show(done):
        nonlocal shown
        now = time.monotonic()
        if sys.stderr.isatty() and (now - shown > 1 or (done == total and shown > started)):
            shown = now
            print(f"\r{done} of {total} pictures", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show
