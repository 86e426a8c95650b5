"""Augmentation by any affine map: an image and its boxes under a 2x3 matrix, and with it rotation and shear.

Coordinates are continuous: pixel i covers [i, i + 1). x runs right, y runs down.
"""

import numpy as np

from yolojax.data.augment.moves import warp
from yolojax.data.example import Example, clipped

_CORNERS = np.array([[0, 1], [2, 1], [2, 3], [0, 3]])  # of a box: the columns of their x and y
_ROUNDING = 1e-9  # of a box's area: corners that meet the image's edge may miss it by the last digit


def rotate(
    rng: np.random.Generator,
    example: Example,
    *,
    probability: float = 0.5,
    degrees: float = 10.0,
    min_visible: float = 0.3,
) -> Example:
    """Turn the image about its centre by up to `degrees` either way, with `probability`; see `rotate_and_shear`."""
    return rotate_and_shear(
        rng,
        example,
        rotation_probability=probability,
        rotation_degrees=degrees,
        shear_probability=0.0,
        min_visible=min_visible,
    )


def shear(
    rng: np.random.Generator,
    example: Example,
    *,
    probability: float = 0.5,
    degrees: float = 2.0,
    min_visible: float = 0.3,
) -> Example:
    """Slant the image about its centre by up to `degrees` either way, with `probability`; see `rotate_and_shear`."""
    return rotate_and_shear(
        rng,
        example,
        rotation_probability=0.0,
        shear_probability=probability,
        shear_degrees=degrees,
        min_visible=min_visible,
    )


def rotate_and_shear(
    rng: np.random.Generator,
    example: Example,
    *,
    rotation_probability: float = 0.5,
    rotation_degrees: float = 10.0,
    shear_probability: float = 0.5,
    shear_degrees: float = 2.0,
    min_visible: float = 0.3,
) -> Example:
    """Turn the image about its centre, then slant it, each with its probability; both are one map, see `transform`.

    A positive angle turns clockwise, as y runs down. The shear is x' = x + tan(a) y and y' = tan(b) x + y from the centre:
    vertical edges lean by the angle a, horizontal ones by b. The size of the image stays the same.

    Args:
        rng: the random generator.
        example: the image and its boxes.
        rotation_probability: the probability of a rotation.
        rotation_degrees: its largest angle either way; the angle is uniform.
        shear_probability: the probability of a shear.
        shear_degrees: its largest angles either way; both are uniform. Less than 45, at which all falls on one line.
        min_visible: as for `transform`.

    Returns:
        The mapped example.
    """
    linear = None
    if rotation_probability and rng.random() < rotation_probability:
        angle = np.deg2rad(rng.uniform(-rotation_degrees, rotation_degrees))
        linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if shear_probability and rng.random() < shear_probability:
        a, b = (np.tan(np.deg2rad(rng.uniform(-shear_degrees, shear_degrees))) for _ in range(2))
        slant = np.array([[1, a], [b, 1]])
        linear = slant if linear is None else slant @ linear
    if linear is None:
        return example
    centre = np.array([example.image.shape[1], example.image.shape[0]]) / 2
    return transform(example, np.column_stack([linear, centre - linear @ centre]), min_visible=min_visible)


def transform(example: Example, matrix: np.ndarray, *, min_visible: float = 0.3) -> Example:
    """Map the image and its boxes by a 2x3 matrix; the size of the image stays the same, and uncovered parts are grey 128.

    A box becomes the upright one around its four mapped corners, clipped to the image. That is right for an object that reaches
    the corners of its box, and too large for any other: round ones get boxes 1.16 times as wide and high as they are if turned
    by 10 degrees, 1.41 times at 45. Kalra et al. 2021 (arXiv:2109.13488) find that such labels can cost more than the rotation
    gains; they take the box around the mapped inner ellipse, which cuts corners off. So keep the angles small.

    Args:
        example: the image and its boxes.
        matrix: (2, 3), x' = matrix @ (x, y, 1) in pixels; its left part is regular.
        min_visible: the share, 0..1, of a box's mapped area (of the turned box itself, not of the upright one around it) that
            must lie in the image for the box to be kept. Only what a box covers in the image before counts.

    Returns:
        The mapped example, its boxes (k, 4) float32.
    """
    height, width = example.image.shape[:2]
    window = (0, 0, width, height)
    a, b, c, d, e, f = np.asarray(matrix, np.float64).ravel().tolist()
    image = warp(example.image, (a, b, c, d, e, f), window)
    return Example(image, *_map_boxes(example, matrix, window, min_visible))


def _map_boxes(
    example: Example, matrix: np.ndarray, window: tuple[int, int, int, int], min_visible: float
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (k, 4) float32 around the mapped corners of those that stay, clipped to a window, and their classes (k,)."""
    # In float64, and clipped to the image first: what a box claims outside it could never be seen.
    inside = clipped(example.boxes.astype(np.float64), (0, 0, example.image.shape[1], example.image.shape[0]))
    linear, shift = matrix[:, :2].T, matrix[:, 2]
    rising, falling = np.maximum(linear, 0), np.minimum(linear, 0)
    low, high = inside[:, :2], inside[:, 2:]
    around = np.concatenate([low @ rising + high @ falling + shift, high @ rising + low @ falling + shift], axis=1)
    boxes = clipped(around, window)
    cut = (around != boxes).any(axis=1)
    share = np.ones(len(boxes))
    share[cut] = _shares_inside(inside[cut][:, _CORNERS] @ linear + shift, window)
    keep = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]) & (share > 0) & (share >= min_visible - _ROUNDING)
    return boxes[keep].astype(np.float32), example.classes[keep]


def _shares_inside(corners: np.ndarray, window: tuple[int, int, int, int]) -> np.ndarray:
    """The shares of the areas of polygons that lie in a window; 0 for one without area.

    Every outline is cut where it meets the lines of the window's sides, and clipped to the window. A point of the window's
    inside is then encircled as often as before, as no part of the outline has moved over it; so the area that the clipped
    outline encircles is that of the polygon within the window.

    Args:
        corners: (n, k, 2) float64, the corners of each polygon in order.
        window: xyxy.

    Returns:
        (n,) float64 in [0, 1].
    """
    sides = np.roll(corners, -1, axis=1) - corners
    low, high = np.array(window[:2], np.float64), np.array(window[2:], np.float64)
    # How far along a side of the polygon a line is met: before its beginning and after its end do not count.
    with np.errstate(divide="ignore", invalid="ignore"):
        met = np.stack([low - corners, high - corners], axis=-1) / sides[..., None]
    met = np.sort(np.fmin(np.fmax(met.reshape(*corners.shape[:2], 4), 0), 1), axis=-1)
    along = np.concatenate([np.zeros((*met.shape[:2], 1)), met], axis=-1)
    points = corners[:, :, None] + along[..., None] * sides[:, :, None]
    inside = np.minimum(np.maximum(points, low), high).reshape(len(corners), 5 * corners.shape[1], 2)
    whole = _areas(corners)
    return np.divide(_areas(inside), whole, out=np.zeros(len(corners)), where=whole > 0)


def _areas(corners: np.ndarray) -> np.ndarray:
    """The areas (n,) of polygons, given by their corners (n, k, 2) in order, by the shoelace formula."""
    x, y = corners[..., 0] - corners[:, :1, 0], corners[..., 1] - corners[:, :1, 1]
    return np.abs((x[:, :-1] * y[:, 1:] - x[:, 1:] * y[:, :-1]).sum(axis=1)) / 2
