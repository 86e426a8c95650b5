"""How much training images are varied: the configuration of the augmentation."""

import dataclasses


def _field(default, doc):
    return dataclasses.field(default=default, metadata={"doc": doc})


@dataclasses.dataclass(slots=True)
class AugmentConfig:
    """How much training pictures are varied."""

    flip_probability: float = _field(0.5, "probability that a picture is mirrored left to right, 0..1")
    crop_probability: float = _field(0.5, "probability that a picture is cropped, every box kept whole, 0..1")
    translate_probability: float = _field(0.5, "probability that a picture is shifted, every box kept whole, 0..1")
    hsv_probability: float = _field(0.5, "probability that a picture's colours are varied, 0..1")
    hue: float = _field(0.1, "the largest turn of the hue either way, as a part of the colour circle")
    saturation: float = _field(1.5, "the largest factor on the saturation, >= 1; its inverse is the smallest")
    value: float = _field(1.5, "the largest factor on the brightness, >= 1; its inverse is the smallest")
    iou_crop_probability: float = _field(0.0, "probability of a crop that a box overlaps by a random IoU (SSD), 0..1")
    iou_crop_smallest: float = _field(0.3, "the smallest side of that crop, as a part of the picture's; the largest is 1")
    scale_probability: float = _field(0.0, "probability that a picture is zoomed and stretched, its size kept, 0..1")
    scale_smallest: float = _field(0.5, "the smallest factor of the zoom, at most 1; log-uniform up to the largest")
    scale_largest: float = _field(1.5, "the largest factor of the zoom, at least 1")
    scale_aspect: float = _field(1.3, "the largest factor on width : height in a zoom, >= 1; its inverse is the smallest")
    blur_probability: float = _field(0.0, "probability that a picture is blurred by a Gaussian, 0..1")
    blur_sigma: float = _field(1.5, "the largest standard deviation of the blur, pixels of the picture; uniform from 0")
    noise_probability: float = _field(0.0, "probability that a picture gets Gaussian noise, 0..1")
    noise_deviation: float = _field(10.0, "the largest standard deviation of the noise, levels of 255; uniform from 0")
    mosaic_probability: float = _field(0.0, "probability that a picture is one of four on a canvas of the input's size, 0..1")
    mosaic_smallest: float = _field(0.5, "the smallest factor, at most 1, on the scale at which a picture fits the canvas")
    mosaic_largest: float = _field(1.5, "the largest factor, at least 1, on that scale; each picture has its own, log-uniform")
    mixup_probability: float = _field(0.0, "probability that a picture is blended with another, boxes of both kept, 0..1")
    mixup_alpha: float = _field(1.5, "the blend's ratio is drawn from Beta(alpha, alpha); the larger, the nearer to a half")
    mix_off_epochs: float = _field(15.0, "epochs at the end of the run without mosaic and mixup: pictures as they are")
    min_visible: float = _field(0.3, "share of a box's area that a scale, IoU crop or mosaic must leave, or it is dropped")
