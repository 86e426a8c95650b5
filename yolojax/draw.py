"""Draws boxes and their labels on images with OpenCV; no window is ever opened."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from yolojax.errors import printable
from yolojax.runtime.opencv import cv2

FONT = cv2.FONT_HERSHEY_SIMPLEX
READABLE_SIDE = 480  # pixels; images with a smaller short side are enlarged
LARGEST_SIDE = 3840  # pixels; no long side is enlarged beyond this
PALETTE_SIZE = 80


def draw_detections(
    image: np.ndarray,
    boxes_xyxy: ArrayLike,
    classes: Sequence[int] | np.ndarray,
    names: Sequence[str] | None,
    scores: Sequence[float] | np.ndarray | None = None,
) -> np.ndarray:
    """Returns a copy of an image with boxes and their labels drawn on it.

    An image with a short side of less than 480 pixels is enlarged first, by the smallest whole number that brings it there.

    Args:
        image: (H, W, 3) uint8, RGB; it is not changed.
        boxes_xyxy: (k, 4), in pixels of `image`; parts outside the image are not drawn.
        classes: (k,) class ids.
        names: the names of classes 0, 1 ...; a class without a name is labelled by its number, as are all if this is None.
        scores: (k,), printed with two decimals after the name; None for ground truth.

    Returns:
        (f * H, f * W, 3) uint8, RGB, where f is the factor of enlargement: 1 for most images.

    Raises:
        ValueError: `image` is not (H, W, 3) uint8, the numbers of boxes, classes and scores differ, or a box is NaN.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"image is {image.dtype} of shape {image.shape}, expected uint8 of shape (H, W, 3)")
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    if len(classes) != len(boxes) or (scores is not None and len(scores) != len(boxes)):
        raise ValueError(f"{len(boxes)} boxes need one class each, and one score each where scores are given")
    if np.isnan(boxes).any():
        raise ValueError("a box is NaN")
    canvas, factor = _enlarge(image)
    height, width = canvas.shape[:2]
    style = _style(height, width)

    # By falling score: the label with the highest score is placed first, and drawn last, on top.
    order = range(len(boxes)) if scores is None else np.argsort(-np.asarray(scores, np.float64), kind="stable").tolist()
    shown, tags = [], []
    for row in order:
        corners = _visible_corners(boxes[row] * factor, height, width)
        if corners is None:
            continue
        name = _name(int(classes[row]), names)
        label = name if scores is None else f"{name} {float(scores[row]):.2f}"
        shown.append((corners, class_color(int(classes[row]))))
        tags.append(_place_tag(label, corners, tags, style, height, width))
    for (left, top, right, bottom), color in reversed(shown):
        cv2.rectangle(canvas, (left, top), (right, bottom), color, style.line)
    for (_, color), tag in reversed(list(zip(shown, tags, strict=True))):
        _draw_tag(canvas, tag, color, style)
    return canvas


def side_by_side(pictures: Sequence[np.ndarray], titles: Sequence[str]) -> np.ndarray:
    """Puts images in a row, each under its title, on a white background.

    Args:
        pictures: (H_i, W_i, 3) uint8 RGB each, at least one.
        titles: one line of text per image.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    titles = [printable(title, keep="") for title in titles]
    styles = [_style(*picture.shape[:2]) for picture in pictures]
    texts = [_measure(title, style, p.shape[1]) for p, title, style in zip(pictures, titles, styles, strict=True)]
    # One height for all, to align the images: a title with a descender is taller than one without.
    top = max(text.height + 2 * style.padding for text, style in zip(texts, styles, strict=True))
    panels = []
    for picture, title, style, text in zip(pictures, titles, styles, texts, strict=True):
        height, width = picture.shape[:2]
        panel = np.full((top + height, width + 2 * style.padding, 3), 255, np.uint8)
        panel[top:, :width] = picture
        place = (style.padding, style.padding + text.ascent)
        cv2.putText(panel, title, place, FONT, text.scale, (0, 0, 0), style.font_line, cv2.LINE_AA)
        panels.append(panel)
    tallest = max(len(panel) for panel in panels)
    row = [np.pad(panel, ((0, tallest - len(panel)), (0, 0), (0, 0)), constant_values=255) for panel in panels]
    return np.concatenate(row, axis=1)[:, : -2 * styles[-1].padding]


def class_color(class_id: int) -> tuple[int, int, int]:
    """The colour of a class, the same in every image: (red, green, blue), 0 to 255. Classes 0 to 79 all differ."""
    return _palette()[class_id % PALETTE_SIZE]


class _Style(NamedTuple):
    line: int
    font_scale: float
    font_line: int
    padding: int


class _Text(NamedTuple):
    width: int
    height: int
    ascent: int
    scale: float


class _Tag(NamedTuple):
    label: str
    left: int
    top: int
    right: int
    bottom: int
    text: _Text


@functools.cache
def _palette() -> list[tuple[int, int, int]]:
    # Each colour is the one farthest from all before it, in CIELAB: models with few classes get very different ones.
    levels = np.linspace(0, 255, 11).round()
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = cv2.cvtColor((rgb / 255).astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]
    # No near black, near white or grey: photos are full of them.
    vivid = (lab[:, 0] > 35) & (lab[:, 0] < 92) & (np.linalg.norm(lab[:, 1:], axis=1) > 35)
    rgb, lab = rgb[vivid], lab[vivid]
    chosen = [int(np.argmax(lab[:, 1]))]
    distance = np.linalg.norm(lab - lab[chosen[0]], axis=1)
    while len(chosen) < PALETTE_SIZE:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(lab - lab[chosen[-1]], axis=1))
    return [(int(red), int(green), int(blue)) for red, green, blue in rgb[chosen]]


def _enlarge(image: np.ndarray) -> tuple[np.ndarray, int]:
    height, width = image.shape[:2]
    factor = max(1, min(-(-READABLE_SIDE // min(height, width)), LARGEST_SIDE // max(height, width)))
    if factor == 1:
        return np.array(image, order="C"), 1
    size = (factor * width, factor * height)
    return cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_LINEAR), factor


def _style(height: int, width: int) -> _Style:
    side = min(height, width)
    font_scale = max(0.5, side / 1000)
    return _Style(
        line=max(2, round(side / 320)),
        font_scale=font_scale,
        font_line=max(1, round(1.5 * font_scale)),
        padding=max(2, round(side / 160)),
    )


def _name(class_id: int, names: Sequence[str] | None) -> str:
    # OpenCV crashes on half of a surrogate pair.
    return printable(str(names[class_id]), keep="") if names is not None and 0 <= class_id < len(names) else str(class_id)


def _visible_corners(box: np.ndarray, height: int, width: int) -> tuple[int, int, int, int] | None:
    """The first and last pixels of the box inside the image, or None if all of it is outside."""
    left, top, right, bottom = box
    if right <= 0 or bottom <= 0 or left >= width or top >= height or right < left or bottom < top:
        return None
    # Clipped as floats: huge coordinates would overflow an integer.
    left, right = np.clip([left, right - 1], 0, width - 1).round().astype(int).tolist()
    top, bottom = np.clip([top, bottom - 1], 0, height - 1).round().astype(int).tolist()
    return left, top, max(left, right), max(top, bottom)


def _measure(text: str, style: _Style, width: int) -> _Text:
    """The size of a line of text, scaled down if it is wider than `width` pixels."""
    scale = style.font_scale
    room = max(1, width - 2 * style.padding)
    (text_width, ascent), baseline = cv2.getTextSize(text, FONT, scale, style.font_line)
    if text_width > room:
        scale *= room / text_width
        (text_width, ascent), baseline = cv2.getTextSize(text, FONT, scale, style.font_line)
    return _Text(text_width, ascent + baseline, ascent, scale)


def _place_tag(
    label: str, corners: tuple[int, int, int, int], taken: Sequence[_Tag], style: _Style, height: int, width: int
) -> _Tag:
    """Places a label above, inside or below its box, where the image has room and no other label is."""
    text = _measure(label, style, width)
    tag_width, tag_height = text.width + 2 * style.padding, text.height + style.padding
    box_left, box_top, _, box_bottom = corners
    left = max(0, min(box_left, width - tag_width))
    right = min(left + tag_width, width) - 1
    # The last resort is the top of the box, moved into the image.
    tops = [box_top - tag_height, box_top, box_bottom + 1, max(0, min(box_top, height - tag_height))]
    fitting = [top for top in tops[:-1] if 0 <= top <= height - tag_height] + tops[-1:]
    tags = [_Tag(label, left, top, right, min(top + tag_height, height) - 1, text) for top in fitting]
    return next((tag for tag in tags if not any(_overlap(tag, other) for other in taken)), tags[0])


def _overlap(a: _Tag, b: _Tag) -> bool:
    return a.left <= b.right and b.left <= a.right and a.top <= b.bottom and b.top <= a.bottom


def _draw_tag(canvas: np.ndarray, tag: _Tag, color: tuple[int, int, int], style: _Style) -> None:
    cv2.rectangle(canvas, (tag.left, tag.top), (tag.right, tag.bottom), color, cv2.FILLED)
    # WCAG 2: at a relative luminance of 0.179, black and white text have the same contrast.
    luminance = np.dot((np.array(color) / 255) ** 2.2, (0.2126, 0.7152, 0.0722))
    ink = (0, 0, 0) if luminance > 0.179 else (255, 255, 255)
    place = (tag.left + style.padding, tag.top + style.padding // 2 + tag.text.ascent)
    cv2.putText(canvas, tag.label, place, FONT, tag.text.scale, ink, style.font_line, cv2.LINE_AA)
