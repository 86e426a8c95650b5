"""Augmentation by any affine map: an image and its boxes under a 2x3 matrix, and with it rotation and shear.

Coordinates are continuous: pixel i covers [i, i + 1). x runs right, y runs down.
"""

import numpy as np

from yolojax.data.example import Example
from yolojax.data.images import GREY
from yolojax.runtime.opencv import cv2

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
    return Example(warp_affine(example.image, matrix, window), *_map_boxes(example, matrix, window, min_visible))


def warp_affine(image: np.ndarray, matrix: np.ndarray, window: tuple[int, int, int, int]) -> np.ndarray:
    """Map an image by a 2x3 matrix and cut out a window, on grey 128; bilinear, exact to the sub-pixel.

    Args:
        image: (h, w, 3) uint8.
        matrix: (2, 3), x' = matrix @ (x, y, 1) in pixels.
        window: xyxy in whole pixels after the mapping.

    Returns:
        The window, (H, W, 3) uint8.
    """
    left, top, right, bottom = window
    # OpenCV counts from the centre of the first pixel, which is at 0.5 here.
    shifts = [a * 0.5 + b * 0.5 + c - start - 0.5 for (a, b, c), start in zip(matrix, (left, top), strict=True)]
    return cv2.warpAffine(
        image,
        np.column_stack([np.asarray(matrix)[:, :2], shifts]),
        (right - left, bottom - top),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(GREY, GREY, GREY),
    )


def _map_boxes(
    example: Example, matrix: np.ndarray, window: tuple[int, int, int, int], min_visible: float
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (k, 4) float32 around the mapped corners of those that stay, clipped to a window, and their classes (k,)."""
    height, width = example.image.shape[:2]
    # In float64, and clipped to the image first: what a box claims outside it could never be seen.
    x1, y1, x2, y2 = np.clip(example.boxes.astype(np.float64), 0, [[width, height] * 2]).T
    corners = np.stack([x1, y1, x2, y1, x2, y2, x1, y2], axis=-1).reshape(-1, 4, 2)
    mapped = corners @ matrix[:, :2].T + matrix[:, 2]
    around = np.concatenate([mapped.min(axis=1), mapped.max(axis=1)], axis=1)
    boxes = np.clip(around, [window[:2] * 2], [window[2:] * 2])
    share = np.array([_share_inside(quad, window) for quad in mapped])
    keep = np.all(boxes[:, 2:] > boxes[:, :2], axis=1) & (share > 0) & (share >= min_visible - _ROUNDING)
    return boxes[keep].astype(np.float32), example.classes[keep]


def _share_inside(corners: np.ndarray, window: tuple[int, int, int, int]) -> float:
    """The share of the area of a convex polygon, corners (n, 2) in order, that lies in a window; 0 for one without area."""
    whole, low, high = _area(corners), np.array(window[:2]), np.array(window[2:])
    if not whole or (np.all(corners >= low) and np.all(corners <= high)):
        return float(whole > 0)
    for axis in (0, 1):
        corners = _cut(corners, corners[:, axis] - low[axis])
        corners = _cut(corners, high[axis] - corners[:, axis])
    return _area(corners) / whole


def _cut(corners: np.ndarray, height: np.ndarray) -> np.ndarray:
    """The part of a polygon on one side of a line (Sutherland and Hodgman 1974); heights (n,) of its corners over the line."""
    kept = []
    for corner, next_corner, here, there in zip(corners, np.roll(corners, -1, 0), height, np.roll(height, -1), strict=True):
        if here >= 0:
            kept.append(corner)
        if here * there < 0:
            kept.append(corner + (next_corner - corner) * (here / (here - there)))
    return np.array(kept).reshape(-1, 2)


def _area(corners: np.ndarray) -> float:
    """The area of a polygon, corners (n, 2) in order, by the shoelace formula."""
    (x, y), (next_x, next_y) = corners.T, np.roll(corners, -1, 0).T
    return float(abs(np.sum(x * next_y - next_x * y)) / 2)
