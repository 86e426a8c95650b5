"""What the values of a configuration must be, field by field: ranges, and which fields others make useless."""

import re
import sys
import types

LOWER_IS_BETTER = ("loss", "box", "objectness", "classification")
BEST_BY = (
    *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    *("ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large"),
    *("voc_ap50", "voc_ap50_11point", "f1"),
    *LOWER_IS_BETTER,
)
"""Metrics of a validation by which checkpoints can be ranked."""


def _one_of(*choices):
    return lambda value: None if value in choices else f"must be one of {', '.join(choices)}"


def _at_least(minimum):
    return lambda value: None if value >= minimum else f"must be at least {minimum}"


def _between(low, high):
    return lambda value: None if low <= value <= high else f"must lie between {low} and {high}"


def _given(value):
    return None if value else "must be given"


def _positive(value):
    return None if value > 0 else "must be greater than 0"


def _zero(value):
    return None if value == 0 else "must be 0"


def _part(value):
    return None if 0 < value <= 1 else "must be greater than 0 and at most 1"


def _below_one(value):
    return None if 0 <= value < 1 else "must be at least 0 and less than 1"


def _anchors(value):
    def is_side(side):
        return isinstance(side, int | float) and 0 < side <= sys.float_info.max

    def is_scale(scale):
        return isinstance(scale, tuple) and scale and all(map(is_anchor, scale))

    def is_anchor(anchor):
        return isinstance(anchor, tuple) and len(anchor) == 2 and all(map(is_side, anchor))

    return None if all(map(is_scale, value)) else "must hold ((width, height), ...) in pixels for each scale"


def _distinct(value):
    return None if len(set(value)) == len(value) else "must name every class differently"


def _kind(multiple):
    return f"multiples of {multiple}" if multiple > 1 else "whole and positive"


def _input_size(multiple):
    def check(value):
        whole = len(value) == 2 and all(isinstance(v, int) and v > 0 and v % multiple == 0 for v in value)
        return None if whole else f"must be (height, width), {_kind(multiple)}"

    return check


def _input_sizes(multiple):
    def check(value):
        if len(set(value)) == len(value) and all(isinstance(size, tuple) and not one(size) for size in value):
            return None
        return f"must hold different ((height, width), ...), {_kind(multiple)}"

    one = _input_size(multiple)
    return check


def _pattern(value):
    try:
        re.compile(value)
    except re.error as error:
        return f"must be a regular expression ({error})"


def _layer_rates(value):
    def is_rate(entry):
        if not (isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)):
            return False
        return not _pattern(entry[0]) and isinstance(entry[1], int | float) and 0 <= entry[1] <= sys.float_info.max

    return None if all(map(is_rate, value)) else "must hold ((regular expression, factor), ...)"


def _steps(value):
    def is_drop(entry):
        if not (isinstance(entry, tuple) and len(entry) == 2 and all(isinstance(part, int | float) for part in entry)):
            return False
        return 0 < entry[0] <= 1 and 0 <= entry[1] <= sys.float_info.max

    if all(map(is_drop, value)) and list(value) == sorted(value):
        return None
    return "must hold ((share of the run, factor), ...), the shares rising and at most 1"


CHECKS = types.MappingProxyType(
    {
        "seed": _at_least(0),
        "model.name": _one_of("yolov3", "yolov3_spp", "yolov3_tiny", "darknet"),
        "model.num_classes": _at_least(0),
        "model.width": _positive,
        "model.dtype": _one_of("float32", "bfloat16"),
        "model.batch_norm_momentum": _between(0, 1),
        "model.anchors": _anchors,
        "data.source": _one_of("auto", "list", "digits"),
        "data.class_names": _distinct,
        "data.size": _input_size(32),
        "data.sizes": _input_sizes(32),
        "data.fit": _one_of("letterbox", "darknet_letterbox", "darknet_stretch"),
        "data.sampling": _one_of("uniform", "repeat_factor", "class_balanced"),
        "data.repeat_threshold": _between(0, 1),
        "data.cache_gib": _at_least(0),
        "data.max_boxes": _at_least(1),
        "data.on_unreadable": _one_of("stop", "skip"),
        "data.threads": _at_least(0),
        "data.digits_train": _at_least(1),
        "data.digits_val": _at_least(1),
        "data.augment.flip_probability": _between(0, 1),
        "data.augment.crop_probability": _between(0, 1),
        "data.augment.translate_probability": _between(0, 1),
        "data.augment.hsv_probability": _between(0, 1),
        "data.augment.hue": _between(0, 1),
        "data.augment.saturation": _at_least(1),
        "data.augment.value": _at_least(1),
        "data.augment.iou_crop_probability": _between(0, 1),
        "data.augment.iou_crop_smallest": _part,
        "data.augment.scale_probability": _between(0, 1),
        "data.augment.scale_smallest": _part,
        "data.augment.scale_largest": _at_least(1),
        "data.augment.scale_aspect": _at_least(1),
        "data.augment.blur_probability": _between(0, 1),
        "data.augment.blur_sigma": _positive,
        "data.augment.noise_probability": _between(0, 1),
        "data.augment.noise_deviation": _between(0, 255),
        "data.augment.mosaic_probability": _between(0, 1),
        "data.augment.mosaic_smallest": _part,
        "data.augment.mosaic_largest": _at_least(1),
        "data.augment.mixup_probability": _between(0, 1),
        "data.augment.mixup_alpha": _positive,
        "data.augment.mix_off_epochs": _at_least(0),
        "data.augment.min_visible": _between(0, 1),
        "loss.name": _one_of("yolo", "paper"),
        "loss.box": _one_of("giou", "iou", "diou", "ciou"),
        "loss.coord_weight": _at_least(0),
        "loss.noobject_weight": _at_least(0),
        "loss.wh": _one_of("sqrt", "log"),
        "loss.objectness": _one_of("bce", "iou"),
        "loss.class_scores": _one_of("sigmoid", "softmax"),
        "loss.ignore_iou": _between(0, 1),
        "loss.label_smoothing": _between(0, 1),
        "loss.assign_rule": _one_of("threshold", "best"),
        "loss.assign_iou": _between(0, 1),
        "optimizer.name": _one_of("adam", "adamw", "sgd"),
        "optimizer.learning_rate": _positive,
        "optimizer.schedule": _one_of("cosine", "step"),
        "optimizer.end_learning_rate": _at_least(0),
        "optimizer.steps": _steps,
        "optimizer.warmup_epochs": _at_least(0),
        "optimizer.b1": _below_one,
        "optimizer.b2": _below_one,
        "optimizer.momentum": _below_one,
        "optimizer.weight_decay": _between(0, 1),
        "optimizer.decay_layers": _pattern,
        "optimizer.layer_rates": _layer_rates,
        "optimizer.clip_norm": _at_least(0),
        "optimizer.line_search_trials": _at_least(0),
        "optimizer.ema_decay": _below_one,
        "optimizer.ema_warmup_steps": _at_least(0),
        "train.epochs": _positive,
        "train.batch_size": _at_least(1),
        "train.accumulate": _at_least(1),
        "train.log_steps": _at_least(1),
        "train.eval_epochs": _positive,
        "train.save_best_by": _one_of(*BEST_BY),
        "train.early_stopping": _at_least(0),
        "train.freeze": _pattern,
        "train.freeze_epochs": _at_least(0),
        "train.checkpoint_steps": _at_least(1),
        "train.max_skipped_steps": _at_least(0),
        "eval.batch_size": _at_least(1),
        "eval.score_threshold": _between(0, 1),
        "eval.iou_threshold": _between(0, 1),
        "eval.max_candidates": _at_least(1),
        "eval.max_detections": _at_least(1),
    }
)
"""By dotted name, a function of the value to what is wrong with it, or None."""

ANY_SIZE = types.MappingProxyType({"data.size": _input_size(1), "data.sizes": _input_sizes(1)})
"""What takes the place of some of them for the network of a cfg, whose layers decide which sizes fit it."""

USED_WITH = types.MappingProxyType(
    {
        "data.augment.iou_crop_smallest": ("data.augment.iou_crop_probability", _positive),
        "data.augment.scale_smallest": ("data.augment.scale_probability", _positive),
        "data.augment.scale_largest": ("data.augment.scale_probability", _positive),
        "data.augment.scale_aspect": ("data.augment.scale_probability", _positive),
        "data.augment.blur_sigma": ("data.augment.blur_probability", _positive),
        "data.augment.noise_deviation": ("data.augment.noise_probability", _positive),
        "data.augment.mosaic_smallest": ("data.augment.mosaic_probability", _positive),
        "data.augment.mosaic_largest": ("data.augment.mosaic_probability", _positive),
        "data.augment.mixup_alpha": ("data.augment.mixup_probability", _positive),
        "data.augment.mix_off_epochs": ("data.augment.mosaic_probability or data.augment.mixup_probability", _positive),
        "data.augment.min_visible": (
            "data.augment.scale_probability or data.augment.iou_crop_probability or data.augment.mosaic_probability",
            _positive,
        ),
        "model.width": ("model.name", _one_of("yolov3", "yolov3_spp", "yolov3_tiny")),
        "model.anchors": ("model.name", _one_of("yolov3", "yolov3_spp", "yolov3_tiny")),
        "model.cfg": ("model.name", _one_of("darknet")),
        "data.sampling": ("data.source", _one_of("auto", "list")),
        "data.repeat_threshold": ("data.sampling", _one_of("repeat_factor")),
        "data.cache_gib": ("data.source", _one_of("auto", "list")),
        "loss.box": ("loss.name", _one_of("yolo")),
        "loss.coord_weight": ("loss.name", _one_of("paper")),
        "loss.noobject_weight": ("loss.name", _one_of("paper")),
        "loss.wh": ("loss.name", _one_of("paper")),
        "loss.objectness": ("loss.name", _one_of("paper")),
        "loss.class_scores": ("loss.name", _one_of("paper")),
        "loss.assign_iou": ("loss.assign_rule", _one_of("threshold")),
        "optimizer.end_learning_rate": ("optimizer.schedule", _one_of("cosine")),
        "optimizer.steps": ("optimizer.schedule", _one_of("step")),
        "optimizer.b1": ("optimizer.name", _one_of("adam", "adamw")),
        "optimizer.b2": ("optimizer.name", _one_of("adam", "adamw")),
        "optimizer.momentum": ("optimizer.name", _one_of("sgd")),
        "optimizer.nesterov": ("optimizer.name", _one_of("sgd")),
        "optimizer.weight_decay": ("optimizer.name", _one_of("adamw", "sgd")),
        "optimizer.decay_layers": ("optimizer.name", _one_of("adamw", "sgd")),
        "optimizer.ema_warmup_steps": ("optimizer.ema_decay", _positive),
        "train.freeze_epochs": ("train.freeze", _given),
    }
)
"""By dotted name, the field that decides whether this one is used (fields joined by " or ": one of them is enough), and the
check that its value must then pass."""

NEEDS = types.MappingProxyType(
    {
        "optimizer.line_search_trials": (
            # The loss falls along the negative gradient alone: with any of these the update need not point downhill.
            ("optimizer.name", _one_of("sgd")),
            ("optimizer.momentum", _zero),
            ("optimizer.weight_decay", _zero),
        ),
    }
)
"""By dotted name of a field that is not at its default, what other fields must then be."""
