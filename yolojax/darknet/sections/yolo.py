"""`[yolo]`: a detection head."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from yolojax.darknet.cfg import Section
from yolojax.darknet.sections.base import Context, Layer, LayersBefore, Operation, Shape, layer_options, register
from yolojax.darknet.sections.convolution import Convolution

NO_OBJECT = -1e4
"""Objectness logit of the slots that pad a head with fewer anchors than another; their score is 0."""


@register
@dataclasses.dataclass(frozen=True)
class Yolo(Operation):
    """A head: the outputs of the layer before it are boxes, objectness and classes.

    Attributes:
        anchors: (width, height) in pixels, those of the head's mask.
        classes: number of classes C.
        scale_x_y: factor by which the sigmoid of x and y is stretched about 0.5.
        squared_sizes: as in `AnchorGrid`.
        distance_power: as in `postprocess`; None for plain suppression.
    """

    cfg_name = "yolo"
    options = layer_options(
        honoured="mask anchors num classes scale_x_y new_coords nms_kind beta_nms",
        training="jitter resize random ignore_thresh truth_thresh iou_thresh iou_thresh_kind iou_loss iou_normalizer "
        "cls_normalizer obj_normalizer delta_normalizer max_delta label_smooth_eps focal_loss objectness_smooth "
        "counters_per_class max show_details total_loss",
    )

    anchors: tuple[tuple[float, float], ...]
    classes: int
    scale_x_y: float
    squared_sizes: bool = False
    distance_power: float | None = None

    @classmethod
    def build(cls, section: Section, before: LayersBefore) -> Layer:
        source, shape = before.previous()
        classes = section.whole("classes", 20, minimum=1)
        anchors = _read_anchors(section)
        _check_shape(section, before.size, source, shape, len(anchors), classes)
        squared, kind = section.whole("new_coords", 0) == 1, section.text("nms_kind", "default")
        layer = before.layers[source]
        convolution = layer.operation if isinstance(layer.operation, Convolution) else None
        if squared and not (convolution and convolution.activation == "logistic"):
            section.fail("new_coords=1 needs a [convolutional] with activation=logistic before it", "new_coords")
        if kind not in ("default", "greedynms", "diounms"):
            section.fail(f"nms_kind={kind} is not supported; use default, greedynms or diounms", "nms_kind")
        if convolution:
            # The head returns logits: decoding applies the sigmoid itself.
            activation = "linear" if squared else convolution.activation
            head = dataclasses.replace(convolution, head=True, activation=activation)
            before.layers[source] = layer._replace(operation=head)
        power = section.number("beta_nms", 0.6) if kind == "diounms" else None
        return Layer(cls(anchors, classes, section.number("scale_x_y", 1.0), squared, power), (source,), shape)

    def compute(self, context: Context, *inputs: jax.Array) -> jax.Array:
        (x,) = inputs
        return x.astype(jnp.promote_types(x.dtype, jnp.float32))

    def slots(self, x: jax.Array, anchors: int) -> jax.Array:
        """The outputs of the head by anchor, padded with slots of score 0.

        Args:
            x: (B, H, W, A * (5 + C)), the outputs of the head's A anchors.
            anchors: number of anchors to return, at least A.

        Returns:
            (B, H, W, anchors, 5 + C).
        """
        outputs, missing = 5 + self.classes, anchors - len(self.anchors)
        if missing:
            x = jnp.pad(x, [(0, 0)] * 3 + [(0, missing * outputs)])
            nothing = np.zeros((1, 1, 1, anchors, outputs), np.float32)
            nothing[..., len(self.anchors) :, 4] = NO_OBJECT
            x = x + nothing.reshape(1, 1, 1, -1)
        return x.reshape(*x.shape[:3], anchors, outputs)


def _read_anchors(section: Section) -> tuple[tuple[float, float], ...]:
    """The anchors of the section's mask; without a mask the first `num`."""
    sides = section.numbers("anchors")
    mask = section.wholes("mask") if "mask" in section.options else range(section.whole("num", 1, minimum=1))
    pairs = tuple(zip(sides[::2], sides[1::2], strict=False))
    for number in mask:
        if not 0 <= number < min(len(pairs), section.whole("num", 1)):
            counts = f"num={section.whole('num', 1)} and {len(pairs)} anchors"
            section.fail(f"there is no anchor {number} (counted from 0): {counts}", "mask")
    anchors = tuple(pairs[number] for number in mask)
    if min(min(anchor) for anchor in anchors) <= 0:
        section.fail("anchors must be positive", "anchors")
    return anchors


def _check_shape(section: Section, size: tuple[int, int], source: int, shape: Shape, anchors: int, classes: int) -> None:
    """Refuses a head whose input has another number of channels, or whose cells are not squares of the network's input."""
    height, width, channels = shape
    wanted = anchors * (5 + classes)
    if source < 0 or channels != wanted:
        section.fail(
            f"classes={classes} and {anchors} anchors need {wanted} channels (anchors * (5 + classes)), but layer {source} "
            f"gives {channels}; correct its filters=, or classes= and the anchors",
            "classes",
        )
    if size[0] % height or size[1] % width or size[0] // height != size[1] // width:
        section.fail(f"its {height} x {width} cells do not divide the input of {size[0]} x {size[1]} into squares")
