"""The upright boxes around shapes that labelling tools draw."""

import math
from collections.abc import Sequence

Corners = tuple[float, float, float, float]


def around_points(points: Sequence[Sequence[float]]) -> Corners:
    """The smallest upright box around points.

    Args:
        points: (x, y) of each, at least one.

    Returns:
        x1, y1, x2, y2.
    """
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    return min(xs), min(ys), max(xs), max(ys)


def around_rotated(corners: Corners, degrees: float) -> Corners:
    """The smallest upright box around a box that is turned about its centre.

    Args:
        corners: x1, y1, x2, y2 before the turn.
        degrees: the angle; whether clockwise or not makes no difference.

    Returns:
        x1, y1, x2, y2.
    """
    x1, y1, x2, y2 = corners
    half_width, half_height = (x2 - x1) / 2, (y2 - y1) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    # Multiples of 90 degrees are exact.
    quarters, rest = divmod(degrees, 90)
    if quarters % 2:
        half_width, half_height = half_height, half_width
    cos, sin = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    across, down = half_width * cos + half_height * sin, half_width * sin + half_height * cos
    return x - across, y - down, x + across, y + down


def around_ellipse(centre: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0) -> Corners:
    """The smallest upright box around an ellipse.

    Args:
        centre: x, y.
        radii: along the ellipse's own two axes.
        degrees: the angle by which it is turned about its centre.

    Returns:
        x1, y1, x2, y2.
    """
    (x, y), (a, b) = centre, radii
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    across, down = math.hypot(a * cos, b * sin), math.hypot(a * sin, b * cos)
    return x - across, y - down, x + across, y + down
