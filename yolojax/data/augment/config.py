"""How strongly training images are varied: the configuration of the augmentation."""

import dataclasses
from typing import Any

from yolojax.fields import at_least, between, field, fraction, given, keyword_arguments, own_parts, positive


@dataclasses.dataclass(slots=True)
class AugmentConfig:
    """How strongly training images are varied."""

    flip_probability: float = field(0.5, "probability that an image is mirrored left to right", between(0, 1))
    crop_probability: float = field(0.5, "probability that an image is cropped; every box stays whole", between(0, 1))
    translate_probability: float = field(0.5, "probability that an image is shifted; every box stays whole", between(0, 1))
    hsv_probability: float = field(0.5, "probability that the colours of an image are varied", between(0, 1))
    hue: float = field(0.1, "largest shift of the hue in either direction, as a fraction of the colour circle", between(0, 1))
    saturation: float = field(1.5, "largest factor on the saturation; the smallest is its inverse", at_least(1))
    value: float = field(1.5, "largest factor on the brightness; the smallest is its inverse", at_least(1))
    vertical_flip_probability: float = field(0.0, "probability that an image is mirrored top to bottom", between(0, 1))
    transpose_probability: float = field(
        0.0, "probability that an image's rows and columns change places; with both flips, turns by 90 degrees", between(0, 1)
    )
    iou_crop_probability: float = field(
        0.0, "probability of a crop that overlaps some box by a random minimum IoU (as in SSD)", between(0, 1)
    )
    iou_crop_smallest: float = field(
        0.3,
        "smallest side of an IoU crop, as a fraction of the image's",
        fraction,
        used_with={"iou_crop_probability": positive},
    )
    scale_probability: float = field(
        0.0, "probability that an image is zoomed and stretched; its size stays the same", between(0, 1)
    )
    scale_smallest: float = field(
        0.5, "smallest zoom factor, drawn log-uniformly", fraction, used_with={"scale_probability": positive}
    )
    scale_largest: float = field(1.5, "largest zoom factor", at_least(1), used_with={"scale_probability": positive})
    scale_aspect: float = field(
        1.3,
        "largest factor on width : height in a zoom; the smallest is its inverse",
        at_least(1),
        used_with={"scale_probability": positive},
    )
    rotation_probability: float = field(
        0.0, "probability that an image is turned about its centre; boxes become those around their corners", between(0, 1)
    )
    rotation_degrees: float = field(
        10.0,
        "largest angle of a rotation either way in degrees, drawn uniformly",
        between(0, 180),
        used_with={"rotation_probability": positive},
    )
    shear_probability: float = field(
        0.0, "probability that an image is slanted about its centre; boxes become those around their corners", between(0, 1)
    )
    shear_degrees: float = field(
        2.0,
        "largest angle in degrees, either way, by which a shear leans vertical edges, and horizontal ones; drawn uniformly",
        between(0, 40),
        used_with={"shear_probability": positive},
    )
    blur_probability: float = field(0.0, "probability of a Gaussian blur", between(0, 1))
    blur_sigma: float = field(
        1.5,
        "largest standard deviation of the blur in pixels of the image, drawn uniformly from 0",
        positive,
        used_with={"blur_probability": positive},
    )
    noise_probability: float = field(0.0, "probability of Gaussian noise", between(0, 1))
    noise_deviation: float = field(
        10.0,
        "largest standard deviation of the noise in levels of 255, drawn uniformly from 0",
        between(0, 255),
        used_with={"noise_probability": positive},
    )
    mosaic_probability: float = field(
        0.0, "probability that an image is one of four on a canvas of the input size", between(0, 1)
    )
    mosaic_smallest: float = field(
        0.5,
        "smallest factor on the scale at which an image fits the canvas, drawn log-uniformly for each of the four",
        fraction,
        used_with={"mosaic_probability": positive},
    )
    mosaic_largest: float = field(1.5, "largest factor on that scale", at_least(1), used_with={"mosaic_probability": positive})
    mixup_probability: float = field(
        0.0, "probability that an image is blended with another, keeping the boxes of both", between(0, 1)
    )
    mixup_alpha: float = field(
        1.5,
        "the blending ratio is drawn from Beta(alpha, alpha); the larger alpha, the closer to a half",
        positive,
        used_with={"mixup_probability": positive},
    )
    mix_off_epochs: float = field(
        15.0,
        "epochs without mosaic and mixup at the end of the run",
        at_least(0),
        used_with={"mosaic_probability": positive, "mixup_probability": positive},
    )
    min_visible: float = field(
        0.3,
        "boxes that keep a smaller share of their area in a zoom, a rotation, a shear, an IoU crop or a mosaic are dropped",
        between(0, 1),
        used_with={
            "scale_probability": positive,
            "rotation_probability": positive,
            "shear_probability": positive,
            "iou_crop_probability": positive,
            "mosaic_probability": positive,
        },
    )
    more: tuple[str, ...] = field(
        (), "your own functions (rng, example, **options) -> Example, package.module:name, applied last, in order", own_parts
    )
    options: dict[str, Any] = field(
        {},
        "keyword arguments of all functions in more; those of one of them in a dict of its own under its name",
        keyword_arguments,
        used_with={"more": given},
    )
