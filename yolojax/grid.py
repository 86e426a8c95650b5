"""The static geometry of a detector: the slots that follow from input size, strides and anchors."""

import dataclasses
import functools
import math

import numpy as np

YOLOV3_ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
"""Width and height in pixels of YOLOv3's anchors, fine to coarse: Redmon and Farhadi 2018, arXiv:1804.02767, section 2.3."""

TINY_ANCHORS = (
    ((10, 14), (23, 27), (37, 58)),
    ((81, 82), (135, 169), (344, 319)),
)
"""Width and height in pixels of YOLOv3-tiny's anchors, fine to coarse, three per scale as listed in yolov3-tiny.cfg."""


@dataclasses.dataclass(frozen=True)
class AnchorGrid:
    """Input size, strides and anchors, which together define and number the slots of a detector.

    A slot is one (scale, row, column, anchor). Slots are numbered in that order, scales fine to coarse.
    The grid is hashable, so it can be a static argument of a compiled function.

    Attributes:
        size: (height, width) of the network's input in pixels.
        strides: for each scale, the side of a cell in pixels of the input.
        anchors: for each scale, the (width, height) of its anchors in pixels of the input; the same number on every scale.
        xy_scales: for each scale, the factor by which the sigmoid of x and y is stretched about 0.5, so that a centre can lie
            on the edge of its cell (Bochkovskiy et al. 2020, arXiv:2004.10934, section 3.4); empty for 1 everywhere, as in
            YOLOv3.
        squared_sizes: whether sizes are (2 * sigmoid(t))^2 anchors, as in Scaled-YOLOv4 (Wang et al. 2021, arXiv:2011.08036;
            Darknet's new_coords), instead of e^t anchors.

    Raises:
        ValueError: a stride does not divide the size, or strides, anchors and xy_scales do not match.
    """

    size: tuple[int, int]
    strides: tuple[int, ...] = (8, 16, 32)
    anchors: tuple[tuple[tuple[float, float], ...], ...] = YOLOV3_ANCHORS
    xy_scales: tuple[float, ...] = ()
    squared_sizes: bool = False

    def __post_init__(self) -> None:
        # JSON and users give lists, but only tuples are hashable.
        object.__setattr__(self, "size", tuple(int(side) for side in self.size))
        object.__setattr__(self, "strides", tuple(int(stride) for stride in self.strides))
        anchors = tuple(tuple(tuple(float(side) for side in anchor) for anchor in scale) for scale in self.anchors)
        object.__setattr__(self, "anchors", anchors)
        xy_scales = tuple(float(scale) for scale in self.xy_scales)
        object.__setattr__(self, "xy_scales", () if set(xy_scales) == {1.0} else xy_scales)
        if len(self.size) != 2 or min(self.size) <= 0:
            raise ValueError(f"the size must be (height, width) in pixels, both positive, not {self.size}")
        if not self.strides or min(self.strides) <= 0:
            raise ValueError(f"strides must be positive, not {self.strides}")
        for stride in self.strides:
            if any(side % stride for side in self.size):
                raise ValueError(f"height and width of {self.size} must be multiples of the stride {stride}")
        if len(anchors) != len(self.strides):
            raise ValueError(f"{len(self.strides)} strides need {len(self.strides)} groups of anchors, not {len(anchors)}")
        if not anchors[0] or any(len(scale) != len(anchors[0]) for scale in anchors):
            raise ValueError(f"every scale needs the same number of anchors, at least one, not {[len(s) for s in anchors]}")
        for anchor in (anchor for scale in anchors for anchor in scale):
            if len(anchor) != 2 or not all(0 < side < math.inf for side in anchor):
                raise ValueError(f"an anchor must be (width, height), both positive, not {anchor}")
        if xy_scales and (len(xy_scales) != len(self.strides) or not all(0 < scale < math.inf for scale in xy_scales)):
            raise ValueError(f"xy_scales must be {len(self.strides)} positive numbers, one per stride, or (), not {xy_scales}")

    @property
    def num_scales(self) -> int:
        """Number of scales S."""
        return len(self.strides)

    @property
    def anchors_per_scale(self) -> int:
        """Number of anchors A per cell, the same on every scale."""
        return len(self.anchors[0])

    @functools.cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(rows, columns) of each scale."""
        height, width = self.size
        return tuple((height // stride, width // stride) for stride in self.strides)

    @functools.cached_property
    def slots_per_scale(self) -> tuple[int, ...]:
        """Number of slots on each scale."""
        return tuple(rows * columns * self.anchors_per_scale for rows, columns in self.shapes)

    @functools.cached_property
    def num_slots(self) -> int:
        """Number of slots N over all scales; N also pads lists of slots."""
        return sum(self.slots_per_scale)

    @functools.cached_property
    def offsets(self) -> tuple[int, ...]:
        """First slot of each scale."""
        return tuple(sum(self.slots_per_scale[:scale]) for scale in range(self.num_scales))

    @functools.cached_property
    def slot_geometry(self) -> np.ndarray:
        """What decoding needs to know about each slot: (N, 5) float32 of column, row, stride, anchor width, anchor height.

        Column and row count cells; stride and anchors are in pixels. A sixth column holds the `xy_scales` where the grid has
        them. A grid with `squared_sizes` always has the sixth column, and a seventh column of ones.
        """
        scales = []
        for (rows, columns), stride, anchors in zip(self.shapes, self.strides, self.anchors, strict=True):
            row, column, anchor = np.indices((rows, columns, len(anchors)), dtype=np.float32).reshape(3, -1)
            sizes = np.asarray(anchors, np.float32)[anchor.astype(int)]
            scales.append(np.column_stack([column, row, np.full_like(row, stride), sizes]))
        geometry = np.concatenate(scales)
        if self.xy_scales or self.squared_sizes:
            xy_scales = np.asarray(self.xy_scales or (1,) * self.num_scales, np.float32)
            geometry = np.column_stack([geometry, np.repeat(xy_scales, self.slots_per_scale)])
        if self.squared_sizes:
            geometry = np.column_stack([geometry, np.ones(len(geometry), np.float32)])
        geometry.flags.writeable = False
        return geometry
